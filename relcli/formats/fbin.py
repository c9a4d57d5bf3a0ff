"""The .fbin, .u8bin and .i8bin of nearest-neighbour benchmarks: n and d, then the numbers; mapped, not read."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from relcli.errors import FormatError, UsageError
from relcli.formats.format import Format, Opened, check_shape
from relcli.formats.npy import notes_on
from relcli.formats.rows import MappedRows

_DTYPES: dict[str, np.dtype] = {".fbin": np.dtype("<f4"), ".u8bin": np.dtype("u1"), ".i8bin": np.dtype("i1")}
_HEADER = np.dtype("<u4")


def open_fbin(path: Path, *, member: str | None, id_column: str | None) -> Opened:
    """Return the vectors of a .fbin (float32), .u8bin (uint8) or .i8bin (int8); it holds no ids."""
    if member is not None:
        raise UsageError(f"{path} holds vectors without a name: leave out {member!r}.")
    dtype = _DTYPES[path.suffix.lower()]
    size, offset = os.path.getsize(path), 2 * _HEADER.itemsize
    with open(path, "rb") as file:
        head = file.read(offset)
    if len(head) < offset:
        raise FormatError(f"{path} is truncated: {size} bytes, where its header n, d takes {offset}. Copy it again.")
    n, d = check_shape(path, np.frombuffer(head, _HEADER).tolist())
    wanted = n * d * dtype.itemsize
    if size - offset != wanted:
        told = "is truncated" if size - offset < wanted else "holds more than its header says"
        raise FormatError(
            f"{path} {told}: {n:,} x {d:,} {dtype.name} are {wanted:,} bytes, but after the header there are "
            f"{size - offset:,}. Copy it again, or, if it was cut on purpose, mend the header."
        )
    return Opened(MappedRows(path, offset=offset, dtype=dtype, shape=(n, d)), dtype.name, notes=notes_on(dtype.name))


FORMAT = Format("fbin", tuple(_DTYPES), lambda head: False, open_fbin, headless=True)
