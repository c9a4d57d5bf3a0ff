"""Nearest neighbours in scikit-learn, brute force."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

from benchmarks.child import working
from benchmarks.contenders.contender import K, call, without_self


def neighbors(x: str, out: str, metric: str = "cosine") -> None:
    """Write the rows [n, k] nearest to each unit row of a file; euclidean distances go by the compiled ArgKmin."""
    with working():
        rows = np.load(x)
        search = NearestNeighbors(n_neighbors=K + 1, algorithm="brute", metric=metric, n_jobs=-1).fit(rows)
        found = without_self(search.kneighbors(rows, return_distance=False))
    np.save(out, found)


if __name__ == "__main__":
    call({"neighbors": neighbors})
