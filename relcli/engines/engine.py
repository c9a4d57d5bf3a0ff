"""The contract of what runs an accumulator over a pair of spaces, or over the rows of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, Self, TypeVar

from numpy.typing import NDArray

from relcli.spaces.space import Space


class Filled(Protocol):
    """What an engine fills: every Accumulator is one."""

    def fresh(self) -> Self: ...

    def update(self, batch: Any) -> None: ...

    def merge(self, other: Self) -> None: ...


class Batched(Protocol):
    """What an engine reads: so many rows or pairs, each of `width` numbers, batch by batch."""

    @property
    def width(self) -> int: ...

    def __len__(self) -> int: ...

    def batch(self, rows: Any) -> Any: ...


A = TypeVar("A", bound=Filled)
T = TypeVar("T")
R = TypeVar("R")

#: Called with the number of pairs or rows just read.
Progress = Callable[[int], None]


class Engine(Protocol):
    """Reduces one accumulator over a pair of spaces, or over the rows of one."""

    def reduce(self, source: Batched, empty: A, progress: Progress | None = None) -> A:
        """Return `empty` made full with all there is in `source`."""
        ...

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Return what `work` makes of each item, in order; the same whatever runs it."""
        ...

    def stream(self, space: Space, progress: Progress | None = None) -> Iterator[NDArray[Any]]:
        """Yield the rows of a space in order, a batch at a time."""
        ...
