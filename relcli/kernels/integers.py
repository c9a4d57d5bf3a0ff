"""The int8 kernel: rows rounded to whole numbers up to 127, and products of these that are exact."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.arrays import Floats, integer_product
from relcli.kernels.kernel import HALF_ULP, Narrow, Operand

#: The largest numbers of the left rows, and of the right ones where the processor adds pairs of products in 16 bits.
LARGEST, NARROWER = 127, 64


class Integers:
    """Products of whole numbers, added up in 32 bits; those of the right rows are no larger than `largest`."""

    name = "int8"
    number = np.int32

    def __init__(self, largest: int) -> None:
        self.largest = largest

    def left(self, rows: Narrow, size: Floats) -> Operand:
        return _rounded(rows, size, LARGEST)

    def right(self, rows: Narrow, size: Floats) -> Operand:
        return _rounded(rows, size, self.largest)

    def multiply(self, left: Operand, right: Operand, out: NDArray[Any]) -> None:
        integer_product(left.rows, right.rows, out)

    def rounding(self, width: int) -> float:
        return 0.0


def _rounded(rows: Narrow, size: Floats, largest: int) -> Operand:
    scale = float(np.abs(rows).max(initial=0.0)) / largest or 1.0
    whole = np.clip(np.rint(rows * np.float32(1 / scale)), -largest, largest).astype(np.int8)
    # what rounding leaves, in float64; the rows themselves were rounded from it to float32
    rest = rows - whole * scale
    lost = np.sqrt(np.einsum("ij,ij->i", rest, rest))
    return Operand(whole, scale, size, lost * (1 + 2.0**-40) + size * HALF_ULP + 1e-19)


def exact_up_to() -> int | None:
    """
    Return the largest numbers of the right rows that this processor multiplies exactly; None where it never does.

    Processors without instructions of their own for it add pairs of products in 16 bits, and cut them off in silence.
    """
    for largest in (LARGEST, NARROWER):
        if all(_is_exact(*case) for case in _hard_cases(largest)):
            return largest
    return None


def _hard_cases(largest: int) -> list[tuple[NDArray[np.int8], NDArray[np.int8]]]:
    """Return rows whose products are large: all of one sign, of signs by turns, of any."""
    rng = np.random.default_rng(0)
    cases = []
    for rows, columns, width in ((33, 65, 304), (7, 40, 24), (64, 48, 33)):
        signs = [np.ones(width), np.where(np.arange(width) % 2, 1, -1), np.where(np.arange(width) % 4 < 2, 1, -1)]
        for sign in signs:
            left, right = (np.tile(sign * most, (n, 1)) for n, most in ((rows, LARGEST), (columns, largest)))
            cases += [(left, right), (left, -right)]
        cases.append(
            (rng.integers(-LARGEST, LARGEST + 1, (rows, width)), rng.integers(-largest, largest + 1, (columns, width)))
        )
    return [(left.astype(np.int8), right.astype(np.int8)) for left, right in cases]


def _is_exact(left: NDArray[np.int8], right: NDArray[np.int8]) -> bool:
    out = np.empty((len(left), len(right)), np.int32)
    integer_product(left, right, out)
    return bool((out == left.astype(np.int64) @ right.astype(np.int64).T).all())
