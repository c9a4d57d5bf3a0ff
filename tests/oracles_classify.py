"""The slow, plain twin of `classify`, written from ASIF (Norelli et al. 2023, arXiv:2210.01738)."""

from __future__ import annotations

import math

import numpy as np


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Return the cosine of two vectors, 0 where one has no direction."""
    lengths = math.sqrt(float(a @ a)) * math.sqrt(float(b @ b))
    return float(a @ b) / lengths if lengths else 0.0


def sparse_relative(v: np.ndarray, anchors: np.ndarray, k: int, p: float) -> np.ndarray:
    """Return the similarities of one row to the anchors: the k largest raised to p, the others 0, as a unit row."""
    similarities = [cosine(v, anchor) for anchor in anchors]
    kept = sorted(range(len(anchors)), key=lambda place: (-similarities[place], place))[:k]
    row = np.zeros(len(anchors))
    for place in kept:
        row[place] = math.copysign(abs(similarities[place]) ** p, similarities[place])
    length = math.sqrt(float(row @ row))
    return row / length if length else row


def class_vectors(rows: list[np.ndarray], classes: list[str]) -> dict[str, np.ndarray]:
    """Return for each class, in order of first appearance, the mean of its templates' unit rows."""
    found: dict[str, list[np.ndarray]] = {}
    for row, name in zip(rows, classes, strict=True):
        found.setdefault(name, []).append(row / math.sqrt(float(row @ row)))
    return {name: sum(templates) / len(templates) for name, templates in found.items()}


def cosines_to_classes(
    x: np.ndarray, anchors: tuple[np.ndarray, np.ndarray], templates: np.ndarray, classes: list[str], k: int, p: float
) -> tuple[list[str], np.ndarray]:
    """Return the classes and the cosine [n, c] of each row of x with each."""
    of_class = class_vectors([sparse_relative(row, anchors[1], k, p) for row in templates], classes)
    seen = [sparse_relative(row, anchors[0], k, p) for row in x]
    return list(of_class), np.array([[cosine(row, of_class[name]) for name in of_class] for row in seen])


def held_out_mrr(x: np.ndarray, y: np.ndarray, parts: list[list[int]], k: int, p: float) -> float:
    """Return the mean 1 / rank of each held-out anchor's own y row among its part's; the other parts are anchors."""
    found = []
    for part in parts:
        left = [row for row in range(len(x)) if row not in part]
        from_x = [sparse_relative(x[row], x[left], min(k, len(left)), p) for row in part]
        from_y = [sparse_relative(y[row], y[left], min(k, len(left)), p) for row in part]
        for own, query in enumerate(from_x):
            scores = [cosine(query, target) for target in from_y]
            above = sum(score > scores[own] + 1e-11 for score in scores)
            level = sum(abs(score - scores[own]) <= 1e-11 for score in scores)
            found.append(1 / (above + (level + 1) / 2))
    return sum(found) / len(found)
