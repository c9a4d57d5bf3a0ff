"""What `matrix` found: squares of many spaces, with undefined cells, ranks, and what goes with the models' scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from relcli.reports.matrix import Matrix
from tests.examples.parts import GREEK, HOSTILE, HOSTILE_NOTE, LONG_NOTE, URGENT, VERSIONS, X, Y, Z

NAMES = (X["name"], Y["name"], Z["name"], GREEK, HOSTILE, *(f"run-{number}" for number in range(8)))
SPACES = tuple({**(X, Y, Z)[place % 3], "name": name} for place, name in enumerate(NAMES))
DIFFERENT = "x has 768 dimensions and y 1,024: their coordinates cannot be compared"

#: Measure, view, range, whether higher is closer, chance.
MEASURES: tuple[tuple[str, str, tuple[float, float | None], bool, float | None], ...] = (
    ("debiased-cka", "relative", (-1, 1), True, 0.0),
    ("median-rank", "relative", (1, None), False, 4_921.0),
    ("cosine", "absolute", (-1, 1), True, 0.4871),
    ("mse", "relative", (0, None), False, None),
)


def _value(measure: str, view: str, x: int, y: int) -> float | None:
    if view == "absolute" and x % 3 != y % 3:
        return None
    distance = abs(x - y)
    return {
        "debiased-cka": 1.0 - distance / 7,
        "median-rank": 1.0 + 150.25 * distance,
        "cosine": -0.0 if distance == 3 else 1 - distance / 10,
        "mse": 8.7e16 if distance == 12 else 1.3e-13 * distance + (x > y) / 4,
    }[measure]


def _chance(measure: str, x: int, y: int) -> float | None:
    return {"debiased-cka": 0.0, "median-rank": 4_921.0, "cosine": 0.4871 + abs(x - y) / 100, "mse": None}[measure]


def _cells() -> Iterator[dict[str, Any]]:
    for x, first in enumerate(NAMES):
        for y in range(x, len(NAMES)):
            scores = [
                {
                    "measure": measure,
                    "view": view,
                    "value": _value(measure, view, x, y),
                    "chance": _chance(measure, x, y),
                    "undefined_because": None if _value(measure, view, x, y) is not None else DIFFERENT,
                }
                for measure, view, *_ in MEASURES
            ]
            yield {"x": first, "y": NAMES[y], "pairs": 9_841 - y, "scores": scores, "undefined_because": None}


def _square(measure: str, view: str, ends: Any, higher: bool, chance: float | None, count: int) -> dict[str, Any]:
    return {
        "measure": measure,
        "view": view,
        "values": [[_value(measure, view, x, y) for y in range(count)] for x in range(count)],
        "chance": chance,
        "higher_is_closer": higher,
        "symmetric": measure != "mse",
        "range": [*ends],
        "definition": "as <it> says",
        "cite": "a | b",
    }


def _correlated(measure: str, view: str, of: str, *figures: float | None) -> dict[str, Any]:
    names = ("pearson_r", "pearson_p", "spearman_rho", "spearman_p")
    return {"measure": measure, "view": view, "of": of, **dict(zip(names, figures, strict=True)), "n": 12}


MATRIX = Matrix(
    spaces=SPACES,
    join={"mode": "common", "by": "id", "pairs": 9_841},
    anchors={"source": "joined pairs", "count": 300, "chosen": "once for all", "asked_for": True, "sha256": "a1" * 32},
    cells=tuple(_cells()),
    matrices=tuple(_square(*measure, len(NAMES)) for measure in MEASURES),
    correlations={
        "reference": NAMES[1],
        "reference_score": 0.95,
        "column": "mteb|score",
        "scores": {name: None if place == 4 else 0.9 - place / 100 for place, name in enumerate(NAMES)},
        "found": [
            _correlated("debiased-cka", "relative", "value", 0.8123, 1.3e-13, -0.7512, 0.0041),
            _correlated("cosine", "absolute", "above chance", -0.0, 1.0, 0.0, 1.0),
            _correlated("median-rank", "relative", "calibrated", None, None, None, None),
        ],
    },
    settings={"order": "cluster", "cells": 91, "strict": False},
    basis={"sha256": {NAMES[0]: "9f" * 32}, "measures": [m[0] for m in MEASURES], "seed": 7, "relcli": "0.1.0"},
    versions=VERSIONS,
    notes=(LONG_NOTE, HOSTILE_NOTE, URGENT),
)

#: Two spaces joined pair by pair, without anchors or scores of their own, and not done.
UNFINISHED = replace(
    MATRIX,
    spaces=SPACES[:2],
    join={"mode": "pairwise", "by": "id", "pairs": None, "least": 1_200, "most": 9_841},
    anchors={},
    cells=MATRIX.cells[:2],
    matrices=(_square(*MEASURES[0], 2),),
    correlations={},
    settings={"order": "", "cells": 3, "strict": False},
    complete=False,
    notes=(),
)
