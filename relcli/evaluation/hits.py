"""What queries found, and from where the first right item of each stands to figures with chance and intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.arrays import Floats
from relcli.evaluation.scoring import Intervals
from relcli.measures.measure import PerQuery
from relcli.measures.relevance import first_ranks, hit_chances, reciprocal_ranks
from relcli.reports.report import Score
from relcli.reports.retrieval import Hit, QueryHits
from relcli.spaces.pairing import Ids, Index, Mask

#: The cuts at which figures are given.
CUTS = (1, 5, 10)

#: Up to this many queries means have a bootstrap's interval; above it the normal law's.
BOOTSTRAPPED = 20_000

_CITE = "ties in expectation (McSherry & Najork 2008, doi:10.1007/978-3-540-78646-7_38)"


@dataclass(frozen=True)
class HitLists:
    """
    What queries [q] found by one method: `ids` and `scores` [q, k], best first.

    `match` [q, k] tells the relevant ones, None where nothing tells; `first` [q] is the rank of the first
    relevant item over the whole gallery, NaN where unknown; `counted` [q] tells the queries in the figures.
    Where an approximate index finds fewer than k, ids end in "" and scores in NaN.
    """

    via: str
    queries: Ids
    ids: Ids
    scores: Floats
    match: Mask | None
    first: Floats
    counted: Mask

    def rows(self, shown: Mapping[str, Mapping[str, str]] | None = None) -> Iterator[QueryHits]:
        """Yield what each query found; `shown` holds a text for each id, by the name of a column."""
        columns = shown or {}
        for row, query in enumerate(self.queries):
            found = [column for column, id in enumerate(self.ids[row]) if id]
            known = self.match is not None and (bool(self.counted[row]) or not np.isnan(self.first[row]))
            yield QueryHits(
                str(query),
                self.via,
                tuple(
                    Hit(
                        rank,
                        str(self.ids[row, column]),
                        float(self.scores[row, column]),
                        bool(self.match[row, column]) if known and self.match is not None else None,
                        tuple((name, texts.get(str(self.ids[row, column]), "")) for name, texts in columns.items()),
                    )
                    for rank, column in enumerate(found, start=1)
                ),
                None if np.isnan(self.first[row]) else float(self.first[row]),
                bool(self.counted[row]),
            )


def joined_hits(parts: Sequence[HitLists]) -> HitLists:
    """Return the hits of one method, block after block, as one."""
    first = parts[0]
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("queries", "ids", "scores", "first", "counted")
    }
    match = None if first.match is None else np.concatenate([part.match for part in parts if part.match is not None])
    return HitLists(via=first.via, match=match, **arrays)


@dataclass(frozen=True)
class Places:
    """
    Where the first relevant item of each of some queries [b] stands, as in `relcli.measures.relevance`.

    `greater` irrelevant items above it, `level` irrelevant ones and `tied` relevant ones level with it; `known`
    tells the queries that this is known of.
    """

    greater: Index
    level: Index
    tied: Index
    known: Mask

    def first(self) -> Floats:
        """Return the rank [b] of the first relevant item, NaN where unknown."""
        return np.where(self.known, first_ranks(self.greater, self.level, self.tied), np.nan)


@dataclass
class Counts:
    """The places of the queries in the figures of one method, and how many items are relevant to each."""

    greater: list[Index] = field(default_factory=list)
    level: list[Index] = field(default_factory=list)
    tied: list[Index] = field(default_factory=list)
    relevant: list[Index] = field(default_factory=list)

    def add(self, counted: Mask, places: Places, relevant: Index) -> None:
        """Keep the counts of those of some queries [b] that are counted."""
        self.greater.append(places.greater[counted])
        self.level.append(places.level[counted])
        self.tied.append(places.tied[counted])
        self.relevant.append(relevant[counted])

    def arrays(self) -> tuple[Index, Index, Index, Index]:
        """Return greater, level, tied and relevant of all that was added, [q] each."""
        greater, level, tied, relevant = (
            np.concatenate([np.zeros(0, np.int64), *part])
            for part in (self.greater, self.level, self.tied, self.relevant)
        )
        return greater, level, tied, relevant


def hit_figures(
    via: str, counts: Counts, intervals: Intervals, *, gallery: int, deepest: int | None = None
) -> Iterator[Score]:
    """
    Yield recall at each of CUTS, the mean reciprocal rank and the median rank of one method.

    `deepest` is how far down the items of a `gallery` were looked at, None for all of them: beyond it reciprocal ranks
    are 0, and the median is unknown.
    """
    greater, level, tied, relevant = counts.arrays()
    chance = np.zeros_like(relevant), gallery - relevant, relevant
    facts: dict[str, Any] = {"view": via, "pairs": len(greater), "gallery": gallery, "section": "Retrieval"}
    for cut in CUTS:
        if cut <= gallery:
            yield Score(
                f"recall@{cut}",
                **_valued(PerQuery(hit_chances(greater, level, tied, cut), rate=True), intervals),
                chance=float(hit_chances(*chance, cut).mean()),
                range=(0, 1),
                definition=f"share of queries with a relevant item among their first {cut}, x to y",
                cite=_CITE,
                **facts,
            )
    yield Score(
        "mrr" if deepest is None else f"mrr@{deepest}",
        **_valued(PerQuery(reciprocal_ranks(greater, level, tied, deepest)), intervals),
        chance=_mean_by_count(relevant, lambda c: reciprocal_ranks(np.zeros_like(c), gallery - c, c, deepest)),
        range=(0, 1),
        definition="mean of 1 / rank of the first relevant item, x to y"
        + ("" if deepest is None else f", 0 beyond rank {deepest}"),
        cite=f"Voorhees 1999, TREC-8 QA track; {_CITE}",
        **facts,
    )
    median: dict[str, Any] = {
        "value": None,
        "undefined_because": "an approximate index gives no ranks beyond its hits",
    }
    if deepest is None:
        median = _valued(PerQuery(first_ranks(greater, level, tied), median=True), intervals)
    yield Score(
        "median-rank",
        **median,
        chance=float(np.median(first_ranks(*chance))),
        range=(1, None),
        higher_is_closer=False,
        definition="median rank of the first relevant item, x to y",
        cite=f"Karpathy & Fei-Fei 2015, arXiv:1412.2306; {_CITE}",
        **facts,
    )


def index_figure(via: str, shares: Floats, intervals: Intervals, *, k: int, index: str, gallery: int) -> Score:
    """Return the mean share [s] of the exact k best items that an approximate index finds."""
    return Score(
        f"index-recall@{k}",
        via,
        **_valued(PerQuery(shares), intervals),
        pairs=len(shares),
        gallery=gallery,
        range=(0, 1),
        definition=f"share of the exact {k} best that {index} finds, sampled queries",
        cite="Aumüller et al. 2020, ANN-Benchmarks, doi:10.1016/j.is.2019.02.006",
        section="Index",
    )


def _valued(found: PerQuery, intervals: Intervals) -> dict[str, Any]:
    """Return the value and interval of a Score; one query alone has no interval."""
    value = float(np.median(found.forward) if found.median else found.forward.mean())
    return {"value": value, "interval": intervals.of(found) if len(found.forward) > 1 else None}


def _mean_by_count(counts: Index, value: Callable[[NDArray[np.int64]], Floats]) -> float:
    """Return the mean of a value that depends on a count alone, computed once for each."""
    unique, times = np.unique(counts, return_counts=True)
    return float(value(unique) @ times / times.sum())
