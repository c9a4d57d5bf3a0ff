"""The best rows of one space for queries that are already there, and the rank of the first relevant one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from relcli.accumulators.depths import neighbour_depth, turn_of, worth_turning
from relcli.accumulators.entering import Entering, NearestLists, Settling, Taking, seeded
from relcli.accumulators.probe import faults
from relcli.accumulators.standing import standing
from relcli.accumulators.tiles import Board, Scorable, Strip, Tile, row_slices, settle
from relcli.arrays import Floats, unit_rows
from relcli.kernels.compiled import want_compiled
from relcli.kernels.kernel import Index
from relcli.kernels.tiers import choose_kernel
from relcli.spaces.gallery import RowBatch

Projection = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Relevant:
    """
    Which rows answer which queries: r pairs of a query's number and a row's rank, in order of query.

    `score` [r] is what each scores, on the grid; `best` [q] the highest of each query, Inf where it has none.
    """

    query: Index
    rank: Index
    score: Floats
    best: Floats

    @classmethod
    def of(cls, query: Index, rank: Index, score: Floats, queries: int) -> Relevant:
        """Return the pairs with the best score of each query."""
        best = np.full(queries, -np.inf)
        np.maximum.at(best, query, score)
        best[np.isinf(best)] = np.inf
        return cls(query, rank, score, best)

    @property
    def tied(self) -> Index:
        """How many of each query's relevant rows [q] score the best of them."""
        return np.bincount(self.query[self.score == self.best[self.query]], minlength=len(self.best))

    def places(self, ranks: Index) -> tuple[Index, Index]:
        """Return the (query, column) of each pair whose row is among those of the given ranks."""
        order = np.argsort(ranks)
        at = np.searchsorted(ranks[order], self.rank).clip(max=len(order) - 1)
        columns = order[at]
        here = ranks[columns] == self.rank
        return self.query[here], columns[here]


class Search:
    """
    What is searched for: q queries as they stand in the gallery's own coordinates, and how deep.

    `project` takes rows of the gallery there too. `penalty`, by rank and on the grid, is taken off each
    row's cosine. `sample` are some projected rows of the gallery of so many `rows`: their mean is where the
    filter has its origin. Keeps about 12 bytes a number of the queries.
    """

    def __init__(
        self,
        queries: Floats,
        k: int,
        *,
        project: Projection,
        sample: Floats,
        penalty: Floats | None = None,
        relevant: Relevant | None = None,
        rows: int | None = None,
    ) -> None:
        self.centres = unit_rows(queries).mean(axis=0), unit_rows(sample).mean(axis=0)
        self.offset = float(self.centres[0] @ self.centres[1])
        self.k, self.project, self.penalty, self.relevant = k, project, penalty, relevant
        width = queries.shape[1]
        pairs = len(queries) * max(rows or 0, len(sample))
        want_compiled(pairs)
        self.kernel = choose_kernel(pairs * queries.shape[1])
        self.turn = None
        if worth_turning(len(queries), width):
            self.turn = turn_of([(queries, self.centres[0]), (sample, self.centres[1])])
        self.queries = Scorable(queries, *self.centres, self.turn)
        self.order = np.argsort(self.queries.radius, kind="stable")
        some = Scorable(sample, *self.centres[::-1], self.turn)
        self.depth = width
        if self.turn:
            self.depth = neighbour_depth(
                self.queries, some, k, max(rows or 0, len(sample)), across=True, kernel=self.kernel
            )
        self.least = np.full(len(queries), -np.inf)
        if penalty is None:
            self.least = seeded(
                self.queries, self.order, some, k, self.offset, across=True, depth=self.depth, kernel=self.kernel
            )

    def gallery(self, vectors: Floats) -> Scorable:
        """Return rows of the gallery ready to be scored."""
        return Scorable(self.project(vectors), *self.centres[::-1], self.turn)

    def scores(self, gallery: Scorable, ranks: Index, query: Index, column: Index) -> Floats:
        """Return what each query [c] scores with a column [c], in float64 on the grid."""
        scores = settle(self.queries, gallery, query, column)
        return scores if self.penalty is None else scores - self.penalty[ranks[column]]


class Hits:
    """
    The k best rows of a gallery for each query, by falling score, then by id; all rows are scored.

    With relevant rows also how many others score above (`greater` [q]) and level with (`level` [q]) the
    best of them. Keeps q·k scores and ranks, and 2·q counts.
    """

    def __init__(self, search: Search) -> None:
        self.search = search
        count = len(search.queries)
        self.lists = NearestLists(count, search.k)
        self.greater, self.level = np.zeros(count, np.int64), np.zeros(count, np.int64)

    def fresh(self) -> Self:
        return type(self)(self.search)

    def update(self, batch: RowBatch) -> None:
        search = self.search
        gallery = search.gallery(batch.vectors)
        penalty = None if search.penalty is None else search.penalty[batch.rank]
        places = search.relevant and _by_tile(search.order, *search.relevant.places(batch.rank))
        board = Board(gallery, across=True, depth=search.depth, kernel=search.kernel, penalty=penalty)
        entering = Entering(self.lists, search.offset, Settling(search.queries, gallery, penalty), search.least)
        for rows in row_slices(len(search.queries)):
            numbers = search.order[rows]
            strip = Strip(search.queries, board, numbers)
            for tile in strip.tiles():
                taking = Taking(tile, strip, numbers, batch.rank[tile.columns])
                entering.take(taking)
                if places:
                    taking.tile.hide(*places(rows, tile.columns))
                    self._count(strip, taking.tile, numbers, gallery, batch.rank)

    def merge(self, other: Self) -> None:
        self.lists.merge(other.lists)
        self.greater += other.greater
        self.level += other.level

    def _count(self, strip: Strip, tile: Tile, numbers: Index, gallery: Scorable, ranks: Index) -> None:
        """Count the scores of a tile against the best relevant row of each query."""
        assert self.search.relevant is not None
        best = self.search.relevant.best
        found, _ = standing(strip, tile, best[numbers] - self.search.offset)
        self.greater[numbers] += found.above
        if len(found.row):
            query = numbers[found.row]
            scores, mark = self.search.scores(gallery, ranks, query, found.column + tile.columns.start), best[query]
            self.greater += np.bincount(query[scores > mark], minlength=len(best))
            self.level += np.bincount(query[scores == mark], minlength=len(best))


def _by_tile(order: Index, query: Index, column: Index) -> Callable[[slice, slice], tuple[Index, Index]]:
    """Return what gives the (row, column) inside a tile of each (query, column), rows being queries in an order."""
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    row = place[query]
    by_row = np.argsort(row, kind="stable")
    row, column = row[by_row], column[by_row]

    def inside(rows: slice, columns: slice) -> tuple[Index, Index]:
        part = slice(*np.searchsorted(row, (rows.start, rows.stop)))
        here = (column[part] >= columns.start) & (column[part] < columns.stop)
        return row[part][here] - rows.start, column[part][here] - columns.start

    return inside


class Survey:
    """
    What every row of one space must pass before it is searched: which are NaN, Inf or zero.

    Keeps the rank of each bad row.
    """

    KINDS = ("NaN", "Inf", "zero")

    def __init__(self) -> None:
        self.bad: dict[str, list[int]] = {}

    def fresh(self) -> Self:
        return type(self)()

    def update(self, batch: RowBatch) -> None:
        for kind, mask in zip(self.KINDS, faults(batch.vectors), strict=True):
            if mask.any():
                self.bad.setdefault(kind, []).extend(batch.rank[mask].tolist())

    def merge(self, other: Self) -> None:
        for kind, ranks in other.bad.items():
            self.bad.setdefault(kind, []).extend(ranks)


class ManyHits:
    """Several searches of one gallery, filled in one pass."""

    def __init__(self, parts: list[Hits]) -> None:
        self.parts = parts

    def fresh(self) -> Self:
        return type(self)([part.fresh() for part in self.parts])

    def update(self, batch: RowBatch) -> None:
        for part in self.parts:
            part.update(batch)

    def merge(self, other: Self) -> None:
        for part, its in zip(self.parts, other.parts, strict=True):
            part.merge(its)
