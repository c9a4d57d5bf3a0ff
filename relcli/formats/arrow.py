"""Arrow IPC files and streams, Feather among them: a column of float lists and a column of ids."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relcli.formats.format import Format, Opened
from relcli.formats.tables import open_table

_FILE = b"ARROW1"
_STREAM = b"\xff\xff\xff\xff"


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
            if file.read(len(_FILE)) == _FILE:
                reader = pa.ipc.open_file(file)
                yield reader.schema, map(reader.get_batch, range(reader.num_record_batches))
            else:
                file.seek(0)
                stream = pa.ipc.open_stream(file)
                yield stream.schema, iter(stream)


def open_arrow(path: Path, *, member: str | None, id_column: str | None) -> Opened:
    """Return the vectors and ids of an Arrow file or stream."""
    return open_table(ArrowTable(path), member=member, id_column=id_column)


FORMAT = Format("arrow", (".arrow", ".feather"), lambda head: head.startswith((_FILE, _STREAM)), open_arrow)
