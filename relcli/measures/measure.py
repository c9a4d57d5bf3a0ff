"""The contract of a measure: a pure, cited function of one accumulator."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar

from relcli.accumulators.accumulator import Accumulator
from relcli.arrays import Floats

F = TypeVar("F", bound=Callable[..., Any])

SECTIONS = ("Retrieval", "Neighbourhood", "Alignment", "Similarity structure")


class Undefined(Exception):
    """The measure has no value on these spaces; the message says why."""


@dataclass(frozen=True)
class PerQuery:
    """
    A measure's value for each query [q]: from x to y, and from y to x where that differs.

    The score is the mean over queries, or the median where `median` is set; of both directions, the
    mean of the two. `rate` says that the values are hits and misses.
    """

    forward: Floats
    backward: Floats | None = None
    median: bool = False
    rate: bool = False


@dataclass(frozen=True)
class BothWays:
    """A measure's value from x to y, and from y to x; the score is the mean of the two."""

    forward: float
    backward: float

    def __float__(self) -> float:
        return (self.forward + self.backward) / 2


@dataclass(frozen=True)
class Measure:
    """
    A named number about two spaces.

    `finalize(accumulator)` returns a float, BothWays or, for a mean over queries, PerQuery; `chance(accumulator)`
    what spaces with nothing in common score. Measures with `@k` in their name take `k` as well.
    `views` are those it is defined on; `same_width` says that it needs dx = dy there.
    """

    name: str
    reads: type[Accumulator]
    finalize: Callable[..., float | BothWays | PerQuery]
    range: tuple[float | None, float | None]
    higher_is_closer: bool
    chance: Callable[..., float]
    section: str
    definition: str
    cite: str
    symmetric: bool
    invariant_to: frozenset[str]
    views: tuple[str, ...]
    same_width: bool
    k: int | None = None

    @property
    def family(self) -> str:
        """The name with its depth left open, as the catalog lists it: "jaccard@k"."""
        return f"{self.name.partition('@')[0]}@k" if "@" in self.name else self.name

    def _arguments(self) -> dict[str, int]:
        return {} if self.k is None else {"k": self.k}

    def value(self, accumulator: Accumulator) -> float | BothWays | PerQuery:
        """Return what the measure reads off the accumulator; Undefined where it has no value."""
        return self.finalize(accumulator, **self._arguments())

    def chance_level(self, accumulator: Accumulator) -> float:
        """Return what spaces with nothing in common would score."""
        return self.chance(accumulator, **self._arguments())


#: Every measure by the name it is declared under; `measures/catalog.py` fills it by importing the modules.
DECLARED: dict[str, Measure] = {}


def measure(
    name: str,
    *,
    reads: type[Accumulator],
    range: tuple[float | None, float | None],
    higher_is_closer: bool,
    chance: Callable[..., float],
    section: str,
    definition: str,
    cite: str,
    symmetric: bool = True,
    invariant_to: Collection[str] = (),
    views: tuple[str, ...] = ("relative", "absolute"),
    same_width: bool = False,
) -> Callable[[F], F]:
    """Declare the decorated function as the measure `name`."""

    def declare(finalize: F) -> F:
        assert section in SECTIONS, section
        DECLARED[name] = Measure(
            name=name,
            reads=reads,
            finalize=finalize,
            range=range,
            higher_is_closer=higher_is_closer,
            chance=chance,
            section=section,
            definition=definition,
            cite=cite,
            symmetric=symmetric,
            invariant_to=frozenset(invariant_to),
            views=views,
            same_width=same_width,
        )
        return finalize

    return declare
