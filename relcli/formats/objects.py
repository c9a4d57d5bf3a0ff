"""JSON lines, an object a line: what their keys hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from relcli.errors import FormatError, IdError
from relcli.formats.ids import Ids, from_list
from relcli.formats.lines import Block, as_text, read_blocks

#: Lines that tell which keys there are and what they hold: a vector may begin with whole numbers.
LOOKED_AT = 100

Fields = Mapping[str, Any]


def first_objects(path: Path, block: Block) -> list[Fields]:
    """Return the objects of the first lines of a block."""
    return [object_at(path, block, k) for k in range(min(len(block), LOOKED_AT))]


def object_at(path: Path, block: Block, k: int) -> Fields:
    """Return the object that line k of a block holds."""
    return parse_object(path, block[k], block.line + k)


def parse_object(path: Path, text: bytes, line: int) -> Fields:
    """Return the object of a line, or say why it is none."""
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


def may_be_id(value: object) -> bool:
    """Return whether a value of JSON is one that ids are written as."""
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def ids_of_objects(objects: list[Fields], key: str, source: str) -> Ids:
    """Return the ids that some objects hold under a key."""
    odd = next((one.get(key) for one in objects if not may_be_id(one.get(key))), "")
    if odd != "":
        raise IdError(f"{source} holds {odd!r}, which is no id. Ids are integers or strings, one a row.")
    return from_list([one[key] for one in objects], source)


def read_ids(path: Path, key: str) -> Ids:
    """Return the ids [n] that all lines hold under a key; the file is read for them."""
    return np.concatenate([ids_of_block(path, block, key) for block in read_blocks(path)])


def read_values(path: Path, key: str) -> Iterator[Any]:
    """Yield what each line holds under a key, None where it has none."""
    for block in read_blocks(path):
        for k in range(len(block)):
            yield object_at(path, block, k).get(key)


def ids_of_block(path: Path, block: Block, key: str) -> Ids:
    """Return the ids that the lines of a block hold under a key."""
    source = f"{path}, key {key!r}"
    found = _ids_by_arrow(block, key, object_at(path, block, 0).get(key), source)
    if found is not None:
        return found
    values = []
    for k in range(len(block)):
        value = object_at(path, block, k).get(key)
        if not may_be_id(value):
            told = "has no" if value is None else f"holds {value!r} as its"
            raise IdError(f"{path}, line {block.line + k:,} {told} {key!r}. Ids are integers or strings, one a row.")
        values.append(value)
    return from_list(values, source)


def _ids_by_arrow(block: Block, key: str, first: object, source: str) -> Ids | None:
    import pyarrow as pa

    kind = pa.int64() if isinstance(first, int) and not isinstance(first, bool) else pa.string()
    column = arrow_column(block.data, key, kind, int(np.max(block.ends - block.starts)))
    if column is None or len(column) != len(block) or column.null_count:
        return None
    try:
        values = column.to_pylist()
    except UnicodeDecodeError:
        return None
    return from_list(values, source)


def arrow_column(text: bytes, key: str, kind: Any, longest: int) -> Any | None:
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
