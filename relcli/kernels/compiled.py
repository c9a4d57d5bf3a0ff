"""The loops that numpy has no one step for, compiled by numba where it is installed: the same results, sooner."""

from __future__ import annotations

import importlib
import threading
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np

#: Pairs of rows from which importing numba, half a second and more, pays.
WORTH_COMPILING = 2 * 10**8

_lock = threading.Lock()
_loops: SimpleNamespace | None = None
_refused = False


def want_compiled(pairs: int) -> None:
    """Let loops be compiled from now on, where numba is installed and so many pairs of rows pay for it."""
    global _loops, _refused
    if pairs < WORTH_COMPILING or _loops or _refused:
        return
    with _lock:
        if _loops or _refused:
            return
        try:
            _loops = _compile() if find_spec("numba") else None
        except Exception:
            # a numba that does not fit its numpy or its Python: everything works without it
            _loops = None
        _refused = _loops is None


def loops() -> SimpleNamespace | None:
    """Return the compiled loops, None where numpy does their work."""
    return _loops


def _compile() -> SimpleNamespace:
    """Return the loops; each is compiled when it is first called, and kept on disk where there is a place for it."""
    numba = importlib.import_module("numba")

    def jit(loop: Any, **options: Any) -> Any:
        try:
            return numba.njit(nogil=True, cache=True, **options)(loop)
        except RuntimeError:  # no folder to keep it in
            return numba.njit(nogil=True, **options)(loop)

    global _put, _dot
    # sums in any order: what that may change is bounded, and left to the exact sum where it could show
    _put, _dot = jit(_put), jit(_dot, fastmath={"reassoc", "contract", "nsz"})
    return SimpleNamespace(opened=jit(_opened), take=jit(_take), insert=jit(_insert))


def _opened(  # type: ignore[no-untyped-def]
    groups, products, none, unit, row, column, row_floor, column_floor, out_row, out_column, out_score
):
    """Write (row, column, score) of all that reach a floor in some groups of products [g, r, c]; return how many."""
    _, height, width = products.shape
    count = 0
    for at in range(len(groups)):
        g, c = groups[at] // width, groups[at] % width
        for r in range(height):
            product = products[g, r, c]
            score = product * unit + column[c] + row[g, r]
            if (score >= row_floor[g, r] or score >= column_floor[c]) and product != none:
                out_row[count], out_column[count], out_score[count] = g * height + r, c, score
                count += 1
    return count


def _take(  # type: ignore[no-untyped-def]
    products, none, unit, row, column, row_error, column_error, row_first, column_first, offset,
    lists, ranks, least, numbers, row_ranks, back, later, column_ranks,
    a, b, norms_a, norms_b, at_row, at_column, off,
    slack, grid, doubt, limit, out_row, out_column, out_score,
):  # fmt: skip
    """
    Enter all of some products [r, c] that may enter the lists of their row, or of a later column.

    Lists hold true scores and rise as they are filled. A sum within `doubt` of where the grid rounds the other way is
    left to others, in `out_row`, `out_column` and `out_score`. Scores below `row_first` and `column_first` are left for
    another time. Returns how many scores were looked into, −1 where
    that is more than `limit`, and how many are left.
    """
    height, width = products.shape
    k = lists.shape[1]
    looked = left = 0
    # what columns must reach, in float32 and a little lower than rounded, for a first look at many at once
    wide, added, its_floor = np.float32(unit), np.empty(width, np.float32), np.empty(width, np.float32)
    for c in range(width):
        added[c] = column[c]
        its_floor[c] = np.float32(np.inf)
        if c >= later:
            floor = max(max(lists[back[c], k - 1], least[back[c]]) - offset - column_error[c], column_first[c])
            its_floor[c] = floor - 1e-6 * (1 + abs(floor) + abs(column[c])) if floor > -np.inf else floor
    for i in range(height):
        line, up = products[i], np.float32(row[i])
        for start in range(0, width, 64):
            stop = min(start + 64, width)
            floor = max(lists[numbers[i], k - 1], least[numbers[i]]) - offset - row_error[i]
            floor = max(floor, row_first[i]) - row[i]
            if floor > -np.inf:
                floor -= 1e-6 * (1 + abs(floor) + abs(row[i]))
            mine_floor = np.float32(floor)
            some = np.int32(0)
            for c in range(start, stop):
                some += np.int32(np.float32(line[c]) * wide + added[c] >= min(mine_floor, its_floor[c] - up))
            if some == 0:
                continue
            for c in range(start, stop):
                first = np.float32(line[c]) * wide + added[c]
                its = first >= its_floor[c] - up
                if not (its or first >= mine_floor) or line[c] == none:
                    continue
                score = line[c] * unit + column[c] + row[i] + offset
                here = max(lists[numbers[i], k - 1], least[numbers[i]])
                mine = score >= here - row_error[i] and score - offset >= row_first[i]
                there = max(lists[back[c], k - 1], least[back[c]]) if its and c >= later else np.inf
                its = score >= there - column_error[c] and score - offset >= column_first[c]
                if not (mine or its):
                    continue
                looked += 1
                if looked > limit or left == len(out_row):
                    return -1, left
                cosine = _dot(a[at_row[i]], b[at_column[c]]) / (norms_a[at_row[i]] * norms_b[at_column[c]])
                mine = mine and cosine - off[c] >= here - slack
                its = its and cosine - off[c] >= there - slack
                if not (mine or its):
                    continue
                steps = cosine / grid
                whole = np.rint(steps)
                if abs(abs(steps - whole) - 0.5) <= doubt:
                    out_row[left], out_column[left], out_score[left] = i, c, cosine - off[c]
                    left += 1
                    continue
                if mine and whole * grid - off[c] >= least[numbers[i]]:
                    _put(lists, ranks, numbers[i], whole * grid - off[c], column_ranks[c])
                if its and whole * grid - off[c] >= least[back[c]]:
                    _put(lists, ranks, back[c], whole * grid - off[c], row_ranks[i])
    return looked, left


def _dot(x, y):  # type: ignore[no-untyped-def]
    """Return the inner product of two rows, added up in any order."""
    total = 0.0
    for d in range(len(x)):
        total += x[d] * y[d]
    return total


def _put(lists, ranks, q, score, rank):  # type: ignore[no-untyped-def]
    """Enter a row in list q of falling scores, equal ones by rank, unless it is there."""
    k = lists.shape[1]
    at = k
    while at > 0 and (
        score > lists[q, at - 1] or (score == lists[q, at - 1] and (rank < ranks[q, at - 1] or ranks[q, at - 1] < 0))
    ):
        at -= 1
    if at == k or (at > 0 and score == lists[q, at - 1] and rank == ranks[q, at - 1]):
        return
    for move in range(k - 1, at, -1):
        lists[q, move], ranks[q, move] = lists[q, move - 1], ranks[q, move - 1]
    lists[q, at], ranks[q, at] = score, rank


def _insert(lists, ranks, least, query, scores, its):  # type: ignore[no-untyped-def]
    """Enter rows of ranks `its` in lists [q, k]."""
    for p in range(len(query)):
        if scores[p] >= least[query[p]]:
            _put(lists, ranks, query[p], scores[p], its[p])
