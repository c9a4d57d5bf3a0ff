"""The samples that two spaces share as their frame of reference: found by id or chosen, and checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from relcli.arrays import Floats, row_norms, unit_rows
from relcli.errors import AnchorError, UsageError, did_you_mean, first_few
from relcli.spaces.pairing import Ids, PairedSpaces, hash_ids
from relcli.spaces.space import Space

#: Anchor Grams with a larger condition number amplify noise beyond what float32 vectors carry.
ILL_CONDITIONED = 1e7


@dataclass(frozen=True)
class Anchors:
    """
    Anchor vectors x [a, dx] and y [a, dy] of the same samples, with their ids on each side.

    `x_ids` and `y_ids` differ where a table of pairs named them. Keeps a·(dx + dy) float64 numbers.
    """

    x_ids: Ids
    y_ids: Ids
    x: Floats
    y: Floats
    strategy: str
    seed: int | None = None
    missing: int = 0

    def __len__(self) -> int:
        return len(self.x_ids)


@dataclass(frozen=True)
class AnchorList:
    """Anchors asked for by id: `x_ids` [a] and `y_ids` [a], and where the list came from."""

    x_ids: Ids
    y_ids: Ids
    source: str


@dataclass(frozen=True)
class AnchorChoice:
    """Anchors to be chosen: how, and how many."""

    strategy: str
    count: int


@dataclass(frozen=True)
class AnchorQuality:
    """How well one side's anchors span its space: rank and condition of the cosine Gram, mean cosine."""

    rank: int
    condition: float | None
    mean_cosine: float


def anchor_quality(vectors: Floats) -> AnchorQuality:
    """
    Return rank, condition number and mean off-diagonal cosine of the Gram matrix of unit anchors [a, d].

    The condition number is over the non-zero eigenvalues when a > d. A mean cosine near 1 is a
    "similarity collapse": every sample looks alike to every anchor.
    """
    unit = unit_rows(vectors)
    singular = np.linalg.svd(unit, compute_uv=False)
    threshold = singular[0] * max(unit.shape) * np.finfo(np.float64).eps
    rank = int((singular > threshold).sum())
    count = len(unit)
    total = float(np.sum(unit.sum(axis=0) ** 2))
    return AnchorQuality(
        rank=rank,
        condition=float((singular[0] / singular[rank - 1]) ** 2) if rank else None,
        mean_cosine=(total - count) / (count * (count - 1)),
    )


def find_anchors(pair: PairedSpaces, x_ids: Ids, y_ids: Ids, *, missing: Literal["error", "drop"] = "error") -> Anchors:
    """Return the anchors with these ids, in their order; each must stand in its own space, once."""
    for side, ids in (("x", x_ids), ("y", y_ids)):
        values, counts = np.unique(ids, return_counts=True)
        if (counts > 1).any():
            raise AnchorError(
                f"{int((counts > 1).sum()):,} anchors stand more than once on the {side} side: "
                f"{first_few(list(values[counts > 1]))}. List each anchor once."
            )
    rows_x, rows_y = _rows_of(pair.x, x_ids), _rows_of(pair.y, y_ids)
    found = (rows_x >= 0) & (rows_y >= 0)
    if not found.all():
        if missing == "error":
            _refuse_missing(pair, x_ids[rows_x < 0], y_ids[rows_y < 0], len(x_ids))
        x_ids, y_ids, rows_x, rows_y = x_ids[found], y_ids[found], rows_x[found], rows_y[found]
    return _checked(
        Anchors(
            x_ids,
            y_ids,
            pair.x.read(rows_x),
            pair.y.read(rows_y),
            strategy="listed",
            missing=int((~found).sum()),
        ),
        pair,
    )


def _rows_of(space: Space, ids: Ids) -> np.ndarray:
    order = np.argsort(space.ids, kind="stable")
    at = np.searchsorted(space.ids, ids, sorter=order).clip(max=len(order) - 1)
    rows = order[at]
    return np.where(space.ids[rows] == ids, rows, -1)


def _refuse_missing(pair: PairedSpaces, not_in_x: Ids, not_in_y: Ids, count: int) -> None:
    sides = [
        f"{len(ids):,} of {count:,} are not in {space.name} ({first_few(list(ids))})"
        for space, ids in ((pair.x, not_in_x), (pair.y, not_in_y))
        if len(ids)
    ]
    raise AnchorError(
        f"Anchors are missing: {'; '.join(sides)}. Remove them from the list, or pass --missing-anchors drop."
    )


def _checked(anchors: Anchors, pair: PairedSpaces) -> Anchors:
    if len(anchors) < 2:
        raise AnchorError(
            f"{len(anchors)} anchor{'s' if not len(anchors) else ''} left, and a relative representation needs "
            "at least 2. List more anchors that both spaces hold."
        )
    for space, ids, vectors in ((pair.x, anchors.x_ids, anchors.x), (pair.y, anchors.y_ids, anchors.y)):
        norms = row_norms(vectors)
        bad = ~np.isfinite(norms) | (norms == 0)
        if bad.any():
            raise AnchorError(
                f"{int(bad.sum()):,} anchors are zero or not finite in {space.name}: "
                f"{first_few(list(ids[bad]))}. Choose anchors with a direction."
            )
    return anchors


def _uniform(pair: PairedSpaces, count: int, seed: int) -> np.ndarray:
    # by hashed id, so that the same ids are drawn whatever the order of the rows
    return np.argsort(hash_ids(pair.ids, seed=seed + 0x5EED), kind="stable")[:count]


STRATEGIES: dict[str, Callable[[PairedSpaces, int, int], np.ndarray]] = {"uniform": _uniform}


def parse_choice(text: str) -> AnchorChoice | None:
    """Return what a text such as "uniform:300" asks for, or None where it is not of that form."""
    strategy, colon, count = text.partition(":")
    if not colon or not count.isdigit():
        return None
    if strategy not in STRATEGIES:
        raise UsageError(
            f"No anchor strategy is called {strategy!r}; there are {', '.join(STRATEGIES)}."
            f"{did_you_mean(strategy, STRATEGIES)}"
        )
    return AnchorChoice(strategy, int(count))


def settle_anchors(
    pair: PairedSpaces,
    wanted: AnchorList | AnchorChoice,
    *,
    missing: Literal["error", "drop"] = "error",
    seed: int = 0,
) -> Anchors:
    """Return the anchors that were listed or are to be chosen, checked."""
    if isinstance(wanted, AnchorChoice):
        return choose_anchors(pair, wanted.strategy, wanted.count, seed=seed)
    return find_anchors(pair, wanted.x_ids, wanted.y_ids, missing=missing)


def choose_anchors(pair: PairedSpaces, strategy: str, count: int, *, seed: int = 0) -> Anchors:
    """Return `count` anchors chosen among the pairs; the same ids for the same seed, whatever their order."""
    if not 2 <= count < len(pair):
        raise AnchorError(
            f"{count:,} anchors cannot be chosen from {len(pair):,} shared pairs: ask for 2 to {len(pair) - 1:,}."
        )
    if strategy not in STRATEGIES:
        raise UsageError(f"No anchor strategy is called {strategy!r}.{did_you_mean(strategy, STRATEGIES)}")
    rows = STRATEGIES[strategy](pair, count, seed)
    # in order of id: the columns of the relative space must not depend on the order of the rows
    rows = rows[np.argsort(pair.rank[rows])]
    batch = pair.batch(rows)
    y_ids = pair.y.ids[pair.rows_y[rows]]
    return _checked(Anchors(pair.ids[rows], y_ids, batch.x, batch.y, strategy=strategy, seed=seed), pair)
