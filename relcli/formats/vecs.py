"""The .fvecs and .bvecs of nearest-neighbour benchmarks: each row its width, then its numbers; mapped, not read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.errors import FormatError, UsageError
from relcli.files import reading
from relcli.formats.format import Format, Opened, check_shape
from relcli.formats.npy import notes_on
from relcli.formats.rows import as_slice

_DTYPES: dict[str, np.dtype] = {".fvecs": np.dtype("<f4"), ".bvecs": np.dtype("u1")}
_WIDTH = np.dtype("<i4")

#: A first width beyond this is no width: the file is something else.
_WIDEST = 1 << 20

#: Rows whose widths are looked at when the file is opened; the others when they are read.
_LOOKED_AT = 1024


class WidthRows:
    """
    Rows [n, d] with their width before each, mapped when first read; they pickle as a path.

    Every row that is read has its width checked. Keeps no memory of its own.
    """

    def __init__(self, path: Path, dtype: np.dtype, shape: tuple[int, int]) -> None:
        self.path, self.dtype, self.shape = path, dtype, shape
        self._mapped: NDArray[Any] | None = None

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        if self._mapped is None:
            layout = np.dtype([("width", _WIDTH), ("vector", self.dtype, (self.shape[1],))])
            self._mapped = np.asarray(np.memmap(self.path, layout, "r", shape=(self.shape[0],)))
        numbers = np.arange(self.shape[0])[rows] if isinstance(rows, slice) else np.asarray(rows, np.int64)
        block = self._mapped[as_slice(rows, self.shape[0])]
        odd = np.flatnonzero(block["width"] != self.shape[1])
        if len(odd):
            raise _other_width(self.path, int(numbers[odd[0]]), int(block["width"][odd[0]]), self.shape[1])
        return block["vector"].astype(self.dtype.newbyteorder("="), copy=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_mapped": None}


def open_vecs(path: Path, *, member: str | None, id_column: str | None) -> Opened:
    """Return the vectors of a .fvecs (float32) or .bvecs (uint8); it holds no ids."""
    if member is not None:
        raise UsageError(f"{path} holds vectors without a name: leave out {member!r}.")
    dtype = _DTYPES[path.suffix.lower()]
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(_WIDTH.itemsize)
    d = int(np.frombuffer(head, _WIDTH)[0]) if len(head) == _WIDTH.itemsize else 0
    if not 1 <= d <= _WIDEST:
        raise FormatError(
            f"{path} is no {path.suffix}: its first four bytes should be the width of the first row, but "
            f"{f'give {d:,}' if len(head) == 4 else f'there are {size}'}. Is it another format under this suffix?"
        )
    stride = _WIDTH.itemsize + d * dtype.itemsize
    n, rest = divmod(size, stride)
    if n:
        looked_at = np.unique(np.linspace(0, n - 1, _LOOKED_AT).astype(np.int64)) if not rest else slice(None)
        with reading(path, path.suffix):
            WidthRows(path, dtype, (n, d))[looked_at]
    if rest:
        raise FormatError(
            f"{path} is truncated: rows of {d:,} {dtype.name} are {stride:,} bytes, and after {n:,} of them "
            f"{rest:,} bytes are left. Copy or write it again."
        )
    return Opened(WidthRows(path, dtype, check_shape(path, (n, d))), dtype.name, notes=notes_on(dtype.name))


def _other_width(path: Path, row: int, width: int, d: int) -> FormatError:
    return FormatError(
        f"{path}, row {row:,} says it is {width:,} wide where the first says {d:,}: it is damaged, or its rows "
        "differ in width. Write it again with rows of one width."
    )


FORMAT = Format("vecs", tuple(_DTYPES), lambda head: False, open_vecs, headless=True)
