"""Maps from one space to another, fitted on anchors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relcli.arrays import Floats


def widened(v: Floats, dim: int) -> Floats:
    """Return v [n, d] zero-padded to [n, dim]; distances and angles stay."""
    return v if v.shape[1] >= dim else np.pad(v, ((0, 0), (0, dim - v.shape[1])))


@dataclass(frozen=True)
class Similarity:
    """
    A rotation with one scale and a shift: v ↦ scale · (v − mean_x) · rotation + mean_y.

    `scale` is NaN where the rows it was fitted on are all equal in x: there is nothing to rotate.
    """

    rotation: Floats
    scale: float
    mean_x: Floats
    mean_y: Floats

    def __call__(self, v: Floats) -> Floats:
        centred = widened(v, len(self.mean_x)) - self.mean_x
        return self.scale * (centred @ self.rotation) + self.mean_y


def fit_similarity(x: Floats, y: Floats) -> Similarity:
    """
    Return the rotation + scale + shift that takes anchors x [a, dx] nearest to y [a, dy].

    The least-squares solution by the SVD of the centred cross-product (Schönemann & Carroll 1970);
    the narrower side is zero-padded. Under-determined when a ≤ max(dx, dy).
    """
    dim = max(x.shape[1], y.shape[1])
    x, y = widened(x, dim), widened(y, dim)
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    centred = x - mean_x
    left, singular, right = np.linalg.svd(centred.T @ (y - mean_y))
    size = float(np.sum(centred**2))
    # equal rows leave the rounding of their mean, not zero
    varies = size > 1e-20 * float(np.sum(x**2))
    return Similarity(left @ right, float(singular.sum()) / size if varies else float("nan"), mean_x, mean_y)
