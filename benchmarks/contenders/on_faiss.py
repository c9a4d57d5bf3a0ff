"""The tasks on faiss-cpu's exact index, IndexFlatIP; `--blocks=QUERIESxBASE` sets the rows that a product takes."""

from __future__ import annotations

import json
import sys

import faiss
import numpy as np

from benchmarks.child import note, working
from benchmarks.contenders.contender import K, call, relative, without_self


def _set_blocks(blocks: str) -> None:
    if blocks:
        queries, base = map(int, blocks.split("x"))
        faiss.cvar.distance_compute_blas_query_bs, faiss.cvar.distance_compute_blas_database_bs = queries, base


def _index(rows: np.ndarray) -> faiss.IndexFlatIP:
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    return index


def neighbors(x: str, out: str, blocks: str = "") -> None:
    """Write the rows [n, k] that are nearest to each unit row of a file."""
    _set_blocks(blocks)
    with working():
        rows = np.load(x)
        found = without_self(_index(rows).search(rows, K + 1)[1])
    np.save(out, found)


def recipe(x: str, y: str, anchors: str, blocks: str = "") -> None:
    """
    Note Jaccard@10, MRR@10 and cosine agreement: the word-table recipe of Moschella et al. 2023.

    Two indexes, three searches.
    """
    _set_blocks(blocks)
    chosen = np.loadtxt(anchors, dtype=np.int64)
    spaces = [relative(path, chosen) for path in (x, y)]
    indexes = [_index(rows) for rows in spaces]
    inside = [index.search(rows, K + 1)[1] for index, rows in zip(indexes, spaces, strict=True)]
    across = indexes[1].search(spaces[0], K)[1]
    own = np.arange(len(across))[:, None]
    hit = across == own
    reciprocal = np.where(hit.any(axis=1), 1 / (hit.argmax(axis=1) + 1), 0)
    shared = np.array([len(set(a[a != i]) & set(b[b != i])) for i, (a, b) in enumerate(zip(*inside, strict=True))])
    note(
        **{
            "jaccard@10": float(np.mean(shared / (2 * K - shared))),
            "mrr@10": float(reciprocal.mean()),
            "cosine": float(np.mean(np.einsum("ij,ij->i", *spaces))),
        }
    )


def retrieve(x: str, y: str, anchors: str, blocks: str = "") -> None:
    """Print the items of y nearest to each row of x as `relcli retrieve --jsonl` does: a line of JSON a query."""
    _set_blocks(blocks)
    chosen = np.loadtxt(anchors, dtype=np.int64)
    queries, gallery = (relative(path, chosen) for path in (x, y))
    scores, found = _index(gallery).search(queries, K)
    for query, (ids, values) in enumerate(zip(found.tolist(), scores.tolist(), strict=True)):
        first = ids.index(query) + 1 if query in ids else None
        hits = ", ".join(
            f'{{"rank": {rank}, "id": "{id}", "score": {value!r}, "match": {"true" if id == query else "false"}}}'
            for rank, (id, value) in enumerate(zip(ids, values, strict=True), 1)
        )
        sys.stdout.write(f'{{"query": "{query}", "via": "relative", "first": {json.dumps(first)}, "hits": [{hits}]}}\n')


if __name__ == "__main__":
    call({"neighbors": neighbors, "recipe": recipe, "retrieve": retrieve})
