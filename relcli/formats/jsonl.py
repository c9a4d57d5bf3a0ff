"""JSON lines: an object a line, with a list of numbers as its vector and perhaps an id."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.errors import FormatError, IdError, UsageError, first_few
from relcli.formats.format import Format, Opened, check_shape
from relcli.formats.ids import Ids, from_list
from relcli.formats.lines import Block, LineRows, as_text, join, read_blocks
from relcli.formats.names import ID_NAMES, WEAK_ID_NAMES, by_name, choose_column, choose_vectors
from relcli.formats.rows import keep_small

#: Lines that tell which keys hold lists of floats: a vector may begin with whole numbers.
_LOOKED_AT = 100
_OBJECT = re.compile(rb'\s*\{\s*"[^"]*"\s*:')

Fields = Mapping[str, Any]


def open_jsonl(path: Path, *, member: str | None, id_column: str | None) -> Opened:
    """
    Return the vectors and ids of JSON lines; lists of numbers are read as float32.

    Reads the file once to find its lines and ids; keeps 8 bytes a row and the ids.
    """
    starts: list[NDArray[np.int64]] = []
    ids: list[Ids] = []
    chosen, id_key, d = "", None, 0
    for block in read_blocks(path):
        if block.line == 1:
            objects = [_object_at(path, block, k) for k in range(min(len(block), _LOOKED_AT))]
            chosen = _choose_vectors(path, objects, member)
            id_key = _choose_ids(path, objects[0], chosen, id_column)
            d = len(_vector_of(path, objects[0], chosen, 1))
        starts.append(block.begin + block.starts)
        if id_key is not None:
            ids.append(_read_ids(path, block, id_key))
    row_starts = join(starts)
    check_shape(path, (len(row_starts), d))
    found = np.concatenate(ids) if ids else None
    rows = LineRows(path, row_starts, d, partial(_decode, path, chosen, d))
    return Opened(
        keep_small(rows, np.dtype(np.float32)),
        "float32",
        read_ids=None if found is None else lambda: found,
        id_source=f"key {id_key!r}",
        member=chosen,
    )


def _object_at(path: Path, block: Block, k: int) -> Fields:
    return _parse(path, block[k], block.line + k)


def _parse(path: Path, text: bytes, line: int) -> Fields:
    try:
        found = json.loads(as_text(text, path, line))
    except json.JSONDecodeError as error:
        raise FormatError(
            f"{path}, line {line:,} is no JSON object: {error.msg} at character {error.pos + 1:,} of "
            f"{len(text):,} bytes. JSON lines hold one whole object a line; is it truncated?"
        ) from error
    if not isinstance(found, dict):
        raise FormatError(
            f"{path}, line {line:,} is a JSON {type(found).__name__}: an object with a vector is wanted, such as "
            '{"id": "a", "embedding": [0.1, 0.2]}.'
        )
    return found


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


def _choose_ids(path: Path, first: Fields, vectors: str, wanted: str | None) -> str | None:
    names = [key for key in first if key != vectors]
    if wanted is not None:
        return choose_column(names, wanted, path)
    fit = [key for key in names if isinstance(first[key], (str, int)) and not isinstance(first[key], bool)]
    found = by_name(fit, ID_NAMES) or by_name(fit, WEAK_ID_NAMES)
    odd = by_name(names, ID_NAMES)
    if found is None and odd is not None:
        # rows must never be paired by number because a key of ids was passed over
        raise IdError(
            f"{path}, line 1, key {odd!r} holds {first[odd]!r}, which is no id. Store ids as integers or strings, "
            "name another key with --id-column, or give a file of ids."
        )
    return found


def _read_ids(path: Path, block: Block, key: str) -> Ids:
    source = f"{path}, key {key!r}"
    found = _ids_by_arrow(block, key, _object_at(path, block, 0).get(key), source)
    if found is not None:
        return found
    values = []
    for k in range(len(block)):
        value = _object_at(path, block, k).get(key)
        if value is None or not isinstance(value, (str, int)) or isinstance(value, bool):
            told = "has no" if value is None else f"holds {value!r} as its"
            raise IdError(f"{path}, line {block.line + k:,} {told} {key!r}. Ids are integers or strings, one a row.")
        values.append(value)
    return from_list(values, source)


def _ids_by_arrow(block: Block, key: str, first: object, source: str) -> Ids | None:
    import pyarrow as pa

    kind = pa.int64() if isinstance(first, int) and not isinstance(first, bool) else pa.string()
    column = _read_column(block.data, key, kind, int(np.max(block.ends - block.starts)))
    if column is None or len(column) != len(block) or column.null_count:
        return None
    try:
        values = column.to_pylist()
    except UnicodeDecodeError:
        return None
    return from_list(values, source)


def _read_column(text: bytes, key: str, kind: Any, longest: int) -> Any | None:
    """Return the values under a key as an Arrow array, or None where Arrow cannot tell them."""
    import pyarrow as pa
    import pyarrow.json as pj

    try:
        table = pj.read_json(
            pa.BufferReader(text),
            # an object must lie in two blocks at most
            read_options=pj.ReadOptions(block_size=max(1 << 20, longest + 2)),
            parse_options=pj.ParseOptions(
                explicit_schema=pa.schema({key: kind}), unexpected_field_behavior="ignore", newlines_in_values=False
            ),
        )
    except pa.ArrowException:
        return None
    return table.column(key)


def _decode(path: Path, key: str, d: int, texts: Sequence[bytes], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    import pyarrow as pa

    column = _read_column(b"\n".join(texts), key, pa.list_(pa.float64()), max(map(len, texts)))
    if column is not None and len(column) == len(texts) and not column.null_count:
        lists = column.combine_chunks()
        if np.all(lists.value_lengths().to_numpy(zero_copy_only=False) == d):
            # a null number becomes NaN, which later checks name
            return lists.flatten().to_numpy(zero_copy_only=False).reshape(len(texts), d)
    out = np.empty((len(texts), d))
    for at, (text, row) in enumerate(zip(texts, rows.tolist(), strict=True)):
        vector = _vector_of(path, _parse(path, text, row + 1), key, row + 1)
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
