"""Maps from one space to another, fitted on anchors: the table TRANSLATORS, and what a fitted map is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from relcli.arrays import Floats, one_blas_thread, row_norms, unit_rows
from relcli.errors import AnchorError, UsageError, VectorError, check_choice
from relcli.spaces.anchors import farthest_points

#: How anchors are prepared before a map is fitted on them; the first is the default.
SCALINGS = {
    "global": "each side centred on its anchors' mean; one scale for all dimensions",
    "standard": "each side centred, each dimension divided by its standard deviation (arXiv:2311.00664)",
    "none": "as they are: a map through the origin",
}

#: Ridge penalties to choose among, in units of the largest squared singular value of the anchors.
_PENALTIES = np.logspace(-12, 4, 65)


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
    scale = float(singular.sum()) / size if _varies(centred, x) else float("nan")
    return Similarity(left @ right, scale, mean_x, mean_y)


def _varies(centred: Floats, v: Floats) -> bool:
    # equal rows leave the rounding of their mean, not zero
    return float(np.sum(centred**2)) > 1e-20 * float(np.sum(v**2))


@dataclass(frozen=True, eq=False)
class Translation:
    """
    A fitted map [b, dx] -> [b, dy]: v ↦ ((v − mean_x) · matrix) * spread_y + mean_y.

    Where `length` is given (`inverse-relative`), each row of the product is first stretched or shrunk
    to that length, because relative vectors have lost theirs. `penalty` is the λ that `ridge` chose.
    A picklable value; keeps dx·dy numbers.
    """

    method: str
    scaling: str
    mean_x: Floats
    matrix: Floats
    spread_y: Floats
    mean_y: Floats
    length: float | None = None
    penalty: float | None = None

    @property
    def dx(self) -> int:
        """The dimensions it takes."""
        return int(self.matrix.shape[0])

    @property
    def dy(self) -> int:
        """The dimensions it gives."""
        return int(self.matrix.shape[1])

    def check_width(self, dim: int, name: str) -> None:
        """Raise VectorError unless vectors of `name` have the dimensions that the map takes."""
        if dim != self.dx:
            raise VectorError(
                f"this map takes {self.dx} dimensions, {name} has {dim}. Apply it to vectors of the model that it "
                "was fitted on, or fit another."
            )

    def __call__(self, v: Floats) -> Floats:
        self.check_width(v.shape[1], "the array")
        moved = (v - self.mean_x) @ self.matrix
        if self.length is not None:
            moved = self.length * unit_rows(moved)
        return moved * self.spread_y + self.mean_y


@dataclass(frozen=True)
class Prepared:
    """
    Anchors x [a, dx] and y [a, dy] after scaling.

    `centred` says that they are about their means, `scaled` that one scale is wanted; `prune` is how many
    to keep where some are to be left out.
    """

    x: Floats
    y: Floats
    centred: bool
    scaled: bool
    prune: int | None = None

    @cached_property
    def least_squares(self) -> Floats:
        """The least-squares map [dx, dy], the one of least norm where there are many."""
        return _least_squares(self.x, self.y)


@dataclass(frozen=True)
class Core:
    """What a translator fits between prepared anchors: matrix [dx, dy], and what only some have."""

    matrix: Floats
    intercept: Floats | float = 0.0
    length: float | None = None
    penalty: float | None = None


def _fit_ortho(anchors: Prepared) -> Core:
    """
    Return the orthogonal map nearest to least squares: SVD of XᵀY (Schönemann 1966), with a scale if wanted.

    The narrower side is zero-padded; of a wider x, the coordinates that y lacks are dropped afterwards.
    """
    dx, dy = anchors.x.shape[1], anchors.y.shape[1]
    dim = max(dx, dy)
    left, _, right = np.linalg.svd(widened(anchors.x, dim).T @ widened(anchors.y, dim))
    return Core(_scaled((left @ right)[:dx, :dy], anchors))


def _fit_linear(anchors: Prepared) -> Core:
    """Return the least-squares map, the one of least norm where there are many."""
    return Core(anchors.least_squares)


def _fit_l_ortho(anchors: Prepared) -> Core:
    """Return the orthogonal map nearest to the least-squares one (Maiorca et al. 2023), with a scale if wanted."""
    left, _, right = np.linalg.svd(anchors.least_squares, full_matrices=False)
    return Core(_scaled(left @ right, anchors))


def _fit_affine(anchors: Prepared) -> Core:
    """
    Return the least-squares map with an intercept: [X 1].

    On centred anchors its intercept is 0 and it is `linear`; without scaling it is the one that may shift.
    """
    # a column as large as the others, lest it count as dependent
    size = float(np.sqrt(np.mean(anchors.x**2))) or 1.0
    solution = _least_squares(np.column_stack([anchors.x, np.full(len(anchors.x), size)]), anchors.y)
    return Core(solution[:-1], intercept=size * solution[-1])


def _fit_ridge(anchors: Prepared) -> Core:
    """
    Return the ridge map, its penalty chosen by generalised cross-validation (Golub, Heath & Wahba 1979).

    One SVD of X serves all 65 penalties; one penalty serves all outputs.
    """
    left, singular, right = np.linalg.svd(anchors.x, full_matrices=False)
    kept = singular > singular[0] * max(anchors.x.shape) * np.finfo(np.float64).eps
    left, singular, right = left[:, kept], singular[kept], right[kept]
    inside = left.T @ anchors.y
    outside = float(np.sum((anchors.y - left @ inside) ** 2))
    energy = np.sum(inside**2, axis=1)
    spare = len(anchors.x) - anchors.centred - len(singular)
    penalties = _PENALTIES * singular[0] ** 2
    # 1 − s²/(s² + λ) written so that nothing cancels where every anchor is fitted exactly
    left_over = penalties[:, None] / (singular**2 + penalties[:, None])
    errors = (outside + left_over**2 @ energy) / (spare + left_over.sum(axis=1)) ** 2
    penalty = float(penalties[np.argmin(errors)])
    return Core(right.T @ ((singular / (singular**2 + penalty))[:, None] * inside), penalty=penalty)


def _fit_inverse_relative(anchors: Prepared) -> Core:
    """
    Return the map through relative space and back: l2(x) · l2(A_x)ᵀ · pinv(l2(A_y)ᵀ) (Maiorca et al. 2024,
    arXiv:2406.15057), its rows as long as y's anchors are on average: relative vectors keep no lengths.
    """
    unit_x, unit_y = unit_rows(anchors.x), unit_rows(anchors.y)
    if anchors.prune is not None:
        kept = farthest_points(lambda rows: unit_y[rows], np.arange(len(unit_y)), anchors.prune, start=0)
        unit_x, unit_y = unit_x[kept], unit_y[kept]
    back = np.linalg.pinv(unit_y.T, rcond=max(unit_y.shape) * np.finfo(np.float64).eps)
    return Core(unit_x.T @ back, length=float(row_norms(anchors.y).mean()))


#: Every translator: its name, and what fits it on prepared anchors.
TRANSLATORS: dict[str, Callable[[Prepared], Core]] = {
    "ortho": _fit_ortho,
    "linear": _fit_linear,
    "l-ortho": _fit_l_ortho,
    "affine": _fit_affine,
    "ridge": _fit_ridge,
    "inverse-relative": _fit_inverse_relative,
}


def check_translator(method: str, scaling: str, prune: int | None = None) -> None:
    """Raise UsageError unless there is such a translator and such a scaling, and `prune` goes with them."""
    check_choice("method", method, TRANSLATORS)
    check_choice("scaling", scaling, SCALINGS)
    if prune is not None and method != "inverse-relative":
        raise UsageError(f"--prune goes with --method inverse-relative, not with {method}. Leave it out.")


def fit_translation(
    x: Floats, y: Floats, *, method: str = "ortho", scaling: str = "global", prune: int | None = None
) -> Translation:
    """
    Return the map that takes anchors x [a, dx] to y [a, dy], by one of TRANSLATORS after one of SCALINGS.

    `prune` keeps that many anchors, the farthest apart in y, for `inverse-relative`. Runs on one BLAS
    thread: equal anchors give equal bits, whatever the number of cores.
    """
    check_translator(method, scaling, prune)
    if prune is not None and not 2 <= prune <= len(y):
        raise UsageError(f"--prune {prune:,} is no number from 2 to {len(y):,}, the anchors there are.")
    return Fits(x, y, scaling=scaling, prune=prune).by(method)


class Fits:
    """The maps that take anchors x [a, dx] to y [a, dy], each fitted once; what several are made from is shared."""

    def __init__(self, x: Floats, y: Floats, *, scaling: str = "global", prune: int | None = None) -> None:
        self._scaling = scaling
        with one_blas_thread():
            self._mean_x, self._spread_x = _centre_and_spread(x, scaling)
            self._mean_y, self._spread_y = _centre_and_spread(y, scaling)
            self._prepared = Prepared(
                (x - self._mean_x) / self._spread_x,
                (y - self._mean_y) / self._spread_y,
                scaling != "none",
                scaling == "global",
                prune,
            )
            if not _varies(x - x.mean(axis=0), x):
                raise AnchorError(f"All {len(x):,} anchors are equal in x: no map can be fitted on them.")
        self._fitted: dict[str, Translation] = {}

    def by(self, method: str) -> Translation:
        """Return the map by one of TRANSLATORS."""
        if method not in self._fitted:
            with one_blas_thread():
                core = TRANSLATORS[method](self._prepared)
            self._fitted[method] = Translation(
                method,
                self._scaling,
                self._mean_x,
                core.matrix / self._spread_x[:, None],
                self._spread_y,
                self._mean_y + core.intercept * self._spread_y,
                core.length,
                core.penalty,
            )
        return self._fitted[method]


def _centre_and_spread(v: Floats, scaling: str) -> tuple[Floats, Floats]:
    """Return what to subtract from anchors v [a, d], and what to divide them by."""
    ones = np.ones(v.shape[1])
    if scaling == "none":
        return np.zeros(v.shape[1]), ones
    mean = v.mean(axis=0)
    if scaling == "global":
        # the map carries the one scale itself
        return mean, ones
    spread = v.std(axis=0)
    # a constant dimension leaves the rounding of its mean
    return mean, np.where(spread > 1e-12 * np.abs(mean), spread, 1.0)


def _least_squares(x: Floats, y: Floats) -> Floats:
    # by SVD (gelsd): the rank is judged at eps · max(a, d), so that centring costs a rank and not the answer
    return np.linalg.lstsq(x, y, rcond=None)[0].astype(np.float64, copy=False)


def _scaled(rotation: Floats, anchors: Prepared) -> Floats:
    """Return the orthogonal map times the scale that least squares gives it, where one is wanted."""
    if not anchors.scaled:
        return rotation
    rotated = anchors.x @ rotation
    size = float(np.sum(rotated**2))
    return rotation * (float(np.sum(rotated * anchors.y)) / size if size else 0.0)
