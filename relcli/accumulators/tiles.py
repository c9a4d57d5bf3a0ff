"""
Cosines by the tile: a float32 filter with a proven error bound, settled in float64.

A tile scores some query rows against some gallery rows by one float32 product of centred unit
rows. Centring keeps the filter sharp where all vectors point the same way. A score that the bound
cannot decide is computed again in float64, row by row, so no tiling, order, thread count or BLAS can show.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from relcli.arrays import Floats, on_grid, row_norms

#: A tile of scores stays in the second-level cache. Counts down a column add up 255 rows in a byte, twice;
#: counts along a row add up eight columns to a word, 255 times.
TILE_ROWS, TILE_COLUMNS = 510, 2040

_HALF_ULP = 2.0**-24
_SETTLE_NUMBERS = 2**18

Index = NDArray[np.int64]


class Scorable:
    """
    Rows of one side, ready to be scored: as they are [n, d], their norms, and a float32 filter [n, d + 3].

    The filter holds the unit rows less `own` centre, their products with both centres, and 1.
    """

    def __init__(self, rows: Floats, own: Floats, other: Floats) -> None:
        norms = row_norms(rows)
        # a zero row (orthogonal to every anchor, or the mean itself) has cosine 0 with all
        self.rows, self.norms = rows, np.where(norms > 0, norms, 1.0)
        centred = rows / self.norms[:, None]
        centred -= own
        self.radius = row_norms(centred)
        self.along = np.zeros((len(rows), 2))
        self.along[:, 0] = centred @ own
        if len(other) == len(own):
            self.along[:, 1] = centred @ other
        self.filter = np.ones((rows.shape[0], rows.shape[1] + 3), np.float32)
        self.filter[:, :-3] = centred
        self.filter[:, -3:-1] = self.along

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Index) -> Scorable:
        """Return the rows that an index array names."""
        taken = object.__new__(Scorable)
        taken.rows, taken.norms, taken.radius = self.rows[rows], self.norms[rows], self.radius[rows]
        taken.along, taken.filter = self.along[rows], self.filter[rows]
        return taken

    @cached_property
    def distinct(self) -> Index:
        """The first row [n] that is equal to each row, to the bit."""
        rows = np.ascontiguousarray(self.rows)
        packed = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
        _, first, inverse = np.unique(packed, return_index=True, return_inverse=True)
        return first[inverse]


def settle(queries: Scorable, gallery: Scorable, i: Index, j: Index) -> Floats:
    """Return the cosines of queries i with gallery rows j [c], in float64 on the grid."""
    if len(i) > 8 * (len(queries) + len(gallery)):
        # a collapsed space: so many undecided pairs are mostly copies of few
        width = len(gallery)
        pairs, inverse = np.unique(queries.distinct[i] * width + gallery.distinct[j], return_inverse=True)
        return _cosines(queries, gallery, pairs // width, pairs % width)[inverse]
    return _cosines(queries, gallery, i, j)


def _cosines(queries: Scorable, gallery: Scorable, i: Index, j: Index) -> Floats:
    out = np.empty(len(i))
    step = max(1, _SETTLE_NUMBERS // max(queries.rows.shape[1], 1))
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        np.einsum("ij,ij->i", queries.rows[i[part]], gallery.rows[j[part]], out=out[part])
    out /= queries.norms[i] * gallery.norms[j]
    return on_grid(out)


class Strip:
    """
    Some query rows against a gallery: float32 scores chunk by chunk, and what they may be off by.

    A score is a cosine less the product of the two centres, within `row_error[i]` and within
    `column_error[j]`. `across` says that queries and gallery are of different sides.
    """

    def __init__(self, queries: Scorable, gallery: Scorable, rows: slice, *, across: bool) -> None:
        side = int(across)
        self._gallery = gallery.filter
        self._block = queries.filter[rows].copy()
        self._block[:, -3:-1] = (0, 1) if across else (1, 0)
        self._block[:, -1] = queries.along[rows, side]
        # rounding of both rows, of the two folded columns, then of d + 2 sums in any order
        rounding = (queries.rows.shape[1] + 10) * _HALF_ULP
        mine = queries.radius[rows], np.abs(queries.along[rows, side])
        its = gallery.radius, np.abs(gallery.along[:, side])
        self.row_error = rounding * (mine[0] * its[0].max(initial=0) + mine[1] + its[1].max(initial=0)) + 2.0**-38
        self.column_error = rounding * (its[0] * mine[0].max(initial=0) + its[1] + mine[1].max(initial=0)) + 2.0**-38

    def chunks(self, first: int = 0) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Yield (columns, scores [rows, columns]) from column `first` on; the array is written again by the next."""
        height, end = len(self._block), len(self._gallery)
        buffer = np.empty(height * min(TILE_COLUMNS, max(end - first, 0)), np.float32)
        for start in range(first, end, TILE_COLUMNS):
            columns = slice(start, min(start + TILE_COLUMNS, end))
            tile = buffer[: height * (columns.stop - start)].reshape(height, -1)
            np.matmul(self._block, self._gallery[columns].T, out=tile)
            yield columns, tile


def row_slices(count: int, size: int = TILE_ROWS) -> Iterator[slice]:
    """Yield slices of up to `size` that cover `count` rows."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
