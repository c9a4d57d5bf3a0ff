"""The bf16 kernel: rows and products rounded to eight bits of digits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.arrays import Floats, bfloat16_product, bfloat16_to_float32, float32_to_bfloat16
from relcli.kernels.kernel import HALF_ULP, Narrow, Operand


class Halves:
    """Products of bfloat16 numbers, added up in float32 and rounded to bfloat16."""

    name = "bf16"
    number = np.float32

    def left(self, rows: Narrow, size: Floats) -> Operand:
        halves = float32_to_bfloat16(rows)
        rest = rows.astype(np.float64) - bfloat16_to_float32(halves)
        lost = np.sqrt(np.einsum("ij,ij->i", rest, rest))
        return Operand(halves, 1.0, size, lost * (1 + 2.0**-40) + size * HALF_ULP + 1e-19)

    right = left

    def multiply(self, left: Operand, right: Operand, out: NDArray[Any]) -> None:
        bfloat16_product(left.rows, right.rows, out)

    def rounding(self, width: int) -> float:
        return 2.0**-8 + (width + 8) * HALF_ULP


def keeps_its_bound() -> bool:
    """Return whether products of hard rows are within what this kernel says of them."""
    kernel, rng = Halves(), np.random.default_rng(0)
    for rows, columns, width in ((33, 65, 304), (7, 40, 24), (64, 48, 33)):
        for left, right in (
            (np.ones((rows, width)), np.ones((columns, width))),
            (rng.standard_normal((rows, width)), rng.standard_normal((columns, width))),
        ):
            sides = [side.astype(np.float32) for side in (left, right)]
            sizes = [np.sqrt((side.astype(np.float64) ** 2).sum(axis=1)) for side in sides]
            a, b = kernel.left(sides[0], sizes[0]), kernel.right(sides[1], sizes[1])
            out = np.empty((rows, columns), np.float32)
            kernel.multiply(a, b, out)
            true = bfloat16_to_float32(a.rows).astype(np.float64) @ bfloat16_to_float32(b.rows).astype(np.float64).T
            off = np.abs(out - true)
            if (off > kernel.rounding(width) * np.outer(sizes[0] + a.error, sizes[1] + b.error)).any():
                return False
    return True
