"""The nearest rows of each query, in its own space and in the other."""

from __future__ import annotations

import threading
from typing import Self

import numpy as np

from relcli.accumulators.accumulator import Context
from relcli.accumulators.tiles import Index, Scorable, Strip, row_slices, settle
from relcli.arrays import GRID, Floats
from relcli.spaces.pairing import PairedBatch

_GROUP = 8
_NONE = np.zeros(0, np.int64)
_MAKING = threading.Lock()


class NearestLists:
    """
    The best k gallery rows of each of q queries: scores [q, k] falling, ranks [q, k], −1 where none is.

    Rows are ordered by falling score, then by rank: a total order, so lists merge without loss.
    """

    def __init__(self, queries: int, k: int) -> None:
        self.scores = np.full((queries, k), -np.inf)
        self.ranks = np.full((queries, k), -1, np.int64)

    def offer(self, query: Index, scores: Floats, ranks: Index) -> None:
        """Enter candidates [c]: the row of rank `ranks` scores `scores` with query `query`."""
        if not len(query):
            return
        k = self.scores.shape[1]
        touched = np.unique(query)
        owner = np.concatenate([np.repeat(touched, k), query])
        scores = np.concatenate([self.scores[touched].ravel(), scores])
        ranks = np.concatenate([self.ranks[touched].ravel(), ranks])
        order = _falling(owner, scores, ranks)
        best = order[_place_in_group(owner[order]) < k]
        self.scores[touched] = scores[best].reshape(-1, k)
        self.ranks[touched] = ranks[best].reshape(-1, k)

    def merge(self, other: NearestLists) -> None:
        """Enter all that another holds of the same queries."""
        query, column = np.nonzero(other.ranks >= 0)
        self.offer(query, other.scores[query, column], other.ranks[query, column])


def _falling(owner: Index, scores: Floats, ranks: Index | None = None) -> Index:
    """Return the order by owner, then by falling score, then by rank where ranks are given."""
    # one vectorised sort of whole numbers instead of two or three stable ones
    steps = np.where(scores == -np.inf, 2.0, -scores) / GRID
    key = (owner << 43) + (np.rint(steps).astype(np.int64) + (1 << 41))
    if not len(owner) or owner.max() >= 1 << 20:
        return np.lexsort((key if ranks is None else ranks, -scores, owner))
    order = np.argsort(key)
    if ranks is None:
        return order
    ordered = key[order]
    level = ordered[1:] == ordered[:-1]
    if level.any():
        tied = np.flatnonzero(np.concatenate([level, [False]]) | np.concatenate([[False], level]))
        order[tied] = order[tied][np.lexsort((ranks[order[tied]], ordered[tied]))]
    return order


def _place_in_group(owner: Index) -> Index:
    """Return the place of each entry among those of its owner; owners stand together."""
    starts = np.flatnonzero(np.concatenate([[True], owner[1:] != owner[:-1]]))
    lengths = np.diff(np.append(starts, len(owner)))
    return np.arange(len(owner)) - np.repeat(starts, lengths)


class Sides:
    """
    A batch as queries see it: its rows that are queries themselves, and the others.

    `place` [c] are the queries, in order, whose own pairs are in the batch; `inside` holds their rows by
    side; `outside` the rows of all other pairs, with their `ranks`.
    """

    def __init__(self, context: Context, batch: PairedBatch) -> None:
        self.queries = query_sides(context)
        known = context.queries.rank
        at = np.searchsorted(known, batch.rank).clip(max=len(known) - 1)
        is_query = known[at] == batch.rank
        self.place = np.sort(at[is_query])
        # the same rows to the bit: a projection gives a row the same numbers in every batch
        self.inside = {side: rows.take(self.place) for side, rows in self.queries.items()}
        others = batch.take(~is_query)
        self.ranks = others.rank
        self.outside = _scorable(context, others)


def _scorable(context: Context, batch: PairedBatch) -> dict[str, Scorable]:
    x, y = context.centres
    return {"x": Scorable(batch.x, x, y), "y": Scorable(batch.y, y, x)}


def query_sides(context: Context) -> dict[str, Scorable]:
    """Return the probe's two sides ready to be scored, made once per context."""
    with _MAKING:
        kept: dict[str, Scorable] | None = context.__dict__.get("_query_sides")
        if kept is None:
            kept = context.__dict__["_query_sides"] = _scorable(context, context.queries)
    return kept


class NeighborLists:
    """
    The k nearest rows of each query by cosine: inside x and inside y, and across if the context says so.

    Inside a space the query itself is left out by rank, so copies of it stay; across, its own pair stays
    in (as in Moschella et al. 2023). Every query must be among the pairs that stream by: a tile of two
    queries' scores then serves both. A space streamed alone (dy = 0) has lists inside x only. Keeps 2·q·k
    scores and ranks, twice that with `cross`.
    """

    def __init__(self, context: Context, dx: int, dy: int) -> None:
        self.context, self.dx, self.dy = context, dx, dy
        self.gallery = 0
        ways = ("xx", "yy", "xy", "yx") if context.cross and dx == dy else ("xx", "yy") if dy else ("xx",)
        self.lists = {way: NearestLists(len(context.queries), context.k) for way in ways}

    @classmethod
    def empty(cls, context: Context, dx: int, dy: int) -> Self:
        return cls(context, dx, dy)

    def fresh(self) -> Self:
        return type(self)(self.context, self.dx, self.dy)

    def update(self, batch: PairedBatch) -> None:
        self.gallery += len(batch)
        sides = Sides(self.context, batch)
        own_ranks = self.context.queries.rank
        for way, lists in self.lists.items():
            queries, inside, outside = sides.queries[way[0]], sides.inside[way[1]], sides.outside[way[1]]
            offset = self.context.offset(way)
            if way[0] == way[1]:
                _offer_both_ways(lists, queries, inside, sides.place, own_ranks, offset)
            else:
                _offer_rows(lists, queries, inside, own_ranks[sides.place], offset, across=True)
            _offer_rows(lists, queries, outside, sides.ranks, offset, across=way[0] != way[1])

    def only(self, queries: Index) -> Self:
        """Return the lists of some of the queries alone."""
        some = type(self)(self.context.only(queries), self.dx, self.dy)
        some.gallery = self.gallery
        for way, lists in self.lists.items():
            some.lists[way].scores, some.lists[way].ranks = lists.scores[queries], lists.ranks[queries]
        return some

    def merge(self, other: Self) -> None:
        self.gallery += other.gallery
        for way, lists in self.lists.items():
            lists.merge(other.lists[way])


def _offer_rows(
    lists: NearestLists, queries: Scorable, gallery: Scorable, ranks: Index, offset: float, *, across: bool
) -> None:
    """Enter the gallery's rows in the lists of all queries."""
    if not len(gallery):
        return
    for rows in row_slices(len(queries)):
        strip = Strip(queries, gallery, rows, across=across)
        best = Best(lists.scores[rows] - offset)
        for columns, tile in strip.chunks():
            best.take(tile, strip.row_error, columns.start)
        query, column = best.survivors(strip.row_error)
        query += rows.start
        lists.offer(query, settle(queries, gallery, query, column), ranks[column])


def _offer_both_ways(
    lists: NearestLists, queries: Scorable, gallery: Scorable, place: Index, ranks: Index, offset: float
) -> None:
    """
    Enter queries `place` in the lists of all queries, each pair of slices scored once.

    A column that stands beyond the slice of rows takes those rows into its own list as well, and
    that slice is not scored again when the column's turn to be a row comes.
    """
    if not len(gallery):
        return
    waiting = Best(lists.scores[place] - offset)
    error = np.zeros(len(place))
    for rows in row_slices(len(queries)):
        first, beyond = np.searchsorted(place, (rows.start, rows.stop))
        if first == len(place):
            break
        strip = Strip(queries, gallery, rows, across=False)
        error = np.maximum(error, strip.column_error)
        known = lists.scores[rows] - offset
        known[place[first:beyond] - rows.start] = waiting.scores[first:beyond]
        best = Best(known)
        for columns, tile in strip.chunks(first):
            own = np.arange(columns.start, min(columns.stop, beyond))
            tile[place[own] - rows.start, own - columns.start] = -np.inf
            best.take(tile, strip.row_error, columns.start)
            later = max(columns.start, beyond)
            if later < columns.stop:
                part = tile[:, later - columns.start :]
                waiting.take_columns(part, error[later : columns.stop], slice(later, columns.stop), rows.start)
        query, column = best.survivors(strip.row_error)
        query += rows.start
        lists.offer(query, settle(queries, gallery, query, column), ranks[place[column]])
    mine, found = waiting.survivors(error)
    lists.offer(place[mine], settle(gallery, queries, mine, found), ranks[found])


class Best:
    """
    The k best float32 scores of some rows so far, and all that may still be among the true k best.

    Whatever scores below the k-th best by more than twice the error bound is left out for good.
    """

    def __init__(self, scores: Floats) -> None:
        self.scores = scores
        self._found: list[tuple[Index, Index, Floats]] = []

    def take(self, tile: np.ndarray, error: Floats, start: int) -> None:
        """Take in scores [rows, w] of the columns from `start` on."""
        raised = self._fill(slice(None), tile)
        row, column = _passing(tile, _floor(self.scores, error))
        scores = tile[row, column].astype(np.float64)
        if not raised:
            self._raise(row, scores)
        self._found.append((row, column + start, scores))

    def take_columns(self, tile: np.ndarray, error: Floats, mine: slice, start: int) -> None:
        """Take in scores [c, rows] of which columns are the rows `mine` here, and rows columns from `start` on."""
        raised = self._fill(mine, tile.T)
        column, row = _passing_columns(tile, _floor(self.scores[mine], error))
        scores = tile[column, row].astype(np.float64)
        row += mine.start
        if not raised:
            self._raise(row, scores)
        self._found.append((row, column + start, scores))

    def survivors(self, error: Floats) -> tuple[Index, Index]:
        """Return (row, column) of all that may be among the k best."""
        row, column, scores = (np.concatenate(part) for part in zip(*self._found, (_NONE, _NONE, _NONE), strict=True))
        keep = scores >= _floor(self.scores, error)[row]
        return row[keep], column[keep]

    def _fill(self, rows: slice, tile: np.ndarray) -> bool:
        """Where a row's list is not full yet, let all of the tile's scores in; return whether that was so."""
        if not np.isinf(self.scores[rows].min(axis=1, initial=np.inf)).any():
            return False
        k = self.scores.shape[1]
        tile = np.ascontiguousarray(tile)
        self.scores[rows] = _k_best(np.concatenate([self.scores[rows], _k_best(tile, k)], axis=1), k)
        return True

    def _raise(self, row: Index, scores: Floats) -> None:
        """Let newly found scores in."""
        if not len(row):
            return
        k = self.scores.shape[1]
        order = _falling(row, scores)
        row, scores = row[order], scores[order]
        place = _place_in_group(row)
        touched, owner = np.unique(row, return_inverse=True)
        kept = place < k
        new = np.full((len(touched), int(place[kept].max()) + 1), -np.inf)
        new[owner[kept], place[kept]] = scores[kept]
        self.scores[touched] = _k_best(np.concatenate([self.scores[touched], new], axis=1), k)


def _floor(best: Floats, error: Floats) -> np.ndarray:
    # two errors down: that of the k-th best and that of the candidate
    floor = (best.min(axis=1) - 2 * error).astype(np.float32)
    return np.maximum(np.nextafter(floor, np.float32(-np.inf)), np.finfo(np.float32).min)


def _k_best(scores: np.ndarray, k: int) -> np.ndarray:
    width = scores.shape[1]
    return scores if width <= k else np.partition(scores, width - k, axis=1)[:, width - k :]


def _passing(tile: np.ndarray, floor: np.ndarray) -> tuple[Index, Index]:
    """Return (row, column) of the entries of tile [n, w] that reach their row's floor [n]."""
    groups = tile.shape[1] // _GROUP
    row, group = np.nonzero(_folded(tile[:, : groups * _GROUP], axis=1) >= floor[:, None])
    grouped = tile[:, : groups * _GROUP].reshape(len(tile), _GROUP, groups)
    inside, member = np.nonzero(grouped[row, :, group] >= floor[row, None])
    last_row, last_column = np.nonzero(tile[:, groups * _GROUP :] >= floor[:, None])
    return (
        np.concatenate([row[inside], last_row]),
        np.concatenate([member * groups + group[inside], last_column + groups * _GROUP]),
    )


def _passing_columns(tile: np.ndarray, floor: np.ndarray) -> tuple[Index, Index]:
    """Return (row, column) of the entries of tile [n, w] that reach their column's floor [w]."""
    groups = len(tile) // _GROUP
    group, column = np.nonzero(_folded(tile[: groups * _GROUP], axis=0) >= floor)
    grouped = tile[: groups * _GROUP].reshape(_GROUP, groups, tile.shape[1])
    inside, member = np.nonzero(floor[column, None] <= grouped[:, group, column].T)
    last_row, last_column = np.nonzero(tile[groups * _GROUP :] >= floor)
    return (
        np.concatenate([member * groups + group[inside], last_row + groups * _GROUP]),
        np.concatenate([column[inside], last_column]),
    )


def _folded(tile: np.ndarray, *, axis: int) -> np.ndarray:
    """Return the maxima of eight strided rows or columns at a time: most groups need no closer look."""
    for _ in range(3):
        half = tile.shape[axis] // 2
        low, high = (tile[:half], tile[half:]) if axis == 0 else (tile[:, :half], tile[:, half:])
        tile = np.maximum(low, high)
    return tile
