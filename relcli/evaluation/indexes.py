"""The best items of a gallery by an approximate index: what one depends on, what it finds, how much it misses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from relcli.accumulators.hits import Hits, Search
from relcli.accumulators.neighbors import NearestLists
from relcli.accumulators.tiles import row_slices
from relcli.arrays import Floats
from relcli.evaluation.hits import CUTS, Counts, Places
from relcli.evaluation.searching import Asked, Found, SearchVia, Take
from relcli.evaluation.vias import ADDITIONS, parse_way
from relcli.spaces.anchors import Anchors
from relcli.spaces.gallery import Gallery
from relcli.spaces.index import ApproximateIndex
from relcli.spaces.pairing import Mask, hash_ids
from relcli.spaces.relative import Centering, anchor_digest
from relcli.spaces.space import Space

#: Queries whose hits are found exactly as well, to tell how many an approximate index finds.
RECALL_QUERIES = 200

_BATCH, _BLOCK = 8192, 512
_CELL_SAMPLE = 100_000

#: Tells what the index of a method depends on.
Facts = Callable[[SearchVia], dict[str, Any]]


class IndexStore(Protocol):
    """Where approximate indexes are kept between runs."""

    @property
    def exists(self) -> bool: ...

    def find(self, name: str, facts: Mapping[str, Any]) -> ApproximateIndex: ...

    def keep(self, name: str, index: ApproximateIndex, facts: Mapping[str, Any]) -> None: ...

    def commit(self) -> None: ...


def search_indexes(
    asked: Asked, vias: Sequence[SearchVia], take: Take, *, kind: str, store: IndexStore | None, facts: Facts
) -> Found:
    """
    Search an index of some kind for every query by each method, its hits scored in float64, `take` given them.

    A `store` that has the indexes gives them, any other is given them to keep.
    """
    indexes = {via.name: _index(asked, via, kind, store, facts) for via in vias}
    notes = [f"{via.name}: the stored index is used" for via in vias if store is not None and store.exists]
    if store is not None:
        store.commit()
    recalls = {via.name: _recall(asked, via, indexes[via.name]) for via in vias}
    counts = {via.name: Counts() for via in vias}
    advance = asked.start("searching", len(asked.queries))
    for rows in row_slices(len(asked.queries), _BLOCK):
        vectors = asked.queries.batch(rows).vectors
        found = []
        for via in vias:
            near = _nearest(asked, via, indexes[via.name], vectors)
            ranks, scores = near.ranks[:, : asked.k], near.scores[:, : asked.k]
            found.append(asked.lists(via, rows, ranks, scores, _places(asked, near, rows), counts[via.name]))
        take(found)
        if advance:
            advance(len(vectors))
    return Found(counts, recalls, tuple(notes))


def depth_of(k: int, gallery: int) -> int:
    """Return how many items of a gallery are asked of an index: k, and enough for the deepest of CUTS."""
    return min(gallery, max(k, max(CUTS)))


def index_facts(
    via: SearchVia, kind: str, *, y: Space, gallery: Gallery, frame: Anchors | None, centre: Centering | None
) -> dict[str, Any]:
    """
    Return what an index of a gallery depends on: another of these is another index.

    `y` is the space as it was given, `centre` what a method that centres subtracts from it.
    """
    ids = hashlib.sha256("\n".join(gallery.ids.tolist()).encode("utf-8", "surrogatepass")).hexdigest()
    facts: dict[str, Any] = {
        "kind": kind,
        "via": via.name,
        "gallery": y.origin.sha256 or _digest(y),
        "member": y.origin.member,
        "gallery_ids": ids,
        "rows": len(gallery),
        "width": via.width,
        "center": via.center,
    }
    if via.center:
        assert centre is not None
        facts["centre"] = _sha256(centre.mean)
    kinds = {part.kind for part in parse_way(via.name, additions=ADDITIONS, products=True).parts}
    if kinds != {"absolute"}:
        assert frame is not None
        facts["anchors"] = anchor_digest(frame.x_ids, frame.y_ids)
        # of a relative gallery only y's side shows; of a translated one nothing but its width
        facts["anchor_vectors"] = _sha256(frame.y) if "relative" in kinds else None
    return facts


def _sha256(numbers: Floats) -> str:
    return hashlib.sha256(np.ascontiguousarray(numbers).data).hexdigest()


def _digest(space: Space) -> str:
    digest = hashlib.sha256()
    for rows in row_slices(len(space.ids), _BATCH):
        digest.update(np.ascontiguousarray(space.read(rows)).data)
    return digest.hexdigest()


def _index(asked: Asked, via: SearchVia, kind: str, store: IndexStore | None, facts: Facts) -> ApproximateIndex:
    if store is not None and store.exists:
        return store.find(via.name, facts(via))
    count = len(asked.gallery)
    advance = asked.start(f"building {kind}", count)

    def batches() -> Iterator[Floats]:
        for rows in row_slices(count, _BATCH):
            yield via.y(asked.gallery.batch(rows).vectors)
            if advance:
                advance(rows.stop - rows.start)

    index = ApproximateIndex.build(kind, batches(), asked.sample(via, _CELL_SAMPLE), count)
    if store is not None:
        store.keep(via.name, index, facts(via))
    return index


def _nearest(asked: Asked, via: SearchVia, index: ApproximateIndex, vectors: Floats) -> NearestLists:
    """Return what an index finds for queries [q, dx], at least ten deep, scored in float64."""
    queries = via.x(vectors)
    depth = depth_of(asked.k, len(asked.gallery))
    position = index.search(queries, depth)
    lists = NearestLists(len(queries), depth)
    query, column = np.nonzero(position >= 0)
    at = position[query, column]
    wanted = np.unique(at)
    search = Search(queries, depth, project=via.y, sample=queries)
    for part in row_slices(len(wanted), asked.sample_rows):
        batch = asked.gallery.batch(wanted[part])
        here = (at >= wanted[part][0]) & (at <= wanted[part][-1])
        row = np.searchsorted(wanted[part], at[here])
        scores = search.scores(search.gallery(batch.vectors), batch.rank, query[here], row)
        lists.offer(query[here], scores, batch.rank[row])
    return lists


def _places(asked: Asked, lists: NearestLists, rows: slice) -> Places | None:
    """Return where the first relevant item stands among what was found, beyond it all where none was."""
    if asked.truth is None:
        return None
    match = asked.truth.match(rows, lists.ranks)
    best = np.where(match, lists.scores, -np.inf).max(axis=1)
    known: Mask = np.asarray(match.any(axis=1))
    above, beside = lists.scores > best[:, None], lists.scores == best[:, None]
    return Places(
        greater=np.where(known, (~match & above).sum(axis=1), len(asked.gallery)),
        level=np.where(known, (~match & beside).sum(axis=1), 0),
        tied=np.where(known, (match & beside).sum(axis=1), 1),
        known=known,
    )


def _recall(asked: Asked, via: SearchVia, index: ApproximateIndex) -> Floats:
    """Return the share [s] of the exact k best that an index finds, for a sample of the queries."""
    chosen = np.sort(np.argsort(hash_ids(asked.queries.ids, seed=asked.seed), kind="stable")[:RECALL_QUERIES])
    vectors = asked.queries.batch(chosen).vectors
    search = Search(via.x(vectors), asked.k, project=via.y, sample=asked.sample(via))
    advance = asked.start("measuring the index's recall", len(asked.gallery))
    exact = asked.engine.reduce(asked.gallery, Hits(search), advance).lists.scores
    found = _nearest(asked, via, index, vectors).scores[:, : asked.k]
    # a level item in place of another is as good
    shares: Floats = (found >= exact[:, -1:]).mean(axis=1)
    return shares
