"""Plain twins of the discovery of pairs: loops and textbook formulas, one number at a time."""

from __future__ import annotations

import numpy as np
from scipy.linalg import orthogonal_procrustes


def unit(v: np.ndarray) -> np.ndarray:
    return np.array([row / np.linalg.norm(row) for row in v])


def normalised(v: np.ndarray) -> np.ndarray:
    """Return rows made unit, centred and made unit (Artetxe et al. 2018)."""
    rows = unit(v)
    return unit(rows - np.mean(rows, axis=0))


def profiles(v: np.ndarray, exponent: float, quantiles: int) -> np.ndarray:
    """Return the sorted rows of the Gram matrix to a power, by its eigenvectors, read at even ranks, normalised."""
    values, vectors = np.linalg.eigh(v @ v.T)
    gram = vectors @ np.diag(np.where(values > 1e-9, values, 0.0) ** exponent) @ vectors.T
    at = np.linspace(0, len(v) - 1, quantiles)
    return normalised(np.array([np.interp(at, np.arange(len(v)), sorted(row)) for row in gram]))


def rotated(x: np.ndarray, y: np.ndarray, pairs: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return the dot products of y's rows with x's, turned by scipy's orthogonal Procrustes of the pairs."""
    rotation, _ = orthogonal_procrustes(x[pairs[0]], y[pairs[1]])
    return np.array([[float(row @ rotation @ other) for other in y] for row in x])


def csls(cosines: np.ndarray, k: int) -> np.ndarray:
    """Return CSLS number by number (Conneau et al. 2018, eq. 3)."""
    scores = np.empty_like(cosines)
    for i in range(cosines.shape[0]):
        for j in range(cosines.shape[1]):
            of_row = np.mean(sorted(cosines[i], reverse=True)[:k])
            of_column = np.mean(sorted(cosines[:, j], reverse=True)[:k])
            scores[i, j] = 2 * cosines[i, j] - of_row - of_column
    return scores


def mutual_pairs(scores: np.ndarray) -> list[tuple[int, int]]:
    """Return the pairs where no other row or column of either scores more."""
    pairs = []
    for i in range(scores.shape[0]):
        for j in range(scores.shape[1]):
            if all(scores[i, j] >= other for other in scores[i]) and all(scores[i, j] >= one for one in scores[:, j]):
                pairs.append((i, j))
    return pairs


def margin(scores: np.ndarray, i: int, j: int) -> float:
    """Return by how much one score exceeds every other of its row and column."""
    others = [scores[i, c] for c in range(scores.shape[1]) if c != j]
    others += [scores[r, j] for r in range(scores.shape[0]) if r != i]
    return float(scores[i, j] - max(others))
