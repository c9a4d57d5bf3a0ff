"""Spaces in, what each of them holds out: its rows, its shape in space, and what would trip compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from platform import python_version
from typing import Any

import numpy as np

from relcli._version import VERSION
from relcli.accumulators.accumulator import Context
from relcli.accumulators.columns import Fingerprints
from relcli.accumulators.composite import Bundle
from relcli.accumulators.moments import CrossMoments
from relcli.accumulators.neighbors import NeighborLists
from relcli.accumulators.probe import Census
from relcli.arrays import Floats, row_norms
from relcli.engines.engine import Engine, Progress
from relcli.errors import UsageError, first_few
from relcli.reports.inspection import Inspection
from relcli.spaces.anchors import ILL_CONDITIONED, AnchorList, anchor_quality
from relcli.spaces.id_columns import possible
from relcli.spaces.pairing import Ids, PairedSpaces
from relcli.spaces.shared_ids import undecided
from relcli.spaces.space import Space

NEIGHBORS = 10

#: Rows that are sampled for the intrinsic dimension and the hubness.
SAMPLED = 5_000

#: Facco et al. 2017 leave out the tenth of the rows with the largest ratios, which are least like the rest.
_KEPT_RATIOS = 0.9

#: From here on a figure is worth a warning.
_FAR_MEAN, _ALIKE, _HUBS = 1.0, 0.9, 5.0


@dataclass(frozen=True)
class Options:
    """How to inspect: how many rows to sample for what takes all pairs ("all" for every one), and which."""

    sample: int | str = SAMPLED
    seed: int = 0

    def __post_init__(self) -> None:
        if self.queries is not None and self.queries < 3:
            raise UsageError(f"--sample {self.sample} is too few rows: neighbours need at least 3, or say all.")
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed} is negative: seeds are 0 or more.")

    @property
    def queries(self) -> int | None:
        """The number of rows to sample, None for all."""
        if self.sample == "all":
            return None
        try:
            return int(self.sample)
        except ValueError:
            return 0


def inspect(
    spaces: Sequence[Space],
    options: Options,
    *,
    engine: Engine,
    anchors: AnchorList | None = None,
    progress: Callable[[str, int], Progress] | None = None,
) -> Inspection:
    """
    Return what each space holds, in two passes over its files: the rows one by one, then how the good ones lie.

    With two spaces or more, the ids of the second and later ones are the y side of the anchors.
    """
    found = []
    for place, space in enumerate(spaces):
        ids = None if anchors is None else anchors.y_ids if place else anchors.x_ids
        found.append(_inspected(space, options, engine, ids, progress))
    return Inspection(
        spaces=tuple(found),
        settings={
            "sample": options.sample,
            "seed": options.seed,
            "neighbors": NEIGHBORS,
            "anchors": anchors and anchors.source,
        },
        versions={"relcli": VERSION, "python": python_version(), "numpy": version("numpy")},
        notes=tuple(_shared_ids(spaces[0], other) for other in spaces[1:]),
    )


def _inspected(
    space: Space,
    options: Options,
    engine: Engine,
    anchors: Ids | None,
    progress: Callable[[str, int], Progress] | None,
) -> dict[str, Any]:
    alone = PairedSpaces.alone(space, seed=options.seed)
    rows = Bundle({"census": Census(space.dim, 0, sums=False), "prints": Fingerprints()})
    rows = engine.reduce(alone, rows, progress and progress(f"rows of {space.name}", len(space)))
    census, prints = rows["census"], rows["prints"]
    assert isinstance(census, Census)
    assert isinstance(prints, Fingerprints)
    bad = {kind: ranks for (_, kind), ranks in census.ranks().items()}
    values, counts = np.unique(space.ids, return_counts=True)
    origin = space.origin
    facts: dict[str, Any] = {
        "name": space.name,
        "path": origin.path,
        "format": origin.format,
        "member": origin.member,
        "shards": len(origin.files),
        "dtype": origin.dtype,
        "rows": len(space),
        "dim": space.dim,
        "id_source": origin.id_source,
        "first_ids": space.ids[:3].tolist(),
        "id_columns": [column.name for column in possible(origin.id_columns) if column is not origin.id_column],
        "sha256": origin.sha256,
        "provenance": origin.provenance,
        "bad_rows": {kind.lower(): len(bad.get(kind, ())) for kind in Census.KINDS},
        "duplicate_ids": int((counts > 1).sum()),
        "duplicate_rows": len(prints.repeated),
        "norms": _quantiles(prints.norms),
        **dict.fromkeys(_SHAPE),
        "queries": 0,
        "anchors": None if anchors is None else _anchor_facts(space, anchors),
    }
    good = alone.drop(np.isin(alone.rank, [rank for ranks in bad.values() for rank in ranks]), "bad")
    if len(good):
        facts |= _shape(good, prints.norms, options, engine, progress)
    repeated = values[counts > 1]
    named_bad = {kind: space.ids[ranks].tolist() for kind, ranks in bad.items()}
    facts["flags"] = _flags(space, facts, repeated, named_bad, missing=_missing(space, anchors))
    return facts


_SHAPE = (
    "anisotropy",
    "mean_over_spread",
    "constant_dimensions",
    "participation_ratio",
    "effective_rank",
    "intrinsic_dimension",
    "hubness",
)


def _quantiles(norms: Floats) -> dict[str, float] | None:
    if not len(norms):
        return None
    names = ("min", "p5", "median", "p95", "max")
    return dict(zip(names, np.quantile(norms, (0, 0.05, 0.5, 0.95, 1)).tolist(), strict=True))


def _shape(
    good: PairedSpaces,
    norms: Floats,
    options: Options,
    engine: Engine,
    progress: Callable[[str, int], Progress] | None,
) -> dict[str, Any]:
    """Return how the good rows lie."""
    probe = good.probe(options.queries)
    context = Context(probe=probe, k=min(NEIGHBORS, len(good) - 1))
    parts: dict[str, Any] = {"moments": CrossMoments.empty(context, good.x.dim, 0)}
    if context.k:
        parts["neighbors"] = NeighborLists.empty(context, good.x.dim, 0)
    found = engine.reduce(good, Bundle(parts), progress and progress(f"shape of {good.x.name}", len(good)))
    moments = found["moments"]
    assert isinstance(moments, CrossMoments)
    mean = moments.origin_x + moments.sums[0] / moments.count
    variance = moments.size_x / moments.count
    ratio, rank = _spectrum(moments.xx) if variance else (None, None)
    hubness = None
    if context.k == NEIGHBORS:
        lists = found["neighbors"]
        assert isinstance(lists, NeighborLists)
        hubness = hub_skewness(lists.lists["xx"].ranks, len(good))
    length = float(np.linalg.norm(mean))
    return {
        "anisotropy": length / float(norms.mean()),
        "mean_over_spread": length / float(np.sqrt(variance)) if variance else None,
        "constant_dimensions": int((np.diag(moments.xx) <= 1e-13 * np.diag(moments.products[0])).sum()),
        "participation_ratio": ratio,
        "effective_rank": rank,
        "intrinsic_dimension": two_nn(probe.x),
        "hubness": hubness,
        "queries": len(probe),
    }


def _spectrum(scatter: Floats) -> tuple[float, float]:
    """Return the participation ratio and the effective rank of a scatter matrix."""
    eigenvalues = np.maximum(np.linalg.eigvalsh(scatter), 0)
    share = eigenvalues / eigenvalues.sum()
    present = share[share > 0]
    return float(1 / np.sum(share**2)), float(np.exp(-np.sum(present * np.log(present))))


def hub_skewness(neighbors: np.ndarray, gallery: int) -> float | None:
    """
    Return the skewness of how often each of the gallery's rows is in a list of k nearest neighbours.

    `neighbors` [q, k] are the lists of q queries, drawn from the gallery. Where q is less than all, the
    factorial moments of the counts, which a draw thins without bias by (q)_r / (n)_r, are scaled back:
    the moments are those of all rows' lists in expectation (Radovanović et al. 2010 define hubness).
    None where the counts do not vary.
    """
    queries = len(neighbors)
    if queries < 3:
        return None
    seen = np.unique(neighbors, return_counts=True)[1].astype(np.float64)
    first, second, third = (
        factor * np.sum(falling) / gallery
        for factor, falling in (
            (gallery / queries, seen),
            (gallery * (gallery - 1) / (queries * (queries - 1)), seen * (seen - 1)),
            (
                gallery * (gallery - 1) * (gallery - 2) / (queries * (queries - 1) * (queries - 2)),
                seen * (seen - 1) * (seen - 2),
            ),
        )
    )
    square, cube = second + first, third + 3 * second + first
    variance = square - first**2
    if variance <= 1e-12 * square:
        return None
    return float((cube - 3 * first * square + 2 * first**3) / variance**1.5)


def two_nn(rows: Floats) -> float | None:
    """
    Return the intrinsic dimension of rows [q, d] by the ratios of second to first neighbour distances.

    The slope through the origin of −log(1 − F) over log(ratio), without the tenth of largest ratios
    (Facco et al. 2017, doi:10.1038/s41598-017-11873-y). Copies of a row are taken once; neighbours are
    sought within the sample. None for fewer than 10 different rows.
    """
    rows = np.unique(rows, axis=0)
    if len(rows) < 10:
        return None
    nearest = _two_nearest(rows - rows.mean(axis=0))
    apart = nearest[:, 0] > 0
    ratios = np.sort(np.log(nearest[apart, 1] / nearest[apart, 0]))
    kept = ratios[: int(len(ratios) * _KEPT_RATIOS)]
    share = np.arange(1, len(kept) + 1) / len(ratios)
    size = float(kept @ kept)
    return float(kept @ -np.log(1 - share)) / size if size > 0 else None


def _two_nearest(rows: Floats) -> Floats:
    """Return the distances [q, 2] of each row to its two nearest others, by differences of the few that may be."""
    squares = row_norms(rows) ** 2
    out = np.empty((len(rows), 2))
    few = min(6, len(rows))
    for start in range(0, len(rows), 512):
        block = rows[start : start + 512]
        scores = squares - 2 * (block @ rows.T)
        scores[np.arange(len(block)), start + np.arange(len(block))] = np.inf
        near = np.argpartition(scores, few - 1, axis=1)[:, :few]
        distances = np.stack([row_norms(block - rows[column]) for column in near.T], axis=1)
        distances[near == start + np.arange(len(block))[:, None]] = np.inf
        out[start : start + 512] = np.sort(distances, axis=1)[:, :2]
    return out


def _anchor_facts(space: Space, ids: Ids) -> dict[str, Any]:
    order = np.argsort(space.ids, kind="stable")
    at = order[np.searchsorted(space.ids, ids, sorter=order).clip(max=len(order) - 1)]
    vectors = space.read(at[space.ids[at] == ids])
    norms = row_norms(vectors)
    vectors = vectors[np.isfinite(norms) & (norms > 0)]
    facts: dict[str, Any] = {"count": len(ids), "found": len(vectors)}
    if len(vectors) < 2:
        return {**facts, "rank": len(vectors), "condition": None, "mean_cosine": None}
    quality = anchor_quality(vectors)
    return {**facts, "rank": quality.rank, "condition": quality.condition, "mean_cosine": quality.mean_cosine}


def _missing(space: Space, anchors: Ids | None) -> Ids:
    return space.ids[:0] if anchors is None else anchors[~np.isin(anchors, space.ids)]


_BAD_WORDS = {"NaN": "NaN", "Inf": "infinite numbers", "zero": "only zeros"}


def _flags(space: Space, facts: dict[str, Any], repeated: Ids, bad: dict[str, list[str]], *, missing: Ids) -> list[str]:
    """Return what would trip compare, each with the way out."""
    flags = []
    for kind, ids in bad.items():
        one = len(ids) == 1
        flags.append(
            f"{len(ids):,} {'row holds' if one else 'rows hold'} {_BAD_WORDS[kind]} ({first_few(ids)}): mend "
            f"{'it' if one else 'them'}, or --on-bad drop"
        )
    if len(repeated):
        verb = "id stands" if len(repeated) == 1 else "ids stand"
        flags.append(f"{len(repeated):,} {verb} more than once ({first_few(list(repeated))}): --on-duplicate first")
    if columns := undecided(space):
        names = first_few([column.name for column in columns])
        flags.append(f"its ids may be in {names}, and nothing tells which: name the column with --id-column")
    elif not space.origin.ids_given:
        beside = space.origin.ids_beside
        told = f"{beside} holds as many: --ids {beside}" if beside else "name a file of ids with --ids"
        flags.append(f"it has no ids, so rows can only be paired by number: {told}")
    if facts["duplicate_rows"]:
        flags.append(
            f"{facts['duplicate_rows']:,} of {facts['rows']:,} rows repeat an earlier one: equal rows are each "
            "other's nearest, and tie in every ranking"
        )
    far = facts["mean_over_spread"]
    if far is not None and far >= _FAR_MEAN:
        flags.append(f"the mean is {far:.1f} × the spread: use --center")
    if facts["queries"] and facts["mean_over_spread"] is None:
        flags.append("all its rows are equal: nothing can be measured on it")
    if facts["constant_dimensions"]:
        flags.append(f"{facts['constant_dimensions']:,} of {facts['dim']:,} dimensions never vary")
    if facts["hubness"] is not None and facts["hubness"] >= _HUBS:
        flags.append(f"a few rows are neighbours of many (hubness {facts['hubness']:.1f}): expect retrieval to suffer")
    return flags + _anchor_flags(facts["anchors"], missing)


def _anchor_flags(anchors: dict[str, Any] | None, missing: Ids) -> list[str]:
    if anchors is None:
        return []
    flags = []
    if len(missing):
        flags.append(
            f"{len(missing):,} of {anchors['count']:,} anchors are missing ({first_few(list(missing))}): "
            "--missing-anchors drop"
        )
    if anchors["condition"] is not None and anchors["condition"] > ILL_CONDITIONED:
        flags.append(
            f"its anchors are nearly dependent (condition {anchors['condition']:.1e}): choose fewer, or far more"
        )
    if anchors["mean_cosine"] is not None and anchors["mean_cosine"] >= _ALIKE:
        flags.append(f"its anchors look alike (mean cosine {anchors['mean_cosine']:.2f}): use --center")
    return flags


def _shared_ids(first: Space, other: Space) -> str:
    if not (first.origin.ids_given or other.origin.ids_given):
        return f"neither {first.name} nor {other.name} has ids"
    shared = len(np.intersect1d(first.ids, other.ids))
    if not shared:
        return (
            f"{first.name} and {other.name} share no ids: the one has ids like {str(first.ids[0])!r}, the other like "
            f"{str(other.ids[0])!r}"
        )
    return f"{first.name} and {other.name} share {shared:,} ids, of {len(first):,} and {len(other):,} rows"
