"""Two spaces in, one report out: every wanted measure on the absolute and the relative view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from relcli._version import versions
from relcli.accumulators.accumulator import Accumulator, Context
from relcli.accumulators.composite import Bundle, Folds, Through
from relcli.accumulators.moments import CrossMoments, HeldOut
from relcli.accumulators.neighbors import NeighborLists
from relcli.accumulators.probe import Census, Probe, without_bad_rows
from relcli.engines.engine import Engine, Progress
from relcli.errors import AnchorError, UsageError, did_you_mean
from relcli.measures.catalog import DEFAULT, find_measures
from relcli.measures.interval import LEVEL, RESAMPLES, Bootstrap, jackknife_interval, median_interval, rate_interval
from relcli.measures.measure import Measure, PerQuery, Undefined
from relcli.reports.report import Interval, Report, Score
from relcli.spaces.anchors import (
    ILL_CONDITIONED,
    AnchorChoice,
    AnchorList,
    Anchors,
    quality_facts,
    settle_anchors,
)
from relcli.spaces.pairing import Ids, PairedSpaces
from relcli.spaces.relative import Centering, RelativeProjection, anchor_digest, check_same_frame
from relcli.spaces.similarity import parse_similarity, similarity_name
from relcli.spaces.space import Space

VIEWS = ("relative", "absolute")

#: Up to this many rows all are queries; above it a sample of that many is.
ALL_QUERIES, SAMPLED_QUERIES = 50_000, 10_000

FOLDS = 10

#: What may become of rows and anchors that stand in the way.
POLICIES = {
    "on_duplicate": ("error", "first", "drop"),
    "on_bad": ("error", "drop"),
    "missing_anchors": ("error", "drop"),
}

#: What each preset sets, over the defaults and under what the user says.
PRESETS: dict[str, dict[str, Any]] = {
    # the authors' notebook for the word table of Moschella et al. 2023 (arXiv:2209.15430)
    "relreps": {
        "measures": ("cross-jaccard@k", "mrr@k", "cosine"),
        "k": 10,
        "include_anchors": True,
        "center": False,
    },
}


@dataclass(frozen=True)
class Options:
    """
    How to compare. `measures` empty means the default ones; `k` is the depth of those named "@k".

    `sample` is "auto", "all" or a number of queries; policies are as in the README.
    """

    measures: tuple[str, ...] = ()
    k: int = 10
    views: tuple[str, ...] = VIEWS
    similarity: str = "cosine"
    center: bool = False
    include_anchors: bool = False
    sample: str | int = "auto"
    seed: int = 0
    on_duplicate: str = "error"
    on_bad: str = "error"
    missing_anchors: str = "error"
    strict: bool = False
    preset: str | None = None

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"-k {self.k} is not a positive number of neighbours.")
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed} is negative: seeds are 0 or more.")
        parse_similarity(self.similarity)
        for name, allowed in POLICIES.items():
            said = getattr(self, name)
            if said not in allowed:
                flag = name.replace("_", "-")
                raise UsageError(f"--{flag} {said!r} is none of {', '.join(allowed)}.{did_you_mean(said, allowed)}")
        for view in self.views:
            if view not in VIEWS:
                raise UsageError(
                    f"No view is called {view!r}; there are {', '.join(VIEWS)}.{did_you_mean(view, VIEWS)}"
                )

    @property
    def queries(self) -> int | None:
        """The number of queries to sample, None for all; -1 to decide by the number of rows."""
        if self.sample == "auto":
            return -1
        if self.sample == "all":
            return None
        try:
            count = int(self.sample)
        except ValueError:
            count = 0
        if count < 1:
            raise UsageError(f"--sample {self.sample!r} is none of auto, all, or a positive number of queries.")
        return count


def preset_options(name: str) -> dict[str, Any]:
    """Return what a preset sets."""
    if name not in PRESETS:
        raise UsageError(f"No preset is called {name!r}; there are {', '.join(PRESETS)}.{did_you_mean(name, PRESETS)}")
    return {**PRESETS[name], "preset": name}


@dataclass
class _View:
    """One view of the pair: its context, its full accumulators, and what was left out of it."""

    name: str
    context: Context
    widths: tuple[int, int]
    projections: tuple[RelativeProjection, RelativeProjection] | None = None
    full: dict[type[Accumulator], Accumulator] = field(default_factory=dict)
    without: dict[type[Accumulator], list[Accumulator]] = field(default_factory=dict)


def compare(
    x: Space,
    y: Space,
    anchors: AnchorList | AnchorChoice,
    options: Options,
    *,
    engine: Engine,
    pairs: tuple[Ids, Ids] | None = None,
    progress: Callable[[str, int], Progress] | None = None,
) -> Report:
    """
    Return how alike x [n, dx] and y [n', dy] are by the wanted measures, in two passes over the files.

    `pairs` names which id of x goes with which of y, where they differ. `progress` is called with what
    is being done and the number of pairs to do, and returns what to call as they are done.
    """
    measures = find_measures(options.measures or DEFAULT, k=options.k)
    check_same_frame(x, y)
    joined = PairedSpaces.join(
        x,
        y,
        pairs=pairs,
        on_duplicate=options.on_duplicate,  # type: ignore[arg-type]
        strict=options.strict,
        seed=options.seed,
    )
    shared = len(joined)
    census = engine.reduce(joined, Census(x.dim, y.dim), progress and progress("checking rows", len(joined)))
    joined = without_bad_rows(joined, census, options.on_bad)
    if options.center:
        means = (Centering.of(total / max(census.count, 1)) for total in (census.sum_x, census.sum_y))
        joined = joined.map(*means)
    _check_depth(measures, len(joined))
    frame = settle_anchors(joined, anchors, missing=options.missing_anchors, seed=options.seed)  # type: ignore[arg-type]
    joined = joined.with_anchors(frame.x_ids, frame.y_ids, scored=options.include_anchors)
    scored = int(joined.scored.sum())
    if not scored:
        raise AnchorError(
            f"All {len(joined):,} shared pairs are anchors, so none is left to score. Use fewer anchors, or "
            "--include-anchors."
        )
    queries = options.queries
    if queries == -1:
        queries = None if scored <= ALL_QUERIES else SAMPLED_QUERIES
    views = _views(joined, frame, measures, options, queries)
    _fill(joined, views, measures, engine, progress)
    sampled = len(views[0].context.queries)
    bootstrap = _Intervals(options.seed)
    scores = [
        score
        for measure in measures
        for view in views
        if (score := _score(measure, view, bootstrap, scored)) is not None
    ]
    frame_facts = _anchor_facts(frame, anchors, options)
    return Report(
        command="compare",
        x=x.facts(),
        y=y.facts(),
        join=joined.facts(shared),
        anchors=frame_facts,
        scores=tuple(scores),
        settings=_settings(options, measures, sampled, scored),
        versions=versions(),
        notes=tuple(_notes(frame_facts, joined, frame, options, sampled, scored)),
    )


def _check_depth(measures: Sequence[Measure], pairs: int) -> None:
    depth = max((measure.k or 0 for measure in measures if measure.reads is NeighborLists), default=0)
    if depth >= pairs:
        raise UsageError(
            f"k = {depth:,} neighbours need at least {depth + 1:,} shared pairs, and the spaces share {pairs:,}. "
            "Pass a smaller -k, or share more."
        )


def _why_not(measure: Measure, view: _View) -> str | None:
    """Return why a measure has no value on a view, None where it has one."""
    dx, dy = view.widths
    if measure.same_width and dx != dy:
        return f"x has {dx} dimensions and y {dy}: their coordinates cannot be compared"
    return None


def _views(
    pair: PairedSpaces, frame: Anchors, measures: Sequence[Measure], options: Options, queries: int | None
) -> list[_View]:
    depth = max((m.k or 1 for m in measures if m.reads is NeighborLists), default=1)
    cross = any(m.reads is NeighborLists and m.same_width for m in measures)
    context = Context(probe=pair.probe(queries), anchors=(frame.x, frame.y), k=depth, cross=cross)
    views = []
    for name in options.views:
        if name == "relative":
            sides = _projections(frame, options)
            views.append(_View(name, context.through(*sides), (sides[0].dim, sides[1].dim), sides))
        else:
            views.append(_View(name, context, (pair.x.dim, pair.y.dim)))
    return views


def _projections(frame: Anchors, options: Options) -> tuple[RelativeProjection, RelativeProjection]:
    return RelativeProjection(frame.x, options.similarity), RelativeProjection(frame.y, options.similarity)


def _fill(
    pair: PairedSpaces,
    views: Sequence[_View],
    measures: Sequence[Measure],
    engine: Engine,
    progress: Callable[[str, int], Progress] | None,
) -> None:
    """Fill every accumulator that a defined measure reads, all in one pass."""
    bundle = Bundle({view.name: _wanted(view, measures) for view in views})
    if any(_inner(part).parts for part in bundle.parts.values()):
        bundle = engine.reduce(pair, bundle, progress and progress("comparing", len(pair)))
    for view in views:
        for part in _inner(bundle[view.name]).parts.values():
            if isinstance(part, Folds):
                total = part.total()
                view.without[type(total)] = part.without_each()
                view.full[type(total)] = total
            else:
                view.full[type(part)] = part
        view.full[Probe] = Probe.of(view.context)


def _inner(part: Accumulator) -> Bundle:
    inner = part.inner if isinstance(part, Through) else part
    assert isinstance(inner, Bundle)
    return inner


def _wanted(view: _View, measures: Sequence[Measure]) -> Accumulator:
    reads = {m.reads for m in measures if view.name in m.views and _why_not(m, view) is None} - {Probe}
    parts: dict[str, Accumulator] = {}
    for kind in sorted(reads, key=lambda kind: kind.__name__):
        empty = kind.empty(view.context, *view.widths)
        parts[kind.__name__] = Folds.of(empty, FOLDS) if kind in (CrossMoments, HeldOut) else empty
    return Through(Bundle(parts), *view.projections) if view.projections else Bundle(parts)


class _Intervals:
    """Bootstraps by number of queries, made once each."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made: dict[int, Bootstrap] = {}

    def mean(self, values: np.ndarray) -> Interval | None:
        if len(values) < 2:
            return None
        if len(values) not in self._made:
            self._made[len(values)] = Bootstrap(len(values), seed=self._seed)
        ends = self._made[len(values)].interval(values)
        return Interval(*ends, LEVEL, f"bootstrap of queries ({RESAMPLES:,} draws), conditional on the gallery")


def _score(measure: Measure, view: _View, intervals: _Intervals, scored: int) -> Score | None:
    if view.name not in measure.views:
        return None
    facts: dict[str, Any] = {
        "measure": measure.name,
        "view": view.name,
        "range": measure.range,
        "higher_is_closer": measure.higher_is_closer,
        "definition": measure.definition,
        "cite": measure.cite,
        "section": measure.section,
    }
    reason = _why_not(measure, view)
    if reason:
        return Score(value=None, undefined_because=reason, **facts)
    accumulator = view.full[measure.reads]
    try:
        found = measure.value(accumulator)
        facts["chance"] = measure.chance_level(accumulator)
    except Undefined as undefined:
        return Score(value=None, undefined_because=str(undefined), **facts)
    except (ArithmeticError, np.linalg.LinAlgError) as error:
        return Score(value=None, undefined_because=f"its arithmetic fails on numbers this large ({error})", **facts)
    facts["gallery"] = getattr(accumulator, "gallery", None)
    if isinstance(found, PerQuery):
        return _mean_over_queries(facts, found, intervals)
    try:
        others = [float(measure.value(other)) for other in view.without[measure.reads]]  # type: ignore[arg-type]
        ends = jackknife_interval(found, others, measure.range)
        interval = Interval(*ends, LEVEL, f"delete-a-group jackknife ({len(others)} folds)")
    except (Undefined, ArithmeticError, np.linalg.LinAlgError):
        interval = None
    return Score(value=float(found), interval=interval, pairs=getattr(accumulator, "count", scored), **facts)


def _mean_over_queries(facts: dict[str, Any], found: PerQuery, intervals: _Intervals) -> Score:
    directions = [found.forward] if found.backward is None else [found.forward, found.backward]
    middle = np.median if found.median else np.mean
    values = [float(middle(way)) for way in directions]
    if found.median:
        low, high = np.mean([median_interval(way) for way in directions], axis=0).tolist()
        interval: Interval | None = Interval(low, high, LEVEL, "order statistics of queries")
    elif found.rate:
        interval = Interval(*rate_interval(float(np.mean(values)), len(found.forward)), LEVEL, "Wilson score of queries")
    else:
        interval = intervals.mean(np.mean(directions, axis=0))
    return Score(
        value=float(np.mean(values)),
        forward=values[0] if len(values) == 2 else None,
        backward=values[1] if len(values) == 2 else None,
        interval=interval,
        pairs=len(found.forward),
        **facts,
    )


def _anchor_facts(frame: Anchors, wanted: AnchorList | AnchorChoice, options: Options) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "source": wanted.source if isinstance(wanted, AnchorList) else f"{wanted.strategy}:{wanted.count}",
        "strategy": frame.strategy,
        "count": len(frame),
        "missing": frame.missing,
        "seed": frame.seed,
        "sha256": anchor_digest(frame.x_ids, frame.y_ids),
        "scored": options.include_anchors,
    }
    return facts | quality_facts(frame)


def _settings(options: Options, measures: Sequence[Measure], sampled: int, scored: int) -> dict[str, Any]:
    return {
        "measures": [measure.name for measure in measures],
        "k": options.k,
        "views": list(options.views),
        "similarity": similarity_name(parse_similarity(options.similarity)),
        "center": options.center,
        "include_anchors": options.include_anchors,
        "queries": sampled,
        "sampled": sampled < scored,
        "seed": options.seed,
        "preset": options.preset,
        "on_duplicate": options.on_duplicate,
        "on_bad": options.on_bad,
        "missing_anchors": options.missing_anchors,
        "strict": options.strict,
    }


def _notes(
    frame_facts: dict[str, Any],
    pair: PairedSpaces,
    frame: Anchors,
    options: Options,
    sampled: int,
    scored: int,
) -> list[str]:
    notes = []
    if pair.by == "row number":
        notes.append("neither side has ids: rows were paired by number (--strict refuses this)")
    if sampled < scored:
        notes.append(
            f"{sampled:,} of {scored:,} scored pairs are queries (--sample all takes every one); the gallery is whole"
        )
    if frame.missing:
        notes.append(f"{frame.missing:,} anchors are missing from a space and were left out")
    widest = max(pair.x.dim, pair.y.dim)
    if len(frame) <= widest and "absolute" in options.views:
        notes.append(
            f"{len(frame)} anchors for {widest} dimensions leave a rotation fitted on them under-determined: "
            "the held-out figures improve with more anchors"
        )
    for side in ("x", "y"):
        condition = frame_facts[f"condition_{side}"]
        if condition and condition > ILL_CONDITIONED:
            notes.append(f"the anchors of {side} are nearly dependent (condition number {condition:.1e})")
    return notes
