"""The rows of one space by themselves: means and spreads of their columns, and what tells each row apart."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from relcli.accumulators.accumulator import Context
from relcli.accumulators.tiles import Index
from relcli.arrays import Floats, row_norms
from relcli.spaces.pairing import PairedBatch

#: The two sides of a pair.
SIDES = ("x", "y")


class Columns:
    """
    The mean [d] and the sum of squared deviations [d] of each column of one side, x unless told otherwise.

    They are over pairs of which no row is bad or zero; a space streamed alone (dy = 0) has one row a pair. Merged by
    Chan's formula, so that no digits are lost where the mean is far larger than the spread. Keeps 2·d numbers.
    """

    def __init__(self, dx: int, dy: int, *, side: str = "x") -> None:
        self.dx, self.dy, self.side = dx, dy, side
        self.count = 0
        dim = dx if side == "x" else dy
        self.mean, self.squares = np.zeros(dim), np.zeros(dim)

    @classmethod
    def empty(cls, context: Context, dx: int, dy: int) -> Self:
        return cls(dx, dy)

    def fresh(self) -> Self:
        return type(self)(self.dx, self.dy, side=self.side)

    def update(self, batch: PairedBatch) -> None:
        good = good_rows(batch.x)
        if self.dy:
            good &= good_rows(batch.y)
        rows = (batch.x if self.side == "x" else batch.y)[good]
        mean = rows.sum(axis=0) / max(len(rows), 1)
        self._add(len(rows), mean, np.sum((rows - mean) ** 2, axis=0))

    def merge(self, other: Self) -> None:
        self._add(other.count, other.mean, other.squares)

    def _add(self, count: int, mean: Floats, squares: Floats) -> None:
        if not count:
            return
        total = self.count + count
        apart = mean - self.mean
        self.squares = self.squares + squares + apart**2 * (self.count * count / total)
        self.mean = self.mean + apart * (count / total)
        self.count = total

    @property
    def variance(self) -> Floats:
        """The variance [d] of each column; exactly 0 where it is nothing but rounding."""
        variance = self.squares / max(self.count, 1)
        return np.where(variance > (1e-14 * self.mean) ** 2, variance, 0.0)


class Fingerprints:
    """
    The norm and a 64-bit hash of the numbers of each row of x that is neither bad nor zero.

    Equal rows have equal hashes; two of 10⁶ unequal ones share one with a chance of 3·10⁻⁸. Keeps 24 bytes a row.
    """

    def __init__(self) -> None:
        self._parts: list[tuple[Index, Floats, NDArray[np.uint64]]] = []

    @classmethod
    def empty(cls, context: Context, dx: int, dy: int) -> Self:
        return cls()

    def fresh(self) -> Self:
        return type(self)()

    def update(self, batch: PairedBatch) -> None:
        good = np.flatnonzero(good_rows(batch.x))
        rows = batch.x[good]
        self._parts.append((batch.rank[good], row_norms(rows), _hash_rows(rows)))

    def merge(self, other: Self) -> None:
        self._parts.extend((rank.copy(), norms.copy(), hashes.copy()) for rank, norms, hashes in other._parts)

    def _joined(self) -> tuple[Index, Floats, NDArray[np.uint64]]:
        none = np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.uint64)
        rank, norms, hashes = (np.concatenate(part) for part in zip(*self._parts, none, strict=True))
        order = np.argsort(rank)
        return rank[order], norms[order], hashes[order]

    @property
    def norms(self) -> Floats:
        """The Euclidean norms, in order of rank."""
        return self._joined()[1]

    @property
    def repeated(self) -> Index:
        """The ranks of rows that are equal to one of a smaller rank, in order."""
        rank, _, hashes = self._joined()
        _, first = np.unique(hashes, return_index=True)
        again = np.ones(len(rank), bool)
        again[first] = False
        return rank[again]


def good_rows(rows: Floats) -> NDArray[np.bool_]:
    """Return which rows hold only finite numbers, not all zero, whose squares can be summed."""
    squares = np.einsum("ij,ij->i", rows, rows)
    return np.isfinite(squares) & (squares > 0)


def _hash_rows(rows: Floats) -> NDArray[np.uint64]:
    # -0.0 is 0.0; the mixing lets high bits, all that float16 numbers have, reach the low ones
    bits = (rows + 0.0).view(np.uint64)
    bits ^= bits >> np.uint64(32)
    bits *= np.uint64(0x9E3779B97F4A7C15)
    bits ^= bits >> np.uint64(29)
    column = np.random.default_rng(0).integers(0, 2**64, size=rows.shape[1], dtype=np.uint64) | np.uint64(1)
    bits *= column
    return bits.sum(axis=1, dtype=np.uint64)
