"""Arrow tables, as Parquet and Arrow files hold them: the column with the vectors, the one with the ids."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from relcli.errors import FormatError, IdError, UsageError, VectorError, first_few
from relcli.files import reading
from relcli.formats.format import Opened, check_shape, read_provenance
from relcli.formats.ids import Ids, from_arrow, may_hold_ids
from relcli.formats.names import ID_NAMES, WEAK_ID_NAMES, by_name, choose_column, choose_vectors
from relcli.formats.rows import DecodedRows, collect


class Table(Protocol):
    """A table in a file: a picklable value that opens the file anew for each question."""

    @property
    def path(self) -> Path: ...

    def describe(self) -> tuple[Any, int]:
        """Return the Arrow schema and the number of rows."""

    def batches(self, column: str) -> Iterator[Any]:
        """Yield a column as Arrow arrays, a moderate number of rows at a time."""


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
    ids = _choose_ids(schema, chosen, id_column, path)
    dtype = np.dtype(f"float{_storage(kind).value_type.bit_width}")
    return Opened(
        DecodedRows((n, d), partial(_decode, table, chosen, ids, (n, d), dtype)),
        dtype.name,
        read_ids=partial(_read_ids, table, ids) if ids else None,
        id_source=f"column {ids!r}",
        member=chosen,
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


def _choose_ids(schema: Any, vectors: str, wanted: str | None, path: Path) -> str | None:
    names = [name for name in schema.names if name != vectors]
    if wanted is not None:
        return choose_column(names, wanted, path)
    fit = [name for name in names if may_hold_ids(schema.field(name).type)]
    found = by_name(fit, ID_NAMES) or _pandas_index(schema, fit) or by_name(fit, WEAK_ID_NAMES)
    odd = by_name(names, ID_NAMES)
    if found is None and odd is not None:
        # rows must never be paired by number because a column of ids was passed over
        raise IdError(
            f"{path}, column {odd!r} holds {schema.field(odd).type}, which no ids are read from. Store ids as integers "
            "or strings, name another column with --id-column, or give a file of ids."
        )
    return found


def _pandas_index(schema: Any, names: Sequence[str]) -> str | None:
    stored = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    # a range index is a dictionary here: it says no more than the row number
    columns = stored.get("index_columns", [])
    return columns[0] if len(columns) == 1 and columns[0] in names else None


def _read_ids(table: Table, column: str) -> Ids:
    import pyarrow as pa

    return from_arrow(pa.chunked_array(list(table.batches(column))), f"{table.path}, column {column!r}")


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
        lengths = array.value_lengths().to_numpy(zero_copy_only=False)
        odd = np.flatnonzero(lengths != d)
        if len(odd):
            raise FormatError(
                f"{table.path}, column {column!r} holds lists of different lengths: row {row + odd[0]:,} "
                f"has {lengths[odd[0]]:,} numbers where the first has {d:,}."
            )
        # unlike values, flatten() minds slices; a null number becomes NaN, which later checks name
        yield array.flatten().to_numpy(zero_copy_only=False).reshape(len(array), d)
        row += len(array)


def _null_rows(table: Table, column: str, ids: str | None) -> VectorError:
    empty = np.concatenate([array.is_null().to_numpy(zero_copy_only=False) for array in table.batches(column)])
    rows = np.flatnonzero(empty)
    named = _read_ids(table, ids)[rows].tolist() if ids else [f"row {row}" for row in rows]
    return VectorError(
        f"{table.path}, column {column!r} has {len(rows):,} of {len(empty):,} rows without a vector: "
        f"{first_few(named)}. Drop them, or embed them."
    )
