"""Tables of Arrow in files, Parquet and Arrow's own: their columns, and which of these may hold ids."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from relcli.errors import IdError
from relcli.formats.ids import Ids, from_arrow, may_hold_ids
from relcli.formats.names import choose_column
from relcli.spaces.id_columns import SAMPLED, IdColumn, Trust, in_order, trust_in

_BATCH = 16_384

#: How Arrow files and Arrow streams begin.
FILE, STREAM = b"ARROW1", b"\xff\xff\xff\xff"

#: What pandas calls an index that has no name.
_NAMELESS_INDEX = ("__index_level_0__", "index", "level_0", "Unnamed: 0")


class Table(Protocol):
    """A table in a file: a picklable value that opens the file anew for each question."""

    @property
    def path(self) -> Path: ...

    def describe(self) -> tuple[Any, int]:
        """Return the Arrow schema and the number of rows."""

    def batches(self, column: str) -> Iterator[Any]:
        """Yield a column as Arrow arrays, a moderate number of rows at a time."""


@dataclass(frozen=True)
class ParquetTable:
    """A Parquet file, read row group by row group."""

    path: Path

    def describe(self) -> tuple[Any, int]:
        """Return the Arrow schema and the number of rows."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path) as file:
            return file.schema_arrow, file.metadata.num_rows

    def batches(self, column: str) -> Iterator[Any]:
        """Yield a column as Arrow arrays."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(_BATCH, columns=[column]):
                yield batch.column(column)


@dataclass(frozen=True)
class ArrowTable:
    """An Arrow file or stream, mapped and read batch by batch."""

    path: Path

    def describe(self) -> tuple[Any, int]:
        """Return the Arrow schema and the number of rows."""
        with self._open() as (schema, batches):
            return schema, sum(batch.num_rows for batch in batches)

    def batches(self, column: str) -> Iterator[Any]:
        """Yield a column as Arrow arrays."""
        with self._open() as (_, batches):
            for batch in batches:
                yield batch.column(column)

    @contextmanager
    def _open(self) -> Iterator[tuple[Any, Iterator[Any]]]:
        import pyarrow as pa

        with pa.memory_map(str(self.path)) as file:
            if file.read(len(FILE)) == FILE:
                reader = pa.ipc.open_file(file)
                yield reader.schema, map(reader.get_batch, range(reader.num_record_batches))
            else:
                file.seek(0)
                stream = pa.ipc.open_stream(file)
                yield stream.schema, iter(stream)


def read_ids(table: Table, column: str) -> Ids:
    """Return the ids [n] that a column of a table holds."""
    import pyarrow as pa

    chunks = list(table.batches(column))
    kind = chunks[0].type if chunks else table.describe()[0].field(column).type
    return from_arrow(pa.chunked_array(chunks, kind), f"{table.path}, column {column!r}")


def id_columns(table: Table, schema: Any, *, besides: Sequence[str], wanted: str | None) -> tuple[IdColumn, ...]:
    """Return the columns of a table, those `besides` left out, that may hold ids, or the wanted one alone."""
    names = [name for name in schema.names if name not in besides]
    if wanted is not None:
        return (_id_column(table, choose_column(names, wanted, table.path), Trust.GIVEN),)
    index = _pandas_index(schema)
    trusts = {name: trust for name in names if (trust := _trust_in(name, index)) is not None}
    fit = {name for name, trust in trusts.items() if may_hold_ids(schema.field(name).type, unnamed=trust is _UNNAMED)}
    found = in_order([_id_column(table, name, trusts[name]) for name in trusts if name in fit])
    odd = [name for name, trust in trusts.items() if trust is Trust.NAMED and name not in fit]
    if odd and not (found and found[0].trust <= Trust.WEAK):
        # rows must never be paired by number because a column of ids was passed over
        raise IdError(
            f"{table.path}, column {odd[0]!r} holds {schema.field(odd[0]).type}, which no ids are read from. Store ids "
            "as integers or strings, name another column with --id-column, or give a file of ids."
        )
    return found


_UNNAMED = Trust.UNNAMED


def _id_column(table: Table, name: str, trust: Trust) -> IdColumn:
    return IdColumn(name, f"column {name!r}", trust, partial(read_ids, table, name), partial(_sample, table, name))


def _sample(table: Table, name: str) -> tuple[Ids, int]:
    import pyarrow as pa

    first = next((chunk for chunk in table.batches(name) if len(chunk)), None)
    if first is None:
        raise IdError(f"{table.path}, column {name!r} is empty.")
    some = first[:SAMPLED]
    return from_arrow(pa.chunked_array([some.drop_null()], some.type), f"{table.path}, column {name!r}"), len(some)


def _trust_in(name: str, index: str | None) -> Trust | None:
    trust = trust_in(name)
    if name == index and trust is not Trust.NAMED:
        return Trust.WEAK if name in _NAMELESS_INDEX else Trust.INDEX
    return Trust.WEAK if name in _NAMELESS_INDEX else trust


def _pandas_index(schema: Any) -> str | None:
    stored = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    # a range index is a dictionary here: it says no more than the row number
    columns = stored.get("index_columns", [])
    return columns[0] if len(columns) == 1 and columns[0] in schema.names else None
