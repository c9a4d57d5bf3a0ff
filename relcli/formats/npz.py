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
from relcli.formats.names import choose_column, choose_vectors
from relcli.formats.npy import Header, notes_on, read_header, vector_dtype
from relcli.formats.rows import DecodedRows
from relcli.spaces.id_columns import IdColumn, Trust, in_order, trust_in


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
    others = {name: header for name, header in headers.items() if name != chosen}
    return Opened(
        DecodedRows((n, d), partial(_load, path, chosen)),
        kind,
        _id_columns(path, others, n, id_column),
        chosen,
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


def _id_columns(path: Path, headers: Mapping[str, Header], rows: int, wanted: str | None) -> tuple[IdColumn, ...]:
    if wanted is not None:
        choose_column(list(headers), wanted, path)
        trusts = {wanted: Trust.GIVEN}
    else:
        flat = [name for name, (shape, _, _) in headers.items() if len(shape) == 1 or shape[1:] == (1,)]
        trusts = {name: trust for name in flat if (trust := trust_in(name)) is not None}
    found = []
    for name, trust in trusts.items():
        shape, _, dtype = headers[name]
        if trust is Trust.UNNAMED and not (dtype.kind in "iuUS" and shape == (rows,)):
            continue
        if dtype.hasobject and trust <= Trust.LIKELY:
            raise refuse_pickle(path)
        found.append(_id_column(path, name, trust))
    return in_order(found)


def _id_column(path: Path, name: str, trust: Trust) -> IdColumn:
    return IdColumn(name, f"array {name!r}", trust, partial(_load_ids, path, name))


def _load(path: Path, name: str) -> NDArray[Any]:
    with reading(path, "npz"), np.load(path, allow_pickle=False) as arrays:
        vectors = arrays[name]
    return vectors.astype(vectors.dtype.newbyteorder("="), copy=False)


def _load_ids(path: Path, name: str) -> Ids:
    found = as_ids(_load(path, name), f"{path}, array {name!r}")
    return found[:, 0] if found.shape[1:] == (1,) else found


FORMAT = Format("npz", (".npz",), lambda head: head.startswith(b"PK\x03\x04"), open_npz)
