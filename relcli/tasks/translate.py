"""Two spaces in, a map from one to the other out, and what it leaves over; a map and a space in, a space out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from relcli._version import VERSION, versions
from relcli.accumulators.composite import Folds
from relcli.accumulators.moments import HeldOut
from relcli.accumulators.probe import Census, without_bad_rows
from relcli.engines.engine import Engine, Progress
from relcli.errors import UsageError, VectorError, check_choice, counted, first_few
from relcli.evaluation.policies import POLICIES, check_policies, policies_of
from relcli.measures.interval import LEVEL, RESAMPLES, Bootstrap, jackknife_interval
from relcli.measures.measure import Undefined
from relcli.measures.procrustes import aligned_units, heldout_chance, heldout_procrustes_residual
from relcli.measures.retrieval import mismatched_mean
from relcli.reports.report import Interval, Report, Score
from relcli.spaces.anchors import ILL_CONDITIONED, AnchorChoice, AnchorList, Anchors, settle_anchors
from relcli.spaces.pairing import Ids, PairedSpaces, first_notes
from relcli.spaces.relative import anchor_facts
from relcli.spaces.space import Space
from relcli.spaces.translation import Translation, check_translator, fit_translation

#: major.minor of what a translated file says of itself; an added key is a minor step.
PROVENANCE_VERSION = "1.0"

#: Rows whose cosine is taken: those with the smallest hashed ids where more are held out.
QUERIES = 10_000

FOLDS = 10

VIEW = "translated"

#: Translators that solve plain least squares, and where anchors for each dimension make that explode.
PLAIN = ("linear", "affine", "l-ortho")
NEAR = (0.5, 1.5)


@dataclass(frozen=True)
class FitOptions:
    """How to fit: a translator, a scaling, anchors to keep for `inverse-relative`, and the policies of compare."""

    method: str = "ortho"
    scaling: str = "global"
    prune: int | None = None
    seed: int = 0
    on_duplicate: str = "error"
    on_bad: str = "error"
    missing_anchors: str = "error"
    strict: bool = False

    def __post_init__(self) -> None:
        check_translator(self.method, self.scaling, self.prune)
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed} is negative: seeds are 0 or more.")
        check_policies(self)


@dataclass(frozen=True)
class Fitted:
    """A fitted map, the report on it, and its provenance as texts by name."""

    translation: Translation
    report: Report
    provenance: dict[str, str]


def fit(
    x: Space,
    y: Space,
    anchors: AnchorList | AnchorChoice,
    options: FitOptions,
    *,
    engine: Engine,
    pairs: tuple[Ids, Ids] | None = None,
    progress: Callable[[str, int], Progress] | None = None,
) -> Fitted:
    """
    Return the map from x [n, dx] to y [n', dy] fitted on their anchors, and how it does on all other shared rows.

    Two passes over the files: one that checks rows, one that sums up what the map leaves over.
    """
    joined = PairedSpaces.join(
        x,
        y,
        pairs=pairs,
        on_duplicate=options.on_duplicate,  # type: ignore[arg-type]
        strict=options.strict,
        seed=options.seed,
    )
    shared = len(joined)
    census = engine.reduce(joined, Census(x.dim, y.dim, sums=False), progress and progress("checking rows", shared))
    joined = without_bad_rows(joined, census, options.on_bad)
    frame = settle_anchors(joined, anchors, missing=options.missing_anchors, seed=options.seed)  # type: ignore[arg-type]
    joined = joined.with_anchors(frame.x_ids, frame.y_ids, scored=False)
    how = {"method": options.method, "scaling": options.scaling, "prune": options.prune}
    translation = fit_translation(frame.x, frame.y, **how)  # type: ignore[arg-type]
    empty = Folds.of(HeldOut(translation, origin=frame.y.mean(axis=0)), FOLDS)
    folds = engine.reduce(joined, empty, progress and progress("translating", len(joined)))
    scores = (_residual(folds), _cosine(joined, translation, options.seed), _anchor_residual(frame, translation))
    facts = anchor_facts(frame, anchors)
    report = Report(
        command="translate fit",
        x=x.facts(),
        y=y.facts(),
        join=joined.facts(shared),
        anchors=facts,
        scores=scores,
        settings={
            **how,
            "penalty": translation.penalty,
            "length": translation.length,
            "queries": scores[1].pairs,
            "sampled": scores[1].pairs < scores[0].pairs,
            "seed": options.seed,
            **policies_of(options),
            "strict": options.strict,
        },
        versions=versions(),
        notes=tuple(_notes(translation, frame, facts, joined, scores)),
    )
    return Fitted(translation, report, _provenance(x, y, joined, facts))


def apply(
    translation: Translation,
    space: Space,
    *,
    engine: Engine,
    provenance: dict[str, str] | None = None,
    on_bad: str = "error",
    progress: Callable[[str, int], Progress] | None = None,
) -> Space:
    """
    Return a space [n, dx] as the map sees it, [n, dy], in one pass that checks its rows; read on demand.

    Its origin says that it is translated, by what and from what. `provenance` is what is known of the map.
    """
    check_choice("on_bad", on_bad, POLICIES["on_bad"])
    translation.check_width(space.dim, space.name)
    alone = PairedSpaces.alone(space)
    census = engine.reduce(alone, Census(space.dim, 0, sums=False), progress and progress("checking rows", len(space)))
    # a row of zeros has its place in y
    bad = {kind: ranks for (side, kind), ranks in census.ranks().items() if side == "x" and kind != "zero"}
    rows = sorted(row for some in bad.values() for row in some)
    if rows and on_bad == "error":
        told = "; ".join(f"{len(some):,} {kind} ({first_few(list(space.ids[some]))})" for kind, some in bad.items())
        raise VectorError(
            f"Rows of {space.name} cannot be translated: {told}. Mend them, or leave them out with --on-bad drop."
        )
    if len(rows) == len(space):
        raise VectorError(f"All {len(space):,} rows of {space.name} hold NaN or Inf: nothing is left to translate.")
    if rows:
        space = space.take(np.setdiff1d(np.arange(len(space)), rows))
    origin = space.origin
    made = {
        "schema_version": PROVENANCE_VERSION,
        "kind": "translated",
        "method": translation.method,
        "scaling": translation.scaling,
        "map": provenance or {},
        "rows_left_out": len(rows),
        "source": {"name": space.name, "path": origin.path, "member": origin.member, "sha256": origin.sha256},
        "versions": versions(),
    }
    return replace(space.map(translation, dim=translation.dy), origin=replace(origin, provenance=made))


def _score(measure: str, *, value: float | None, **facts: Any) -> Score:
    return Score(measure=measure, view=VIEW, value=value, cite="Maiorca et al. 2023, arXiv:2311.00664", **facts)


def _residual(folds: Folds) -> Score:
    """Return the share of y's variance that the map misses on the rows that are not anchors."""
    facts: dict[str, Any] = {
        "range": (0, None),
        "higher_is_closer": False,
        "section": "Held out",
        "definition": "Σ‖y−ŷ‖² / Σ‖y−ȳ‖² on rows that are not anchors; chance is over mismatched pairs",
    }
    held = folds.total()
    assert isinstance(held, HeldOut)
    try:
        value, chance = heldout_procrustes_residual(held), heldout_chance(held)
    except Undefined as undefined:
        return _score("heldout-residual", value=None, undefined_because=str(undefined), **facts)
    try:
        others = [heldout_procrustes_residual(other) for other in folds.without_each()]  # type: ignore[arg-type]
        ends = jackknife_interval(value, others, (0, None))
        interval = Interval(*ends, LEVEL, f"delete-a-group jackknife ({FOLDS} folds)")
    except Undefined:
        interval = None
    return _score("heldout-residual", value=value, chance=chance, interval=interval, pairs=held.count, **facts)


def _cosine(joined: PairedSpaces, translation: Translation, seed: int) -> Score:
    """Return the mean cosine of the rows that are not anchors with where the map puts them, about their mean."""
    facts: dict[str, Any] = {
        "range": (-1, 1),
        "higher_is_closer": True,
        "section": "Held out",
        "definition": "mean cos(y−ȳ, ŷ−ȳ) on rows that are not anchors; chance is over mismatched pairs",
    }
    probe = joined.probe(QUERIES)
    try:
        if not len(probe):
            raise Undefined("every pair is an anchor: nothing is held out")
        units = aligned_units(probe.y, translation(probe.x))
    except Undefined as undefined:
        return _score("heldout-cosine", value=None, undefined_because=str(undefined), **facts)
    cosines = np.einsum("ij,ij->i", *units)
    interval = None
    if len(cosines) > 1:
        method = f"bootstrap of queries ({RESAMPLES:,} draws)"
        interval = Interval(*Bootstrap(len(cosines), seed=seed).interval(cosines), LEVEL, method)
    chance = mismatched_mean(*units)
    value = float(cosines.mean())
    return _score("heldout-cosine", value=value, chance=chance, interval=interval, pairs=len(cosines), **facts)


def _anchor_residual(frame: Anchors, translation: Translation) -> Score:
    """Return the share of y's variance that the map misses on the anchors it was fitted on."""
    missed = float(np.sum((frame.y - translation(frame.x)) ** 2))
    spread = float(np.sum((frame.y - frame.y.mean(axis=0)) ** 2))
    equal = spread <= 1e-20 * float(np.sum(frame.y**2))
    return _score(
        "anchor-residual",
        value=None if equal else missed / spread,
        undefined_because="all anchors are equal in y" if equal else None,
        range=(0, None),
        higher_is_closer=False,
        section="On the anchors",
        definition="Σ‖y−ŷ‖² / Σ‖y−ȳ‖² on the anchors that the map was fitted on: it flatters",
        pairs=len(frame),
    )


def _notes(
    translation: Translation, frame: Anchors, facts: dict[str, Any], joined: PairedSpaces, scores: tuple[Score, ...]
) -> list[str]:
    """Return what was fitted, and what to know before trusting it."""
    method, dx, dy, a = translation.method, translation.dx, translation.dy, len(frame)
    chosen = "" if translation.penalty is None else f", λ = {translation.penalty:.3g} by cross-validation"
    notes = first_notes(joined.x, joined.y, by_number=joined.by == "row number")
    notes.append(f"{method} map of {dx} to {dy} dimensions, {translation.scaling} scaling{chosen}")
    if scores[1].pairs < scores[0].pairs:
        notes.append(f"the cosine is that of {scores[1].pairs:,} of the {scores[0].pairs:,} held-out rows")
    if frame.missing:
        are, were = ("is", "was") if frame.missing == 1 else ("are", "were")
        notes.append(f"{counted(frame.missing, 'anchor')} {are} missing from a space and {were} left out")
    widest = max(dx, dy) if method == "ortho" else dx
    if a <= widest:
        notes.append(
            f"{a} anchors for {widest} dimensions leave the map under-determined: held-out figures improve with more"
        )
    if method in PLAIN and NEAR[0] <= a / dx <= NEAR[1]:
        notes.append(
            f"plain least squares explodes near as many anchors as dimensions ({a} for {dx}): use --method ridge or "
            "ortho, or more anchors"
        )
    if method == "ortho" and dx > dy:
        notes.append(f"x is wider: of its {dx} rotated coordinates the last {dx - dy} are dropped")
    condition = facts["condition_y"]
    if method == "inverse-relative" and condition and condition > ILL_CONDITIONED:
        notes.append(f"the anchors of y are nearly dependent (condition number {condition:.1e}): try --prune")
    residual = scores[0].value
    if residual is not None and residual > 1:
        notes.append(f"on held-out rows the map is worse than y's mean would be (residual {residual:.3g})")
    return notes


def _provenance(x: Space, y: Space, joined: PairedSpaces, facts: dict[str, Any]) -> dict[str, str]:
    known = {
        "anchors_sha256": facts["sha256"],
        "anchors_count": facts["count"],
        "anchors_source": facts["source"],
        "anchors_seed": facts["seed"],
        "pairs": len(joined),
        "source": x.name,
        "source_sha256": x.origin.sha256,
        "target": y.name,
        "target_sha256": y.origin.sha256,
        "relcli": VERSION,
    }
    return {name: str(value) for name, value in known.items() if value is not None}
