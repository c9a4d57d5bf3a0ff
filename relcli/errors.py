"""
Every error a user can meet, one tree, and what finds the nearest name.

RelcliError                 the command could not answer: exit code 2
├── UsageError              a flag, a name or a value that does not exist
├── DataError               what a file holds
│   ├── FormatError         not a readable dump: truncated, pickled, wrong shape, unknown
│   ├── VectorError         NaN, Inf or zero rows, a wrong width
│   ├── IdError             duplicate, missing or ambiguous ids
│   ├── JoinError           two spaces that share too little
│   └── AnchorError         anchors that are missing, repeated or too few
├── OutputError             a place that cannot be written
└── MissingExtraError       an optional dependency that is not installed

A message has three parts: what happened, the numbers or names that prove it, what to do now.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class RelcliError(Exception):
    """The command could not answer; the message says what happened, why, and what to do."""

    exit_code = 2


class UsageError(RelcliError):
    """A flag, a name or a value that does not exist."""


class DataError(RelcliError):
    """What a file holds stands in the way."""


class FormatError(DataError):
    """A file is not a readable dump."""


class VectorError(DataError):
    """Rows hold NaN, Inf or only zeros, or have the wrong width."""


class IdError(DataError):
    """Ids are duplicated, missing or ambiguous."""


class JoinError(DataError):
    """Two spaces share too little to be compared."""


class AnchorError(DataError):
    """Anchors are missing, repeated or too few."""


class OutputError(RelcliError):
    """A place cannot be written."""


class MissingExtraError(RelcliError):
    """An optional dependency is not installed."""


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the name nearest to `name`, or "" where none is near."""
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""


def check_choice(option: str, said: object, known: Iterable[str]) -> None:
    """Raise UsageError with the nearest name unless what was said for an option is one of those known."""
    names = list(known)
    if said not in names:
        flag = option.replace("_", "-")
        raise UsageError(f"--{flag} {said!r} is none of {', '.join(names)}.{did_you_mean(str(said), names)}")


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a number of things in words: "1 pair", "2,000 pairs"."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def first_few(names: Sequence[object], limit: int = 5) -> str:
    """Return the first names quoted and comma-separated, then how many more there are."""
    shown = ", ".join(repr(str(name)) for name in names[:limit])
    rest = len(names) - limit
    return f"{shown} and {rest:,} more" if rest > 0 else shown
