"""How sure a score is: bootstrap over queries, jackknife over folds, order statistics, Wilson's score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import NormalDist

import numpy as np

from relcli.arrays import Floats
from relcli.measures.special import coin_quantile, student_quantile

LEVEL = 0.95
RESAMPLES = 1000

#: Numbers drawn at once, and multiplied at once: what stays in the caches.
_DRAWN, _MULTIPLIED = 2**16, 2**19


class Bootstrap:
    """
    Percentile intervals for means over q queries, conditional on the gallery (Efron 1979).

    The same resamples serve every measure. Queries are redrawn, neighbours never found anew: a row
    drawn twice would become its own neighbour. Keeps 1,000 · q weights of one byte.
    """

    def __init__(self, queries: int, *, seed: int = 0) -> None:
        rng = np.random.default_rng([seed, queries])
        self._weights = np.empty((RESAMPLES, queries), np.uint8)
        for some in _draws(_DRAWN // queries):
            drawn = rng.integers(0, queries, (len(self._weights[some]), queries))
            # a stretch of numbers for each draw
            drawn += queries * np.arange(len(drawn))[:, None]
            self._weights[some] = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)

    def interval(self, values: Floats) -> tuple[float, float]:
        """Return the ends of the interval for the mean of values [q]."""
        # a few resamples at a time: the weights are bytes, and BLAS wants floats
        sums = [self._weights[some].astype(np.float64) @ values for some in _draws(_MULTIPLIED // len(values))]
        low, high = np.quantile(np.concatenate(sums) / len(values), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(low), float(high)


def _draws(size: int) -> Iterator[slice]:
    """Yield slices of up to `size` resamples, one at the least."""
    for start in range(0, RESAMPLES, max(size, 1)):
        yield slice(start, min(start + max(size, 1), RESAMPLES))


#: Fewer queries than this have no order statistics that hold the median with 95 % (1 − 2 · 2⁻ⁿ).
FEWEST_FOR_A_MEDIAN = 6


def median_interval(values: Floats) -> tuple[float, float] | None:
    """
    Return the order-statistic interval for the median of values [q], None for fewer than six.

    It assumes nothing of their distribution.
    """
    if len(values) < FEWEST_FOR_A_MEDIAN:
        return None
    ordered = np.sort(values)
    count = len(ordered)
    # the smallest number of queries below the median that is not too unlikely
    low = max(coin_quantile((1 - LEVEL) / 2, count) - 1, 0)
    return float(ordered[low]), float(ordered[count - 1 - low])


def rate_interval(rate: float, queries: int) -> tuple[float, float]:
    """
    Return the score interval for a share of hits (Wilson 1927); it has a width at 0 and 1 too.

    For the mean of two directions, which hit together, it is wide rather than narrow.
    """
    z2 = NormalDist().inv_cdf((1 + LEVEL) / 2) ** 2
    centre = (rate + z2 / (2 * queries)) / (1 + z2 / queries)
    half = float(np.sqrt(z2 * (rate * (1 - rate) / queries + z2 / (4 * queries**2)))) / (1 + z2 / queries)
    # at the ends of the scale the formula is exact, its rounding is not
    return (max(centre - half, 0.0) if rate > 0 else 0.0), (min(centre + half, 1.0) if rate < 1 else 1.0)


def jackknife_interval(
    value: float, without_each: Sequence[float], bounds: tuple[float | None, float | None]
) -> tuple[float, float]:
    """
    Return the delete-a-group jackknife interval around `value`, cut at `bounds`.

    `without_each` are the values with one of F folds left out; Student's t with F − 1 degrees
    (Kott 2001, J. Official Statistics 17).
    """
    folds = len(without_each)
    spread = np.asarray(without_each) - np.mean(without_each)
    error = float(np.sqrt((folds - 1) / folds * np.sum(spread**2)))
    half = student_quantile((1 + LEVEL) / 2, folds - 1) * error
    lowest, highest = bounds
    low = value - half if lowest is None else max(value - half, lowest)
    high = value + half if highest is None else min(value + half, highest)
    return float(low), float(high)
