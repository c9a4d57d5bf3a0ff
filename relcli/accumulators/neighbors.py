"""The nearest rows of each query, in its own space and in the other."""

from __future__ import annotations

from typing import Self

import numpy as np

from relcli.accumulators.accumulator import Context
from relcli.accumulators.entering import Entering, NearestLists, Settling, Taking
from relcli.accumulators.sides import Queries, Sides, least_of_copies
from relcli.accumulators.tiles import Board, Scorable, Strip, meeting, row_slices
from relcli.kernels.kernel import Index
from relcli.spaces.pairing import PairedBatch

__all__ = ["NearestLists", "NeighborLists"]


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
        sides = Sides.of(self.context, batch)
        for way, lists in self.lists.items():
            if len(sides.place):
                if way[0] == way[1]:
                    self._enter_inside(lists, sides, way)
                else:
                    self._enter_across(lists, sides, way)
            if len(sides.ranks):
                self._enter_outside(lists, sides, way)

    def _enter_inside(self, lists: NearestLists, sides: Sides, way: str) -> None:
        """Enter the queries of the batch in the lists of all queries of the same space, each pair scored once."""
        queries, k = sides.queries, self.context.k
        order, every = queries.by_radius[way[0]], queries.sides[way[0]]
        # of rows that are equal only the first few by rank can be in a list, besides the query itself
        listed = least_of_copies(queries.copies[way[0]], queries.rank, k + 1)
        here = np.zeros(len(queries), bool)
        here[sides.place] = True
        kept = order[listed[order]]
        place = np.flatnonzero(here[kept])
        columns = kept[place]
        gallery = every.take(columns)
        ranks = queries.rank[columns]
        board = Board(gallery, across=False, depth=queries.depth(way), kernel=queries.kernel)
        entering = Entering(lists, self.context.offset(way), Settling(every, gallery), queries.least(way))
        for part in row_slices(len(kept)):
            numbers = kept[part]
            first, beyond = np.searchsorted(place, (part.start, part.stop))
            if first == len(place):
                break
            strip = Strip(every, board, numbers)
            for tile in strip.tiles(first):
                tile.hide(*meeting(numbers, columns[tile.columns]))
                # a column beyond the slice of rows takes those in, and is not scored against them again as a row
                later = max(beyond - tile.columns.start, 0)
                taking = Taking(tile, strip, numbers, ranks[tile.columns])
                if tile.columns.start + later < tile.columns.stop:
                    taking.back, taking.row_ranks, taking.later = columns[tile.columns], queries.rank[numbers], later
                entering.take(taking)
        self._enter_rows(lists, order[~listed[order]], gallery, ranks, way, queries)

    def _enter_across(self, lists: NearestLists, sides: Sides, way: str) -> None:
        """Enter the queries of the batch in the lists of all queries of the other space."""
        queries = sides.queries
        listed = least_of_copies(queries.copies[way[1]], queries.rank, self.context.k)
        columns = sides.place[listed[sides.place]]
        gallery = queries.sides[way[1]].take(columns)
        self._enter_rows(lists, queries.by_radius[way[0]], gallery, queries.rank[columns], way, queries)

    def _enter_outside(self, lists: NearestLists, sides: Sides, way: str) -> None:
        """Enter the rows of the batch that are no queries in the lists of all queries."""
        gallery = sides.outside(way[1])
        listed = np.flatnonzero(least_of_copies(gallery.distinct, sides.ranks, self.context.k))
        order = sides.queries.by_radius[way[0]]
        self._enter_rows(lists, order, gallery.take(listed), sides.ranks[listed], way, sides.queries)

    def _enter_rows(
        self, lists: NearestLists, rows: Index, gallery: Scorable, ranks: Index, way: str, queries: Queries
    ) -> None:
        """Enter gallery rows of some ranks in the lists of the queries `rows`, none of which is among them."""
        if not len(gallery) or not len(rows):
            return
        every = queries.sides[way[0]]
        board = Board(gallery, across=way[0] != way[1], depth=queries.depth(way), kernel=queries.kernel)
        entering = Entering(lists, self.context.offset(way), Settling(every, gallery), queries.least(way))
        for part in row_slices(len(rows)):
            strip = Strip(every, board, rows[part])
            for tile in strip.tiles():
                entering.take(Taking(tile, strip, rows[part], ranks[tile.columns]))

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
