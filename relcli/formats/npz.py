"""NumPy's .npz: a zip of named arrays, one of which holds the vectors and perhaps one the ids."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.errors import FormatError
from relcli.files import reading
from relcli.formats.format import Format, Opened, check_shape, refuse_pickle
from relcli.formats.ids import Ids, as_ids
from relcli.formats.names import ID_NAMES, WEAK_ID_NAMES, by_name, choose_column, choose_vectors
from relcli.formats.npy import Header, notes_on, read_header, vector_dtype
from relcli.formats.rows import DecodedRows


def open_npz(path: Path, *, member: str | None, id_column: str | None) -> Opened:
    """Return the only 2-D array of floats of a .npz, or the named one; it is read when first touched."""
    headers = _read_headers(path)
    wide = [name for name, (shape, _, dtype) in headers.items() if len(shape) == 2 and dtype.kind in "fV"]
    chosen = choose_vectors(
        list(headers) if member is not None else wide or _explain(path, headers),
        member,
        path,
        what="2-D array",
    )
    shape, _, dtype = headers[chosen]
    kind = vector_dtype(dtype, path)
    n, d = check_shape(path, shape)
    ids = _choose_ids({name: header for name, header in headers.items() if name != chosen}, id_column, path)
    return Opened(
        DecodedRows((n, d), partial(_load, path, chosen)),
        kind,
        read_ids=partial(_load_ids, path, ids) if ids else None,
        id_source=f"array {ids!r}",
        member=chosen,
        notes=notes_on(kind),
    )


def _read_headers(path: Path) -> dict[str, Header]:
    headers = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.endswith("data.pkl"):  # what torch.save writes is a zip, too
                raise refuse_pickle(path, library="torch")
            if not info.filename.endswith(".npy"):
                continue
            name = info.filename.removesuffix(".npy")
            with archive.open(info) as file:
                headers[name] = read_header(file)
                shape, _, dtype = headers[name]
                if info.file_size - file.tell() < math.prod(shape) * dtype.itemsize and not dtype.hasobject:
                    raise FormatError(f"{path}, array {name!r} is truncated: {info.file_size:,} bytes for {shape}.")
    return headers


def _explain(path: Path, headers: Mapping[str, Header]) -> list[str]:
    """Return the arrays to complain about when none is 2-D; the complaint itself, when there is but one."""
    if len(headers) == 1:
        return list(headers)
    if any(dtype.hasobject for _, _, dtype in headers.values()):
        raise refuse_pickle(path)
    return []


def _choose_ids(headers: Mapping[str, Header], wanted: str | None, path: Path) -> str | None:
    if wanted is not None:
        chosen: str | None = choose_column(list(headers), wanted, path)
    else:
        flat = [name for name, (shape, _, _) in headers.items() if len(shape) == 1]
        chosen = by_name(flat, (*ID_NAMES, *WEAK_ID_NAMES))
    if chosen is not None and headers[chosen][2].hasobject:
        raise refuse_pickle(path)
    return chosen


def _load(path: Path, name: str) -> NDArray[Any]:
    with reading(path, "npz"), np.load(path, allow_pickle=False) as arrays:
        vectors = arrays[name]
    return vectors.astype(vectors.dtype.newbyteorder("="), copy=False)


def _load_ids(path: Path, name: str) -> Ids:
    return as_ids(_load(path, name), f"{path}, array {name!r}")


FORMAT = Format("npz", (".npz",), lambda head: head.startswith(b"PK\x03\x04"), open_npz)
