"""Two spaces in, their scores by number of anchors out: how many anchors are enough, chosen how, used how."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from relcli._version import VERSION, versions
from relcli.accumulators.neighbors import NeighborLists
from relcli.accumulators.probe import Census, without_bad_rows
from relcli.engines.engine import Engine
from relcli.errors import AnchorError, UsageError
from relcli.evaluation.policies import check_policies
from relcli.evaluation.scoring import Intervals, score_all
from relcli.evaluation.vias import Way, make_via, parse_way
from relcli.evaluation.views import Watch, fill, make_views
from relcli.kernels.tiers import tier_used
from relcli.measures.catalog import find_measures
from relcli.measures.measure import Measure
from relcli.reports.report import Score
from relcli.reports.study import check_same
from relcli.reports.sweep import Sweep
from relcli.spaces.anchors import STRATEGIES, Anchors, check_strategy, choose_anchors, quality_facts
from relcli.spaces.pairing import Ids, Mask, PairedSpaces, first_notes
from relcli.spaces.relative import Centering, anchor_digest, check_same_frame
from relcli.spaces.similarity import parse_similarity, similarity_name
from relcli.spaces.space import Space

#: Rows held out as queries unless told otherwise: at most these, and at most half of the pairs.
QUERIES = 1000

#: Numbers of both spaces that are kept in memory, 2 GiB of float64; more are read again for every point.
LOADED = 2**28

#: Strategies that take the same anchors whatever the seed.
FIXED = ("first",)

#: Those that need no more than the two spaces.
WITHOUT_LABELS = tuple(name for name in STRATEGIES if name != "stratified")

#: What "translate" alone stands for.
TRANSLATE = "translate:ortho"

#: A way, a strategy, a number of anchors, a draw.
Place = tuple[str, str, int, int]


@dataclass(frozen=True)
class Options:
    """
    What to sweep: numbers of anchors, strategies, draws of each, ways, and measures, the first of which decides.

    `similarities` and `quantize`, steps or "none", multiply the relative ways that leave them open.
    """

    grid: tuple[int, ...] = (10, 25, 50, 100, 200, 300)
    strategies: tuple[str, ...] = ("uniform",)
    draws: int = 10
    measures: tuple[str, ...] = ("mrr", "jaccard@10", "cosine")
    via: tuple[str, ...] = ("relative", TRANSLATE, "translate:linear")
    similarities: tuple[str, ...] = ()
    quantize: tuple[str | float | None, ...] = ()
    queries: int | None = None
    center: bool = False
    seed: int = 0
    on_duplicate: str = "error"
    on_bad: str = "error"
    strict: bool = False

    def __post_init__(self) -> None:
        for name in ("grid", "strategies", "measures", "via"):
            if not getattr(self, name):
                raise UsageError(f"No {name} are named: give at least one, with commas between several.")
        small = [count for count in self.grid if count < 2]
        if small:
            raise UsageError(f"{small[0]} is no number of anchors: a relative representation needs at least 2.")
        if self.draws < 1:
            raise UsageError(f"--draws {self.draws} leaves nothing to score: give 1 or more.")
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed} is negative: seeds are 0 or more.")
        for strategy in self.strategies:
            check_strategy(strategy)
            if strategy not in WITHOUT_LABELS:
                raise UsageError(
                    f"{strategy} anchors need labels, and a sweep has none. Take {', '.join(WITHOUT_LABELS)}."
                )
        check_policies(self)


def sweep(
    x: Space,
    y: Space,
    options: Options,
    *,
    engine: Engine,
    pairs: tuple[Ids, Ids] | None = None,
    earlier: tuple[str, Mapping[str, Any]] | None = None,
    keep: Callable[[Callable[[], Sweep]], None] | None = None,
    progress: Watch | None = None,
) -> Sweep:
    """
    Return the scores of x [n, dx] and y [n', dy] by way, strategy and number of anchors.

    Before anything is drawn, `queries` shared rows are held out by their hashed ids: they are scored at every
    point, never an anchor, and the gallery is all shared rows. `earlier` is a file's name and the document of a
    run to take up; `keep` is given the sweep after each point, as what makes it.
    """
    ways = ways_of(options)
    measures = find_measures(options.measures)
    _check_views(measures, ways)
    check_same_frame(x, y)
    pair = PairedSpaces.join(
        x, y, pairs=pairs, on_duplicate=options.on_duplicate, strict=options.strict, seed=options.seed  # type: ignore[arg-type]
    )  # fmt: skip
    shared = len(pair)
    told = progress and progress("checking rows", shared)
    centred = options.center or any(way.center for way in ways)
    census = engine.reduce(pair, Census(x.dim, y.dim, sums=centred), told)
    pair = without_bad_rows(pair, census, options.on_bad)
    _check_depth(measures, len(pair))
    centres = [Centering.of(total / max(census.count, 1)) for total in (census.sum_x, census.sum_y)]
    if options.center:
        pair = pair.map(*centres)
    queries = _query_count(options, len(pair))
    join = pair.facts(shared)
    if len(pair) * pair.width <= LOADED:
        pair = _loaded(pair)
    held = _held_out(pair, queries)
    basis = {
        "x_sha256": x.origin.sha256,
        "y_sha256": y.origin.sha256,
        "pairs_sha256": anchor_digest(pair.ids, pair.y.ids[pair.rows_y]),
        "measures": [measure.name for measure in measures],
        "queries": queries,
        "center": options.center,
        "seed": options.seed,
        "relcli": VERSION,
    }
    done: dict[Place, dict[str, Any]] = {}
    if earlier:
        check_same(earlier[0], earlier[1].get("basis", {}), basis)
        done = {_place(point): point for point in earlier[1].get("points", ())}
    wanted = list(_places(options, ways))

    def made() -> Sweep:
        points = tuple(done[place] for place in wanted if place in done)
        curves = _curves(points, measures, options, ways)
        return Sweep(
            x=x.facts(),
            y=y.facts(),
            join=join,
            measures=tuple(map(_measure_facts, measures)),
            points=points,
            curves=curves,
            recommended=tuple(_recommended(curves, measures[0])),
            settings=_settings(options, ways, len(wanted)),
            basis=basis,
            versions=versions(),
            notes=tuple(_notes(pair, curves, measures[0], ways, options)),
            complete=len(points) == len(wanted),
        )

    told = progress and progress("sweeping points", len(wanted))
    if told:
        told(sum(place in done for place in wanted))
    intervals = Intervals(options.seed)
    pool = pair.take(~held)
    # one draw of anchors serves every way
    for strategy, count, draw in dict.fromkeys(place[1:] for place in wanted):
        missing = [way for way in ways if (way.name, strategy, count, draw) not in done]
        if not missing:
            continue
        seed = options.seed + draw
        frame = choose_anchors(pool, strategy, count, seed=seed)
        facts = {"seed": seed, "sha256": anchor_digest(frame.x_ids, frame.y_ids), **quality_facts(frame)}
        for way in missing:
            scores = _scores(pair, held, frame, way, centres, measures, engine, intervals)
            place = {"via": way.name, "strategy": strategy, "anchors": count, "draw": draw}
            done[way.name, strategy, count, draw] = {**place, **facts, "scores": scores}
            if told:
                told(1)
            if keep:
                keep(made)
    return made()


def ways_of(options: Options) -> list[Way]:
    """Return the ways to sweep, each once: the relative ones by every similarity and step that they leave open."""
    found, opened = [], {"similarities": not options.similarities, "quantize": not options.quantize}
    similarities = [similarity_name(parse_similarity(name)) for name in options.similarities]
    steps = [_parse_step(step) for step in options.quantize]
    for text in options.via:
        way = _parse_way(text)
        relative = way.kind == "relative"
        by_name = similarities if relative and ":" not in text else []
        by_step = steps if relative and way.quantize is None else []
        opened["similarities"] |= bool(by_name)
        opened["quantize"] |= bool(by_step)
        found += [
            replace(way, detail=detail, quantize=step)
            for detail in by_name or [way.detail]
            for step in by_step or [way.quantize]
        ]
    for axis, some in opened.items():
        if not some:
            raise UsageError(
                f"--{axis} multiplies relative ways that leave it open, and {', '.join(options.via)} has none. Add "
                "--via relative, or leave it out."
            )
    for way in found:
        if way.center and options.center:
            raise UsageError(f"--center centres every way already, and {way.name} asks for it again. Drop one of them.")
        if way.kind == "relative":
            way.relate(np.zeros((min(options.grid), 1)))  # refuses what so few anchors do not allow
    return list({way.name: way for way in found}.values())


def _parse_way(text: str) -> Way:
    kind, plus, added = text.strip().partition("+")
    way = parse_way(f"{TRANSLATE}{plus}{added}" if kind == "translate" else text)
    if way.kind == "absolute":
        raise UsageError(
            "--via absolute has no anchors to sweep: give relative, relative:SIMILARITY or translate:METHOD."
        )
    return way


def _parse_step(said: str | float | None) -> float | None:
    if said is None or said == "none":
        return None
    try:
        step = float(said)
    except ValueError:
        step = 0.0
    if not 0 < step < np.inf:
        raise UsageError(f"--quantize {said!r} is no step above 0, nor none. Write it like none,0.05,0.1.")
    return step


def _check_views(measures: Sequence[Measure], ways: Sequence[Way]) -> None:
    for measure in measures:
        if not any(way.view in measure.views for way in ways):
            better = TRANSLATE if "absolute" in measure.views else "relative"
            raise UsageError(
                f"{measure.name} is not defined on what {', '.join(way.name for way in ways)} gives. Add --via {better}"
                ", or leave it out."
            )


def _check_depth(measures: Sequence[Measure], pairs: int) -> None:
    depth = max((measure.k or 0 for measure in measures if measure.reads is NeighborLists), default=0)
    if depth >= pairs:
        raise UsageError(f"k = {depth:,} neighbours need at least {depth + 1:,} shared pairs, and there are {pairs:,}.")


def _query_count(options: Options, pairs: int) -> int:
    """Return how many rows to hold out, so that the largest count can still be chosen from the others."""
    largest = max(options.grid)
    room = pairs - 1 - largest
    if room < 1:
        raise AnchorError(
            f"{largest:,} anchors leave no row to score of {pairs:,} shared pairs: the grid may go "
            f"up to {max(pairs - 2, 0):,}."
        )
    if options.queries is None:
        return max(1, min(QUERIES, pairs // 2, room))
    if not 1 <= options.queries <= room:
        raise UsageError(
            f"--queries {options.queries:,} rows cannot be held out of {pairs:,} shared pairs beside {largest:,} "
            f"anchors: ask for 1 to {room:,}."
        )
    return options.queries


def _held_out(pair: PairedSpaces, queries: int) -> Mask:
    """Return which pairs are the queries: those with the smallest hashed ids, whatever the order of the rows."""
    held = np.zeros(len(pair), bool)
    held[np.lexsort((pair.rank, pair.hash))[:queries]] = True
    return held


def _loaded(pair: PairedSpaces) -> PairedSpaces:
    rows = np.arange(len(pair))
    x, y = pair.x.take(pair.rows_x).loaded(), pair.y.take(pair.rows_y).loaded()
    return replace(pair, x=x, y=y, rows_x=rows, rows_y=rows)


def _places(options: Options, ways: Sequence[Way]) -> Iterator[Place]:
    for way in ways:
        for strategy in options.strategies:
            for count in options.grid:
                for draw in range(1 if strategy in FIXED else options.draws):
                    yield way.name, strategy, count, draw


def _place(point: Mapping[str, Any]) -> Place:
    return point["via"], point["strategy"], point["anchors"], point["draw"]


def _scores(
    pair: PairedSpaces,
    held: Mask,
    frame: Anchors,
    way: Way,
    centres: Sequence[Centering],
    measures: Sequence[Measure],
    engine: Engine,
    intervals: Intervals,
) -> dict[str, dict[str, Any]]:
    """Return what each measure says of the held-out rows, by these anchors and this way."""
    if way.center:
        pair = pair.map(*centres)
        frame = replace(frame, x=centres[0](frame.x), y=centres[1](frame.y))
    if way.kind == "translate":
        moved = make_via(replace(way, center=False), frame.x, frame.y)
        pair = replace(pair, x=pair.x.map(moved.x, dim=pair.y.dim))
        frame = replace(frame, x=moved.x(frame.x))
    # rows that are neither anchors nor held out are searched, and never scored
    marked = replace(pair, anchor=~held, scored=held)
    views = make_views(marked, frame, measures, names=(way.view,), relate=way.relate)
    fill(marked, views, measures, engine, folds=0)
    return {score.measure: _kept(score) for score in score_all(measures, views, intervals, int(held.sum()))}


def _kept(score: Score) -> dict[str, Any]:
    names = ("value", "forward", "backward", "chance", "undefined_because")
    return {name: getattr(score, name) for name in names}


def _curves(
    points: Sequence[Mapping[str, Any]], measures: Sequence[Measure], options: Options, ways: Sequence[Way]
) -> tuple[dict[str, Any], ...]:
    by_place: dict[tuple[str, str, int], list[Mapping[str, Any]]] = {}
    for point in points:
        by_place.setdefault((point["via"], point["strategy"], point["anchors"]), []).append(point)
    curves = []
    for (via, strategy, count), draws in by_place.items():
        quality = {
            key: _median([draw[key] for draw in draws])
            for key in ("condition_x", "condition_y", "mean_cosine_x", "mean_cosine_y")
        }
        scores = {}
        for measure in measures:
            found = [draw["scores"][measure.name] for draw in draws if measure.name in draw["scores"]]
            if found:
                scores[measure.name] = _mean_and_sd(found)
        where = {"via": via, "strategy": strategy, "anchors": count, "draws": len(draws)}
        curves.append({**where, **quality, "scores": scores})
    return tuple(curves)


def _mean_and_sd(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    values = [score["value"] for score in scores if score["value"] is not None]
    chances = [score["chance"] for score in scores if score["chance"] is not None]
    return {
        "mean": float(np.mean(values)) if values else None,
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "draws": len(values),
        "chance": float(np.mean(chances)) if chances else None,
        "undefined_because": next((score["undefined_because"] for score in scores if score["value"] is None), None),
    }


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def _recommended(curves: Sequence[Mapping[str, Any]], measure: Measure) -> Iterator[dict[str, Any]]:
    """Yield the smallest count within one standard error of the best, for each way and strategy."""
    sign = 1 if measure.higher_is_closer else -1
    for via, strategy in dict.fromkeys((curve["via"], curve["strategy"]) for curve in curves):
        known = [
            (curve["anchors"], curve["scores"][measure.name])
            for curve in curves
            if (curve["via"], curve["strategy"]) == (via, strategy)
            and curve["scores"].get(measure.name, {}).get("mean") is not None
        ]
        if not known:
            continue
        best_count, best = max(known, key=lambda item: (sign * item[1]["mean"], -item[0]))
        error = None if best["sd"] is None else best["sd"] / float(np.sqrt(best["draws"]))
        near = [item for item in known if sign * item[1]["mean"] >= sign * best["mean"] - (error or 0.0)]
        count, score = min(near, key=lambda item: item[0])
        yield {
            "via": via,
            "strategy": strategy,
            "anchors": count,
            "measure": measure.name,
            "value": score["mean"],
            "best": best["mean"],
            "best_anchors": best_count,
            "standard_error": error,
        }


def _measure_facts(measure: Measure) -> dict[str, Any]:
    names = ("name", "range", "higher_is_closer", "definition", "cite")
    return {name: getattr(measure, name) for name in names}


def _settings(options: Options, ways: Sequence[Way], points: int) -> dict[str, Any]:
    return {
        "grid": list(options.grid),
        "strategies": list(options.strategies),
        "draws": options.draws,
        "via": [way.name for way in ways],
        "points": points,
        "on_duplicate": options.on_duplicate,
        "on_bad": options.on_bad,
        "strict": options.strict,
        "tier": tier_used(),
    }


def _notes(
    pair: PairedSpaces, curves: Sequence[Mapping[str, Any]], measure: Measure, ways: Sequence[Way], options: Options
) -> Iterator[str]:
    yield from first_notes(pair.x, pair.y, by_number=pair.by == "row number")
    for via, strategy in dict.fromkeys((curve["via"], curve["strategy"]) for curve in curves):
        yield from _collapses(curves, via, strategy, measure, pair.x.dim)
    reasons = dict.fromkeys(
        f"{name} is undefined at some points of {curve['via']}: {score['undefined_because']}"
        for curve in curves
        for name, score in curve["scores"].items()
        if score["undefined_because"]
    )
    yield from reasons
    if any(strategy in FIXED for strategy in options.strategies) and options.draws > 1:
        yield "first takes the same anchors each time: one draw of it is scored, without a deviation"


def _collapses(
    curves: Sequence[Mapping[str, Any]], via: str, strategy: str, measure: Measure, dx: int
) -> Iterator[str]:
    """Tell where more anchors made it worse by more than half of what it had."""
    means = [
        (curve["anchors"], curve["scores"].get(measure.name, {}).get("mean"))
        for curve in curves
        if (curve["via"], curve["strategy"]) == (via, strategy)
    ]
    best = None
    for count, mean in sorted((item for item in means if item[1] is not None), key=lambda item: item[0]):
        if best is not None and measure.higher_is_closer and mean < best[1] / 2:
            yield (
                f"{via} ({strategy}) collapses at {count:,} anchors for {dx:,} dimensions: {measure.name} "
                f"{mean:.3f} after {best[1]:.3f} with {best[0]:,}"
            )
            return
        if best is None or mean > best[1]:
            best = (count, mean)
