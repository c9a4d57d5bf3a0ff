"""Predictions on disk: a row each in Parquet and CSV, a line each in JSON lines, written as they come."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from relcli.files import atomic_path
from relcli.formats.items import SUFFIXES, check_items_path

#: How columns of numbers are called; all others hold texts.
_NUMBERS = ("score", "margin", "prediction")

#: Columns by name, each a list of texts or numbers; None where there is nothing to say.
Columns = Mapping[str, Sequence[Any]]


def joined_columns(batches: Iterable[Columns]) -> dict[str, list[Any]]:
    """Return the columns of all batches, one below another."""
    joined: dict[str, list[Any]] = {}
    for batch in batches:
        for name, values in batch.items():
            joined.setdefault(name, []).extend(values)
    return joined


def split_outputs(files: Iterable[str | Path]) -> tuple[list[Path], list[Path]]:
    """Return the files that predictions are written to, by their suffixes, and the others."""
    paths = [Path(file) for file in files]
    tables = [path for path in paths if path.suffix.lower() in SUFFIXES]
    return tables, [path for path in paths if path not in tables]


@contextmanager
def writing_predictions(files: Iterable[str | Path]) -> Iterator[Callable[[Columns], None]]:
    """Give what takes columns [b] a batch at a time; files come into place when the block ends well, or not at all."""
    with ExitStack() as stack:
        writers = [_writer(Path(path), stack) for path in files]

        def take(columns: Columns) -> None:
            for write in writers:
                write(columns)

        yield take


def _writer(path: Path, stack: ExitStack) -> Callable[[Columns], None]:
    check_items_path(path)
    place = stack.enter_context(atomic_path(path))
    if path.suffix.lower() == ".parquet":
        table = _ParquetWriter(place)
        stack.callback(table.close)
        return table
    # a lone surrogate, from undecodable bytes, becomes a legal escape
    file = stack.enter_context(place.open("w", encoding="utf-8", errors="backslashreplace", newline=""))
    return _CsvWriter(file) if path.suffix.lower() == ".csv" else _LineWriter(file)


class _LineWriter:
    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def __call__(self, columns: Columns) -> None:
        for row in zip(*columns.values(), strict=True):
            self._file.write(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) + "\n")


class _CsvWriter:
    def __init__(self, file: IO[str]) -> None:
        # every text in quotes: a carriage return in an id would end the row otherwise
        self._rows = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        self._begun = False

    def __call__(self, columns: Columns) -> None:
        if not self._begun:
            self._rows.writerow(columns)
            self._begun = True
        self._rows.writerows(zip(*columns.values(), strict=True))


class _ParquetWriter:
    def __init__(self, place: Path) -> None:
        self._place = place
        self._writer: Any = None

    def __call__(self, columns: Columns) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds = {name: pa.float64() if name.startswith(_NUMBERS) else pa.string() for name in columns}
        schema = pa.schema(list(kinds.items()))
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._place, schema)
        arrays = [pa.array(list(column), kinds[name]) for name, column in columns.items()]
        self._writer.write_table(pa.table(arrays, schema=schema))

    def close(self) -> None:
        """Write what comes after the last row, or let go of the file."""
        if self._writer is not None:
            self._writer.close()
