"""The nearest rows of each query, in its own space and in the other."""

from __future__ import annotations

from typing import Self

import numpy as np

from relcli.accumulators.accumulator import Context
from relcli.accumulators.tiles import Index, Scorable, Strip, row_slices, settle
from relcli.arrays import Floats
from relcli.spaces.pairing import PairedBatch

_GROUP = 32


class NearestLists:
    """
    The best k gallery rows of each of q queries: scores [q, k] falling, ranks [q, k], −1 where none is.

    Rows are ordered by falling score, then by rank: a total order, so lists merge without loss.
    """

    def __init__(self, queries: int, k: int) -> None:
        self.scores = np.full((queries, k), -np.inf)
        self.ranks = np.full((queries, k), -1, np.int64)

    def offer(self, query: Index, scores: Floats, ranks: Index) -> None:
        """Enter candidates [c]: query `query` scores `scores` with the row of rank `ranks`."""
        if not len(query):
            return
        k = self.scores.shape[1]
        touched = np.unique(query)
        owner = np.concatenate([np.repeat(touched, k), query])
        scores = np.concatenate([self.scores[touched].ravel(), scores])
        ranks = np.concatenate([self.ranks[touched].ravel(), ranks])
        order = np.lexsort((ranks, -scores, owner))
        owner = owner[order]
        place = _place_in_group(owner)
        best = order[place < k]
        self.scores[touched] = scores[best].reshape(-1, k)
        self.ranks[touched] = ranks[best].reshape(-1, k)

    def merge(self, other: NearestLists) -> None:
        """Enter all that another holds of the same queries."""
        query, column = np.nonzero(other.ranks >= 0)
        self.offer(query, other.scores[query, column], other.ranks[query, column])


def _place_in_group(owner: Index) -> Index:
    """Return the place of each entry among those of its owner; owners stand together."""
    starts = np.flatnonzero(np.concatenate([[True], owner[1:] != owner[:-1]]))
    lengths = np.diff(np.append(starts, len(owner)))
    return np.arange(len(owner)) - np.repeat(starts, lengths)


class NeighborLists:
    """
    The k nearest rows of each query by cosine: inside x and inside y, and across if the context says so.

    Inside a space the query itself is left out by rank, so copies of it stay; across, its own pair stays
    in (as in Moschella et al. 2023). Keeps 2·q·k scores and ranks, twice that with `cross`.
    """

    def __init__(self, context: Context, dx: int, dy: int) -> None:
        self.context, self.dx, self.dy = context, dx, dy
        self.gallery = 0
        sides = ("xx", "yy", "xy", "yx") if context.cross and dx == dy else ("xx", "yy")
        self.lists = {way: NearestLists(len(context.queries), context.k) for way in sides}

    @classmethod
    def empty(cls, context: Context, dx: int, dy: int) -> Self:
        return cls(context, dx, dy)

    def fresh(self) -> Self:
        return type(self)(self.context, self.dx, self.dy)

    def update(self, batch: PairedBatch) -> None:
        self.gallery += len(batch)
        queries = query_sides(self.context)
        gallery = gallery_sides(self.context, batch)
        own = own_columns(self.context, batch)
        for (a, b), lists in ((tuple(way), lists) for way, lists in self.lists.items()):
            _offer_nearest(
                lists,
                queries[a],
                gallery[b],
                batch.rank,
                centres=_centres(self.context, a, b),
                across=a != b,
                own=None if a != b else own,
            )

    def merge(self, other: Self) -> None:
        self.gallery += other.gallery
        for sides, lists in self.lists.items():
            lists.merge(other.lists[sides])


def query_sides(context: Context) -> dict[str, Scorable]:
    """Return the probe's two sides ready to be scored, made once per context."""
    kept = context.__dict__.get("_query_sides")
    if kept is None:
        kept = context.__dict__["_query_sides"] = gallery_sides(context, context.queries)
    return kept


def gallery_sides(context: Context, batch: PairedBatch) -> dict[str, Scorable]:
    """Return the two sides of a batch ready to be scored."""
    cx, cy = context.centres
    return {"x": Scorable(batch.x, cx, cy), "y": Scorable(batch.y, cy, cx)}


def _centres(context: Context, a: str, b: str) -> tuple[Floats, Floats]:
    centres = dict(zip("xy", context.centres, strict=True))
    return centres[a], centres[b]


def own_columns(context: Context, batch: PairedBatch) -> Index:
    """Return where in the batch each query's own pair stands [q], −1 where it is not in it."""
    order = np.argsort(batch.rank)
    ranks = context.queries.rank
    at = np.searchsorted(batch.rank, ranks, sorter=order).clip(max=len(order) - 1)
    column = order[at]
    return np.where(batch.rank[column] == ranks, column, -1)


def _offer_nearest(
    lists: NearestLists,
    queries: Scorable,
    gallery: Scorable,
    ranks: Index,
    *,
    centres: tuple[Floats, Floats],
    across: bool,
    own: Index | None,
) -> None:
    for rows in row_slices(len(queries.rows)):
        strip = Strip(queries, gallery, rows, *centres, across=across)
        skip = None if own is None else own[rows]
        query, column = _candidates(strip, lists.scores[rows] - strip.shift[:, None], skip)
        query += rows.start
        lists.offer(query, settle(queries, gallery, query, column), ranks[column])


def _candidates(strip: Strip, best: Floats, skip: Index | None) -> tuple[Index, Index]:
    """
    Return (query, column) of all that may be among the k best, given the `best` [rows, k] found before.

    Any that scores under the k-th best so far by more than twice the error bound cannot be.
    """
    k = best.shape[1]
    found: list[tuple[Index, Index, Floats]] = []
    for start, tile in strip.chunks():
        if skip is not None:
            inside = np.flatnonzero((skip >= start) & (skip < start + tile.shape[1]))
            tile[inside, skip[inside] - start] = -np.inf
        unfilled = np.isinf(best[:, 0] if k == 1 else best.min(axis=1)).any()
        if unfilled:
            best = _k_best(np.concatenate([best, _k_best(tile, k)], axis=1), k)
        query, column, scores = _passing(tile, _floor(best, strip.error))
        if not unfilled:
            best = _raised(best, query, scores)
        found.append((query, column + start, scores))
    query, column, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    keep = scores >= _floor(best, strip.error)[query]
    return query[keep], column[keep]


def _floor(best: Floats, error: Floats) -> np.ndarray:
    floor = best.min(axis=1) - 2 * error
    return np.nextafter(floor.astype(np.float32), np.float32(-np.inf))


def _k_best(scores: np.ndarray, k: int) -> np.ndarray:
    width = scores.shape[1]
    return scores if width <= k else np.partition(scores, width - k, axis=1)[:, width - k :]


def _passing(tile: np.ndarray, floor: np.ndarray) -> tuple[Index, Index, Floats]:
    """Return (row, column, score) of the entries that reach their row's floor."""
    height, width = tile.shape
    groups = width // _GROUP
    rows: list[Index] = []
    columns: list[Index] = []
    if groups:
        # the maxima of 32 strided columns at a time: most groups need no closer look
        grouped = tile[:, : groups * _GROUP].reshape(height, _GROUP, groups)
        row, group = np.nonzero(grouped.max(axis=1) >= floor[:, None])
        inside, member = np.nonzero(grouped[row, :, group] >= floor[row, None])
        rows.append(row[inside])
        columns.append(member * groups + group[inside])
    row, column = np.nonzero(tile[:, groups * _GROUP :] >= floor[:, None])
    rows.append(row)
    columns.append(column + groups * _GROUP)
    row, column = np.concatenate(rows), np.concatenate(columns)
    scores = tile[row, column].astype(np.float64)
    real = scores > -np.inf
    return row[real], column[real], scores[real]


def _raised(best: Floats, query: Index, scores: Floats) -> Floats:
    """Return the k best [rows, k] of those known and the newly found ones."""
    if not len(query):
        return best
    k = best.shape[1]
    order = np.lexsort((-scores, query))
    query, scores = query[order], scores[order]
    place = _place_in_group(query)
    kept = place < k
    new = np.full((len(best), int(place[kept].max()) + 1), -np.inf)
    new[query[kept], place[kept]] = scores[kept]
    return _k_best(np.concatenate([best, new], axis=1), k)
