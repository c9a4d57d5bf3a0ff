"""Which way suits two spaces: each is tried on anchors that were held out of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from relcli.arrays import Floats, on_grid, unit_rows
from relcli.errors import AnchorError, UsageError, first_few
from relcli.evaluation.vias import ADDITIONS, Means, Way, make_via, parse_way
from relcli.measures.relevance import first_ranks, reciprocal_ranks
from relcli.reports.recommendation import MEASURES, Choice, Trial
from relcli.spaces.anchors import Anchors
from relcli.spaces.gallery import Gallery
from relcli.spaces.pairing import Ids, Index, Mask, hash_ids
from relcli.spaces.relative import Centering
from relcli.spaces.similarity import SIMILARITIES, Frame
from relcli.spaces.translation import Translation, fit_translation

#: Similarities that see one anchor at a time: without some anchors they are the same columns without some.
COLUMNWISE = ("cosine", "inner", "euclidean", "l1", "linf", "angular")

#: The depth of the neighbourhoods that CSLS takes its means over.
CSLS_NEIGHBOURS = 10

#: What is tried where nothing else is named.
RETRIEVING = (
    "relative",
    "relative+center",
    "relative:angular",
    "relative:euclidean",
    "relative:l1",
    "translate:ortho",
    "translate:ortho+center",
    "translate:l-ortho",
    "translate:l-ortho+center",
    "translate:ridge",
    "translate:ridge+center",
    "translate:linear+center",
    "translate:inverse-relative+center",
)
STITCHING = (
    "relative",
    "relative+center",
    "relative:angular+center",
    "relative:euclidean",
    "relative:l1",
    "relative:inner+center",
    "translate:ortho",
    "translate:l-ortho",
    "translate:ridge",
    "translate:linear",
    "translate:inverse-relative",
)

#: How many ways are tried by CSLS in earnest, which costs more than all the rest: those that are best by a rough one,
#: with so many rows to seek neighbours among and so many parts of the anchors to leave out.
CSLS_TRIED, ROUGH_ROWS, ROUGH_PARTS = 4, 1000, 5

FOLDS, LEAST_ANCHORS = 10, 10

#: Up to this many rows of either space all are searched; above it a sample of that many, by hashed id.
ROWS = 10_000

_BLOCK = 1024


def fold_numbers(ids: Ids, folds: int, *, seed: int = 0) -> Index:
    """Return the fold [a], 0 to folds − 1, of each anchor, dealt out in the order of hashed ids."""
    fold = np.empty(len(ids), np.int64)
    fold[np.lexsort((ids, hash_ids(ids, seed=seed + 0xF01D)))] = np.arange(len(ids)) % folds
    return fold


@dataclass(frozen=True, eq=False)
class Known:
    """
    All that a choice may look at on the way from x to y.

    Anchors `x` [a, dx] and `y` [a, dy] are pairs, each with its `fold` [a]. `gallery` [n, dy] are rows of y with the
    anchors at `at` [a], and `rows` [s, dx] rows of x, the neighbours for CSLS: who pairs with whom there is not known.
    `near` [r] are those of them among which a rough CSLS seeks `depth`.
    """

    x: Floats
    y: Floats
    fold: Index
    gallery: Floats
    at: Index
    rows: Floats
    near: Index
    depth: int
    means: Means
    _fitted: dict[tuple[str, bytes], Translation] = field(default_factory=dict, repr=False)

    def translation(self, method: str, held: Mask) -> Translation:
        """Return the map from x to y fitted on all anchors but those held out; each is fitted once."""
        key = method, held.tobytes()
        if key not in self._fitted:
            self._fitted[key] = fit_translation(self.x[~held], self.y[~held], method=method)
        return self._fitted[key]

    def folds(self) -> Iterator[Mask]:
        """Yield which anchors [a] are held out, fold after fold."""
        for number in range(int(self.fold.max()) + 1):
            yield self.fold == number


@dataclass(frozen=True, eq=False)
class HeldOut:
    """
    What ways that knew nothing of an anchor made of it, anchor by anchor [a].

    `greater` rows of the gallery score above its own, and `level` others as much. `lead` is what its own scores above
    the best of the others, in standard deviations of the anchor's scores.
    """

    greater: Index
    level: Index
    lead: Floats

    @property
    def reciprocal(self) -> Floats:
        """1 / rank [a], expected over ties."""
        return reciprocal_ranks(self.greater, self.level, np.ones_like(self.level))

    @property
    def merit(self) -> Floats:
        """The logarithm [a] of 1 / rank, the rank expected over ties: what ways are chosen by."""
        return np.asarray(-np.log(first_ranks(self.greater, self.level, np.ones_like(self.level))))


def held_out(ways: Sequence[Way], known: Known, *, rough: bool = False) -> list[HeldOut]:
    """
    Return what each of ways that differ by CSLS alone makes of anchors in folds that it knew nothing of.

    Scores are cosines, or CSLS (Conneau et al. 2018, arXiv:1710.04087, eq. 4). A `rough` one takes off what was found
    among a few rows, by anchors that leave out the whole fifth that a fold is of.
    """
    carrier = _carrier(ways[0], known)
    found = [
        HeldOut(np.zeros(len(known.x), np.int64), np.zeros(len(known.x), np.int64), np.zeros(len(known.x)))
        for _ in ways
    ]
    penalties: dict[int, Floats] = {}
    for number, held in enumerate(known.folds()):
        carried = carrier.without(held)
        cosines = carried.scores()
        part = number % ROUGH_PARTS
        if rough and part not in penalties:
            penalties[part] = carrier.without(known.fold % ROUGH_PARTS == part).penalty(known.near, known.depth)
        at = known.at[held][:, None]
        for way, one in zip(ways, found, strict=True):
            scores = cosines.copy()
            if way.csls:
                scores -= penalties[part] if rough else carried.penalty(slice(None), CSLS_NEIGHBOURS)
            own = np.take_along_axis(scores, at, axis=1)
            one.greater[held], one.level[held] = (scores > own).sum(axis=1), (scores == own).sum(axis=1) - 1
            spread = scores.std(axis=1)
            np.put_along_axis(scores, at, -np.inf, axis=1)
            one.lead[held] = (own[:, 0] - scores.max(axis=1)) / np.where(spread > 0, spread, 1.0)
    return found


class _Fold:
    """What one fold compares: held-out `queries` [f, w], a gallery [n, w] of unit rows, and rows [s, w] if asked."""

    def __init__(self, queries: Floats, gallery: Floats, rows: Callable[[Any], Floats]) -> None:
        self.queries, self.gallery, self._rows = unit_rows(queries), gallery, rows

    def scores(self) -> Floats:
        """Return the cosines [f, n], on the grid, so that copies of a row tie."""
        return on_grid(self.queries @ self.gallery.T)

    def penalty(self, near: Index | slice, depth: int) -> Floats:
        """Return half the mean cosine [n] of each of the gallery with the nearest `depth` of some rows."""
        rows = unit_rows(self._rows(near)).astype(np.float32).T
        gallery = self.gallery.astype(np.float32)
        cut = rows.shape[1] - min(depth, rows.shape[1])
        means = [
            np.partition(gallery[start : start + _BLOCK] @ rows, cut, axis=1)[:, cut:].mean(axis=1, dtype=np.float64)
            for start in range(0, len(gallery), _BLOCK)
        ]
        # float32 lets copies of a row differ by less than this
        return np.rint(np.concatenate(means) * 2.0**19) * 2.0**-20


class _Columns:
    """A similarity of one anchor at a time: computed once, and a fold's columns left out."""

    def __init__(self, way: Way, known: Known) -> None:
        self.sides = _centred(way, known)
        self.similarity = SIMILARITIES[way.detail]
        x, y, _, gallery = self.sides
        self.frame_x = Frame(x, exact=False)
        self.queries = self.similarity(x, self.frame_x)
        self.gallery = self.similarity(gallery, Frame(y, exact=False))

    @cached_property
    def rows(self) -> Floats:
        return self.similarity(self.sides[2], self.frame_x)

    def without(self, held: Mask) -> _Fold:
        kept = np.flatnonzero(~held)
        queries = self.queries[np.ix_(np.flatnonzero(held), kept)]
        return _Fold(queries, unit_rows(self.gallery[:, kept]), lambda near: self.rows[near][:, kept])


class _Refitted:
    """Any other way that both sides go: made anew for each fold."""

    def __init__(self, way: Way, known: Known) -> None:
        self.way, self.known = way, known

    def without(self, held: Mask) -> _Fold:
        known = self.known
        via = make_via(self.way, known.x[~held], known.y[~held], means=known.means)
        return _Fold(via.x(known.x[held]), unit_rows(via.y(known.gallery)), lambda near: via.x(known.rows[near]))


class _Moved:
    """A translation, which moves x alone; centring comes after it, for it fits a shift of its own."""

    def __init__(self, way: Way, known: Known) -> None:
        self.way, self.known = way, known
        self.shift = known.means[1] if way.center else np.zeros(known.y.shape[1])
        self.gallery = unit_rows(known.gallery - self.shift)

    def without(self, held: Mask) -> _Fold:
        known = self.known
        moved = known.translation(self.way.detail, held)
        return _Fold(moved(known.x[held]) - self.shift, self.gallery, lambda near: moved(known.rows[near]) - self.shift)


def _centred(way: Way, known: Known) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the anchors of x and of y, the rows and the gallery, centred where the way is."""
    sides = known.x, known.y, known.rows, known.gallery
    if not way.center:
        return sides
    x, y = map(Centering.of, known.means)
    return x(sides[0]), y(sides[1]), x(sides[2]), y(sides[3])


def _carrier(way: Way, known: Known) -> _Columns | _Refitted | _Moved:
    if way.kind == "translate":
        return _Moved(way, known)
    return _Columns(way, known) if _by_column(way) else _Refitted(way, known)


@dataclass(frozen=True)
class Tried:
    """
    How one way did on each held-out anchor: `values` [a] are what a reader knows, `merit` [a] what ways are chosen by.

    `back` [a] are the values of the way back, where it was gone; `ranks` those of retrieval.
    """

    way: Way
    values: Floats
    seconds: float
    merit: Floats
    ranks: HeldOut | None = None
    back: Floats | None = None

    @property
    def score(self) -> float:
        """The mean of the values."""
        return float(self.values.mean())

    @property
    def worth(self) -> float:
        """The mean merit, rounded so that the order of a sum does not part ways."""
        return round(float(self.merit.mean()), 12)

    @property
    def lead(self) -> float:
        """What parts ways of equal scores: the mean lead of the ranks."""
        return round(float(self.ranks.lead.mean()), 9) if self.ranks else 0.0


def best_of(found: Sequence[Tried]) -> Tried:
    """Return the way of the highest mean merit, of level ones that of the largest lead, then the first."""
    return max(found, key=_rank)


def _rank(one: Tried) -> tuple[float, float]:
    return one.worth, one.lead


Step = Callable[[int], None] | None


def try_retrieving(
    ways: Sequence[Way], known: Known, back: Known | None = None, *, csls: bool = True, step: Step = None
) -> list[Tried]:
    """
    Return how each way ranks held-out anchors' own; `back` is what is known from y to x.

    With `csls` the CSLS_TRIED ways that a rough CSLS does best by are tried by CSLS too.
    """
    found, rough = [], dict[Way, HeldOut]()
    for way in ways:
        again = replace(way, csls=True)
        if way.csls or not csls or again in ways:
            found.append(_tried(way, known, back))
        else:
            begun = time.perf_counter()
            plain, rough[again] = held_out((way, again), known, rough=True)
            found.append(_told(way, plain, back, begun))
        if step:
            step(1)
    for way in sorted(rough, key=lambda way: -round(float(rough[way].merit.mean()), 12))[:CSLS_TRIED]:
        found.append(_tried(way, known, back))
        if step:
            step(1)
    return found


def _tried(way: Way, known: Known, back: Known | None) -> Tried:
    begun = time.perf_counter()
    return _told(way, held_out((way,), known)[0], back, begun)


def _told(way: Way, ranks: HeldOut, back: Known | None, begun: float) -> Tried:
    returned = None if back is None else held_out((way,), back)[0].reciprocal
    return Tried(way, ranks.reciprocal, time.perf_counter() - begun, ranks.merit, ranks, returned)


@dataclass(frozen=True, eq=False)
class Learnt:
    """
    All that a choice may look at before heads trained on x are tested on y.

    Anchors `x` [a, dx] and `y` [a, dy] are pairs with `codes` [a] of their classes and a `fold` [a]. `rows` [n, dx] are
    those that heads are trained on, with `row_codes` [n]; `at` [a] is where each anchor stands among them, or −1.
    """

    x: Floats
    y: Floats
    codes: Index
    fold: Index
    rows: Floats
    row_codes: Index
    at: Index
    means: Means
    scaling: str = "global"

    @cached_property
    def classes(self) -> Index:
        """All codes [c] there are."""
        return np.unique(np.concatenate([self.codes, self.row_codes]))

    @property
    def known(self) -> Index:
        """Where each anchor's code stands among the classes [a]."""
        return np.searchsorted(self.classes, self.codes)

    def trained(self, held: Mask) -> Mask:
        """Return which rows [n] a head sees that is tested on the anchors held out."""
        seen = np.ones(len(self.rows), bool)
        seen[self.at[held & (self.at >= 0)]] = False
        return seen


def try_stitching(ways: Sequence[Way], learnt: Learnt, *, step: Step = None) -> list[Tried]:
    """Return, for each way, what ridge heads trained on x without an anchor make of it from y."""
    straight: dict[int, Ridge] = {}
    found = []
    for way in ways:
        begun = time.perf_counter()
        decisions = held_out_decisions(way, learnt, straight)
        hits = (np.argmax(decisions, axis=1) == learnt.known).astype(np.float64)
        merit = fitted_log_likelihood(decisions, learnt.known)
        found.append(Tried(way, hits, time.perf_counter() - begun, merit=merit))
        if step:
            step(1)
    return found


#: Temperatures to choose among, in units of ridge's targets, −1 and 1.
_TEMPERATURES = 2.0 ** np.arange(-6, 3.5, 0.5)


def fitted_log_likelihood(decisions: Floats, codes: Index) -> Floats:
    """
    Return the logarithm [a] of the probability of each anchor's own class, by a softmax of decisions [a, c] over T.

    The one T is that of the largest mean: ways whose decisions are of other sizes compare by how well these part
    classes (Guo et al. 2017, arXiv:1706.04599, section 4.2).
    """

    def at(temperature: float) -> Floats:
        scaled = (decisions - decisions.max(axis=1, keepdims=True)) / temperature
        own = scaled[np.arange(len(codes)), codes]
        return np.asarray(own - np.log(np.exp(scaled).sum(axis=1)))

    return max((at(temperature) for temperature in _TEMPERATURES), key=lambda values: float(values.mean()))


def held_out_decisions(way: Way, learnt: Learnt, straight: dict[int, Ridge]) -> Floats:
    """
    Return the decision values [a, c] of each anchor in y, by a head of x that was trained without its fold.

    Where it saw no row of a class, its value there is −1, the target of rows of other classes. Heads that see x as it
    is are kept in `straight`, a fold each: translations share them.
    """
    found = np.full((len(learnt.x), len(learnt.classes)), -1.0)
    columns = _by_column(way) and _LearntColumns(way, learnt)
    for number in range(int(learnt.fold.max()) + 1):
        held = learnt.fold == number
        seen = learnt.trained(held)
        if columns:
            head, tested = columns.without(held, seen)
        elif way.kind == "translate":
            # the head sees x as it is, whatever brings y there
            if number not in straight:
                straight[number] = Ridge.of(learnt.rows[seen], learnt.row_codes[seen])
            head = straight[number]
            carried = fit_translation(learnt.y[~held], learnt.x[~held], method=way.detail, scaling=learnt.scaling)
            tested = carried(learnt.y[held])
        else:
            via = make_via(way, learnt.x[~held], learnt.y[~held], means=learnt.means)
            head, tested = Ridge.of(via.x(learnt.rows[seen]), learnt.row_codes[seen]), via.y(learnt.y[held])
        found[np.ix_(np.flatnonzero(held), np.searchsorted(learnt.classes, head.classes))] = head.decisions(tested)
    return found


def _by_column(way: Way) -> bool:
    """Return whether a way without some anchors has the columns it has with them, less theirs."""
    return way.kind == "relative" and way.detail in COLUMNWISE and way.quantize is None and way.sparse is None


class _LearntColumns:
    """A similarity of one anchor at a time: rows and their moments computed once, a fold's taken out of them."""

    def __init__(self, way: Way, learnt: Learnt) -> None:
        similarity = SIMILARITIES[way.detail]
        shift_x, shift_y = learnt.means if way.center else (0.0, 0.0)
        self.rows = similarity(learnt.rows - shift_x, Frame(learnt.x - shift_x, exact=False))
        self.tested = similarity(learnt.y - shift_y, Frame(learnt.y - shift_y, exact=False))
        self.codes = learnt.row_codes
        self.classes = np.unique(learnt.row_codes)
        # about the mean of all, so that taking a few rows out cancels no digits
        self.mean = self.rows.mean(axis=0)
        self.moments = self._moments(np.ones(len(self.rows), bool))

    def _moments(self, some: Mask) -> list[Floats]:
        rows, targets = self.rows[some] - self.mean, _targets(self.codes[some], self.classes)
        return [rows.T @ rows, rows.T @ targets, rows.sum(axis=0), targets.sum(axis=0)]

    def without(self, held: Mask, seen: Mask) -> tuple[Ridge, Floats]:
        """Return a head trained on the rows seen without the columns held out, and what it is tested on."""
        kept = np.flatnonzero(~held)
        gram, cross, total, count = (
            np.asarray(a - b, np.float64) for a, b in zip(self.moments, self._moments(~seen), strict=True)
        )
        size = int(seen.sum())
        gram, cross, mean = gram[np.ix_(kept, kept)], cross[kept], total[kept] / size
        middle: Floats = np.asarray(count / size, np.float64)
        head = Ridge.solved(
            gram - size * np.outer(mean, mean),
            cross - size * np.outer(mean, middle),
            mean + self.mean[kept],
            middle,
            self.classes,
        )
        return head, self.tested[np.ix_(np.flatnonzero(held), kept)]


def _targets(codes: Index, classes: Index) -> Floats:
    return np.where(codes[:, None] == classes, 1.0, -1.0)


@dataclass(frozen=True, eq=False)
class Ridge:
    """A ridge head for classes, its penalty 1 and its intercept free: what scikit-learn's RidgeClassifier is."""

    classes: Index
    weights: Floats
    intercept: Floats

    @classmethod
    def of(cls, rows: Floats, codes: Index) -> Ridge:
        """Return the head trained on rows [n, w] with their codes [n]."""
        classes = np.unique(codes)
        targets = _targets(codes, classes)
        mean, middle = rows.mean(axis=0), targets.mean(axis=0)
        centred = rows - mean
        return cls.solved(centred.T @ centred, centred.T @ (targets - middle), mean, middle, classes)

    @classmethod
    def solved(cls, gram: Floats, cross: Floats, mean: Floats, middle: Floats, classes: Index) -> Ridge:
        """Return the head for centred rows' products [w, w] with themselves and [w, c] with centred targets."""
        weights: Floats = np.linalg.solve(gram + np.eye(len(gram)), cross).astype(np.float64, copy=False)
        return cls(classes, weights, np.asarray(middle - mean @ weights, np.float64))

    def decisions(self, rows: Floats) -> Floats:
        """Return the decision values [b, c] of rows."""
        return np.asarray(rows @ self.weights + self.intercept)

    def __call__(self, rows: Floats) -> Index:
        """Return the code [b] of each row."""
        codes: Index = self.classes[np.argmax(self.decisions(rows), axis=1)]
        return codes


def folds_for(anchors: int, wanted: int) -> int:
    """Return how many folds to make of the anchors, or raise AnchorError where there are too few to tell ways apart."""
    if anchors < LEAST_ANCHORS:
        raise AnchorError(
            f"{anchors:,} anchors are too few to choose a way by: some are held out in turn, and fewer than "
            f"{LEAST_ANCHORS} tell nothing. List more anchors, or name the way with --via."
        )
    return min(wanted, anchors)


def choice_of(
    purpose: str, found: Sequence[Tried], known: Known | Learnt, *, seed: int, rows: tuple[int, int], seconds: float
) -> Choice:
    """Return what is chosen from the ways tried, as a report tells it; `rows` were used, of so many."""
    best = best_of(found)
    count = len(best.values)
    trials = [
        Trial(
            one.way.name,
            one.score,
            _standard_error(one.values),
            one.worth,
            best.worth - one.worth,
            _standard_error(best.merit - one.merit),
            one.lead,
            None if one.back is None else float(one.back.mean()),
            one.seconds,
        )
        for one in sorted(found, key=_rank, reverse=True)
    ]
    arrays = [array for array in vars(known).values() if isinstance(array, np.ndarray) and array.ndim == 2]
    return Choice(
        purpose=purpose,
        measure=MEASURES[purpose],
        via=best.way.name,
        flags=flags_of(best.way, purpose),
        anchors=count,
        folds=int(known.fold.max()) + 1,
        seed=seed,
        rows={"used": rows[0], "of": rows[1]},
        bytes=sum(array.nbytes for array in arrays),
        seconds=seconds,
        trials=tuple(trials),
    )


def flags_of(way: Way, purpose: str) -> str:
    """Return how to ask for a way."""
    if purpose == "retrieval":
        return f"--via {way.name}"
    if way.kind == "translate":
        return f"--translate {way.detail}"
    return f"--similarity {way.detail}{'+center' if way.center else ''}"


def _standard_error(values: Floats) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def choose_retrieval(
    rows: Gallery,
    gallery: Gallery,
    frame: Anchors,
    means: Means,
    ways: Sequence[Way],
    *,
    folds: int = FOLDS,
    seed: int = 0,
    csls: bool = True,
    both: bool = False,
    step: Step = None,
) -> tuple[Choice, list[str]]:
    """
    Return the way that finds held-out anchors best in the gallery [n, dy], from x to y, and notes.

    No row but the anchors is known to be anyone's partner. `rows` [s, dx] are those of x, `both` also goes from y to x.
    Keeps up to ROWS rows of either space. On one BLAS thread: equal inputs choose alike, whatever the number of cores.
    """
    from threadpoolctl import threadpool_limits

    begun = time.perf_counter()
    fold = fold_numbers(frame.x_ids, folds_for(len(frame), folds), seed=seed)
    some_x, some_y = _sampled(rows, frame.x_ids, seed), _sampled(gallery, frame.y_ids, seed)
    vectors_x, vectors_y = (some.batch(slice(0, len(some))).vectors for some in (some_x, some_y))
    at_x, at_y = some_x.find(frame.x_ids), some_y.find(frame.y_ids)
    lost = (at_x < 0) | (at_y < 0)
    if lost.any():
        raise AnchorError(
            f"{int(lost.sum()):,} anchors are no rows to be found, for they were left out: "
            f"{first_few(list(frame.x_ids[lost]))}. Take them off the list, or mend their rows."
        )
    near = neighbours(some_x.ids, seed=seed)
    known = Known(frame.x, frame.y, fold, vectors_y, at_y, vectors_x, *near, means)
    back = None
    if both:
        near = neighbours(some_y.ids, seed=seed)
        back = Known(frame.y, frame.x, fold, vectors_x, at_x, vectors_y, *near, (means[1], means[0]))
    with threadpool_limits(limits=1):
        found = try_retrieving(ways, known, back, csls=csls, step=step)
    taken = time.perf_counter() - begun
    choice = choice_of("retrieval", found, known, seed=seed, rows=(len(some_y), len(gallery)), seconds=taken)
    notes = [
        f"ways were tried on {len(some):,} of {len(every):,} rows of {every.space.name}, the anchors and those "
        "with the smallest hashed ids: scores are higher than over all rows"
        for some, every in ((some_x, rows), (some_y, gallery))
        if len(some) < len(every)
    ]
    return choice, notes


def neighbours(ids: Ids, *, seed: int = 0) -> tuple[Index, int]:
    """Return where up to ROUGH_ROWS of the rows stand, those with the smallest hashed ids, and how many are near."""
    chosen = np.lexsort((ids, hash_ids(ids, seed=seed + 0xCA11)))[:ROUGH_ROWS]
    return np.sort(chosen), max(1, round(CSLS_NEIGHBOURS * len(chosen) / len(ids)))


def _sampled(rows: Gallery, anchors: Ids, seed: int) -> Gallery:
    """Return the rows, or of more than ROWS the anchors and those with the smallest hashed ids."""
    if len(rows) <= ROWS:
        return rows
    hashed = hash_ids(rows.ids, seed=seed + 0xCA11).astype(np.float64)
    hashed[rows.find(anchors)] = -1.0
    return rows.take(np.sort(np.lexsort((rows.ids, hashed))[:ROWS]))


def choose_stitching(learnt: Learnt, ways: Sequence[Way], *, of: int, seed: int = 0, step: Step = None) -> Choice:
    """Return the way by which heads of x know held-out anchors best from y; `of` is how many rows x has."""
    from threadpoolctl import threadpool_limits

    begun = time.perf_counter()
    with threadpool_limits(limits=1):
        found = try_stitching(ways, learnt, step=step)
    taken = time.perf_counter() - begun
    return choice_of("stitching", found, learnt, seed=seed, rows=(len(learnt.rows), of), seconds=taken)


def parse_candidates(texts: Sequence[str] | None, purpose: str) -> list[Way]:
    """Return the ways to try: those that are named, or the usual ones for the purpose."""
    usual = RETRIEVING if purpose == "retrieval" else STITCHING
    additions = ADDITIONS if purpose == "retrieval" else ("center", "quantize", "sparse")
    ways = dict.fromkeys(parse_way(text, additions=additions) for text in texts or usual)
    for way in ways:
        if purpose == "stitching" and (way.kind == "absolute" or (way.kind == "translate" and way.center)):
            raise UsageError(
                f"{way.name} is no way to stitch by: heads see relative vectors, or y translated as it is. Name "
                "relative:SIMILARITY, relative:SIMILARITY+center or translate:METHOD."
            )
    return list(ways)
