"""Do rows lie at like distances in both spaces? Read off all pairs of a sample of rows."""

from __future__ import annotations

import numpy as np

from relcli.accumulators.sample import SAMPLE_ROWS, RowSample
from relcli.arrays import Floats, on_grid, unit_rows
from relcli.measures.measure import PerQuery, Undefined, measure

_SAMPLED = f"on {SAMPLE_ROWS:,} rows at the most"
_ROTATION = {"rotation", "scale"}

#: A spread this small beside the vectors themselves, or a share this small of what was there, is rounding.
_ROUNDING = 1e-10


def _scored(sample: RowSample, least: int) -> tuple[Floats, Floats]:
    """Return the scored rows of x and y in the sample, of which there must be some."""
    rows = sample.scored
    if len(rows) < least:
        raise Undefined(f"{len(rows)} scored pairs, and at least {least} are needed")
    return rows.x, rows.y


def _centred(v: Floats, side: str) -> Floats:
    off = v - v.mean(axis=0)
    if np.linalg.norm(off) <= _ROUNDING * np.linalg.norm(v):
        raise Undefined(f"all scored vectors of {side} are equal")
    return off


def _cosines(v: Floats) -> Floats:
    units = unit_rows(v)
    return on_grid(units @ units.T)


def _squared_distances(v: Floats) -> Floats:
    """Return ‖v_i − v_j‖² [n, n] of centred rows, 0 for a row and itself."""
    squares = np.einsum("ij,ij->i", v, v)
    table = squares[:, None] + squares[None, :] - 2 * (v @ v.T)
    # rows that are close beside their lengths are taken again from their difference: copies are at 0
    near = np.argwhere(np.triu(table < 1e-4 * (squares[:, None] + squares[None, :]), 1))
    for some in np.array_split(near, max(1, len(near) // 100_000)):
        i, j = some.T
        apart = v[i] - v[j]
        table[i, j] = table[j, i] = np.einsum("ij,ij->i", apart, apart)
    np.fill_diagonal(table, 0.0)
    return np.maximum(table, 0.0)


@measure(
    "rsa",
    reads=RowSample,
    range=(-1, 1),
    higher_is_closer=True,
    chance=lambda sample: 0.0,
    section="Similarity structure",
    definition=f"Spearman's ρ of the cosine dissimilarities of all pairs of scored rows, {_SAMPLED}",
    cite="Kriegeskorte et al. 2008, doi:10.3389/neuro.06.004.2008",
    invariant_to=_ROTATION,
)
def rsa(sample: RowSample) -> float:
    """Return the rank correlation of the two dissimilarity matrices, self pairs left out."""
    from scipy.stats import rankdata

    above = np.triu_indices(len(sample.scored), 1)
    ranks = [rankdata(-_cosines(v)[above]) for v in _scored(sample, 3)]
    for side, of_side in zip("xy", ranks, strict=True):
        if np.ptp(of_side) == 0:
            raise Undefined(f"all pairs of scored rows of {side} are equally similar")
    one, other = (of_side - of_side.mean() for of_side in ranks)
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def _u_centre(table: Floats) -> Floats:
    """
    U-centre a table [n, n] whose diagonal is 0, in place (Székely & Rizzo 2014, def. 2), and return it.

    The unbiased HSIC of two Gram matrices (Song et al. 2012, eq. 5) is the sum of the products of theirs, over
    n (n − 3): sums of products before centring would cancel where a kernel is nearly constant.
    """
    n, sums = len(table), table.sum(axis=0)
    table += float(sums.sum()) / ((n - 1) * (n - 2)) - (sums[:, None] + sums[None, :]) / (n - 2)
    np.fill_diagonal(table, 0.0)
    return table


def _gaussian(v: Floats, side: str) -> tuple[Floats, float]:
    """Return a U-centred Gaussian Gram matrix [n, n], and the sum of squares of the one centred as it is."""
    squared = _squared_distances(_centred(v, side))
    width = float(np.median(squared[np.triu_indices(len(v), 1)]))
    if width <= _ROUNDING**2 * float(np.sum((v - v.mean(axis=0)) ** 2)):
        raise Undefined(f"half of the pairs of scored rows of {side} are equal: their median distance is 0")
    # less 1, which centring takes off in any case: near rows keep their digits
    gram = np.expm1(-squared / (2 * width))
    means = gram.mean(axis=0)
    biased = float(np.sum((gram - means[:, None] - means[None, :] + means.mean()) ** 2))
    return _u_centre(gram), biased


@measure(
    "rbf-cka",
    reads=RowSample,
    range=(-1, 1),
    higher_is_closer=True,
    chance=lambda sample: 0.0,
    section="Similarity structure",
    definition=f"debiased CKA of Gaussian kernels, σ² the median squared distance of two rows, {_SAMPLED}",
    cite="Kornblith et al. 2019, arXiv:1905.00414; Song et al. 2012, JMLR 13",
    invariant_to={"rotation", "scale", "shift"},
)
def rbf_cka(sample: RowSample) -> float:
    """Return HSIC₁(x, y) / √(HSIC₁(x, x) · HSIC₁(y, y)) of the two kernels."""
    x, y = _scored(sample, 4)
    (gram_x, biased_x), (gram_y, biased_y) = _gaussian(x, "x"), _gaussian(y, "y")
    own_x, own_y = float(np.sum(gram_x**2)), float(np.sum(gram_y**2))
    for side, own, biased in (("x", own_x, biased_x), ("y", own_y, biased_y)):
        # never take the root of a negative, nor of what is only rounding
        if own <= _ROUNDING * biased:
            raise Undefined(f"the unbiased HSIC of {side} with itself is not positive: too few or too alike pairs")
    return float(np.sum(gram_x * gram_y) / np.sqrt(own_x * own_y))


def _u_centred(v: Floats, side: str) -> Floats:
    """Return the U-centred distances [n, n] of rows v (Székely & Rizzo 2014, def. 2)."""
    table = np.sqrt(_squared_distances(_centred(v, side)))
    size = float(np.sum(table**2))
    _u_centre(table)
    if float(np.sum(table**2)) <= _ROUNDING * size:
        raise Undefined(f"the distance variance of {side} is not positive: too few or too alike pairs")
    return table


@measure(
    "distance-correlation",
    reads=RowSample,
    range=(-1, 1),
    higher_is_closer=True,
    chance=lambda sample: 0.0,
    section="Similarity structure",
    definition=f"bias-corrected squared correlation of the Euclidean distances of scored rows, {_SAMPLED}; "
    "0 in the mean for unrelated spaces, and possibly below",
    cite="Székely & Rizzo 2014, arXiv:1310.2926",
    invariant_to={"rotation", "scale", "shift"},
)
def distance_correlation(sample: RowSample) -> float:
    """Return the product of the two U-centred distance matrices over that of their norms."""
    one, other = (_u_centred(v, side) for v, side in zip(_scored(sample, 4), "xy", strict=True))
    return float(np.sum(one * other) / (np.linalg.norm(one) * np.linalg.norm(other)))


@measure(
    "information-imbalance",
    reads=RowSample,
    range=(0, None),
    higher_is_closer=False,
    chance=lambda sample: 1.0,
    section="Neighbourhood",
    definition="2/n · mean rank, in the other space, of a row's nearest neighbour: 2/n where all stay nearest, "
    f"{_SAMPLED}; both directions",
    cite="Glielmo et al. 2022, doi:10.1093/pnasnexus/pgac039",
    invariant_to=_ROTATION,
)
def information_imbalance(sample: RowSample) -> PerQuery:
    """Return 2/n times the rank in y of each scored row's nearest in x, and the other way round."""
    rows = sample.rows
    queries = np.flatnonzero(rows.scored)
    if len(rows) < 2 or not len(queries):
        raise Undefined("a single row has no neighbours" if len(queries) else "there is no query")
    x, y = (_cosines(v)[queries] for v in (rows.x, rows.y))
    for scores in (x, y):
        scores[np.arange(len(queries)), queries] = -np.inf
    return PerQuery(_ranks_of_nearest(x, y) * 2 / len(rows), _ranks_of_nearest(y, x) * 2 / len(rows))


def _ranks_of_nearest(here: Floats, there: Floats) -> Floats:
    """Return the rank by scores `there` [q, n] of the column that is first by scores `here` [q, n]; ties by column."""
    # rows are in order of rank, so the first of equal ones comes first
    nearest = here.argmax(axis=1)
    own = np.take_along_axis(there, nearest[:, None], axis=1)
    before = np.arange(there.shape[1]) < nearest[:, None]
    return ((there > own) | ((there == own) & before)).sum(axis=1) + 1.0
