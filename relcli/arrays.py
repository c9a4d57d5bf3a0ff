"""numpy or torch arrays in, numpy out; number formats numpy lacks; products that are exact. Torch's only door."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Cosines that decide an order are compared as multiples of this: finer than float32 can tell apart,
#: coarser than the rounding of a float64 dot product, so that equal cosines are ties and stay ties.
GRID = 2.0**-40

#: Bits after the point of the leading slice of a unit row: the product of two has 52, all a float64 holds.
_LEADING_BITS = 26


def bfloat16_to_float32(bits: NDArray[Any]) -> NDArray[np.float32]:
    """Return bfloat16 numbers, given as 2-byte raw or uint16 values of any shape, as float32."""
    halves = np.ascontiguousarray(bits).view(np.uint16)
    return (halves.astype(np.uint32) << 16).view(np.float32)


def float32_to_bfloat16(values: Any) -> NDArray[Any]:
    """Return floats of any shape as bfloat16 in 2 raw bytes each, rounded to the nearest, ties to even; NaN stays."""
    floats = np.ascontiguousarray(values, np.float32)
    bits = floats.view(np.uint32)
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    # adding to the bits of a NaN may carry it to an infinity
    return np.where(np.isnan(floats), (bits >> 16) | 0x40, rounded).astype(np.uint16).view("V2")


def from_torch(values: Any) -> Any:
    """Return a torch tensor as a numpy array (bfloat16 widened), anything else as it is."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(values, torch.Tensor):
        return values
    tensor = values.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def to_numpy(values: Any) -> NDArray[Any]:
    """Return values of any float dtype as a numpy array of numbers: tensors and raw bfloat16 included."""
    array = np.asarray(from_torch(values))
    if array.dtype.kind == "V" and array.dtype.itemsize == 2:
        return bfloat16_to_float32(array)
    return array


def to_float64(values: Any) -> Floats:
    """Return values of any float dtype, bfloat16 and torch tensors included, as C-ordered float64."""
    return np.ascontiguousarray(to_numpy(values), dtype=np.float64)


def to_float32(values: Any) -> NDArray[np.float32] | None:
    """Return values of float16, bfloat16 or float32 as C-ordered float32, None where that would lose digits."""
    array = to_numpy(values)
    if array.dtype.kind != "f" or array.dtype.itemsize > 4:
        return None
    return np.ascontiguousarray(array, dtype=np.float32)


def row_norms(v: Floats) -> Floats:
    """Return the Euclidean norm [n] of each row of v [n, d]; the same bits wherever the row stands."""
    return np.sqrt(np.einsum("ij,ij->i", v, v))


def unit_rows(v: Floats) -> Floats:
    """Return v [n, d] with every row divided by its Euclidean norm; zero rows stay zero."""
    norms = row_norms(v)
    return v / np.where(norms > 0, norms, 1.0)[:, None]


def on_grid(scores: Floats) -> Floats:
    """Return cosines rounded to multiples of GRID."""
    return np.rint(scores / GRID) * GRID


class ExactProduct:
    """
    The product of unit rows with a fixed set of unit rows, the same bits however it is computed.

    Each number is split into a leading slice, a multiple of 2^-26, and a trailing one. By
    Cauchy-Schwarz no partial sum of the leading products exceeds 1, nor of the mixed ones
    2^-26 sqrt(d), so both sums are exact in float64: no blocking, thread count, order or fused
    multiplication can show. What is left out is at most √d · 2^(⌈log₂ d / 2⌉ − 52) + d · 2^-54, for d = 300 about
    1e-13, and a tenth of that on rows that point anywhere.
    """

    def __init__(self, fixed: Floats) -> None:
        self.bits = 52 - math.ceil(math.log2(max(fixed.shape[1], 1)) / 2)
        leading, trailing = self._slices(fixed)
        self._leading = leading
        self._mixed = np.concatenate([trailing, leading], axis=1)

    def _slices(self, v: Floats) -> tuple[Floats, Floats]:
        leading = np.ldexp(np.rint(np.ldexp(v, _LEADING_BITS)), -_LEADING_BITS)
        trailing = np.ldexp(np.rint(np.ldexp(v - leading, self.bits)), -self.bits)
        return leading, trailing

    def __call__(self, v: Floats) -> Floats:
        """Return v · fixedᵀ [b, a] for unit rows v [b, d]; the slices of 1,024 rows at a time are kept."""
        product = np.empty((len(v), len(self._leading)))
        for start in range(0, len(v), 1024):
            rows = slice(start, start + 1024)
            leading, trailing = self._slices(v[rows])
            np.matmul(leading, self._leading.T, out=product[rows])
            product[rows] += np.concatenate([leading, trailing], axis=1) @ self._mixed.T
        return product


class ExactSum:
    """
    The sum [d] of rows in twice the precision of float64: the same bits in whatever order they come.

    Every addition keeps its rounding error (TwoSum: Knuth, TAOCP 2, 4.2.2), so the result is the true sum
    rounded once. Keeps 2·d numbers.
    """

    def __init__(self, dim: int) -> None:
        self._sum, self._error = np.zeros(dim), np.zeros(dim)

    def add(self, rows: Floats) -> None:
        """Add rows [b, d], by halves."""
        total, error = rows, np.zeros(rows.shape)
        while len(total) > 1:
            if len(total) % 2:
                self._take(total[-1], error[-1])
            half = len(total) // 2
            total, lost = _two_sum(total[:half], total[half : 2 * half])
            error = error[:half] + error[half : 2 * half] + lost
        if len(total):
            self._take(total[0], error[0])

    def merge(self, other: ExactSum) -> None:
        """Add another sum."""
        self._take(other._sum, other._error)

    def _take(self, total: Floats, error: Floats) -> None:
        total, lost = _two_sum(self._sum, total)
        self._sum, self._error = _two_sum(total, self._error + error + lost)

    @property
    def value(self) -> Floats:
        """The sum [d], rounded once."""
        return self._sum + self._error


def _two_sum(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Return a + b and what its rounding lost."""
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


def product_rate() -> float:
    """Return how many 10⁹ float32 operations a second one thread does on a tile of scores, in about 50 ms."""
    import time

    rows, columns, dim = 510, 2040, 303
    a, b = np.ones((rows, dim), np.float32), np.ones((columns, dim), np.float32)
    out = np.empty((rows, columns), np.float32)
    best = np.inf
    with one_blas_thread():
        for _ in range(8):
            begun = time.perf_counter()
            np.matmul(a, b.T, out=out)
            best = min(best, time.perf_counter() - begun)
    return 2 * rows * columns * dim / best / 1e9


def one_blas_thread() -> AbstractContextManager[Any]:
    """
    Return a context in which BLAS keeps to one thread: sums then add up in one order, and our own threads do not wait.

    Libraries are looked for again only after further modules were imported: it takes 2 ms, more than many a product.
    """
    from threadpoolctl import ThreadpoolController

    seen = len(sys.modules)
    controller = _controllers.get(seen)
    if controller is None:
        controller = ThreadpoolController()
        _controllers.clear()
        _controllers[seen] = controller
    limits: AbstractContextManager[Any] = controller.limit(limits=1)
    return limits


_controllers: dict[int, Any] = {}


def torch_is_loaded() -> bool:
    """Return whether torch has been imported: it takes a second or two."""
    return "torch" in sys.modules


_torch_threads = threading.local()


def _torch() -> Any:
    """Return torch, which keeps to one thread in the thread that asks."""
    import torch

    if not getattr(_torch_threads, "one", False):
        # our own threads take tiles in turn: none of them shall start more
        torch.set_num_threads(1)
        _torch_threads.one = True
    return torch


@contextmanager
def torch_threads_kept() -> Iterator[None]:
    """Give torch back the number of threads that it has when this begins, if it is loaded by then."""
    before = sys.modules["torch"].get_num_threads() if torch_is_loaded() else None
    try:
        yield
    finally:
        if before is not None:
            sys.modules["torch"].set_num_threads(before)
            _torch_threads.one = False


def integer_product(a: NDArray[np.int8], b: NDArray[np.int8], out: NDArray[np.int32]) -> None:
    """Write a · bᵀ [n, n'] to `out`: exact only as far as the processor's own product is."""
    torch = _torch()
    torch._int_mm(torch.from_numpy(a), torch.from_numpy(b).T, out=torch.from_numpy(out))


def bfloat16_product(a: NDArray[Any], b: NDArray[Any], out: NDArray[np.float32]) -> None:
    """Write a · bᵀ [n, n'] of rows of bfloat16, in 2 raw bytes each, to `out`, rounded to bfloat16."""
    torch = _torch()
    left, right = (torch.from_numpy(rows.view(np.int16)).view(torch.bfloat16) for rows in (a, b))
    torch.from_numpy(out).copy_(torch.mm(left, right.T))
