"""The contract of a kernel: scores of some rows against others, each within a stated error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from relcli.arrays import Floats

Narrow = NDArray[np.float32]
Index = NDArray[np.int64]

#: Half a unit in the last place of float32, as a share of the number.
HALF_ULP = 2.0**-24


@dataclass(frozen=True)
class Operand:
    """
    Rows [n, w] as a kernel multiplies them: what stands for a row is `scale` times its numbers.

    `size` [n] bounds the true row's norm, and `error` [n] that of what the kernel's row lacks of it.
    """

    rows: Any
    scale: float
    size: Floats
    error: Floats

    def __len__(self) -> int:
        return len(self.size)

    def part(self, rows: slice) -> Operand:
        """Return some of the rows."""
        return Operand(self.rows[rows], self.scale, self.size[rows], self.error[rows])


class Kernel(Protocol):
    """
    Products of a few hundred left rows with a few thousand right ones.

    The product of two operands, times both scales, is off the product of what they stand for by no more than
    `rounding(w)` times the norms of both.
    """

    name: str
    number: Any

    def left(self, rows: Narrow, size: Floats) -> Operand:
        """Return rows [n, w] ready to be multiplied from the left; `size` [n] bounds their norms."""
        ...

    def right(self, rows: Narrow, size: Floats) -> Operand:
        """Return rows [n, w] ready to be multiplied from the right."""
        ...

    def multiply(self, left: Operand, right: Operand, out: NDArray[Any]) -> None:
        """Write the products [n, n'] to `out`, an array of `number`."""
        ...

    def rounding(self, width: int) -> float:
        """Return what a product of rows of this width is off by, as a share of both norms."""
        ...
