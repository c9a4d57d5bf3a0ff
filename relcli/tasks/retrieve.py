"""For items of one space, the nearest items of another: hits, and how often they are the right ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from relcli._version import versions
from relcli.accumulators.hits import Hits, ManyHits, Projection, Relevant, Search, Survey
from relcli.accumulators.neighbors import NearestLists
from relcli.accumulators.probe import Census
from relcli.accumulators.tiles import row_slices
from relcli.arrays import Floats, on_grid
from relcli.engines.engine import Engine, Progress
from relcli.errors import IdError, JoinError, UsageError, VectorError, did_you_mean, first_few
from relcli.evaluation.choosing import CSLS_TRIED, choose_retrieval, parse_candidates
from relcli.evaluation.vias import ADDITIONS, Then, Way, as_it_is, parse_way, via_name
from relcli.measures.interval import LEVEL, RESAMPLES, Bootstrap, median_interval, rate_interval
from relcli.measures.relevance import first_ranks, hit_chances, reciprocal_ranks
from relcli.reports.recommendation import Choice, told
from relcli.reports.report import Interval, Score
from relcli.reports.retrieval import Hit, QueryHits, Retrieval
from relcli.spaces import translation
from relcli.spaces.anchors import AnchorChoice, AnchorList, Anchors, anchor_quality, settle_anchors
from relcli.spaces.gallery import Gallery
from relcli.spaces.index import ApproximateIndex, parse_index
from relcli.spaces.pairing import Ids, Index, Mask, PairedSpaces, hash_ids
from relcli.spaces.relative import Centering, RelativeProjection, anchor_digest, check_same_frame
from relcli.spaces.space import Space

#: The way that is chosen by held-out anchors, see relcli.evaluation.choosing.
AUTO = "auto"

#: The depth of the neighbourhoods that CSLS takes its means over.
CSLS_NEIGHBOURS = 10

#: Up to this many rows of X all are neighbours for CSLS; above it a sample of that many is.
CSLS_ROWS = 50_000

#: The cuts at which figures are given.
CUTS = (1, 5, 10)

#: Queries whose hits are found exactly as well, to tell how many an approximate index finds.
RECALL_QUERIES = 200

_BLOCK_NUMBERS, _BLOCK_ROWS = 2**22, (64, 16384)
_SAMPLE_ROWS = 2048
_INDEX_BATCH, _INDEX_BLOCK = 8192, 512
_CELL_SAMPLE = 100_000
_BOOTSTRAPPED = 20_000

_POLICIES = {
    "on_duplicate": ("error", "first", "drop"),
    "on_bad": ("error", "drop"),
    "missing_anchors": ("error", "drop"),
}
_FAULTS = {"NaN": "with NaN", "Inf": "with infinite numbers", "zero": "with only zeros"}

Start = Callable[[str, int], Progress] | None


@dataclass(frozen=True)
class Options:
    """
    How to retrieve: the k best items `via` each method, by cosine, or by CSLS.

    `index` is a name of `relcli.spaces.index.KINDS`; policies are as in `compare`.
    """

    k: int = 10
    via: tuple[str, ...] = ("relative",)
    csls: bool = False
    center: bool = False
    include_anchors: bool = False
    index: str = "exact"
    seed: int = 0
    on_duplicate: str = "error"
    on_bad: str = "error"
    missing_anchors: str = "error"

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"-k {self.k} is not a positive number of items.")
        if not self.via:
            raise UsageError("No way to compare is named: give --via relative, translate:ortho or absolute.")
        ways = [parse_way(text, additions=ADDITIONS) for text in self.via if text != AUTO]
        if len(ways) < len(self.via) and (self.center or self.csls):
            raise UsageError(f"--via {AUTO} settles centring and CSLS by itself. Drop --center and --csls.")
        # what holds for all is not said of each
        ways = [replace(way, center=way.center and not self.center, csls=way.csls and not self.csls) for way in ways]
        names = iter([way.name for way in ways])
        object.__setattr__(
            self, "via", tuple(dict.fromkeys(AUTO if text == AUTO else next(names) for text in self.via))
        )
        if parse_index(self.index) != "exact" and (self.csls or any(way.csls for way in ways)):
            raise UsageError(
                f"--csls needs the neighbours of every item, and --index {self.index} keeps none. "
                "Drop --csls, or pass --index exact."
            )
        for name, allowed in _POLICIES.items():
            said = getattr(self, name)
            if said not in allowed:
                flag = name.replace("_", "-")
                raise UsageError(f"--{flag} {said!r} is none of {', '.join(allowed)}.{did_you_mean(said, allowed)}")


@dataclass(frozen=True)
class Queries:
    """What is asked: `ids` of x, all of x where there are none, or the rows of a `space` as wide as x."""

    ids: Ids | None = None
    space: Space | None = None
    source: str = "all rows of x"


class IndexStore(Protocol):
    """Where approximate indexes are kept between runs."""

    @property
    def exists(self) -> bool: ...

    def find(self, name: str, facts: Mapping[str, Any]) -> ApproximateIndex: ...

    def keep(self, name: str, index: ApproximateIndex, facts: Mapping[str, Any]) -> None: ...

    def commit(self) -> None: ...


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


@dataclass(frozen=True)
class Retrieved:
    """What was found: the `retrieval` with figures and settings, and the `lists` of hits, one for each method."""

    retrieval: Retrieval
    lists: tuple[HitLists, ...]

    @property
    def hits(self) -> HitLists:
        """The hits of the first method: `hits.ids` and `hits.scores` are [q, k]."""
        return self.lists[0]

    def via(self, name: str) -> HitLists:
        """Return the hits of one method."""
        wanted = self._named(name)
        return next(lists for lists in self.lists if lists.via == wanted)

    def _named(self, name: str) -> str:
        if name == AUTO and AUTO in self.retrieval.settings:
            return str(self.retrieval.settings[AUTO]["via"])
        return via_name(name, additions=ADDITIONS)

    @property
    def scores(self) -> tuple[Score, ...]:
        """The figures: recall@1, recall@5, recall@10, mrr and median-rank of each method."""
        return self.retrieval.scores

    def score(self, measure: str, via: str | None = None) -> Score:
        """Return one figure, of the first method unless another is named."""
        wanted = self._named(via) if via else self.hits.via
        return next(score for score in self.scores if (score.measure, score.view) == (measure, wanted))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know before trusting the hits."""
        return self.retrieval.notes


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
class _Via:
    """One method: what takes rows of x, and what rows of y, to where cosines compare them, or CSLS."""

    name: str
    width: int
    x: Projection
    y: Projection
    csls: bool = False
    center: bool = False


@dataclass
class _Counts:
    """The counts of the queries in the figures of one method, and how many items are relevant to each."""

    greater: list[Index] = field(default_factory=list)
    level: list[Index] = field(default_factory=list)
    tied: list[Index] = field(default_factory=list)
    relevant: list[Index] = field(default_factory=list)

    def add(self, counted: Mask, greater: Index, level: Index, tied: Index, relevant: Index) -> None:
        for kept, new in zip(
            (self.greater, self.level, self.tied, self.relevant), (greater, level, tied, relevant), strict=True
        ):
            kept.append(new[counted])

    def arrays(self) -> tuple[Index, Index, Index, Index]:
        greater, level, tied, relevant = (
            np.concatenate([np.zeros(0, np.int64), *part])
            for part in (self.greater, self.level, self.tied, self.relevant)
        )
        return greater, level, tied, relevant


@dataclass(frozen=True)
class _Truth:
    """Which gallery rows answer which queries: pairs of a query's position and a row's rank, by query."""

    query: Index
    rank: Index
    counted: Mask
    source: str

    def part(self, rows: slice) -> tuple[Index, Index]:
        """Return the pairs of some queries, numbered from the first of them."""
        place = slice(*np.searchsorted(self.query, (rows.start, rows.stop)))
        return self.query[place] - rows.start, self.rank[place]


def retrieve(
    x: Space,
    y: Space,
    anchors: AnchorList | AnchorChoice | None,
    options: Options,
    *,
    engine: Engine,
    queries: Queries,
    take: Callable[[Sequence[HitLists]], None],
    truth: tuple[Ids, Ids, str] | None = None,
    store: IndexStore | None = None,
    progress: Start = None,
) -> Retrieval:
    """
    Return how well queries of x [q, dx] find their items in y [n, dy]; `take` is given the hits, block by block.

    `truth` are pairs (x_id, y_id) and where they came from; without it an id that both share is the truth.
    A query is a hit when any relevant item is within the cut. The gallery is all of y, anchors included.
    Keeps the hits of one block, and four numbers a query.
    """
    search = _Retriever(x, y, anchors, options, engine, queries, truth, progress)
    found = search.approximate(store, take) if options.index != "exact" else search.exact(take)
    return search.report(found)


class _Retriever:
    """One retrieval: everything that is settled before the first query is searched for."""

    def __init__(
        self,
        x: Space,
        y: Space,
        anchors: AnchorList | AnchorChoice | None,
        options: Options,
        engine: Engine,
        asked: Queries,
        truth: tuple[Ids, Ids, str] | None,
        progress: Start,
    ) -> None:
        self.x, self.y, self.options, self.engine, self.progress = x, y, options, engine, progress
        self.asked, self.notes = asked, list[str]()
        check_same_frame(x, y)
        _check_widths(x, y, options, asked)
        relating = [name for name in options.via if not name.startswith("absolute")]
        if anchors is None and relating:
            raise UsageError(f"--via {relating[0]} needs anchors: give --anchors FILE, or --anchors uniform:N.")
        policy: Any = options.on_duplicate
        every, gallery = Gallery.of(x, on_duplicate=policy), Gallery.of(y, on_duplicate=policy)
        self.gallery = self._surveyed(gallery, "y")
        if options.k > len(self.gallery):
            raise UsageError(
                f"-k {options.k:,} items are more than the {len(self.gallery):,} of {y.name}. Ask for fewer."
            )
        self.queries, chosen = self._queries(every)
        if self._scores_by_csls() or chosen or isinstance(anchors, AnchorChoice):
            every = self._surveyed(every, "x")
        self.queries = every if chosen else self._surveyed(self.queries, "queries")
        self.every = every
        self.ids = self.gallery.ids[self.gallery.by_rank]
        self.frame = self._frame(anchors)
        self.centres: tuple[Centering, Centering] | None = None
        self.choice = self._choice() if AUTO in options.via else None
        self.ways = [parse_way(name, additions=ADDITIONS) for name in self._names()]
        if options.center or any(way.center for way in self.ways):
            self.centres = self.centres or self._centres()
        if options.center:
            self._centre()
        self.anchors = self._anchor_facts(anchors)
        self.vias = [self._via(way) for way in self.ways]
        self.gallery = replace(self.gallery, width=y.dim + sum(2 * via.width for via in self.vias))
        self.truth = self._truth(truth)

    def _surveyed(self, rows: Gallery, side: str) -> Gallery:
        """Return the rows without the bad ones, or refuse them, as the policy says."""
        what = {"x": f"checking {self.x.name}", "y": f"checking {self.y.name}", "queries": "checking queries"}[side]
        name = {"x": self.x.name, "y": self.y.name, "queries": rows.space.name}[side]
        survey = self.engine.reduce(rows, Survey(), self._start(what, len(rows)))
        if not survey.bad:
            return rows
        id_of = rows.ids[rows.by_rank]
        if self.options.on_bad == "error":
            found = "; ".join(
                f"{len(ranks):,} {'row' if len(ranks) == 1 else 'rows'} of {name} {_FAULTS[kind]} "
                f"({first_few(list(id_of[sorted(ranks)]))})"
                for kind, ranks in sorted(survey.bad.items())
            )
            raise VectorError(f"{found}. Mend them, or leave those rows out with --on-bad drop.")
        bad = np.isin(rows.rank, [rank for ranks in survey.bad.values() for rank in ranks])
        if bad.all():
            raise VectorError(f"All {len(rows):,} rows of {name} hold NaN, Inf or only zeros: nothing is left.")
        self.notes.append(f"{int(bad.sum()):,} rows of {name} hold NaN, Inf or only zeros and were left out")
        return rows.drop(bad)

    def _start(self, what: str, total: int) -> Progress | None:
        return self.progress and self.progress(what, total)

    def _queries(self, every: Gallery) -> tuple[Gallery, bool]:
        """Return the queries, and whether they are all rows of x."""
        asked = self.asked
        if asked.space is not None:
            return Gallery.of(asked.space, on_duplicate=self.options.on_duplicate), False  # type: ignore[arg-type]
        if asked.ids is None:
            return every, True
        ids = asked.ids[np.sort(np.unique(asked.ids, return_index=True)[1])]
        at = every.find(ids)
        if (at < 0).any():
            unknown = ids[at < 0]
            raise IdError(
                f"{len(unknown):,} of {len(ids):,} queries are no ids of {self.x.name}: {first_few(list(unknown))}."
                f"{_near(str(unknown[0]), every.ids)} Its ids are like {str(every.ids[0])!r}."
            )
        return every.take(at), False

    def _frame(self, anchors: AnchorList | AnchorChoice | None) -> Anchors | None:
        if anchors is None:
            return None
        spaces = self.every.space, self.gallery.space
        if isinstance(anchors, AnchorChoice):
            pair = PairedSpaces.join(*spaces, on_duplicate=self.options.on_duplicate)  # type: ignore[arg-type]
            pair = pair.take((self.every.find(pair.ids) >= 0) & (self.gallery.find(pair.y.ids[pair.rows_y]) >= 0))
        else:
            pair = PairedSpaces.unjoined(*spaces)
        frame = settle_anchors(pair, anchors, missing=self.options.missing_anchors, seed=self.options.seed)  # type: ignore[arg-type]
        if frame.missing:
            self.notes.append(f"{frame.missing:,} anchors are missing from a space and were left out")
        return frame

    def _scores_by_csls(self) -> bool:
        ways = [parse_way(name, additions=ADDITIONS) for name in self.options.via if name != AUTO]
        return AUTO in self.options.via or self.options.csls or any(way.csls for way in ways)

    def _names(self) -> list[str]:
        """Return the names of the methods, the one that was chosen in the place of auto."""
        chosen = [self.choice.via if self.choice and name == AUTO else name for name in self.options.via]
        return list(dict.fromkeys(chosen))

    def _choice(self) -> Choice:
        """Return the method that finds held-out anchors best."""
        assert self.frame is not None
        self.centres = self._centres()
        ways = parse_candidates(None, "retrieval")
        choice, notes = choose_retrieval(
            self.every,
            self.gallery,
            self.frame,
            (self.centres[0].mean, self.centres[1].mean),
            ways,
            seed=self.options.seed,
            csls=self.options.index == "exact",
            step=self._start("choosing a way", len(ways) + CSLS_TRIED),
        )
        self.notes += [told(choice), *notes]
        return choice

    def _centres(self) -> tuple[Centering, Centering]:
        """
        Return what subtracts each space's mean over the rows that both share, or the anchors where they share no ids.

        Means of different populations would move the two spaces apart: centred on 8,000 words and on 2,000
        of them, an MRR of .94 falls to .50.
        """
        try:
            pair = PairedSpaces.join(self.x, self.y, on_duplicate=self.options.on_duplicate)  # type: ignore[arg-type]
        except JoinError:
            if self.frame is None:
                raise
            means = self.frame.x.mean(axis=0), self.frame.y.mean(axis=0)
            over = f"the {len(self.frame):,} anchors"
        else:
            census = self.engine.reduce(pair, Census(self.x.dim, self.y.dim), self._start("centring", len(pair)))
            means = census.sum_x / max(census.count, 1), census.sum_y / max(census.count, 1)
            over = f"the {census.count:,} rows that both share"
        self.notes.append(f"centred on the means of {over}")
        return Centering.of(means[0]), Centering.of(means[1])

    def _centre(self) -> None:
        assert self.centres is not None
        x, y = self.centres
        self.every, self.queries, self.gallery = self.every.map(x), self.queries.map(x), self.gallery.map(y)
        if self.frame is not None:
            self.frame = replace(self.frame, x=x(self.frame.x), y=y(self.frame.y))

    def _via(self, way: Way) -> _Via:
        csls = way.csls or self.options.csls
        if not way.center:
            return replace(self._plain_via(way, self.frame), csls=csls, center=self.options.center)
        assert self.centres is not None
        x, y = self.centres
        frame = self.frame and replace(self.frame, x=x(self.frame.x), y=y(self.frame.y))
        plain = self._plain_via(way, frame)
        return replace(plain, x=Then(x, plain.x), y=Then(y, plain.y), csls=csls, center=True)

    def _plain_via(self, way: Way, frame: Anchors | None) -> _Via:
        """Return the method for rows and anchors that are centred already, if they are to be."""
        name = way.name
        if way.kind == "absolute":
            return _Via(name, self.y.dim, as_it_is, as_it_is)
        assert frame is not None
        if way.kind == "relative":
            sides = [RelativeProjection(side, way.detail, way.quantize, way.sparse) for side in (frame.x, frame.y)]
            return _Via(name, sides[0].dim, sides[0], sides[1])
        fitted = _Steadily(translation.fit_translation(frame.x, frame.y, method=way.detail))
        width = fitted(frame.x[:1]).shape[1]
        widest = max(self.x.dim, self.y.dim)
        if len(frame) <= widest:
            self.notes.append(
                f"{name} is fitted on {len(frame)} anchors for {widest} dimensions: it is under-determined, "
                "and finds more with more anchors"
            )
        return _Via(name, width, fitted, _Widening(width))

    def _truth(self, given: tuple[Ids, Ids, str] | None) -> _Truth | None:
        """Return which items answer which queries, or None, with a note, where nothing tells."""
        if given is not None:
            x_ids, y_ids, source = given
            query, item = self.queries.find(x_ids), self.gallery.find(y_ids)
            known = (query >= 0) & (item >= 0)
            if not known.any():
                raise JoinError(
                    f"{source} answers nothing: of its {len(x_ids):,} pairs like {str(x_ids[0])!r}, {str(y_ids[0])!r}, "
                    f"{int((query >= 0).sum()):,} start with a query like {str(self.queries.ids[0])!r}, "
                    f"{int((item >= 0).sum()):,} end with an id of {self.y.name} like {str(self.ids[0])!r}. "
                    "Give x_id<TAB>y_id a line, in this order."
                )
            query, item = query[known], item[known]
        else:
            origin = (self.asked.space or self.x).origin
            why = None
            if origin.ids_given != self.y.origin.ids_given:
                why = "one side has ids and the other has none"
            elif not origin.ids_given and (self.asked.space is not None or len(self.x) != len(self.y)):
                why = "neither side has ids, and their rows do not pair by number"
            at = self.gallery.find(self.queries.ids)
            if why is None and not (at >= 0).any():
                why = f"no query has an id of {self.y.name}"
            if why is not None:
                self.notes.append(f"no truth: {why}, so hits have no marks and no figures; give pairs with --truth")
                return None
            query = np.flatnonzero(at >= 0)
            item, source = at[query], "ids that both share" if origin.ids_given else "row numbers"
        pairs = np.unique(query * len(self.gallery) + self.gallery.rank[item])
        query, rank = pairs // len(self.gallery), pairs % len(self.gallery)
        answered = np.zeros(len(self.queries), bool)
        answered[query] = True
        return _Truth(query, rank, answered & ~self._leaks(query, rank), source)

    def _leaks(self, query: Index, rank: Index) -> Mask:
        """Return which queries [q] are anchors, or have an anchor for an answer: they would flatter the figures."""
        leak = np.zeros(len(self.queries), bool)
        if self.frame is None or self.options.include_anchors:
            return leak
        leak |= np.isin(self.queries.ids, self.frame.x_ids)
        leak[query[np.isin(self.ids[rank], self.frame.y_ids)]] = True
        answered = np.zeros(len(leak), bool)
        answered[query] = True
        count = int((leak & answered).sum())
        if count:
            self.notes.append(
                f"{count:,} of {len(leak):,} queries are anchors, or answered by one, and are not in the figures: "
                "an anchor gives itself away (--include-anchors counts them)"
            )
        return leak

    # -- exact ---------------------------------------------------------------------------------------------

    def exact(self, take: Callable[[Sequence[HitLists]], None]) -> dict[str, _Counts]:
        """Search the whole gallery for every query; return the counts of each method."""
        penalties = {via.name: self._penalty(via) for via in self.vias}
        samples = {via.name: self._sample(via) for via in self.vias}
        counts = {via.name: _Counts() for via in self.vias}
        parts = list(row_slices(len(self.queries), self._block_rows()))
        advance = self._start("searching", len(parts) * len(self.gallery))
        for rows in parts:
            vectors = self.queries.batch(rows).vectors
            searches = [self._search(via, vectors, rows, penalties[via.name], samples[via.name]) for via in self.vias]
            # CSLS prints the mean cosine with the nearest items, which takes a search of its own
            extra = [
                Search(via.x(vectors), self._depth(len(self.gallery)), project=via.y, sample=samples[via.name])
                for via in self.vias
                if via.csls
            ]
            many = self.engine.reduce(self.gallery, ManyHits([Hits(s) for s in (*searches, *extra)]), advance)
            nearest = iter(many.parts[len(self.vias) :])
            found = []
            for place, via in enumerate(self.vias):
                hits = many.parts[place]
                scores = hits.lists.scores
                if via.csls:
                    near = next(nearest).lists.scores
                    scores = 2 * scores - near.mean(axis=1)[:, None]
                tied = hits.search.relevant.tied if hits.search.relevant else np.zeros(len(scores), np.int64)
                found.append(
                    self._lists(via, rows, hits.lists.ranks, scores, hits.greater, hits.level, tied, counts[via.name])
                )
            take(found)
        return counts

    def _block_rows(self) -> int:
        numbers = self.x.dim + sum(2 * via.width + 6 * self.options.k for via in self.vias)
        smallest, largest = _BLOCK_ROWS
        return max(smallest, min(largest, _BLOCK_NUMBERS // numbers))

    def _depth(self, rows: int) -> int:
        return min(CSLS_NEIGHBOURS, rows)

    def _sample(self, via: _Via, size: int = _SAMPLE_ROWS) -> Floats:
        count = min(size, len(self.gallery))
        return via.y(self.gallery.batch(np.linspace(0, len(self.gallery) - 1, count).astype(np.int64)).vectors)

    def _search(
        self, via: _Via, vectors: Floats, rows: slice, penalty: Floats | None, sample: Floats, k: int | None = None
    ) -> Search:
        search = Search(via.x(vectors), k or self.options.k, project=via.y, sample=sample, penalty=penalty)
        if self.truth is not None:
            search.relevant = self._relevant(search, *self.truth.part(rows))
        return search

    def _relevant(self, search: Search, query: Index, rank: Index) -> Relevant:
        """Return the relevant rows of some queries with their scores; reads those rows."""
        position = self.gallery.by_rank[rank]
        score = np.empty(len(query))
        order = np.argsort(position, kind="stable")
        wanted = np.unique(position)
        for part in row_slices(len(wanted), _SAMPLE_ROWS):
            batch = self.gallery.batch(wanted[part])
            gallery = search.gallery(batch.vectors)
            mine = order[slice(*np.searchsorted(position[order], (wanted[part][0], wanted[part][-1] + 1)))]
            column = np.searchsorted(wanted[part], position[mine])
            score[mine] = search.scores(gallery, batch.rank, query[mine], column)
        return Relevant.of(query, rank, score, len(search.queries))

    def _penalty(self, via: _Via) -> Floats | None:
        """
        Return half the mean cosine [n] of each item of y with its 10 nearest of x, by rank, on the grid.

        CSLS(x, y) = 2 cos(x, y) − r_Y(x) − r_X(y) (Conneau et al. 2018, arXiv:1710.04087, eq. 4): for one
        query cos(x, y) − r_X(y) / 2 has the same order.
        """
        if not via.csls:
            return None
        among = self.every
        if len(among) > CSLS_ROWS:
            chosen = np.argsort(hash_ids(among.ids, seed=self.options.seed), kind="stable")[:CSLS_ROWS]
            among = among.take(np.sort(chosen))
        among = replace(among, width=self.x.dim + 2 * via.width)
        rows = np.linspace(0, len(among) - 1, min(_SAMPLE_ROWS, len(among))).astype(np.int64)
        sample = via.x(among.batch(rows).vectors)
        parts = list(row_slices(len(self.gallery), self._block_rows()))
        advance = self._start("neighbours for CSLS", len(parts) * len(among))
        penalty = np.empty(len(self.gallery))
        for part in parts:
            batch = self.gallery.batch(part)
            search = Search(via.y(batch.vectors), self._depth(len(among)), project=via.x, sample=sample)
            near = self.engine.reduce(among, Hits(search), advance).lists.scores
            penalty[batch.rank] = on_grid(near.mean(axis=1) / 2)
        if via is next(via for via in self.vias if via.csls):
            some = f"a sample of {len(among):,} of {len(self.every):,}" if len(among) < len(self.every) else "all"
            self.notes.append(
                f"CSLS({CSLS_NEIGHBOURS}): mean cosines with the nearest of {some} rows of {self.x.name}"
                f"{'' if some != 'all' else f' ({len(among):,})'} and of all {len(self.gallery):,} of {self.y.name}"
            )
        return penalty

    def _lists(
        self,
        via: _Via,
        rows: slice,
        ranks: Index,
        scores: Floats,
        greater: Index,
        level: Index,
        tied: Index,
        counts: _Counts,
        known: Mask | None = None,
    ) -> HitLists:
        """Return the hits of some queries, and count those that belong in the figures."""
        size = len(ranks)
        missing = ranks < 0
        ids = np.where(missing, "", self.ids[ranks])
        match, first, counted = None, np.full(size, np.nan), np.zeros(size, bool)
        if self.truth is not None:
            query, rank = self.truth.part(rows)
            n = len(self.gallery)
            match = np.isin(np.arange(size)[:, None] * n + ranks, query * n + rank) & ~missing
            relevant = np.bincount(query, minlength=size)
            counted = self.truth.counted[rows]
            counts.add(counted, greater, level, tied, relevant)
            some = relevant > 0 if known is None else known
            first[some] = first_ranks(greater, level, tied)[some]
        scores = np.where(missing, np.nan, scores)
        return HitLists(via.name, self.queries.ids[rows], ids, scores, match, first, counted)

    # -- approximate ---------------------------------------------------------------------------------------

    def approximate(self, store: IndexStore | None, take: Callable[[Sequence[HitLists]], None]) -> dict[str, _Counts]:
        """Search an index for every query, its hits scored in float64; return the counts of each method."""
        counts = {via.name: _Counts() for via in self.vias}
        indexes = {via.name: self._index(via, store) for via in self.vias}
        if store is not None:
            store.commit()
        self.recalls = {via.name: self._recall(via, indexes[via.name]) for via in self.vias}
        advance = self._start("searching", len(self.queries))
        for rows in row_slices(len(self.queries), _INDEX_BLOCK):
            vectors = self.queries.batch(rows).vectors
            found = []
            for via in self.vias:
                lists = self._asked(via, indexes[via.name], vectors)
                k = self.options.k
                places = self._first_found(lists, rows)
                found.append(
                    self._lists(
                        via, rows, lists.ranks[:, :k], lists.scores[:, :k], *places[:3], counts[via.name], places[3]
                    )
                )
            take(found)
            if advance:
                advance(len(vectors))
        return counts

    def _index(self, via: _Via, store: IndexStore | None) -> ApproximateIndex:
        facts = self._index_facts(via)
        if store is not None and store.exists:
            self.notes.append(f"{via.name}: the stored index is used")
            return store.find(via.name, facts)
        advance = self._start(f"building {self.options.index}", len(self.gallery))

        def batches() -> Iterator[Floats]:
            for rows in row_slices(len(self.gallery), _INDEX_BATCH):
                yield via.y(self.gallery.batch(rows).vectors)
                if advance:
                    advance(rows.stop - rows.start)

        index = ApproximateIndex.build(
            self.options.index, batches(), self._sample(via, _CELL_SAMPLE), len(self.gallery)
        )
        if store is not None:
            store.keep(via.name, index, facts)
        return index

    def _index_facts(self, via: _Via) -> dict[str, Any]:
        """Return what an index depends on: another of these is another index."""
        ids = hashlib.sha256("\n".join(self.gallery.ids.tolist()).encode("utf-8", "surrogatepass")).hexdigest()
        facts: dict[str, Any] = {
            "kind": self.options.index,
            "via": via.name,
            "gallery": self.y.origin.sha256 or self._digest(),
            "member": self.y.origin.member,
            "gallery_ids": ids,
            "rows": len(self.gallery),
            "width": via.width,
            "center": via.center,
        }
        if via.center:
            assert self.centres is not None
            facts["centre"] = hashlib.sha256(np.ascontiguousarray(self.centres[1].mean).data).hexdigest()
        if not via.name.startswith("absolute"):
            facts["anchors"] = self.anchors["sha256"]
            facts["anchor_vectors"] = self._anchor_vectors(via)
        return facts

    def _anchor_vectors(self, via: _Via) -> str | None:
        # of a relative gallery only y's side shows; of a translated one nothing but its width
        if self.frame is None or not via.name.startswith("relative"):
            return None
        return hashlib.sha256(np.ascontiguousarray(self.frame.y).data).hexdigest()

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for rows in row_slices(len(self.gallery), _INDEX_BATCH):
            digest.update(np.ascontiguousarray(self.y.read(slice(rows.start, rows.stop))).data)
        return digest.hexdigest()

    def _asked(self, via: _Via, index: ApproximateIndex, vectors: Floats) -> NearestLists:
        """Return what an index finds for queries [q, dx], at least ten deep, scored in float64."""
        queries = via.x(vectors)
        depth = min(len(self.gallery), max(self.options.k, max(CUTS)))
        position = index.search(queries, depth)
        lists = NearestLists(len(queries), depth)
        query, column = np.nonzero(position >= 0)
        wanted = np.unique(position[query, column])
        search = Search(queries, depth, project=via.y, sample=queries)
        for part in row_slices(len(wanted), _SAMPLE_ROWS):
            batch = self.gallery.batch(wanted[part])
            at = position[query, column]
            here = (at >= wanted[part][0]) & (at <= wanted[part][-1])
            row = np.searchsorted(wanted[part], at[here])
            scores = search.scores(search.gallery(batch.vectors), batch.rank, query[here], row)
            lists.offer(query[here], scores, batch.rank[row])
        return lists

    def _first_found(self, lists: NearestLists, rows: slice) -> tuple[Index, Index, Index, Mask]:
        """Return greater, level and tied [q] among what was found, and for which queries a relevant item was."""
        size, n = len(lists.ranks), len(self.gallery)
        if self.truth is None:
            none = np.zeros(size, np.int64)
            return none, none, none, np.zeros(size, bool)
        query, rank = self.truth.part(rows)
        match = np.isin(np.arange(size)[:, None] * n + lists.ranks, query * n + rank) & (lists.ranks >= 0)
        best = np.where(match, lists.scores, -np.inf).max(axis=1)
        known: Mask = np.asarray(match.any(axis=1))
        greater = np.where(known, (~match & (lists.scores > best[:, None])).sum(axis=1), n)
        level = np.where(known, (~match & (lists.scores == best[:, None])).sum(axis=1), 0)
        tied = np.where(known, (match & (lists.scores == best[:, None])).sum(axis=1), 1)
        return greater, level, tied, known

    def _recall(self, via: _Via, index: ApproximateIndex) -> Floats:
        """Return the share [s] of the exact k best that an index finds, for a sample of the queries."""
        chosen = np.sort(np.argsort(hash_ids(self.queries.ids, seed=self.options.seed), kind="stable")[:RECALL_QUERIES])
        vectors = self.queries.batch(chosen).vectors
        search = Search(via.x(vectors), self.options.k, project=via.y, sample=self._sample(via))
        advance = self._start("measuring the index's recall", len(self.gallery))
        exact = self.engine.reduce(self.gallery, Hits(search), advance).lists.scores
        found = self._asked(via, index, vectors).scores[:, : self.options.k]
        # a level item in place of another is as good
        return (found >= exact[:, -1:]).mean(axis=1)

    # -- report --------------------------------------------------------------------------------------------

    def report(self, counts: dict[str, _Counts]) -> Retrieval:
        """Return the figures, and everything they depend on."""
        scores: list[Score] = []
        counted = 0
        if self.truth is not None:
            counted = int(self.truth.counted.sum())
            answered = len(np.unique(self.truth.query))
            if answered < len(self.queries):
                self.notes.append(
                    f"{len(self.queries) - answered:,} of {len(self.queries):,} queries have no relevant item in "
                    f"{self.y.name} and are not in the figures"
                )
            if not counted:
                self.notes.append("no query is left for the figures")
        intervals = _Intervals(self.options.seed)
        for via in self.vias:
            if counted:
                scores += self._figures(via.name, counts[via.name], intervals)
            if self.options.index != "exact":
                scores.append(self._recall_score(via.name, intervals))
        source = self.asked.source
        return Retrieval(
            x=_described(self.x),
            y=_described(self.y),
            queries={"count": len(self.queries), "source": source, "counted": counted},
            anchors=self.anchors,
            scores=tuple(scores),
            settings={
                "via": [via.name for via in self.vias],
                **({"auto": asdict(self.choice)} if self.choice else {}),
                "k": self.options.k,
                "scores": f"csls({CSLS_NEIGHBOURS})" if self.options.csls else "cosine",
                "center": self.options.center,
                "include_anchors": self.options.include_anchors,
                "truth": self.truth.source if self.truth else None,
                "index": self.options.index,
                "seed": self.options.seed,
                "on_duplicate": self.options.on_duplicate,
                "on_bad": self.options.on_bad,
                "missing_anchors": self.options.missing_anchors,
            },
            versions=_versions(self.options),
            notes=tuple(dict.fromkeys(self.notes)),
        )

    def _figures(self, via: str, counts: _Counts, intervals: _Intervals) -> Iterator[Score]:
        greater, level, tied, relevant = counts.arrays()
        n = len(self.gallery)
        chance = np.zeros_like(relevant), n - relevant, relevant
        exact = self.options.index == "exact"
        facts: dict[str, Any] = {"view": via, "pairs": len(greater), "gallery": n, "section": "Retrieval"}
        for cut in CUTS:
            if cut <= n:
                yield Score(
                    f"recall@{cut}",
                    **_rate(hit_chances(greater, level, tied, cut)),
                    chance=float(hit_chances(*chance, cut).mean()),
                    range=(0, 1),
                    definition=f"share of queries with a relevant item among their first {cut}, x to y",
                    cite=_CITE,
                    **facts,
                )
        deepest = None if exact else min(n, max(self.options.k, max(CUTS)))
        yield Score(
            "mrr" if deepest is None else f"mrr@{deepest}",
            **intervals.mean(reciprocal_ranks(greater, level, tied, deepest)),
            chance=_mean_by_count(relevant, lambda c: reciprocal_ranks(np.zeros_like(c), n - c, c, deepest)),
            range=(0, 1),
            definition="mean of 1 / rank of the first relevant item, x to y"
            + ("" if deepest is None else f", 0 beyond rank {deepest}"),
            cite=f"Voorhees 1999, TREC-8 QA track; {_CITE}",
            **facts,
        )
        ranks = first_ranks(greater, level, tied)
        why = "an approximate index gives no ranks beyond its hits"
        median: dict[str, Any] = {"value": None, "undefined_because": why}
        if exact:
            ends = median_interval(ranks)
            interval = Interval(*ends, LEVEL, "order statistics of queries") if ends else None
            median = {"value": float(np.median(ranks)), "interval": interval}
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

    def _recall_score(self, via: str, intervals: _Intervals) -> Score:
        shares = self.recalls[via]
        return Score(
            f"index-recall@{self.options.k}",
            via,
            **intervals.mean(shares),
            pairs=len(shares),
            gallery=len(self.gallery),
            range=(0, 1),
            definition=f"share of the exact {self.options.k} best that {self.options.index} finds, sampled queries",
            cite="Aumüller et al. 2020, ANN-Benchmarks, doi:10.1016/j.is.2019.02.006",
            section="Index",
        )

    def _anchor_facts(self, wanted: AnchorList | AnchorChoice | None) -> dict[str, Any]:
        frame = self.frame
        if frame is None or wanted is None:
            return {}
        facts: dict[str, Any] = {
            "source": wanted.source if isinstance(wanted, AnchorList) else f"{wanted.strategy}:{wanted.count}",
            "strategy": frame.strategy,
            "count": len(frame),
            "missing": frame.missing,
            "seed": frame.seed,
            "sha256": anchor_digest(frame.x_ids, frame.y_ids),
            "scored": self.options.include_anchors,
        }
        for side, vectors in (("x", frame.x), ("y", frame.y)):
            quality = anchor_quality(vectors)
            facts[f"rank_{side}"] = quality.rank
            facts[f"condition_{side}"] = quality.condition
            facts[f"mean_cosine_{side}"] = quality.mean_cosine
        return facts


_CITE = "ties in expectation (McSherry & Najork 2008, doi:10.1007/978-3-540-78646-7_38)"


class _Intervals:
    """Means with their intervals: by bootstrap, made once, or by the normal law where queries are many."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made: dict[int, Bootstrap] = {}

    def mean(self, values: Floats) -> dict[str, Any]:
        """Return the value and interval of a Score."""
        count = len(values)
        mean = float(values.mean())
        if count < 2:
            return {"value": mean}
        if count > _BOOTSTRAPPED:
            half = 1.959964 * float(values.std(ddof=1)) / np.sqrt(count)
            interval = Interval(mean - half, mean + half, LEVEL, "normal law over queries, conditional on the gallery")
            return {"value": mean, "interval": interval}
        if count not in self._made:
            self._made[count] = Bootstrap(count, seed=self._seed)
        method = f"bootstrap of queries ({RESAMPLES:,} draws), conditional on the gallery"
        return {"value": mean, "interval": Interval(*self._made[count].interval(values), LEVEL, method)}


@dataclass(frozen=True)
class _Steadily:
    """A map applied to 256 rows at a time on one thread: the size of a product must not show in its rounding."""

    inner: Projection
    rows: int = 256

    def __call__(self, v: Floats) -> Floats:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1):
            parts = []
            for rows in row_slices(len(v), self.rows):
                missing = self.rows - (rows.stop - rows.start)
                parts.append(self.inner(np.pad(v[rows], ((0, missing), (0, 0))))[: rows.stop - rows.start])
            return np.concatenate(parts)


@dataclass(frozen=True)
class _Widening:
    """Rows zero-padded to `width`: cosines stay."""

    width: int

    def __call__(self, v: Floats) -> Floats:
        return translation.widened(v, self.width)


def _rate(values: Floats) -> dict[str, Any]:
    """Return the value and interval of a share of hits."""
    share = float(values.mean())
    if len(values) < 2:
        return {"value": share}
    return {"value": share, "interval": Interval(*rate_interval(share, len(values)), LEVEL, "Wilson score of queries")}


def _mean_by_count(counts: Index, value: Callable[[NDArray[np.int64]], Floats]) -> float:
    """Return the mean of a value that depends on a count alone, computed once for each."""
    unique, times = np.unique(counts, return_counts=True)
    return float(value(unique) @ times / times.sum())


def _check_widths(x: Space, y: Space, options: Options, asked: Queries) -> None:
    absolute = [name for name in options.via if name.startswith("absolute")]
    if absolute and x.dim != y.dim:
        raise VectorError(
            f"--via {absolute[0]} compares coordinates, and {x.name} has {x.dim} dimensions, {y.name} {y.dim}. "
            "Use --via relative or translate:ortho."
        )
    if asked.space is not None and asked.space.dim != x.dim:
        raise VectorError(
            f"{asked.space.name} has {asked.space.dim} dimensions and {x.name} {x.dim}: queries are vectors of the "
            "model that made x."
        )


def _near(name: str, ids: Ids) -> str:
    """Return " Did you mean 'x'?" for the nearest id, looked for among those of about the same length."""
    lengths = np.char.str_len(ids)
    some = ids[np.abs(lengths - len(name)) <= 3]
    if len(some) > 20_000:
        some = some[np.char.startswith(some, name[:2])][:20_000]
    return did_you_mean(name, some.tolist())


def _described(space: Space) -> dict[str, Any]:
    origin = space.origin
    return {
        "name": space.name,
        "path": origin.path,
        "member": origin.member,
        "format": origin.format,
        "rows": len(space),
        "dim": space.dim,
        "dtype": origin.dtype,
        "id_source": origin.id_source,
        "sha256": origin.sha256,
        "notes": list(origin.notes),
    }


def _versions(options: Options) -> dict[str, str]:
    return versions() | ({} if options.index == "exact" else {"faiss-cpu": version("faiss-cpu")})
