"""
The contract of what is kept while pairs stream by, and the five laws it obeys.

1. The result does not depend on how pairs are batched, split or ordered.
2. An empty accumulator changes nothing.
3. `merge` neither writes to the other nor keeps its arrays.
4. `update` keeps no view of the batch.
5. It survives pickling.

Counts obey them to the last bit, sums of floats to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, Self

from relcli.arrays import Floats, unit_rows
from relcli.spaces.pairing import Index, PairedBatch


@dataclass(frozen=True)
class Context:
    """
    What all accumulators of one pass know beforehand.

    `probe` holds the query pairs, in order of rank; `anchors` the anchor vectors x [a, dx] and
    y [a, dy]; `k` is the depth of neighbour lists, `cross` whether lists across spaces are wanted.
    """

    probe: PairedBatch | None = None
    anchors: tuple[Floats, Floats] | None = None
    k: int = 10
    cross: bool = False

    def through(self, x: Callable[[Floats], Floats], y: Callable[[Floats], Floats]) -> Context:
        """Return the context as seen through a projection of each side."""
        with ThreadPoolExecutor(2) as both:
            if self.probe:
                sides = both.map(lambda project, rows: project(rows), (x, y), (self.probe.x, self.probe.y))
                probe: PairedBatch | None = replace(self.probe, **dict(zip("xy", sides, strict=True)))
            else:
                probe = self.probe
        anchors = self.anchors and (x(self.anchors[0]), y(self.anchors[1]))
        return replace(self, probe=probe, anchors=anchors)

    def only(self, queries: Index) -> Context:
        """Return the context with some of the queries alone."""
        return replace(self, probe=self.queries.take(queries))

    @property
    def queries(self) -> PairedBatch:
        """The probe, for accumulators that cannot do without one."""
        assert self.probe is not None, "this accumulator needs a probe"
        return self.probe

    @cached_property
    def centres(self) -> tuple[Floats, Floats]:
        """The mean unit vector of the probe on each side: where the float32 filter has its origin."""
        return unit_rows(self.queries.x).mean(axis=0), unit_rows(self.queries.y).mean(axis=0)

    def offset(self, way: str) -> float:
        """The product of the two centres of a way such as "xy": what filter scores leave out of a cosine."""
        x, y = self.centres
        a, b = (x if side == "x" else y for side in way)
        return float(a @ b)


class Accumulator(Protocol):
    """Something that takes in batches of pairs, merges with its like, and is read by measures."""

    @classmethod
    def empty(cls, context: Context, dx: int, dy: int) -> Self: ...

    def fresh(self) -> Self:
        """Return an empty accumulator made like this one."""
        ...

    def update(self, batch: PairedBatch) -> None: ...

    def merge(self, other: Self) -> None: ...
