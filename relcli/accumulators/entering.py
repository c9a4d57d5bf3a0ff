"""The best rows of each query, and how rows are entered among them tile by tile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from relcli.accumulators.tiles import SLACK, Board, Scorable, Strip, Tile, meeting, row_slices, settle
from relcli.arrays import GRID, Floats
from relcli.kernels.compiled import loops
from relcli.kernels.kernel import Index, Kernel
from relcli.kernels.scan import lowest
from relcli.kernels.scratch import scratch

_NONE = np.zeros(0, np.int64)


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
        # what stands below the last of a full list cannot enter it
        level = scores >= self.scores[query, -1]
        query, scores, ranks = query[level], scores[level], ranks[level]
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


@dataclass(frozen=True)
class Settling:
    """How queries and gallery rows score: cosines in float64 on the grid, less `off` [n] of each gallery row."""

    queries: Scorable
    gallery: Scorable
    off: Floats | None = None

    def __call__(self, query: Index, column: Index) -> Floats:
        """Return the scores of some pairs [c]."""
        scores = settle(self.queries, self.gallery, query, column)
        return scores if self.off is None else scores - self.off[column]


class Entering:
    """
    The lists of some queries while gallery rows are entered in them, tile by tile.

    Whatever the bound leaves below the last of a full list, or below what a query's lists are known to hold in the
    end, `least` [q], is passed over; the rest is settled at once, so that lists hold true scores and soon let little
    through. The scores of tiles lack an `offset`.
    """

    def __init__(self, lists: NearestLists, offset: float, settling: Settling, least: Floats) -> None:
        self.lists, self.offset, self.settling, self.least = lists, offset, settling, least

    def _last(self, query: Index) -> Floats:
        """Return what a score must reach to enter the list of each of some queries."""
        last: Floats = np.maximum(self.lists.scores[query, -1], self.least[query])
        return last

    def take(self, taking: Taking) -> None:
        """Enter a tile's columns in the lists of its rows, and its rows in those of its later columns."""
        compiled = loops()
        if compiled:
            floors = self._floors(taking)
            if any((floor == -np.inf).any() for floor in floors if floor is not None):
                # lists that are not full yet: the best few of this tile first, to have a floor for the rest
                self._take_by(compiled, taking, self._first_floors(taking, floors))
            if not self._take_by(compiled, taking):
                taking.tile = taking.strip.whole(taking.tile)
                self._take_by(compiled, taking)
            return
        floors = self._floors(taking)
        if any((floor == -np.inf).any() for floor in floors if floor is not None):
            best = self._first_floors(taking, floors)
            self._enter(taking, best, taking.tile.reaching(*best))
            floors = self._floors(taking)
        found = taking.tile.reaching(*floors)
        if taking.strip.crowded(len(found[0]), taking.tile):
            taking.tile = taking.strip.whole(taking.tile)
            floors = self._floors(taking)
            found = taking.tile.reaching(*floors)
        self._enter(taking, floors, found)

    def _first_floors(self, taking: Taking, floors: list[Any]) -> list[Any]:
        """Return floors that let the best few of a tile into lists that are not full yet."""
        k = self.lists.scores.shape[1]
        return [
            None if floor is None else np.where(floor == -np.inf, taking.tile.kth(k, axis), floor)
            for axis, floor in ((1, floors[0]), (0, floors[1]))
        ]

    def _floors(self, taking: Taking) -> list[Any]:
        """Return what a score must reach to be looked at, of each row and, where they take rows, each column."""
        floors: list[Any] = [self._last(taking.numbers) - self.offset - taking.tile.row_error, None]
        if taking.back is not None:
            floors[1] = self._last(taking.back) - self.offset - taking.tile.column_error
            floors[1][: taking.later] = np.inf
        return floors

    def _enter(self, taking: Taking, floors: list[Any], found: tuple[Index, Index, Floats]) -> None:
        """Enter those of some scores of a tile that reach a floor, and have not been entered."""
        row, column, filtered = found
        flat = row * len(taking.ranks) + column
        ends = [filtered >= floors[0][row]]
        if floors[1] is not None:
            ends.append(filtered >= floors[1][column])
        for mask, seen in zip(ends, taking.seen, strict=False):
            if len(seen):
                mask &= ~np.isin(flat, seen)
        wanted = np.flatnonzero(np.logical_or.reduce(ends))
        row, column = row[wanted], column[wanted]
        scores = self.settling(taking.numbers[row], column + taking.tile.columns.start)
        for end, mask in enumerate(ends):
            mine = mask[wanted]
            taking.seen[end] = np.concatenate([taking.seen[end], flat[wanted[mine]]])
            if end == 0:
                self._offer(taking.numbers[row[mine]], scores[mine], taking.ranks[column[mine]])
            elif taking.back is not None and taking.row_ranks is not None:
                self._offer(taking.back[column[mine]], scores[mine], taking.row_ranks[row[mine]])

    def _offer(self, query: Index, scores: Floats, ranks: Index) -> None:
        enough = scores >= self.least[query]
        self.lists.offer(query[enough], scores[enough], ranks[enough])

    def _take_by(self, compiled: Any, taking: Taking, first: list[Any] | None = None) -> bool:
        """Enter a tile by compiled loops; return False where it is better scored anew with nothing left out first."""
        tile, settling, lists = taking.tile, self.settling, self.lists
        queries, gallery, numbers = settling.queries, settling.gallery, taking.numbers
        products, none = tile.products, lowest(tile.products.dtype)
        width = products.shape[1]
        back, later = (_NONE, width) if taking.back is None else (taking.back, taking.later)
        row_ranks = numbers if taking.row_ranks is None else taking.row_ranks
        off = np.zeros(width) if settling.off is None else settling.off[tile.columns]
        # lists that are not full let most of a tile through, however sharp its scores
        filling = first or np.isinf(self._last(numbers)).any() or np.isinf(self._last(back)).any()
        row_first, column_first = first or (None, None)
        if row_first is None:
            row_first = np.full(len(numbers), -np.inf)
        if column_first is None:
            column_first = np.full(width, -np.inf)
        limit = tile.size if tile.exact or filling else taking.strip.bearable(tile)
        row, column = scratch("left row", (limit + 1,), np.int64), scratch("left column", (limit + 1,), np.int64)
        scores = scratch("left scores", (limit + 1,), np.float64)
        looked, count = compiled.take(
            products, none, tile.unit, tile.row, np.ascontiguousarray(tile.column),
            tile.row_error, tile.column_error,
            row_first, column_first, self.offset, lists.scores, lists.ranks, self.least,
            numbers, row_ranks, back, later, taking.ranks,
            queries.rows, gallery.rows, queries.norms, gallery.norms,
            queries.at[numbers], gallery.at[tile.columns], off,
            # the sums of two rows' products in any two orders differ by less than this, in steps of the grid
            SLACK, GRID, 2 * (queries.width + 8) * 2.0**-53 / GRID, limit, row, column, scores,
        )  # fmt: skip
        i, j, scores = row[:count], column[:count], scores[:count] + SLACK
        # lists have risen meanwhile
        mine = scores >= self._last(numbers[i])
        its = (j >= later) & (scores >= self._last(back[j]) if len(back) else False)
        some = np.flatnonzero(mine | its)
        i, j, mine, its = i[some], j[some], mine[some], its[some]
        scores = settling(numbers[i], j + tile.columns.start)
        least = self.least
        compiled.insert(lists.scores, lists.ranks, least, numbers[i[mine]], scores[mine], taking.ranks[j[mine]])
        if len(back):
            compiled.insert(lists.scores, lists.ranks, least, back[j[its]], scores[its], row_ranks[i[its]])
        return bool(looked >= 0)


@dataclass
class Taking:
    """
    A tile on its way into lists: the queries `numbers` of its rows and the `ranks` of its columns.

    The columns from `later` on are the queries `back`, which take rows of `row_ranks` in. `seen` pairs are entered,
    by direction.
    """

    tile: Tile
    strip: Strip
    numbers: Index
    ranks: Index
    back: Index | None = None
    row_ranks: Index | None = None
    later: int = 0
    seen: list[Index] = field(default_factory=lambda: [_NONE, _NONE])


#: Queries from which it pays to look at a sample of the gallery first, and the share and the bounds of that.
SEEDED, _SEED_SHARE, SEEDS = 4096, 16, (512, 4096)


def seeded(
    queries: Scorable,
    order: Index,
    sample: Scorable,
    k: int,
    offset: float,
    *,
    across: bool,
    depth: int,
    kernel: Kernel,
) -> Floats:
    """
    Return a score [q] that the k best of each query's gallery reach in the end, −Inf where nothing tells.

    `sample` are rows of the gallery; they are the queries' own where these are not `across`. Found in a part of them,
    so that lists of many queries need not rise from nothing, in each worker anew.
    """
    least = np.full(len(queries), -np.inf)
    count = min(max(len(sample) // _SEED_SHARE if not across else len(sample), SEEDS[0]), SEEDS[1], len(sample))
    if len(queries) < SEEDED or 8 * k > count:
        return least
    chosen = np.unique(np.linspace(0, len(sample) - 1, count).astype(np.int64))
    gallery = sample.take(chosen)
    lists = NearestLists(len(queries), k)
    entering = Entering(lists, offset, Settling(queries, gallery), least)
    board = Board(gallery, across=across, depth=depth, kernel=kernel)
    for part in row_slices(len(order)):
        numbers = order[part]
        strip = Strip(queries, board, numbers)
        for tile in strip.tiles():
            if not across:
                tile.hide(*meeting(numbers, chosen[tile.columns]))
            entering.take(Taking(tile, strip, numbers, chosen[tile.columns]))
    return np.ascontiguousarray(lists.scores[:, -1])
