"""Does a row find its counterpart in the other space? Read off rank counts; ties count in expectation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from relcli.accumulators.probe import Probe
from relcli.accumulators.ranks import RankCounts
from relcli.arrays import Floats, unit_rows
from relcli.measures.measure import PerQuery, Undefined, measure
from relcli.measures.special import harmonic

_TIES = "ties in expectation (McSherry & Najork 2008, doi:10.1007/978-3-540-78646-7_38)"
_INVARIANT = {"rotation", "scale"}


def _both(counts: RankCounts, value: object, *, median: bool = False, rate: bool = False) -> PerQuery:
    if not counts.gallery or not len(counts.greater["xy"]):
        raise Undefined("there is no query")
    forward, backward = (value(counts.greater[way], counts.level[way]) for way in ("xy", "yx"))  # type: ignore[operator]
    return PerQuery(forward, backward, median=median, rate=rate)


def _mrr_chance(counts: RankCounts) -> float:
    return float(harmonic(counts.gallery)) / counts.gallery


def _mrr_at_k_chance(counts: RankCounts, k: int) -> float:
    return float(harmonic(min(k, counts.gallery))) / counts.gallery


def _recall_chance(counts: RankCounts, k: int) -> float:
    return min(k / counts.gallery, 1.0)


def _median_chance(counts: RankCounts) -> float:
    return (counts.gallery + 1) / 2


@measure(
    "mrr",
    reads=RankCounts,
    range=(0, 1),
    higher_is_closer=True,
    chance=_mrr_chance,
    section="Retrieval",
    definition="mean of 1 / rank of the true counterpart among all rows of the other space, both directions",
    cite=f"Voorhees 1999, TREC-8 QA track; {_TIES}",
    invariant_to=_INVARIANT,
    same_width=True,
)
def mrr(counts: RankCounts) -> PerQuery:
    """Return the reciprocal rank of each query's counterpart, expected over ties."""
    return _both(counts, lambda greater, level: (harmonic(greater + level + 1) - harmonic(greater)) / (level + 1))


@measure(
    "mrr@k",
    reads=RankCounts,
    range=(0, 1),
    higher_is_closer=True,
    chance=_mrr_at_k_chance,
    section="Retrieval",
    definition="mean of 1 / rank of the true counterpart, 0 beyond rank k, both directions",
    cite=f"Moschella et al. 2023, arXiv:2209.15430, table 1; {_TIES}",
    invariant_to=_INVARIANT,
    same_width=True,
)
def mrr_at_k(counts: RankCounts, k: int) -> PerQuery:
    """Return the reciprocal rank of each query's counterpart, 0 beyond k, expected over ties."""
    return _both(
        counts,
        lambda greater, level: (
            (harmonic(np.minimum(greater + level + 1, k)) - harmonic(np.minimum(greater, k))) / (level + 1)
        ),
    )


@measure(
    "recall@k",
    reads=RankCounts,
    range=(0, 1),
    higher_is_closer=True,
    chance=_recall_chance,
    section="Retrieval",
    definition="share of rows whose true counterpart is among the k nearest of the other space, both directions",
    cite=f"Manning, Raghavan & Schütze 2008, ch. 8; {_TIES}",
    invariant_to=_INVARIANT,
    same_width=True,
)
def recall(counts: RankCounts, k: int) -> PerQuery:
    """Return the chance that each query's counterpart is among the first k, over ties."""
    return _both(counts, lambda greater, level: np.clip((k - greater) / (level + 1), 0.0, 1.0), rate=True)


@measure(
    "median-rank",
    reads=RankCounts,
    range=(1, None),
    higher_is_closer=False,
    chance=_median_chance,
    section="Retrieval",
    definition="median rank of the true counterpart among all rows of the other space, mean of both directions",
    cite=f"Karpathy & Fei-Fei 2015, arXiv:1412.2306; {_TIES}",
    invariant_to=_INVARIANT,
    same_width=True,
)
def median_rank(counts: RankCounts) -> PerQuery:
    """Return the rank of each query's counterpart, expected over ties; the score is their median."""
    return _both(counts, lambda greater, level: greater + 1 + level / 2, median=True)


def paired(units: Iterable[tuple[Floats, Floats]]) -> tuple[Floats, float]:
    """
    Return the cosine [q] of each unit row of x and of y, and the mean of those that are no pair: NaN for one alone.

    The rows come block by block, and none is kept.
    """
    cosines, sum_x, sum_y = [], [], []
    for x, y in units:
        cosines.append(np.einsum("ij,ij->i", x, y))
        sum_x.append(x.sum(axis=0))
        sum_y.append(y.sum(axis=0))
    found = np.concatenate(cosines)
    if len(found) < 2:
        return found, float("nan")
    total = float(np.sum(sum_x, axis=0) @ np.sum(sum_y, axis=0)) - float(found.sum())
    return found, total / (len(found) * (len(found) - 1))


def mismatched_mean(x: Floats, y: Floats) -> float:
    """Return the mean of x_i · y_j over i ≠ j, for x and y [q, d]; NaN for one pair, which has no other."""
    if len(x) < 2:
        return float("nan")
    total = float(x.sum(axis=0) @ y.sum(axis=0)) - float(np.einsum("ij,ij->", x, y))
    return total / (len(x) * (len(x) - 1))


def _cosines(probe: Probe) -> tuple[Floats, float]:
    pairs = probe.pairs
    if not len(pairs):
        raise Undefined("there is no query")
    if "cosines" not in probe.__dict__:
        blocks = row_blocks(len(pairs))
        probe.__dict__["cosines"] = paired((unit_rows(pairs.x[rows]), unit_rows(pairs.y[rows])) for rows in blocks)
    found: tuple[Floats, float] = probe.__dict__["cosines"]
    return found


def row_blocks(count: int) -> Iterator[slice]:
    """Yield slices of a thousand rows: copies of so few stay in the caches."""
    for start in range(0, count, 1024):
        yield slice(start, min(start + 1024, count))


def _cosine_chance(probe: Probe) -> float:
    return _cosines(probe)[1]


@measure(
    "cosine",
    reads=Probe,
    range=(-1, 1),
    higher_is_closer=True,
    chance=_cosine_chance,
    section="Retrieval",
    definition="mean cosine of a row with its counterpart; chance is the mean over mismatched pairs",
    cite="Moschella et al. 2023, arXiv:2209.15430, table 1",
    invariant_to=_INVARIANT,
    same_width=True,
)
def cosine(probe: Probe) -> PerQuery:
    """Return the cosine of each query with its counterpart."""
    return PerQuery(np.clip(_cosines(probe)[0], -1.0, 1.0))
