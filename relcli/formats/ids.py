"""Ids as strings, from lists, tables and sidecar files; pairs of ids for anchors; labels."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.errors import FormatError, IdError, OutputError, UsageError, first_few
from relcli.files import atomic_path, existing, reading
from relcli.formats.names import ID_NAMES, by_name, choose_column

Ids = NDArray[np.str_]

#: What a column of models is called where it is not called like ids.
MODEL_NAMES = ("name", "model", "run")

LABEL_NAMES = ("label", "labels", "class", "target", "category")
_SIDECARS = tuple(
    f"{{}}{mark}{suffix}" for mark in (".ids", "_ids") for suffix in (".txt", ".json", ".npy", ".parquet")
)
_SIDECARS += ("{}_ids.txt", "{}_ids.json", "{}_ids.npy", "{}_ids.parquet")
_METADATA = "{}.meta.parquet"


def open_ids(path: str | Path, *, column: str | None = None) -> Ids:
    """
    Return the ids [n] that a .txt (one a line), .json (a list), .npy or .parquet file holds.

    `column` names the column of a .parquet; without it, the only column or one called like ids.
    """
    path = existing(path)
    values = _read_list(path, column)
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


def open_pairs(path: str | Path) -> tuple[Ids, Ids]:
    """
    Return the ids in x [a] and in y [a] that belong together.

    A .txt or .tsv may hold them as two columns with a TAB between, or more under a line that begins with the
    names x_id and y_id; a .json as a list of pairs, a
    .npy as [a, 2], a .parquet as columns x_id and y_id; a list of single ids is the same on both
    sides.
    """
    path = existing(path)
    if path.suffix.lower() == ".parquet":
        names = _table_names(path)
        x, y = by_name(names, ["x_id"]), by_name(names, ["y_id"])
        if x and y:
            return _read_column(path, x), _read_column(path, y)
    values = _read_list(path, None, tabs=True)
    if values.ndim == 1:
        return values, values
    if values.shape[1] != 2:
        raise IdError(f"{path} holds {values.shape[1]} ids a row: one id, or a pair x, y, is wanted.")
    return values[:, 0], values[:, 1]


def open_scores(path: str | Path, column: str) -> dict[str, float]:
    """
    Return the figure of each model by its name, from a .csv, .tsv or .parquet with a column of each.

    The column of names is one called like ids, else name, model or run.
    """
    names, texts = open_labels(path, column, id_names=(*ID_NAMES, *MODEL_NAMES))
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


def open_labels(path: str | Path, column: str | None = None, *, id_names: Sequence[str] = ID_NAMES) -> tuple[Ids, Ids]:
    """
    Return the ids [n] and their labels [n] from a .csv, .tsv or .parquet with a column of each.

    Without `column`: the one called label (or class, target, category), or the only one beside
    the ids.
    """
    path = existing(path)
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        names = _table_names(path)
    elif suffix in (".csv", ".tsv"):
        table = _read_csv(path, "\t" if suffix == ".tsv" else ",")
        names = list(table)
    else:
        raise UsageError(
            f"{path} is no table: labels are read from .csv, .tsv and .parquet. Name such a file (--metadata FILE "
            "beside --group-by)."
        )
    ids = by_name(names, id_names)
    if ids is None:
        raise FormatError(f"{path} has no column 'id': it has {first_few(names, 12)}. Rename the one with ids.")
    label = _label_column([name for name in names if name != ids], column, path)
    if suffix == ".parquet":
        return _read_column(path, ids), _read_column(path, label)
    return as_ids(table[ids], f"{path}, column {ids!r}"), as_ids(table[label], f"{path}, column {label!r}")


def open_values(
    path: str | Path, column: str | None = None, *, names: Sequence[str] = LABEL_NAMES, rows: Ids | None = None
) -> tuple[Ids, Ids]:
    """
    Return the ids [n] and the values [n] of a column as texts, from a .csv, .tsv or .parquet; "" where there is none.

    Without `column`: the one called like one of `names`, or the only one beside the ids. Whole floats lose
    their ".0", truth values are true and false. A .npy holds no ids: its values are those of the ids `rows`.
    """
    path = existing(path)
    suffix = path.suffix.lower()
    if suffix == ".npy" and rows is not None:
        with reading(path, "a .npy of numbers or strings"):
            array = np.load(path, allow_pickle=False)
        if array.shape != rows.shape:
            raise FormatError(f"{path} holds values of shape {list(array.shape)}: one for each of {len(rows):,} rows.")
        return rows, _as_texts(array.tolist())
    if suffix == ".parquet":
        found = _table_names(path)
    elif suffix in (".csv", ".tsv"):
        table = _read_csv(path, "\t" if suffix == ".tsv" else ",")
        found = list(table)
    else:
        raise UsageError(f"{path} is no table: it must be a .csv, .tsv or .parquet with a column id.")
    ids = by_name(found, ID_NAMES)
    if ids is None:
        raise FormatError(f"{path} has no column 'id': it has {first_few(found, 12)}. Rename the one with ids.")
    chosen = _label_column([name for name in found if name != ids], column, path, names)
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        with reading(path, "Parquet"), pq.ParquetFile(path) as file:
            values = file.read(columns=[chosen]).column(chosen).to_pylist()
        return _read_column(path, ids), _as_texts(values)
    return as_ids(table[ids], f"{path}, column {ids!r}"), _as_texts(table[chosen])


def _as_texts(values: Sequence[object]) -> Ids:
    return np.array([_as_text(value) for value in values], np.str_)


def _as_text(value: object) -> str:
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def find_sidecar(path: Path, column: str | None) -> tuple[Path, str | None] | None:
    """
    Return the file beside `path` that holds its ids and the column to take, or None.

    `column` can only be meant for the metadata of the shard, so then no list of ids will do.
    """
    for pattern in () if column else _SIDECARS:
        sidecar = path.with_name(pattern.format(path.stem))
        if sidecar.is_file() and sidecar != path:
            return sidecar, None
    metadata = path.with_name(_METADATA.format(path.stem))
    if not metadata.is_file():
        return None
    names = _table_names(metadata)
    chosen = choose_column(names, column, metadata) if column else by_name(names, ID_NAMES)
    return (metadata, chosen) if chosen else None


def is_sidecar(path: Path) -> bool:
    """Return whether a file is called like the ids or metadata of another one."""
    return path.stem.lower().endswith((".ids", "_ids", ".meta"))


def as_ids(values: Any, source: str) -> Ids:
    """Return numbers, bytes or strings of any shape as strings; integral floats lose their ".0"."""
    array = np.asarray(values)
    if array.dtype.kind == "f":
        odd = array[~(np.isfinite(array) & (array == np.floor(array)))]
        if odd.size:
            raise IdError(
                f"{source} holds {odd.size:,} ids that are no whole numbers, such as {odd.flat[0]}. "
                "Store ids as integers or strings."
            )
        # beyond this, neighbouring integers share one float
        if array.size and np.abs(array).max() > 2 / np.finfo(array.dtype).eps:
            raise IdError(f"{source} holds ids rounded to {array.dtype}. Store them as integers or strings.")
        array = array.astype(np.int64)
    if array.dtype.kind in "iu":
        width = max((len(str(end)) for end in (array.min(), array.max())), default=1) if array.size else 1
        return array.astype(f"U{width}")
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8")
    if array.dtype.kind in "UT":
        return array.astype(np.str_)
    raise IdError(f"{source} holds {array.dtype}, not ids. Store ids as integers or strings.")


def from_bytes(values: NDArray[np.uint8], source: str) -> Ids:
    """Return strings that were stored as zero-padded UTF-8 rows of a [n, width] uint8 array."""
    if not values.shape[1]:
        raise IdError(f"{source} holds {len(values):,} empty ids.")
    return as_ids(np.ascontiguousarray(values).view(f"S{values.shape[1]}")[:, 0], source)


def from_list(values: Sequence[object], source: str) -> Ids:
    """Return a list of strings or integers, or a list of lists of one length, as an array of strings."""
    for at, value in enumerate(values):
        cells = value if isinstance(value, list) else [value]
        if not all(isinstance(cell, (str, int)) and not isinstance(cell, bool) for cell in cells):
            raise IdError(f"{source} holds {_short(value)} at place {at:,}. Ids are strings or integers.")
        if any(isinstance(cell, str) and not cell.isascii() and _is_broken(cell) for cell in cells):
            raise IdError(f"{source} holds half a character at place {at:,}: {value!a}. Write it as UTF-8.")
    if len({len(value) if isinstance(value, list) else 0 for value in values}) > 1:
        raise IdError(f"{source} mixes entries of different lengths. Make all of them ids, or all pairs.")
    return np.array(
        [[str(cell) for cell in value] if isinstance(value, list) else str(value) for value in values],
        dtype=np.str_,
    )


def _short(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}…"


def _is_broken(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def from_arrow(column: Any, source: str) -> Ids:
    """Return an Arrow column (strings, dictionaries of them, numbers) as strings; a null is an error."""
    if column.null_count:
        rows = np.flatnonzero(column.is_null().to_numpy())
        raise IdError(
            f"{source} holds {column.null_count:,} null ids, in rows {first_few(rows.tolist())}. "
            "Fill them, or take another column with --id-column."
        )
    import pyarrow.types as t

    if t.is_binary(column.type) or t.is_large_binary(column.type) or t.is_fixed_size_binary(column.type):
        return as_ids(np.array(_decoded(column.to_pylist(), source), np.str_), source)
    values = column.to_numpy()
    if values.dtype == object:
        return from_list(values.tolist(), source)
    return as_ids(values, source)


_TEXTS = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view")


def _decoded(values: Sequence[bytes], source: str) -> list[str]:
    # Spark and Hive write strings without saying that they are text
    try:
        return [value.decode("utf-8") for value in values]
    except UnicodeDecodeError as error:
        raise IdError(f"{source} holds bytes that are no UTF-8 text. Store ids as integers or strings.") from error


def may_hold_ids(kind: Any) -> bool:
    """Return whether an Arrow type is one that ids are stored in."""
    import pyarrow.types as t

    if t.is_dictionary(kind):
        kind = kind.value_type
    # by name, because older versions of pyarrow know no string_view, which polars writes
    number = t.is_integer(kind) or t.is_floating(kind)
    return number or t.is_fixed_size_binary(kind) or str(kind) in _TEXTS


def _read_list(path: Path, column: str | None, *, tabs: bool = False) -> Ids:
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
    if suffix == ".parquet":
        return _read_column(path, _id_column(path, column))
    raise UsageError(f"{path} is no list of ids: they are read from .txt, .tsv, .json, .npy and .parquet.")


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


def _read_csv(path: Path, delimiter: str) -> dict[str, list[str]]:
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
    return dict(zip(names, map(list, columns), strict=False))


def _label_column(names: Sequence[str], wanted: str | None, path: Path, called: Sequence[str] = LABEL_NAMES) -> str:
    if wanted is not None:
        return choose_column(names, wanted, path)
    chosen = names[0] if len(names) == 1 else by_name(names, called)
    if chosen is None:
        raise FormatError(f"{path} has no column {called[0]!r}: it has {first_few(names, 12) or 'ids only'}. Name one.")
    return chosen


def _id_column(path: Path, wanted: str | None) -> str:
    names = _table_names(path)
    if wanted is not None:
        return choose_column(names, wanted, path)
    chosen = names[0] if len(names) == 1 else by_name(names, ID_NAMES)
    if chosen is None:
        raise IdError(f"{path} has no column 'id': it has {first_few(names, 12)}. Rename the one with ids.")
    return chosen


def _table_names(path: Path) -> list[str]:
    import pyarrow.parquet as pq

    with reading(path, "Parquet"):
        return list(pq.read_schema(path).names)


def _read_column(path: Path, name: str) -> Ids:
    import pyarrow.parquet as pq

    with reading(path, "Parquet"), pq.ParquetFile(path) as file:
        return from_arrow(file.read(columns=[name]).column(name), f"{path}, column {name!r}")
