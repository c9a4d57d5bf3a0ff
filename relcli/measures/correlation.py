"""Correlations of one figure with another, and an order in which alike things stand together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from relcli.arrays import Floats


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

    Undefined with fewer than 3 pairs, or where either is constant. p is two-sided, by the exact distribution of
    r under normality and by Student's t for ρ (scipy.stats), good from about 10 pairs on.
    """
    from scipy import stats

    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return Correlation(None, None, None, None, len(a))
    pearson, spearman = stats.pearsonr(a, b), stats.spearmanr(a, b)
    return Correlation(
        float(pearson.statistic),
        float(pearson.pvalue),
        float(spearman.statistic),
        float(spearman.pvalue),
        len(a),
    )


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
