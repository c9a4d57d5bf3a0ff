"""Rows that are read on demand: mapped from a file, decoded on first touch, or stacked from shards."""

from __future__ import annotations

import math
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from relcli.errors import OutputError
from relcli.spaces.space import Rows

#: Decoded rows are kept in memory up to this many bytes in all, and in a temporary file beyond.
MEMORY_BUDGET = 512 << 20

#: Rows that are decoded bit by bit are decoded but once, and kept, where they take no more than this.
SMALL = 64 << 20


class MappedRows:
    """
    Rows [n, d] that lie uncompressed in a file, mapped when first read; they pickle as a path.

    Keeps no memory of its own: the pages belong to the operating system.
    """

    def __init__(
        self,
        path: Path,
        *,
        offset: int,
        dtype: np.dtype,
        shape: tuple[int, int],
        order: Literal["C", "F"] = "C",
    ) -> None:
        self.path, self.offset, self.dtype, self.shape, self.order = path, offset, dtype, shape, order
        self._mapped: NDArray[Any] | None = None

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        if self._mapped is None:  # two threads may both map the file: harmless, the last one stays
            self._mapped = np.asarray(np.memmap(self.path, self.dtype, "r", self.offset, self.shape, order=self.order))
        block = self._mapped[as_slice(rows, self.shape[0])]
        return block.astype(self.dtype.newbyteorder("="), copy=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_mapped": None}


class DecodedRows:
    """
    Rows [n, d] that must be decoded whole: `decode()` runs once, when the first row is read.

    They pickle as `decode`, so a worker decodes for itself. Keeps the decoded rows, in memory
    or in a temporary file.
    """

    def __init__(self, shape: tuple[int, int], decode: Callable[[], NDArray[Any]]) -> None:
        self.shape = shape
        self._decode = decode
        self._decoded: NDArray[Any] | None = None
        self._lock = threading.Lock()

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        with self._lock:
            if self._decoded is None:
                self._decoded = self._decode()
        return self._decoded[as_slice(rows, self.shape[0])]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.shape, self._decode)


class StackedRows:
    """The rows of several shards, one after another; only the shards that are asked for are read."""

    def __init__(self, parts: Sequence[Rows]) -> None:
        self.parts = tuple(parts)
        self.ends = np.cumsum([part.shape[0] for part in parts])
        self.shape = (int(self.ends[-1]), parts[0].shape[1])

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        rows = as_slice(rows, self.shape[0])
        if isinstance(rows, slice):
            start, stop, step = rows.indices(self.shape[0])
            if step == 1:
                return self._between(start, max(start, stop))
            rows = np.arange(start, stop, step)
        return self._gather(rows)

    def _between(self, start: int, stop: int) -> NDArray[Any]:
        first, last = np.searchsorted(self.ends, [start, max(start, stop - 1)], side="right")
        # an empty slice at the very end falls behind the last shard
        first, last = min(first, len(self.parts) - 1), min(last, len(self.parts) - 1)
        blocks = []
        for part in range(first, last + 1):
            begin = self.ends[part] - self.parts[part].shape[0]
            blocks.append(self.parts[part][max(0, start - begin) : stop - begin])
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _gather(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        if not len(rows):
            return self._between(0, 0)
        rows = np.where(rows < 0, rows + self.shape[0], rows)
        owner = np.searchsorted(self.ends, rows, side="right")
        touched = np.unique(owner)
        places = [np.flatnonzero(owner == part) for part in touched]
        blocks = [
            self.parts[part][rows[here] - (self.ends[part] - self.parts[part].shape[0])]
            for part, here in zip(touched, places, strict=True)
        ]
        out = np.empty((len(rows), self.shape[1]), blocks[0].dtype)
        out[np.concatenate(places)] = np.concatenate(blocks)
        return out


def as_slice(rows: Any, n: int) -> Any:
    """Return an index array that counts up by one as the slice it is (a view, not a copy), else `rows`."""
    if isinstance(rows, slice):
        return rows
    rows = np.asarray(rows, dtype=np.int64)
    inside = len(rows) > 0 and rows[0] >= 0 and rows[-1] < n
    if inside and rows[-1] - rows[0] == len(rows) - 1 and np.all(np.diff(rows) == 1):
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def collect(blocks: Iterable[NDArray[Any]], shape: tuple[int, int], dtype: np.dtype) -> NDArray[Any]:
    """Return blocks [b, d] as one array of `shape`: in memory while the budget lasts, else a mapped file."""
    size = math.prod(shape) * dtype.itemsize
    if not _budget.take(size):
        return _spool(blocks, shape, dtype)
    out = np.empty(shape, dtype)
    weakref.finalize(out, _budget.give, size)
    filled = 0
    for block in blocks:
        out[filled : filled + len(block)] = block
        filled += len(block)
    return out


def keep_small(rows: Rows, dtype: np.dtype) -> Rows:
    """Return rows that are decoded whenever they are read, or, where they are small, once and for all."""
    if math.prod(rows.shape) * dtype.itemsize > SMALL:
        return rows
    return DecodedRows(rows.shape, partial(_collect_all, rows, dtype))


def _collect_all(rows: Rows, dtype: np.dtype) -> NDArray[Any]:
    step = max(1, (4 << 20) // (rows.shape[1] * dtype.itemsize))
    blocks = (rows[start : start + step] for start in range(0, rows.shape[0], step))
    return collect(blocks, rows.shape, dtype)


def _spool(blocks: Iterable[NDArray[Any]], shape: tuple[int, int], dtype: np.dtype) -> NDArray[Any]:
    # A nameless file: its room comes back when the mapping ends, however the process does. It is
    # written, not filled through a mapping, because a full disk kills a process that writes to one.
    with tempfile.TemporaryFile() as file:
        try:
            for block in blocks:
                file.write(np.ascontiguousarray(block, dtype).data)
            file.flush()
        except OSError as error:
            raise OutputError(
                f"{tempfile.gettempdir()} has no room for {math.prod(shape) * dtype.itemsize:,} bytes of "
                f"decoded vectors ({error.strerror}). Point TMPDIR to a larger folder."
            ) from error
        return np.memmap(file, dtype, "r", shape=shape)


class _Budget:
    def __init__(self) -> None:
        self._taken = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        with self._lock:
            fits = self._taken + size <= MEMORY_BUDGET
            self._taken += size if fits else 0
        return fits

    def give(self, size: int) -> None:
        # without the lock: a finalizer may run inside take, in the same thread
        self._taken -= size


_budget = _Budget()
