"""What `match` reports: with anchors, of pairs discovered without any, and of pairs grown from seeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from relcli.reports.report import Draws, Report, Score
from tests.examples.parts import ANCHORS, DRAWN, HOSTILE_NOTE, JOIN, LONG_NOTE, URGENT, VERSIONS, X, Y, score

VIAS = ("relative", "absolute", "product:relative,translate:ortho")
DIFFERENT = "x has 768 dimensions and y 1,024: their coordinates cannot be compared"


def _scores(section: str, rows: int = 500) -> Iterator[Score]:
    about: dict[str, Any] = {"pairs": rows, "gallery": rows, "section": section, "cite": "Maniparambil et al. 2024"}
    for place, via in enumerate(VIAS):
        if via == "absolute":
            for name in ("matching-accuracy", "search-accuracy"):
                yield score(name, via, None, undefined_because=DIFFERENT, **about)
            continue
        value = 0.75 / (1 + place)
        yield score(
            "matching-accuracy", via, value, value - 0.03, value + 0.03, forward=value, backward=value, chance=0.002,
            range=(0, 1), definition="share of q held-out rows given their own", draws=Draws(value, 0.0213, 5), **about,
        )  # fmt: skip
        yield score(
            "search-accuracy", via, 1.0, 0.9924, 1.0, forward=1.0, backward=-0.0, chance=0.002,
            range=(0, 1), definition="the same, each by itself", draws=Draws(1.0, None, 1), **about,
        )  # fmt: skip


WITH_ANCHORS = Report(
    command="match",
    x=X,
    y=Y,
    join=JOIN,
    anchors=ANCHORS,
    scores=tuple(_scores("Matching")),
    settings={"via": [*VIAS], "queries": 500, "center": True, "seed": 0, "seeds": 5, "strict": False},
    versions=VERSIONS,
    notes=("500 rows that are no anchors were matched; y's in shuffled order, each given once", HOSTILE_NOTE, URGENT),
)

_SEARCHES = [
    {"power": 0.5, "pairs": 193, "rounds": 102, "confirmed": 0.2375, "agreed": 0.052},
    {"power": 1.0, "pairs": 0, "rounds": 1, "confirmed": 0.0, "agreed": 0.0},
]
_FOUND: dict[str, Any] = {
    "status": "experimental",
    "start": "profiles, power 0.5",
    "starts": _SEARCHES,
    "rounds": 86,
    "pairs": 199,
    "seeds": 0,
    "seeds_found": None,
    "confirmed": 0.0605,
    "rows_x": 400,
    "rows_y": 399,
    "copies_x": 1,
    "copies_y": 0,
    "measured": False,
    "stages": [],
    "calibration": [
        {"confidence": 1.0, "pairs": 11, "right": None},
        {"confidence": 0.1, "pairs": 188, "right": None},
    ],
}


def _found(value: float | None, *ends: float) -> Score:
    return score(
        "pairs-right", "discovered", value, *ends, chance=None if value is None else 0.0025, pairs=199, gallery=400,
        range=(0, 1), definition="share of the discovered pairs that are right", section="Discovery (experimental)",
        undefined_because="no ids are shared: nothing tells which pairs are right",
    )  # fmt: skip


WITHOUT_ANCHORS = replace(
    WITH_ANCHORS,
    join={"by": None, "x_rows": 400, "y_rows": 399, "pairs": 0, "x_only": 400, "y_only": 399, "dropped": {}},
    anchors=DRAWN | {"source": "discovered pairs", "strategy": "discovered", "count": 99},
    scores=(_found(None),),
    settings=WITH_ANCHORS.settings | {"bootstrap": None, "sample": 400, "shared_only": False},
    notes=("experimental: 199 pairs were found without anchors", LONG_NOTE),
    extra={"discovery": _FOUND},
)

FROM_SEEDS = replace(
    WITHOUT_ANCHORS,
    join=JOIN,
    anchors=DRAWN | {"source": "discovered pairs", "strategy": "bootstrapped", "count": 100},
    scores=(_found(0.9994, 0.9968, 0.9999), *_scores("Matching by the pairs found", rows=1_784)),
    settings=WITHOUT_ANCHORS.settings | {"bootstrap": 100, "shared_only": True},
    extra={
        "discovery": _FOUND
        | {
            "start": "seeds",
            "starts": [],
            "seeds": 10,
            "seeds_found": 9,
            "confirmed": 1.0,
            "measured": True,
            "stages": [{"anchors": 10, "right": None}, {"anchors": 40, "right": 0.975}],
            "calibration": [{"confidence": 1.0, "pairs": 189, "right": 0.9994}],
        }
    },
)
