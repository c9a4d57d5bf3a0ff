"""How near can a rotation bring the two spaces? Read off cross-moments, the anchors' fit, and the probe."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from relcli.accumulators.moments import CrossMoments, HeldOut, HeldOutRidge
from relcli.accumulators.probe import Probe
from relcli.arrays import Floats, row_norms, unit_rows
from relcli.measures.linalg import null_nuclear_norms
from relcli.measures.measure import BothWays, PerQuery, Undefined, measure
from relcli.measures.retrieval import paired, row_blocks
from relcli.spaces.translation import Similarity, fit_similarity, widened

_INVARIANT = {"rotation", "scale", "shift"}
_SCHONEMANN = "Schönemann & Carroll 1970, doi:10.1007/BF02291266"


def check_spread(m: CrossMoments) -> None:
    """Raise Undefined where a space has too few pairs or no spread."""
    if m.count < 2:
        raise Undefined(f"{m.count} scored pair{'' if m.count == 1 else 's'}, and at least 2 are needed")
    for side, size in (("x", m.size_x), ("y", m.size_y)):
        if size <= 0:
            raise Undefined(f"all scored vectors of {side} are equal")


def _nuclear(m: CrossMoments) -> float:
    check_spread(m)
    return m.correlation_norm


def _null(m: CrossMoments) -> Floats:
    check_spread(m)
    if "null_norms" not in m.__dict__:
        m.__dict__["null_norms"] = null_nuclear_norms(m.xx, m.yy, m.count)
    return m.__dict__["null_norms"]


@measure(
    "procrustes-residual",
    reads=CrossMoments,
    range=(0, 1),
    higher_is_closer=False,
    chance=lambda m: float(np.mean(1 - _null(m) ** 2)),
    section="Alignment",
    definition="share of y's variance that the best rotation and scale of x leaves over, fitted on the scored rows",
    cite=f"{_SCHONEMANN}; Williams et al. 2021, arXiv:2110.14739",
    invariant_to=_INVARIANT,
)
def procrustes_residual(m: CrossMoments) -> float:
    """Return 1 − nuc², scipy's Procrustes disparity; the narrower space is zero-padded."""
    nuclear = _nuclear(m)
    return (1 - nuclear) * (1 + nuclear)


@measure(
    "procrustes-distance",
    reads=CrossMoments,
    range=(0, float(np.sqrt(2))),
    higher_is_closer=False,
    chance=lambda m: float(np.mean(np.sqrt(2 - 2 * _null(m)))),
    section="Alignment",
    definition="distance between the centred spaces of unit size after the best rotation: √(2 − 2·nuc)",
    cite="Williams et al. 2021, arXiv:2110.14739; its square is Ding et al. 2021, arXiv:2108.01661",
    invariant_to=_INVARIANT,
)
def procrustes_distance(m: CrossMoments) -> float:
    """Return √(2 − 2·nuc), a metric."""
    return float(np.sqrt(2 - 2 * _nuclear(m)))


@measure(
    "procrustes-angle",
    reads=CrossMoments,
    range=(0, float(np.pi / 2)),
    higher_is_closer=False,
    chance=lambda m: float(np.mean(np.arccos(_null(m)))),
    section="Alignment",
    definition="angle between the centred spaces after the best rotation: arccos(nuc), in radians",
    cite="Williams et al. 2021, arXiv:2110.14739",
    invariant_to=_INVARIANT,
)
def procrustes_angle(m: CrossMoments) -> float:
    """Return arccos(nuc), a metric, in radians."""
    return float(np.arccos(_nuclear(m)))


def heldout_chance(held: HeldOut) -> float:
    """Return the residual of mismatched pairs: what the map leaves over of rows drawn at random."""
    _check_held_out(held)
    mismatched = held.square_y + held.square_fit - 2 * float(held.sum_y @ held.sum_fit) / held.count
    return mismatched / held.variance


def _check_fit(fit: Similarity) -> None:
    if np.isnan(fit.scale):
        raise Undefined("all anchors are equal in x: no rotation can be fitted")


def _check_held_out(held: HeldOut) -> None:
    if not held.count:
        raise Undefined("every pair is an anchor: nothing is held out")
    if isinstance(held.fit, Similarity):
        _check_fit(held.fit)
    if held.variance <= 0:
        raise Undefined("all vectors of y that are not anchors are equal")


@measure(
    "heldout-procrustes-residual",
    reads=HeldOut,
    range=(0, None),
    higher_is_closer=False,
    chance=heldout_chance,
    section="Alignment",
    definition="Σ‖y−ŷ‖² / Σ‖y−ȳ‖² on rows that are not anchors, rotation + scale + shift fitted on the anchors; "
    "chance is over mismatched pairs",
    cite=_SCHONEMANN,
    symmetric=False,
    invariant_to=_INVARIANT,
    views=("absolute",),
)
def heldout_procrustes_residual(held: HeldOut) -> float:
    """Return the share of y's variance that the map fitted on the anchors misses; above 1 it is worse than ȳ."""
    _check_held_out(held)
    return held.miss / held.variance


def _both_ways(held: HeldOutRidge) -> tuple[HeldOut, HeldOut]:
    if not held.ways:
        raise Undefined("all anchors of a side are equal: no map can be fitted")
    for way, side in (("xy", "y"), ("yx", "x")):
        if not held.ways[way].count:
            raise Undefined("every pair is an anchor: nothing is held out")
        if held.ways[way].variance <= 0:
            raise Undefined(f"all vectors of {side} that are not anchors are equal")
    return held.ways["xy"], held.ways["yx"]


@measure(
    "linear-r2",
    reads=HeldOutRidge,
    range=(None, 1),
    higher_is_closer=True,
    chance=lambda held: float(np.mean([1 - heldout_chance(way) for way in _both_ways(held)])),
    section="Alignment",
    definition="R² on rows that are not anchors of a ridge map fitted on the anchors, its penalty by generalised "
    "cross-validation; both directions; chance is over mismatched pairs",
    cite="Golub, Heath & Wahba 1979, doi:10.1080/00401706.1979.10489751; Kornblith et al. 2019, arXiv:1905.00414",
    invariant_to={"rotation", "scale", "shift"},
    views=("absolute",),
)
def linear_r2(held: HeldOutRidge) -> BothWays:
    """Return 1 − Σ‖y−ŷ‖² / Σ‖y−ȳ‖² from x to y, and from y to x; below 0 the map is worse than the mean."""
    forward, backward = _both_ways(held)
    return BothWays(1 - forward.miss / forward.variance, 1 - backward.miss / backward.variance)


def _aligned(probe: Probe) -> tuple[Floats, float]:
    """Return the cosine [h] of each held-out row with where the fit puts it, and the mean over mismatched pairs."""
    assert probe.context.anchors is not None, "held-out measures need anchors"
    if not len(probe.pairs):
        raise Undefined("there is no query")
    if probe.pairs.anchor.all():
        raise Undefined("every pair is an anchor: nothing is held out")
    if "aligned" not in probe.__dict__:
        fit = fit_similarity(*probe.context.anchors)
        _check_fit(fit)
        probe.__dict__["aligned"] = paired(_aligned_blocks(probe, fit))
    found: tuple[Floats, float] = probe.__dict__["aligned"]
    return found


def _aligned_blocks(probe: Probe, fit: Similarity) -> Iterator[tuple[Floats, Floats]]:
    """Yield directions of held-out rows of y, and of where the fit puts them, a block at a time."""
    held = np.flatnonzero(~probe.pairs.anchor)
    blocks = [held[rows] for rows in row_blocks(len(held))]
    total, largest = np.zeros(probe.pairs.y.shape[1]), 0.0
    for rows in blocks:
        y = probe.pairs.y[rows]
        total += y.sum(axis=0)
        largest = max(largest, float(row_norms(y).max()))
    mean = widened(total[None] / len(held), len(fit.mean_y))[0]
    apart = False
    for rows in blocks:
        off = widened(probe.pairs.y[rows], len(mean)) - mean
        noise = _NOISE * largest
        apart = apart or bool((row_norms(off) > noise).any())
        yield _directions(off, noise), _directions(fit(probe.pairs.x[rows]) - mean, noise)
    if not apart:
        raise Undefined(_EQUAL)


# what the rounding of the mean leaves of a row is no direction
_NOISE = 1e-10
_EQUAL = "all vectors of y that are not anchors are equal"


def aligned_units(y: Floats, fitted: Floats) -> tuple[Floats, Floats]:
    """Return the directions from ȳ of rows y [q, d], and of where a map puts them."""
    mean = y.mean(axis=0)
    noise = _NOISE * float(row_norms(y).max())
    off = y - mean
    if (row_norms(off) <= noise).all():
        raise Undefined(_EQUAL)
    return _directions(off, noise), _directions(fitted - mean, noise)


def _directions(v: Floats, noise: float) -> Floats:
    return unit_rows(np.where(row_norms(v)[:, None] > noise, v, 0.0))


def _aligned_chance(probe: Probe) -> float:
    return _aligned(probe)[1]


@measure(
    "heldout-aligned-cosine",
    reads=Probe,
    range=(-1, 1),
    higher_is_closer=True,
    chance=_aligned_chance,
    section="Alignment",
    definition="mean cos(y−ȳ, ŷ−ȳ) on rows that are not anchors, rotation + scale + shift fitted on the anchors; "
    "chance is over mismatched pairs",
    cite=_SCHONEMANN,
    symmetric=False,
    invariant_to=_INVARIANT,
    views=("absolute",),
)
def heldout_aligned_cosine(probe: Probe) -> PerQuery:
    """Return the cosine of each row that is not an anchor with where the anchors' fit puts it."""
    return PerQuery(_aligned(probe)[0])
