"""Many spaces in, the scores of every pair out, and how similarity to one of them goes with figures of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from relcli._version import VERSION, versions
from relcli.accumulators.moments import HeldOut
from relcli.accumulators.neighbors import NeighborLists
from relcli.accumulators.probe import Census
from relcli.engines.engine import Engine
from relcli.errors import (
    AnchorError,
    JoinError,
    UsageError,
    VectorError,
    check_choice,
    counted,
    did_you_mean,
    first_few,
)
from relcli.evaluation.policies import check_policies
from relcli.evaluation.scoring import Intervals, score_all
from relcli.evaluation.views import VIEWS, Watch, check_views, fill, make_views
from relcli.kernels.tiers import tier_used
from relcli.measures.catalog import find_measures
from relcli.measures.correlation import clustered_order, correlate
from relcli.measures.measure import Measure
from relcli.reports.matrix import Matrix
from relcli.reports.report import Score
from relcli.reports.study import check_same
from relcli.spaces.anchors import AnchorChoice, AnchorList, Anchors, choose_anchors, find_anchors, settle_anchors
from relcli.spaces.pairing import Index, PairedSpaces, first_notes, refuse_twice, unique_rows
from relcli.spaces.relative import Centering, RelativeProjection, anchor_digest
from relcli.spaces.similarity import parse_similarity, similarity_name
from relcli.spaces.space import Space

#: Anchors of the relative view unless told otherwise; half of the rows where there are fewer than twice as many.
ANCHORS = AnchorChoice("uniform", 300)

#: Numbers of all spaces that are kept in memory, 2 GiB of float64; spaces beyond are read again for each pair.
LOADED = 2**28

#: Up to this many rows all are queries; above it a sample of that many is.
ALL_QUERIES, SAMPLED_QUERIES = 50_000, 10_000

JOINS = ("common", "pairwise")
ORDERS = ("given", "cluster")


@dataclass(frozen=True)
class Options:
    """What to score: measures on views, over rows common to all or shared pair by pair, in which order to show them."""

    measures: tuple[str, ...] = ("debiased-cka", "mrr")
    views: tuple[str, ...] = VIEWS
    similarity: str = "cosine"
    center: bool = False
    join: str = "common"
    order: str = "given"
    sample: str | int = "auto"
    seed: int = 0
    on_duplicate: str = "error"
    on_bad: str = "error"
    missing_anchors: str = "error"
    strict: bool = False

    def __post_init__(self) -> None:
        if not self.measures or not self.views:
            raise UsageError("No measures are named: give at least one, with commas between several.")
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed} is negative: seeds are 0 or more.")
        parse_similarity(self.similarity)
        check_policies(self)
        check_choice("join", self.join, JOINS)
        check_choice("order", self.order, ORDERS)
        check_views(self.views)

    def queries_of(self, scored: int) -> int | None:
        """Return the number of queries to sample, None for all."""
        if self.sample == "auto":
            return None if scored <= ALL_QUERIES else SAMPLED_QUERIES
        if self.sample == "all":
            return None
        count = int(self.sample) if str(self.sample).isdigit() else 0
        if count < 1:
            raise UsageError(f"--sample {self.sample!r} is none of auto, all, or a positive number of queries.")
        return count


@dataclass(frozen=True)
class Scores:
    """A figure of each space by name, the column it is from, and the space to compare with: the best unless given."""

    by_name: Mapping[str, float]
    column: str
    reference: str | None = None


def matrix(
    spaces: Sequence[Space],
    anchors: AnchorList | AnchorChoice | None,
    options: Options,
    *,
    engine: Engine,
    scores: Scores | None = None,
    earlier: tuple[str, Mapping[str, Any]] | None = None,
    keep: Callable[[Callable[[], Matrix]], None] | None = None,
    progress: Watch | None = None,
) -> Matrix:
    """
    Return the scores of every pair of N spaces, the diagonal computed like any other pair.

    A measure that is symmetric by definition is computed once a pair, another one both ways. `earlier` is a file's
    name and the document of a run to take up; `keep` is given the matrix after each pair, as what makes it.
    """
    measures = find_measures(options.measures)
    _check(spaces, measures, options, anchors)
    reference = _reference(spaces, scores) if scores else None
    told_of = [space.facts() for space in spaces]
    spaces, join = _joined(spaces, options)
    spaces = _checked(_in_memory(spaces), join, options, engine, progress)
    if options.center and join["mode"] == "common":
        spaces = [_centred(space, engine) for space in spaces]
    frame = _frame(spaces, anchors, measures, join, options)
    basis = _basis(spaces, frame, measures, join, options)
    names = [space.name for space in spaces]
    wanted = [(x, y) for x in range(len(spaces)) for y in range(x, len(spaces))]
    both = [measure for measure in measures if not measure.symmetric]
    wanted += sorted((y, x) for x, y in wanted if x != y) if both else []
    done: dict[tuple[str, str], dict[str, Any]] = {}
    if earlier:
        done = _taken_up(*earlier, basis)

    def made() -> Matrix:
        cells = [done[names[x], names[y]] for x, y in wanted if (names[x], names[y]) in done]
        complete = len(cells) == len(wanted)
        squares = [_square(m, view, names, done) for m in measures for view in options.views if view in m.views]
        order = _order(squares[0]) if options.order == "cluster" and complete else range(len(names))
        squares = [{**s, "values": [[s["values"][x][y] for y in order] for x in order]} for s in squares]
        shared = [cell["pairs"] for cell in cells if cell["x"] != cell["y"] and cell["pairs"] is not None]
        counts = {} if join["mode"] == "common" else {"least": min(shared, default=0), "most": max(shared, default=0)}
        return Matrix(
            spaces=tuple(told_of[place] for place in order),
            join={**join, **counts},
            anchors=_anchor_facts(frame, anchors),
            cells=tuple(cells),
            matrices=tuple(squares),
            correlations=_correlations(scores, reference, squares, [names[place] for place in order], done)
            if scores
            else {},
            settings=_settings(options, len(wanted)),
            basis=basis,
            versions=versions(),
            notes=(*first_notes(*spaces), *_notes(cells, options, join, scores, names)),
            complete=complete,
        )

    told = progress and progress("scoring pairs", len(wanted))
    if told:
        told(sum((names[x], names[y]) in done for x, y in wanted))
    intervals = Intervals(options.seed)
    refused: list[Exception] = []
    row: tuple[int, Space] | None = None
    for x, y in wanted:
        if (names[x], names[y]) in done:
            continue
        asked = measures if x <= y else both
        if row is None or row[0] != x:
            row = None  # let the last row's space go before the next is read
            row = (x, _loaded(spaces[x]))
        other = row[1] if x == y else spaces[y]
        done[names[x], names[y]] = _cell(row[1], other, frame, asked, options, engine, intervals, join, refused)
        if told:
            told(1)
        if keep:
            keep(made)
    found = made()
    if refused and not any(cell["scores"] for cell in found.cells if cell["x"] != cell["y"]):
        raise refused[0]
    return found


def _check(
    spaces: Sequence[Space], measures: Sequence[Measure], options: Options, anchors: AnchorList | AnchorChoice | None
) -> None:
    if len(spaces) < 2:
        raise UsageError(f"A matrix needs at least two spaces, and {len(spaces)} is given. Name more files, or a glob.")
    repeated = [name for name, times in Counter(space.name for space in spaces).items() if times > 1]
    if repeated:
        raise UsageError(f"{len(repeated)} names stand for several spaces: {first_few(repeated)}. Name each dump once.")
    for measure in measures:
        if not any(view in measure.views for view in options.views):
            raise UsageError(
                f"{measure.name} is defined on the {', '.join(measure.views)} view only. Ask for that with --view, or "
                "leave it out."
            )
    if isinstance(anchors, AnchorList) and (anchors.x_ids != anchors.y_ids).any():
        raise UsageError(
            f"{anchors.source} pairs ids of two spaces, and these are {len(spaces)}. Give one id a line, that of all."
        )


def _joined(spaces: Sequence[Space], options: Options) -> tuple[list[Space], dict[str, Any]]:
    """Return the spaces as they are to be paired, all with the same rows in the same order where ids are common."""
    if options.strict:
        for x, y in combinations(spaces, 2):
            refuse_twice(x, y)
    given = [space for space in spaces if space.origin.ids_given]
    if given and len(given) < len(spaces):
        without = first_few([space.name for space in spaces if not space.origin.ids_given])
        raise JoinError(
            f"{len(given)} of {len(spaces)} spaces have ids, {without} has none. Write its ids beside it, one a line, "
            "as <stem>.ids.txt, or number the rows of all with --id-column row-number."
        )
    if not given:
        counts = {len(space): space.name for space in spaces}
        if len(counts) > 1:
            told = " and ".join(f"{count:,} ({name})" for count, name in sorted(counts.items())[:2])
            raise JoinError(f"No space has ids, and their row counts differ: {told}. Give ids with --ids FILE.")
        if options.strict:
            raise JoinError("No space has ids, and --strict forbids matching rows by number. Give ids with --ids FILE.")
        return list(spaces), {"mode": "common", "by": "row number", "pairs": len(spaces[0])}
    if options.join == "pairwise":
        return list(spaces), {"mode": "pairwise", "by": "id", "pairs": None}
    common = None
    rows = [unique_rows(space, options.on_duplicate)[0] for space in spaces]  # type: ignore[arg-type]
    for space, kept in zip(spaces, rows, strict=True):
        ids = space.ids[kept]
        common = ids if common is None else np.intersect1d(common, ids, assume_unique=True)
        if not len(common):
            raise JoinError(
                f"{len(spaces)} spaces share no ids: none is left at {space.name}, whose ids are like "
                f"{str(space.ids[0])!r}, where {spaces[0].name} has {str(spaces[0].ids[0])!r}. Compare those that do, "
                "or pass --pairwise."
            )
    assert common is not None
    common = np.sort(common)
    taken = []
    for space, kept in zip(spaces, rows, strict=True):
        of_common: Index = kept[np.searchsorted(space.ids[kept], common)]
        taken.append(space.take(of_common))
    return taken, {"mode": "common", "by": "id", "pairs": len(common)}


def _in_memory(spaces: Sequence[Space]) -> list[Space]:
    """
    Return the spaces with as many of them read as LOADED allows.

    Where not all may be, room stays for the largest: each of the others is read once more for its row of pairs.
    """
    sizes = [len(space) * space.dim for space in spaces]
    room, found = LOADED - (0 if sum(sizes) <= LOADED else max(sizes)), []
    for space, numbers in zip(spaces, sizes, strict=True):
        found.append(space.loaded() if numbers <= room else space)
        room -= numbers if numbers <= room else 0
    return found


def _loaded(space: Space) -> Space:
    """Return a space that one row of pairs is about, in memory unless it alone is beyond LOADED."""
    return space.loaded() if len(space) * space.dim <= LOADED else space


def _checked(
    spaces: list[Space], join: dict[str, Any], options: Options, engine: Engine, progress: Watch | None
) -> list[Space]:
    """Return the spaces without rows that hold NaN, Inf or only zeros, or raise unless they may be dropped."""
    bad: list[list[int]] = []
    told = progress and progress("checking rows", sum(map(len, spaces)))
    for space in spaces:
        census = engine.reduce(PairedSpaces.alone(space), Census(space.dim, 0, sums=False), told)
        bad.append(sorted({row for ranks in census.ranks().values() for row in ranks}))
    if not any(bad):
        return spaces
    if options.on_bad == "error":
        told_of = "; ".join(
            f"{len(rows):,} of {space.name} ({first_few(list(space.ids[rows]), 3)})"
            for space, rows in zip(spaces, bad, strict=True)
            if rows
        )
        raise VectorError(
            f"Rows hold NaN, Inf or only zeros: {told_of}. Mend them, or leave them out with --on-bad drop."
        )
    if join["mode"] == "common":
        bad = [sorted({row for rows in bad for row in rows})] * len(spaces)
    kept = [space.take(np.setdiff1d(np.arange(len(space)), rows)) for space, rows in zip(spaces, bad, strict=True)]
    for space in kept:
        if not len(space):
            raise VectorError(f"No row of {space.name} is left without NaN, Inf or only zeros: leave that space out.")
    if join["mode"] == "common":
        join |= {"pairs": len(kept[0])}
    join |= {"dropped": sum(map(len, bad)) if join["mode"] == "pairwise" else len(bad[0])}
    return kept


def _frame(
    spaces: Sequence[Space],
    anchors: AnchorList | AnchorChoice | None,
    measures: Sequence[Measure],
    join: Mapping[str, Any],
    options: Options,
) -> AnchorList | AnchorChoice | None:
    """Return the anchors: those of all spaces by their ids, a choice to be made pair by pair, or None for none."""
    if anchors is None and "relative" not in options.views and not any(m.reads is HeldOut for m in measures):
        return None
    if join["mode"] == "pairwise":
        return anchors or ANCHORS
    pair = PairedSpaces.join(spaces[0], spaces[0], seed=options.seed)
    wanted = anchors or _reachable(ANCHORS, pair)
    found = settle_anchors(pair, wanted, missing=options.missing_anchors, seed=options.seed)  # type: ignore[arg-type]
    source = wanted.source if isinstance(wanted, AnchorList) else f"{wanted.strategy}:{wanted.count}"
    if len(found) >= len(pair):
        raise AnchorError(f"All {len(pair):,} common rows are anchors, so none is left to score. Use fewer anchors.")
    return AnchorList(found.x_ids, found.y_ids, source)


def _basis(
    spaces: Sequence[Space],
    frame: AnchorList | AnchorChoice | None,
    measures: Sequence[Measure],
    join: Mapping[str, Any],
    options: Options,
) -> dict[str, Any]:
    listed = isinstance(frame, AnchorList)
    common = join["mode"] == "common"
    return {
        "sha256": {space.name: space.origin.sha256 for space in spaces},
        "ids_by_space": {} if common else {space.name: anchor_digest(space.ids, space.ids) for space in spaces},
        "ids_sha256": anchor_digest(spaces[0].ids, spaces[0].ids) if common else None,
        "anchors": anchor_digest(frame.x_ids, frame.y_ids) if listed else frame and f"{frame.strategy}:{frame.count}",  # type: ignore[union-attr]
        "measures": [measure.name for measure in measures],
        "views": list(options.views),
        "similarity": similarity_name(parse_similarity(options.similarity)),
        "center": options.center,
        "join": join["mode"],
        "sample": str(options.sample),
        "on_duplicate": options.on_duplicate,
        "on_bad": options.on_bad,
        "missing_anchors": options.missing_anchors,
        "seed": options.seed,
        "relcli": VERSION,
    }


def _taken_up(
    path: str, document: Mapping[str, Any], basis: Mapping[str, Any]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the cells of an earlier run; spaces may come and go, but those in both must be the same files."""
    then, now = dict(document.get("basis", {})), dict(basis)
    for key, what in (("sha256", "the SHA-256 of"), ("ids_by_space", "the ids of")):
        before, after = then.pop(key, {}), now.pop(key)
        for name in after:
            if name in before:
                then[f"{what} {name}"], now[f"{what} {name}"] = before[name], after[name]
    check_same(path, then, now)
    return {(cell["x"], cell["y"]): cell for cell in document.get("cells", ())}


def _cell(
    x: Space,
    y: Space,
    frame: AnchorList | AnchorChoice | None,
    measures: Sequence[Measure],
    options: Options,
    engine: Engine,
    intervals: Intervals,
    join: Mapping[str, Any],
    refused: list[Exception],
) -> dict[str, Any]:
    """Return what the measures say of one pair; where rows or anchors do not reach, why there is nothing."""
    cell: dict[str, Any] = {"x": x.name, "y": y.name, "pairs": None, "scores": [], "undefined_because": None}
    try:
        pair = PairedSpaces.join(x, y, on_duplicate=options.on_duplicate, seed=options.seed)  # type: ignore[arg-type]
        if options.center and join["mode"] == "pairwise":
            pair = _pair_centred(pair, engine)
        found = _anchors_of(pair, frame, options)
        pair = pair.with_anchors(found.x_ids, found.y_ids, scored=False)
        _check_depth(measures, len(pair))
        if not pair.scored.any():
            raise AnchorError("every shared row is an anchor")
    except (JoinError, AnchorError) as error:
        # one pair that shares too little must not cost the others
        if join["mode"] == "common":
            raise
        refused.append(error)
        return {**cell, "undefined_because": str(error)}
    scored = int(pair.scored.sum())
    views = make_views(
        pair,
        found,
        measures,
        names=options.views,
        relate=partial(RelativeProjection, similarity=options.similarity),
        queries=options.queries_of(scored),
    )
    fill(pair, views, measures, engine, folds=0)
    scores = score_all(measures, views, intervals, scored)
    return {**cell, "pairs": len(pair), "scores": [_kept(score) for score in scores]}


def _centred(space: Space, engine: Engine) -> Space:
    """Return a space with the mean of its rows subtracted."""
    census = engine.reduce(PairedSpaces.alone(space), Census(space.dim, 0))
    return space.map(Centering.of(census.sum_x / max(census.count, 1)))


def _pair_centred(pair: PairedSpaces, engine: Engine) -> PairedSpaces:
    """Return the pairs with the mean of the rows of each side, those that both spaces share, subtracted."""
    census = engine.reduce(pair, Census(pair.x.dim, pair.y.dim))
    return pair.map(*(Centering.of(total / max(census.count, 1)) for total in (census.sum_x, census.sum_y)))


def _anchors_of(pair: PairedSpaces, frame: AnchorList | AnchorChoice | None, options: Options) -> Anchors:
    if isinstance(frame, AnchorList):
        return find_anchors(pair, frame.x_ids, frame.y_ids, missing=options.missing_anchors)  # type: ignore[arg-type]
    if frame is ANCHORS:
        frame = _reachable(frame, pair)
    if frame is not None:
        return choose_anchors(pair, frame.strategy, frame.count, seed=options.seed, labels=frame.labels)
    none = pair.ids[:0]
    return Anchors(none, none, np.zeros((0, pair.x.dim)), np.zeros((0, pair.y.dim)), strategy="none")


def _reachable(choice: AnchorChoice, pair: PairedSpaces) -> AnchorChoice:
    """Return the choice with no more anchors than half of the rows."""
    return replace(choice, count=min(choice.count, len(pair) // 2))


def _check_depth(measures: Sequence[Measure], pairs: int) -> None:
    depth = max((measure.k or 0 for measure in measures if measure.reads is NeighborLists), default=0)
    if depth >= pairs:
        raise UsageError(f"k = {depth:,} neighbours need at least {depth + 1:,} shared rows, and there are {pairs:,}.")


def _kept(score: Score) -> dict[str, Any]:
    return {name: getattr(score, name) for name in ("measure", "view", "value", "chance", "undefined_because")}


def _square(
    measure: Measure, view: str, names: Sequence[str], cells: Mapping[tuple[str, str], Mapping[str, Any]]
) -> dict[str, Any]:
    chances: list[float] = []

    def value(x: int, y: int) -> float | None:
        score = _score_between(measure.name, view, names[x], names[y], cells, symmetric=measure.symmetric)
        if score is None:
            return None
        if x != y and score["chance"] is not None:
            chances.append(score["chance"])
        return score["value"]

    every = range(len(names))
    return {
        "measure": measure.name,
        "view": view,
        "values": [[value(x, y) for y in every] for x in every],
        "chance": float(np.mean(chances)) if chances else None,
        **{key: getattr(measure, key) for key in ("higher_is_closer", "symmetric", "range", "definition", "cite")},
    }


def _order(square: Mapping[str, Any]) -> list[int]:
    """Return an order in which spaces alike by a measure stand together; undefined pairs count as the farthest."""
    values = np.array([[np.nan if v is None else v for v in row] for row in square["values"]], np.float64)
    distances = np.nanmax(values) - values if square["higher_is_closer"] else values - np.nanmin(values)
    return clustered_order(np.where(np.isnan(distances), np.nanmax(distances), distances))


def _reference(spaces: Sequence[Space], scores: Scores) -> str:
    """Return the space to compare with: the one named, or the best of those that have a score."""
    names = [space.name for space in spaces]
    known = [name for name in names if name in scores.by_name]
    if not known:
        raise UsageError(
            "The scores name none of the spaces: they are of "
            f"{first_few(list(scores.by_name), 3) or 'no model at all'}, the spaces are {first_few(names, 3)}. "
            "Call them by the names of the files, without suffix."
        )
    if scores.reference is None:
        return max(known, key=lambda name: scores.by_name[name])
    if scores.reference not in names:
        raise UsageError(
            f"--reference {scores.reference!r} is none of the spaces: {first_few(names)}."
            f"{did_you_mean(scores.reference, names)}"
        )
    return scores.reference


def _score_between(
    measure: str, view: str, x: str, y: str, cells: Mapping[tuple[str, str], Mapping[str, Any]], *, symmetric: bool
) -> Mapping[str, Any] | None:
    """Return a score of x and y, None where there is none; one that is symmetric stands once a pair, either way."""
    found = [*([cells[x, y]] if (x, y) in cells else []), *([cells[y, x]] if symmetric and (y, x) in cells else [])]
    return next((s for cell in found for s in cell["scores"] if (s["measure"], s["view"]) == (measure, view)), None)


def _correlations(
    scores: Scores,
    reference: str | None,
    squares: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    cells: Mapping[tuple[str, str], Mapping[str, Any]],
) -> dict[str, Any]:
    """Return how similarity to the reference goes with each other space's score, for each measure and view."""
    assert reference is not None
    others = [name for name in names if name != reference and name in scores.by_name]
    found = []
    for square in squares:
        measure, view, symmetric = square["measure"], square["view"], square["symmetric"]
        # row reference, column other: the way of an asymmetric measure is from the reference
        pairs = [
            (score, scores.by_name[name])
            for name in others
            if (score := _score_between(measure, view, reference, name, cells, symmetric=symmetric))
            and score["value"] is not None
        ]
        for of, similarity in _similarities([score for score, _ in pairs], square):
            told = asdict(correlate(similarity, [own for _, own in pairs]))
            found.append({"measure": measure, "view": view, "of": of, **told})
    return {
        "reference": reference,
        "reference_score": scores.by_name.get(reference),
        "column": scores.column,
        "scores": {name: scores.by_name.get(name) for name in names},
        "found": found,
    }


def _similarities(
    scores: Sequence[Mapping[str, Any]], square: Mapping[str, Any]
) -> Iterator[tuple[str, Sequence[float]]]:
    """
    Yield the scores, and where each pair has a chance level of its own, what they are above it.

    Mismatched rows of narrow cones have a high cosine: that tells of the cones. "calibrated" is (value − chance) /
    (best − chance), 0 at chance and 1 at the best.
    """
    yield "value", [score["value"] for score in scores]
    best = square["range"][1 if square["higher_is_closer"] else 0]
    if len({score["chance"] for score in scores}) < 2 or any(score["chance"] is None for score in scores):
        return
    above = [score["value"] - score["chance"] for score in scores]
    yield "above chance", above
    if best is not None and all(score["chance"] != best for score in scores):
        yield "calibrated", [part / (best - score["chance"]) for part, score in zip(above, scores, strict=True)]


def _anchor_facts(frame: AnchorList | AnchorChoice | None, wanted: AnchorList | AnchorChoice | None) -> dict[str, Any]:
    if frame is None:
        return {}
    if isinstance(frame, AnchorChoice):
        return {"source": f"{frame.strategy}:{frame.count}", "count": frame.count, "chosen": "pair by pair"}
    return {
        "source": frame.source,
        "count": len(frame.x_ids),
        "chosen": "once for all",
        "asked_for": wanted is not None,
        "sha256": anchor_digest(frame.x_ids, frame.y_ids),
    }


def _settings(options: Options, cells: int) -> dict[str, Any]:
    return {
        "order": "average linkage by the first measure and view" if options.order == "cluster" else "",
        "cells": cells,
        "strict": options.strict,
        "tier": tier_used(),
    }


def _notes(
    cells: Sequence[Mapping[str, Any]],
    options: Options,
    join: Mapping[str, Any],
    scores: Scores | None,
    names: Sequence[str],
) -> Iterator[str]:
    if join.get("dropped"):
        was = "was" if join["dropped"] == 1 else "were"
        yield f"{counted(join['dropped'], 'row')} with NaN, Inf or only zeros {was} left out"
    yield "the diagonal compares each space with itself, computed like any other pair: repeated rows show there"
    without = [cell for cell in cells if cell["undefined_because"]]
    if without:
        has = "has" if len(without) == 1 else "have"
        yield f"{counted(len(without), 'pair')} {has} no score: {without[0]['undefined_because']}"
    reasons: dict[str, list[str]] = {}
    for cell in cells:
        for score in cell["scores"]:
            if score["undefined_because"]:
                key = f"{score['measure']} ({score['view']})"
                reasons.setdefault(key, []).append(score["undefined_because"])
    for key, told in reasons.items():
        yield f"{key} is undefined for {counted(len(told), 'pair')}: {told[0]}"
    if scores:
        lost = [name for name in names if name not in scores.by_name]
        if lost:
            has = "has" if len(lost) == 1 else "have"
            yield f"{counted(len(lost), 'space')} {has} no {scores.column}: {first_few(lost)}"
