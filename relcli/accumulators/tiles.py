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

#: A tile of scores stays in the second-level cache; counts of a row of one fit in eight bytes of 255.
TILE_ROWS, TILE_COLUMNS = 512, 2040

_HALF_ULP = 2.0**-24
_SETTLE_NUMBERS = 2**18

Index = NDArray[np.int64]


class Scorable:
    """
    Rows of one side, ready to be scored: as they are [n, d], their norms, and a float32 filter [n, d + 2].

    The filter holds the unit rows less `own` centre, then their products with both centres.
    """

    def __init__(self, rows: Floats, own: Floats, other: Floats) -> None:
        norms = row_norms(rows)
        # a zero row (orthogonal to every anchor, or the mean itself) has cosine 0 with all
        self.rows, self.norms = rows, np.where(norms > 0, norms, 1.0)
        centred = rows / self.norms[:, None]
        centred -= own
        self.radius = row_norms(centred)
        self.along = np.stack([centred @ own, centred @ other if len(other) == len(own) else centred @ own * 0], 1)
        self.reach = float(self.radius.max(initial=0.0)), np.abs(self.along).max(axis=0, initial=0.0)
        self.filter = np.empty((rows.shape[0], rows.shape[1] + 2), np.float32)
        self.filter[:, :-2] = centred
        self.filter[:, -2:] = self.along

    @cached_property
    def distinct(self) -> Index:
        """The first row [n] that is equal to each row, to the bit."""
        rows = np.ascontiguousarray(self.rows)
        packed = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
        _, first, inverse = np.unique(packed, return_index=True, return_inverse=True)
        return first[inverse]


def settle(queries: Scorable, gallery: Scorable, i: Index, j: Index) -> Floats:
    """Return the cosines of queries i with gallery rows j [c], in float64 on the grid."""
    if len(i) > 8 * (len(queries.rows) + len(gallery.rows)):
        # a collapsed space: so many undecided pairs are mostly copies of few
        width = len(gallery.rows)
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
    Some query rows against a whole gallery: float32 scores chunk by chunk, and what they may be off by.

    score(i, j) = tile[i, j] + shift[i], within `error[i]`. `across` says that queries and gallery are
    of different sides.
    """

    def __init__(
        self,
        queries: Scorable,
        gallery: Scorable,
        rows: slice,
        centre: Floats,
        other: Floats,
        *,
        across: bool,
    ) -> None:
        self.gallery = gallery
        self._block = queries.filter[rows].copy()
        self._block[:, -2:] = (0, 1) if across else (1, 0)
        side = int(across)
        radius, along = gallery.reach
        self.shift = queries.along[rows, side] + float(centre @ other if across else centre @ centre)
        dim = queries.rows.shape[1]
        # rounding of both rows and of the folded column, then of dim + 1 products summed in any order
        self.error = (dim + 6) * _HALF_ULP * (queries.radius[rows] * radius + along[side]) + 2.0**-38

    def chunks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield (first column, scores [rows, columns]); the array is written again by the next one."""
        height, width = len(self._block), min(TILE_COLUMNS, len(self.gallery.filter))
        buffer = np.empty(height * width, np.float32)
        for start in range(0, len(self.gallery.filter), TILE_COLUMNS):
            columns = self.gallery.filter[start : start + TILE_COLUMNS]
            tile = buffer[: height * len(columns)].reshape(height, len(columns))
            np.matmul(self._block, columns.T, out=tile)
            yield start, tile


def row_slices(count: int) -> Iterator[slice]:
    """Yield slices of up to TILE_ROWS that cover `count` rows."""
    for start in range(0, count, TILE_ROWS):
        yield slice(start, min(start + TILE_ROWS, count))
