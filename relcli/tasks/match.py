"""Held-out rows of two spaces brought together one to one: how many find their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from relcli._version import versions
from relcli.accumulators.probe import Census, without_bad_rows
from relcli.arrays import Floats
from relcli.engines.engine import Engine, Progress
from relcli.errors import UsageError
from relcli.evaluation.assigning import MATCHING, QUERIES, RECALL, held_out, matching_figures, shuffled
from relcli.evaluation.policies import check_policies, policies_of
from relcli.evaluation.vias import Way, check_widths, parse_way
from relcli.measures.interval import LEVEL, rate_interval
from relcli.measures.matching import MOST
from relcli.reports.report import Draws, Interval, Report, Score
from relcli.spaces.anchors import AnchorChoice, AnchorList, Anchors, settle_anchors
from relcli.spaces.pairing import Ids, PairedSpaces, first_notes
from relcli.spaces.relative import anchor_facts, check_same_frame
from relcli.spaces.space import Space


@dataclass(frozen=True)
class Options:
    """
    How to match: `queries` rows that are no anchors, `via` each method, drawn anew for each of `seeds` seeds.

    `via` is relative, translate:ortho and, where the widths are equal, absolute unless given. `queries` is
    500, or all there are where fewer are held out. Policies are as in `compare`.
    """

    via: tuple[str, ...] | None = None
    queries: int | None = None
    center: bool = False
    seed: int = 0
    seeds: int = 1
    on_duplicate: str = "error"
    on_bad: str = "error"
    missing_anchors: str = "error"
    strict: bool = False

    def __post_init__(self) -> None:
        if self.via is not None:
            # what holds for all is not said of each
            names = (_way(text).less(center=self.center).name for text in self.via)
            object.__setattr__(self, "via", tuple(dict.fromkeys(names)))
        if self.queries is not None and not 2 <= self.queries <= MOST:
            raise UsageError(
                f"--queries {self.queries:,} cannot be matched: an assignment takes 2 to {MOST:,} rows. Ask for fewer."
            )
        for flag, least in (("seed", 0), ("seeds", 1)):
            if getattr(self, flag) < least:
                raise UsageError(f"--{flag} {getattr(self, flag)} is too small: it is {least} or more.")
        check_policies(self)

    def vias(self, dx: int, dy: int) -> tuple[str, ...]:
        """Return the methods that were asked for, or those that spaces of these dimensions can be matched by."""
        if self.via is None:
            return ("relative", "translate:ortho", *(("absolute",) if dx == dy else ()))
        check_widths(map(_way, self.via), ("x", dx), ("y", dy))
        return self.via


def _way(text: str) -> Way:
    """Return the way that a text names, one or a product of several."""
    return parse_way(text, products=True)


def match(
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
    Return how many held-out rows of x [n, dx] and y [n', dy] an assignment brings together, and the nearest rows do.

    Anchors are never among the rows matched; the order of y's rows is shuffled. One pass checks the rows; after
    that only anchors and the rows to be matched are read. Keeps q² cosines.
    """
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
    vias = options.vias(x.dim, y.dim)
    centres = options.center or any(_way(via).centres for via in vias)
    census = engine.reduce(joined, Census(x.dim, y.dim, sums=centres), progress and progress("checking rows", shared))
    joined = without_bad_rows(joined, census, options.on_bad)
    means = (census.sum_x / census.count, census.sum_y / census.count) if centres else None
    frames, found = [], []
    told = progress and progress("matching", options.seeds * len(vias))
    for seed in range(options.seed, options.seed + options.seeds):
        frame = settle_anchors(joined, anchors, missing=options.missing_anchors, seed=seed)  # type: ignore[arg-type]
        batch = held_out(joined, frame, options.queries, seed)
        sides = (batch.x, frame.x), (batch.y, frame.y)
        of_seed = {}
        for via in vias:
            way = _way(via).centred() if options.center else _way(via)
            of_seed[via] = matching_figures(way, *sides, order=shuffled(batch, seed), means=means)
            if told:
                told(1)
        frames.append(frame)
        found.append((len(batch), of_seed))
    queries = min(count for count, _ in found)
    return Report(
        command="match",
        x=x.facts(),
        y=y.facts(),
        join=joined.facts(shared),
        anchors=anchor_facts(frames[0], anchors),
        scores=tuple(_scores(vias, [figures for _, figures in found], queries)),
        settings={
            "via": list(vias),
            "queries": queries,
            "center": options.center,
            "seed": options.seed,
            "seeds": options.seeds,
            **policies_of(options),
            "strict": options.strict,
        },
        versions=versions(),
        notes=tuple(_notes(joined, frames[0], anchors, vias, options, queries)),
    )


def _scores(vias: tuple[str, ...], found: list[dict[str, Any]], queries: int) -> list[Score]:
    scores = []
    for via in vias:
        for name in found[0][via]:
            values = np.array([of_seed[via][name] for of_seed in found])
            forward, backward = values.mean(axis=0).tolist()
            value = float(values.mean())
            k = int(name.partition("@")[2] or 1)
            definition, cite = MATCHING if "@" not in name else (RECALL[0].format(k=k), RECALL[1])
            scores.append(
                Score(
                    measure=name,
                    view=via,
                    value=value,
                    forward=forward,
                    backward=backward,
                    interval=Interval(*rate_interval(value, queries), LEVEL, "Wilson score of the rows of one seed"),
                    chance=min(k / queries, 1.0),
                    pairs=queries,
                    gallery=queries,
                    range=(0.0, 1.0),
                    definition=definition,
                    cite=cite,
                    section="Matching",
                    draws=_draws(values.mean(axis=1)) if len(found) > 1 else None,
                )
            )
    return scores


def _draws(values: Floats) -> Draws:
    return Draws(float(values.mean()), float(values.std(ddof=1)), len(values))


def _notes(
    joined: PairedSpaces,
    frame: Anchors,
    wanted: AnchorList | AnchorChoice,
    vias: tuple[str, ...],
    options: Options,
    queries: int,
) -> list[str]:
    notes = first_notes(joined.x, joined.y, by_number=joined.by == "row number")
    notes.append(f"{queries:,} rows that are no anchors were matched; y's in shuffled order, each given once")
    if options.queries is None and queries < QUERIES:
        notes.append(f"fewer than {QUERIES:,} rows are held out, so all of them were matched: chance is higher")
    if options.center:
        notes.append("centred on the means of the rows that both share")
    if options.seeds > 1:
        drawn = "anchors and rows" if isinstance(wanted, AnchorChoice) else "rows"
        if drawn == "anchors and rows" or queries < len(joined) - len(frame):
            notes.append(f"each seed draws its own {drawn}; the interval is that of one seed")
        else:
            notes.append("anchors and rows are the same for every seed, which only shuffles them")
    widest = max(joined.x.dim, joined.y.dim)
    if len(frame) <= widest and any(via.startswith("translate:") for via in vias):
        notes.append(
            f"translations are fitted on {len(frame):,} anchors for up to {widest:,} dimensions: they are "
            "under-determined"
        )
    if options.via is None and "absolute" not in vias:
        notes.append(f"absolute vectors have {joined.x.dim:,} and {joined.y.dim:,} dimensions and cannot be matched")
    return notes
