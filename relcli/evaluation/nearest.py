"""What CSLS takes off: half the mean score of rows with their nearest of another side, for sums of several cosines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.arrays import Floats
from relcli.spaces.pairing import Index, Mask

Floats32 = NDArray[np.float32]

#: Which sides' cosines are added up, in this order.
Sum = tuple[int, ...]

#: Rows multiplied at once, numbers that are added up and looked through at once, and the columns of a group.
_BLOCK, _NUMBERS, _GROUP = 256, 2**18, 32

#: Of many rows that may be near every 48th is looked at first, then every eighth.
_STEPS = (48, 8)

#: Among so many rows of a gallery the best of a query is sought.
_TOP = 2

#: float32 lets copies of a row differ by less than half of this.
_STEP = 2.0**-20


@dataclass(frozen=True, eq=False)
class Side:
    """
    Rows of a gallery [n, w] in float32, each to be multiplied by its `scale` [n], and unit rows [r, w] to be near.

    Both are made when they are first asked for.
    """

    make_gallery: Callable[[], Floats32]
    scale: Floats | None
    make_near: Callable[[], Floats32]

    @cached_property
    def gallery(self) -> Floats32:
        """The rows of the gallery."""
        return self.make_gallery()

    @cached_property
    def near(self) -> Floats32:
        """The unit rows."""
        return self.make_near()

    def of(self, some: Index) -> Floats32:
        """Return unit rows of the gallery."""
        taken: Floats32 = self.gallery[some]
        if self.scale is not None:
            taken *= self.scale[some, None]
        return taken


@dataclass(frozen=True, eq=False)
class Nearest:
    """
    Half the mean score of rows of a gallery with the best `depth` of some rows, a score being a mean of cosines.

    In float32, each mean rounded to multiples of 2^-20: copies of a row are level.
    """

    sides: Sequence[Side]
    depth: int

    @property
    def count(self) -> int:
        """How many rows there are to be near."""
        return len(self.sides[0].near)

    @property
    def everyone(self) -> Index:
        """Where all rows of the gallery stand."""
        return np.arange(len(self.sides[0].gallery))

    def means(self, sums: Mapping[Sum, Index], among: slice = slice(None)) -> dict[Sum, Floats]:
        """Return half the mean [n] for each of some sums, of the gallery's rows it names; Inf of others."""
        wanted = sorted(sums)
        found = {one: np.full(len(self.sides[0].gallery), np.inf) for one in wanted}
        asked = np.zeros((len(wanted), len(self.sides[0].gallery)), bool)
        for row, one in enumerate(wanted):
            asked[row, sums[one]] = True
        near = {side: self.sides[side].near[among] for side in {side for one in wanted for side in one}}
        count = len(next(iter(near.values())))
        depth = min(self.depth, count)
        # what pads the last group is nobody's neighbour
        padded = -(-count // _GROUP) * _GROUP
        tiles = {side: np.full((_BLOCK, padded), -np.inf, np.float32) for side in near}
        height = min(max(_NUMBERS // padded, 1), _BLOCK)
        added = np.empty((max(map(len, wanted)), height, padded), np.float32)
        for some, here in _blocks(asked, wanted):
            for side in sorted({side for one in here for side in one}):
                np.matmul(self.sides[side].of(some), near[side].T, out=tiles[side][: len(some), :count])
            for first in range(0, len(some), height):
                rows = slice(first, min(first + height, len(some)))
                for one, total in _totals(here, tiles, rows, added):
                    found[one][some[rows]] = _best(total, count, depth) / len(one)
        return {
            one: np.where(asked[row], np.rint(found[one] / (2 * _STEP)) * _STEP, np.inf)
            for row, one in enumerate(wanted)
        }

    def of_rivals(self, scores: Mapping[Sum, Floats], at: Index, others: Index | None = None) -> dict[Sum, Floats]:
        """
        Return half the mean [n] of the rows that may, less it, score as queries' own in `scores` [f, n]; Inf of others.

        `at` [f] are the queries' own. With `others` [s] half the mean of these is returned too, and of the _TOP rows
        that come next for a query, as far as some of the rows to be near can tell.
        """
        if self.count < 2 * _STEPS[0] * self.depth:
            return self.means(dict.fromkeys(scores, self.everyone))
        queries = np.arange(len(at))
        rows, kept = dict.fromkeys(scores, self.everyone), dict.fromkeys(scores, at)
        own = self.means(kept)
        for step in _STEPS:
            # the best of some rows are no better than those of all
            least = self.means(rows, slice(None, None, step))
            for one, values in scores.items():
                less = values - least[one]
                if others is not None and step == _STEPS[0]:
                    less[queries, at] = -np.inf
                    kept[one] = np.concatenate([at, others, np.argpartition(less, -_TOP)[:, -_TOP:].ravel()])
                mark = values[queries, at] - own[one][at]
                rows[one] = np.flatnonzero((less >= mark[:, None] - 8 * _STEP).any(axis=0))
        return self.means({one: np.union1d(some, kept[one]) for one, some in rows.items()})


def _blocks(asked: Mask, wanted: Sequence[Sum]) -> Iterator[tuple[Index, list[Sum]]]:
    """Yield up to _BLOCK columns of `asked` [s, n], alike in who asks for them, with the sums that any is asked for."""
    columns = np.flatnonzero(asked.any(axis=0))
    columns = columns[np.lexsort(asked[:, columns])]
    for start in range(0, len(columns), _BLOCK):
        some = columns[start : start + _BLOCK]
        yield some, [one for row, one in enumerate(wanted) if asked[row, some].any()]


def _totals(
    wanted: Sequence[Sum], tiles: Mapping[int, Floats32], rows: slice, added: Floats32
) -> Iterator[tuple[Sum, Floats32]]:
    """Yield the sum of some rows of tiles for each that is wanted; the array is written again by the next."""
    before: Sum = ()
    for one in wanted:
        total: Any = tiles[one[0]][rows]
        for count, side in enumerate(one[1:], start=1):
            out = added[count, : len(total)]
            if before[: count + 1] != one[: count + 1]:
                np.add(total, tiles[side][rows], out=out)
            total = out
        before = one
        yield one, total


def _best(scores: Floats32, count: int, depth: int) -> Floats:
    """Return the mean [s] of the best `depth` of each row's first `count` scores [s, p]; what pads them is −Inf."""
    groups = scores.shape[1] // _GROUP
    if groups < 4 * depth:
        best = np.partition(scores[:, :count], count - depth, axis=1)[:, count - depth :]
    else:
        # the best are in the groups whose own best are
        columns = scores.reshape(len(scores), _GROUP, groups)
        opened = np.argpartition(columns.max(axis=1), groups - depth, axis=1)[:, groups - depth :]
        among = np.take_along_axis(columns, opened[:, None, :], axis=2).reshape(len(scores), -1)
        best = np.partition(among, among.shape[1] - depth, axis=1)[:, -depth:]
    mean: Floats = best.mean(axis=1, dtype=np.float64)
    return mean
