"""Which way of comparing suits two spaces: what `relcli recommend` does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from relcli._version import versions
from relcli.accumulators.hits import Survey
from relcli.accumulators.probe import Census, repeats_left_out, without_bad
from relcli.arrays import Floats
from relcli.engines.engine import Engine, Progress
from relcli.errors import DataError, IdError, JoinError, UsageError, check_choice, first_few
from relcli.evaluation.choosing import (
    FOLDS,
    LEAST_ANCHORS,
    choose_retrieval,
    choose_stitching,
    folds_for,
    parse_candidates,
    tries,
)
from relcli.evaluation.heldout import fold_numbers
from relcli.evaluation.heldout_heads import Learnt
from relcli.evaluation.policies import check_policies, policies_of
from relcli.evaluation.vias import check_widths
from relcli.reports.recommendation import MEASURES, Choice, Recommendation, beyond_chance
from relcli.spaces.anchors import AnchorChoice, AnchorList, Anchors, settle_anchors
from relcli.spaces.gallery import Gallery
from relcli.spaces.pairing import Ids, PairedSpaces, first_notes
from relcli.spaces.relative import anchor_facts, check_same_frame
from relcli.spaces.space import Space

DIRECTIONS = ("forward", "both")


@dataclass(frozen=True)
class Options:
    """
    How to choose: `purpose` is retrieval, stitching, or None for what the inputs allow.

    `candidates` are the ways to try, the usual ones for each purpose unless named; `folds` those that anchors are held
    out in, at most one an anchor. `products` tries the best ways together too. `direction` forward goes from x to y
    alone, both shows the way back too: forward decides.
    """

    purpose: str | None = None
    candidates: tuple[str, ...] | None = None
    folds: int = FOLDS
    products: bool = True
    direction: str = "both"
    seed: int = 0
    on_duplicate: str = "error"
    on_bad: str = "error"
    missing_anchors: str = "error"

    def __post_init__(self) -> None:
        if self.purpose is not None:
            check_choice("for", self.purpose, MEASURES)
        check_choice("direction", self.direction, DIRECTIONS)
        if self.folds < 2:
            raise UsageError(f"--folds {self.folds} holds nothing out: it is 2 or more.")
        if self.candidates is not None:
            for purpose in (self.purpose,) if self.purpose else ("retrieval",):
                parse_candidates(self.candidates, purpose)
        check_policies(self)


@dataclass(frozen=True)
class Classes:
    """What heads are to predict: a class of each id, "" where there is none, and which ids they may be trained on."""

    ids: Ids
    values: Ids
    source: str
    train: Ids | None = None


def recommend(
    x: Space,
    y: Space,
    anchors: AnchorList | AnchorChoice,
    options: Options,
    *,
    engine: Engine,
    classes: Classes | None = None,
    progress: Callable[[str, int], Progress] | None = None,
) -> Recommendation:
    """
    Return which way finds, or lets heads classify, anchors [a] that were held out of it, from x [n, dx] to y [n', dy].

    Nothing but the anchors tells who pairs with whom, and no label but theirs and those of the rows that heads are
    trained on is seen. Keeps up to 10,000 rows of either space, or all labelled rows of x.
    """
    if options.purpose == "stitching" and classes is None:
        raise UsageError("--for stitching needs classes to predict: give --labels FILE#COLUMN.")
    check_same_frame(x, y)
    purposes = [
        purpose
        for purpose, wanted in (("retrieval", True), ("stitching", classes is not None))
        if options.purpose == purpose or (options.purpose is None and wanted)
    ]
    ways = {purpose: parse_candidates(options.candidates, purpose) for purpose in purposes}
    check_widths(ways.get("retrieval", ()), (x.name, x.dim), (y.name, y.dim), flag="--candidates")
    notes = first_notes(x, y, refusing=False)
    sides = [_surveyed(space, options, engine, notes, progress) for space in (x, y)]
    frame = _frame(sides, anchors, options)
    choices: list[Choice] = []
    if "retrieval" in ways:
        means = _means(sides, frame, engine, notes, progress)
        step = progress and progress("trying ways", tries(len(ways["retrieval"])))
        choice, told = choose_retrieval(
            sides[0], sides[1], frame, means, ways["retrieval"],
            folds=options.folds, seed=options.seed, products=options.products,
            both=options.direction == "both", engine=engine, step=step,
        )  # fmt: skip
        choices.append(choice)
        notes += told
    if "stitching" in ways:
        assert classes is not None
        learnt = _learnt(sides, frame, classes, options, notes)
        step = progress and progress("trying heads", len(ways["stitching"]))
        choices.append(choose_stitching(learnt, ways["stitching"], of=len(sides[0]), seed=options.seed, step=step))
        notes.append("stitching is tried by a ridge head, trained on x without the anchors it is tested on")
    notes += [note for choice in choices for note in beyond_chance(choice)]
    if classes is None:
        notes.append("no labels were given: the choice is for retrieval, and may differ for stitching (--labels)")
    return Recommendation(
        x=x.facts(),
        y=y.facts(),
        anchors=anchor_facts(frame, anchors),
        choices=tuple(choices),
        settings={
            "purpose": options.purpose,
            "candidates": list(options.candidates) if options.candidates else None,
            "folds": options.folds,
            "products": options.products,
            "direction": options.direction,
            "seed": options.seed,
            "labels": classes.source if classes else None,
            **policies_of(options),
        },
        versions=versions(),
        notes=tuple(dict.fromkeys(notes)),
    )


def _surveyed(
    space: Space,
    options: Options,
    engine: Engine,
    notes: list[str],
    progress: Callable[[str, int], Progress] | None,
) -> Gallery:
    """Return the rows of a space without the bad ones, or refuse these, as the policy says."""
    rows = Gallery.of(space, on_duplicate=options.on_duplicate)  # type: ignore[arg-type]
    survey = engine.reduce(rows, Survey(), progress and progress(f"checking {space.name}", len(rows)))
    kept, told = without_bad(rows, survey.bad, space.name, options.on_bad)
    notes += repeats_left_out(rows) + told
    return kept


def _frame(sides: list[Gallery], anchors: AnchorList | AnchorChoice, options: Options) -> Anchors:
    spaces = sides[0].space, sides[1].space
    pair = PairedSpaces.unjoined(*spaces)
    if isinstance(anchors, AnchorChoice):
        pair = PairedSpaces.join(*spaces, on_duplicate=options.on_duplicate)  # type: ignore[arg-type]
        pair = pair.take((sides[0].find(pair.ids) >= 0) & (sides[1].find(pair.y.ids[pair.rows_y]) >= 0))
    frame = settle_anchors(pair, anchors, missing=options.missing_anchors, seed=options.seed)  # type: ignore[arg-type]
    folds_for(len(frame), LEAST_ANCHORS)
    return frame


def _means(
    sides: list[Gallery],
    frame: Anchors,
    engine: Engine,
    notes: list[str],
    progress: Callable[[str, int], Progress] | None,
) -> tuple[Floats, Floats]:
    """Return each space's mean over the rows that both share, or over the anchors where they share no ids."""
    x, y = sides[0].space, sides[1].space
    try:
        pair = PairedSpaces.join(x, y, on_duplicate="first")
    except JoinError:
        notes.append(f"centred on the means of the {len(frame):,} anchors")
        return frame.x.mean(axis=0), frame.y.mean(axis=0)
    pair = pair.take((sides[0].find(pair.ids) >= 0) & (sides[1].find(pair.y.ids[pair.rows_y]) >= 0))
    census = engine.reduce(pair, Census(x.dim, y.dim), progress and progress("centring", len(pair)))
    notes.append(f"centred on the means of the {census.count:,} rows that both share")
    return census.sum_x / max(census.count, 1), census.sum_y / max(census.count, 1)


def _learnt(sides: list[Gallery], frame: Anchors, classes: Classes, options: Options, notes: list[str]) -> Learnt:
    """Return the rows that heads may be trained on, and the anchors they are tested on, with their classes."""
    rows_x, rows_y = sides
    labelled = classes.values != ""
    ids, values = classes.ids[labelled], classes.values[labelled]
    if len(np.unique(ids)) < len(ids):
        raise IdError(f"{len(ids) - len(np.unique(ids)):,} ids of {classes.source} have more than one label.")
    at = _places(ids, frame.x_ids)
    if classes.train is not None:
        # the class of a row to test on is not looked at, anchor or not
        kept = np.isin(frame.x_ids, classes.train)
        if not kept.all():
            notes.append(
                f"{int((~kept).sum()):,} anchors are no train rows and were left out of the choice of stitching"
            )
        frame = replace(frame, x_ids=frame.x_ids[kept], y_ids=frame.y_ids[kept], x=frame.x[kept], y=frame.y[kept])
        at = at[kept]
    if (at < 0).any():
        raise IdError(
            f"{int((at < 0).sum()):,} of {len(frame):,} anchors have no label in {classes.source}: "
            f"{first_few(list(frame.x_ids[at < 0]))}. Label them, or take others for anchors."
        )
    train = ids if classes.train is None else ids[np.isin(ids, classes.train)]
    place = rows_x.find(train)
    train, place = train[place >= 0], np.sort(place[place >= 0])
    names, codes = np.unique(values, return_inverse=True)
    row_ids = rows_x.ids[place]
    row_codes = codes[_places(ids, row_ids)]
    if len(np.unique(row_codes)) < 2:
        raise DataError(
            f"{len(row_ids):,} rows of {rows_x.space.name} have a label in {classes.source} to train on, of "
            f"{len(np.unique(row_codes)):,} classes. Give labels of two classes or more."
        )
    if len(names) > max(len(ids) // 2, 2):
        raise DataError(
            f"{classes.source} has {len(names):,} different labels for {len(ids):,} rows, such as "
            f"{first_few(list(names), 3)}: these are no classes. Name another column."
        )
    vectors = rows_x.batch(place).vectors
    # as in stitch, each side's mean is over the rows to train on
    of_y = rows_y.find(row_ids)
    of_y = np.sort(of_y[of_y >= 0])
    mean_y = rows_y.batch(of_y).vectors.mean(axis=0) if len(of_y) else frame.y.mean(axis=0)
    fold = fold_numbers(frame.x_ids, folds_for(len(frame), options.folds), seed=options.seed)
    notes.append(f"heads are trained on {len(row_ids):,} rows of {rows_x.space.name}, of {len(names):,} classes")
    return Learnt(
        frame.x, frame.y, codes[at], fold, vectors, row_codes, _places(row_ids, frame.x_ids),
        (vectors.mean(axis=0), mean_y),
    )  # fmt: skip


def _places(known: Ids, ids: Ids) -> np.ndarray:
    """Return where each id stands among those that are known, −1 where it does not."""
    order = np.argsort(known, kind="stable")
    at = order[np.searchsorted(known, ids, sorter=order).clip(max=len(known) - 1)]
    return np.where(known[at] == ids, at, -1)
