"""The two sides of the queries and of a batch, made ready to be scored once, whoever asks."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np

from relcli.accumulators.accumulator import Context
from relcli.accumulators.depths import neighbour_depth, own_scores, rank_depth, turn_of, worth_turning
from relcli.accumulators.entering import seeded
from relcli.accumulators.tiles import Index, Scorable, Turn, first_of_equal
from relcli.arrays import Floats
from relcli.kernels.compiled import want_compiled
from relcli.kernels.tiers import choose_kernel
from relcli.spaces.pairing import PairedBatch

#: Fewer queries than this are ranked as they come.
RANKED = 256

_MAKING = threading.RLock()


class Queries:
    """
    The probe as its accumulators see it: both sides ready to be scored, in what order, how deep.

    Keeps 4 bytes a number of both sides beside the probe itself.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        probe = context.queries
        self.rank = probe.rank
        want_compiled(len(probe) ** 2)
        self.kernel = choose_kernel(len(probe) ** 2 * max(probe.x.shape[1], probe.y.shape[1]))
        widths = {"x": probe.x.shape[1], "y": probe.y.shape[1]}
        rows, centres = {"x": probe.x, "y": probe.y}, dict(zip("xy", context.centres, strict=True))
        self._turns: dict[str, Turn | None] = {"x": None, "y": None}
        for sides in ("xy",) if widths["x"] == widths["y"] else ("x", "y"):
            if worth_turning(len(probe), widths[sides[0]]):
                turn = turn_of([(rows[side], centres[side]) for side in sides])
                self._turns |= dict.fromkeys(sides, turn)
        with ThreadPoolExecutor(2) as both:
            self.sides = dict(zip("xy", both.map(lambda side: self.ready(rows[side], side), "xy"), strict=True))
        self._depths: dict[str, int] = {}
        self._least: dict[str, Floats] = {}

    @classmethod
    def of(cls, context: Context) -> Queries:
        """Return what was made for a context, once."""
        with _MAKING:
            kept: Queries | None = context.__dict__.get("_queries")
            if kept is None:
                kept = context.__dict__["_queries"] = cls(context)
        return kept

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__

    def __len__(self) -> int:
        return len(self.rank)

    def ready(self, rows: Floats, side: str) -> Scorable:
        """Return rows of one side ready to be scored against the queries."""
        own, other = self._context.centres if side == "x" else self._context.centres[::-1]
        return Scorable(rows, own, other, self._turns[side])

    @cached_property
    def by_radius(self) -> dict[str, Index]:
        """The queries [q] of each side by their distance to the centre: neighbours in this order need much the same."""
        return {side: np.argsort(rows.radius, kind="stable") for side, rows in self.sides.items()}

    @cached_property
    def copies(self) -> dict[str, Index]:
        """The first query [q] of each side that is equal to each, to the bit."""
        return {side: first_of_equal(rows.rows) for side, rows in self.sides.items()}

    def depth(self, way: str) -> int:
        """Return how many leading numbers the filter for neighbours multiplies."""
        with _MAKING:
            if way not in self._depths:
                a, b = (self.sides[side] for side in way)
                turned = self._turns[way[0]] is not None and self._turns[way[0]] is self._turns[way[1]]
                across = way[0] != way[1]
                self._depths[way] = (
                    neighbour_depth(a, b, self._context.k, len(self), across=across, kernel=self.kernel)
                    if turned
                    else a.width
                )
            return self._depths[way]

    def least(self, way: str) -> Floats:
        """Return a score [q] that the k best of each query reach once all pairs have streamed by."""
        with _MAKING:
            if way not in self._least:
                self._least[way] = seeded(
                    self.sides[way[0]], self.by_radius[way[0]], self.sides[way[1]], self._context.k,
                    self._context.offset(way), across=way[0] != way[1], depth=self.depth(way), kernel=self.kernel,
                )  # fmt: skip
            return self._least[way]

    @cached_property
    def truth(self) -> Floats:
        """The cosine [q] of each query with its own pair."""
        return own_scores(self.sides["x"], self.sides["y"])

    @cached_property
    def ranking(self) -> tuple[int, Index, int]:
        """The depth for ranks, the queries in the order of how hard theirs are to tell, and how many are easy."""
        x, y = self.sides["x"], self.sides["y"]
        if len(self) < RANKED:
            return x.width, np.arange(len(self)), 0
        return rank_depth(x, y, self.truth, self._context.offset("xy"), self.kernel)


def least_of_copies(first: Index, rank: Index, k: int) -> np.ndarray:
    """Return which rows [n] are among the k of least rank of those equal to them: no list needs any other."""
    order = np.lexsort((rank, first))
    starts = np.flatnonzero(np.concatenate([[True], first[order][1:] != first[order][:-1]]))
    place = np.arange(len(first)) - np.repeat(starts, np.diff(np.append(starts, len(first))))
    kept = np.empty(len(first), bool)
    kept[order] = place < k
    return kept


class Sides:
    """
    A batch as queries see it: its rows that are queries themselves, and the others.

    `place` [c] are the queries, in order, whose own pairs are in the batch; `outside` gives the rows of all other
    pairs by side, with their `ranks`, made when they are first asked for.
    """

    def __init__(self, context: Context, batch: PairedBatch) -> None:
        self.context, self.queries = context, Queries.of(context)
        known = self.queries.rank
        at = np.searchsorted(known, batch.rank).clip(max=len(known) - 1)
        is_query = known[at] == batch.rank
        # the same rows to the bit as the probe's: a projection gives a row the same numbers in every batch
        self.place = np.sort(at[is_query])
        self._others = batch.take(~is_query)
        self.ranks = self._others.rank
        self._outside: dict[str, Scorable] = {}

    @classmethod
    def of(cls, context: Context, batch: PairedBatch) -> Sides:
        """Return the sides of a batch, made once for all accumulators that it is shown to."""
        kept: Sides | None = batch.__dict__.get("_sides")
        if kept is None or kept.context is not context:
            kept = cls(context, batch)
            object.__setattr__(batch, "_sides", kept)
        return kept

    def outside(self, side: str) -> Scorable:
        """Return the rows of one side that are no queries."""
        if side not in self._outside:
            self._outside[side] = self.queries.ready(self._others.x if side == "x" else self._others.y, side)
        return self._outside[side]
