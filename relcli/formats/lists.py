"""Lists beside dumps: ids, pairs of ids, labels and figures, from lists and tables of any readable format."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from relcli.errors import FormatError, IdError, OutputError, RelcliError, UsageError, first_few
from relcli.files import atomic_path, reading
from relcli.formats.arrow_tables import ParquetTable
from relcli.formats.columns import (
    ArrowColumns,
    Columns,
    as_texts,
    choose_ids,
    has_columns,
    open_columns,
    split_column,
)
from relcli.formats.ids import Ids, as_ids, from_list
from relcli.formats.names import by_name, choose_column
from relcli.spaces.id_columns import IdColumn, Trust

#: What a column of models is called where it is not called like ids.
MODEL_NAMES = ("name", "model", "run")

LABEL_NAMES = ("label", "labels", "class", "target", "category")
_SIDECARS = tuple(
    f"{{}}{mark}{suffix}" for mark in (".ids", "_ids") for suffix in (".txt", ".json", ".npy", ".parquet")
)
_SIDECARS += ("{}_ids.txt", "{}_ids.json", "{}_ids.npy", "{}_ids.parquet")
_METADATA = "{}.meta.parquet"

#: Lists of ids that may lie beside a dump without being called like it.
_BESIDE = ("ids.txt", "ids.json", "ids.npy", "ids.csv", "ids.tsv", "ids.parquet")


def open_ids(path: str | Path, *, column: str | None = None) -> Ids:
    """
    Return the ids [n] that a .txt or .tsv (one a line), .json (a list), .npy or a table holds.

    `column`, or FILE#COLUMN, names the column of a table; without it, the only column or one called like ids.
    """
    path, named = split_column(path)
    column = column or named
    if column is None and path.suffix.lower() != ".csv" and not is_table(path):
        values = _read_list(path)
    else:
        table = open_columns(path, wanted="ids")
        only = table.names[0] if len(table.names) == 1 else None
        way_out = "Name the one with the ids by FILE#COLUMN."
        values = table.ids(column or only or choose_ids(table, error=IdError, way_out=way_out))
    if values.ndim != 1:
        raise IdError(f"{path} holds ids of shape {list(values.shape)}: one id a row is wanted.")
    return values


def save_ids(path: str | Path, x_ids: Ids, y_ids: Ids | None = None) -> None:
    """
    Write ids, whole or not at all: one a line to a .txt or .tsv, a list to a .json; pairs x, y where both differ.

    What is written is read back by `open_pairs`.
    """
    path = Path(path)
    check_ids_path(path)
    pairs = [x_ids.tolist()] if y_ids is None or np.array_equal(x_ids, y_ids) else [x_ids.tolist(), y_ids.tolist()]
    if path.suffix.lower() == ".json":
        rows = pairs[0] if len(pairs) == 1 else [list(pair) for pair in zip(*pairs, strict=True)]
        text = json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
    else:
        text = ids_as_lines(*pairs)
    with atomic_path(path) as target:
        target.write_bytes(text.encode("utf-8"))


def ids_as_lines(*columns: Sequence[str]) -> str:
    """Return ids one a line, of several columns with a TAB between; those that a line cannot hold are refused."""
    for ids in columns:
        odd = [name for name in ids if not name.strip() or "\n" in name or "\t" in name or name.endswith("\r")]
        if odd:
            raise OutputError(f"{odd[0]!r} cannot stand on a line of its own. Write the ids to a .json instead.")
    return "".join("\t".join(row) + "\n" for row in zip(*columns, strict=True))


def check_ids_path(path: str | Path) -> None:
    """Raise UsageError unless ids are written to files of that suffix."""
    if Path(path).suffix.lower() not in (".txt", ".tsv", ".json"):
        raise UsageError(f"{path} names no list of ids that is written: .txt, .tsv or .json.")


def open_pairs(path: str | Path, *, single: bool = True) -> tuple[Ids, Ids]:
    """
    Return the ids in x [a] and in y [a] that belong together.

    A .txt or .tsv may hold them as two columns with a TAB between, or more under a line that begins with the names
    x_id and y_id; a .json as a list of pairs, a .npy as [a, 2], a table as columns x_id and y_id. FILE#COLUMN,COLUMN
    names both of any table. A list of single ids is the same on both sides, and so is FILE#COLUMN; a table whose
    columns have other names is taken for one only where it may be a list of `single` ids.
    """
    path, named = split_column(path)
    if named is None and not is_table(path):
        values = _read_list(path, tabs=True)
        if values.ndim == 1:
            return values, values
        if values.ndim != 2 or values.shape[1] != 2:
            held = f"{values.shape[1]} ids a row" if values.ndim == 2 else f"an array of shape {list(values.shape)}"
            raise IdError(f"{path} holds {held}: one id, or a pair x, y, is wanted.{_two_of(path)}")
        return values[:, 0], values[:, 1]
    table = open_columns(path, wanted="ids")
    x, y = by_name(table.names, ["x_id"]), by_name(table.names, ["y_id"])
    if named is not None:
        both = [named] if named in table.names else [part.strip() for part in named.split(",")]
        if len(both) > 2:
            raise UsageError(f"{path}#{named} names {len(both)} columns: one of ids, or two, those of x and of y.")
        x, y = both[0], both[-1]
    elif not (x and y) and not single and len(table.names) > 1:
        raise IdError(
            f"{path} has no columns x_id and y_id: it has {first_few(table.names, 12)}. Name the ids of x and of y by "
            f"{path.name}#COLUMN,COLUMN."
        )
    elif not (x and y):
        way_out = "Name the one with the ids by FILE#COLUMN, or those of x and of y by FILE#COLUMN,COLUMN."
        x = y = table.names[0] if len(table.names) == 1 else choose_ids(table, error=IdError, way_out=way_out)
    ids = table.ids(x)
    return ids, ids if x == y else table.ids(y)


def _two_of(path: Path) -> str:
    return " Name two columns of a table by FILE#COLUMN,COLUMN." if has_columns(path) else ""


def open_scores(path: str | Path, column: str) -> dict[str, float]:
    """
    Return the figure of each model by its name, from a .csv, .tsv or .parquet with a column of each.

    The column of names is one called like ids, else name, model or run.
    """
    names, texts = open_labels(path, column, known_as=MODEL_NAMES)
    scores: dict[str, float] = {}
    for name, text in zip(names.tolist(), texts.tolist(), strict=True):
        try:
            scores[name] = float(text)
        except ValueError:
            raise FormatError(
                f"{path}, column {column!r} holds {text!r} for {name}, which is no number. Name another column."
            ) from None
        if not math.isfinite(scores[name]):
            raise FormatError(f"{path}, column {column!r} holds {text!r} for {name}: remove that row, or mend it.")
    if len(scores) < len(names):
        values, counts = np.unique(names, return_counts=True)
        raise IdError(f"{path} names a model more than once: {first_few(list(values[counts > 1]))}. Keep one row.")
    return scores


def open_labels(
    path: str | Path, column: str | None = None, *, known_as: Sequence[str] = (), among: Sequence[Ids] = ()
) -> tuple[Ids, Ids]:
    """
    Return the ids [n] and their labels [n] from a table with a column of each.

    Without `column` or FILE#COLUMN: the one called label (or class, target, category), or the only one beside the
    ids. The ids are in the column that holds most of those `among` which they should be, or is called like ids.
    """
    path, named = split_column(path)
    table = open_columns(path, wanted="labels")
    ids, label = _two_columns(table, column or named, LABEL_NAMES, known_as, among)
    return table.ids(ids), table.texts(label)


def open_values(
    path: str | Path,
    column: str | None = None,
    *,
    names: Sequence[str] = LABEL_NAMES,
    rows: Ids | None = None,
    among: Sequence[Ids] = (),
) -> tuple[Ids, Ids]:
    """
    Return the ids [n] and the values [n] of a column as texts, from a table; "" where there is none.

    Without `column`: the one called like one of `names`, or the only one beside the ids, which are in the column that
    holds most of those `among` which they should be. Whole floats lose their ".0", truth values are true and false.
    A .npy holds no ids: its values are those of the ids `rows`.
    """
    path, named = split_column(path)
    if path.suffix.lower() == ".npy" and rows is not None:
        with reading(path, "a .npy of numbers or strings"):
            array = np.load(path, allow_pickle=False)
        if array.shape != rows.shape:
            raise FormatError(f"{path} holds values of shape {list(array.shape)}: one for each of {len(rows):,} rows.")
        return rows, as_texts(array.tolist())
    table = open_columns(path, wanted="labels")
    ids, value = _two_columns(table, column or named, names, (), among)
    return table.ids(ids), table.texts(value)


def _two_columns(
    table: Columns, wanted: str | None, called: Sequence[str], known_as: Sequence[str], among: Sequence[Ids]
) -> tuple[str, str]:
    """Return the columns of the ids and of what is said of them."""
    if wanted is not None:
        choose_column(table.names, wanted, table.path)
    ids = choose_ids(table, besides=[wanted] if wanted else [], among=among, known_as=known_as)
    if wanted is not None:
        return ids, wanted
    names = [name for name in table.names if name != ids]
    chosen = names[0] if len(names) == 1 else by_name(names, called)
    if chosen is None:
        told = first_few(names, 12) or "ids only"
        raise FormatError(f"{table.path} has no column {called[0]!r}: it has {told}. Name one.")
    return ids, chosen


def find_sidecar(path: Path) -> Path | None:
    """Return the file beside `path` that holds its ids, or its metadata, or None."""
    for pattern in (*_SIDECARS, _METADATA):
        sidecar = path.with_name(pattern.format(path.stem))
        if sidecar.is_file() and sidecar != path:
            return sidecar
    return None


def sidecar_columns(path: Path, wanted: str | None) -> tuple[IdColumn, ...]:
    """
    Return what may hold the ids of a dump in files beside it; `wanted` names one, which is then the only one.

    A name can only be meant for the metadata of the shard, so then no list of ids will do.
    """
    sidecar = find_sidecar(path)
    if sidecar is not None and sidecar.name != _METADATA.format(path.stem):
        if wanted is None:
            return (IdColumn(sidecar.name, f"sidecar {sidecar.name}", Trust.NAMED, partial(open_ids, sidecar)),)
        sidecar = None
    metadata = sidecar or path.with_name(_METADATA.format(path.stem))
    if not metadata.is_file():
        return ()
    table = ArrowColumns(ParquetTable(metadata))
    source = f"sidecar {metadata.name}"
    if wanted is not None:
        chosen = choose_column(table.names, wanted, metadata)
        return (IdColumn(chosen, source, Trust.GIVEN, partial(table.ids, chosen)),)
    return tuple(replace(column, source=source) for column in table.id_columns([]))


def ids_beside(path: str | Path, rows: int) -> Path | None:
    """Return a list of as many ids as a dump has rows that lies in its folder without being called like it, or None."""
    place = Path(path)
    folder = place if place.is_dir() else place.parent
    for name in _BESIDE:
        try:
            if (folder / name).is_file() and len(open_ids(folder / name)) == rows:
                return folder / name
        except RelcliError:
            continue
    return None


def is_table(path: Path) -> bool:
    """Return whether a file without a column named is a table: a .tsv and a .json are lists first."""
    if path.suffix.lower() == ".json":
        with reading(path, "JSON"):
            values = json.loads(path.read_text("utf-8-sig"))
        return isinstance(values, list) and bool(values) and isinstance(values[0], dict)
    return path.suffix.lower() != ".tsv" and has_columns(path)


def _read_list(path: Path, *, tabs: bool = False) -> Ids:
    suffix = path.suffix.lower()
    if suffix in (".txt", ".tsv"):
        lines = _read_lines(path)
        if tabs and lines and lines[0].split("\t")[:2] == ["x_id", "y_id"]:
            # a table with names: what stands beside the two ids is not read
            return from_list([line.split("\t")[:2] for line in lines[1:]], str(path))
        return from_list([_split(line) for line in lines] if tabs else lines, str(path))
    if suffix == ".json":
        with reading(path, "JSON"):
            values = json.loads(path.read_text("utf-8-sig"))
        if not isinstance(values, list):
            raise IdError(f"{path} holds a JSON {type(values).__name__}: a list of ids is wanted.")
        return from_list(values, str(path))
    if suffix == ".npy":
        with reading(path, "a .npy of integers or strings"):
            return as_ids(np.load(path, allow_pickle=False), str(path))
    raise UsageError(f"{path} is no list of ids: they are read from .txt, .tsv, .json, .npy and tables.")


def _read_lines(path: Path) -> list[str]:
    with reading(path, "UTF-8 text"):
        text = path.read_bytes().decode("utf-8-sig")
    # not splitlines: an id may hold a form feed or a Unicode line separator
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []
    empty = [number for number, line in enumerate(lines, start=1) if not line.strip()]
    if empty:
        raise IdError(f"{path} has {len(empty):,} empty lines, first line {empty[0]:,}. One id a line is wanted.")
    return lines


def _split(line: str) -> object:
    return line.split("\t") if "\t" in line else line
