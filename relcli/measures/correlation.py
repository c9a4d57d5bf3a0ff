"""Correlations of one figure with another, and an order in which alike things stand together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from relcli.arrays import Floats

#: Pairs up to which p of Spearman's ρ is counted over all orders: 8! = 40,320 of them.
COUNTED = 8


@dataclass(frozen=True)
class Correlation:
    """Pearson's r and Spearman's ρ of n pairs of figures, each with its two-sided p; None where undefined."""

    pearson_r: float | None
    pearson_p: float | None
    spearman_rho: float | None
    spearman_p: float | None
    n: int


def correlate(a: Sequence[float], b: Sequence[float]) -> Correlation:
    """
    Return how figures a [n] go with figures b [n].

    Undefined with fewer than 3 pairs, or where either is constant. p is two-sided: of r by its exact distribution
    under normality, of ρ by `exact_p` up to 8 pairs and by Student's t above (scipy.stats).
    """
    from scipy import stats

    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return Correlation(None, None, None, None, len(a))
    pearson, spearman = stats.pearsonr(a, b), stats.spearmanr(a, b)
    return Correlation(
        float(pearson.statistic),
        float(pearson.pvalue),
        float(spearman.statistic),
        exact_p(a, b) if len(a) <= COUNTED else float(spearman.pvalue),
        len(a),
    )


def exact_p(a: Sequence[float], b: Sequence[float]) -> float:
    """
    Return the share of the n! orders of a [n] whose Spearman's ρ with b [n] is at least as far from 0 as theirs.

    Tied figures share the mean of their ranks. The least p is 2 / n! without ties: four pairs never fall below
    .083, where Student's t says 0. Keeps n · n! numbers.
    """
    from scipy.stats import rankdata

    x, y = (rankdata(part) - (len(part) + 1) / 2 for part in (a, b))
    orders = np.array(list(permutations(range(len(x)))))
    sizes = np.abs(x[orders] @ y)
    # sums of products of half ranks are multiples of 1/4: less than that is rounding
    return float(np.count_nonzero(sizes >= abs(x @ y) - 1e-6) / math.factorial(len(x)))


def clustered_order(distances: Floats) -> list[int]:
    """Return the order of the leaves of average linkage over distances [n, n], neighbours as close as can be."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(distances) < 3:
        return list(range(len(distances)))
    both = (distances + distances.T) / 2
    np.fill_diagonal(both, 0)
    tree = linkage(squareform(both, checks=False), "average", optimal_ordering=True)
    return [int(leaf) for leaf in leaves_list(tree)]
