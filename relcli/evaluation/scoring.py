"""From what a view's accumulators hold to scores with chance levels and intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from relcli.accumulators.accumulator import Accumulator
from relcli.arrays import Floats, one_blas_thread
from relcli.evaluation.views import View
from relcli.measures.interval import LEVEL, RESAMPLES, Bootstrap, jackknife_interval, median_interval, rate_interval
from relcli.measures.measure import BothWays, Measure, PerQuery, Undefined
from relcli.reports.report import Interval, Score

_ARITHMETIC = (ArithmeticError, np.linalg.LinAlgError)


class Intervals:
    """
    Intervals over queries: bootstraps by number of queries, made once each from one seed.

    Above `bootstrapped` queries, where it is given, means have the normal law's instead: a bootstrap keeps 1,000
    bytes a query.
    """

    def __init__(self, seed: int, *, bootstrapped: int | None = None) -> None:
        self._seed, self._bootstrapped = seed, bootstrapped
        self._made: dict[int, Bootstrap] = {}

    def of(self, found: PerQuery) -> Interval | None:
        """Return the interval of a mean, a rate or a median over queries."""
        directions = directions_of(found)
        if found.median:
            medians = [interval for way in directions if (interval := median_interval(way))]
            if not medians:
                return None
            low, high = np.mean(medians, axis=0).tolist()
            return Interval(low, high, LEVEL, "order statistics of queries")
        values = np.mean(directions, axis=0)
        if found.rate:
            return Interval(*rate_interval(float(values.mean()), len(values)), LEVEL, "Wilson score of queries")
        if len(values) < 2:
            return None
        if self._bootstrapped is not None and len(values) > self._bootstrapped:
            return _normal_interval(values)
        if len(values) not in self._made:
            self._made[len(values)] = Bootstrap(len(values), seed=self._seed)
        ends = self._made[len(values)].interval(values)
        return Interval(*ends, LEVEL, f"bootstrap of queries ({RESAMPLES:,} draws), conditional on the gallery")


def _normal_interval(values: Floats) -> Interval:
    """Return the interval of the mean of many values [q] by the normal law."""
    mean = float(values.mean())
    half = 1.959964 * float(values.std(ddof=1)) / float(np.sqrt(len(values)))
    return Interval(mean - half, mean + half, LEVEL, "normal law over queries, conditional on the gallery")


def directions_of(found: PerQuery) -> list[np.ndarray]:
    """Return the values of each direction there is."""
    return [found.forward] if found.backward is None else [found.forward, found.backward]


#: Applies a function to each item and returns what it makes of them, in order: by several threads, say.
Each = Callable[[Callable[[Any], float], Iterable[Any]], list[float]]


def _one_by_one(work: Callable[[Any], float], items: Iterable[Any]) -> list[float]:
    return [work(item) for item in items]


def score_all(
    measures: Iterable[Measure], views: Sequence[View], intervals: Intervals, scored: int, *, each: Each = _one_by_one
) -> list[Score]:
    """
    Return the scores of every measure on every view it is defined for, measure by measure.

    `each` goes through the folds of the jackknife, which do not depend on one another.
    """
    scores = []
    for measure in measures:
        its = [view for view in views if view.name in measure.views]
        scores += [
            score_one(
                measure,
                view,
                view.full.get(measure.reads),
                intervals,
                view.without.get(measure.reads, ()),
                scored,
                each=each,
            )
            for view in its
        ]
        if not its:
            # asked for, so told of: a report never leaves a measure out in silence
            reason = f"it is defined on the {' and '.join(measure.views)} view only"
            scores.append(Score(value=None, undefined_because=reason, **_facts(measure, views[0])))
    return scores


def values_of(measures: Iterable[Measure], views: Sequence[View]) -> Iterator[tuple[str, str, float]]:
    """Yield measure, view and value of every score that has one: no chance level, no interval."""
    for measure in measures:
        for view in views:
            accumulator = view.full.get(measure.reads)
            if view.name not in measure.views or view.why_not(measure) or accumulator is None:
                continue
            try:
                with one_blas_thread():
                    found = measure.value(accumulator)
            except (Undefined, *_ARITHMETIC):
                continue
            value = float(np.mean(_means(found))) if isinstance(found, PerQuery) else float(found)
            if np.isfinite(value):
                yield measure.name, view.name, value


def score_one(
    measure: Measure,
    view: View,
    accumulator: Accumulator | None,
    intervals: Intervals,
    without: Sequence[Accumulator] = (),
    scored: int = 0,
    *,
    each: Each = _one_by_one,
) -> Score:
    """Return one score, undefined with its reason where there is no value."""
    facts = _facts(measure, view)
    reason = view.why_not(measure)
    if reason or accumulator is None:
        return Score(value=None, undefined_because=reason or "there are too many groups to keep its moments", **facts)
    try:
        # threads of BLAS wait for one another longer than matrices of a few hundred columns take
        with one_blas_thread():
            found = measure.value(accumulator)
            facts["chance"] = measure.chance_level(accumulator)
    except Undefined as undefined:
        return Score(value=None, undefined_because=str(undefined), **facts)
    except _ARITHMETIC as error:
        return Score(value=None, undefined_because=f"its arithmetic fails on numbers this large ({error})", **facts)
    facts["gallery"] = getattr(accumulator, "gallery", None)
    if isinstance(found, PerQuery):
        ways = _means(found)
        facts |= dict(zip(("forward", "backward"), ways, strict=True)) if len(ways) == 2 else {}
        interval = intervals.of(found)
        return Score(value=float(np.mean(ways)), interval=interval, pairs=len(found.forward), **facts)
    if isinstance(found, BothWays):
        facts |= {"forward": found.forward, "backward": found.backward}
    pairs = getattr(accumulator, "count", scored)
    return Score(value=float(found), interval=_jackknife(measure, float(found), without, each), pairs=pairs, **facts)


def _means(found: PerQuery) -> list[float]:
    """Return the mean of each direction, or the median."""
    return [float((np.median if found.median else np.mean)(way)) for way in directions_of(found)]


def _facts(measure: Measure, view: View) -> dict[str, Any]:
    return {
        "measure": measure.name,
        "view": view.name,
        "range": measure.range,
        "higher_is_closer": measure.higher_is_closer,
        "definition": measure.definition,
        "cite": measure.cite,
        "section": measure.section,
    }


def _jackknife(measure: Measure, value: float, without: Sequence[Accumulator], each: Each) -> Interval | None:
    if not without:
        return None
    try:
        with one_blas_thread():
            others = each(lambda other: float(measure.value(other)), without)  # type: ignore[arg-type]
    except (Undefined, *_ARITHMETIC):
        return None
    ends = jackknife_interval(value, others, measure.range)
    return Interval(*ends, LEVEL, f"delete-a-group jackknife ({len(others)} folds)")
