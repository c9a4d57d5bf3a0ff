"""Spaces in, anchors out: chosen among their rows; or anchors and spaces in, how well they serve out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from relcli._version import versions
from relcli.accumulators.probe import Census, without_bad_rows
from relcli.arrays import Floats, row_norms, unit_rows
from relcli.engines.engine import Engine, Progress
from relcli.errors import UsageError, counted
from relcli.evaluation.policies import check_policies
from relcli.reports.anchors import AnchorCheck
from relcli.spaces.anchors import (
    ILL_CONDITIONED,
    AnchorChoice,
    AnchorList,
    Anchors,
    anchor_quality,
    check_strategy,
    choose_anchors,
    rows_of,
)
from relcli.spaces.pairing import Ids, PairedSpaces
from relcli.spaces.relative import anchor_digest
from relcli.spaces.space import Space

#: Anchors that are more alike than this say the same twice.
NEAR = 0.999

#: Names that a check tells of each kind.
FEW = 5

_TILE = 2048


@dataclass(frozen=True)
class ChooseOptions:
    """Which anchors to choose: a strategy, how many, the seed, and what becomes of ids that repeat."""

    strategy: str = "uniform"
    count: int = 300
    seed: int = 0
    on_duplicate: str = "error"

    def __post_init__(self) -> None:
        check_strategy(self.strategy)
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed} is negative: seeds are 0 or more.")
        check_policies(self)


@dataclass(frozen=True)
class Chosen:
    """The anchors, among how many `candidates`, and how many rows of both were `unfit`: NaN, Inf or zero."""

    anchors: Anchors
    candidates: int
    unfit: int


def choose(
    x: Space,
    y: Space | None,
    options: ChooseOptions,
    *,
    engine: Engine,
    labels: tuple[Ids, Ids] | None = None,
    pairs: tuple[Ids, Ids] | None = None,
    progress: Callable[[str, int], Progress] | None = None,
) -> Chosen:
    """
    Return anchors among the rows of x, or among those that y holds as well, that have a direction.

    `labels` are ids and a label of each, for strata.
    """
    if options.strategy == "stratified" and labels is None:
        raise UsageError("--strategy stratified needs --labels FILE, a table of ids and labels.")
    other = x if y is None else y
    joined = PairedSpaces.join(
        x,
        other,
        pairs=pairs,
        on_duplicate=options.on_duplicate,  # type: ignore[arg-type]
        seed=options.seed,
    )
    census = engine.reduce(
        joined, Census(x.dim, other.dim, sums=False), progress and progress("checking rows", len(joined))
    )
    fit = without_bad_rows(joined, census, "drop")
    anchors = choose_anchors(fit, options.strategy, options.count, seed=options.seed, labels=labels)
    return Chosen(anchors, len(fit), len(joined) - len(fit))


def check(
    wanted: AnchorList | AnchorChoice,
    x: Space,
    y: Space | None = None,
    *,
    labels: tuple[Ids, Ids] | None = None,
) -> AnchorCheck:
    """
    Return how many of the anchors each space holds, and how well those that can be used span it.

    Used are the anchors listed once or first, that all spaces hold, with a direction in each. Reads the
    anchors' rows only. Near-duplicates take a² cosines, a tile at a time.
    """
    if isinstance(wanted, AnchorChoice):
        raise UsageError(
            f"{wanted.strategy}:{wanted.count} is a choice, not a list. Write the anchors to a file with relcli "
            "anchors choose, then check that."
        )
    if y is not None:
        wanted.check_sides(x, y)
    sides = [(x, wanted.x_ids)] if y is None else [(x, wanted.x_ids), (y, wanted.y_ids)]
    once = np.ones(len(wanted.x_ids), bool)
    repeated: dict[str, int] = {}
    for _, ids in sides:
        first = np.unique(ids, return_index=True)[1]
        again = np.ones(len(ids), bool)
        again[first] = False
        repeated |= dict.fromkeys(ids[again].tolist(), 0)
        once &= ~again
    at = [rows_of(space, ids) for space, ids in sides]
    held = np.logical_and.reduce([rows >= 0 for rows in at])
    usable = once & held
    vectors = [space.read(rows[usable]) for (space, _), rows in zip(sides, at, strict=True)]
    directed = np.logical_and.reduce([_have_direction(rows) for rows in vectors])
    facts = [
        _side(space, ids, rows, found, usable, directed)
        for (space, ids), rows, found in zip(sides, at, vectors, strict=True)
    ]
    names = wanted.x_ids[usable][directed]
    return AnchorCheck(
        anchors={
            "source": wanted.source,
            "count": len(wanted.x_ids),
            "duplicates": int((~once).sum()),
            "first_duplicates": list(repeated)[:FEW],
            "in_all": int(held.sum()),
            "used": len(names),
            "sha256": anchor_digest(wanted.x_ids, wanted.y_ids),
        },
        spaces=tuple(facts),
        labels=_by_label(names, labels),
        notes=tuple(_notes(facts, len(names))),
        settings={"near_duplicate_cosine": NEAR},
        versions=versions(),
    )


def _have_direction(rows: Floats) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        norms = row_norms(rows)
    return np.isfinite(norms) & (norms > 0)


def _side(
    space: Space, ids: Ids, rows: np.ndarray, found: Floats, usable: np.ndarray, directed: np.ndarray
) -> dict[str, Any]:
    """Return what one space knows of the anchors."""
    missing, bad = ids[rows < 0], ids[usable][~_have_direction(found)]
    used, names = found[directed], ids[usable][directed]
    quality = anchor_quality(used) if len(used) > 1 else None
    count, first = _near_duplicates(unit_rows(used), names)
    return {
        "name": space.name,
        "rows": len(space),
        "dim": space.dim,
        "found": int((rows >= 0).sum()),
        "missing": len(missing),
        "first_missing": missing[:FEW].tolist(),
        "without_direction": len(bad),
        "first_without_direction": bad[:FEW].tolist(),
        "rank": quality and quality.rank,
        "condition": quality and quality.condition,
        "mean_cosine": quality and quality.mean_cosine,
        "near_duplicates": count,
        "first_near_duplicates": first,
    }


def _near_duplicates(unit: Floats, names: Ids) -> tuple[int, list[dict[str, Any]]]:
    """Return how many pairs of unit rows [a, d] are more alike than NEAR, and the first few."""
    count = 0
    first: list[dict[str, Any]] = []
    for start in range(0, len(unit), _TILE):
        cosines = unit[start : start + _TILE] @ unit[start:].T
        one, other = np.nonzero(np.triu(cosines > NEAR, k=1))
        count += len(one)
        for i, j in zip(one[: FEW - len(first)], other[: FEW - len(first)], strict=True):
            first.append({"ids": [str(names[start + i]), str(names[start + j])], "cosine": float(cosines[i, j])})
    return count, first


def _by_label(names: Ids, labels: tuple[Ids, Ids] | None) -> dict[str, dict[str, int]] | None:
    """Return for each label how many of its rows there are, and how many of those are anchors; None without labels."""
    if labels is None:
        return None
    ids, values = labels
    is_anchor = np.isin(ids, names)
    counts = {
        str(label): {"rows": int((values == label).sum()), "anchors": int(((values == label) & is_anchor).sum())}
        for label in np.unique(values)
    }
    without = int((~np.isin(names, ids)).sum())
    return counts | ({"": {"rows": 0, "anchors": without}} if without else {})


def _notes(spaces: list[dict[str, Any]], used: int) -> list[str]:
    notes = []
    if used < 2:
        notes.append(f"{counted(used, 'anchor')} can be used, and a relative representation needs at least 2")
    for space in spaces:
        name = space["name"]
        if space["missing"]:
            told = counted(space["missing"], "anchor is", "anchors are")
            notes.append(f"{told} not in {name}: compare needs --missing-anchors drop")
        if space["without_direction"]:
            told = counted(space["without_direction"], "anchor is", "anchors are")
            notes.append(f"{told} zero or not finite in {name}, and compare refuses that")
        if space["condition"] and space["condition"] > ILL_CONDITIONED:
            notes.append(f"the anchors are nearly dependent in {name} (condition number {space['condition']:.1e})")
        if used >= 2 and used <= space["dim"]:
            notes.append(
                f"{used} anchors for the {space['dim']} dimensions of {name}: a map fitted on them is under-determined"
            )
    return notes
