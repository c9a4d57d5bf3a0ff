"""Which row of one space is which of another, found from nothing but the rows, or from a few pairs that are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relcli.arrays import Floats, one_blas_thread, row_norms
from relcli.spaces.pairing import Index, Mask

Narrow = NDArray[np.float32]
Pairs = tuple[Index, Index]

#: Neighbours whose mean similarity CSLS takes off.
NEIGHBOURS = 10

#: Numbers of a row's profile: quantiles of its similarities to all rows of its own space.
QUANTILES = 512

#: The power of the Gram matrix that profiles are read from, for each search; the second differs by its draws alone.
EXPONENTS = (0.5, 0.5, 1.0, 0.25)

#: Searches go on until two agree on pairs of this share of the smaller side's rows, each confirmed.
ENOUGH = 0.5

#: Share of the candidate pairs that a search may use at first; it doubles where the search stands still.
FIRST_SHARE = 0.1

#: Rounds without a gain of GAIN in the mean cosine after which the share doubles, and rounds at most.
PATIENCE, GAIN, ROUNDS = 5, 1e-4, 150

#: Times that the pairs are halved, a map fitted on each half, to see whether the other half is found again.
SPLITS = 5

#: By how much anchors grow from one stage to the next: twice as many at a time let in too many wrong ones at first.
GROWTH = 1.5


@dataclass(frozen=True)
class Found:
    """
    Pairs of rows x [p] and y [p], each row once, most confident first.

    `confidence` [p] is the share of the maps fitted on other pairs that find a pair again, 1 for one that was
    given; `mutual` [p] whether each is the other's nearest, seeds by a map fitted on the others. `confirmed` is
    the sum of the confidences, seeds aside, over the rows of the smaller side.
    """

    x: Index
    y: Index
    confidence: Floats
    mutual: Mask
    confirmed: float
    start: str = ""
    rounds: int = 0

    def __len__(self) -> int:
        return len(self.x)


def content_hash(v: Floats, *, salt: int) -> NDArray[np.uint64]:
    """
    Return a 64-bit hash [n] of each row of v [n, d], of its numbers alone: an order that tells nothing else.

    Another `salt` gives an unrelated order, so that equal rows on two sides do not stand at equal places.
    """
    words = np.ascontiguousarray(v + 0.0).view(np.uint64).reshape(v.shape)  # + 0.0: no -0.0
    hashed = np.full(len(v), 0xCBF29CE484222325 ^ (salt * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF), np.uint64)
    for column in words.T:
        hashed = (hashed ^ column) * np.uint64(0x100000001B3)
        hashed ^= hashed >> np.uint64(29)
    return hashed


def normalised(v: Floats) -> Narrow:
    """Return rows v [n, d] made unit, centred on their mean and made unit again (Artetxe et al. 2018), in float32."""
    rows = _unit(v)
    return _unit(rows - rows.mean(axis=0)).astype(np.float32)


def _unit(v: Floats) -> Floats:
    # what centring leaves of a row at the mean is rounding, and has no direction
    norms = row_norms(v)
    return v / np.where(norms > 1e-12, norms, 1.0)[:, None]


def profiles(unit: Narrow, exponent: float = 0.5, quantiles: int = QUANTILES) -> Narrow:
    """
    Return each row's profile [n, quantiles]: its similarities to all rows of its own space, sorted.

    Similarities are the Gram matrix of `unit` [n, d] to the power `exponent`: 1/2 is its square root (Artetxe et
    al. 2018, arXiv:1805.06297, §3.2). They are read at evenly spaced ranks, so that spaces of different sizes
    compare, and normalised like rows. No rotation of a space changes them. Keeps n² numbers.
    """
    left, singular, _ = np.linalg.svd(unit, full_matrices=False)
    ranked = np.sort((left * singular ** (2 * exponent)) @ left.T, axis=1)
    at = np.linspace(0, len(unit) - 1, quantiles)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, len(unit) - 1)
    share = (at - low).astype(np.float32)
    return normalised((ranked[:, low] * (1 - share) + ranked[:, high] * share).astype(np.float64))


def similarities(x: Narrow, y: Narrow, pairs: Pairs) -> Narrow:
    """
    Return x·W·yᵀ [n, n'] for rows x [n, dx] and y [n', dy] and the rotation W that best brings `pairs` together.

    The orthogonal map by the SVD of the pairs' cross-product (Schönemann 1966). Directions that they say
    nothing of are dropped rather than turned at random, and rows are not made unit again: those that few
    pairs say little of stay short, and stand out little.
    """
    left, singular, right = np.linalg.svd(x[pairs[0]].T.astype(np.float64) @ y[pairs[1]], full_matrices=False)
    kept = singular > 1e-6 * singular[0]
    return (x @ (left[:, kept] @ right[kept]).astype(np.float32)) @ y.T


def csls(cosines: Narrow, k: int = NEIGHBOURS) -> Narrow:
    """
    Return 2·cos(i, j) − r(i) − r(j) for cosines [n, n'] (Conneau et al. 2018, arXiv:1710.04087, eq. 3).

    r is the mean cosine of a row with its k nearest on the other side.
    """
    return 2 * cosines - _mean_of_nearest(cosines, k)[:, None] - _mean_of_nearest(cosines.T, k)


def _mean_of_nearest(cosines: Narrow, k: int) -> Narrow:
    k = min(k, cosines.shape[1])
    return np.partition(cosines, -k, axis=1)[:, -k:].mean(axis=1)


def mutual_pairs(scores: Narrow) -> tuple[Index, Index]:
    """Return the rows [p] and columns [p] of scores [n, n'] that are each the other's best."""
    forward, backward = scores.argmax(axis=1), scores.argmax(axis=0)
    rows = np.flatnonzero(backward[forward] == np.arange(len(forward)))
    return rows, forward[rows]


def margins(scores: Narrow, x: Index, y: Index) -> Narrow:
    """Return by how much scores [n, n'] of the pairs exceed the next best of their row or column [p]."""
    own = scores[x, y]
    others = [
        np.where(best[:, -1] == own, best[:, 0], best[:, -1])
        for best in (np.partition(scores[x], -2, axis=1)[:, -2:], np.partition(scores.T[y], -2, axis=1)[:, -2:])
    ]
    return own - np.maximum(*others)


def discover(
    x: Floats, y: Floats, *, seed: int = 0, told: Callable[[int], None] | None = None
) -> tuple[Found, list[dict[str, float]]]:
    """
    Return pairs of rows x [n, dx] and y [n', dy] that belong together, knowing nothing of either; and all starts.

    A search starts from the rows whose profiles are nearest and goes on by rotations and nearest neighbours
    (Artetxe et al. 2018). Wrong pairs may confirm one another, but searches that draw differently go wrong
    differently: a pair that no other search found has confidence 0. They are made until two agree on ENOUGH,
    and of those the best is returned. Runs on one BLAS thread. Keeps about 6·n·n' float32 numbers.
    """
    searches: list[Found] = []
    with one_blas_thread():
        sides = normalised(x), normalised(y)
        for number, exponent in enumerate(EXPONENTS):
            start = mutual_pairs(csls(profiles(sides[0], exponent) @ profiles(sides[1], exponent).T))
            scores, rounds = _refined(*sides, start, np.random.default_rng([seed, number]), told)
            searches.append(_judged(*sides, scores, seed, start=f"profiles, power {exponent:g}", rounds=rounds))
            agreed = [_agreed(found, searches) for found in searches]
            best = max(agreed, key=lambda found: found.confirmed)
            if best.confirmed >= ENOUGH:
                break
    tried = [
        {
            "power": exponent,
            "pairs": len(found),
            "rounds": found.rounds,
            "confirmed": found.confirmed,
            "agreed": both.confirmed,
        }
        for exponent, found, both in zip(EXPONENTS, searches, agreed, strict=False)
    ]
    return best, tried


def _agreed(found: Found, searches: list[Found]) -> Found:
    """Return what one search found, with confidence 0 for every pair that no other one did."""
    there = {
        pair
        for other in searches
        if other is not found
        for pair in zip(other.x.tolist(), other.y.tolist(), strict=True)
    }
    again = np.array([pair in there for pair in zip(found.x.tolist(), found.y.tolist(), strict=True)], bool)
    confidence = np.where(again, found.confidence, 0.0)
    # stable: among equals those that stand out most stay first
    order = np.argsort(-confidence, kind="stable")
    confirmed = found.confirmed * float(confidence.sum()) / max(float(found.confidence.sum()), 1e-12)
    return Found(
        found.x[order], found.y[order], confidence[order], found.mutual[order], confirmed, found.start, found.rounds
    )


def grow(
    x: Floats, y: Floats, seeds: Pairs, target: int, *, seed: int = 0, told: Callable[[int], None] | None = None
) -> tuple[Found, list[Pairs]]:
    """
    Return pairs of rows x [n, dx] and y [n', dy] that belong together, grown from `seeds`; and each stage's anchors.

    Each stage fits a rotation on the anchors so far and takes as anchors, beside the seeds, the mutual neighbours
    that stand out most: half as many again each time, up to `target` (after Cannistraci et al. 2023, arXiv:2303.00721,
    and Artetxe et al. 2017). All mutual neighbours of the last one are then refined. Runs on one BLAS thread.
    """
    with one_blas_thread():
        sides = normalised(x), normalised(y)
        stages = [seeds]
        while True:
            scores = _without(csls(similarities(*sides, stages[-1])), seeds)
            wanted = min(target, math.ceil(GROWTH * len(stages[-1][0])))
            fresh = _standing_out(scores, wanted - len(seeds[0]))
            anchors = _joined(seeds, fresh)
            if len(anchors[0]) <= len(stages[-1][0]):
                break
            stages.append(anchors)
            if told:
                told(1)
        for _ in range(PATIENCE):
            scores = _without(csls(similarities(*sides, _joined(seeds, mutual_pairs(scores)))), seeds)
        return _judged(*sides, scores, seed, seeds=seeds, start="seeds", rounds=len(stages) - 1 + PATIENCE), stages


def _without(scores: Narrow, known: Pairs) -> Narrow:
    """Return the scores with the rows and columns of known pairs out of reach, in place."""
    scores[known[0]] = -np.inf
    scores[:, known[1]] = -np.inf
    return scores


def _joined(first: Pairs, second: Pairs) -> Pairs:
    return np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])


def _standing_out(scores: Narrow, count: int) -> Pairs:
    """Return the `count` mutual pairs that exceed their rivals most."""
    rows, columns = mutual_pairs(scores)
    chosen = np.argsort(-margins(scores, rows, columns), kind="stable")[:count]
    return rows[chosen], columns[chosen]


def _refined(
    x: Narrow, y: Narrow, pairs: Pairs, rng: np.random.Generator, told: Callable[[int], None] | None
) -> tuple[Narrow, int]:
    """
    Return the CSLS scores [n, n'] that a search from `pairs` ends with, and its rounds.

    Each round fits a rotation on the nearest neighbours both ways, among a random share of all candidates:
    small at first, so that no early mistake settles, and all at last (Artetxe et al. 2018, §3.3).
    """
    share, best, still, rounds = FIRST_SHARE, -np.inf, 0, 0
    while True:
        rounds += 1
        cosines = similarities(x, y, pairs)
        gained = float(cosines.max(axis=1).mean() + cosines.max(axis=0).mean()) / 2
        best, still = (gained, 0) if gained > best + GAIN else (best, still + 1)
        scores = csls(cosines)
        if told:
            told(1)
        if rounds == ROUNDS or (still >= PATIENCE and share >= 1):
            return scores, rounds
        if still >= PATIENCE:
            share, still = min(1.0, 2 * share), 0
        kept = scores if share >= 1 else np.where(rng.random(scores.shape, np.float32) < share, scores, -np.inf)
        pairs = _joined(
            (np.arange(len(x)), kept.argmax(axis=1)),
            (kept.argmax(axis=0), np.arange(len(y))),
        )


def _judged(
    x: Narrow, y: Narrow, scores: Narrow, seed: int, *, seeds: Pairs | None = None, start: str, rounds: int
) -> Found:
    """Return the mutual pairs of scores [n, n'] with their confidence, after the pairs that were given."""
    pairs = mutual_pairs(scores)
    reached = np.isfinite(scores[pairs])
    pairs = pairs[0][reached], pairs[1][reached]
    confidence = confirmed_share(x, y, pairs, known=seeds, seed=seed)
    order = np.lexsort((-margins(scores, *pairs), -confidence))
    confirmed = float(confidence.sum()) / min(scores.shape)
    pairs, confidence = (pairs[0][order], pairs[1][order]), confidence[order]
    mutual = np.ones(len(order), bool)
    if seeds is not None:
        # the seeds are found by the others, or not
        whole = csls(similarities(x, y, pairs if len(order) else seeds))
        both = (whole[seeds[0]].argmax(axis=1) == seeds[1]) & (whole[:, seeds[1]].argmax(axis=0) == seeds[0])
        pairs = _joined(seeds, pairs)
        confidence, mutual = np.concatenate([np.ones(len(both)), confidence]), np.concatenate([both, mutual])
    return Found(*pairs, confidence, mutual, confirmed, start, rounds)


def confirmed_share(x: Narrow, y: Narrow, pairs: Pairs, *, known: Pairs | None = None, seed: int = 0) -> Floats:
    """
    Return for each pair [p] the share of the maps fitted without it that find it again as mutual neighbours.

    The pairs are halved SPLITS times and a rotation fitted on each half, and on the pairs that are `known`:
    so many maps meet each pair unseen.
    """
    count = len(pairs[0])
    again = np.zeros(count)
    rng = np.random.default_rng([seed, count, 0xA17])
    for _ in range(SPLITS):
        order = rng.permutation(count)
        for part, rest in ((order[: count // 2], order[count // 2 :]), (order[count // 2 :], order[: count // 2])):
            fitted = pairs[0][part], pairs[1][part]
            fitted = _joined(known, fitted) if known is not None else fitted
            if not len(fitted[0]):
                continue
            scores = csls(similarities(x, y, fitted))
            forward, backward = scores.argmax(axis=1), scores.argmax(axis=0)
            unseen = pairs[0][rest], pairs[1][rest]
            again[rest] += (forward[unseen[0]] == unseen[1]) & (backward[unseen[1]] == unseen[0])
    return again / SPLITS
