"""What of a tile of scores reaches its floors: by the maxima of groups, opening few of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.arrays import Floats
from relcli.kernels.compiled import loops
from relcli.kernels.kernel import Index
from relcli.kernels.scratch import scratch

#: Rows of a group: its maximum, column by column, tells whether any of them needs a closer look.
GROUP = 32


def lowest(dtype: Any) -> Any:
    """Return the number that stands for no score."""
    return np.iinfo(dtype).min if np.dtype(dtype).kind == "i" else np.finfo(dtype).min


def groups_of(rows: int) -> int:
    """Return how many groups some rows make, the last one perhaps not full."""
    return -(-rows // GROUP)


def padded(array: Floats, groups: int, value: float) -> Floats:
    """Return an array [rows] by group [groups, GROUP], the last one filled up with a value."""
    out = np.full(groups * GROUP, value)
    out[: len(array)] = array
    return out.reshape(groups, GROUP)


def promising(
    maxima: NDArray[Any], unit: float, row: Floats, column: Floats, row_floor: Floats, column_floor: Floats | None
) -> Index:
    """
    Return the flat numbers of the groups [g, c] of which a score may reach a floor.

    A score is `unit` · product + `row` + `column`; rows come by group [g, GROUP].
    """
    value = scratch("promising", maxima.shape, np.float64)
    np.multiply(maxima, unit, out=value)
    value += column
    least = (row_floor - row).min(axis=1)[:, None]
    if column_floor is None:
        return np.flatnonzero(value >= least)
    return np.flatnonzero(value >= np.minimum(least, column_floor - row.max(axis=1)[:, None]))


def opened(
    groups: Index,
    products: NDArray[Any],
    unit: float,
    row: Floats,
    column: Floats,
    row_floor: Floats,
    column_floor: Floats | None,
) -> tuple[Index, Index, Floats]:
    """
    Return (row, column, score) of all that reach a floor in some groups of products [g, GROUP, c].

    The lowest number that there is stands for no score, however low the floor.
    """
    compiled = loops()
    if compiled:
        return _opened_by(compiled, groups, products, unit, row, column, row_floor, column_floor)
    group, at = np.divmod(groups, products.shape[2])
    found = products[group, :, at]
    scores = found.astype(np.float64)
    scores *= unit
    scores += column[at][:, None]
    scores += row[group]
    reaches = scores >= row_floor[group]
    if column_floor is not None:
        reaches |= scores >= column_floor[at][:, None]
    reaches &= found != lowest(products.dtype)
    which, member = np.nonzero(reaches)
    return group[which] * GROUP + member, at[which], scores[which, member]


def _opened_by(
    compiled: Any,
    groups: Index,
    products: NDArray[Any],
    unit: float,
    row: Floats,
    column: Floats,
    row_floor: Floats,
    column_floor: Floats | None,
) -> tuple[Index, Index, Floats]:
    most = len(groups) * products.shape[1]
    out = [scratch(name, (most,), kind) for name, kind in (("i", np.int64), ("j", np.int64), ("s", np.float64))]
    never = np.full(products.shape[2], np.inf) if column_floor is None else column_floor
    none = lowest(products.dtype)
    count = compiled.opened(groups, products, none, unit, row, np.ascontiguousarray(column), row_floor, never, *out)
    i, j, scores = (array[:count].copy() for array in out)
    return i, j, scores


def kth_of_groups(scores: NDArray[Any], k: int, axis: int) -> Floats:
    """
    Return a number that at least k of each line's scores [n, c] reach, and few more; −Inf where there are fewer.

    Lines run along `axis`. Takes the k-th largest of the maxima of groups.
    """
    length = scores.shape[axis]
    if length < k:
        return np.full(scores.shape[1 - axis], -np.inf)
    size = next(size for size in (32, 8, 1) if size == 1 or length // size >= 2 * k)
    groups = length // size
    if axis == 1:
        if size > 1:
            scores = scores[:, : groups * size].reshape(len(scores), size, groups).max(axis=1)
        return np.partition(scores, scores.shape[1] - k, axis=1)[:, scores.shape[1] - k].astype(np.float64)
    if size > 1:
        scores = scores[: groups * size].reshape(size, groups, -1).max(axis=0)
    return np.partition(scores, len(scores) - k, axis=0)[len(scores) - k].astype(np.float64)
