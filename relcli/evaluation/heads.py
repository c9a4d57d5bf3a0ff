"""What heads say of rows: decision values with the same bits in every batch, and the classes read from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from relcli.accumulators.probe import faults
from relcli.arrays import Floats
from relcli.errors import UsageError, did_you_mean
from relcli.evaluation.steadily import Steadily
from relcli.evaluation.vias import Way, make_via, parse_way
from relcli.measures.prediction import Codes
from relcli.spaces.heads import KnownSpace, TrainedHeads
from relcli.spaces.space import Projection
from relcli.spaces.translation import TRANSLATORS


def decisions(head: Any, rows: Floats) -> Floats:
    """
    Return what a head makes of rows [n, d]: a value for each class [n, c], or the numbers that it predicts [n, t].

    Values are those of the decision function (svm, logistic, ridge; −v and v where there are two classes) or
    probabilities (mlp). 256 rows at a time on one thread: a row has the same bits in every batch.
    """

    def of_block(block: Floats) -> Floats:
        if hasattr(head, "decision_function"):
            values = np.asarray(head.decision_function(block))
            return np.column_stack([-values, values]) if values.ndim == 1 else values
        values = head.predict_proba(block) if hasattr(head, "predict_proba") else head.predict(block)
        return np.asarray(values).reshape(len(block), -1)

    return Steadily(of_block)(rows)


def nearest(head: Any, values: Floats) -> Codes:
    """Return the class [n] with the largest decision value of [n, c], the first of equal ones: what `predict` does."""
    codes: Codes = head.classes_[values.argmax(axis=1)]
    return codes


def margins(values: Floats) -> tuple[Floats, Floats]:
    """Return the largest decision value of each row of [n, c], and how far it is above the next."""
    two = np.partition(values, values.shape[1] - 2, axis=1)[:, -2:]
    return two[:, 1], two[:, 1] - two[:, 0]


def ways_of(heads: TrainedHeads) -> list[str]:
    """Return the ways that heads may be applied by: their own, and every translation into the absolute head's space."""
    return [*heads.heads, *(f"translate:{method}" for method in TRANSLATORS if _absolute(heads))]


def settle_way(heads: TrainedHeads, via: str | None) -> Way:
    """Return the way of that name, the first relative one unless it is given; UsageError where no head goes by it."""
    if via is None:
        relative = [name for name in heads.heads if parse_way(name).kind == "relative"]
        return parse_way(relative[0] if relative else next(iter(heads.heads)))
    way = parse_way(via)
    ways = ways_of(heads)
    if way.kind == "translate" and not way.center and _absolute(heads):
        return way
    # what was centred for all ways need not be said of each
    matches = [name for name in heads.heads if name in (way.name, f"{way.name}+center")]
    if not matches:
        raise UsageError(
            f"--via {via} names no head of this file: there are {', '.join(ways)}.{did_you_mean(via, ways)}"
        )
    return parse_way(matches[0])


def _absolute(heads: TrainedHeads) -> str | None:
    """Return the way of the head on absolute vectors, None where there is none."""
    return next((name for name in heads.heads if parse_way(name).kind == "absolute"), None)


def head_of(heads: TrainedHeads, way: Way) -> Any:
    """Return the pipeline that a way ends in: the absolute one behind a translation."""
    return heads.heads[_absolute(heads) or "" if way.kind == "translate" else way.name]


def carrier(heads: TrainedHeads, way: Way, space: KnownSpace) -> Projection:
    """
    Return what carries rows [b, d] of a space to where the head of a way sees them, the same bits in every batch.

    A translation is fitted on the anchors of both spaces, about the means where the absolute head is centred.
    """
    own = heads.own
    if way.kind != "translate":
        return make_via(way, space.anchors, space.anchors, means=(space.mean, space.mean)).x
    centred = parse_way(_absolute(heads) or "absolute").center
    fitted = make_via(
        Way("translate", way.detail, center=centred),
        space.anchors,
        own.anchors,
        scaling=heads.scaling,
        means=(space.mean, own.mean),
    )
    return Steadily(fitted.x)


@dataclass(frozen=True)
class Deciding:
    """Rows [b, d] to decision values [b, c] by `carry` and a head; NaN where a row holds NaN, Inf or only zeros."""

    carry: Projection
    head: Any
    width: int

    def __call__(self, v: Floats) -> Floats:
        found = np.full((len(v), self.width), np.nan)
        good = ~np.any(faults(v), axis=0)
        if good.any():
            found[good] = decisions(self.head, self.carry(v[good]))
        return found


def width_of(heads: TrainedHeads, head: Any) -> int:
    """Return how many decision values, or predicted numbers, a head gives a row."""
    return len(head.classes_) if heads.classes else int(heads.about["dim"])


def known_codes(classes: tuple[str, ...], texts: Any) -> Codes:
    """Return the place of each text [n] among the sorted classes, −1 where it is none."""
    names = np.asarray(classes, np.str_)
    order = np.argsort(names)
    at = order[np.searchsorted(names, texts, sorter=order).clip(max=len(names) - 1)]
    return np.where(names[at] == texts, at, -1)
