"""The rows of one space that are searched, or searched for: each with its id's place in the order of ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from relcli.arrays import Floats
from relcli.spaces.pairing import DuplicatePolicy, Ids, Index, Mask, slice_if_consecutive, unique_rows
from relcli.spaces.space import Projection, Space


@dataclass(frozen=True)
class RowBatch:
    """Some rows [b, d] in float64, and the `rank` [b] of each one's id among all ids in sorted order."""

    rank: Index
    vectors: Floats

    def __len__(self) -> int:
        return len(self.rank)


@dataclass(frozen=True)
class Gallery:
    """
    The n rows of a space with their ids, each id once, in the order of the file or of the asking.

    `rank` [n] is the position of each id among these ids in sorted order: ties are broken by it.
    `width` is how many numbers a row takes while it is worked on. Keeps 16 bytes a row beside the ids.
    """

    space: Space
    rows: Index
    ids: Ids
    rank: Index
    width: int

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, space: Space, *, on_duplicate: DuplicatePolicy = "error") -> Gallery:
        """Return all rows of a space, repeated ids settled by the policy."""
        rows, _ = unique_rows(space, on_duplicate)
        return cls._of_rows(space, np.sort(rows))

    @classmethod
    def _of_rows(cls, space: Space, rows: Index) -> Gallery:
        ids = space.ids[rows]
        rank = np.empty(len(ids), np.int64)
        rank[np.argsort(ids, kind="stable")] = np.arange(len(ids))
        return cls(space, rows.astype(np.int64), ids, rank, space.dim)

    def take(self, rows: Any) -> Gallery:
        """Return the rows that a mask or index array names, ranked among themselves."""
        return self._of_rows(self.space, self.rows[rows])

    def map(self, projection: Projection, *, dim: int | None = None) -> Gallery:
        """Return the rows seen through a projection."""
        return replace(self, space=self.space.map(projection, dim=dim))

    def batch(self, rows: Any) -> RowBatch:
        """Return the rows that a slice or index array names, read."""
        return RowBatch(self.rank[rows], self.space.read(slice_if_consecutive(self.rows[rows])))

    def drop(self, rows: Mask) -> Gallery:
        """Return the rows without those of a mask."""
        return self.take(np.flatnonzero(~rows))

    @property
    def by_rank(self) -> Index:
        """The position [n] of each row, in the order of the ids."""
        return np.argsort(self.rank, kind="stable")

    def find(self, ids: Ids) -> Index:
        """Return the position of each id, −1 where it is none of these."""
        order = self.by_rank
        if not len(order):
            return np.full(len(ids), -1, np.int64)
        at = np.searchsorted(self.ids, ids, sorter=order).clip(max=len(order) - 1)
        found = order[at]
        return np.where(self.ids[found] == ids, found, -1)
