"""Spaces whose ids were found in their files, given those ids that they share with one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from relcli.errors import IdError
from relcli.spaces.id_columns import (
    ROW_NUMBER,
    Held,
    IdColumn,
    Ids,
    Pairing,
    Trust,
    certain_pairing,
    passed_over,
    possible,
)
from relcli.spaces.space import Space

#: How to say which columns hold the ids of two dumps, and of many.
TWO_FLAGS = "Name them with --id-column-x and --id-column-y, or give files of ids with --ids-x and --ids-y"
MANY_FLAGS = "Name the column with --id-column, taken where a dump has it, or write ids beside a dump as <stem>.ids.txt"


def with_shared_ids(x: Space, y: Space, *, flags: str = TWO_FLAGS) -> tuple[Space, Space]:
    """
    Return both spaces with the ids by which their rows match, told by what their columns share, then by names.

    Ids that were given stay. A side without any column of ids is left as it is, and so are two whose columns only
    count their rows. Raises an IdError that lists the columns, and names `flags`, where none is certain. Reads all
    columns that may hold ids.
    """
    if not (x.origin.id_columns or y.origin.id_columns):
        return x, y
    held_x, held_y = _held(x), _held(y)
    if not held_x or not held_y:
        return x, y
    if all(_counts(one) for one in (*held_x, *held_y)):
        return _numbered(x), _numbered(y)
    found = certain_pairing(held_x, held_y)
    if found is not None:
        return _taking(x, found.x), _taking(y, found.y)
    both = x.origin.ids_given and y.origin.ids_given
    if both and not any(Pairing(one, other).shared for one in held_x for other in held_y):
        # there is nothing to choose: the join says that they share none
        return x, y
    raise _uncertain((x, held_x), (y, held_y), flags)


def with_common_ids(spaces: Sequence[Space]) -> list[Space]:
    """Return spaces with the ids by which their rows match those of the first one, as `with_shared_ids` finds them."""
    if not spaces:
        return []
    first, others = spaces[0], list(spaces[1:])
    for place, other in enumerate(others):
        first, others[place] = with_shared_ids(first, other, flags=MANY_FLAGS)
        first = _decided(first)
    return [first, *others]


def with_ids_among(space: Space, known: Ids) -> Space:
    """
    Return a space with its ids from the column that holds most of the ids `known`, or as it is where none does.

    A column that is always one of ids stays unless it holds none of them, and one that counts the rows is never taken.
    """
    if not space.origin.id_columns:
        return space
    held = [one for one in _held(space) if not (one.trust > Trust.LIKELY and one.in_row_order)]
    counts = {id(one): int(np.isin(known, one.ids).sum()) for one in held}
    current = next((one for one in held if one.column is space.origin.id_column), None)
    if current is not None and current.trust <= Trust.INDEX and counts[id(current)]:
        return space
    best = max(counts.values(), default=0)
    ways = [one for one in held if counts[id(one)] == best and best]
    return space if not ways or current in ways else _taking(space, ways[0])


def check_decided(space: Space, *, flag: str = "--id-column") -> None:
    """Raise an IdError where a space has columns that may hold its ids and none was taken."""
    if space.origin.ids_given:
        return
    columns, faults = undecided(space), passed_over(space.origin.id_columns)
    if not (columns or faults):
        return
    told = [f"{space.name} has {_listed(columns)}, and nothing tells that one holds its ids"] if columns else []
    if faults:
        told.append(f"{space.name} has columns that are called like ids and cannot be them: {', '.join(faults[:5])}")
    raise IdError(
        f"{'. '.join(told)}. Mend it, or name the column with {flag}; {flag} {ROW_NUMBER} says that rows have no ids."
    )


def undecided(space: Space) -> tuple[IdColumn, ...]:
    """Return the columns that may hold the ids of a space which has none yet."""
    return () if space.origin.ids_given else possible(space.origin.id_columns)


def _held(space: Space) -> list[Held]:
    origin = space.origin
    if not origin.id_columns:
        return [Held(None, space.ids)] if origin.ids_given else []
    found = []
    for column in origin.id_columns:
        if not column.looks_right:
            continue
        try:
            ids = space.ids if column is origin.id_column else column.read()
        except IdError:
            # what is called like ids and lacks a few is to be mended, not passed over for what is less
            if column.trust <= Trust.LIKELY:
                raise
            continue
        # an empty text is no id
        if len(ids) == len(space) and (ids != "").all():
            found.append(Held(column, ids))
    return found


def _taking(space: Space, held: Held) -> Space:
    if held.column is None or held.column is space.origin.id_column:
        return space
    origin = replace(space.origin, id_source=held.column.source, ids_given=True, id_column=held.column)
    return replace(space, ids=held.ids, origin=origin)


def _numbered(space: Space) -> Space:
    origin = replace(space.origin, id_source="row numbers", ids_given=False, id_column=None, id_columns=())
    return replace(space, ids=np.arange(len(space)).astype(np.str_), origin=origin)


def _decided(space: Space) -> Space:
    """Return a space whose ids are taken as given."""
    if not space.origin.ids_given:
        return space
    return replace(space, origin=replace(space.origin, id_columns=()))


def _counts(held: Held) -> bool:
    return held.trust > Trust.LIKELY and held.in_row_order


def _uncertain(x: tuple[Space, Sequence[Held]], y: tuple[Space, Sequence[Held]], flags: str) -> IdError:
    told = [f"{space.name} has {_listed([one.column for one in held if one.column])}" for space, held in (x, y)]
    return IdError(
        f"{' and '.join(told)}, and what they share does not tell which of them are the ids. {flags}; --id-column "
        f"{ROW_NUMBER} pairs rows by their number."
    )


def _listed(columns: Sequence[IdColumn]) -> str:
    if not columns:
        return "the ids it was given"
    shown = ", ".join(column.shown() for column in columns[:5])
    rest = len(columns) - 5
    return (
        f"the column {shown}"
        if len(columns) == 1
        else f"the columns {shown}" + (f" and {rest} more" if rest > 0 else "")
    )
