"""Spaces laid out in two dimensions, to be looked at: by principal components, t-SNE or UMAP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from relcli.arrays import Floats
from relcli.errors import MissingExtraError, UsageError, did_you_mean

#: How wide a neighbourhood t-SNE and UMAP mind, where there are rows enough: scikit-learn's and umap-learn's defaults.
PERPLEXITY, NEIGHBORS = 30, 15


@dataclass(frozen=True)
class Layout:
    """One space laid out: coordinates [p, 2], and the share of its variance along each, where the method has such."""

    coordinates: Floats
    shares: tuple[float, float] | None = None


@dataclass(frozen=True)
class Components:
    """The two principal components of some rows: their `mean` [d], and `axes` [2, d] of length 1."""

    mean: Floats
    axes: Floats

    @classmethod
    def of(cls, v: Floats) -> Components:
        """
        Return the components of v [n, d], by the eigenvectors of the smaller Gram matrix: [min(n, d)]² numbers.

        Each axis points where its largest entry is positive. An axis along which nothing varies is zero.
        """
        mean = v.mean(axis=0)
        centred = v - mean
        n, d = v.shape
        of_rows = n < d
        gram = centred @ centred.T if of_rows else centred.T @ centred
        found = np.linalg.eigh(gram)[1][:, ::-1][:, :2].T
        found = found @ centred if of_rows else found
        axes = np.zeros((2, d))
        scale = np.sqrt(np.sum(centred**2)) if of_rows else 1.0
        for axis, direction in zip(axes, found, strict=False):
            length = np.linalg.norm(direction)
            if length > 1e-9 * scale and length > 0:
                axis[:] = direction / length * (np.sign(direction[np.argmax(np.abs(direction))]) or 1.0)
        return cls(mean, axes)

    def __call__(self, v: Floats) -> Floats:
        """Return the coordinates [n, 2] of v [n, d]."""
        return (v - self.mean) @ self.axes.T

    def shares(self, v: Floats) -> tuple[float, float]:
        """Return the share of the variance of v [n, d] that lies along each axis; 0 where nothing varies."""
        total = float(np.sum(v.var(axis=0)))
        along = self(v).var(axis=0)
        first, second = (along / total if total > 0 else np.zeros(2)).tolist()
        return first, second


def check_projection(name: str) -> None:
    """Raise UsageError unless there is such a projection, MissingExtraError where its package is not installed."""
    from importlib.util import find_spec

    if name not in PROJECTIONS:
        raise UsageError(
            f"No projection is called {name!r}; there are {', '.join(PROJECTIONS)}.{did_you_mean(name, PROJECTIONS)}"
        )
    if name == "umap" and find_spec("umap") is None:
        raise MissingExtraError(
            "UMAP is drawn by the package umap-learn, which is not installed. Install it: pip install umap-learn, or "
            "take --projection pca."
        )


def lay_out(name: str, spaces: Sequence[Floats], fitted: int, *, seed: int = 0) -> list[Layout]:
    """
    Return each space [p, d] in two dimensions; all have as many columns.

    pca and umap are fitted on the first `fitted` rows of the first space and applied to all; tsne, which
    cannot be applied, on all rows of all together.
    """
    check_projection(name)
    return PROJECTIONS[name](spaces, fitted, seed)


def _pca(spaces: Sequence[Floats], fitted: int, _seed: int) -> list[Layout]:
    components = Components.of(spaces[0][:fitted])
    return [Layout(components(space), components.shares(space[:fitted])) for space in spaces]


def _tsne(spaces: Sequence[Floats], _fitted: int, seed: int) -> list[Layout]:
    from sklearn.manifold import TSNE

    together = np.concatenate(spaces)
    # scikit-learn wants fewer neighbours than rows, and a second component to begin from
    perplexity = min(PERPLEXITY, (len(together) - 1) / 3)
    begin = "pca" if min(together.shape) > 1 else "random"
    found = TSNE(n_components=2, perplexity=perplexity, init=begin, random_state=seed).fit_transform(together)
    return _parts(found, spaces)


def _umap(spaces: Sequence[Floats], fitted: int, seed: int) -> list[Layout]:
    from umap import UMAP

    neighbors = max(2, min(NEIGHBORS, fitted - 1))
    model = UMAP(n_components=2, n_neighbors=neighbors, random_state=seed).fit(spaces[0][:fitted])
    return _parts(model.transform(np.concatenate(spaces)), spaces)


def _parts(found: Floats, spaces: Sequence[Floats]) -> list[Layout]:
    ends = np.cumsum([len(space) for space in spaces])[:-1]
    return [Layout(part.astype(np.float64)) for part in np.split(found, ends)]


PROJECTIONS: dict[str, Callable[[Sequence[Floats], int, int], list[Layout]]] = {
    "pca": _pca,
    "tsne": _tsne,
    "umap": _umap,
}
