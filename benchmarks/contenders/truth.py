"""What is right: neighbours held against float64 brute force, hits and vectors of two contenders against each other."""

from __future__ import annotations

import json

import numpy as np

from benchmarks.contenders.contender import call, unit

_QUERIES, _SLACK = 200, 1e-12


def neighbors(x: str, *files: str) -> None:
    """Print, for each file of lists [n, k], which share of them, over 200 rows, is among the true k nearest."""
    rows = unit(np.load(x).astype(np.float64))
    asked = np.random.default_rng(1).choice(len(rows), min(_QUERIES, len(rows)), replace=False)
    scores = rows[asked] @ rows.T
    scores[np.arange(len(asked)), asked] = -np.inf
    shares = []
    for file in files:
        found = np.load(file)[asked]
        k = found.shape[1]
        least = np.partition(scores, -k, axis=1)[:, -k, None] - _SLACK
        distinct = np.array([len(set(row)) == k for row in found.tolist()])
        good = (np.take_along_axis(scores, found, axis=1) >= least) & distinct[:, None]
        shares.append(float(good.mean()))
    print(json.dumps(shares))


def hits(ours: str, theirs: str) -> None:
    """Print which share of the hits, in two files of JSON lines, is the same item for the same query."""
    with open(ours, "rb") as first, open(theirs, "rb") as second:
        lines = zip(first, second, strict=True)
        pairs = [[{hit["id"] for hit in json.loads(line)["hits"]} for line in both] for both in lines]
    print(json.dumps(float(np.mean([len(one & other) / len(one) for one, other in pairs]))))


def vectors(ours: str, theirs: str) -> None:
    """Print the largest difference between two files of vectors, in the first 4,096 rows."""
    first, second = (np.load(file, mmap_mode="r")[:4096] for file in (ours, theirs))
    print(json.dumps(float(np.abs(first - second).max())))


if __name__ == "__main__":
    call({"neighbors": neighbors, "hits": hits, "vectors": vectors})
