"""Which row is whose when each is given exactly one: an optimal assignment, and how far down the right one stands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relcli.arrays import Floats
from relcli.measures.relevance import hit_chances

#: Rows beyond this are too many for an assignment, whose cost grows with their cube.
MOST = 2000


def assign(scores: Floats) -> NDArray[np.int64]:
    """Return the column [q] given to each row of scores [q, q] so that their sum is largest, each column once."""
    from scipy.optimize import linear_sum_assignment

    return np.asarray(linear_sum_assignment(scores, maximize=True)[1], np.int64)


def matching_accuracy(scores: Floats, truth: NDArray[np.int64]) -> float:
    """
    Return the share of rows whose right column `truth` [q] the best one-to-one assignment of scores [q, q] gives them.

    Chance is 1 / q, provided that the order of the columns says nothing: shuffle them, for among equal
    scores the first would win.
    """
    return float(np.mean(assign(scores) == truth))


def top_shares(scores: Floats, truth: NDArray[np.int64], cuts: tuple[int, ...]) -> list[float]:
    """Return the share of rows of scores [q, q] whose right column is among the first k, expected over ties."""
    own = scores[np.arange(len(scores)), truth][:, None]
    greater = np.sum(scores > own, axis=1)
    level = np.sum(scores == own, axis=1) - 1
    return [float(hit_chances(greater, level, np.ones_like(level), k).mean()) for k in cuts]
