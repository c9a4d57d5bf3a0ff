"""Spaces in tables of Arrow: the column with the vectors, and those that may hold ids."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.errors import FormatError, UsageError, VectorError, first_few
from relcli.files import reading
from relcli.formats.arrow_tables import Table, id_columns, read_ids
from relcli.formats.format import Opened, check_shape, read_provenance
from relcli.formats.names import choose_vectors
from relcli.formats.rows import DecodedRows, collect
from relcli.spaces.id_columns import take_alone


def open_table(table: Table, *, member: str | None, id_column: str | None) -> Opened:
    """Return the vectors and ids of a table; vectors are decoded when the first row is read."""
    path = table.path
    schema, n = table.describe()
    lists = [field.name for field in schema if _is_vector(field.type)]
    if member in schema.names and member not in lists:
        raise UsageError(
            f"{path}, column {member!r} holds {schema.field(member).type}, not lists of floats. "
            f"It has {first_few(lists) or 'no such column'}."
        )
    chosen = choose_vectors(lists, member, path, what="column of float lists")
    kind = schema.field(chosen).type
    d = _width(table, chosen, kind) if n else 1
    n, d = check_shape(path, (n, d))
    columns = id_columns(table, schema, besides=[chosen], wanted=id_column)
    ids = take_alone(columns)
    dtype = np.dtype(f"float{_storage(kind).value_type.bit_width}")
    return Opened(
        DecodedRows((n, d), partial(_decode, table, chosen, ids.name if ids else None, (n, d), dtype)),
        dtype.name,
        columns,
        chosen,
        provenance=read_provenance((schema.metadata or {}).get(b"relcli")),
    )


def _storage(kind: Any) -> Any:
    return getattr(kind, "storage_type", kind)


def _is_vector(kind: Any) -> bool:
    import pyarrow.types as t

    kind = _storage(kind)
    listed = t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind)
    return listed and t.is_floating(kind.value_type)


def _width(table: Table, column: str, kind: Any) -> int:
    shape = getattr(kind, "shape", None)
    if shape is not None and len(shape) != 1:
        raise FormatError(
            f"{table.path}, column {column!r} holds tensors of shape {list(shape)}: "
            "one vector a row is wanted. Pool or flatten them first."
        )
    size = getattr(_storage(kind), "list_size", None)
    if size is not None:
        return size
    for array in table.batches(column):
        full = array.drop_null()
        if len(full):
            return len(full[0].as_py())
    raise VectorError(f"{table.path}, column {column!r} holds nothing but nulls.")


def _decode(table: Table, column: str, ids: str | None, shape: tuple[int, int], dtype: np.dtype) -> NDArray[Any]:
    with reading(table.path, "a table of vectors"):
        return collect(_blocks(table, column, ids, shape[1]), shape, dtype)


def _blocks(table: Table, column: str, ids: str | None, d: int) -> Iterator[NDArray[Any]]:
    import pyarrow as pa

    row = 0
    for array in table.batches(column):
        array = array.storage if isinstance(array, pa.ExtensionArray) else array
        # flatten() leaves out null rows, which would shift every later one
        if array.null_count:
            raise _null_rows(table, column, ids)
        lengths = _lengths(array)
        odd = np.flatnonzero(lengths != d)
        if len(odd):
            raise FormatError(
                f"{table.path}, column {column!r} holds lists of different lengths: row {row + odd[0]:,} "
                f"has {lengths[odd[0]]:,} numbers where the first has {d:,}."
            )
        # a null number becomes NaN, which later checks name
        yield _numbers(array).to_numpy(zero_copy_only=False).reshape(len(array), d)
        row += len(array)


# value_lengths() and flatten() would do, and import all of pyarrow.compute
def _lengths(array: Any) -> NDArray[Any]:
    """Return how many numbers each list [b] has."""
    size = getattr(array.type, "list_size", None)
    return np.diff(array.offsets.to_numpy()) if size is None else np.full(len(array), size)


def _numbers(array: Any) -> Any:
    """Return the numbers of lists without nulls, one after another; `values` does not mind slices."""
    size = getattr(array.type, "list_size", None)
    first = array.offsets[0].as_py() if size is None and len(array) else array.offset * (size or 0)
    return array.values.slice(first, int(_lengths(array).sum()))


def _null_rows(table: Table, column: str, ids: str | None) -> VectorError:
    empty = np.concatenate([array.is_null().to_numpy(zero_copy_only=False) for array in table.batches(column)])
    rows = np.flatnonzero(empty)
    named = read_ids(table, ids)[rows].tolist() if ids else [f"row {row}" for row in rows]
    return VectorError(
        f"{table.path}, column {column!r} has {len(rows):,} of {len(empty):,} rows without a vector: "
        f"{first_few(named)}. Drop them, or embed them."
    )
