"""The best rows of one space for queries that are already there, and the rank of the first relevant one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from relcli.accumulators.neighbors import Best, NearestLists
from relcli.accumulators.probe import faults
from relcli.accumulators.ranks import Bounds, along_rows
from relcli.accumulators.tiles import Index, Scorable, Strip, row_slices, settle
from relcli.arrays import Floats, unit_rows
from relcli.spaces.gallery import RowBatch

Projection = Callable[[Floats], Floats]

# a penalty, at most 1, rounded to float32, and the rounding of what is left of a score, below 4
_PENALTY_ERROR = 2.0**-21


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
    row's cosine. `sample` are some projected rows of the gallery: their mean is where the float32
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
    ) -> None:
        self.centres = unit_rows(queries).mean(axis=0), unit_rows(sample).mean(axis=0)
        self.offset = float(self.centres[0] @ self.centres[1])
        self.queries = Scorable(queries, *self.centres)
        self.k, self.project, self.penalty, self.relevant = k, project, penalty, relevant

    def gallery(self, vectors: Floats) -> Scorable:
        """Return rows of the gallery ready to be scored."""
        return Scorable(self.project(vectors), self.centres[1], self.centres[0])

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
        penalty = None if search.penalty is None else search.penalty[batch.rank].astype(np.float32)
        places = search.relevant and _by_tile(*search.relevant.places(batch.rank))
        for rows in row_slices(len(search.queries)):
            strip = Strip(search.queries, gallery, rows, across=True)
            error = strip.row_error + (0 if penalty is None else _PENALTY_ERROR)
            best = Best(self.lists.scores[rows] - search.offset)
            for columns, tile in strip.chunks():
                if penalty is not None:
                    tile -= penalty[columns]
                best.take(tile, error, columns.start)
                if places:
                    row, column = places(rows, columns)
                    tile[row, column] = -np.inf
                    self._count(tile, rows, columns, error, gallery, batch.rank)
            query, column = best.survivors(error)
            query += rows.start
            self.lists.offer(query, search.scores(gallery, batch.rank, query, column), batch.rank[column])

    def merge(self, other: Self) -> None:
        self.lists.merge(other.lists)
        self.greater += other.greater
        self.level += other.level

    def _count(
        self, tile: np.ndarray, rows: slice, columns: slice, error: Floats, gallery: Scorable, ranks: Index
    ) -> None:
        """Count the scores of a tile against the best relevant row of each query."""
        assert self.search.relevant is not None
        best = self.search.relevant.best
        sure, row, column = along_rows(tile, Bounds(best[rows] - self.search.offset, error))
        self.greater[rows] += sure
        if len(row):
            query = row + rows.start
            scores, mark = self.search.scores(gallery, ranks, query, column + columns.start), best[query]
            self.greater += np.bincount(query[scores > mark], minlength=len(best))
            self.level += np.bincount(query[scores == mark], minlength=len(best))


def _by_tile(query: Index, column: Index) -> Callable[[slice, slice], tuple[Index, Index]]:
    """Return what gives the (row, column) inside a tile of each (query, column); queries come in order."""

    def inside(rows: slice, columns: slice) -> tuple[Index, Index]:
        part = slice(*np.searchsorted(query, (rows.start, rows.stop)))
        here = (column[part] >= columns.start) & (column[part] < columns.stop)
        return query[part][here] - rows.start, column[part][here] - columns.start

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
