"""Linear algebra on d × d scatter matrices: nothing here sees a row."""

from __future__ import annotations

import numpy as np

from relcli.arrays import Floats

_SEED = 20230201
_NUMBERS = 2**16


def null_nuclear_norms(xx: Floats, yy: Floats, count: int) -> Floats:
    """
    Return nuclear norms [draws] of centred, unit-size spaces whose `count` pairs are shuffled.

    Shuffling multiplies the left singular bases of the two spaces by a random orthogonal map of
    count − 1 dimensions, of which corners are drawn from a fixed seed.
    """
    x, y = _spectrum(xx), _spectrum(yy)
    dof = max(count - 1, 1)
    x, y = x[:dof], y[:dof]
    size = float(np.sqrt(np.sum(x**2) * np.sum(y**2)))
    corners = haar_corners(len(x), len(y), dof)
    norms = np.linalg.svd(x[:, None] * corners * y, compute_uv=False).sum(axis=-1) / size
    return np.minimum(norms, 1.0)


def haar_corners(rows: int, columns: int, size: int) -> Floats:
    """
    Return corners [draws, rows, columns] of random orthogonal maps of `size` dimensions: 4 to 64, the more the smaller.

    By QR where the corner is a large part of the map, as Gaussian entries of variance 1/size otherwise.
    """
    draws = int(np.clip(_NUMBERS // max(rows * columns, 1), 4, 64))
    rng = np.random.default_rng(_SEED)
    if size > 20 * max(rows, columns):
        return rng.standard_normal((draws, rows, columns)) / np.sqrt(size)
    frames, upper = np.linalg.qr(rng.standard_normal((draws, size, columns)))
    # QR is unique only up to signs: fixing them makes the frames Haar-distributed (Mezzadri 2007)
    signs = np.sign(np.diagonal(upper, axis1=1, axis2=2))
    return (frames * signs[:, None, :])[:, :rows]


def _spectrum(scatter: Floats) -> Floats:
    """Return the singular values of the centred rows, falling, without those that are rounding."""
    values = np.linalg.eigvalsh(scatter)[::-1]
    return np.sqrt(values[values > values[0] * len(values) * np.finfo(np.float64).eps])


def unbiased_hsic(
    cross: Floats,
    sums: tuple[Floats, Floats],
    squares: tuple[Floats, Floats],
    totals: tuple[float, float],
    quartic: float,
    count: int,
) -> float:
    """
    Return the unbiased HSIC of two linear kernels, from moments about any origin (Song et al. 2012).

    `cross` is Σxyᵀ, `sums` Σx and Σy, `squares` Σ|y|²x and Σ|x|²y, `totals` Σ|x|² and Σ|y|²,
    `quartic` Σ|x|²|y|². Needs count ≥ 4. O(dx·dy), and no n × n matrix.
    """
    n = count
    sum_x, sum_y = sums
    without_diagonal = float(np.sum(cross**2)) - quartic
    ones_x = float(sum_x @ sum_x) - totals[0]
    ones_y = float(sum_y @ sum_y) - totals[1]
    through = float(sum_x @ cross @ sum_y) - float(sum_x @ squares[0]) - float(sum_y @ squares[1]) + quartic
    value = without_diagonal + ones_x * ones_y / ((n - 1) * (n - 2)) - 2 * through / (n - 2)
    return value / (n * (n - 3))
