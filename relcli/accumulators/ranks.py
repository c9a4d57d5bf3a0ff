"""How many rows score above, and level with, each query's own pair in the other space."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from relcli.accumulators.accumulator import Context
from relcli.accumulators.neighbors import gallery_sides, own_columns, query_sides
from relcli.accumulators.tiles import Index, Strip, row_slices, settle
from relcli.arrays import Floats
from relcli.spaces.pairing import PairedBatch


class RankCounts:
    """
    For each query, the gallery rows of the other space that score above and level with its own pair.

    `greater` and `level` hold counts [q] by direction, "xy" and "yx"; the own pair is left out by rank.
    Both spaces must have the same width. Keeps 4·q counts.
    """

    def __init__(self, context: Context, dx: int, dy: int) -> None:
        self.context, self.dx, self.dy = context, dx, dy
        self.gallery = 0
        count = len(context.queries) if dx == dy else 0
        self.greater = {sides: np.zeros(count, np.int64) for sides in ("xy", "yx")}
        self.level = {sides: np.zeros(count, np.int64) for sides in ("xy", "yx")}

    @classmethod
    def empty(cls, context: Context, dx: int, dy: int) -> Self:
        return cls(context, dx, dy)

    def fresh(self) -> Self:
        return type(self)(self.context, self.dx, self.dy)

    def update(self, batch: PairedBatch) -> None:
        self.gallery += len(batch)
        if self.dx != self.dy:
            return
        queries = query_sides(self.context)
        gallery = gallery_sides(self.context, batch)
        own = own_columns(self.context, batch)
        every = np.arange(len(own))
        truth = settle(queries["x"], queries["y"], every, every)
        centres = dict(zip("xy", self.context.centres, strict=True))
        for a, b in ("xy", "yx"):
            for rows in row_slices(len(own)):
                strip = Strip(queries[a], gallery[b], rows, centres[a], centres[b], across=True)
                greater, query, column = _counted(strip, truth[rows] - strip.shift, own[rows])
                query += rows.start
                scores = settle(queries[a], gallery[b], query, column)
                self.greater[a + b][rows] += greater
                self.greater[a + b] += np.bincount(query[scores > truth[query]], minlength=len(own))
                self.level[a + b] += np.bincount(query[scores == truth[query]], minlength=len(own))

    def merge(self, other: Self) -> None:
        self.gallery += other.gallery
        for sides in ("xy", "yx"):
            self.greater[sides] += other.greater[sides]
            self.level[sides] += other.level[sides]


def _counted(strip: Strip, truth: Floats, own: Index) -> tuple[Index, Index, Index]:
    """Return the counts [rows] surely above `truth` [rows], and (query, column) of all that might be level."""
    above = np.nextafter((truth + strip.error).astype(np.float32), np.float32(np.inf))[:, None]
    below = np.nextafter((truth - strip.error).astype(np.float32), np.float32(-np.inf))[:, None]
    greater = np.zeros(len(truth), np.int64)
    near: list[tuple[Index, Index]] = []
    for start, tile in strip.chunks():
        inside = np.flatnonzero((own >= start) & (own < start + tile.shape[1]))
        tile[inside, own[inside] - start] = -np.inf
        sure = count_true(tile > above)
        greater += sure
        rows = np.flatnonzero(count_true(tile >= below) > sure)
        row, column = np.nonzero((tile[rows] >= below[rows]) & (tile[rows] <= above[rows]))
        near.append((rows[row], column + start))
    query, column = (np.concatenate(parts) for parts in zip(*near, strict=True))
    return greater, query, column


def count_true(mask: NDArray[np.bool_]) -> Index:
    """Return how many of each row [n, w] are true; eight columns at a time, w up to 2,040."""
    height, width = mask.shape
    whole = width - width % 8
    counts = mask[:, whole:].sum(axis=1, dtype=np.int64)
    if whole:
        # each byte of the sum counts one column in eight, and 255 of them cannot overflow
        words = np.ascontiguousarray(mask[:, :whole]).view(np.uint64)
        counts += words.sum(axis=1).view(np.uint8).reshape(height, 8).sum(axis=1, dtype=np.int64)
    return counts
