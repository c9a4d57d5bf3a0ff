"""Columns that may hold the ids of a space: what they are called, what their values look like, which one to take."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from relcli.errors import IdError

Ids = NDArray[np.str_]

#: What is said where a column is named, for "these rows have no ids: number them".
ROW_NUMBER = "row-number"

#: How many rows tell whether a column may hold ids.
SAMPLED = 1_000


class Trust(IntEnum):
    """How far a column's name vouches for it, from what was told to what only its values speak for."""

    GIVEN = 0
    NAMED = 1
    INDEX = 2
    LIKELY = 3
    WEAK = 4
    UNNAMED = 5


NAMED = ("id", "ids", "_id", "doc_id", "docid", "key", "uid", "uuid")
_LIKELY = (
    *("document_id", "chunk_id", "custom_id", "item_id", "row_id", "sample_id", "paper_id", "pk", "sku", "hash"),
    *("ref", "sha256", "sha1", "md5"),
)
_LIKELY_ENDS = ("_id", "_uuid", "_ref", "_key", "_ids", "_uuids", "_refs", "_keys")
#: Stand in for ids where nothing better is found.
_WEAK = (
    *("url", "uri", "image_path", "filename", "file_name", "filepath", "file_path", "path"),
    *("name", "word", "token"),
)
#: Never ids: they repeat, models differ in cleaning them, or they say what a row is and not which.
_NEVER = {
    *("text", "texts", "content", "contents", "body", "passage", "prompt", "title", "caption", "sentence", "question"),
    *("answer", "query", "abstract", "description", "summary", "label", "labels", "class", "target", "category"),
    *("split", "language", "lang", "date", "time", "timestamp", "created_at", "updated_at"),
    *("label_id", "class_id", "category_id", "cluster_id", "topic_id", "target_id", "split_id"),
}
_NEVER_ENDS = ("_text", "_content", "_prompt", "_title", "_label", "_class", "_category")

#: An id may be this long where its column is called like ids are, and where it is not.
_LONGEST, _SHORT = 512, 64

#: So many of a column's values differ, at least, where it is called like ids are, and where it is not.
_DISTINCT, _MOSTLY_DISTINCT = 0.5, 0.9

#: So many of a column's first values are there, at least.
_PRESENT = 0.9

#: Two columns tell something when they share this much of the shorter one.
_ENOUGH = 0.05

#: Whole numbers coincide by chance: they must share this many times what chance would give.
_BEYOND_CHANCE = 3

#: A column that shares more than this part of what the best one shares is a rival of it.
_RIVAL = 0.2

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_COUNTED = re.compile(r"(\D*)(\d{1,17})(\D*)")


@dataclass(frozen=True)
class IdColumn:
    """
    A column, tensor, array, key or file that may hold a space's ids.

    `source` is a phrase such as "column 'id'"; `sample()` gives the ids of the first rows, those that are there, where
    that is cheaper than `read()`, which gives all [n]; `rows` are how many were sampled. Both raise an IdError where a
    value is no id, and `read()` where one is missing.
    """

    name: str
    source: str
    trust: Trust
    read: Callable[[], Ids]
    sample: Callable[[], tuple[Ids, int]] | None = None

    @cached_property
    def first(self) -> tuple[Ids, int] | None:
        """The ids of the first rows, or of all, that are there, and the number of rows; None where one is no id."""
        try:
            if self.sample is not None:
                return self.sample()
            ids = self.read()
            return ids, len(ids)
        except IdError:
            return None

    @cached_property
    def fault(self) -> str | None:
        """Why the column cannot hold the ids, as its first values tell, None where it can."""
        if self.trust <= Trust.INDEX:
            return None
        if self.first is None:
            return "holds what is no id"
        values, rows = self.first
        unnamed = self.trust is Trust.UNNAMED
        if not len(values) or len(values) < _PRESENT * rows:
            return f"is empty in {rows - len(values):,} of its first {rows:,} rows"
        if values.dtype.itemsize > 4 * (_SHORT if unnamed else _LONGEST) or (np.char.find(values, "\n") >= 0).any():
            return "holds long texts"
        different = len(np.unique(values))
        if different < (_DISTINCT if self.trust <= Trust.LIKELY else _MOSTLY_DISTINCT) * len(values):
            return f"holds {different:,} values in {len(values):,} rows"
        return None

    @property
    def looks_right(self) -> bool:
        """Whether the first values are short, differ, and are there; what is called like ids is taken at that."""
        return self.fault is None

    @cached_property
    def numbers_rows(self) -> bool:
        """Whether the first values count the rows: 0, 1, 2 … or 1, 2, 3 …"""
        return self.first is not None and counts_rows(self.first[0])

    def shown(self) -> str:
        """Return the name and a first value, for a message."""
        if self.first is None or not len(self.first[0]):
            return repr(self.name)
        return f"{self.name!r} (like {str(self.first[0][0])!r})"


def given_column(source: str, ids: Ids) -> IdColumn:
    """Return ids [n] that are already there and beyond doubt as a column."""
    return IdColumn(source, source, Trust.GIVEN, partial(_itself, ids))


def trust_in(name: str) -> Trust | None:
    """Return how far a column is called like ids are, UNNAMED where its name says nothing; None where it never is."""
    folded = _folded(name)
    if folded in NAMED or name.lower() in NAMED:
        return Trust.NAMED
    if folded in _NEVER or folded.endswith(_NEVER_ENDS):
        return None
    if folded in _LIKELY or folded.endswith(_LIKELY_ENDS):
        return Trust.LIKELY
    return Trust.WEAK if folded in _WEAK else Trust.UNNAMED


def same_name(one: IdColumn, other: IdColumn) -> bool:
    """Return whether two columns are called alike, whatever the capitals and hyphens."""
    return _folded(one.name) == _folded(other.name)


def in_order(columns: Sequence[IdColumn]) -> tuple[IdColumn, ...]:
    """Return columns the most trusted first, then in the order that names of ids are listed in."""
    listed = (*NAMED, *_LIKELY, *_WEAK)

    def place(column: IdColumn) -> tuple[int, int]:
        folded = next((name for name in (column.name.lower(), _folded(column.name)) if name in listed), None)
        return column.trust, listed.index(folded) if folded else len(listed)

    return tuple(sorted(columns, key=place))


def take_alone(columns: Sequence[IdColumn]) -> IdColumn | None:
    """
    Return the column that the ids of a space are read from when nothing else is known, None where none is certain.

    A name that is always one of ids decides; then the only column of the most trusted kind whose values look right,
    those that merely count the rows set aside.
    """
    for trust in Trust:
        fit = [column for column in columns if column.trust is trust and column.looks_right]
        if trust > Trust.LIKELY:
            fit = [column for column in fit if not column.numbers_rows]
        if trust <= Trust.INDEX and fit:
            return fit[0]
        if len(fit) > 1:
            unique = [column for column in fit if _is_unique(column)]
            # an url names a row as well as its path does
            fit = unique[:1] if trust is Trust.WEAK or len(unique) == 1 else []
            return fit[0] if fit else None
        if fit:
            return fit[0]
    return None


def possible(columns: Sequence[IdColumn]) -> tuple[IdColumn, ...]:
    """Return the columns whose values look like ids and do more than count rows, unless they are called like ids."""
    return tuple(
        column for column in columns if column.looks_right and not (column.trust > Trust.LIKELY and column.numbers_rows)
    )


def passed_over(columns: Sequence[IdColumn]) -> list[str]:
    """Return the columns that are called like ids and cannot hold them, each with the reason."""
    return [f"{column.name!r} {column.fault}" for column in columns if column.trust <= Trust.LIKELY and column.fault]


def counts_rows(values: Ids, *, within: bool = False) -> bool:
    """Return whether the values are consecutive whole numbers in order, or such `within` texts that are else alike."""
    numbers = _whole(values)
    if numbers is None and not within:
        return False
    if numbers is None:
        parts = [_COUNTED.fullmatch(value) for value in values[:SAMPLED].tolist()]
        if not all(parts) or len({(part[1], part[3]) for part in parts if part}) != 1:
            return False
        numbers = np.array([int(part[2]) for part in parts if part], np.int64)
    return len(numbers) > 1 and bool((np.diff(numbers) == 1).all())


def _itself(ids: Ids) -> Ids:
    return ids


def _folded(name: str) -> str:
    return _CAMEL.sub("_", name.strip()).lower().replace("-", "_").replace(" ", "_")


def _is_unique(column: IdColumn) -> bool:
    try:
        values = column.read()
    except IdError:
        return False
    return len(np.unique(values)) == len(values)


def _whole(values: Ids) -> NDArray[np.int64] | None:
    """Return ids as whole numbers, None where one is none."""
    if not len(values) or values.dtype.itemsize > 4 * 18:
        return None
    if not np.char.isdecimal(np.char.lstrip(values, "-")).all():
        return None
    try:
        return values.astype(np.int64)
    except ValueError:
        return None


@dataclass(frozen=True)
class Held:
    """The ids [n] that one column of a space holds, or a space's given ones (`column` is None)."""

    column: IdColumn | None
    ids: Ids

    @property
    def trust(self) -> Trust:
        return self.column.trust if self.column else Trust.GIVEN

    @cached_property
    def once(self) -> tuple[Ids, NDArray[np.int64]]:
        """The values that stand once, sorted, and their rows."""
        values, first, counts = np.unique(self.ids, return_index=True, return_counts=True)
        return values[counts == 1], first[counts == 1]

    @cached_property
    def numbers(self) -> NDArray[np.int64] | None:
        """The values that stand once as whole numbers, None where one is none."""
        return _whole(self.once[0])

    @cached_property
    def in_row_order(self) -> bool:
        """Whether the ids count the rows."""
        return counts_rows(self.ids, within=True)


@dataclass(frozen=True)
class Pairing:
    """A column of x beside one of y: how many values they share, and which rows that pairs."""

    x: Held
    y: Held

    @cached_property
    def rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows of x, in order, and of y that hold the same value, once on each side."""
        (values_x, rows_x), (values_y, rows_y) = self.x.once, self.y.once
        _, at_x, at_y = np.intersect1d(values_x, values_y, assume_unique=True, return_indices=True)
        order = np.argsort(rows_x[at_x])
        return rows_x[at_x][order], rows_y[at_y][order]

    @cached_property
    def shared(self) -> int:
        """How many values stand once on both sides."""
        return len(self.rows[0])

    @cached_property
    def enough(self) -> bool:
        """Whether that is a fair part of the shorter side."""
        return self.shared > 0 and self.shared >= _ENOUGH * min(len(self.x.once[0]), len(self.y.once[0]))

    @cached_property
    def by_chance(self) -> bool:
        """Whether any two columns of such whole numbers would share as many."""
        a, b = self.x.numbers, self.y.numbers
        if a is None or b is None or not self.shared:
            return False
        low, high = max(a.min(), b.min()), min(a.max(), b.max())
        inside_a, inside_b = ((values >= low) & (values <= high) for values in (a, b))
        expected = float(inside_a.sum()) * float(inside_b.sum()) / (float(high) - float(low) + 1)
        return self.shared < _BEYOND_CHANCE * expected

    @property
    def numbers_rows(self) -> bool:
        """Whether both sides count their rows, so that it says what row numbers do."""
        return self.x.in_row_order and self.y.in_row_order

    @property
    def telling(self) -> bool:
        """Whether what the two share tells that they are the same ids."""
        return self.enough and not self.by_chance and not self.numbers_rows

    @property
    def called_so(self) -> bool:
        """Whether both columns are called what ids are always called, or were given."""
        return max(self.x.trust, self.y.trust) <= Trust.INDEX

    @property
    def alike(self) -> bool:
        """Whether both columns are called the same."""
        names = [held.column and _folded(held.column.name) for held in (self.x, self.y)]
        return names[0] is not None and names[0] == names[1]

    @property
    def rank(self) -> tuple[int, int, int]:
        """What decides between columns that pair the same rows: less is better."""
        return self.x.trust + self.y.trust, not self.alike, -self.shared

    def disagrees(self, other: Pairing) -> bool:
        """Whether another pairing gives some row of x another row of y."""
        (x, y), (other_x, other_y) = self.rows, other.rows
        _, at, other_at = np.intersect1d(x, other_x, assume_unique=True, return_indices=True)
        return bool((y[at] != other_y[other_at]).any()) or not len(at)


def certain_pairing(all_x: Sequence[Held], all_y: Sequence[Held]) -> Pairing | None:
    """
    Return the column of x and that of y which hold the ids that the two share, None where none is certain.

    What the columns share decides before what they are called: the pair that shares by far the most, where it shares
    a fair part of the shorter side and more than whole numbers or counted rows share by themselves. Pairs that lead
    to the same rows are no rivals. Where values tell nothing, names decide, if all columns called like ids agree.
    """
    pairings = [Pairing(x, y) for x in all_x for y in all_y]
    telling = [one for one in pairings if one.telling]
    named = [one for one in pairings if one.called_so and one.shared]
    if telling:
        most = max(one.shared for one in telling)
        strong = _without_crossings([one for one in telling if one.shared > _RIVAL * most])
        best = min(strong, key=lambda one: one.rank)
        rivals = [*strong, *(one for one in named if one.enough and not one.numbers_rows)]
        return None if any(one.disagrees(best) for one in rivals) else best
    alone = len(pairings) == 1 and min(pairings[0].x.trust, pairings[0].y.trust) is Trust.GIVEN
    called = [
        one
        for one in pairings
        if one.shared
        and (
            one.called_so
            or (one.alike and one.x.trust <= Trust.WEAK)
            or (alone and max(one.x.trust, one.y.trust) <= Trust.LIKELY)
        )
    ]
    if not called:
        return None
    best = min(called, key=lambda one: one.rank)
    rivals = [one for one in pairings if one.shared and one.alike and max(one.x.trust, one.y.trust) <= Trust.LIKELY]
    if any(one.disagrees(best) for one in (*called, *rivals)):
        return None
    others = [
        any(held is not mine and held.trust <= Trust.LIKELY and not held.in_row_order for held in side)
        for mine, side in ((best.x, all_x), (best.y, all_y))
    ]
    # a counter is no id where something better may be: what does not match may only be written in another way
    return None if best.numbers_rows and all(others) else best


def _without_crossings(pairings: Sequence[Pairing]) -> list[Pairing]:
    """Return pairings without those of two columns each of which has its namesake on the other side."""
    x = {id(one.x) for one in pairings if one.alike}
    y = {id(one.y) for one in pairings if one.alike}
    return [one for one in pairings if one.alike or not (id(one.x) in x and id(one.y) in y)]
