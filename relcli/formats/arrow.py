"""Arrow IPC files and streams, Feather among them: a column of float lists and a column of ids."""

from __future__ import annotations

from pathlib import Path

from relcli.formats.arrow_tables import FILE, STREAM, ArrowTable
from relcli.formats.format import Format, Opened
from relcli.formats.tables import open_table


def open_arrow(path: Path, *, member: str | None, id_column: str | None) -> Opened:
    """Return the vectors and ids of an Arrow file or stream."""
    return open_table(ArrowTable(path), member=member, id_column=id_column)


FORMAT = Format("arrow", (".arrow", ".feather"), lambda head: head.startswith((FILE, STREAM)), open_arrow)
