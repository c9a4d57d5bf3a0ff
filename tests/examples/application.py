"""What `stitch apply` found: predictions, and how they fare; a regression, and rows without labels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from relcli.reports.application import Application
from tests.examples.parts import ANCHORS, GREEK, HOSTILE, HOSTILE_NOTE, LONG, PLAIN, VERSIONS, Y, score

LABELS = ("0", GREEK, HOSTILE, *(f"class-{number:02}" for number in range(21)))


def _classes(scored: bool) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "label": label,
            "predicted": 1_203 - place,
            "precision": 1.0 / (place + 1) if scored else None,
            "recall": 0.0 if scored else None,
            "f1": -0.0 if scored else None,
            "support": 146 + place if scored else None,
        }
        for place, label in enumerate(LABELS)
    )


APPLICATION = Application(
    task="classification",
    via="translate:ortho",
    x=Y,
    head={
        "kind": "svm",
        "source": "bert-base/wörter",
        "dim": 768,
        "seed": 0,
        "sha256": "6d" * 32,
        "classes": [*LABELS],
    },
    anchors={"count": 1_300, "source": "of 多言語-e5, as the head's file keeps them", "sha256": ANCHORS["sha256"]},
    rows={"total": 9_900, "predicted": 9_893, "scored": 1_497, "bad": 7, "labels": "labels.csv#topic"},
    scores=(
        score("accuracy", "translate:ortho", 0.8343, 0.8146, 0.8523, pairs=1_497, range=(0, 1), section="Prediction"),
        score("weighted-f1", "translate:ortho", 0.0, pairs=1_497, range=(0, 1), section="Prediction"),
    ),
    classes=_classes(scored=True),
    settings={"via": "translate:ortho", "on_bad": "drop", "known": "多言語-e5"},
    versions=VERSIONS,
    notes=("300 anchors were not scored: heads were trained with them", HOSTILE_NOTE),
)

UNLABELLED = replace(
    APPLICATION,
    rows=APPLICATION.rows | {"scored": 0, "bad": 0, "labels": None},
    scores=(),
    classes=_classes(scored=False),
    notes=(),
)

REGRESSION = replace(
    APPLICATION,
    task="regression",
    via="absolute",
    head=APPLICATION.head | {"kind": "ridge", "classes": [], "sha256": None},
    anchors={"count": 0, "source": "none are needed", "sha256": None},
    scores=(
        score("r2", "absolute", None, undefined_because="the labels do not vary", pairs=1_497),
        score("mse", "absolute", 8.7e16, pairs=1_497, higher_is_closer=False),
    ),
    classes=(),
    notes=(),
)

#: Columns of the predictions, a batch each.
PREDICTIONS: tuple[dict[str, list[Any]], ...] = (
    {"id": [PLAIN, GREEK], "label": ["0", GREEK], "score": [0.75, -0.0], "margin": [1.3e-13, 8.7e16]},
    {"id": [HOSTILE, LONG], "label": [HOSTILE, "0"], "score": [-1.5, 2.0], "margin": [0.0, 0.1]},
)
