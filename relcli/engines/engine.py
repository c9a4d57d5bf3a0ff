"""The contract of what runs an accumulator over a pair of spaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from relcli.accumulators.accumulator import Accumulator
from relcli.spaces.pairing import PairedSpaces

A = TypeVar("A", bound=Accumulator)

#: Called with the number of pairs just read.
Progress = Callable[[int], None]


class Engine(Protocol):
    """Reduces one accumulator over a pair of spaces."""

    def reduce(self, pair: PairedSpaces, empty: A, progress: Progress | None = None) -> A:
        """Return `empty` made full with all pairs."""
        ...
