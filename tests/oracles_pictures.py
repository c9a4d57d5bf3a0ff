"""The plain twins of what pictures show, written straight from the definitions."""

from __future__ import annotations

import numpy as np


def principal_axes(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean [d] and the first two right singular vectors [2, d] of the centred rows, largest entry up."""
    mean = v.mean(axis=0)
    axes = np.linalg.svd(v - mean, full_matrices=False)[2][:2]
    return mean, np.array([axis if axis[np.abs(axis).argmax()] > 0 else -axis for axis in axes])


def share_along(v: np.ndarray, axis: np.ndarray) -> float:
    """Return the variance of v along an axis over the sum of the variances of its columns."""
    centred = v - v.mean(axis=0)
    return float(sum(row @ axis * (row @ axis) for row in centred) / sum(row @ row for row in centred))


def spread(values: list[float], centres: list[float], width: float) -> list[int]:
    """Return how many values lie within half a width of each centre."""
    return [sum(abs(value - centre) <= width / 2 * (1 + 1e-9) for value in values) for centre in centres]
