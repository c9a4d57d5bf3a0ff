"""Plain twins of `retrieve`: brute force in float64, ranks by drawing tied orders out in full."""

from __future__ import annotations

from itertools import combinations

import numpy as np

GRID = 2.0**-40


def unit(v: np.ndarray) -> np.ndarray:
    """Return rows over their norms; zero rows stay."""
    norms = np.sqrt((v * v).sum(axis=1))
    return v / np.where(norms > 0, norms, 1.0)[:, None]


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return all cosines, as multiples of 2^-40."""
    return np.rint(unit(a) @ unit(b).T / GRID) * GRID


def csls(queries: np.ndarray, gallery: np.ndarray, among: np.ndarray, k: int = 10) -> np.ndarray:
    """Return 2 cos − r_gallery(query) − r_among(item), straight from Conneau et al. 2018, eq. 4."""
    near = np.sort(cosines(queries, gallery), axis=1)[:, ::-1][:, :k].mean(axis=1)
    hub = np.sort(cosines(among, gallery), axis=0)[::-1][:k].mean(axis=0)
    return 2 * cosines(queries, gallery) - near[:, None] - hub[None, :]


def best(scores: np.ndarray, ids: list[str], k: int) -> list[list[str]]:
    """Return the ids of the k best of each row, ties by id; scores closer than 2^-38 are ties."""
    return [
        [ids[j] for j in sorted(range(len(ids)), key=lambda j: (-np.rint(row[j] * 2.0**38), ids[j]))[:k]]
        for row in scores
    ]


def first_places(scores: np.ndarray, relevant: set[int]) -> list[int]:
    """Return the rank of the first relevant item in every order that ties allow, each as likely."""
    top = max(scores[j] for j in relevant)
    greater = sum(1 for j in range(len(scores)) if j not in relevant and scores[j] > top)
    level = [j for j in range(len(scores)) if scores[j] == top]
    marked = sum(1 for j in level if j in relevant)
    return [greater + 1 + min(places) for places in combinations(range(len(level)), marked)]


def figures(scores: np.ndarray, relevant: list[set[int]], cuts: tuple[int, ...] = (1, 5, 10)) -> dict[str, float]:
    """Return recall@cut, mrr and median-rank over the queries that have a relevant item."""
    places = [first_places(row, its) for row, its in zip(scores, relevant, strict=True) if its]
    found = {f"recall@{cut}": float(np.mean([np.mean([p <= cut for p in some]) for some in places])) for cut in cuts}
    found["mrr"] = float(np.mean([np.mean([1 / p for p in some]) for some in places]))
    found["median-rank"] = float(np.median([np.mean(some) for some in places]))
    return found
