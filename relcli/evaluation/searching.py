"""The best items of a gallery for queries of another space, each item scored: by cosine, or by CSLS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from relcli.accumulators.hits import Hits, ManyHits, Relevant, Search
from relcli.accumulators.tiles import row_slices
from relcli.arrays import Floats, on_grid
from relcli.engines.engine import Engine, Progress
from relcli.evaluation.answers import Truth
from relcli.evaluation.heldout import CSLS_NEIGHBOURS
from relcli.evaluation.hits import Counts, HitLists, Places
from relcli.evaluation.vias import Via
from relcli.spaces.gallery import Gallery
from relcli.spaces.pairing import Ids, Index, hash_ids

#: Up to this many rows of X all are neighbours for CSLS; above it a sample of that many is.
CSLS_ROWS = 50_000

# 512 MiB of float64: each block reads and projects the whole gallery
_BLOCK_NUMBERS = 2**26

Start = Callable[[str, int], Progress] | None
Take = Callable[[Sequence[HitLists]], None]


@dataclass(frozen=True)
class SearchVia(Via):
    """A way with the `width` that it takes rows to; `csls` tells how it scores there, `center` whether it centres."""

    width: int
    csls: bool = False
    center: bool = False


@dataclass(frozen=True, eq=False)
class Asked:
    """
    What is asked: the `k` best rows of a `gallery` [n] for each of `queries` [q], and which of these are right.

    `every` are the rows of x that CSLS seeks neighbours among, sampled by `seed` where they are many. `blocks` are the
    fewest and the most queries that are searched for at once; `sample_rows` of the gallery tell where its middle is,
    and as many are read at once.
    """

    queries: Gallery
    gallery: Gallery
    every: Gallery
    truth: Truth | None
    k: int
    seed: int
    engine: Engine
    progress: Start
    blocks: tuple[int, int]
    sample_rows: int

    @cached_property
    def by_rank(self) -> Index:
        """The position [n] of each row of the gallery, in the order of the ids."""
        return self.gallery.by_rank

    @cached_property
    def ids(self) -> Ids:
        """The ids [n] of the gallery, by rank."""
        return self.gallery.ids[self.by_rank]

    def start(self, what: str, total: int) -> Progress | None:
        """Return what tells of progress, where somebody listens."""
        return self.progress and self.progress(what, total)

    def block_rows(self, vias: Sequence[SearchVia]) -> int:
        """Return how many queries are searched for at once."""
        numbers = self.every.space.dim + sum(2 * via.width + 6 * self.k for via in vias)
        smallest, largest = self.blocks
        return max(smallest, min(largest, _BLOCK_NUMBERS // numbers))

    def sample(self, via: SearchVia, size: int | None = None) -> Floats:
        """Return some rows of the gallery, evenly spread, where they are compared."""
        count = min(size or self.sample_rows, len(self.gallery))
        return via.y(self.gallery.batch(np.linspace(0, len(self.gallery) - 1, count).astype(np.int64)).vectors)

    def lists(
        self, via: SearchVia, rows: slice, ranks: Index, scores: Floats, places: Places | None, counts: Counts
    ) -> HitLists:
        """Return the hits of some queries [b] from their ranks and scores [b, k], and count those in the figures."""
        size, missing = len(ranks), ranks < 0
        ids, scores = np.where(missing, "", self.ids[ranks]), np.where(missing, np.nan, scores)
        queries = self.queries.ids[rows]
        if self.truth is None or places is None:
            return HitLists(via.name, queries, ids, scores, None, np.full(size, np.nan), np.zeros(size, bool))
        counted = self.truth.counted[rows]
        counts.add(counted, places, self.truth.relevant(rows))
        return HitLists(via.name, queries, ids, scores, self.truth.match(rows, ranks), places.first(), counted)


@dataclass(frozen=True)
class Found:
    """
    What a search leaves beside the hits, by the names of the methods: the counts that figures are made of.

    `recalls` [s] are the shares of the exact best that an approximate index finds, for some queries.
    """

    counts: dict[str, Counts]
    recalls: dict[str, Floats] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def search_all(asked: Asked, vias: Sequence[SearchVia], take: Take) -> Found:
    """Search the whole gallery for every query by each method; `take` is given the hits, block by block."""
    penalties = {via.name: _penalty(asked, via, vias) for via in vias if via.csls}
    samples = {via.name: asked.sample(via) for via in vias}
    counts = {via.name: Counts() for via in vias}
    parts = list(row_slices(len(asked.queries), asked.block_rows(vias)))
    advance = asked.start("searching", len(parts) * len(asked.gallery))
    for rows in parts:
        vectors = asked.queries.batch(rows).vectors
        searches = [_search(asked, via, vectors, rows, penalties.get(via.name), samples[via.name]) for via in vias]
        # CSLS prints the mean cosine with the nearest items, which takes a search of its own
        extra = [
            Search(via.x(vectors), min(CSLS_NEIGHBOURS, len(asked.gallery)), project=via.y, sample=samples[via.name])
            for via in vias
            if via.csls
        ]
        many = asked.engine.reduce(asked.gallery, ManyHits([Hits(s) for s in (*searches, *extra)]), advance)
        nearest = iter(many.parts[len(vias) :])
        found = []
        for via, hits in zip(vias, many.parts, strict=False):
            scores = hits.lists.scores
            if via.csls:
                scores = 2 * scores - next(nearest).lists.scores.mean(axis=1)[:, None]
            found.append(
                asked.lists(via, rows, hits.lists.ranks, scores, _places(asked.truth, hits, rows), counts[via.name])
            )
        take(found)
    return Found(counts, notes=_told_of_csls(asked) if penalties else ())


def _places(truth: Truth | None, hits: Hits, rows: slice) -> Places | None:
    """Return where the first relevant item of each of some queries stands; those that have one are known."""
    if truth is None or hits.search.relevant is None:
        return None
    return Places(hits.greater, hits.level, hits.search.relevant.tied, truth.relevant(rows) > 0)


def _search(
    asked: Asked, via: SearchVia, vectors: Floats, rows: slice, penalty: Floats | None, sample: Floats
) -> Search:
    search = Search(via.x(vectors), asked.k, project=via.y, sample=sample, penalty=penalty, rows=len(asked.gallery))
    if asked.truth is not None:
        search.relevant = _relevant(asked, search, *asked.truth.part(rows))
    return search


def _relevant(asked: Asked, search: Search, query: Index, rank: Index) -> Relevant:
    """Return the relevant rows of some queries with their scores; reads those rows."""
    position = asked.by_rank[rank]
    score = np.empty(len(query))
    order = np.argsort(position, kind="stable")
    wanted = np.unique(position)
    for part in row_slices(len(wanted), asked.sample_rows):
        batch = asked.gallery.batch(wanted[part])
        gallery = search.gallery(batch.vectors)
        mine = order[slice(*np.searchsorted(position[order], (wanted[part][0], wanted[part][-1] + 1)))]
        column = np.searchsorted(wanted[part], position[mine])
        score[mine] = search.scores(gallery, batch.rank, query[mine], column)
    return Relevant.of(query, rank, score, len(search.queries))


def _penalty(asked: Asked, via: SearchVia, vias: Sequence[SearchVia]) -> Floats:
    """
    Return half the mean cosine [n] of each item of y with its 10 nearest of x, by rank, on the grid.

    CSLS(x, y) = 2 cos(x, y) − r_Y(x) − r_X(y) (Conneau et al. 2018, arXiv:1710.04087, eq. 4): for one
    query cos(x, y) − r_X(y) / 2 has the same order.
    """
    among = asked.every
    if len(among) > CSLS_ROWS:
        chosen = np.argsort(hash_ids(among.ids, seed=asked.seed), kind="stable")[:CSLS_ROWS]
        among = among.take(np.sort(chosen))
    among = replace(among, width=among.space.dim + 2 * via.width)
    rows = np.linspace(0, len(among) - 1, min(asked.sample_rows, len(among))).astype(np.int64)
    sample = via.x(among.batch(rows).vectors)
    parts = list(row_slices(len(asked.gallery), asked.block_rows(vias)))
    advance = asked.start("neighbours for CSLS", len(parts) * len(among))
    penalty = np.empty(len(asked.gallery))
    for part in parts:
        batch = asked.gallery.batch(part)
        search = Search(via.y(batch.vectors), min(CSLS_NEIGHBOURS, len(among)), project=via.x, sample=sample)
        near = asked.engine.reduce(among, Hits(search), advance).lists.scores
        penalty[batch.rank] = on_grid(near.mean(axis=1) / 2)
    return penalty


def _told_of_csls(asked: Asked) -> tuple[str, ...]:
    every, x, y = asked.every, asked.every.space.name, asked.gallery
    rows = f"all rows of {x} ({len(every):,})"
    if len(every) > CSLS_ROWS:
        rows = f"a sample of {CSLS_ROWS:,} of {len(every):,} rows of {x}"
    return (
        f"CSLS({CSLS_NEIGHBOURS}): mean cosines with the nearest of {rows} and of all {len(y):,} of {y.space.name}",
    )
