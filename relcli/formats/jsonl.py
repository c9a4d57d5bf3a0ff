"""JSON lines: an object a line, with a list of numbers as its vector and perhaps an id."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.errors import FormatError, IdError, UsageError, first_few
from relcli.formats.format import Format, Opened, check_shape
from relcli.formats.lines import LineRows, join, read_blocks
from relcli.formats.names import choose_column, choose_vectors
from relcli.formats.objects import (
    Fields,
    arrow_column,
    first_objects,
    ids_of_block,
    ids_of_objects,
    may_be_id,
    parse_object,
    read_ids,
)
from relcli.formats.rows import keep_small
from relcli.spaces.id_columns import IdColumn, Ids, Trust, in_order, trust_in

_OBJECT = re.compile(rb'\s*\{\s*"[^"]*"\s*:')


def open_jsonl(path: Path, *, member: str | None, id_column: str | None) -> Opened:
    """
    Return the vectors and ids of JSON lines; lists of numbers are read as float32.

    Reads the file once to find its lines and ids; keeps 8 bytes a row and the ids.
    """
    starts: list[NDArray[np.int64]] = []
    ids: list[Ids] = []
    columns: tuple[IdColumn, ...] = ()
    chosen, id_key, d = "", None, 0
    for block in read_blocks(path):
        if block.line == 1:
            objects = first_objects(path, block)
            chosen = _choose_vectors(path, objects, member)
            columns = _id_columns(path, objects, chosen, id_column)
            id_key = columns[0].name if columns and columns[0].trust <= Trust.NAMED else None
            d = len(_vector_of(path, objects[0], chosen, 1))
        starts.append(block.begin + block.starts)
        if id_key is not None:
            ids.append(ids_of_block(path, block, id_key))
    row_starts = join(starts)
    check_shape(path, (len(row_starts), d))
    if ids:
        # read on the way
        read = np.concatenate(ids)
        columns = (replace(columns[0], read=lambda: read), *columns[1:])
    rows = LineRows(path, row_starts, d, partial(_decode, path, chosen, d))
    return Opened(keep_small(rows, np.dtype(np.float32)), "float32", columns, chosen)


def _choose_vectors(path: Path, objects: Sequence[Fields], wanted: str | None) -> str:
    keys = list(dict.fromkeys(key for one in objects for key in one))
    whole = [key for key in keys if any(_is_vector(one.get(key)) for one in objects)]
    floats = [key for key in whole if any(_has_floats(one.get(key)) for one in objects)]
    if wanted in keys and wanted not in whole:
        raise UsageError(
            f"{path}, key {wanted!r} holds no list of numbers. It has {first_few(whole) or 'no such key'}."
        )
    if not whole and wanted is None:
        raise FormatError(
            f"{path} holds no list of numbers: line 1 has the keys {first_few(keys, 12) or 'of an empty object'}. "
            "Is this the file with the embeddings?"
        )
    return choose_vectors(whole if wanted is not None else floats or whole, wanted, path, what="list of numbers")


def _is_vector(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_number, value))


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _has_floats(value: object) -> bool:
    return _is_vector(value) and isinstance(value, list) and any(isinstance(number, float) for number in value)


def _id_columns(path: Path, objects: Sequence[Fields], vectors: str, wanted: str | None) -> tuple[IdColumn, ...]:
    names = [key for key in dict.fromkeys(key for one in objects for key in one) if key != vectors]
    if wanted is not None:
        choose_column(names, wanted, path)
        return (_id_column(path, objects, wanted, Trust.GIVEN),)
    trusts = {key: trust for key in names if (trust := trust_in(key)) is not None}
    fit = {key for key in trusts if trusts[key] <= Trust.LIKELY or any(may_be_id(one.get(key)) for one in objects)}
    odd = [key for key in fit if trusts[key] is Trust.NAMED and not any(may_be_id(one.get(key)) for one in objects)]
    found = in_order([_id_column(path, objects, key, trusts[key]) for key in trusts if key in fit and key not in odd])
    if odd and not (found and found[0].trust is Trust.NAMED):
        # rows must never be paired by number because a key of ids was passed over
        raise IdError(
            f"{path}, line 1, key {odd[0]!r} holds {objects[0].get(odd[0])!r}, which is no id. Store ids as integers "
            "or strings, name another key with --id-column, or give a file of ids."
        )
    return found


def _id_column(path: Path, objects: Sequence[Fields], key: str, trust: Trust) -> IdColumn:
    source = f"key {key!r}"
    sample = partial(_sample, [{key: one.get(key)} for one in objects], key, f"{path}, {source}")
    return IdColumn(key, source, trust, partial(read_ids, path, key), sample)


def _sample(objects: list[Fields], key: str, source: str) -> tuple[Ids, int]:
    return ids_of_objects([one for one in objects if one[key] is not None], key, source), len(objects)


def _decode(path: Path, key: str, d: int, texts: Sequence[bytes], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    import pyarrow as pa

    column = arrow_column(b"\n".join(texts), key, pa.list_(pa.float64()), max(map(len, texts)))
    if column is not None and len(column) == len(texts) and not column.null_count:
        lists = column.combine_chunks()
        if np.all(lists.value_lengths().to_numpy(zero_copy_only=False) == d):
            # a null number becomes NaN, which later checks name
            return lists.flatten().to_numpy(zero_copy_only=False).reshape(len(texts), d)
    out = np.empty((len(texts), d))
    for at, (text, row) in enumerate(zip(texts, rows.tolist(), strict=True)):
        vector = _vector_of(path, parse_object(path, text, row + 1), key, row + 1)
        if len(vector) != d:
            raise FormatError(
                f"{path}, line {row + 1:,}: {key!r} has {len(vector):,} numbers where the first has {d:,}. "
                "Rows of one space are equally wide."
            )
        out[at] = [np.nan if number is None else _as_float(number) for number in vector]
    return out


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:  # a whole number of more than 308 digits
        return np.inf if number > 0 else -np.inf


def _vector_of(path: Path, fields: Fields, key: str, line: int) -> list[Any]:
    value = fields.get(key)
    if _is_vector(value) and isinstance(value, list):
        return value
    if isinstance(value, list):
        odd = next((one for one in value if not _is_number(one)), None)
        told = f"holds {str(odd)[:40]!r}, which is no number" if value else "is an empty list"
    else:
        told = "is missing" if value is None else f"holds a {type(value).__name__}, not a list of numbers"
    raise FormatError(f"{path}, line {line:,}: {key!r} {told}. Embed that row again, or leave it out.")


FORMAT = Format(
    "jsonl",
    (".jsonl", ".ndjson"),
    lambda head: _OBJECT.match(head.removeprefix(b"\xef\xbb\xbf")) is not None,
    open_jsonl,
    shared=(".jsonl", ".ndjson"),
)
