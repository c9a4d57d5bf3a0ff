"""Rows of two spaces brought together one to one through their anchors, and how many find their own."""

from __future__ import annotations

import numpy as np

from relcli.arrays import Floats, on_grid, unit_rows
from relcli.errors import DataError
from relcli.evaluation.vias import Means, Way, make_via
from relcli.measures.matching import matching_accuracy, top_shares
from relcli.spaces.anchors import Anchors
from relcli.spaces.pairing import PairedBatch, PairedSpaces, hash_ids

#: Rows that are matched where so many are held out, as published.
QUERIES = 500

CUTS = (1, 5, 10)

MATCHING = (
    "share of q held-out rows that an optimal one-to-one assignment by cosine gives their own",
    "Maniparambil et al. 2024, arXiv:2401.05224",
)
RECALL = (
    "share of q held-out rows whose own is among the {k} nearest of the q",
    "ties in expectation (McSherry & Najork 2008, doi:10.1007/978-3-540-78646-7_38)",
)


def held_out(joined: PairedSpaces, frame: Anchors, wanted: int | None, seed: int) -> PairedBatch:
    """Return the pairs to match, in order of id: those that are no anchors with the smallest hashed ids."""
    marked = joined.with_anchors(frame.x_ids, frame.y_ids, scored=False)
    rows = np.flatnonzero(marked.scored)
    if len(rows) < 2 or (wanted is not None and len(rows) < wanted):
        raise DataError(
            f"{len(rows):,} of {len(joined):,} shared rows are no anchors, and {wanted or 2:,} are to be matched. Ask "
            "for fewer --queries or fewer anchors."
        )
    hashed = hash_ids(marked.ids[rows], seed=seed + 0x3A7C)
    chosen = rows[np.lexsort((marked.rank[rows], hashed))[: wanted or QUERIES]]
    batch = marked.batch(np.sort(chosen))
    return batch.take(np.argsort(batch.rank))


def shuffled(batch: PairedBatch, seed: int) -> np.ndarray:
    """Return the order [q] that the rows of y are shuffled into."""
    return np.random.default_rng([seed, len(batch)]).permutation(len(batch))


def matching_figures(
    way: Way, x: tuple[Floats, Floats], y: tuple[Floats, Floats], *, order: np.ndarray, means: Means | None
) -> dict[str, tuple[float, float]]:
    """Return each figure from x to y and from y to x; rows and anchors of either side are given."""
    both = [_one_way(way, x, y, order, means), _one_way(way, y, x, order, means and (means[1], means[0]))]
    return {name: (both[0][name], both[1][name]) for name in both[0]}


def _one_way(
    way: Way, x: tuple[Floats, Floats], y: tuple[Floats, Floats], order: np.ndarray, means: Means | None
) -> dict[str, float]:
    carried = make_via(way, x[1], y[1], means=means)
    # on a grid, so that copies of a row tie however the product was blocked
    scores = on_grid(unit_rows(carried.x(x[0])) @ unit_rows(carried.y(y[0])).T[:, order])
    truth = np.argsort(order)
    shares = top_shares(scores, truth, CUTS)
    return {
        "matching-accuracy": matching_accuracy(scores, truth),
        **{f"recall@{k}": share for k, share in zip(CUTS, shares, strict=True)},
    }
