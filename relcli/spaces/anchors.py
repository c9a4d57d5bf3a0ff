"""The samples that two spaces share as their frame of reference: found by id or chosen, and checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from relcli.arrays import ExactProduct, Floats, on_grid, one_blas_thread, row_norms, unit_rows
from relcli.errors import AnchorError, IdError, UsageError, counted, did_you_mean, first_few
from relcli.spaces.pairing import Ids, Index, Mask, PairedSpaces, hash_ids, refuse_one_sided, slice_if_consecutive
from relcli.spaces.space import Space

#: Anchor Grams with a larger condition number amplify noise beyond what float32 vectors carry.
ILL_CONDITIONED = 1e7

#: Rows of a batch when all are looked through, and rows kept at hand as the next that may be farthest.
_BATCH, _SHORTLIST = 4096, 4096

#: Rows that k-means sees: those with the smallest hashed ids where there are more.
KMEANS_ROWS = 20_000


@dataclass(frozen=True)
class Anchors:
    """
    Anchor vectors x [a, dx] and y [a, dy] of the same samples, with their ids on each side.

    `x_ids` and `y_ids` differ where a table of pairs named them. Keeps a·(dx + dy) float64 numbers.
    """

    x_ids: Ids
    y_ids: Ids
    x: Floats
    y: Floats
    strategy: str
    seed: int | None = None
    missing: int = 0

    def __len__(self) -> int:
        return len(self.x_ids)


@dataclass(frozen=True)
class AnchorList:
    """Anchors asked for by id: `x_ids` [a] and `y_ids` [a], and where the list came from."""

    x_ids: Ids
    y_ids: Ids
    source: str

    def side(self, side: str) -> Ids:
        """Return the ids of x, or of y."""
        return self.x_ids if side == "x" else self.y_ids

    def check_sides(self, x: Space, y: Space) -> None:
        """Raise a JoinError where ids that are to be those of both sides would be looked up among row numbers."""
        if np.array_equal(self.x_ids, self.y_ids):
            refuse_one_sided(x, y)


@dataclass(frozen=True)
class AnchorChoice:
    """Anchors to be chosen: how, how many, and for strata the labels, as ids of x [n] and a label of each [n]."""

    strategy: str
    count: int
    labels: tuple[Ids, Ids] | None = None


@dataclass(frozen=True)
class AnchorQuality:
    """How well one side's anchors span its space: rank and condition of the cosine Gram, mean cosine."""

    rank: int
    condition: float | None
    mean_cosine: float


def anchor_quality(vectors: Floats) -> AnchorQuality:
    """
    Return rank, condition number and mean off-diagonal cosine of the Gram matrix of unit anchors [a, d].

    The condition number is over the non-zero eigenvalues when a > d. A mean cosine near 1 is a
    "similarity collapse": every sample looks alike to every anchor.
    """
    unit = unit_rows(vectors)
    singular = np.linalg.svd(unit, compute_uv=False)
    threshold = singular[0] * max(unit.shape) * np.finfo(np.float64).eps
    rank = int((singular > threshold).sum())
    count = len(unit)
    total = float(np.sum(unit.sum(axis=0) ** 2))
    return AnchorQuality(
        rank=rank,
        condition=float((singular[0] / singular[rank - 1]) ** 2) if rank else None,
        mean_cosine=(total - count) / (count * (count - 1)),
    )


def quality_facts(anchors: Anchors) -> dict[str, float | None]:
    """Return the quality of both sides' anchors, as a report tells it."""
    facts: dict[str, float | None] = {}
    for side, vectors in (("x", anchors.x), ("y", anchors.y)):
        quality = anchor_quality(vectors)
        facts[f"rank_{side}"] = quality.rank
        facts[f"condition_{side}"] = quality.condition
        facts[f"mean_cosine_{side}"] = quality.mean_cosine
    return facts


def find_anchors(pair: PairedSpaces, x_ids: Ids, y_ids: Ids, *, missing: Literal["error", "drop"] = "error") -> Anchors:
    """Return the anchors with these ids, in their order; each must stand in its own space, once."""
    for side, ids in (("x", x_ids), ("y", y_ids)):
        values, counts = np.unique(ids, return_counts=True)
        again = values[counts > 1]
        if len(again):
            raise AnchorError(
                f"{counted(len(again), 'anchor stands', 'anchors stand')} more than once on the {side} side: "
                f"{first_few(list(again))}. List each anchor once."
            )
    rows_x, rows_y = rows_of(pair.x, x_ids), rows_of(pair.y, y_ids)
    found = (rows_x >= 0) & (rows_y >= 0)
    if not found.all():
        if missing == "error":
            _refuse_missing(pair, x_ids[rows_x < 0], y_ids[rows_y < 0], len(x_ids))
        x_ids, y_ids, rows_x, rows_y = x_ids[found], y_ids[found], rows_x[found], rows_y[found]
    return _checked(
        Anchors(
            x_ids,
            y_ids,
            pair.x.read(rows_x),
            pair.y.read(rows_y),
            strategy="listed",
            missing=int((~found).sum()),
        ),
        pair,
    )


def rows_of(space: Space, ids: Ids) -> Index:
    """Return the row of the space that holds each id, the first where it repeats, and -1 where none does."""
    order = np.argsort(space.ids, kind="stable")
    at = np.searchsorted(space.ids, ids, sorter=order).clip(max=len(order) - 1)
    rows = order[at]
    return np.where(space.ids[rows] == ids, rows, -1)


def _refuse_missing(pair: PairedSpaces, not_in_x: Ids, not_in_y: Ids, count: int) -> None:
    sides = [
        f"{len(ids):,} of {count:,} are not in {space.name} ({first_few(list(ids))})"
        for space, ids in ((pair.x, not_in_x), (pair.y, not_in_y))
        if len(ids)
    ]
    raise AnchorError(
        f"Anchors are missing: {'; '.join(sides)}. Remove them from the list, or pass --missing-anchors drop."
    )


def _checked(anchors: Anchors, pair: PairedSpaces) -> Anchors:
    if len(anchors) < 2:
        raise AnchorError(
            f"{len(anchors)} anchor{'s' if not len(anchors) else ''} left, and a relative representation needs "
            "at least 2. List more anchors that both spaces hold."
        )
    for space, ids, vectors in ((pair.x, anchors.x_ids, anchors.x), (pair.y, anchors.y_ids, anchors.y)):
        norms = row_norms(vectors)
        bad = ~np.isfinite(norms) | (norms == 0)
        if bad.any():
            raise AnchorError(
                f"{counted(int(bad.sum()), 'anchor is', 'anchors are')} zero or not finite in {space.name}: "
                f"{first_few(list(ids[bad]))}. Choose anchors with a direction."
            )
    return anchors


Chooser = Callable[[PairedSpaces, int, int, Ids | None], Index]


def _by_hash(pair: PairedSpaces, seed: int) -> Index:
    # by hashed id, so that the same ids are drawn whatever the order of the rows; ids that collide go by rank
    return np.lexsort((pair.rank, hash_ids(pair.ids, seed=seed + 0x5EED)))


def _uniform(pair: PairedSpaces, count: int, seed: int, _labels: Ids | None) -> Index:
    """Return rows drawn at random, all alike."""
    return _by_hash(pair, seed)[:count]


def _first(pair: PairedSpaces, count: int, _seed: int, _labels: Ids | None) -> Index:
    """Return the first rows in the order of x's file: the most frequent where it is sorted by frequency."""
    return np.arange(count)


def _farthest(pair: PairedSpaces, count: int, seed: int, _labels: Ids | None) -> Index:
    """
    Return rows far apart: each next one has the smallest cosine in x with its nearest before it.

    x alone decides. Starts from the first row that `uniform` would draw.
    """
    return farthest_points(lambda rows: _read_x(pair, rows), pair.rank, count, start=int(_by_hash(pair, seed)[0]))


def _kmeans(pair: PairedSpaces, count: int, seed: int, _labels: Ids | None) -> Index:
    """Return the row nearest to each centre of k-means over unit rows of x, all distinct."""
    import warnings

    from sklearn.cluster import MiniBatchKMeans

    rows = _by_hash(pair, seed)[: max(KMEANS_ROWS, 4 * count)]
    rows = rows[np.argsort(pair.rank[rows])]
    with one_blas_thread():  # threads add up a centre in any order
        unit = unit_rows(_read_x(pair, rows))
        model = MiniBatchKMeans(count, random_state=seed, batch_size=max(1024, 2 * count), n_init=1)
        with warnings.catch_warnings():
            # where rows repeat there are fewer centres than asked for, and the nearest distinct rows still do
            warnings.simplefilter("ignore")
            model.fit(unit)
        cosines = on_grid(unit @ unit_rows(model.cluster_centers_).T)
    free = np.ones(len(rows), bool)
    for centre in range(count):
        # among equals the one of the smallest rank, as the rows are in that order
        free[np.argmax(np.where(free, cosines[:, centre], -np.inf))] = False
    return rows[~free]


def _stratified(pair: PairedSpaces, count: int, seed: int, labels: Ids | None) -> Index:
    """Return rows of every label in proportion to its rows, by largest remainder; drawn at random within."""
    if labels is None:
        raise UsageError(
            "Stratified anchors need the label of each row: choose them with relcli anchors choose --labels FILE."
        )
    names, stratum = np.unique(labels, return_inverse=True)
    drawn = _by_hash(pair, seed)
    parts = [drawn[stratum[drawn] == number] for number in range(len(names))]
    shares = proportional_shares([len(part) for part in parts], count)
    return np.concatenate([part[:share] for part, share in zip(parts, shares, strict=True)])


#: Every strategy: its name, and what gives the rows among the pairs for a count, a seed and the pairs' labels.
STRATEGIES: dict[str, Chooser] = {
    "uniform": _uniform,
    "farthest": _farthest,
    "kmeans": _kmeans,
    "first": _first,
    "stratified": _stratified,
}


def _read_x(pair: PairedSpaces, rows: slice | Index) -> Floats:
    return pair.x.read(slice_if_consecutive(pair.rows_x[rows]))


def farthest_points(read: Callable[[slice | Index], Floats], rank: Index, count: int, *, start: int) -> Index:
    """
    Return `count` rows far apart in cosine distance, in the order found: farthest-point sampling from `start`.

    `read(rows)` gives vectors [b, d]; equal distances go by `rank` [n]. All rows are read once for a few
    anchors at a time: while the farthest of a shortlist is farther than every row beside it ever was, it
    is the farthest of all. O(n·count·d) operations; keeps n numbers, the shortlist and one batch.
    """
    n = len(rank)
    nearest = np.full(n, -np.inf)
    chosen, fresh = [start], unit_rows(read(np.array([start])))
    while True:
        product = ExactProduct(fresh)
        for begin in range(0, n, _BATCH):
            rows = slice(begin, min(begin + _BATCH, n))
            cosines = on_grid(product(unit_rows(read(rows)))).max(axis=1)
            nearest[rows] = np.maximum(nearest[rows], cosines)
        nearest[chosen] = np.inf
        order = np.lexsort((rank, nearest))
        beyond = nearest[order[_SHORTLIST]] if n > _SHORTLIST else np.inf
        shortlist = np.sort(order[:_SHORTLIST])
        found = _farthest_of(
            unit_rows(read(shortlist)), nearest[shortlist], rank[shortlist], beyond, count - len(chosen)
        )
        chosen += shortlist[found].tolist()
        if len(chosen) == count:
            return np.array(chosen)
        fresh = unit_rows(read(shortlist[found]))


def _farthest_of(unit: Floats, nearest: Floats, rank: Index, beyond: float, count: int) -> list[int]:
    """Return up to `count` rows of a shortlist, as long as each is surely farther than any row `beyond` it."""
    product = ExactProduct(unit)
    found: list[int] = []
    while len(found) < count:
        level = np.flatnonzero(nearest == nearest.min())
        best = int(level[np.argmin(rank[level])])
        # the first stands at the head of all rows, whatever is beyond
        if found and not nearest[best] < beyond:
            break
        found.append(best)
        nearest = np.maximum(nearest, on_grid(product(unit[best : best + 1]))[0])
        nearest[found] = np.inf
    return found


def proportional_shares(sizes: Sequence[int], count: int) -> list[int]:
    """Return how many of `count` go to each part: in proportion to its size, by largest remainder, then by order."""
    total = sum(sizes)
    shares = [size * count // total for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda part: -(sizes[part] * count % total))
    for part in by_remainder[: count - sum(shares)]:
        shares[part] += 1
    return shares


def known_labels(pair: PairedSpaces, labels: tuple[Ids, Ids]) -> tuple[Ids, Mask]:
    """Return the label of each pair, by the id in x, and whether it has one; none may have several."""
    ids, values = labels
    if not len(ids):
        return np.zeros(len(pair), values.dtype), np.zeros(len(pair), bool)
    order = np.argsort(ids, kind="stable")
    again = ids[order][1:] == ids[order][:-1]
    if again.any():
        repeated = list(dict.fromkeys(ids[order][1:][again].tolist()))
        raise IdError(f"{len(repeated):,} ids have several labels: {first_few(repeated)}. Give each one.")
    at = order[np.searchsorted(ids, pair.ids, sorter=order).clip(max=len(order) - 1)]
    return values[at], ids[at] == pair.ids


def labels_of(pair: PairedSpaces, labels: tuple[Ids, Ids]) -> Ids:
    """Return the label of each pair, by the id in x; each must have one, and only one."""
    values, known = known_labels(pair, labels)
    without = ~known
    if without.any():
        raise IdError(
            f"{int(without.sum()):,} of {len(pair):,} rows have no label: {first_few(list(pair.ids[without]))}. "
            "Label them, or take another strategy."
        )
    return values


def parse_choice(text: str) -> AnchorChoice | None:
    """Return what a text such as "uniform:300" asks for, or None where it is not of that form."""
    strategy, colon, count = text.partition(":")
    if not colon or not count.isdigit():
        return None
    check_strategy(strategy)
    return AnchorChoice(strategy, int(count))


def check_strategy(strategy: str) -> None:
    """Raise UsageError unless there is such a strategy."""
    if strategy not in STRATEGIES:
        raise UsageError(
            f"No anchor strategy is called {strategy!r}; there are {', '.join(STRATEGIES)}."
            f"{did_you_mean(strategy, STRATEGIES)}"
        )


def settle_anchors(
    pair: PairedSpaces,
    wanted: AnchorList | AnchorChoice,
    *,
    missing: Literal["error", "drop"] = "error",
    seed: int = 0,
) -> Anchors:
    """Return the anchors that were listed or are to be chosen, checked."""
    if isinstance(wanted, AnchorChoice):
        return choose_anchors(pair, wanted.strategy, wanted.count, seed=seed, labels=wanted.labels)
    wanted.check_sides(pair.x, pair.y)
    return find_anchors(pair, wanted.x_ids, wanted.y_ids, missing=missing)


def choose_anchors(
    pair: PairedSpaces, strategy: str, count: int, *, seed: int = 0, labels: tuple[Ids, Ids] | None = None
) -> Anchors:
    """
    Return `count` anchors chosen among the pairs, in order of their ids.

    The same for the same seed whatever the order of the rows, `first` excepted. `labels` are ids of x
    with a label each.
    """
    check_strategy(strategy)
    if not 2 <= count < len(pair):
        raise AnchorError(
            f"{count:,} anchors cannot be chosen from {len(pair):,} shared pairs: ask for 2 to {len(pair) - 1:,}."
        )
    rows = STRATEGIES[strategy](pair, count, seed, None if labels is None else labels_of(pair, labels))
    # in order of id: the columns of the relative space must not depend on the order of the rows
    rows = rows[np.argsort(pair.rank[rows])]
    batch = pair.batch(rows)
    y_ids = pair.y.ids[pair.rows_y[rows]]
    return _checked(Anchors(pair.ids[rows], y_ids, batch.x, batch.y, strategy=strategy, seed=seed), pair)
