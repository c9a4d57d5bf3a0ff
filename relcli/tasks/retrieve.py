"""For items of one space, the nearest items of another: hits, and how often they are the right ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from relcli._version import versions
from relcli.accumulators.hits import Survey
from relcli.accumulators.probe import Census, repeats_left_out, without_bad
from relcli.engines.engine import Engine, Progress
from relcli.errors import IdError, JoinError, UsageError, VectorError, counted, did_you_mean, first_few
from relcli.evaluation.answers import ROW_NUMBERS, find_truth
from relcli.evaluation.choosing import choose_retrieval, parse_candidates, tries
from relcli.evaluation.heldout import CSLS_NEIGHBOURS
from relcli.evaluation.hits import BOOTSTRAPPED, HitLists, hit_figures, index_figure
from relcli.evaluation.indexes import IndexStore, depth_of, index_facts, search_indexes
from relcli.evaluation.policies import check_policies
from relcli.evaluation.scoring import Intervals
from relcli.evaluation.searching import Asked, Found, SearchVia, Start, Take, search_all
from relcli.evaluation.steadily import Steadily
from relcli.evaluation.vias import ADDITIONS, Via, Way, beside, check_widths, make_via, parse_way, via_name
from relcli.reports.recommendation import Choice, beyond_chance, told
from relcli.reports.report import Score
from relcli.reports.retrieval import Retrieval
from relcli.spaces.anchors import AnchorChoice, AnchorList, Anchors, settle_anchors
from relcli.spaces.gallery import Gallery
from relcli.spaces.index import parse_index
from relcli.spaces.pairing import Ids, PairedSpaces, first_notes
from relcli.spaces.relative import Centering, anchor_facts, check_same_frame
from relcli.spaces.space import Space

#: The way that is chosen by held-out anchors, see relcli.evaluation.choosing.
AUTO = "auto"

# the fewest and the most queries that are searched for at once, and rows of the gallery that tell where its middle is
_BLOCK_ROWS = (64, 65536)
_SAMPLE_ROWS = 2048


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
        ways = [_way(text) for text in self.via if text != AUTO]
        if len(ways) < len(self.via) and (self.center or self.csls):
            raise UsageError(f"--via {AUTO} settles centring and CSLS by itself. Drop --center and --csls.")
        # what holds for all is not said of each
        ways = [way.less(center=self.center, csls=self.csls) for way in ways]
        names = iter([way.name for way in ways])
        object.__setattr__(
            self, "via", tuple(dict.fromkeys(AUTO if text == AUTO else next(names) for text in self.via))
        )
        if parse_index(self.index) != "exact" and (self.csls or any(way.csls for way in ways)):
            raise UsageError(
                f"--csls needs the neighbours of every item, and --index {self.index} keeps none. "
                "Drop --csls, or pass --index exact."
            )
        check_policies(self)


@dataclass(frozen=True)
class Queries:
    """What is asked: `ids` of x, all of x where there are none, or the rows of a `space` as wide as x."""

    ids: Ids | None = None
    space: Space | None = None
    source: str = "all rows of x"


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
        return via_name(name, additions=ADDITIONS, products=True)

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


def retrieve(
    x: Space,
    y: Space,
    anchors: AnchorList | AnchorChoice | None,
    options: Options,
    *,
    engine: Engine,
    queries: Queries,
    take: Take,
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
    retriever = _Retriever(x, y, anchors, options, engine, queries, truth, progress)
    return retriever.report(retriever.search(take, store))


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
        _check_ways(x, y, anchors, options, asked)
        policy: Any = options.on_duplicate
        every, gallery = Gallery.of(x, on_duplicate=policy), Gallery.of(y, on_duplicate=policy)
        self.notes += repeats_left_out(every) + repeats_left_out(gallery)
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
        self.frame = self._frame(anchors)
        self.centres: tuple[Centering, Centering] | None = None
        self.choice = self._choice() if AUTO in options.via else None
        ways = [_way(name) for name in self._names()]
        if options.center or any(way.centres for way in ways):
            self.centres = self.centres or self._centres()
        if options.center:
            self._centre()
        self.anchors = anchors
        self.vias = [self._via(way) for way in ways]
        self.gallery = replace(self.gallery, width=y.dim + sum(2 * via.width for via in self.vias))
        leaking = None if options.include_anchors else self.frame
        self.truth, notes = find_truth(self.queries, self.gallery, truth, leaking, new=asked.space is not None)
        self.notes += notes

    def _surveyed(self, rows: Gallery, side: str) -> Gallery:
        """Return the rows without the bad ones, or refuse them, as the policy says."""
        what = {"x": f"checking {self.x.name}", "y": f"checking {self.y.name}", "queries": "checking queries"}[side]
        name = {"x": self.x.name, "y": self.y.name, "queries": rows.space.name}[side]
        survey = self.engine.reduce(rows, Survey(), self._start(what, len(rows)))
        kept, notes = without_bad(rows, survey.bad, name, self.options.on_bad)
        self.notes += notes
        return kept

    def _start(self, what: str, total: int) -> Progress | None:
        return self.progress and self.progress(what, total)

    def _queries(self, every: Gallery) -> tuple[Gallery, bool]:
        """Return the queries, and whether they are all rows of x."""
        asked = self.asked
        if asked.space is not None:
            rows = Gallery.of(asked.space, on_duplicate=self.options.on_duplicate)  # type: ignore[arg-type]
            self.notes += repeats_left_out(rows)
            return rows, False
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
            are, were = ("is", "was") if frame.missing == 1 else ("are", "were")
            self.notes.append(f"{counted(frame.missing, 'anchor')} {are} missing from a space and {were} left out")
        return frame

    def _scores_by_csls(self) -> bool:
        via = self.options.via
        return self.options.csls or AUTO in via or any(_way(name).csls for name in via if name != AUTO)

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
            engine=self.engine,
            step=self._start("choosing a way", tries(len(ways))),
        )
        self.notes += [told(choice), *beyond_chance(choice), *notes]
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

    def _via(self, way: Way) -> SearchVia:
        """Return what carries rows by a way to where they are searched."""
        via = self._carrier(way)
        width = self.y.dim if self.frame is None else via.x(self.frame.x[:1]).shape[1]
        csls, center = way.csls or self.options.csls, way.centres or self.options.center
        return SearchVia(way.name, via.x, via.y, width, csls=csls, center=center)

    def _carrier(self, way: Way) -> Via:
        """Return the way fitted on the anchors, which are centred already where all ways are."""
        if way.members:
            return beside(way.name, [self._carrier(member) for member in way.members])
        means = self.centres and (self.centres[0].mean, self.centres[1].mean)
        if self.frame is None:
            none = np.zeros((0, self.x.dim))
            return make_via(way, none, none, means=means)
        via = make_via(way, self.frame.x, self.frame.y, means=means)
        if way.kind != "translate":
            return via
        widest = max(self.x.dim, self.y.dim)
        if len(self.frame) <= widest:
            self.notes.append(
                f"{way.name} is fitted on {len(self.frame)} anchors for {widest} dimensions: it is under-determined, "
                "and finds more with more anchors"
            )
        return Via(via.name, Steadily(via.x), via.y)

    def search(self, take: Take, store: IndexStore | None) -> Found:
        """Search for every query, in all of the gallery or by an index; return what was counted."""
        options = self.options
        asked = Asked(
            queries=self.queries,
            gallery=self.gallery,
            every=self.every,
            truth=self.truth,
            k=options.k,
            seed=options.seed,
            engine=self.engine,
            progress=self.progress,
            blocks=_BLOCK_ROWS,
            sample_rows=_SAMPLE_ROWS,
        )
        if options.index == "exact":
            return search_all(asked, self.vias, take)
        centre = self.centres and self.centres[1]
        facts = partial(
            index_facts, kind=options.index, y=self.y, gallery=self.gallery, frame=self.frame, centre=centre
        )
        return search_indexes(asked, self.vias, take, kind=options.index, store=store, facts=facts)

    def report(self, found: Found) -> Retrieval:
        """Return the figures, and everything they depend on."""
        options, truth, queries = self.options, self.truth, len(self.queries)
        counted = int(truth.counted.sum()) if truth else 0
        by_number = truth is not None and truth.source == ROW_NUMBERS
        notes = [*first_notes(self.x, self.y, by_number=by_number, refusing=False), *self.notes, *found.notes]
        if truth is not None and truth.answered < queries:
            notes.append(
                f"{queries - truth.answered:,} of {queries:,} queries have no relevant item in "
                f"{self.y.name} and are not in the figures"
            )
        if truth is not None and not counted:
            notes.append("no query is left for the figures")
        anchors = {}
        if self.frame is not None and self.anchors is not None:
            anchors = anchor_facts(self.frame, self.anchors, scored=options.include_anchors)
        return Retrieval(
            x=self.x.facts(),
            y=self.y.facts(),
            queries={"count": queries, "source": self.asked.source, "counted": counted},
            anchors=anchors,
            scores=tuple(self._scores(found, counted)),
            settings={
                "via": [via.name for via in self.vias],
                **({"auto": asdict(self.choice)} if self.choice else {}),
                "k": options.k,
                "scores": f"csls({CSLS_NEIGHBOURS})" if options.csls else "cosine",
                "center": options.center,
                "include_anchors": options.include_anchors,
                "truth": truth.source if truth else None,
                "index": options.index,
                "seed": options.seed,
                "on_duplicate": options.on_duplicate,
                "on_bad": options.on_bad,
                "missing_anchors": options.missing_anchors,
            },
            versions=_versions(options),
            notes=tuple(dict.fromkeys(notes)),
        )

    def _scores(self, found: Found, counted: int) -> Iterator[Score]:
        options, count = self.options, len(self.gallery)
        exact = options.index == "exact"
        deepest = None if exact else depth_of(options.k, count)
        intervals = Intervals(options.seed, bootstrapped=BOOTSTRAPPED)
        for via in self.vias:
            if counted:
                yield from hit_figures(via.name, found.counts[via.name], intervals, gallery=count, deepest=deepest)
            if not exact:
                shares = found.recalls[via.name]
                yield index_figure(via.name, shares, intervals, k=options.k, index=options.index, gallery=count)


def _way(text: str) -> Way:
    """Return the way that a text names, with all that may be added to one."""
    return parse_way(text, additions=ADDITIONS, products=True)


def _check_ways(
    x: Space, y: Space, anchors: AnchorList | AnchorChoice | None, options: Options, asked: Queries
) -> None:
    """Raise the error of a width or of missing anchors that some way cannot do with."""
    ways = {name: _way(name) for name in options.via if name != AUTO}
    check_widths(ways.values(), (x.name, x.dim), (y.name, y.dim))
    if asked.space is not None and asked.space.dim != x.dim:
        raise VectorError(
            f"{asked.space.name} has {asked.space.dim} dimensions and {x.name} {x.dim}: queries are vectors of the "
            "model that made x."
        )
    relating = [
        name for name in options.via if name == AUTO or any(part.kind != "absolute" for part in ways[name].parts)
    ]
    if anchors is None and relating:
        raise UsageError(f"--via {relating[0]} needs anchors: give --anchors FILE, or --anchors uniform:N.")


def _near(name: str, ids: Ids) -> str:
    """Return " Did you mean 'x'?" for the nearest id, looked for among those of about the same length."""
    lengths = np.char.str_len(ids)
    some = ids[np.abs(lengths - len(name)) <= 3]
    if len(some) > 20_000:
        some = some[np.char.startswith(some, name[:2])][:20_000]
    return did_you_mean(name, some.tolist())


def _versions(options: Options) -> dict[str, str]:
    return versions() | ({} if options.index == "exact" else {"faiss-cpu": version("faiss-cpu")})
