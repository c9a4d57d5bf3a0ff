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
    mostly_distinct,
    possible,
)
from relcli.spaces.space import Space


def with_shared_ids(x: Space, y: Space) -> tuple[Space, Space]:
    """
    Return both spaces with the ids by which their rows match, told by what their columns share, then by names.

    Ids that were given stay. A side without any column of ids is left as it is, and so are two whose columns only
    count their rows. Raises an IdError that lists the columns where none is certain. Reads the columns in question.
    """
    if not (x.origin.id_columns or y.origin.id_columns):
        return x, y
    named_x, named_y = _named(x), _named(y)
    if named_x and named_y and Pairing(named_x, named_y).telling:
        return x, y
    held_x, held_y = _held(x), _held(y)
    if not held_x or not held_y:
        return x, y
    found = certain_pairing(held_x, held_y)
    if found is None:
        if named_x and named_y:
            # called what ids are called, and sharing none: the join says so
            return x, y
        raise _uncertain((x, held_x), (y, held_y))
    if found.numbers_rows and max(found.x.trust, found.y.trust) > Trust.LIKELY:
        return _numbered(x), _numbered(y)
    return _taking(x, found.x), _taking(y, found.y)


def with_common_ids(spaces: Sequence[Space]) -> list[Space]:
    """Return spaces with the ids by which their rows match those of the first one, as `with_shared_ids` finds them."""
    if not spaces:
        return []
    first, others = spaces[0], list(spaces[1:])
    for place, other in enumerate(others):
        first, others[place] = with_shared_ids(first, other)
        first = _decided(first)
    return [first, *others]


def with_ids_among(space: Space, known: Ids) -> Space:
    """Return a space with its ids from the column that holds most of the ids `known`, or as it is where none does."""
    if not space.origin.id_columns:
        return space
    held = _held(space)
    counts = [int(np.isin(known, one.ids).sum()) for one in held]
    best = max(counts, default=0)
    if not best:
        return space
    ways = [one for one, count in zip(held, counts, strict=True) if count == best]
    # the most trusted of those that hold as many; the current one where it is among them
    return _taking(space, next((one for one in ways if one.column is space.origin.id_column), ways[0]))


def check_decided(space: Space, *, flag: str = "--id-column") -> None:
    """Raise an IdError where a space has columns that may hold its ids and none was taken."""
    columns = undecided(space)
    if columns:
        raise IdError(
            f"{space.name} has {_listed(columns)}, and nothing tells whether {'it' if len(columns) == 1 else 'one'} "
            f"holds its ids. Name it with {flag}; {flag} {ROW_NUMBER} numbers the rows."
        )


def undecided(space: Space) -> tuple[IdColumn, ...]:
    """Return the columns that may hold the ids of a space which has none yet."""
    return () if space.origin.ids_given else possible(space.origin.id_columns)


def _named(space: Space) -> Held | None:
    """Return the ids that a space has if they were given or are called what ids are always called."""
    if not space.origin.ids_given:
        return None
    column = space.origin.id_column
    return Held(column, space.ids) if column is None or column.trust <= Trust.INDEX else None


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
            if column.trust <= Trust.INDEX:
                raise
            continue
        if len(ids) == len(space) and (column.trust <= Trust.INDEX or mostly_distinct(ids)):
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


def _uncertain(*sides: tuple[Space, Sequence[Held]]) -> IdError:
    told = [f"{space.name} has {_listed([one.column for one in held if one.column])}" for space, held in sides]
    return IdError(
        f"{' and '.join(told)}, and what they share does not tell which of them are the ids. Name them with "
        f"--id-column-x and --id-column-y, or give files of ids with --ids-x and --ids-y; --id-column {ROW_NUMBER} "
        "pairs rows by their number."
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
