"""A space and anchors in, the relative space out: read lazily, with its provenance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from platform import python_version
from typing import Any

import numpy as np

from relcli._version import VERSION
from relcli.accumulators.accumulator import Accumulator
from relcli.accumulators.columns import Columns
from relcli.accumulators.composite import Bundle
from relcli.accumulators.probe import Census
from relcli.arrays import row_norms
from relcli.engines.engine import Engine, Progress
from relcli.errors import AnchorError, UsageError, VectorError, check_choice, counted, first_few
from relcli.evaluation.policies import check_policies
from relcli.spaces.anchors import AnchorChoice, AnchorList
from relcli.spaces.pairing import Ids, Index, PairedSpaces
from relcli.spaces.relative import Centering, RelativeProjection, RowSquares, Standardization, anchor_digest
from relcli.spaces.similarity import parse_similarity, similarity_name
from relcli.spaces.space import Space

#: major.minor of what a projected file says of itself; an added key is a minor step.
PROVENANCE_VERSION = "1.0"

DTYPES = ("float16", "float32", "bfloat16", "float64")
SIDES = ("x", "y")


@dataclass(frozen=True)
class Options:
    """
    How to project. `center` and `standardize` are by the rows of the space itself; `sparse` is (k, p).

    `side` is the column of a table of anchor pairs that names this space's anchors. `dtype` is what the
    relative rows are to be saved as: float64 makes them exact, see RelativeProjection.
    """

    similarity: str = "cosine"
    center: bool = False
    standardize: bool = False
    quantize: float | None = None
    sparse: tuple[int, float] | None = None
    dtype: str = "float32"
    side: str = "x"
    on_bad: str = "error"

    def __post_init__(self) -> None:
        parse_similarity(self.similarity)
        check_choice("dtype", self.dtype, DTYPES)
        check_choice("side", self.side, SIDES)
        check_policies(self)


def project(
    space: Space,
    anchors: AnchorList | AnchorChoice,
    options: Options,
    *,
    engine: Engine,
    progress: Callable[[str, int], Progress] | None = None,
) -> Space:
    """
    Return the space [n, d] seen relative to its anchors [n, a], in one pass that checks its rows.

    Nothing is projected before it is read. The provenance in its origin says what was done, so that
    two projections that differ are never mixed.
    """
    provenance = space.origin.provenance or {}
    if provenance.get("kind") == "relative":
        raise UsageError(
            f"{space.name} is relative already ({provenance.get('similarity')} to anchors). Project the vectors it "
            "was made from."
        )
    if isinstance(anchors, AnchorChoice):
        raise UsageError(
            f"{anchors.strategy}:{anchors.count} would choose other anchors in every space, and their relative "
            "vectors could not be compared. Write the ids of the anchors to a file, and give the same to all."
        )
    ids = anchors.side(options.side)
    at = _anchor_rows(space, ids)

    def projection(seen: Space) -> RelativeProjection:
        exact = options.dtype == "float64"
        return RelativeProjection(seen.read(at), options.similarity, options.quantize, options.sparse, exact)

    projection(space)  # refuses what cannot be done before all rows are read
    told = progress and progress("checking rows", len(space))
    if not (options.center or options.standardize) and _all_plain(space, engine, told):
        return _projected(space, space, projection(space), anchors, options)
    alone = PairedSpaces.alone(space)
    parts: dict[str, Accumulator] = {"census": Census(space.dim, 0, sums=options.center)}
    if options.standardize:
        parts["columns"] = Columns(space.dim, 0)
    found = engine.reduce(alone, Bundle(parts), told)
    census = found["census"]
    assert isinstance(census, Census)
    good = _good_rows(space, census, options.on_bad)
    absolute = space
    if options.standardize:
        columns = found["columns"]
        assert isinstance(columns, Columns)
        absolute = space.map(Standardization.of(columns.mean, columns.variance))
    elif options.center:
        absolute = space.map(Centering.of(census.sum_x / max(census.count, 1)))
    kept = absolute if good is None else absolute.take(good)
    return _projected(space, kept, projection(absolute), anchors, options)


def _all_plain(space: Space, engine: Engine, progress: Progress | None) -> bool:
    """Return whether no row is bad, by one look at the sums of squares; False where that cannot tell."""
    squares = engine.stream(space.map(RowSquares(), dim=1), progress)
    return all(bool((np.isfinite(part) & (part > 0)).all()) for part in squares)


def _projected(space: Space, kept: Space, relative: RelativeProjection, anchors: AnchorList, options: Options) -> Space:
    made = _provenance(space, anchors, options, len(kept))
    return replace(kept.map(relative, dim=relative.dim), origin=replace(space.origin, provenance=made))


def _anchor_rows(space: Space, ids: Ids) -> Index:
    """Return the row of each anchor, which must have one, and a direction."""
    if len(ids) < 2:
        raise AnchorError(f"{len(ids)} anchor is listed, and a relative representation needs at least 2. List more.")
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise AnchorError(
            f"{counted(int((counts > 1).sum()), 'anchor stands', 'anchors stand')} more than once: "
            f"{first_few(list(values[counts > 1]))}. List each anchor once."
        )
    order = np.argsort(space.ids, kind="stable")
    first = np.searchsorted(space.ids, ids, sorter=order)
    behind = np.searchsorted(space.ids, ids, sorter=order, side="right")
    if (behind == first).any():
        missing = ids[behind == first]
        raise AnchorError(
            f"{len(missing):,} of {len(ids):,} anchors are not in {space.name} ({first_few(list(missing))}), whose "
            f"ids are like {str(space.ids[0])!r}. Remove them from the list, or name the ids with --ids or "
            "--id-column."
        )
    if (behind > first + 1).any():
        raise AnchorError(
            f"{counted(int((behind > first + 1).sum()), 'anchor has', 'anchors have')} several rows in {space.name}: "
            f"{first_few(list(ids[behind > first + 1]))}. Make their ids unique."
        )
    rows = order[first]
    norms = row_norms(space.read(rows))
    bad = ~np.isfinite(norms) | (norms == 0)
    if bad.any():
        raise AnchorError(
            f"{counted(int(bad.sum()), 'anchor is', 'anchors are')} zero or not finite in {space.name}: "
            f"{first_few(list(ids[bad]))}. Choose anchors with a direction."
        )
    return rows


def _good_rows(space: Space, census: Census, policy: str) -> Index | None:
    """Return the rows to project where some are left out, None for all."""
    bad = {kind: ranks for (_, kind), ranks in census.ranks().items()}
    if not bad:
        return None
    if policy == "error":
        found = "; ".join(f"{len(rows):,} {kind} ({first_few(list(space.ids[rows]))})" for kind, rows in bad.items())
        raise VectorError(
            f"Rows of {space.name} cannot be projected: {found}. Mend them, or leave them out with --on-bad drop."
        )
    # the anchors are good rows, so some are left
    return np.setdiff1d(np.arange(len(space)), np.concatenate(list(bad.values())))


def _provenance(space: Space, anchors: AnchorList, options: Options, rows: int) -> dict[str, Any]:
    origin = space.origin
    return {
        "schema_version": PROVENANCE_VERSION,
        "kind": "relative",
        "similarity": similarity_name(parse_similarity(options.similarity)),
        "anchors": {
            "sha256": anchor_digest(anchors.x_ids, anchors.y_ids),
            "count": len(anchors.x_ids),
            "source": anchors.source,
            "side": options.side,
        },
        "center": options.center,
        "standardize": options.standardize,
        "quantize": options.quantize,
        "sparse": list(options.sparse) if options.sparse else None,
        "dtype": options.dtype,
        "rows_left_out": len(space) - rows,
        "source": {"name": space.name, "path": origin.path, "member": origin.member, "sha256": origin.sha256},
        "versions": {"relcli": VERSION, "python": python_version(), "numpy": version("numpy")},
    }
