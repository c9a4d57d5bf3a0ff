"""Two spaces in, one report out: every wanted measure on the absolute and the relative view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from relcli._version import versions
from relcli.accumulators.neighbors import NeighborLists
from relcli.accumulators.probe import Census, without_bad_rows
from relcli.engines.engine import Engine
from relcli.errors import AnchorError, UsageError, did_you_mean
from relcli.evaluation.groups import Grouping, score_groups
from relcli.evaluation.items import item_table, most_moved
from relcli.evaluation.repeats import with_draws, with_null
from relcli.evaluation.scoring import Intervals, score_all
from relcli.evaluation.views import VIEWS, Watch, fill, make_views
from relcli.measures.catalog import DEFAULT, find_measures
from relcli.measures.measure import Measure
from relcli.reports.report import Report, Score
from relcli.spaces.anchors import (
    ILL_CONDITIONED,
    AnchorChoice,
    AnchorList,
    Anchors,
    settle_anchors,
)
from relcli.spaces.pairing import Ids, PairedSpaces
from relcli.spaces.relative import Centering, anchor_facts, check_same_frame
from relcli.spaces.similarity import parse_similarity, similarity_name
from relcli.spaces.space import Space

#: Up to this many rows all are queries; above it a sample of that many is.
ALL_QUERIES, SAMPLED_QUERIES = 50_000, 10_000

#: The level that p-values are usually held against.
SIGNIFICANT = 0.05

#: Mean relative cosines of mismatched rows above this leave little room to differ.
NARROW = 0.9

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

    `sample` is "auto", "all" or a number of queries; policies are as in the README. `moved` items that
    agree least are named; `null` permuted pairings and `anchor_draws` other choices of anchors are scored too.
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
    moved: int = 10
    null: int = 0
    anchor_draws: int = 0

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"-k {self.k} is not a positive number of neighbours.")
        for name in ("moved", "null", "anchor_draws"):
            if getattr(self, name) < 0:
                raise UsageError(f"--{name.replace('_', '-')} {getattr(self, name)} is negative: give 0 or more.")
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


def compare(
    x: Space,
    y: Space,
    anchors: AnchorList | AnchorChoice,
    options: Options,
    *,
    engine: Engine,
    pairs: tuple[Ids, Ids] | None = None,
    groups: tuple[str, Ids, Ids] | None = None,
    items: Callable[[dict[str, np.ndarray]], None] | None = None,
    progress: Watch | None = None,
) -> Report:
    """
    Return how alike x [n, dx] and y [n', dy] are by the wanted measures, in two passes over the files.

    `pairs` names which id of x goes with which of y, where they differ; `groups` a column, its ids and
    their labels, to score each label alone; `items` is given the table of all queries. `progress` is called
    with what is being done and the number of pairs to do, and returns what to call as they are done.
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
    census = engine.reduce(
        joined, Census(x.dim, y.dim, sums=options.center), progress and progress("checking rows", len(joined))
    )
    joined = without_bad_rows(joined, census, options.on_bad)
    if options.center:
        means = (Centering.of(total / max(census.count, 1)) for total in (census.sum_x, census.sum_y))
        joined = joined.map(*means)
    _check_depth(measures, len(joined), options.k if items else 0)
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
    grouping = Grouping.of(joined, *groups) if groups else None
    depth = options.k if items else 1
    views = make_views(
        joined, frame, measures, names=options.views, similarity=options.similarity, queries=queries, depth=depth
    )
    told = views[0].name
    by_group = (grouping.codes, len(grouping.names)) if grouping else None
    fill(joined, views, measures, engine, watch=progress, items_of=told if items else None, groups=by_group)
    sampled = len(views[0].context.queries)
    intervals = Intervals(options.seed)
    scores = score_all(measures, views, intervals, scored)
    again: dict[str, Any] = {"engine": engine, "similarity": options.similarity, "queries": queries, "watch": progress}
    if options.null:
        scores = with_null(
            scores, joined, frame, measures, draws=options.null, seed=options.seed, names=options.views, **again
        )
    if options.anchor_draws:
        scores = with_draws(
            scores, joined, len(frame), measures, draws=options.anchor_draws, seed=options.seed,
            include_anchors=options.include_anchors, **again,
        )  # fmt: skip
    table = item_table(joined, views[0], options.k)
    if items:
        items(table)
    frame_facts = anchor_facts(frame, anchors, scored=options.include_anchors)
    notes = _notes(frame_facts, joined, frame, options, scores, sampled, scored)
    if grouping and (left_out := grouping.note()):
        notes.append(left_out)
    return Report(
        command="compare",
        x=x.facts(),
        y=y.facts(),
        join=joined.facts(shared),
        anchors=frame_facts,
        scores=tuple(scores),
        settings=_settings(options, measures, sampled, scored),
        versions=versions(),
        notes=tuple(notes),
        groups=score_groups(grouping, measures, views, intervals) if grouping else (),
        moved=most_moved(table, options.moved),
    )


def _check_depth(measures: Sequence[Measure], pairs: int, least: int) -> None:
    depth = max([least, *(measure.k or 0 for measure in measures if measure.reads is NeighborLists)])
    if depth >= pairs:
        raise UsageError(
            f"k = {depth:,} neighbours need at least {depth + 1:,} shared pairs, and the spaces share {pairs:,}. "
            "Pass a smaller -k, or share more."
        )


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
        "null": options.null,
        "anchor_draws": options.anchor_draws,
    }


def _notes(
    frame_facts: dict[str, Any],
    pair: PairedSpaces,
    frame: Anchors,
    options: Options,
    scores: Sequence[Score],
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
    held_out = any(score.measure.startswith("heldout-") and score.value is not None for score in scores)
    if len(frame) <= widest and held_out:
        notes.append(
            f"{len(frame)} anchors for {widest} dimensions leave a rotation fitted on them under-determined: "
            "the held-out figures improve with more anchors"
        )
    if options.null and 1 / (options.null + 1) > SIGNIFICANT:
        notes.append(
            f"no p-value of {options.null} permutations is below {1 / (options.null + 1):.3f}: --null 19 reaches 0.05"
        )
    narrow = next((s for s in scores if (s.measure, s.view) == ("cosine", "relative")), None)
    if narrow and narrow.chance is not None and narrow.chance > NARROW and not options.center:
        notes.append(
            f"mismatched rows have relative cosine {narrow.chance:.2f}: the spaces are narrow cones, and --center may "
            "tell more"
        )
    for side in ("x", "y"):
        condition = frame_facts[f"condition_{side}"]
        if condition and condition > ILL_CONDITIONED:
            notes.append(f"the anchors of {side} are nearly dependent (condition number {condition:.1e})")
    return notes
