"""How many leading numbers of turned rows a filter multiplies: the fewest that leave few scores undecided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from relcli.accumulators.tiles import Scorable, Turn, settle
from relcli.arrays import Floats, unit_rows
from relcli.kernels.kernel import Index, Kernel
from relcli.kernels.tiers import speed_of
from relcli.kernels.work import COUNT_COST, SCORE_COST, candidate_cost

#: Rows that tell the directions rows vary in, and rows that try out how many of these do.
TURNING_ROWS, PILOT_ROWS, PILOT_COLUMNS = 2048, 128, 2048

#: Turning rows is worth while for so many queries a dimension: it costs a product with each dimension.
WORTH_TURNING = 8

_ON_THE_WAY = 5

#: A query is easy where no more than this share of a gallery's rows may reach its own pair's score.
EASY = 0.001


def spread(count: int, wanted: int) -> Index:
    """Return up to `wanted` of `count` places, evenly spread."""
    return np.unique(np.linspace(0, max(count - 1, 0), min(wanted, count)).astype(np.int64))


def worth_turning(queries: int, width: int) -> bool:
    """Return whether so many queries of this width pay for turning all rows."""
    return width >= 48 and queries >= WORTH_TURNING * width and queries >= 2000


def turn_of(sides: Sequence[tuple[Floats, Floats]]) -> Turn:
    """Return the turn to the directions that rows [n, d] about a centre, of each side, vary most in."""
    scatter: Any = 0
    for rows, centre in sides:
        centred = unit_rows(rows[spread(len(rows), TURNING_ROWS)]) - centre
        scatter = scatter + centred.T @ centred
    _, directions = np.linalg.eigh(scatter)
    directions = np.ascontiguousarray(directions[:, ::-1])
    # within the numbers that come and go together, turned at random: no spike makes others round to nothing
    rng, start = np.random.default_rng(0), 0
    for depth in depths_of(len(directions)):
        mixed, _ = np.linalg.qr(rng.standard_normal((depth - start, depth - start)))
        directions[:, start:depth] = directions[:, start:depth] @ mixed
        start = depth
    return Turn.of(directions)


def depths_of(width: int) -> list[int]:
    """Return the depths that are tried for rows of a width, the width itself last."""
    fixed = [24, 32, 48, 64, 96, 128, 160, 192, 256, 320, 384, 512, 768, 1024, 1536]
    return [depth for depth in fixed if depth <= 0.85 * width] + [width]


def neighbour_depth(queries: Scorable, gallery: Scorable, k: int, rows: int, *, across: bool, kernel: Kernel) -> int:
    """Return the depth at which the k best of a gallery of so many rows, like those given, are cheapest to find."""
    some = queries.take(spread(len(queries), PILOT_ROWS))
    among = gallery.take(spread(len(gallery), PILOT_COLUMNS))
    own = np.full((len(some), len(among)), False) if across else some.at[:, None] == among.at
    # lists are not full from the start: on the way a few times as many scores reach their floors
    k = max(1, round(_ON_THE_WAY * k * len(among) / max(rows, 1)))
    if k >= len(among) - 1:
        return queries.width
    whole = _scores(some, among, queries.width, across)
    whole[own] = -np.inf
    best = np.partition(whole, len(among) - k, axis=1)[:, len(among) - k, None]
    costs = {}
    for depth in depths_of(queries.width):
        scores = _scores(some, among, depth, across) if depth < queries.width else whole
        scores[own] = -np.inf
        margin = some.tail(depth)[:, None] * among.tail(depth) + _rounding(some, among, depth, kernel)
        costs[depth] = (
            depth / speed_of(kernel) + SCORE_COST + candidate_cost() * float((scores + margin >= best).mean())
        )
    return min(costs, key=lambda depth: costs[depth])


def rank_depth(x: Scorable, y: Scorable, truth: Floats, offset: float, kernel: Kernel) -> tuple[int, Index, int]:
    """
    Return the depth for ranks, an order of the queries by how hard theirs are to tell, and how many are easy.

    `x` and `y` [q] are the two sides of the queries, which score `truth` [q] with their own pair.
    """
    rows, columns = spread(len(x), 4 * PILOT_ROWS), spread(len(x), 8 * PILOT_ROWS)
    costs = {}
    for depth in depths_of(x.width):
        easy = float((_reaching(x, y, truth - offset, depth, rows, columns, kernel) <= EASY).mean()) ** 2
        costs[depth] = easy * (depth / speed_of(kernel) + SCORE_COST) + (1 - easy) * (x.width + SCORE_COST + COUNT_COST)
    depth = min(costs, key=lambda depth: costs[depth])
    shares = _reaching(x, y, truth - offset, depth, np.arange(len(x)), columns, kernel)
    order = np.argsort(shares, kind="stable")
    return depth, order, int((shares <= EASY).sum())


def _reaching(
    x: Scorable, y: Scorable, truth: Floats, depth: int, rows: Index, columns: Index, kernel: Kernel
) -> Floats:
    """Return the larger share, of both directions, of some columns that may reach the truth of each of some rows."""
    shares = np.zeros(len(rows))
    for mine, its in ((x, y), (y, x)):
        among = its.take(columns)
        most = among.tail(depth).max(initial=0.0)
        for start in range(0, len(rows), 2048):
            part = rows[start : start + 2048]
            some = mine.take(part)
            scores = _scores(some, among, depth, True)
            margin = some.tail(depth) * most + _rounding(some, among, depth, kernel).max(axis=1)
            reach = scores >= (truth[part] - margin)[:, None]
            reach[part[:, None] == columns] = False
            shares[start : start + len(part)] = np.maximum(
                shares[start : start + len(part)], np.count_nonzero(reach, axis=1) / len(columns)
            )
    return shares


def _scores(queries: Scorable, gallery: Scorable, depth: int, across: bool) -> np.ndarray:
    scores = queries.leading(depth) @ gallery.leading(depth).T
    scores += queries.along[:, int(across), None].astype(np.float32)
    scores += gallery.along[:, int(across)].astype(np.float32)
    return scores


def _rounding(queries: Scorable, gallery: Scorable, depth: int, kernel: Kernel) -> Floats:
    """Return about what rounding to a kernel's numbers moves each score [q, n] by at most; float32 hardly does."""
    if kernel.name == "fp32":
        return np.zeros((1, 1))
    left = kernel.left(queries.leading(depth), queries.radius)
    right = kernel.right(gallery.leading(depth), gallery.radius)
    share = kernel.rounding(depth)
    off: Floats = left.size[:, None] * (right.error + share * right.size) + left.error[:, None] * right.size
    return off


def own_scores(x: Scorable, y: Scorable) -> Floats:
    """Return the cosine [q] of each row of one side with the same row of the other."""
    every = np.arange(len(x))
    return settle(x, y, every, every)
