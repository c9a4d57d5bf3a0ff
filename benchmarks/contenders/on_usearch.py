"""Exact search in usearch."""

from __future__ import annotations

import os

import numpy as np
from usearch.index import MetricKind, search

from benchmarks.child import working
from benchmarks.contenders.contender import K, call, without_self


def neighbors(x: str, out: str) -> None:
    """Write the rows [n, k] that are nearest to each row of a file."""
    with working():
        rows = np.load(x)
        found = search(rows, rows, K + 1, MetricKind.Cos, exact=True, threads=os.cpu_count() or 1)
        lists = without_self(found.keys.astype(np.int64))
    np.save(out, lists)


if __name__ == "__main__":
    call({"neighbors": neighbors})
