"""Similarities of rows to anchors, by name, and what they are made of: products, distances, linear maps."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from relcli.arrays import ExactProduct, Floats, row_norms, unit_rows
from relcli.errors import UsageError, did_you_mean

#: Squared distances below this share of the squared lengths lose digits as |x|² + |a|² − 2x·a: they are summed anew.
_NEAR = 1e-4
_NEAR_NUMBERS = 2**18


class Products:
    """
    Inner products and cosines of rows with a fixed set of rows [a, d].

    `exact`: a row has the same bits in every batch (see ExactProduct), at three times the work. Keeps
    the fixed rows once, or four times.
    """

    def __init__(self, fixed: Floats, *, exact: bool) -> None:
        self.norms = row_norms(fixed)
        self._unit = unit_rows(fixed)
        self._exact_product = ExactProduct(self._unit) if exact else None

    def cosines(self, v: Floats) -> Floats:
        """Return the cosines [b, a] of rows v [b, d]; 0 for zero rows."""
        unit = unit_rows(v)
        return unit @ self._unit.T if self._exact_product is None else self._exact_product(unit)

    def inner(self, v: Floats) -> Floats:
        """Return the inner products [b, a] of rows v [b, d]."""
        products = self.cosines(v)
        products *= row_norms(v)[:, None]
        products *= self.norms
        return products


class Distances:
    """
    Euclidean distances of rows to a fixed set of rows [a, d]; keeps that set twice, or four times.

    By one product of rows and fixed rows about the mean of these; the distances of near pairs, which
    that would leave few digits of, by their differences.
    """

    def __init__(self, fixed: Floats, *, exact: bool) -> None:
        self._origin = fixed.mean(axis=0)
        self._fixed = fixed - self._origin
        self._products = Products(self._fixed, exact=exact)

    def __call__(self, v: Floats) -> Floats:
        """Return the distances [b, a] of rows v [b, d]."""
        v = v - self._origin
        lengths = row_norms(v)[:, None] ** 2 + self._products.norms**2
        squares = lengths - 2 * self._products.inner(v)
        row, column = np.nonzero(squares < _NEAR * lengths)
        step = max(1, _NEAR_NUMBERS // v.shape[1])
        for start in range(0, len(row), step):
            i, j = row[start : start + step], column[start : start + step]
            squares[i, j] = row_norms(v[i] - self._fixed[j]) ** 2
        return np.sqrt(np.maximum(squares, 0.0, out=squares), out=squares)


class Frame:
    """Anchors [a, d] as similarities see them: what each derives from them is made once, when first asked for."""

    def __init__(self, anchors: Floats, *, exact: bool = True) -> None:
        self.anchors = anchors
        self._exact = exact

    @cached_property
    def products(self) -> Products:
        """Products with the anchors."""
        return Products(self.anchors, exact=self._exact)

    @cached_property
    def distances(self) -> Distances:
        """Euclidean distances to the anchors."""
        return Distances(self.anchors, exact=self._exact)

    @cached_property
    def whitening(self) -> Products:
        """The map to where the anchors' covariance is the identity, in the directions they vary in."""
        centred = self.anchors - self.anchors.mean(axis=0)
        right, singular = _directions(centred)
        return Products(right * (np.sqrt(len(centred) - 1) / singular)[:, None], exact=self._exact)

    @cached_property
    def whitened_distances(self) -> Distances:
        """Euclidean distances to the whitened anchors."""
        return Distances(self.whitened(self.anchors), exact=self._exact)

    def whitened(self, v: Floats) -> Floats:
        """Return rows v [b, d], about the anchors' mean, in whitened coordinates."""
        return self.whitening.inner(v - self.anchors.mean(axis=0))

    @cached_property
    def inverse(self) -> Products:
        """The map to the coordinates in the anchors' basis: products with the columns of their pseudo-inverse."""
        right, singular = _directions(self.anchors)
        left = (self.anchors @ right.T) / singular
        return Products((left / singular) @ right, exact=self._exact)


def _directions(rows: Floats) -> tuple[Floats, Floats]:
    """Return the right singular vectors [r, d] and the singular values [r] that are more than rounding."""
    _, singular, right = np.linalg.svd(rows, full_matrices=False)
    kept = singular > singular[0] * max(rows.shape) * np.finfo(np.float64).eps
    if not kept.any():
        # anchors that are all equal have no directions: nothing lies apart
        return np.zeros((1, rows.shape[1])), np.ones(1)
    return right[kept], singular[kept]


def cosine(v: Floats, frame: Frame) -> Floats:
    """Return l2(v) · l2(anchors)ᵀ, in [−1, 1] (Moschella et al. 2023, arXiv:2209.15430, eq. 2)."""
    return frame.products.cosines(v)


def inner(v: Floats, frame: Frame) -> Floats:
    """Return v · anchorsᵀ."""
    return frame.products.inner(v)


def euclidean(v: Floats, frame: Frame) -> Floats:
    """Return −‖v − a‖ (Cannistraci et al. 2024, arXiv:2310.01211)."""
    return -frame.distances(v)


def l1(v: Floats, frame: Frame) -> Floats:
    """Return −‖v − a‖₁."""
    return -_summed_differences(v, frame, "cityblock")


def linf(v: Floats, frame: Frame) -> Floats:
    """Return −‖v − a‖_∞."""
    return -_summed_differences(v, frame, "chebyshev")


def _summed_differences(v: Floats, frame: Frame, name: str) -> Floats:
    from scipy.spatial.distance import cdist

    # pair by pair, without a temporary and without the interpreter's lock
    return cdist(v, frame.anchors, name)


def angular(v: Floats, frame: Frame) -> Floats:
    """Return 1 − arccos(cos(v, a)) / π, in [0, 1]; good to 1e-8 where v points along a."""
    return 1 - np.arccos(np.clip(frame.products.cosines(v), -1, 1)) / np.pi


def mahalanobis(v: Floats, frame: Frame) -> Floats:
    """
    Return −√((v − a)ᵀ Σ⁺ (v − a)), Σ the covariance of the space's own anchors.

    Unchanged by any invertible linear map of a space that its anchors span. With a ≤ d anchors Σ is
    singular: its pseudo-inverse sees only what differs along the directions the anchors vary in.
    """
    return -frame.whitened_distances(frame.whitened(v))


def basis(v: Floats, frame: Frame) -> Floats:
    """
    Return the coordinates c [b, a] with the least ‖v − cᵀ anchors‖, the shortest where many have.

    By the singular values of the anchors, those that are mere rounding left out.
    """
    return frame.inverse.inner(v)


SIMILARITIES: dict[str, Callable[[Floats, Frame], Floats]] = {
    "cosine": cosine,
    "inner": inner,
    "euclidean": euclidean,
    "l1": l1,
    "linf": linf,
    "angular": angular,
    "mahalanobis": mahalanobis,
    "basis": basis,
}

#: Those of which 0 is no closer than the least: keeping the largest and dropping the rest to 0 makes sense.
ABOVE_ZERO = ("cosine", "inner", "angular")

_PRODUCT = "product:"


def parse_similarity(text: str) -> tuple[str, ...]:
    """Return the similarities that a name, or "product:cosine,euclidean", stands for."""
    names = [part.strip() for part in text.removeprefix(_PRODUCT).split(",")]
    if text == "product" or (text.startswith(_PRODUCT) and len(names) < 2):
        raise UsageError(f"{text!r} names too few similarities for a product: write product:cosine,euclidean.")
    if len(names) > 1 and not text.startswith(_PRODUCT):
        raise UsageError(f"{text!r} names {len(names)} similarities: write product:{','.join(names)}.")
    for name in names:
        if name not in SIMILARITIES:
            raise UsageError(
                f"No similarity is called {name!r}; there are {', '.join(SIMILARITIES)} and product:A,B."
                f"{did_you_mean(name, (*SIMILARITIES, 'product'))}"
            )
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        raise UsageError(f"{text!r} names {repeated[0]!r} more than once: name each similarity once.")
    return tuple(names)


def similarity_name(names: tuple[str, ...]) -> str:
    """Return the text that `parse_similarity` reads as these names."""
    return names[0] if len(names) == 1 else _PRODUCT + ",".join(names)


def parse_sparse(text: str) -> tuple[int, float]:
    """Return k and p from a text such as "100,8"."""
    k, _, power = text.partition(",")
    try:
        return int(k), float(power)
    except ValueError:
        raise UsageError(
            f"--sparse {text!r} is not K,P, how many similarities to keep and their power: 100,8."
        ) from None
