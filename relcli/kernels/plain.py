"""The float32 kernel: numpy's own product, there on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.arrays import Floats
from relcli.kernels.kernel import HALF_ULP, Narrow, Operand


class Plain:
    """Products in float32, in whatever order the BLAS adds up."""

    name = "fp32"
    number = np.float32

    def left(self, rows: Narrow, size: Floats) -> Operand:
        # the rows themselves were rounded from float64
        return Operand(rows, 1.0, size, size * HALF_ULP)

    right = left

    def multiply(self, left: Operand, right: Operand, out: NDArray[Any]) -> None:
        np.matmul(left.rows, right.rows.T, out=out)

    def rounding(self, width: int) -> float:
        return (width + 8) * HALF_ULP
