"""safetensors: one 2-D tensor, or one 1-D tensor a row, mapped rather than read, in numpy alone."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.errors import FormatError, IdError, OutputError
from relcli.files import atomic_path
from relcli.formats.format import BFLOAT16, SAVED_DTYPES, Format, Opened, check_shape, read_provenance
from relcli.formats.ids import Ids, as_ids, from_bytes, from_list
from relcli.formats.names import choose_column, choose_vectors
from relcli.formats.npy import INTEGERS, notes_on
from relcli.formats.rows import MappedRows
from relcli.spaces.id_columns import IdColumn, Trust, given_column, in_order, trust_in

#: What the library itself refuses to read: a header, which holds the ids, of more bytes.
MAX_HEADER = 100_000_000

_DTYPES = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}
_DTYPES |= {"I8": "int8", "U8": "uint8", "I16": "int16", "U16": "uint16"}
_DTYPES |= {"I32": "int32", "U32": "uint32", "I64": "int64", "U64": "uint64"}


@dataclass(frozen=True)
class Tensor:
    """A tensor's type, its shape, and the byte of the file that it starts at."""

    dtype: str
    shape: tuple[int, ...]
    offset: int

    def rows(self, path: Path, shape: tuple[int, int]) -> MappedRows:
        """Return the tensor as rows of `shape`."""
        raw = np.dtype("V2") if self.dtype == "bfloat16" else np.dtype(self.dtype).newbyteorder("<")
        return MappedRows(path, offset=self.offset, dtype=raw, shape=shape)


def open_safetensors(path: Path, *, member: str | None, id_column: str | None) -> Opened:
    """Return the only 2-D tensor of floats, or the named one, or all 1-D tensors, whose keys are the ids."""
    tensors, metadata = _read_header(path)
    wide = [name for name, tensor in tensors.items() if len(tensor.shape) == 2 and "float" in tensor.dtype]
    if member is None and not wide and id_column is None and len(tensors) > 1:
        keyed = _open_keyed(path, tensors)
        if keyed is not None:
            return keyed
    # a single tensor of another shape is complained about by its shape
    candidates = list(tensors) if member is not None or len(tensors) == 1 else wide
    chosen = choose_vectors(candidates, member, path, what="2-D tensor")
    tensor = tensors.pop(chosen)
    n, d = check_shape(path, tensor.shape)
    if "float" not in tensor.dtype and tensor.dtype not in INTEGERS:
        raise FormatError(f"{path}, tensor {chosen!r} holds {tensor.dtype}: vectors are floats, int8 or uint8.")
    columns = _id_columns(path, tensors, metadata, n, id_column)
    notes, made = notes_on(tensor.dtype), read_provenance(metadata.get("relcli"))
    return Opened(tensor.rows(path, (n, d)), tensor.dtype, columns, chosen, notes, made)


def save_safetensors(
    path: Path,
    ids: Ids,
    batches: Iterable[NDArray[Any]],
    *,
    dim: int,
    dtype: np.dtype,
    metadata: dict[str, str],
) -> None:
    """Write a tensor "vectors", and the ids as a JSON list in the metadata."""
    names = {name: key for key, name in _DTYPES.items()} | {BFLOAT16.name: "BF16"}
    size = len(ids) * dim * dtype.itemsize
    vectors = {"dtype": names[dtype.name], "shape": [len(ids), dim], "data_offsets": [0, size]}
    notes = {**metadata, "ids": json.dumps(ids.tolist(), ensure_ascii=False)}
    header = json.dumps({"__metadata__": notes, "vectors": vectors}, ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)
    if len(header) > MAX_HEADER:
        raise OutputError(
            f"{path} cannot hold {len(ids):,} ids: they take {len(header):,} bytes of a header that may "
            f"have {MAX_HEADER:,}. Save as .parquet instead."
        )
    with atomic_path(path) as target, open(target, "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for batch in batches:
            file.write(batch.view(np.uint8).data)


def _read_header(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors, in the order they lie in the file, and the metadata."""
    from safetensors import safe_open

    # checks every offset against the file's size; its numpy door would refuse bfloat16 and read copies
    with safe_open(path, framework="numpy"):
        pass
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    metadata = header.pop("__metadata__", {})
    tensors = {
        name: Tensor(
            _DTYPES.get(entry["dtype"], entry["dtype"]),
            tuple(entry["shape"]),
            8 + length + entry["data_offsets"][0],
        )
        for name, entry in header.items()
    }
    return dict(sorted(tensors.items(), key=lambda item: item[1].offset)), metadata


def _open_keyed(path: Path, tensors: Mapping[str, Tensor]) -> Opened | None:
    first = next(iter(tensors.values()))
    if len(first.shape) != 1 or "float" not in first.dtype:
        return None
    for name, tensor in tensors.items():
        if (tensor.shape, tensor.dtype) != (first.shape, first.dtype):
            raise FormatError(
                f"{path} holds one tensor a row, but {name!r} is {tensor.dtype} {list(tensor.shape)} and the "
                f"first {first.dtype} {list(first.shape)}. Make them alike, or name the tensor to take."
            )
    n, d = check_shape(path, (len(tensors), first.shape[0]))
    # the format leaves no gaps between tensors, so equal ones in file order are one matrix
    rows = first.rows(path, (n, d))
    return Opened(rows, first.dtype, (given_column("tensor names", from_list(list(tensors), str(path))),))


def _id_columns(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], rows: int, wanted: str | None
) -> tuple[IdColumn, ...]:
    if wanted is not None:
        chosen = choose_column([*tensors, *metadata], wanted, path)
        return (_id_column(path, tensors, metadata, chosen, Trust.GIVEN),)
    found = []
    for name, tensor in tensors.items():
        trust = trust_in(name)
        whole = "float" not in tensor.dtype
        if trust is Trust.UNNAMED and not (whole and tensor.shape == (rows,)):
            continue
        if trust is not None and (whole or trust is Trust.WEAK):
            found.append(_id_column(path, tensors, metadata, name, trust))
    for name, value in metadata.items():
        trust = trust_in(name)
        listed = name.lower() == "ids" or (trust is not None and trust <= Trust.LIKELY and value.lstrip()[:1] == "[")
        if name not in tensors and trust is not None and listed:
            found.append(_id_column(path, tensors, metadata, name, trust))
    return in_order(found)


def _id_column(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], name: str, trust: Trust
) -> IdColumn:
    if name in tensors:
        return IdColumn(name, f"tensor {name!r}", trust, partial(_ids_of_tensor, path, name, tensors[name]))
    return IdColumn(name, f"metadata {name!r}", trust, partial(_ids_of_metadata, path, name, metadata[name]))


def _ids_of_tensor(path: Path, name: str, tensor: Tensor) -> Ids:
    source = f"{path}, tensor {name!r}"
    if tensor.dtype == "bfloat16" or tensor.dtype not in _DTYPES.values() or len(tensor.shape) not in (1, 2):
        raise IdError(f"{source} is {tensor.dtype} {list(tensor.shape)}: ids are integers, or rows of UTF-8.")
    shape = (tensor.shape[0], math.prod(tensor.shape[1:]))
    values = tensor.rows(path, shape)[:]
    if len(tensor.shape) == 1:
        return as_ids(values[:, 0], source)
    if tensor.dtype != "uint8":
        raise IdError(f"{source} is {tensor.dtype} {list(tensor.shape)}: ids are integers, or rows of UTF-8.")
    return from_bytes(values, source)


def _ids_of_metadata(path: Path, name: str, value: str) -> Ids:
    source = f"{path}, metadata {name!r}"
    try:
        ids = json.loads(value)
    except ValueError as error:
        raise FormatError(f"{source} is no JSON: {error}. Write a list of ids there.") from error
    if not isinstance(ids, list):
        raise IdError(f"{source} holds a JSON {type(ids).__name__}: a list of ids is wanted.")
    return from_list(ids, source)


def _sniff(head: bytes) -> bool:
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= MAX_HEADER


FORMAT = Format(
    "safetensors", (".safetensors",), _sniff, open_safetensors, save_safetensors, (*SAVED_DTYPES, "bfloat16")
)
