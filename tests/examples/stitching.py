"""What `stitch` found: heads of three spaces, by three ways, and a regression."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from relcli.reports.stitching import Figure, Stitch, Stitching
from tests.examples.parts import GREEK, HOSTILE, HOSTILE_NOTE, LONG_NOTE, URGENT, VERSIONS, X, Y, Z

LABELS = ("0", GREEK, HOSTILE)
VIAS = ("absolute", "relative", "translate:ortho", "product:relative+center,translate:ridge+csls")
DIFFERENT = "x has 768 dimensions and y 1,024: a head of one cannot read the other"


def _classes(part: float) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"label": label, "precision": part, "recall": part / (place + 1), "f1": -0.0, "support": 50 + place / 2}
        for place, label in enumerate(LABELS)
    )


def _stitches() -> Iterator[Stitch]:
    names = [space["name"] for space in (X, Y, Z)]
    for place, source in enumerate(names):
        yield Stitch(source, source, "absolute", _figures(0.908, 0.0), 1.0, _classes(0.9))
        for target in names:
            for way, via in enumerate(VIAS):
                if source == target:
                    continue
                if via == "absolute":
                    yield Stitch(source, target, via, undefined_because=DIFFERENT)
                else:
                    value = 0.8 / (1 + way + place)
                    ceiling = None if place == 2 else value / 0.908
                    yield Stitch(source, target, via, _figures(value, 1.3e-5), ceiling, _classes(value))


def _figures(mean: float, sd: float | None) -> dict[str, Figure]:
    values = (mean - (sd or 0), mean + (sd or 0)) if sd is not None else (mean,)
    return {"accuracy": Figure(mean, sd, values), "weighted-f1": Figure(mean / 2, sd, values)}


STITCHING = Stitching(
    task="classification",
    head="svm",
    spaces=(X, Y, Z),
    rows={"shared": 9_841, "used": 9_541, "train": 6_678, "test": 2_863, "split": "labels.csv"},
    labels={"source": "labels.csv#topic", "classes": [*LABELS], "dim": 1},
    anchors={"count": 300, "source": "lists/anchors.tsv", "sha256": "a1" * 32},
    stitches=tuple(_stitches()),
    chance=_figures(0.102, 0.0),
    settings={
        "similarity": ["cosine"],
        "translate": ["ortho"],
        "scaler": "standard",
        "transductive": True,
        "center": True,
        "seeds": 2,
        "seed": 0,
    },
    versions=VERSIONS,
    notes=(LONG_NOTE, HOSTILE_NOTE, URGENT),
)


def _regressed(source: str, target: str, via: str, r2: float | None, mse: float | None) -> Stitch:
    return Stitch(source, target, via, {"r2": Figure(r2, None, (r2,)), "mse": Figure(mse, None, (mse,))})


REGRESSION = replace(
    STITCHING,
    task="regression",
    head="ridge",
    spaces=(X, Y),
    labels={"source": "targets.npy", "classes": [], "dim": 1_024},
    stitches=(
        _regressed(X["name"], X["name"], "absolute", 0.9134, 4.1e-7),
        _regressed(X["name"], Y["name"], "relative", -12.5, 8.7e16),
        _regressed(X["name"], Y["name"], "translate:ortho", None, None),
    ),
    chance={"r2": Figure(-0.0, None, (-0.0,)), "mse": Figure(1234.5, None, (1234.5,))},
    settings=STITCHING.settings | {"scaler": "none", "transductive": False, "center": False, "seeds": 1},
    notes=(),
)
