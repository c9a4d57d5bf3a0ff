"""How many rows score above, and level with, each query's own pair in the other space."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from relcli.accumulators.accumulator import Context
from relcli.accumulators.neighbors import Sides, query_sides
from relcli.accumulators.tiles import TILE_COLUMNS, TILE_ROWS, Index, Scorable, Strip, row_slices, settle
from relcli.arrays import Floats
from relcli.spaces.pairing import PairedBatch

_BYTE = 255
assert TILE_ROWS % _BYTE == 0, "whole blocks of rows that a byte can count"
assert TILE_COLUMNS <= 8 * _BYTE, "a byte of each word counts a column in eight"


class RankCounts:
    """
    For each query, the gallery rows of the other space that score above and level with its own pair.

    `greater` and `level` hold counts [q] by direction, "xy" and "yx"; the own pair is left out by rank.
    Both spaces must have the same width. Every query must be among the pairs that stream by: a tile of
    two queries' scores then serves both directions. Keeps 4·q counts.
    """

    def __init__(self, context: Context, dx: int, dy: int) -> None:
        self.context, self.dx, self.dy = context, dx, dy
        self.gallery = 0
        count = len(context.queries) if dx == dy else 0
        self.greater = {way: np.zeros(count, np.int64) for way in ("xy", "yx")}
        self.level = {way: np.zeros(count, np.int64) for way in ("xy", "yx")}

    @classmethod
    def empty(cls, context: Context, dx: int, dy: int) -> Self:
        return cls(context, dx, dy)

    def fresh(self) -> Self:
        return type(self)(self.context, self.dx, self.dy)

    def update(self, batch: PairedBatch) -> None:
        self.gallery += len(batch)
        if self.dx != self.dy:
            return
        sides = Sides(self.context, batch)
        truth = own_scores(self.context)
        for rows in row_slices(len(truth)):
            self._count_inside(sides, truth, rows)
            for way in ("xy", "yx"):
                self._count_outside(sides, truth, rows, way)

    def only(self, queries: Index) -> Self:
        """Return the counts of some of the queries alone."""
        some = type(self)(self.context.only(queries), self.dx, self.dy)
        some.gallery = self.gallery
        for way in ("xy", "yx") if self.dx == self.dy else ():
            some.greater[way], some.level[way] = self.greater[way][queries], self.level[way][queries]
        return some

    def merge(self, other: Self) -> None:
        self.gallery += other.gallery
        for way in ("xy", "yx"):
            self.greater[way] += other.greater[way]
            self.level[way] += other.level[way]

    def _count_inside(self, sides: Sides, truth: Floats, rows: slice) -> None:
        """Count rows of x against columns of y that are queries too: x → y along rows, y → x down columns."""
        x, y, place = sides.queries["x"], sides.inside["y"], sides.place
        if not len(place):
            return
        strip = Strip(x, y, rows, across=True)
        offset = self.context.offset("xy")
        forward = Bounds(truth[rows] - offset, strip.row_error)
        backward = Bounds(truth[place] - offset, strip.column_error)
        own = np.arange(*np.searchsorted(place, (rows.start, rows.stop)))
        for columns, tile in strip.chunks():
            mine = own[(own >= columns.start) & (own < columns.stop)]
            tile[place[mine] - rows.start, mine - columns.start] = -np.inf
            sure, row, column = along_rows(tile, forward)
            self.greater["xy"][rows] += sure
            self._settle("xy", truth, x, y, row + rows.start, row + rows.start, column + columns.start)
            sure, row, column = _down_columns(tile, backward.part(columns))
            self.greater["yx"][place[columns]] += sure
            column += columns.start
            self._settle("yx", truth, x, y, place[column], row + rows.start, column)

    def _count_outside(self, sides: Sides, truth: Floats, rows: slice, way: str) -> None:
        """Count queries against rows that are none, one direction."""
        queries, gallery = sides.queries[way[0]], sides.outside[way[1]]
        if not len(gallery):
            return
        strip = Strip(queries, gallery, rows, across=True)
        bounds = Bounds(truth[rows] - self.context.offset(way), strip.row_error)
        for columns, tile in strip.chunks():
            sure, row, column = along_rows(tile, bounds)
            self.greater[way][rows] += sure
            self._settle(way, truth, queries, gallery, row + rows.start, row + rows.start, column + columns.start)

    def _settle(self, way: str, truth: Floats, a: Scorable, b: Scorable, query: Index, i: Index, j: Index) -> None:
        """Count for `query` the pairs (a_i, b_j) that the filter could not decide."""
        if not len(query):
            return
        scores = settle(a, b, i, j)
        own = truth[query]
        self.greater[way] += np.bincount(query[scores > own], minlength=len(truth))
        self.level[way] += np.bincount(query[scores == own], minlength=len(truth))


def own_scores(context: Context) -> Floats:
    """Return the cosine [q] of each query with its own pair, made once per context."""
    kept: Floats | None = context.__dict__.get("_own_scores")
    if kept is None:
        sides = query_sides(context)
        every = np.arange(len(sides["x"]))
        kept = context.__dict__["_own_scores"] = settle(sides["x"], sides["y"], every, every)
    return kept


class Bounds:
    """What a float32 score must exceed to be surely above the truth, and must reach to be perhaps level."""

    def __init__(self, truth: Floats, error: Floats) -> None:
        self.above = np.nextafter((truth + error).astype(np.float32), np.float32(np.inf))
        self.level = np.nextafter((truth - error).astype(np.float32), np.float32(-np.inf))

    def part(self, rows: slice) -> Bounds:
        taken = object.__new__(Bounds)
        taken.above, taken.level = self.above[rows], self.level[rows]
        return taken


def along_rows(tile: NDArray[np.float32], bounds: Bounds) -> tuple[Index, Index, Index]:
    """Return the counts [rows] surely above their row's truth, and (row, column) of the undecided."""
    sure = count_rows(tile > bounds.above[:, None])
    some = np.flatnonzero(count_rows(tile >= bounds.level[:, None]) > sure)
    near = tile[some]
    row, column = np.nonzero((near >= bounds.level[some, None]) & (near <= bounds.above[some, None]))
    return sure, some[row], column


def _down_columns(tile: NDArray[np.float32], bounds: Bounds) -> tuple[Index, Index, Index]:
    """Return the counts [columns] surely above their column's truth, and (row, column) of the undecided."""
    sure = count_columns(tile > bounds.above)
    some = np.flatnonzero(count_columns(tile >= bounds.level) > sure)
    near = tile[:, some]
    row, column = np.nonzero((near >= bounds.level[some]) & (near <= bounds.above[some]))
    return sure, row, some[column]


def count_rows(mask: NDArray[np.bool_]) -> Index:
    """Return how many of each row [n, w] are true, w up to 2,040."""
    height, width = mask.shape
    whole = width - width % 8
    counts = mask[:, whole:].sum(axis=1, dtype=np.int64)
    if whole:
        words = np.ascontiguousarray(mask[:, :whole]).view(np.uint64)
        counts += words.sum(axis=1).view(np.uint8).reshape(height, 8).sum(axis=1, dtype=np.int64)
    return counts


def count_columns(mask: NDArray[np.bool_]) -> Index:
    """Return how many of each column [n, w] are true."""
    counts = np.zeros(mask.shape[1], np.int64)
    for start in range(0, len(mask), _BYTE):
        counts += np.add.reduce(mask[start : start + _BYTE].view(np.uint8), axis=0, dtype=np.uint8)
    return counts
