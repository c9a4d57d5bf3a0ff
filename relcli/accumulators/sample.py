"""A sample of the rows themselves, for measures of all pairs of rows: those with the smallest hashed ids."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import numpy as np

from relcli.accumulators.accumulator import Context
from relcli.accumulators.probe import joined_batches, no_pairs
from relcli.spaces.pairing import Index, Mask, PairedBatch

#: Rows whose pairs are all looked at: a million numbers a space, ten times over for the jackknife.
SAMPLE_ROWS = 1_000


class RowSample:
    """
    The `size` pairs with the smallest hashed ids, scored or not; all of them where there are no more.

    `rows` are the pairs kept, in order of rank; `gallery` counts all that streamed by. Keeps
    size · (dx + dy) float64 numbers.
    """

    def __init__(self, context: Context, dx: int, dy: int, size: int = SAMPLE_ROWS) -> None:
        self.context, self.dx, self.dy, self.size = context, dx, dy, size
        self.gallery = 0
        self._kept, self._in_order = [no_pairs(dx, dy)], True
        self._threshold = np.uint64(2**64 - 1)

    @classmethod
    def empty(cls, context: Context, dx: int, dy: int) -> Self:
        return cls(context, dx, dy)

    def fresh(self) -> Self:
        return type(self)(self.context, self.dx, self.dy, self.size)

    def update(self, batch: PairedBatch) -> None:
        self.gallery += len(batch)
        # a mask copies: no view of the batch is kept
        self._keep(batch.take(batch.hash <= self._threshold))

    def merge(self, other: Self) -> None:
        self.gallery += other.gallery
        self._keep(joined_batches(other._kept))

    def _keep(self, new: PairedBatch) -> None:
        if not len(new):
            return
        self._kept.append(new)
        self._in_order = False
        if sum(map(len, self._kept)) > 2 * self.size:
            self._threshold = self.rows.hash.max()

    @property
    def rows(self) -> PairedBatch:
        """The pairs kept, in order of rank."""
        if not self._in_order:
            kept = joined_batches(self._kept)
            if len(kept) > self.size:
                kept = kept.take(np.lexsort((kept.rank, kept.hash))[: self.size])
            self._kept, self._in_order = [kept.take(np.argsort(kept.rank))], True
        return self._kept[0]

    @property
    def scored(self) -> PairedBatch:
        """Those of them that are scored."""
        rows = self.rows
        return rows.take(rows.scored)

    @property
    def count(self) -> int:
        """How many of them are scored."""
        return int(self.rows.scored.sum())

    def only(self, queries: Index) -> Self:
        """Return the sample with some of the queries scored alone."""
        wanted = self.context.queries.rank[queries]
        rows = self.rows
        return self._scoring(rows, rows.scored & np.isin(rows.rank, wanted))

    def without_each(self, folds: int) -> list[Self]:
        """Return, for each fold of hashed ids, the sample with the pairs of all others scored."""
        # the sample takes the smallest hashes, so folds go by the lowest bits
        rows = self.rows
        fold_of = rows.hash % np.uint64(folds)
        return [self._scoring(rows, rows.scored & (fold_of != fold)) for fold in range(folds)]

    def _scoring(self, rows: PairedBatch, scored: Mask) -> Self:
        some = self.fresh()
        some.gallery = self.gallery
        some._kept = [replace(rows, scored=scored)]
        return some
