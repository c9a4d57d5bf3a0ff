"""The query pairs: those with the smallest hashed ids, the same under any split or order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np

from relcli.accumulators.accumulator import Context
from relcli.arrays import ExactSum, Floats
from relcli.errors import VectorError, counted, first_few
from relcli.spaces.gallery import Gallery
from relcli.spaces.pairing import Ids, Index, PairedBatch, PairedSpaces


def no_pairs(dx: int, dy: int) -> PairedBatch:
    """Return a batch [0] of these widths."""
    none = np.zeros(0, np.int64)
    return PairedBatch(
        none,
        none.astype(np.uint64),
        none.astype(bool),
        none.astype(bool),
        np.zeros((0, dx)),
        np.zeros((0, dy)),
    )


def joined_batches(parts: list[PairedBatch]) -> PairedBatch:
    """Return copies of all rows of some batches, one after the other."""
    fields = ("rank", "hash", "anchor", "scored", "x", "y")
    return PairedBatch(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


class Probe:
    """
    The `size` scored pairs with the smallest hashed ids, all of them when `size` is None.

    Keeps size · (dx + dy) float64 numbers. `context` names the anchors for measures that need them.
    """

    def __init__(self, size: int | None, dx: int, dy: int, context: Context | None = None) -> None:
        self.size, self.dx, self.dy = size, dx, dy
        self.context = context or Context()
        self._kept = [no_pairs(dx, dy)]

    @classmethod
    def empty(cls, context: Context, dx: int, dy: int) -> Self:
        return cls(len(context.probe) if context.probe else None, dx, dy, context)

    @classmethod
    def of(cls, context: Context) -> Self:
        """Return a full probe: the queries that the context already holds."""
        probe = cls.empty(context, context.queries.x.shape[1], context.queries.y.shape[1])
        probe._kept = [context.queries]
        return probe

    def only(self, queries: Index) -> Self:
        """Return the probe of a full context with some of its queries alone."""
        return type(self).of(self.context.only(queries))

    def fresh(self) -> Self:
        return type(self)(self.size, self.dx, self.dy, self.context)

    def update(self, batch: PairedBatch) -> None:
        # a mask copies: no view of the batch is kept
        self._keep(batch.take(batch.scored))

    def merge(self, other: Self) -> None:
        self._keep(joined_batches(other._kept))

    def _keep(self, new: PairedBatch) -> None:
        self._kept.append(new)
        if self.size is not None and sum(map(len, self._kept)) > 2 * self.size + 1024:
            self._kept = [self.pairs]

    @property
    def pairs(self) -> PairedBatch:
        """The pairs kept, in order of rank."""
        if len(self._kept) == 1:
            return self._kept[0]
        kept = joined_batches(self._kept)
        if self.size is not None and len(kept) > self.size:
            kept = kept.take(np.lexsort((kept.rank, kept.hash))[: self.size])
        return kept.take(np.argsort(kept.rank))


class Census:
    """
    What every row must pass before it is measured: counts, sums, and the rows that are NaN, Inf or zero.

    Keeps the rank of each bad row; `sum_x` [dx] and `sum_y` [dy] are over the good rows,
    0 without `sums`.
    """

    KINDS = ("NaN", "Inf", "zero")

    def __init__(self, dx: int, dy: int, *, sums: bool = True) -> None:
        self.dx, self.dy, self.sums = dx, dy, sums
        self.count = 0
        self._sum_x, self._sum_y = ExactSum(dx), ExactSum(dy)
        self.bad: dict[tuple[str, str], list[int]] = {}

    @classmethod
    def empty(cls, context: Context, dx: int, dy: int) -> Self:
        return cls(dx, dy)

    def fresh(self) -> Self:
        return type(self)(self.dx, self.dy, sums=self.sums)

    def update(self, batch: PairedBatch) -> None:
        good = np.ones(len(batch), bool)
        for side, rows in (("x", batch.x), ("y", batch.y)):
            if not rows.shape[1]:  # a space streamed alone is paired with nothing
                continue
            for kind, mask in zip(self.KINDS, faults(rows), strict=True):
                if mask.any():
                    self.bad.setdefault((side, kind), []).extend(batch.rank[mask].tolist())
                    good &= ~mask
        self.count += int(good.sum())
        if not self.sums:
            return
        whole = good.all()
        self._sum_x.add(batch.x if whole else batch.x[good])
        self._sum_y.add(batch.y if whole else batch.y[good])

    def merge(self, other: Self) -> None:
        self.count += other.count
        self._sum_x.merge(other._sum_x)
        self._sum_y.merge(other._sum_y)
        for fault, ranks in other.bad.items():
            self.bad.setdefault(fault, []).extend(ranks)

    @property
    def sum_x(self) -> Floats:
        """The sum [dx] of the good rows of x: the same bits in whatever order they came."""
        return self._sum_x.value

    @property
    def sum_y(self) -> Floats:
        """The sum [dy] of the good rows of y: the same bits in whatever order they came."""
        return self._sum_y.value

    def ranks(self) -> dict[tuple[str, str], list[int]]:
        """Return the ranks of bad rows, sorted, by (side, kind of fault)."""
        return {fault: sorted(ranks) for fault, ranks in sorted(self.bad.items())}


def faults(rows: Floats) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which rows [b] hold NaN, which Inf, and which only zeros."""
    # one pass over the rows when all is well: a NaN or an Inf shows in the sum of squares
    squares = np.einsum("ij,ij->i", rows, rows)
    zero = squares == 0
    nan = np.zeros(len(rows), bool)
    inf = nan.copy()
    for row in np.flatnonzero(~np.isfinite(squares)):
        nan[row] = np.isnan(rows[row]).any()
        inf[row] = not nan[row]
    return nan, inf, zero


_FAULTS = {"NaN": "with NaN", "Inf": "with infinite numbers", "zero": "with only zeros"}


def _told(kind: str, ids: Ids, name: str) -> str:
    return f"{counted(len(ids), 'row')} of {name} {_FAULTS[kind]} ({first_few(list(ids))})"


def repeats_left_out(rows: Gallery) -> list[str]:
    """Return a note on the rows of a space that all these lack as their ids repeat; none where they lack none."""
    count = len(rows.space) - len(rows)
    was = "was" if count == 1 else "were"
    return [f"{counted(count, 'row')} of {rows.space.name} with repeated ids {was} left out"] if count else []


def without_bad(rows: Gallery, bad: Mapping[str, Sequence[int]], name: str, policy: str) -> tuple[Gallery, list[str]]:
    """Return the rows without those whose ranks a survey found bad, and notes; or raise unless `policy` is "drop"."""
    if not bad:
        return rows, []
    if policy == "error":
        id_of = rows.ids[rows.by_rank]
        found = "; ".join(_told(kind, id_of[sorted(ranks)], name) for kind, ranks in sorted(bad.items()))
        raise VectorError(f"{found}. Mend them, or leave those rows out with --on-bad drop.")
    dropped = np.isin(rows.rank, [rank for ranks in bad.values() for rank in ranks])
    if dropped.all():
        raise VectorError(f"All {len(rows):,} rows of {name} hold NaN, Inf or only zeros: nothing is left.")
    held = "holds" if dropped.sum() == 1 else "hold"
    was = "was" if dropped.sum() == 1 else "were"
    return rows.drop(dropped), [
        f"{counted(int(dropped.sum()), 'row')} of {name} {held} NaN, Inf or only zeros and {was} left out"
    ]


def without_bad_rows(pair: PairedSpaces, census: Census, policy: str) -> PairedSpaces:
    """Return the pairs without the rows that a census found bad, or raise VectorError unless `policy` is "drop"."""
    bad = census.ranks()
    if not bad:
        return pair
    id_of = pair.ids[np.argsort(pair.rank)]
    if policy == "error":
        found = "; ".join(
            _told(kind, id_of[ranks], (pair.x if side == "x" else pair.y).name) for (side, kind), ranks in bad.items()
        )
        raise VectorError(f"{found}. Mend them, or leave those pairs out with --on-bad drop.")
    ranks = sorted({rank for some in bad.values() for rank in some})
    if len(ranks) == len(pair):
        raise VectorError(f"All {len(pair):,} shared pairs hold NaN, Inf or zero rows: nothing is left to compare.")
    return pair.drop(np.isin(pair.rank, ranks), "NaN, Inf or zero rows")
