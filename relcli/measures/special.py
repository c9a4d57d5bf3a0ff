"""The special functions that every report needs: importing scipy's takes longer than comparing small spaces."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from relcli.arrays import Floats

#: Below this many terms a harmonic number is looked up, from here on the series below has all its digits.
_SUMMED = 64
_FIRST_HARMONIC = np.array([math.fsum(1 / k for k in range(1, n + 1)) for n in range(_SUMMED)])


def harmonic(n: NDArray[np.int64] | int) -> Floats:
    """Return H_n = 1 + 1/2 + … + 1/n for each n ≥ 0."""
    whole = np.asarray(n, np.int64)
    large = np.maximum(whole, _SUMMED).astype(np.float64)
    squared = 1 / large**2
    # Euler–Maclaurin: ln n + γ + 1/2n − Σ B_2k / 2k n^2k
    series = np.log(large) + np.euler_gamma + 0.5 / large - squared * (1 / 12 - squared * (1 / 120 - squared / 252))
    return np.where(whole < _SUMMED, _FIRST_HARMONIC[np.minimum(whole, _SUMMED - 1)], series)


def coin_quantile(tail: float, count: int) -> int:
    """Return the fewest heads of `count` fair coins that as few or fewer come up with probability `tail` or more."""
    start = max(math.floor(count / 2 + NormalDist().inv_cdf(tail) * math.sqrt(count) / 2) - 2, 0)
    term = math.exp(
        math.lgamma(count + 1) - math.lgamma(start + 1) - math.lgamma(count - start + 1) - count * math.log(2)
    )
    heads, below, weight = start, term, term
    while heads > 0 and weight > below * 1e-18:
        weight *= heads / (count - heads + 1)
        below += weight
        heads -= 1
    heads = start
    while below < tail:
        heads += 1
        term *= (count - heads + 1) / heads
        below += term
    return heads


def student_quantile(probability: float, degrees: int) -> float:
    """Return what Student's t with whole `degrees` of freedom stays below with a `probability` of a half or more."""
    value = NormalDist().inv_cdf(probability)
    log_scale = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2) - math.log(degrees * math.pi) / 2
    for _ in range(100):
        density = math.exp(log_scale - (degrees + 1) / 2 * math.log1p(value**2 / degrees))
        step = (probability - _student_below(value, degrees)) / density
        value += step
        if abs(step) <= 1e-15 * abs(value):
            break
    return value


def _student_below(value: float, degrees: int) -> float:
    """Return the probability that Student's t stays below a value ≥ 0 (Abramowitz & Stegun 26.7.3 and 26.7.4)."""
    angle = math.atan(value / math.sqrt(degrees))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = degrees % 2
    term = sine * (math.cos(angle) if odd else 1.0)
    total = 0.0 if degrees == 1 else term
    for k in range(2 + odd, degrees - 1, 2):
        term *= square * (k - 1) / k
        total += term
    within = 2 / math.pi * (angle + total) if odd else total
    return (1 + within) / 2
