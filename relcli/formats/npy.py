"""NumPy's .npy: one array [n, d], mapped rather than read; ids go beside it, one a line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from relcli.errors import FormatError, OutputError, UsageError
from relcli.files import atomic_path, reading
from relcli.formats.format import Format, Opened, check_shape, read_provenance, refuse_pickle
from relcli.formats.ids import Ids
from relcli.formats.rows import MappedRows

#: Types of numbers that embeddings are stored in; quantised ones are taken too, with a note.
FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("int8", "uint8")

Header = tuple[tuple[int, ...], bool, np.dtype]


def read_header(file: IO[bytes]) -> Header:
    """Return the shape, whether it is in Fortran order, and the dtype; `file` then stands at the data."""
    version = npy.read_magic(file)
    if version == (1, 0):
        return npy.read_array_header_1_0(file)
    if version == (2, 0):
        return npy.read_array_header_2_0(file)
    raise ValueError(f"version {version} of .npy is for records, not vectors")


def vector_dtype(dtype: np.dtype, path: Path) -> str:
    """Return the name of a dtype that vectors may have, or say why it is none."""
    if dtype.hasobject:
        raise refuse_pickle(path)
    if dtype.kind == "V" and dtype.itemsize == 2 and dtype.names is None:
        return "bfloat16"  # numpy knows no bfloat16 and saves it as two raw bytes
    if dtype.name in (*FLOATS, *INTEGERS):
        return dtype.name
    raise FormatError(
        f"{path} holds {dtype}: vectors are {', '.join(FLOATS + INTEGERS)}. Is it a file of ids or labels?"
    )


def notes_on(dtype: str) -> tuple[str, ...]:
    """Return what a report should say about vectors of this type."""
    return (f"{dtype} vectors are read as floats, not rescaled",) if dtype in INTEGERS else ()


def open_npy(path: Path, *, member: str | None, id_column: str | None) -> Opened:
    """Return the array of a .npy, whatever its byte order or memory order; it holds no ids."""
    if member is not None:
        raise UsageError(f"{path} holds one array without a name: leave out {member!r}.")
    with open(path, "rb") as file:
        shape, fortran, dtype = read_header(file)
        offset = file.tell()
    name = vector_dtype(dtype, path)
    n, d = check_shape(path, shape)
    held, wanted = os.path.getsize(path) - offset, n * d * dtype.itemsize
    if held < wanted:
        raise FormatError(
            f"{path} is truncated: {n:,} x {d:,} {name} are {wanted:,} bytes, but it holds {held:,}. "
            "Copy or write it again."
        )
    rows = MappedRows(path, offset=offset, dtype=dtype, shape=(n, d), order="F" if fortran else "C")
    return Opened(rows, name, notes=notes_on(name), provenance=_provenance_of(path, (n, d)))


def _provenance_of(path: Path, shape: tuple[int, int]) -> dict[str, Any] | None:
    beside = _beside(path)
    if not beside.is_file():
        return None
    with reading(beside, "what relcli says of a .npy"):
        made = read_provenance(beside.read_bytes())
        # another program may have written the .npy again since
        return made["provenance"] if made and tuple(made["shape"]) == shape else None


def sidecars_of(path: Path) -> list[Path]:
    """Return the files that saving `path` writes beside it."""
    return [path.with_name(f"{path.stem}.ids.txt"), _beside(path)] if path.suffix.lower() == ".npy" else []


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}.relcli.json")


def save_npy(
    path: Path,
    ids: Ids,
    batches: Iterable[NDArray[Any]],
    *,
    dim: int,
    dtype: np.dtype,
    metadata: dict[str, str],
) -> None:
    """
    Write `path` and its sidecar <stem>.ids.txt; a .npy has no place for metadata.

    Of the metadata only the provenance is kept, in <stem>.relcli.json with the shape of the array it is for.
    """
    odd = [name for name in ids.tolist() if not name.strip() or "\n" in name or name.endswith("\r")]
    if odd:
        raise OutputError(
            f"{path} cannot have {odd[0]!r} among its ids: they are kept one a line. "
            "Save as .parquet or .safetensors instead."
        )
    header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": (len(ids), dim)}
    beside = path.with_name(f"{path.stem}.ids.txt")
    made = metadata.get("relcli")
    with ExitStack() as files:
        # left in the opposite order: the vectors arrive last
        target, sidecar = files.enter_context(atomic_path(path)), files.enter_context(atomic_path(beside))
        if made is not None:
            provenance = {"shape": [len(ids), dim], "provenance": json.loads(made)}
            files.enter_context(atomic_path(_beside(path))).write_text(json.dumps(provenance, indent=1) + "\n")
        sidecar.write_bytes("".join(f"{name}\n" for name in ids.tolist()).encode())
        with open(target, "wb") as file:
            npy.write_array_header_1_0(file, header)
            for batch in batches:
                file.write(batch.data)
        # Two renames are not one: killed between them, no old vectors may stand beside new ids.
        path.unlink(missing_ok=True)
        if made is None:
            _beside(path).unlink(missing_ok=True)


FORMAT = Format("npy", (".npy",), lambda head: head.startswith(b"\x93NUMPY"), open_npy, save_npy)
