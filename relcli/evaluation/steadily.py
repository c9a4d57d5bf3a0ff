"""Products whose bits do not depend on how many rows are given at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from relcli.accumulators.tiles import row_slices
from relcli.arrays import Floats, one_blas_thread

#: Rows of every product: the last ones are padded with zeros.
ROWS = 256


@dataclass(frozen=True)
class Steadily:
    """A map applied to 256 rows at a time on one thread: the size of a product must not show in its rounding."""

    inner: Callable[[Floats], Floats]
    rows: int = ROWS

    def __call__(self, v: Floats) -> Floats:
        with one_blas_thread():
            parts = []
            for rows in row_slices(len(v), self.rows):
                missing = self.rows - (rows.stop - rows.start)
                # one layout whatever that of v: sums are taken in the order of memory
                block = np.pad(v[rows], ((0, missing), (0, 0))) if missing else np.ascontiguousarray(v[rows])
                parts.append(self.inner(block)[: rows.stop - rows.start])
            return np.concatenate(parts)
