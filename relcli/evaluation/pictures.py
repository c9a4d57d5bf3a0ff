"""What pictures of a comparison show: a sample of points in two dimensions, and how the queries agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from relcli.arrays import Floats
from relcli.evaluation.planes import lay_out
from relcli.evaluation.views import Relate
from relcli.reports.pictures import Distribution, Pictures, Plane
from relcli.spaces.anchors import Anchors
from relcli.spaces.pairing import Ids, Index, PairedSpaces, hash_ids
from relcli.spaces.relative import RelativeProjection

#: Anchors that are drawn; of more, those with the smallest hashed ids.
ANCHORS_DRAWN = 1_000

#: A column with up to this many values gets a bar for each, another as many bars of one width.
BARS = 40

#: What of a query's fate is drawn, in the order of the panels.
AGREEMENTS = ("jaccard", "cosine", "reciprocal_rank")


def pictures_of(
    pair: PairedSpaces,
    frame: Anchors,
    table: dict[str, np.ndarray],
    *,
    view: str,
    k: int,
    relate: Relate = RelativeProjection,
    projection: str = "pca",
    size: int,
    labels: tuple[str, Ids, Ids] | None = None,
    seed: int = 0,
) -> Pictures:
    """
    Return what is drawn of a comparison: at most `size` scored pairs, and the anchors.

    `table` is that of the items on `view`; the pairs drawn are those of its queries with the smallest
    hashed ids, so the same for any order of the rows. Only their rows are read: keeps
    size · (dx + dy + 2a) numbers. `relate` makes the projection to each side's anchors.
    """
    sample = pair.probe(min(size, len(table["id"])))
    drawn = pair.take(np.isin(pair.rank, sample.rank))
    ids = drawn.ids[np.argsort(drawn.rank)]
    shown = _anchors_drawn(frame, ids, seed)
    names = [*ids.tolist(), *frame.x_ids[shown].tolist()]
    x, y = np.concatenate([sample.x, frame.x[shown]]), np.concatenate([sample.y, frame.y[shown]])
    relative = relate(frame.x)(x), relate(frame.y)(y)
    agreement = table["jaccard"][np.searchsorted(table["id"], ids)]
    return Pictures(
        projection=projection,
        view=view,
        k=k,
        queries=len(table["id"]),
        ids=tuple(names),
        is_anchor=(*sample.anchor.tolist(), *(True for _ in shown)),
        agreement=(*agreement.tolist(), *(None for _ in shown)),
        column=labels[0] if labels else None,
        labels=_labels(names, *labels[1:]) if labels else (),
        planes=(
            *_planes("absolute", (x, y), len(ids), projection, seed),
            *_planes("relative", relative, len(ids), projection, seed),
        ),
        distributions=tuple(distribution(name, table[name]) for name in AGREEMENTS if name in table),
    )


def distribution(name: str, values: Floats) -> Distribution:
    """Return how values [q] spread: a bar for each value where there are few, else bars of one width."""
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= BARS:
        width = float(np.diff(distinct).min()) * 0.8 if len(distinct) > 1 else 0.05
        centres = distinct
    else:
        counts, edges = np.histogram(values, bins=BARS)
        width, centres = float(edges[1] - edges[0]), (edges[1:] + edges[:-1]) / 2
    return Distribution(name, tuple(centres.tolist()), width, tuple(counts.tolist()), float(values.mean()))


def _labels(names: Sequence[str], ids: Ids, labels: Ids) -> tuple[str | None, ...]:
    """Return the label of each name, None for none or an empty one."""
    held = np.isin(ids, names)
    known = dict(zip(ids[held].tolist(), labels[held].tolist(), strict=True))
    return tuple(known[name] if known.get(name, "").strip() else None for name in names)


def _anchors_drawn(frame: Anchors, drawn: Ids, seed: int) -> Index:
    """Return which anchors to draw beside the pairs drawn, some of which may be anchors."""
    order = np.argsort(hash_ids(frame.x_ids, seed=seed), kind="stable")[:ANCHORS_DRAWN]
    return np.sort(order[~np.isin(frame.x_ids[order], drawn)])


def _planes(view: str, sides: tuple[Floats, Floats], fitted: int, projection: str, seed: int) -> list[Plane]:
    """Return x and y in the plane of x; each in its own where they have not as many dimensions."""
    if sides[0].shape[1] == sides[1].shape[1]:
        layouts = lay_out(projection, sides, fitted, seed=seed)
        found_on = ["x and y" if projection == "tsne" else "x"] * 2
    else:
        layouts = [lay_out(projection, (side,), fitted, seed=seed)[0] for side in sides]
        found_on = ["x", "y"]
    return [
        Plane(view, side, tuple(first), tuple(second), on, layout.shares)
        for side, layout, on in zip("xy", layouts, found_on, strict=True)
        for first, second in [layout.coordinates.T.tolist()]
    ]
