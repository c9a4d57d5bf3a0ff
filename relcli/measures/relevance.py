"""
Where the first relevant row of a query stands, and what chance would give, ties in expectation.

A query has `greater` irrelevant rows above its best relevant one, `level` irrelevant rows level with it,
and `tied` relevant ones there. Their order among themselves is drawn uniformly (McSherry & Najork
2008): the first relevant one is the first of `tied` marked among `level + tied`. With `tied` = 1 these
are the formulas of `recall@k`, `mrr` and `median-rank`; without ties, trec_eval's success and recip_rank.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relcli.arrays import Floats
from relcli.measures.special import harmonic

Counts = NDArray[np.int64]


def hit_chances(greater: Counts, level: Counts, tied: Counts, k: int) -> Floats:
    """Return the probability [q] that a relevant row is among the first k: 1 − C(level, c) / C(level + tied, c)."""
    from scipy.special import gammaln

    inside = np.clip(k - greater, 0, level + tied)
    alone = inside / (level + 1.0)
    missed = inside <= level
    c = np.where(missed, inside, 0)
    log_miss = gammaln(level + 1) - gammaln(level - c + 1) + gammaln(level + tied - c + 1) - gammaln(level + tied + 1)
    several = np.where(missed, -np.expm1(log_miss), 1.0)
    return np.where(tied == 1, alone, several).clip(0.0, 1.0)


def reciprocal_ranks(greater: Counts, level: Counts, tied: Counts, cut: int | None = None) -> Floats:
    """Return 1 / rank [q] of the first relevant row, expected over ties; 0 beyond rank `cut`."""
    greater, level, tied = np.broadcast_arrays(greater, level, tied)
    last = np.iinfo(np.int64).max if cut is None else cut
    top, end = np.minimum(greater, last), np.minimum(greater + level + 1, last)
    values = np.asarray((harmonic(end) - harmonic(top)) / (level + 1.0))
    values = np.where(level == 0, np.where(greater < last, 1.0 / (greater + 1.0), 0.0), values)
    made: dict[tuple[int, int, int], float] = {}
    for query in np.flatnonzero((tied > 1) & (level > 0)):
        case = int(greater[query]), int(level[query]), int(tied[query])
        if case not in made:
            made[case] = _reciprocal_rank(*case, cut)
        values[query] = made[case]
    return values


def _reciprocal_rank(greater: int, level: int, tied: int, cut: int | None) -> float:
    from scipy.special import gammaln

    place = np.arange(1, level + 2)
    # C(level + tied − p, tied − 1) / C(level + tied, tied): the first marked one is at p
    left = level + tied - place
    log_first = gammaln(left + 1) - gammaln(tied) - gammaln(left - tied + 2)
    log_first -= gammaln(level + tied + 1) - gammaln(tied + 1) - gammaln(level + 1)
    counted = place + greater <= cut if cut is not None else slice(None)
    return float(np.sum((np.exp(log_first) / (greater + place))[counted]))


def first_ranks(greater: Counts, level: Counts, tied: Counts) -> Floats:
    """Return the rank [q] of the first relevant row, expected over ties."""
    return greater + (level + tied + 1) / (tied + 1)
