"""Centred kernel alignment: how alike are the two similarity structures? Read off cross-moments."""

from __future__ import annotations

import numpy as np

from relcli.accumulators.moments import CrossMoments
from relcli.measures.linalg import unbiased_hsic
from relcli.measures.measure import Undefined, measure
from relcli.measures.procrustes import check_spread

_INVARIANT = {"rotation", "scale", "shift"}


def _linear_chance(m: CrossMoments) -> float:
    # the exact mean over all pairings: E‖XᵀPY‖² = tr(XXᵀ) tr(YYᵀ) / (m − 1) for centred X and Y
    check_spread(m)
    sizes = np.sqrt(np.sum(m.xx**2) * np.sum(m.yy**2))
    return float(m.size_x * m.size_y / ((m.count - 1) * sizes))


@measure(
    "debiased-cka",
    reads=CrossMoments,
    range=(-1, 1),
    higher_is_closer=True,
    chance=lambda m: 0.0,
    section="Similarity structure",
    definition="linear CKA with the unbiased HSIC: 0 in the mean for unrelated spaces, and possibly below",
    cite="Song et al. 2012, JMLR 13; Murphy et al. 2024, arXiv:2405.01012",
    invariant_to=_INVARIANT,
)
def debiased_cka(m: CrossMoments) -> float:
    """Return HSIC₁(x, y) / √(HSIC₁(x, x) · HSIC₁(y, y)), every term unbiased."""
    if m.count < 4:
        raise Undefined(f"{m.count} scored pairs, and the unbiased HSIC needs at least 4")
    check_spread(m)
    sum_x, sum_y = m.sums
    xx, yy, xy = m.products
    total_x, total_y = float(np.trace(xx)), float(np.trace(yy))
    cross = unbiased_hsic(xy, (sum_x, sum_y), (m.xqy, m.yqx), (total_x, total_y), m.qxy, m.count)
    self_x = unbiased_hsic(xx, (sum_x, sum_x), (m.xqx, m.xqx), (total_x, total_x), m.qxx, m.count)
    self_y = unbiased_hsic(yy, (sum_y, sum_y), (m.yqy, m.yqy), (total_y, total_y), m.qyy, m.count)
    for side, own, size in (("x", self_x, m.size_x), ("y", self_y, m.size_y)):
        # never take the root of a negative, nor of what is only rounding
        if own <= 1e-13 * (size / m.count) ** 2:
            raise Undefined(f"the unbiased HSIC of {side} with itself is not positive: too few or too alike pairs")
    return cross / float(np.sqrt(self_x * self_y))


@measure(
    "linear-cka",
    reads=CrossMoments,
    range=(0, 1),
    higher_is_closer=True,
    chance=_linear_chance,
    section="Similarity structure",
    definition="‖XᵀY‖² / (‖XᵀX‖ ‖YᵀY‖) of centred spaces; unrelated ones score about d / (m + d), not 0",
    cite="Kornblith et al. 2019, arXiv:1905.00414, eq. 4",
    invariant_to=_INVARIANT,
)
def linear_cka(m: CrossMoments) -> float:
    """Return linear CKA; biased upwards when pairs are few against dimensions: see `debiased-cka`."""
    check_spread(m)
    return float(np.sum(m.xy**2) / np.sqrt(np.sum(m.xx**2) * np.sum(m.yy**2)))
