"""
The word-table recipe of Moschella et al. 2023, rebuilt on faiss-cpu: two indexes, three searches.

Usage: python -m benchmarks.authors_recipe x.npy y.npy anchors.txt [--tuned]
"""

from __future__ import annotations

import json
import sys

import faiss
import numpy as np

K = 10


def unit(v: np.ndarray) -> np.ndarray:
    """Return rows divided by their norms."""
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def main(x_path: str, y_path: str, anchors_path: str, *options: str) -> None:
    """Print Jaccard@10, MRR@10 and cosine agreement of the relative spaces as JSON."""
    if "--tuned" in options:
        faiss.cvar.distance_compute_blas_query_bs = 4096
        faiss.cvar.distance_compute_blas_database_bs = 4096
    anchors = np.loadtxt(anchors_path, dtype=np.int64)
    spaces = []
    for path in (x_path, y_path):
        rows = np.load(path)
        spaces.append(unit(unit(rows) @ unit(rows[anchors]).T).astype(np.float32))
    indexes = []
    for rows in spaces:
        index = faiss.IndexFlatIP(rows.shape[1])
        index.add(rows)
        indexes.append(index)
    inside = [index.search(rows, K + 1)[1] for index, rows in zip(indexes, spaces, strict=True)]
    across = indexes[1].search(spaces[0], K)[1]
    own = np.arange(len(across))[:, None]
    hit = across == own
    reciprocal = np.where(hit.any(axis=1), 1 / (hit.argmax(axis=1) + 1), 0)
    shared = np.array([len(set(a[a != i]) & set(b[b != i])) for i, (a, b) in enumerate(zip(*inside, strict=True))])
    print(
        json.dumps(
            {
                "jaccard@10": float(np.mean(shared / (2 * K - shared))),
                "mrr@10": float(reciprocal.mean()),
                "cosine": float(np.mean(np.einsum("ij,ij->i", *spaces))),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
