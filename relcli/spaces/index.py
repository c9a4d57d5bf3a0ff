"""Approximate search over the rows of one space, by faiss: built, asked, and told apart by kind."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.arrays import Floats, unit_rows
from relcli.errors import MissingExtraError, UsageError, did_you_mean

#: The ways to search, and what each is.
KINDS = {
    "exact": "every row is scored",
    "faiss:flat": "every row is scored, in float32",
    "faiss:hnsw": "a graph of near rows is walked (Malkov & Yashunin 2018, arXiv:1603.09320)",
    "faiss:ivf": "only the nearest cells of a clustering are scored (Jégou et al. 2011)",
}

_LINKS, _BREADTH = 32, 128
_PROBED = 1 / 16


def parse_index(text: str) -> str:
    """Return the kind of index that a text names."""
    if text not in KINDS:
        raise UsageError(f"No index is called {text!r}; there are {', '.join(KINDS)}.{did_you_mean(text, KINDS)}")
    return text


def need_faiss() -> Any:
    """Return the faiss module, or say how to install it."""
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError(
            'An approximate index needs faiss, which is not installed. Install it: pip install "relcli[faiss]". '
            "--index exact needs nothing."
        ) from error
    return faiss


@dataclass(frozen=True)
class ApproximateIndex:
    """A faiss index over unit rows: inner products are cosines. Rows go by their number."""

    kind: str
    inner: Any

    @classmethod
    def build(cls, kind: str, batches: Iterator[Floats], sample: Floats, count: int) -> ApproximateIndex:
        """Return an index of `count` rows that come in batches [b, w]; an ivf learns its cells from `sample`."""
        faiss = need_faiss()
        width = sample.shape[1]
        if kind == "faiss:hnsw":
            inner = faiss.IndexHNSWFlat(width, _LINKS, faiss.METRIC_INNER_PRODUCT)
            inner.hnsw.efConstruction = _BREADTH
        elif kind == "faiss:ivf":
            cells = max(1, min(int(4 * math.sqrt(count)), len(sample) // 39))
            inner = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, cells, faiss.METRIC_INNER_PRODUCT)
            inner.train(_units(sample))
        else:
            inner = faiss.IndexFlatIP(width)
        for batch in batches:
            inner.add(_units(batch))
        return cls(kind, inner)

    def search(self, queries: Floats, k: int) -> NDArray[np.int64]:
        """Return the numbers [q, k] of the rows found for queries [q, w], −1 where there are fewer."""
        if self.kind == "faiss:hnsw":
            self.inner.hnsw.efSearch = max(_BREADTH, 2 * k)
        if self.kind == "faiss:ivf":
            self.inner.nprobe = max(1, math.ceil(self.inner.nlist * _PROBED))
        _, rows = self.inner.search(_units(queries), k)
        return np.asarray(rows, np.int64)


def _units(v: Floats) -> NDArray[np.float32]:
    return np.ascontiguousarray(unit_rows(v), np.float32)
