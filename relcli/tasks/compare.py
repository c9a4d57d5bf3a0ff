"""Two spaces in, one report out: every wanted measure on the absolute and the relative view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from relcli._version import versions
from relcli.accumulators.columns import SIDES, Columns
from relcli.accumulators.composite import Bundle
from relcli.accumulators.neighbors import NeighborLists
from relcli.accumulators.probe import Census, without_bad_rows
from relcli.engines.engine import Engine, Progress
from relcli.errors import AnchorError, UsageError, counted, did_you_mean
from relcli.evaluation.groups import Grouping, score_groups
from relcli.evaluation.items import item_table, most_moved
from relcli.evaluation.pictures import pictures_of
from relcli.evaluation.planes import check_projection
from relcli.evaluation.policies import check_policies
from relcli.evaluation.repeats import with_draws, with_null
from relcli.evaluation.scoring import Intervals, score_all
from relcli.evaluation.views import VIEWS, Relate, Watch, check_views, fill, make_views
from relcli.measures.catalog import DEFAULT, find_measures
from relcli.measures.measure import Measure
from relcli.reports.pictures import Pictures
from relcli.reports.report import Report, Score
from relcli.spaces.anchors import (
    ILL_CONDITIONED,
    AnchorChoice,
    AnchorList,
    Anchors,
    settle_anchors,
)
from relcli.spaces.pairing import Ids, PairedSpaces, first_notes
from relcli.spaces.relative import (
    Centering,
    RelativeProjection,
    Standardization,
    anchor_facts,
    check_same_frame,
    to_unit,
)
from relcli.spaces.similarity import parse_similarity, similarity_name
from relcli.spaces.space import Space

#: Up to this many rows all are queries; above it a sample of that many is.
ALL_QUERIES, SAMPLED_QUERIES = 50_000, 10_000

#: The level that p-values are usually held against.
SIGNIFICANT = 0.05

#: Mean relative cosines of mismatched rows above this leave little room to differ.
NARROW = 0.9

#: A note says so where no more than this share of the shared rows is left to score.
FEW = 0.5

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

    `l2` divides each row by its norm, then `center` subtracts the mean of the rows and `standardize` divides by their
    deviation too, on both views; `quantize` and `sparse`, (k, p), are of the relative one, as in RelativeProjection.
    `sample` is "auto", "all" or a number of queries; policies are as in the README. `moved` items that
    agree least are named; `null` permuted pairings and `anchor_draws` other choices of anchors are scored too.
    Pictures show `plot_sample` queries in the two dimensions of `projection`.
    """

    measures: tuple[str, ...] = ()
    k: int = 10
    views: tuple[str, ...] = VIEWS
    similarity: str = "cosine"
    quantize: float | None = None
    sparse: tuple[int, float] | None = None
    center: bool = False
    standardize: bool = False
    l2: bool = False
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
    projection: str = "pca"
    plot_sample: int = 3000

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"-k {self.k} is not a positive number of neighbours.")
        for name in ("moved", "null", "anchor_draws"):
            if getattr(self, name) < 0:
                raise UsageError(f"--{name.replace('_', '-')} {getattr(self, name)} is negative: give 0 or more.")
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed} is negative: seeds are 0 or more.")
        parse_similarity(self.similarity)
        if self.quantize is not None and not 0 < self.quantize < np.inf:
            raise UsageError(f"--quantize {self.quantize} is not a positive step, such as 0.01.")
        check_projection(self.projection)
        if self.plot_sample < 2:
            raise UsageError(f"--plot-sample {self.plot_sample} draws nothing: give 2 queries or more.")
        check_policies(self)
        check_views(self.views)

    @property
    def relate(self) -> Relate:
        """What makes the projections of the relative view."""
        return partial(RelativeProjection, similarity=self.similarity, quantize=self.quantize, sparse=self.sparse)

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
    pictures: Callable[[Pictures], None] | None = None,
    progress: Watch | None = None,
) -> Report:
    """
    Return how alike x [n, dx] and y [n', dy] are by the wanted measures, in two passes over the files.

    `pairs` names which id of x goes with which of y, where they differ; `groups` a column, its ids and
    their labels, to score each label alone; `items` is given the table of all queries, and `pictures` what
    pictures show, for which some rows are read once more. `progress` is called with what is being done and
    the number of pairs to do, and returns what to call as they are done.
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
    joined = _scaled(joined, options, engine, progress and progress("checking rows", len(joined)))
    each = bool(items or pictures)
    _check_depth(measures, len(joined), options.k if each else 0)
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
    depth = options.k if each else 1
    views = make_views(
        joined, frame, measures, names=options.views, relate=options.relate, queries=queries, depth=depth
    )
    told = views[0].name
    by_group = (grouping.codes, len(grouping.names)) if grouping else None
    fill(joined, views, measures, engine, watch=progress, items_of=told if each else None, groups=by_group)
    sampled = len(views[0].context.queries)
    intervals = Intervals(options.seed)
    scores = score_all(measures, views, intervals, scored, each=engine.map)
    again: dict[str, Any] = {"engine": engine, "relate": options.relate, "queries": queries, "watch": progress}
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
    if pictures:
        pictures(
            pictures_of(
                joined, frame, table, view=told, k=options.k, relate=options.relate, seed=options.seed,
                projection=options.projection, size=options.plot_sample, labels=groups,
            )
        )  # fmt: skip
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


def _scaled(pair: PairedSpaces, options: Options, engine: Engine, told: Progress | None) -> PairedSpaces:
    """Return the good pairs with their rows scaled, centred or standardised as is asked for, after one pass."""
    if options.l2:
        pair = pair.map(to_unit, to_unit)
    dims = pair.x.dim, pair.y.dim
    census = Census(*dims, sums=options.center and not options.standardize)
    columns = {side: Columns(*dims, side=side) for side in SIDES} if options.standardize else {}
    found = engine.reduce(pair, Bundle({"census": census, **columns}), told)
    census = found["census"]  # type: ignore[assignment]
    pair = without_bad_rows(pair, census, options.on_bad)
    if options.standardize:
        return pair.map(*(Standardization.of(found[side].mean, found[side].variance) for side in SIDES))  # type: ignore[attr-defined]
    if options.center:
        return pair.map(*(Centering.of(total / max(census.count, 1)) for total in (census.sum_x, census.sum_y)))
    return pair


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
        "quantize": options.quantize,
        "sparse": list(options.sparse) if options.sparse else None,
        "center": options.center,
        "standardize": options.standardize,
        "l2": options.l2,
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
    notes = first_notes(pair.x, pair.y, by_number=pair.by == "row number")
    if sampled < scored:
        notes.append(
            f"{sampled:,} of {scored:,} scored pairs are queries (--sample all takes every one); the gallery is whole"
        )
    if frame.missing:
        are, were = ("is", "was") if frame.missing == 1 else ("are", "were")
        notes.append(f"{counted(frame.missing, 'anchor')} {are} missing from a space and {were} left out")
    if not options.include_anchors and scored < FEW * len(pair):
        notes.append(
            f"{len(pair) - scored:,} of {len(pair):,} shared rows are anchors and are not scored: {scored:,} are left"
        )
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
    if narrow and narrow.chance is not None and narrow.chance > NARROW and not (options.center or options.standardize):
        notes.append(
            f"mismatched rows have relative cosine {narrow.chance:.2f}: the spaces are narrow cones, and --center may "
            "tell more"
        )
    for side in ("x", "y"):
        condition = frame_facts[f"condition_{side}"]
        if condition and condition > ILL_CONDITIONED:
            notes.append(f"the anchors of {side} are nearly dependent (condition number {condition:.1e})")
    return notes
