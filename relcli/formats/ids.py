"""Ids as strings, of whatever holds them: numbers, texts, bytes, UUIDs, dates; lists of Python, columns of Arrow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from relcli.errors import IdError, counted, first_few

Ids = NDArray[np.str_]


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
        try:
            return np.char.decode(array, "utf-8")
        except UnicodeDecodeError as error:
            raise IdError(f"{source} holds bytes that are no UTF-8 text. Store ids as integers or strings.") from error
    if array.dtype.kind == "M":
        return np.datetime_as_string(array).astype(np.str_)
    if array.dtype.kind in "UT":
        return array.astype(np.str_)
    raise IdError(f"{source} holds {array.dtype}, not ids. Store ids as integers or strings.")


def refuse_empty(ids: Ids, source: str) -> Ids:
    """Return ids [n], or say which rows have an empty one: two of these would be taken for the same row."""
    rows = np.flatnonzero(ids == "")
    if len(rows):
        told = f"{counted(len(rows), 'empty id')}, in rows {first_few(rows.tolist())}"
        raise IdError(f"{source} holds {told}. Fill them, or take another column with --id-column.")
    return ids


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
    """
    Return an Arrow column as strings; a null is an error.

    UUIDs read 8-4-4-4-12, dates and times as ISO 8601, decimals without zeros at their end, bytes that are no text as
    hexadecimals.
    """
    if column.null_count:
        rows = np.flatnonzero(column.is_null().to_numpy())
        raise IdError(
            f"{source} holds {counted(column.null_count, 'null id')}, in rows {first_few(rows.tolist())}. "
            "Fill them, or take another column with --id-column."
        )
    import pyarrow as pa
    import pyarrow.types as t

    uuids = getattr(column.type, "extension_name", "") == "arrow.uuid"
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
    kind = column.type.value_type if t.is_dictionary(column.type) else column.type
    if uuids or t.is_binary(kind) or t.is_large_binary(kind) or t.is_fixed_size_binary(kind):
        return as_ids(np.array(_of_bytes(column.to_pylist(), uuids=uuids), np.str_), source)
    if t.is_temporal(kind):
        column = column.cast(pa.string())
    if t.is_decimal(kind):
        return as_ids(np.array([_plain(value) for value in column.cast(pa.string()).to_pylist()], np.str_), source)
    values = column.to_numpy()
    if values.dtype == object:
        return from_list(values.tolist(), source)
    return as_ids(values, source)


_TEXTS = ("string", "large_string", "string_view")
_BYTES = ("binary", "large_binary", "binary_view")


def _of_bytes(values: Sequence[bytes], *, uuids: bool) -> list[str]:
    # Spark and Hive write strings without saying that they are text
    if not uuids:
        try:
            texts = [value.decode("utf-8") for value in values]
            if all(map(str.isprintable, texts)):
                return texts
        except UnicodeDecodeError:
            pass
    return [str(UUID(bytes=value)) if len(value) == 16 else value.hex() for value in values]


def _plain(decimal: str) -> str:
    return decimal.rstrip("0").removesuffix(".") if "." in decimal else decimal


def may_hold_ids(kind: Any, *, unnamed: bool = False) -> bool:
    """Return whether an Arrow type is one that ids are stored in; in a column that is `unnamed`, texts and the like."""
    import pyarrow.types as t

    if t.is_dictionary(kind):
        kind = kind.value_type
    # by name, because older versions of pyarrow know no string_view, which polars writes
    exact = t.is_integer(kind) or str(kind) in _TEXTS or getattr(kind, "extension_name", "") == "arrow.uuid"
    if unnamed:
        return exact
    exact = exact or t.is_fixed_size_binary(kind) or str(kind) in _BYTES
    return exact or t.is_floating(kind) or t.is_date(kind) or t.is_timestamp(kind) or t.is_decimal(kind)
