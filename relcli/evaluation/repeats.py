"""The same comparison over permuted pairings and over other anchors: what a score is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from relcli.engines.engine import Engine
from relcli.evaluation.scoring import values_of
from relcli.evaluation.views import Relate, Watch, fill, make_views
from relcli.measures.measure import Measure
from relcli.reports.report import Draws, Null, Score
from relcli.spaces.anchors import Anchors, choose_anchors
from relcli.spaces.pairing import PairedSpaces, hash_ids

_ROUNDING = 1e-12


def permuted(pair: PairedSpaces, *, seed: int) -> PairedSpaces:
    """
    Return the pairs with the y rows of those scored dealt out anew; anchors that are not scored keep theirs.

    The deal goes by hashed ids, so it is the same whatever the order of the rows.
    """
    scored = np.flatnonzero(pair.scored)
    in_order = scored[np.argsort(pair.rank[scored])]
    deal = np.argsort(hash_ids(pair.ids[in_order], seed=seed), kind="stable")
    rows_y = pair.rows_y.copy()
    rows_y[in_order] = pair.rows_y[in_order[deal]]
    return replace(pair, rows_y=rows_y)


def with_null(
    scores: Sequence[Score], pair: PairedSpaces, frame: Anchors, measures: Sequence[Measure], *, draws: int, seed: int,
    engine: Engine, names: Sequence[str], relate: Relate, queries: int | None, watch: Watch | None = None,
) -> list[Score]:  # fmt: skip
    """
    Return the scores with what they are when the pairing is permuted `draws` times.

    p = (1 + #{permuted at least as close}) / (draws + 1) (Phipson & Smyth 2010). The calibrated value is
    (value − null mean) / (best − null mean): 0 at chance, 1 at the best a score can be; None where there is
    no best, or the null is at it.
    """
    found: dict[tuple[str, str], list[float]] = {(score.measure, score.view): [] for score in scores}
    for draw in range(draws):
        dealt = permuted(pair, seed=seed + 7919 * (draw + 1))
        views = make_views(dealt, frame, measures, names=names, relate=relate, queries=queries)
        fill(dealt, views, measures, engine, watch=_named(watch, f"null {draw + 1} of {draws}"), folds=0)
        for measure, view, value in values_of(measures, views):
            found[measure, view].append(value)
    return [replace(score, null=_null(score, np.asarray(found[score.measure, score.view]))) for score in scores]


def _null(score: Score, values: np.ndarray) -> Null | None:
    if score.value is None or not len(values):
        return None
    # level but for the order of a sum counts as at least as close
    rounding = _ROUNDING * max(1.0, abs(score.value))
    ahead = (values - score.value) if score.higher_is_closer else (score.value - values)
    as_close = ahead >= -rounding
    mean = float(values.mean())
    best = score.range[1 if score.higher_is_closer else 0]
    room = None if best is None or abs(best - mean) <= rounding else best - mean
    return Null(
        mean=mean,
        sd=float(values.std(ddof=1)) if len(values) > 1 else None,
        p=(1 + int(as_close.sum())) / (len(values) + 1),
        draws=len(values),
        calibrated=None if room is None else (score.value - mean) / room,
    )


def with_draws(
    scores: Sequence[Score], pair: PairedSpaces, count: int, measures: Sequence[Measure], *, draws: int, seed: int,
    include_anchors: bool, engine: Engine, relate: Relate, queries: int | None, watch: Watch | None = None,
) -> list[Score]:  # fmt: skip
    """
    Return the relative scores with their mean and deviation over `draws` uniform draws of `count` anchors.

    The draws are from all shared pairs, as in the tables of Moschella et al. 2023.
    """
    found: dict[str, list[float]] = {score.measure: [] for score in scores}
    for draw in range(draws):
        frame = choose_anchors(pair, "uniform", count, seed=seed + draw)
        marked = pair.with_anchors(frame.x_ids, frame.y_ids, scored=include_anchors)
        views = make_views(marked, frame, measures, names=("relative",), relate=relate, queries=queries)
        fill(marked, views, measures, engine, watch=_named(watch, f"anchors {draw + 1} of {draws}"), folds=0)
        for measure, _, value in values_of(measures, views):
            found[measure].append(value)
    return [replace(s, draws=_draws(found[s.measure])) if s.view == "relative" else s for s in scores]


def _draws(values: Sequence[float]) -> Draws | None:
    if not values:
        return None
    return Draws(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None, len(values))


def _named(watch: Watch | None, name: str) -> Watch | None:
    return watch and (lambda _what, total: watch(name, total))
