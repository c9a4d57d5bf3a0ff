"""
Cosines by the tile: a filter with a proven error bound, settled in float64.

A tile scores some query rows against some gallery rows by one product of centred unit rows. Centring keeps the
filter sharp where all vectors point the same way. The rows may be turned so that their leading numbers tell most:
then the filter multiplies these alone, and Cauchy-Schwarz bounds the rest. A score that the bound cannot decide is
computed again in float64, row by row, so no tiling, order, thread count, BLAS or tier can show.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.arrays import Floats, on_grid, row_norms
from relcli.kernels.kernel import HALF_ULP, Index, Kernel, Operand
from relcli.kernels.plain import Plain
from relcli.kernels.scan import GROUP, groups_of, kth_of_groups, lowest, opened, padded, promising
from relcli.kernels.scratch import scratch
from relcli.kernels.work import SCORE_COST, candidate_cost

#: A tile of scores stays in the caches. Counts along a row add up eight columns to a word, 255 times.
TILE_ROWS, TILE_COLUMNS = 512, 2040

#: What settling in float64 and the grid may move a cosine by.
SLACK = 2.0**-38

# a block of two gathered sides stays in the second-level cache
_SETTLE_NUMBERS = 2**15
_PREPARED_ROWS = 2048


@dataclass(frozen=True)
class Turn:
    """
    An orthogonal map [m, m] to coordinates of which the leading ones tell most.

    `defect` bounds what it changes a product of two rows by, as a share of both norms: the map is rounded, and so are
    its products.
    """

    map: Floats
    defect: float

    @classmethod
    def of(cls, map: Floats) -> Turn:
        """Return the turn by a map that is orthogonal but for rounding."""
        m = len(map)
        off = float(np.linalg.norm(map @ map.T - np.eye(m)))
        # sums of m products in float64, of both rows: a row is off by m √m 2^-53 of its norm
        return cls(map, off + 4 * m**1.5 * 2.0**-53)


class Scorable:
    """
    Rows of one side, ready to be scored: as they are [n, d], their norms, and a float32 filter [n, d].

    The filter holds the unit rows less `own` centre, turned where there is a `turn`; `along` [n, 2] their products
    with both centres, `radius` [n] their norms. `take` returns views that share the rows: `at` [n] says which.
    """

    def __init__(self, rows: Floats, own: Floats, other: Floats, turn: Turn | None = None) -> None:
        norms = row_norms(rows)
        # a zero row (orthogonal to every anchor, or the mean itself) has cosine 0 with all
        self.rows, self.norms = rows, np.where(norms > 0, norms, 1.0)
        self.at = np.arange(len(rows))
        self.radius = np.empty(len(rows))
        self.along = np.zeros((len(rows), 2))
        self.filter = np.empty(rows.shape, np.float32)
        self.defect = turn.defect if turn else 0.0
        for start in range(0, len(rows), _PREPARED_ROWS):
            part = slice(start, start + _PREPARED_ROWS)
            centred = rows[part] / self.norms[part, None]
            centred -= own
            self.radius[part] = row_norms(centred)
            self.along[part, 0] = centred @ own
            if len(other) == len(own):
                self.along[part, 1] = centred @ other
            self.filter[part] = centred @ turn.map if turn else centred
        # by depth, shared by all views
        self._tails: dict[int, Floats] = {}
        self._leading: dict[int, NDArray[np.float32]] = {}

    def __len__(self) -> int:
        return len(self.at)

    @property
    def width(self) -> int:
        """The numbers of a row."""
        return self.rows.shape[1]

    def take(self, rows: Any) -> Scorable:
        """Return a view of the rows that an index array or slice names."""
        taken = object.__new__(type(self))
        taken.__dict__.update({name: value for name, value in self.__dict__.items() if name != "distinct"})
        taken.at, taken.radius, taken.along = self.at[rows], self.radius[rows], self.along[rows]
        return taken

    def leading(self, depth: int) -> NDArray[np.float32]:
        """Return the leading numbers [n, depth] of the filter rows."""
        if depth >= self.width:
            return np.take(self.filter, self.at, axis=0)
        if depth not in self._leading:
            self._leading[depth] = np.ascontiguousarray(self.filter[:, :depth])
        return np.take(self._leading[depth], self.at, axis=0)

    def tail(self, depth: int) -> Floats:
        """Return a bound on the norm [n] of all but the leading numbers of each filter row."""
        if depth >= self.width:
            return np.zeros(len(self.at))
        if depth not in self._tails:
            rest = self.filter[:, depth:]
            # sums of float32 squares, rounded up; a number that is lost to underflow is below 1e-22
            squares = np.einsum("ij,ij->i", rest, rest).astype(np.float64)
            self._tails[depth] = np.sqrt(squares) * (1 + self.width * HALF_ULP) + 1e-19
        return self._tails[depth][self.at]

    @cached_property
    def distinct(self) -> Index:
        """The first row [N] of all that is equal to each row, to the bit, whatever `at` says."""
        return first_of_equal(self.rows)


def first_of_equal(rows: Floats) -> Index:
    """Return the number [n] of the first row that is equal to each row, to the bit."""
    if not rows.size:
        return np.arange(len(rows))
    words = np.ascontiguousarray(rows).view(np.uint64)
    # odd multipliers of a fixed seed: equal rows hash alike, and rows that only hash alike are told apart below
    factors = np.random.default_rng(0x5EED).integers(2**63, size=words.shape[1], dtype=np.uint64) * 2 + 1
    hashed = np.zeros(len(words), np.uint64)
    for start in range(0, len(words), _PREPARED_ROWS):
        part = words[start : start + _PREPARED_ROWS]
        mixed = (part ^ (part >> np.uint64(29))) * factors
        hashed[start : start + len(part)] = (mixed ^ (mixed >> np.uint64(32))).sum(axis=1)
    _, first, inverse = np.unique(hashed, return_index=True, return_inverse=True)
    first = first[inverse]
    copies = np.flatnonzero(first != np.arange(len(words)))
    for start in range(0, len(copies), _PREPARED_ROWS):
        some = copies[start : start + _PREPARED_ROWS]
        differ = some[(words[some] != words[first[some]]).any(axis=1)]
        first[differ] = differ
    return first


def settle(queries: Scorable, gallery: Scorable, i: Index, j: Index) -> Floats:
    """Return the cosines of queries i with gallery rows j [c], in float64 on the grid."""
    i, j = queries.at[i], gallery.at[j]
    if len(i) > 8 * (len(queries.rows) + len(gallery.rows)):
        # a collapsed space: so many undecided pairs are mostly copies of few
        width = len(gallery.rows)
        pairs, inverse = np.unique(queries.distinct[i] * width + gallery.distinct[j], return_inverse=True)
        return _cosines(queries, gallery, pairs // width, pairs % width)[inverse]
    return _cosines(queries, gallery, i, j)


def _cosines(queries: Scorable, gallery: Scorable, i: Index, j: Index) -> Floats:
    out = np.empty(len(i))
    step = max(1, min(_SETTLE_NUMBERS // max(queries.width, 1), len(i)))
    sides = [scratch(name, (step, queries.width), np.float64) for name in ("settled", "settled with")]
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        a, b = (side[: len(i[part])] for side in sides)
        np.take(queries.rows, i[part], axis=0, out=a, mode="clip")
        np.take(gallery.rows, j[part], axis=0, out=b, mode="clip")
        np.einsum("ij,ij->i", a, b, out=out[part])
    out /= queries.norms[i] * gallery.norms[j]
    return on_grid(out)


class Tile:
    """
    Scores of some rows against some columns: cosines less the product of the two centres.

    Each is within `row_error` of its row, and within `column_error` of its column.
    """

    def __init__(
        self, products: NDArray[Any], rows: int, unit: float, row: Floats, column: Floats, columns: slice
    ) -> None:
        # by group [g, GROUP, c]; what fills up the last group is lower than all
        self._products = products.reshape(groups_of(rows), GROUP, -1)
        self._rows, self.unit, self.row, self.column = rows, unit, row, column
        self.columns = columns
        self.row_error = self.column_error = np.zeros(0)
        self.exact = False
        self.hidden: list[tuple[Index, Index]] = []
        self._maxima: NDArray[Any] | None = None

    @property
    def size(self) -> int:
        """The number of scores."""
        return self._rows * self._products.shape[2]

    @property
    def products(self) -> NDArray[Any]:
        """The products [rows, columns] as the kernel left them."""
        return self._products.reshape(-1, self._products.shape[2])[: self._rows]

    def hide(self, row: Index, column: Index) -> None:
        """Let some pairs score lower than all others."""
        self.products[row, column] = lowest(self.products.dtype)
        self.hidden.append((row, column))
        self._maxima = None

    def share(self, row_floor: Floats, column_floor: Floats | None = None) -> float:
        """Return the share of groups in which a score may reach a floor."""
        return len(self.promising(row_floor, column_floor)) / max(self._maxima.size, 1)  # type: ignore[union-attr]

    def promising(self, row_floor: Floats, column_floor: Floats | None = None) -> Index:
        """Return the flat numbers of the groups in which a score may reach a floor."""
        groups = len(self._products)
        if self._maxima is None:
            self._maxima = scratch("maxima", (groups, self._products.shape[2]), self._products.dtype)
            np.maximum.reduce(self._products, axis=1, out=self._maxima)
        row, floor = padded(self.row, groups, -np.inf), padded(row_floor, groups, np.inf)
        return promising(self._maxima, self.unit, row, self.column, floor, column_floor)

    def reaching(self, row_floor: Floats, column_floor: Floats | None = None) -> tuple[Index, Index, Floats]:
        """Return (row, column, score) of all scores that reach the floor of their row, or of their column."""
        found = self.promising(row_floor, column_floor)
        groups = len(self._products)
        row, floor = padded(self.row, groups, -np.inf), padded(row_floor, groups, np.inf)
        i, j, scores = opened(found, self._products, self.unit, row, self.column, floor, column_floor)
        if self._rows % GROUP:
            real = i < self._rows
            i, j, scores = i[real], j[real], scores[real]
        return i, j, scores

    def scores(self) -> NDArray[np.float32]:
        """Return all scores [rows, columns] in float32: the products of a float32 tile are overwritten."""
        products = self.products
        scores = products if products.dtype == np.float32 else products.astype(np.float32)
        if self.unit != 1.0:
            scores *= np.float32(self.unit)
        scores += self.column.astype(np.float32)
        scores += self.row.astype(np.float32)[:, None]
        self._maxima = None
        return scores

    def kth(self, k: int, axis: int) -> Floats:
        """Return a score that at least k of each row's (axis 1) or column's (axis 0) reach, and few more."""
        scores = self.products * np.float32(self.unit)
        scores += self.column.astype(np.float32)
        scores += self.row.astype(np.float32)[:, None]
        # a little lower than rounded, so that they reach it
        return kth_of_groups(scores, k, axis) - 2.0**-20


class Board:
    """
    Gallery rows cut into chunks, each ready for a kernel, in the order they are given in.

    `across` says that the queries are of another side. Of each row's score `penalty` [n] is taken off.
    """

    def __init__(
        self,
        gallery: Scorable,
        *,
        across: bool,
        depth: int | None = None,
        kernel: Kernel | None = None,
        penalty: Floats | None = None,
    ) -> None:
        self.gallery, self.side = gallery, int(across)
        self.depth = min(depth or gallery.width, gallery.width)
        self.kernel = kernel or Plain()
        self.column = gallery.along[:, self.side]
        self.penalty = penalty
        self._operands: dict[int, Operand] = {}
        self._exact: Board | None = None

    def __len__(self) -> int:
        return len(self.gallery)

    @property
    def whole(self) -> bool:
        """Whether nothing is left out of the rows, nor rounded more than float32 does."""
        return self.depth == self.gallery.width and self.kernel.name == "fp32"

    @property
    def exact(self) -> Board:
        """The same board with nothing left out."""
        if self.whole:
            return self
        if self._exact is None:
            self._exact = Board(self.gallery, across=bool(self.side), penalty=self.penalty)
        return self._exact

    def operand(self, columns: slice) -> Operand:
        """Return a chunk ready to be multiplied; those of the leading numbers are kept."""
        kept = self._operands.get(columns.start)
        if kept is None:
            part = self.gallery.take(columns)
            kept = self.kernel.right(part.leading(self.depth), part.radius)
            self._operands[columns.start] = kept
        return kept

    def chunks(self, first: int = 0) -> Iterator[slice]:
        """Yield the chunks that hold columns from `first` on."""
        for start in range(first // TILE_COLUMNS * TILE_COLUMNS, len(self), TILE_COLUMNS):
            yield slice(start, min(start + TILE_COLUMNS, len(self)))


class Strip:
    """Some query rows against a board: tile by tile, and what their scores may be off by."""

    def __init__(self, queries: Scorable, board: Board, rows: Any = slice(None)) -> None:
        self._block = queries.take(rows)
        self._board = board
        self._anew: Strip | None = None
        self._row = self._block.along[:, board.side]
        self._left = board.kernel.left(self._block.leading(board.depth), self._block.radius)
        self._tail = self._block.tail(board.depth)

    def tiles(self, first: int = 0) -> Iterator[Tile]:
        """Yield the tiles from column `first` on; the next one is written over the last."""
        for chunk in self._board.chunks(first):
            yield self.tile(chunk, max(first - chunk.start, 0))

    def tile(self, chunk: slice, skipped: int = 0) -> Tile:
        """Return the tile of a chunk, without the first few of its columns."""
        board, kernel, rows = self._board, self._board.kernel, len(self._block)
        columns = slice(chunk.start + skipped, chunk.stop)
        right = board.operand(chunk)
        if skipped:
            right = right.part(slice(skipped, None))
        height = groups_of(rows) * GROUP
        products = scratch("tile", (height, len(right)), kernel.number)
        products[rows:] = lowest(kernel.number)
        kernel.multiply(self._left, right, products[:rows])
        column = board.column[columns]
        if board.penalty is not None:
            column = column - board.penalty[columns]
        tile = Tile(products, rows, self._left.scale * right.scale, self._row, column, columns)
        tail = board.gallery.take(columns).tail(board.depth)
        tile.row_error, tile.column_error = self._errors(right, tail, column)
        tile.exact = board.whole
        return tile

    @property
    def width(self) -> int:
        """The numbers of a row with nothing left out."""
        return self._board.gallery.width

    def bearable(self, tile: Tile) -> int:
        """Return how many undecided scores cost no more than the whole tile anew with nothing left out."""
        return int(tile.size * (self.width + SCORE_COST) / candidate_cost())

    def crowded(self, undecided: int, tile: Tile) -> bool:
        """Return whether so many undecided scores cost more than the whole tile anew with nothing left out."""
        return not tile.exact and undecided > self.bearable(tile)

    def whole(self, tile: Tile) -> Tile:
        """Return a tile anew with nothing left out; it is written over the old one."""
        if self._anew is None:
            self._anew = Strip(self._block, self._board.exact)
        chunk = next(self._board.chunks(tile.columns.start))
        anew = self._anew.tile(chunk, tile.columns.start - chunk.start)
        for row, column in tile.hidden:
            anew.hide(row, column)
        return anew

    def _errors(self, right: Operand, tail: Floats, column: Floats) -> tuple[Floats, Floats]:
        """Return what the scores of each row, and of each column, may be off by."""
        rounding = self._board.kernel.rounding(self._board.depth) + self._block.defect
        # sums of the products and the two shares along the centres, each rounded to float32
        rounding += 8 * HALF_ULP
        ends = [
            (side.size + side.error, side.error, side.size, rest, np.abs(along))
            for side, rest, along in ((self._left, self._tail, self._row), (right, tail, column))
        ]
        errors = []
        for mine, its in (ends, ends[::-1]):
            size, error, _, rest, along = mine
            most = [part.max(initial=0.0) for part in its]
            # of two rows x, y that x̂, ŷ stand for: <x, y> − <x̂, ŷ> = <x̂, y − ŷ> + <x − x̂, y>, whichever is which
            off = size * most[1] + error * max(most[0], most[2])
            errors.append(off + rounding * size * most[0] + rest * most[3] + 8 * HALF_ULP * (along + most[4]) + SLACK)
        return errors[0], errors[1]


def row_slices(count: int, size: int | None = None) -> Iterator[slice]:
    """Yield slices of up to `size`, or a tile's rows, that cover `count` rows."""
    size = size or TILE_ROWS
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def meeting(rows: Index, columns: Index) -> tuple[Index, Index]:
    """Return (row, column) of each query that stands in both; no side holds one twice."""
    order = np.argsort(rows)
    at = np.searchsorted(rows[order], columns).clip(max=len(order) - 1)
    found = np.flatnonzero(rows[order[at]] == columns)
    return order[at[found]], found
