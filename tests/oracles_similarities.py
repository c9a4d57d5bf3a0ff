"""The slow, plain twins of the similarities and of what inspect reports, one pair of rows at a time."""

from __future__ import annotations

import math

import numpy as np


def cosine(x: np.ndarray, a: np.ndarray, anchors: np.ndarray) -> float:
    if not x.any() or not a.any():
        return 0.0
    return float(np.dot(x, a) / math.sqrt(np.dot(x, x) * np.dot(a, a)))


def inner(x: np.ndarray, a: np.ndarray, anchors: np.ndarray) -> float:
    return float(np.dot(x, a))


def euclidean(x: np.ndarray, a: np.ndarray, anchors: np.ndarray) -> float:
    return -math.sqrt(np.sum((x - a) ** 2))


def l1(x: np.ndarray, a: np.ndarray, anchors: np.ndarray) -> float:
    return -float(np.sum(np.abs(x - a)))


def linf(x: np.ndarray, a: np.ndarray, anchors: np.ndarray) -> float:
    return -float(np.max(np.abs(x - a)))


def angular(x: np.ndarray, a: np.ndarray, anchors: np.ndarray) -> float:
    return 1 - math.acos(max(-1.0, min(1.0, cosine(x, a, anchors)))) / math.pi


def mahalanobis(x: np.ndarray, a: np.ndarray, anchors: np.ndarray) -> float:
    precision = np.linalg.pinv(np.atleast_2d(np.cov(anchors.T)), rcond=1e-12, hermitian=True)
    return -math.sqrt(max(float((x - a) @ precision @ (x - a)), 0.0))


PAIRWISE = {function.__name__: function for function in (cosine, inner, euclidean, l1, linf, angular, mahalanobis)}


def basis(v: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Return least-squares coordinates by LAPACK's gelsd, row by row."""
    return np.array([np.linalg.lstsq(anchors.T, x, rcond=None)[0] for x in v])


def similarities(name: str, v: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Return one similarity of every row to every anchor."""
    if name == "basis":
        return basis(v, anchors)
    return np.array([[PAIRWISE[name](x, a, anchors) for a in anchors] for x in v])


def product(names: list[str], v: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Return several side by side, every row of every one with norm 1."""
    parts = []
    for name in names:
        part = similarities(name, v, anchors)
        parts.append(np.array([row / (np.linalg.norm(row) or 1.0) for row in part]))
    return np.hstack(parts)


def sparse(row: list[float], k: int, power: float) -> list[float]:
    """Return one row of similarities as ASIF keeps it."""
    kept = sorted(range(len(row)), key=lambda j: (-row[j], j))[:k]
    raised = [math.copysign(abs(value) ** power, value) if j in kept else 0.0 for j, value in enumerate(row)]
    norm = math.sqrt(sum(value**2 for value in raised))
    return [value / norm if norm else 0.0 for value in raised]


def latentis(name: str, v: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Return what latentis 0.0.8 gives in float64 (transform/projection.py), turned so that larger is nearer."""
    import torch
    import torch.nn.functional as F

    x, a = torch.from_numpy(v), torch.from_numpy(anchors)
    if name == "basis":  # change_of_basis_proj
        return torch.linalg.lstsq(a.T, x.T)[0].T.numpy()
    if name in ("euclidean", "l1"):  # lp_proj
        return -torch.cdist(x, a, p={"euclidean": 2, "l1": 1}[name]).numpy()
    cosines = F.normalize(x, p=2, dim=-1) @ F.normalize(a, p=2, dim=-1).mT
    if name == "cosine":  # cosine_proj
        return cosines.numpy()
    assert name == "angular"  # angular_proj
    return 1 - (torch.arccos(cosines.clamp(-1.0, 1.0)) / torch.pi).numpy()


def two_nn(rows: np.ndarray) -> float:
    """Return the TwoNN dimension by sorting every distance: the slope through 0 of −log(1 − F) over log(r2 / r1)."""
    rows = np.unique(rows, axis=0)
    ratios = []
    for i, row in enumerate(rows):
        distances = sorted(np.sqrt(np.sum((np.delete(rows, i, axis=0) - row) ** 2, axis=1)))
        ratios.append(math.log(distances[1] / distances[0]))
    ratios.sort()
    n = len(ratios)
    points = [(ratio, -math.log(1 - (i + 1) / n)) for i, ratio in enumerate(ratios[: int(n * 0.9)])]
    return sum(x * y for x, y in points) / sum(x * x for x, _ in points)


def occurrences(rows: np.ndarray, k: int) -> np.ndarray:
    """Return how often each row is among the k nearest of another by cosine."""
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    counts = np.zeros(len(rows))
    for i, row in enumerate(unit):
        scores = [(-float(row @ other), j) for j, other in enumerate(unit) if j != i]
        for _, j in sorted(scores)[:k]:
            counts[j] += 1
    return counts
