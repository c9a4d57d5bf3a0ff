"""What pictures of a comparison show: a sample of points in two dimensions, and how the queries agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from relcli.arrays import Floats
from relcli.evaluation.planes import lay_out
from relcli.reports.pictures import Distribution, Pictures, Plane
from relcli.spaces.anchors import Anchors, known_labels
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
    similarity: str = "cosine",
    projection: str = "pca",
    size: int,
    labels: tuple[str, Ids, Ids] | None = None,
    seed: int = 0,
) -> Pictures:
    """
    Return what is drawn of a comparison: at most `size` scored pairs, and the anchors.

    `table` is that of the items on `view`; the pairs drawn are those of its queries with the smallest
    hashed ids, so the same for any order of the rows. Only their rows are read: keeps
    size · (dx + dy + 2a) numbers.
    """
    drawn = pair.probe(min(size, len(table["id"])))
    names, labelled = _by_rank(pair, labels)
    ids = names[drawn.rank]
    shown = _anchors_drawn(frame, ids, seed)
    x, y = np.concatenate([drawn.x, frame.x[shown]]), np.concatenate([drawn.y, frame.y[shown]])
    relative = [RelativeProjection(anchors, similarity)(v) for anchors, v in ((frame.x, x), (frame.y, y))]
    agreement = table["jaccard"][np.searchsorted(table["id"], ids)]
    anchor_labels = _anchor_labels(frame, shown, pair, labels)
    return Pictures(
        projection=projection,
        view=view,
        k=k,
        queries=len(table["id"]),
        ids=(*ids.tolist(), *frame.x_ids[shown].tolist()),
        is_anchor=(*drawn.anchor.tolist(), *(True for _ in shown)),
        agreement=(*agreement.tolist(), *(None for _ in shown)),
        column=labels[0] if labels else None,
        labels=(*labelled[drawn.rank].tolist(), *anchor_labels) if labels else (),
        planes=(
            *_planes("absolute", x, y, len(ids), projection, seed),
            *_planes("relative", *relative, len(ids), projection, seed),
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


def _by_rank(pair: PairedSpaces, labels: tuple[str, Ids, Ids] | None) -> tuple[Ids, np.ndarray]:
    """Return the id and the label (None for none) of each rank."""
    ranks = int(pair.rank.max()) + 1
    names, labelled = np.zeros(ranks, pair.ids.dtype), np.full(ranks, None, object)
    names[pair.rank] = pair.ids
    if labels:
        labelled[pair.rank] = _labels(pair, labels)
    return names, labelled


def _labels(pair: PairedSpaces, labels: tuple[str, Ids, Ids]) -> np.ndarray:
    """Return the label of each pair, None for none or an empty one."""
    values, known = known_labels(pair, labels[1:])
    return np.where(known & (np.char.strip(values) != ""), values.astype(object), None)


def _anchors_drawn(frame: Anchors, drawn: Ids, seed: int) -> Index:
    """Return which anchors to draw beside the pairs drawn, some of which may be anchors."""
    order = np.argsort(hash_ids(frame.x_ids, seed=seed), kind="stable")[:ANCHORS_DRAWN]
    return np.sort(order[~np.isin(frame.x_ids[order], drawn)])


def _anchor_labels(
    frame: Anchors, shown: Index, pair: PairedSpaces, labels: tuple[str, Ids, Ids] | None
) -> Sequence[str | None]:
    if not labels:
        return ()
    known = dict(zip(labels[1].tolist(), labels[2].tolist(), strict=True))
    return [known.get(name, "").strip() and known[name] or None for name in frame.x_ids[shown].tolist()]


def _planes(view: str, x: Floats, y: Floats, fitted: int, projection: str, seed: int) -> list[Plane]:
    """Return x and y in the plane of x; each in its own where they have not as many dimensions."""
    if x.shape[1] == y.shape[1]:
        together = "x and y" if projection == "tsne" else "x"
        layouts = [*zip("xy", (together, together), lay_out(projection, (x, y), fitted, seed=seed), strict=True)]
    else:
        layouts = [(side, side, *lay_out(projection, (v,), fitted, seed=seed)) for side, v in (("x", x), ("y", y))]
    return [
        Plane(view, side, tuple(layout.coordinates[:, 0].tolist()), tuple(layout.coordinates[:, 1].tolist()),
              on, layout.shares)
        for side, on, layout in layouts
    ]  # fmt: skip
