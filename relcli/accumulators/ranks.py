"""How many rows score above, and level with, each query's own pair in the other space."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np

from relcli.accumulators.accumulator import Context
from relcli.accumulators.sides import Sides
from relcli.accumulators.standing import Standing, standing
from relcli.accumulators.tiles import Board, Scorable, Strip, meeting, row_slices, settle
from relcli.arrays import Floats
from relcli.kernels.kernel import Index, Kernel
from relcli.spaces.pairing import PairedBatch


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
        sides = Sides.of(self.context, batch)
        if len(sides.place):
            self._count_inside(sides)
        for way in ("xy", "yx") if len(sides.ranks) else ():
            self._count_outside(sides, way)

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

    def _count_inside(self, sides: Sides) -> None:
        """Count rows of x against columns of y that are queries too: x → y along rows, y → x down columns."""
        queries = sides.queries
        depth, order, easy = queries.ranking
        here = np.zeros(len(queries), bool)
        here[sides.place] = True
        columns, easy_columns = order[here[order]], int(here[order[:easy]].sum())
        mark = queries.truth - self.context.offset("xy")
        boards = _Boards(queries.sides["y"].take(columns), depth, easy_columns, queries.kernel)
        for rows, is_easy in _easy_first(len(order), easy):
            numbers = order[rows]
            for start, board in boards.of(is_easy):
                strip = Strip(queries.sides["x"], board, numbers)
                for tile in strip.tiles():
                    back = columns[start:][tile.columns]
                    tile.hide(*meeting(numbers, back))
                    along, down = standing(strip, tile, mark[numbers], mark[back])
                    self._enter("xy", numbers, along, numbers[along.row], back[along.column], sides)
                    assert down is not None
                    self._enter("yx", back, down, back[down.column], numbers[down.row], sides)

    def _count_outside(self, sides: Sides, way: str) -> None:
        """Count queries against rows that are none, one direction."""
        queries, gallery = sides.queries, sides.outside(way[1])
        depth, order, easy = queries.ranking
        mark = queries.truth - self.context.offset(way)
        boards = _Boards(gallery, depth, len(gallery), queries.kernel)
        for rows, is_easy in _easy_first(len(order), easy):
            numbers = order[rows]
            for _, board in boards.of(is_easy):
                strip = Strip(queries.sides[way[0]], board, numbers)
                for tile in strip.tiles():
                    along, _ = standing(strip, tile, mark[numbers])
                    self.greater[way][numbers] += along.above
                    query, row = numbers[along.row], along.column + tile.columns.start
                    self._settle(way, query, settle(queries.sides[way[0]], gallery, query, row), queries.truth)

    def _enter(self, way: str, lines: Index, found: Standing, query: Index, other: Index, sides: Sides) -> None:
        """Count what is above, and settle the pairs of a query with another's row that are undecided."""
        queries, side = sides.queries, way[1]
        self.greater[way][lines] += found.above
        if not len(query):
            return
        # a copy of the query's own row is level with it, whatever that scores
        copies = queries.copies[side]
        same = copies[query] == copies[other]
        self.level[way] += np.bincount(query[same], minlength=len(queries))
        query, other = query[~same], other[~same]
        self._settle(way, query, settle(queries.sides[way[0]], queries.sides[side], query, other), queries.truth)

    def _settle(self, way: str, query: Index, scores: Floats, truth: Floats) -> None:
        """Count settled scores of queries against their own."""
        own = truth[query]
        self.greater[way] += np.bincount(query[scores > own], minlength=len(truth))
        self.level[way] += np.bincount(query[scores == own], minlength=len(truth))


class _Boards:
    """A gallery, the first `easy` rows of it by a kernel at a depth, for easy rows; and all of it whole, for others."""

    def __init__(self, gallery: Scorable, depth: int, easy: int, kernel: Kernel) -> None:
        ends = [(0, Board(gallery.take(slice(0, easy)), across=True, depth=depth, kernel=kernel))] if easy else []
        if easy < len(gallery):
            ends.append((easy, Board(gallery.take(slice(easy, None)), across=True)))
        self._ends, self._whole = ends, [(0, Board(gallery, across=True))]

    def of(self, easy: bool) -> list[tuple[int, Board]]:
        """Return the boards for rows of one kind, and where each starts."""
        return self._ends if easy else self._whole


def _easy_first(count: int, easy: int) -> Iterator[tuple[slice, bool]]:
    """Yield the slices of so many rows, and whether these are among the first, easy ones."""
    for rows in row_slices(easy):
        yield rows, True
    for rows in row_slices(count - easy):
        yield slice(easy + rows.start, easy + rows.stop), False
