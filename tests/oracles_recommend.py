"""Cross-validated choices, plain and slow: one held-out anchor at a time, straight from the definitions."""

from __future__ import annotations

import math
import re

import numpy as np


def unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def carried(way: str, ax, ay, rows_x, rows_y, mean_x, mean_y) -> tuple[np.ndarray, np.ndarray]:
    """
    Return rows of x and of y where cosines compare them: relative, relative:euclidean, translate:ortho, or a product.

    Unit vectors by the parts of a product side by side: their inner products are sums of the parts' cosines.
    """
    if way.startswith("product:"):
        parts = [
            carried(part, ax, ay, rows_x, rows_y, mean_x, mean_y)
            for part in re.split(",(?=relative|translate)", way.removeprefix("product:"))
        ]
        return tuple(np.hstack([unit(part[side]) for part in parts]) for side in (0, 1))
    base, *added = way.split("+")
    if "center" in added:
        ax, rows_x, ay, rows_y = ax - mean_x, rows_x - mean_x, ay - mean_y, rows_y - mean_y
    if base == "relative":
        return unit(rows_x) @ unit(ax).T, unit(rows_y) @ unit(ay).T
    if base == "relative:euclidean":
        return tuple(
            np.array([[-math.dist(row, anchor) for anchor in anchors] for row in rows])
            for rows, anchors in ((rows_x, ax), (rows_y, ay))
        )
    assert base == "translate:ortho"
    x, y = ax - ax.mean(axis=0), ay - ay.mean(axis=0)
    left, _, right = np.linalg.svd(x.T @ y)
    turned = x @ (left @ right)
    scale = (turned * y).sum() / (turned**2).sum()
    return scale * (rows_x - ax.mean(axis=0)) @ (left @ right) + ay.mean(axis=0), rows_y


def rank(scores: list[float], own: int) -> int:
    """Return the rank of the own item, by looking at every other one."""
    return 1 + sum(score > scores[own] for row, score in enumerate(scores) if row != own)


def held_out_ranks(
    way: str, x, y, anchors_x, anchors_y, fold, mean_x, mean_y, *, near=None, depth=10, parts=None
) -> list[int]:
    """
    Return the rank of each anchor's own among all rows of y, by a way that knows the anchors of other folds.

    What CSLS takes off is the mean cosine of a row of y with the nearest `depth` of the rows `near` of x, halved; with
    `parts` by the anchors whose folds leave another rest when divided by it.
    """
    found = []
    near = range(len(x)) if near is None else near
    for anchor, (at_x, at_y) in enumerate(zip(anchors_x, anchors_y, strict=True)):

        def by_the_others(apart, anchor=anchor):
            known = [other for other in range(len(anchors_x)) if apart(fold[other]) != apart(fold[anchor])]
            ax, ay = x[[anchors_x[k] for k in known]], y[[anchors_y[k] for k in known]]
            of_x, of_y = carried(way.replace("+csls", ""), ax, ay, x, y, mean_x, mean_y)
            return unit(of_x), unit(of_y)

        of_x, of_y = by_the_others(lambda number: number)
        rows, gallery = by_the_others(lambda number: number % (parts or len(fold)))
        scores = []
        for row in range(len(of_y)):
            score = float(of_x[at_x] @ of_y[row])
            if way.endswith("+csls"):
                nearest = sorted((float(rows[other] @ gallery[row]) for other in near), reverse=True)[:depth]
                score -= sum(nearest) / len(nearest) / 2
            scores.append(score)
        found.append(rank(scores, at_y))
    return found


def held_out_decisions(way: str, train, codes, at, ax, ay, fold, mean_x, mean_y) -> list[list[float]]:
    """Return what a RidgeClassifier trained on x without an anchor's fold decides of each anchor from y."""
    from sklearn.linear_model import RidgeClassifier

    found = []
    for anchor in range(len(ax)):
        known = [other for other in range(len(ax)) if fold[other] != fold[anchor]]
        dropped = {at[other] for other in range(len(ax)) if fold[other] == fold[anchor]}
        rows = [row for row in range(len(train)) if row not in dropped]
        if way.startswith("translate"):
            tested, _ = carried(way, ay[known], ax[known], ay[[anchor]], ax, mean_y, mean_x)
            seen = train[rows]
        else:
            seen, tested = carried(way, ax[known], ay[known], train[rows], ay[[anchor]], mean_x, mean_y)
        head = RidgeClassifier(tol=1e-10).fit(seen, codes[rows])
        found.append([float(value) for value in head.decision_function(tested)[0]])
    return found


def log_likelihood(decisions: list[list[float]], own: list[int]) -> float:
    """Return the mean log-probability of the own class by a softmax, at the best of the temperatures 1/64 to 8."""
    best = -math.inf
    for half in range(-12, 7):
        temperature = 2.0 ** (half / 2)
        logs = []
        for values, code in zip(decisions, own, strict=True):
            shares = [math.exp((value - max(values)) / temperature) for value in values]
            logs.append((values[code] - max(values)) / temperature - math.log(sum(shares)))
        best = max(best, sum(logs) / len(logs))
    return best
