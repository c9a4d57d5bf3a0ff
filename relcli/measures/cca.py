"""Canonical correlation: what linear maps of both spaces could make agree. Read off cross-moments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relcli.accumulators.moments import CrossMoments
from relcli.arrays import Floats
from relcli.measures.linalg import haar_corners
from relcli.measures.measure import Undefined, measure
from relcli.measures.procrustes import check_spread

#: Directions with less than this share of the largest variance are left out: moments hold too few of their digits.
_NEGLIGIBLE = 1e-10

#: The share of the variance that svcca keeps, and the ridge of gulp beside a mean square of 1.
SVCCA_SHARE, GULP_RIDGE = 0.99, 0.01

_HOTELLING = "Hotelling 1936, doi:10.1093/biomet/28.3-4.321"


@dataclass(frozen=True)
class _Whitened:
    """
    Two spaces by their principal directions: `x` [dx, p] and `y` [dy, q] with their variances [p], [q].

    `cross` [p, q] is the product of the two orthonormal bases that the rows span; `count` the pairs.
    """

    x: Floats
    y: Floats
    variance_x: Floats
    variance_y: Floats
    cross: Floats
    count: int

    @classmethod
    def of(cls, m: CrossMoments, share: float = 1.0) -> _Whitened:
        """Return both spaces whitened, by the leading directions that hold a share of the variance of each."""
        check_spread(m)
        width = len(m.origin_x) + len(m.origin_y)
        if m.count <= width:
            raise Undefined(
                f"{m.count:,} scored pairs for {width:,} dimensions of x and y together: fewer pairs than that always "
                "correlate perfectly"
            )
        variance_x, x = _leading(m.xx, share)
        variance_y, y = _leading(m.yy, share)
        cross = (x / np.sqrt(variance_x)).T @ m.xy @ (y / np.sqrt(variance_y))
        return cls(x, y, variance_x, variance_y, cross, m.count)

    def null(self) -> Floats:
        """Return what `cross` is where the pairs are shuffled: corners [draws, p, q] of random orthogonal maps."""
        return haar_corners(len(self.variance_x), len(self.variance_y), max(self.count - 1, 1))


def _leading(scatter: Floats, share: float) -> tuple[Floats, Floats]:
    """Return the largest variances, falling, and their directions, that hold a share of all."""
    values, vectors = np.linalg.eigh(scatter)
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = int((values > values[0] * _NEGLIGIBLE).sum())
    if share < 1:
        shares = np.cumsum(values[:kept]) / values[:kept].sum()
        kept = min(kept, int(np.argmax(shares >= share)) + 1)
    return values[:kept], vectors[:, :kept]


def _mean_correlation(cross: Floats) -> float:
    return float(np.minimum(np.linalg.svd(cross, compute_uv=False), 1.0).mean())


def _chance(share: float, m: CrossMoments) -> float:
    return _mean_correlation(_Whitened.of(m, share).null())


@measure(
    "cca",
    reads=CrossMoments,
    range=(0, 1),
    higher_is_closer=True,
    chance=lambda m: _chance(1.0, m),
    section="Similarity structure",
    definition="mean canonical correlation over the smaller rank; undefined unless pairs exceed dx + dy",
    cite=f"{_HOTELLING}; Raghu et al. 2017, arXiv:1706.05806",
    invariant_to={"rotation", "scale", "shift"},
)
def cca(m: CrossMoments) -> float:
    """Return the mean canonical correlation: 1 where a linear map takes the one space onto the other."""
    return _mean_correlation(_Whitened.of(m).cross)


@measure(
    "svcca",
    reads=CrossMoments,
    range=(0, 1),
    higher_is_closer=True,
    chance=lambda m: _chance(SVCCA_SHARE, m),
    section="Similarity structure",
    definition="mean canonical correlation of the leading principal components that hold 99 % of each variance",
    cite="Raghu et al. 2017, arXiv:1706.05806",
    invariant_to={"rotation", "scale", "shift"},
)
def svcca(m: CrossMoments) -> float:
    """Return `cca` without the directions of least variance, by the share of the variance, not of its root."""
    return _mean_correlation(_Whitened.of(m, SVCCA_SHARE).cross)


def _projection_weighted(whole: _Whitened, cross: Floats) -> float:
    """Return the canonical correlations weighted by how much of the lower-rank space their variates hold."""
    left, correlations, right = np.linalg.svd(cross, full_matrices=False)
    from_x = len(whole.variance_x) <= len(whole.variance_y)
    directions, variances, mixed = (whole.x, whole.variance_x, left) if from_x else (whole.y, whole.variance_y, right.T)
    # a variate has length 1, so its product with a column is the column's share in it
    weights = np.abs((directions * np.sqrt(variances)) @ mixed).sum(axis=0)
    return float(np.minimum(correlations, 1.0) @ weights / weights.sum())


def _projection_chance(m: CrossMoments) -> float:
    whole = _Whitened.of(m)
    return float(np.mean([_projection_weighted(whole, cross) for cross in whole.null()]))


@measure(
    "pwcca",
    reads=CrossMoments,
    range=(0, 1),
    higher_is_closer=True,
    chance=_projection_chance,
    section="Similarity structure",
    definition="canonical correlations weighted by what their variates hold of the columns of the lower-rank space, "
    "x where ranks are equal",
    cite="Morcos et al. 2018, arXiv:1806.05759, eq. 5",
    symmetric=False,
    invariant_to={"scale", "shift"},
)
def pwcca(m: CrossMoments) -> float:
    """Return Σ αᵢ ρᵢ / Σ αᵢ with αᵢ = Σⱼ |hᵢᵀ xⱼ| over the columns of the lower-rank space."""
    whole = _Whitened.of(m)
    return _projection_weighted(whole, whole.cross)


def _gulp_parts(m: CrossMoments) -> tuple[float, float, float]:
    """Return what x and y predict by themselves, what they share, and what they would share by chance."""
    check_spread(m)
    (values_x, x), (values_y, y) = np.linalg.eigh(m.xx / m.size_x), np.linalg.eigh(m.yy / m.size_y)
    values_x, values_y = values_x.clip(min=0), values_y.clip(min=0)
    share_x, share_y = values_x / (values_x + GULP_RIDGE), values_y / (values_y + GULP_RIDGE)
    cross = x.T @ (m.xy / np.sqrt(m.size_x * m.size_y)) @ y
    shared = float(np.sum(cross**2 / np.outer(values_x + GULP_RIDGE, values_y + GULP_RIDGE)))
    # as for linear-cka: the mean square of an entry of a random orthogonal map is 1 / (m − 1)
    chance = float(share_x.sum() * share_y.sum()) / (m.count - 1)
    return float(share_x @ share_x + share_y @ share_y), shared, chance


def _gulp_chance(m: CrossMoments) -> float:
    own, _, chance = _gulp_parts(m)
    return float(np.sqrt(max(own - 2 * chance, 0.0)))


@measure(
    "gulp",
    reads=CrossMoments,
    range=(0, None),
    higher_is_closer=False,
    chance=_gulp_chance,
    section="Similarity structure",
    definition="how far the ridge predictions of a target from x and from y may differ at the most (λ = 0.01, rows "
    "centred, mean squared length 1)",
    cite="Boix-Adserà et al. 2022, arXiv:2210.06545",
    invariant_to={"rotation", "scale", "shift"},
)
def gulp(m: CrossMoments) -> float:
    """Return √GULP², a metric at a λ above 0."""
    own, shared, _ = _gulp_parts(m)
    return float(np.sqrt(max(own - 2 * shared, 0.0)))
