"""Tables that stand beside dumps, in any format that has columns: their names, their ids, their values as texts."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from relcli.errors import DataError, FormatError, IdError, UsageError, first_few
from relcli.files import existing, reading
from relcli.formats import objects
from relcli.formats.arrow_tables import ArrowTable, ParquetTable, Table, id_columns, read_ids
from relcli.formats.ids import Ids, as_ids, from_list
from relcli.formats.lines import read_blocks
from relcli.formats.names import choose_column
from relcli.spaces.id_columns import SAMPLED, IdColumn, Trust, in_order, take_alone, trust_in


class Columns(Protocol):
    """A table in a file."""

    @property
    def path(self) -> Path: ...

    @property
    def names(self) -> list[str]:
        """The names of its columns."""

    def ids(self, name: str) -> Ids:
        """Return a column as ids [n]."""

    def texts(self, name: str) -> Ids:
        """Return a column as texts [n], "" where it holds nothing."""

    def id_columns(self, besides: Sequence[str]) -> tuple[IdColumn, ...]:
        """Return the columns that may hold ids, the most trusted first, those `besides` left out."""


def split_column(source: str | Path) -> tuple[Path, str | None]:
    """Return the file and the column that FILE#COLUMN names; a # in the name of a real file is kept."""
    text = str(source)
    for at, sign in enumerate(text):
        if sign == "#" and not os.path.exists(text) and os.path.isfile(text[:at]):
            return Path(text[:at]), text[at + 1 :]
    return existing(source), None


def has_columns(path: Path) -> bool:
    """Return whether files called so are tables."""
    return path.suffix.lower() in TABLES


def open_columns(path: Path, *, wanted: str) -> Columns:
    """Return the table that a file is, or say what is `wanted` of it."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{path} is no table: {wanted} are read from {', '.join(_READERS)}.")
    return reader(path)


def choose_ids(
    table: Columns,
    *,
    besides: Sequence[str] = (),
    among: Sequence[Ids] = (),
    known_as: Sequence[str] = (),
    error: type[DataError] = FormatError,
    way_out: str = "Call the one with the ids id.",
) -> str:
    """
    Return the column of a table that holds its ids.

    The one that is called like ids are, or like `known_as`, or the only one whose values look like ids; where it holds
    none of the ids that some list of `among` names, or is not always called so, the one that holds most of them.
    """
    columns = table.id_columns(besides)
    columns = tuple(column for column in columns if column.trust <= Trust.LIKELY or not column.numbers_rows)
    called = next((name for name in known_as if name in table.names and name not in besides), None)
    taken = take_alone(columns)
    if taken is not None and called is not None and taken.trust > Trust.NAMED:
        taken = next((column for column in columns if column.name == called), None)
    if among and len(columns) > 1:
        counts = {column.name: _held(column, among) for column in columns}
        best = max(counts, key=lambda name: counts[name])
        kept = taken is not None and counts[taken.name] >= (1 if taken.trust <= Trust.NAMED else counts[best])
        if counts[best] and not kept:
            return best
    if taken is not None:
        return taken.name
    if called is not None:
        return called
    told = first_few(table.names, 12) or "no columns"
    raise error(f"{table.path} has no column 'id': it has {told}. {way_out}")


def _held(column: IdColumn, among: Sequence[Ids]) -> int:
    """Return how many of the ids of the list it fits best a column holds."""
    if not column.looks_right:
        return 0
    try:
        ids = column.read()
    except IdError:
        return 0
    return max(int(np.isin(known, ids).sum()) for known in among)


@dataclass(frozen=True)
class ArrowColumns:
    """A table of Arrow."""

    table: Table

    @property
    def path(self) -> Path:
        return self.table.path

    @cached_property
    def _schema(self) -> Any:
        with reading(self.path, "a table"):
            return self.table.describe()[0]

    @property
    def names(self) -> list[str]:
        return list(self._schema.names)

    def ids(self, name: str) -> Ids:
        choose_column(self.names, name, self.path)
        with reading(self.path, "a table"):
            return read_ids(self.table, name)

    def texts(self, name: str) -> Ids:
        choose_column(self.names, name, self.path)
        with reading(self.path, "a table"):
            return as_texts([value for batch in self.table.batches(name) for value in batch.to_pylist()])

    def id_columns(self, besides: Sequence[str]) -> tuple[IdColumn, ...]:
        with reading(self.path, "a table"):
            return id_columns(self.table, self._schema, besides=besides, wanted=None)


class _Listed:
    """A table whose columns are lists in memory."""

    def __init__(self, path: Path, columns: dict[str, list[Any]]) -> None:
        self.path, self.columns = path, columns

    @property
    def names(self) -> list[str]:
        return list(self.columns)

    def ids(self, name: str) -> Ids:
        choose_column(self.names, name, self.path)
        source = f"{self.path}, column {name!r}"
        empty = [row for row, value in enumerate(self.columns[name]) if value in (None, "")]
        if empty:
            raise IdError(f"{source} holds {len(empty):,} empty ids, in rows {first_few(empty)}. Fill them.")
        return from_list(self.columns[name], source)

    def texts(self, name: str) -> Ids:
        choose_column(self.names, name, self.path)
        return as_texts(self.columns[name])

    def id_columns(self, besides: Sequence[str]) -> tuple[IdColumn, ...]:
        trusts = {name: trust for name in self.names if name not in besides and (trust := trust_in(name)) is not None}
        return in_order(
            [
                IdColumn(name, f"column {name!r}", trust, partial(self.ids, name), partial(self._sample, name))
                for name, trust in trusts.items()
                if trust is Trust.NAMED or self._fits(name)
            ]
        )

    def _fits(self, name: str) -> bool:
        return all(one is None or objects.may_be_id(one) for one in self.columns[name][:SAMPLED])

    def _sample(self, name: str) -> tuple[Ids, int]:
        some = self.columns[name][:SAMPLED]
        return from_list([one for one in some if one not in (None, "")], f"{self.path}, column {name!r}"), len(some)


def _read_csv(path: Path) -> _Listed:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    with reading(path, "a table of text"), open(path, newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file, delimiter=delimiter)
        names = next(lines, [])
        rows = []
        for row in lines:
            if row and len(row) != len(names):
                raise FormatError(
                    f"{path}, line {lines.line_num:,} has {len(row)} cells under {len(names)} column names."
                )
            rows.append(row)
    columns = [*zip(*filter(None, rows), strict=True)] or [()] * len(names)
    return _Listed(path, dict(zip(names, map(list, columns), strict=False)))


def _read_json(path: Path) -> _Listed:
    with reading(path, "JSON"):
        rows = json.loads(path.read_text("utf-8-sig"))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FormatError(f"{path} is no table: a JSON list of objects has columns, one for each of their keys.")
    names = dict.fromkeys(key for row in rows for key in row)
    return _Listed(path, {name: [row.get(name) for row in rows] for name in names})


def _read_lines(path: Path) -> _Listed:
    with reading(path, "JSON lines"):
        found = [objects.object_at(path, block, k) for block in read_blocks(path) for k in range(len(block))]
    # what is no number, text or truth value is a vector or worse: nothing that is asked for by name here
    names = dict.fromkeys(
        key for row in found for key, value in row.items() if value is None or isinstance(value, str | int | float)
    )
    return _Listed(path, {name: [row.get(name) for row in found] for name in names})


class NpzColumns:
    """The one-dimensional arrays of a .npz."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with reading(path, "npz"), np.load(path, allow_pickle=False) as arrays:
            # the header of an array of objects can be read, the array cannot
            self._arrays = {name: arrays[name] for name in arrays.files if _is_plain(arrays, name)}

    @property
    def names(self) -> list[str]:
        return list(self._arrays)

    def ids(self, name: str) -> Ids:
        return as_ids(self._arrays[choose_column(self.names, name, self.path)], f"{self.path}, array {name!r}")

    def texts(self, name: str) -> Ids:
        return as_texts(self._arrays[choose_column(self.names, name, self.path)].tolist())

    def id_columns(self, besides: Sequence[str]) -> tuple[IdColumn, ...]:
        trusts = {name: trust for name in self.names if name not in besides and (trust := trust_in(name)) is not None}
        return in_order(
            [IdColumn(name, f"array {name!r}", trust, partial(self.ids, name)) for name, trust in trusts.items()]
        )


def _is_plain(arrays: Any, name: str) -> bool:
    try:
        array = arrays[name]
    except ValueError:  # objects
        return False
    return bool(array.ndim == 1)


_READERS: dict[str, Any] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": lambda path: ArrowColumns(ParquetTable(path)),
    ".pq": lambda path: ArrowColumns(ParquetTable(path)),
    ".arrow": lambda path: ArrowColumns(ArrowTable(path)),
    ".feather": lambda path: ArrowColumns(ArrowTable(path)),
    ".jsonl": _read_lines,
    ".ndjson": _read_lines,
    ".json": _read_json,
    ".npz": NpzColumns,
}


#: How the names of tables end, and those of them that lie beside vectors more often than they hold some.
TABLES = tuple(_READERS)
LISTS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson")


def as_texts(values: Sequence[object]) -> Ids:
    """Return values as texts: whole floats lose their ".0", truth values are true and false, nothing is ""."""
    return np.array([_as_text(value) for value in values], np.str_)


def _as_text(value: object) -> str:
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
