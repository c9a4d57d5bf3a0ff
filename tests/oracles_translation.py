"""The slow, plain twins of every translator and anchor strategy, written from the papers."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import orthogonal_procrustes, polar


def prepared(x: np.ndarray, y: np.ndarray, scaling: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return x and y as a map is fitted on them, then what undoes y's scaling: a spread and a mean."""
    dx, dy = x.shape[1], y.shape[1]
    if scaling == "none":
        return x, y, np.ones(dy), np.zeros(dy)
    xs, ys = x - x.mean(axis=0), y - y.mean(axis=0)
    if scaling == "global":
        return xs, ys, np.ones(dy), y.mean(axis=0)
    spread_x = np.array([math.sqrt(np.mean(xs[:, j] ** 2)) for j in range(dx)])
    spread_y = np.array([math.sqrt(np.mean(ys[:, j] ** 2)) for j in range(dy)])
    return xs / spread_x, ys / spread_y, spread_y, y.mean(axis=0)


def moved(x: np.ndarray, v: np.ndarray, scaling: str) -> np.ndarray:
    """Return new rows v of x as the anchors' scaling puts them."""
    if scaling == "none":
        return v
    centred = v - x.mean(axis=0)
    return centred if scaling == "global" else centred / x.std(axis=0)


def padded(v: np.ndarray, d: int) -> np.ndarray:
    """Return v with columns of zeros up to d."""
    return np.hstack([v, np.zeros((len(v), d - v.shape[1]))])


def best_scale(x: np.ndarray, y: np.ndarray) -> float:
    """Return the scale s that makes |y - s x| smallest."""
    return float(np.sum(x * y) / np.sum(x * x))


def translated(x: np.ndarray, y: np.ndarray, v: np.ndarray, method: str, scaling: str) -> np.ndarray:
    """Return rows v as a map fitted on anchors x and y puts them in y's space."""
    xs, ys, spread, mean = prepared(x, y, scaling)
    vs = moved(x, v, scaling)
    return FITS[method](xs, ys, vs, scaling == "global") * spread + mean


def ortho(x, y, v, scaled):
    """Schönemann 1966, the narrower side padded; one scale by least squares where it is wanted."""
    d = max(x.shape[1], y.shape[1])
    rotation, _ = orthogonal_procrustes(padded(x, d), padded(y, d))
    rotation = rotation[: x.shape[1], : y.shape[1]]
    return v @ rotation * (best_scale(x @ rotation, y) if scaled else 1)


def linear(x, y, v, scaled):
    """The normal equations, for more anchors than dimensions."""
    return v @ np.linalg.solve(x.T @ x, x.T @ y)


def l_ortho(x, y, v, scaled):
    """The polar factor of the least-squares map."""
    rotation, _ = polar(np.linalg.solve(x.T @ x, x.T @ y))
    return v @ rotation * (best_scale(x @ rotation, y) if scaled else 1)


def affine(x, y, v, scaled):
    """The normal equations with a column of ones."""
    ones = np.hstack([x, np.ones((len(x), 1))])
    return np.hstack([v, np.ones((len(v), 1))]) @ np.linalg.solve(ones.T @ ones, ones.T @ y)


def ridge(x, y, v, scaled):
    """Ridge with the penalty of least generalised cross-validation error, from the hat matrix."""
    n, d = x.shape
    free = n - 1 if np.allclose(x.mean(axis=0), 0, atol=1e-12 * np.abs(x).max()) else n
    best = (math.inf, None)
    for exponent in np.linspace(-12, 4, 65):
        penalty = 10**exponent * np.linalg.norm(x, 2) ** 2
        inverse = np.linalg.inv(x.T @ x + penalty * np.eye(d))
        hat = x @ inverse @ x.T
        error = np.sum((y - hat @ y) ** 2) / (free - np.trace(hat)) ** 2
        best = min(best, (error, exponent))
    penalty = 10 ** best[1] * np.linalg.norm(x, 2) ** 2
    return v @ np.linalg.inv(x.T @ x + penalty * np.eye(d)) @ x.T @ y


def inverse_relative(x, y, v, scaled):
    """Maiorca et al. 2024: cosines with x's anchors, times the pseudo-inverse of y's, as long as y's anchors are."""
    unit_x = np.array([row / np.linalg.norm(row) for row in x])
    unit_y = np.array([row / np.linalg.norm(row) for row in y])
    length = np.mean([np.linalg.norm(row) for row in y])
    back = unit_y @ np.linalg.inv(unit_y.T @ unit_y)
    rows = []
    for row in v:
        relative = unit_x @ (row / np.linalg.norm(row))
        found = relative @ back
        rows.append(length * found / np.linalg.norm(found))
    return np.array(rows)


FITS = {
    "ortho": ortho,
    "linear": linear,
    "l-ortho": l_ortho,
    "affine": affine,
    "ridge": ridge,
    "inverse-relative": inverse_relative,
}


def farthest(v: np.ndarray, ids: list[str], count: int, start: int) -> list[int]:
    """Return farthest-point sampling by cosine distance: Gonzalez 1985, equal distances by id."""
    unit = [row / np.linalg.norm(row) for row in v]
    chosen = [start]
    while len(chosen) < count:
        others = [i for i in range(len(v)) if i not in chosen]
        nearness = {i: max(round(float(unit[i] @ unit[j]) * 2**40) for j in chosen) for i in others}
        chosen.append(min(others, key=lambda i: (nearness[i], ids[i])))
    return chosen
