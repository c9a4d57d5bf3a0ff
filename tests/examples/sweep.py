"""What `sweep` found: two ways, two strategies, a point that is undefined, a grid that is not long enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from relcli.reports.sweep import Sweep
from tests.examples.parts import HOSTILE_NOTE, JOIN, LONG_NOTE, URGENT, VERSIONS, X, Y

VIAS = ("relative", "product:relative:euclidean+quantize=0.1,translate:ortho+center")
STRATEGIES = ("uniform", "farthest")
GRID = (10, 100, 1_000)
UNDEFINED = "10 anchors do not tell more than 768 dimensions apart"


def _quality(anchors: int) -> dict[str, Any]:
    return {
        "condition_x": 1234.5 * anchors,
        "condition_y": 8.7e16,
        "mean_cosine_x": -0.0413,
        "mean_cosine_y": None if anchors == 10 else 0.5898,
    }


def _scores(place: int, anchors: int) -> dict[str, Any]:
    value = 0.2 * (1 + place) + anchors / 2_000
    figures = {
        "mrr": (value, 0.0213, 0.0045),
        "median-rank": (1_204.5 / (1 + place), 12.25, 4_921.0),
        "cosine": (-0.0 if place else -0.0913, 0.0 if place else None, 0.9502 - anchors / 1e4),
        "debiased-cka": (None, None, None) if anchors == 10 else (1.3e-13, 2.2e-14, 0.0),
    }
    return {
        name: {
            "mean": mean,
            "sd": sd,
            "draws": 2,
            "chance": chance,
            "undefined_because": UNDEFINED if mean is None else None,
        }
        for name, (mean, sd, chance) in figures.items()
    }


def _curves() -> Iterator[dict[str, Any]]:
    for place, via in enumerate(VIAS):
        for strategy in STRATEGIES:
            for anchors in GRID:
                yield {
                    "via": via,
                    "strategy": strategy,
                    "anchors": anchors,
                    "draws": 2,
                    **_quality(anchors),
                    "scores": _scores(place, anchors),
                }


def _points() -> Iterator[dict[str, Any]]:
    for curve in _curves():
        for draw in range(2):
            scores = {
                name: {
                    "value": score["mean"],
                    "forward": None,
                    "backward": score["mean"],
                    "chance": score["chance"],
                    "undefined_because": score["undefined_because"],
                }
                for name, score in curve["scores"].items()
            }
            where = {key: curve[key] for key in ("via", "strategy", "anchors")}
            drawn = {"draw": draw, "seed": draw, "sha256": f"{draw}b" * 32, "rank_x": 10, "rank_y": None}
            yield {**where, **drawn, **_quality(curve["anchors"]), "scores": scores}


def _measure(name: str, low: float, high: float | None, *, higher: bool = True) -> dict[str, Any]:
    return {"name": name, "range": [low, high], "higher_is_closer": higher, "definition": "as <it> says", "cite": "a|b"}


def _advised(via: str, strategy: str, anchors: int, value: float, best: float, error: float | None) -> dict[str, Any]:
    where = {"via": via, "strategy": strategy, "anchors": anchors, "measure": "mrr"}
    return {**where, "value": value, "best": best, "best_anchors": 1_000, "standard_error": error}


SWEEP = Sweep(
    x=X,
    y=Y,
    join=JOIN,
    measures=(
        _measure("mrr", 0, 1),
        _measure("median-rank", 1, None, higher=False),
        _measure("cosine", -1, 1),
        _measure("debiased-cka", -1, 1),
    ),
    points=tuple(_points()),
    curves=tuple(_curves()),
    recommended=(
        _advised(VIAS[0], "uniform", 1_000, 0.7, 0.7, 0.0151),
        _advised(VIAS[0], "farthest", 100, 0.25, 0.7, 0.5),
        _advised(VIAS[1], "uniform", 1_000, 0.9, 0.9, None),
    ),
    settings={"grid": [*GRID], "strategies": [*STRATEGIES, "first"], "draws": 2, "via": [*VIAS], "points": 24},
    basis={
        "x_sha256": "9f" * 32,
        "y_sha256": None,
        "pairs_sha256": "44" * 32,
        "measures": ["mrr", "median-rank", "cosine", "debiased-cka"],
        "queries": 898,
        "center": True,
        "seed": 7,
        "relcli": "0.1.0",
    },
    versions=VERSIONS,
    notes=(LONG_NOTE, HOSTILE_NOTE, URGENT),
)

#: What was interrupted: some points are there, and no advice yet.
UNFINISHED = replace(
    SWEEP,
    points=SWEEP.points[:2],
    curves=SWEEP.curves[:1],
    recommended=(),
    complete=False,
    settings=SWEEP.settings | {"strategies": ["uniform"]},
    basis=SWEEP.basis | {"center": False},
    notes=(),
)
