"""What `classify` found: rows given classes by three methods, with labels and without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from relcli.reports.classification import Classification
from relcli.reports.report import Score
from tests.examples.application import LABELS
from tests.examples.parts import ANCHORS, GREEK, HOSTILE, HOSTILE_NOTE, LONG, LONG_NOTE, PLAIN, VERSIONS, X, Y, Z, score

VIAS = ("asif", "relative", "translate:ortho+center")


def _scores() -> Iterator[Score]:
    about: dict[str, Any] = {"pairs": 289, "gallery": len(LABELS), "range": (0, 1), "section": "Classification"}
    for place, via in enumerate(VIAS):
        yield score("accuracy", via, 0.9 / (1 + place), 0.2 / (1 + place), 0.95 / (1 + place), chance=0.5017, **about)
        yield score("accuracy@5", via, 1.0, chance=1.0, **about)
        yield score("weighted-f1", via, 1.3e-13, chance=None, **about)
        yield score("macro-f1", via, -0.0, chance=0.334, **about)


def _classes(scored: bool) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "via": via,
            "label": label,
            "prototypes": 1 + number % 3,
            "predicted": 655 - number,
            "precision": 1.0 / (number + 1) if scored else None,
            "recall": 0.25 if scored else None,
            "f1": -0.0 if scored else None,
            "support": 145 + number if scored else None,
        }
        for via in VIAS
        for number, label in enumerate(LABELS)
    )


CLASSIFICATION = Classification(
    x=X,
    y=Y,
    prototypes={"space": Z, "source": "prompts.tsv", "count": 48, "classes": len(LABELS)},
    anchors=ANCHORS,
    rows={
        "source": "all of x",
        "total": 1_234_567,
        "classified": 1_233_245,
        "scored": 289,
        "anchors": 1_300,
        "prototypes": 12,
        "duplicates": 3,
        "bad": 7,
    },
    sparse={
        "k": 38,
        "p": 8,
        "source": "held-out anchors",
        "measure": "mrr",
        "queries": 1_300,
        "folds": 5,
        "grid": [
            {"k": 38, "p": 8, "value": 0.7123},
            {"k": 1, "p": 1, "value": 0.0},
            {"k": 1_300, "p": 1, "value": 0.6069},
        ],
    },
    scores=tuple(_scores()),
    classes=_classes(scored=True),
    chance={
        "majority": {"accuracy": 0.5017, "accuracy@5": 1.0, "weighted-f1": 0.3353, "macro-f1": 0.3341},
        "uniform": {"accuracy": 0.0417, "accuracy@5": 0.2083},
    },
    settings={"tune": "pairs", "center": False, "seed": 0, "via": [*VIAS], "sparse": None, "labels": "labels.csv"},
    versions=VERSIONS,
    notes=(LONG_NOTE, HOSTILE_NOTE),
)

UNLABELLED = replace(
    CLASSIFICATION,
    rows=CLASSIFICATION.rows | {"scored": 0, "anchors": 0, "prototypes": 0, "duplicates": 0, "bad": 0},
    sparse={"k": 100, "p": 0.5, "source": "given", "measure": None, "queries": 0, "folds": 0, "grid": []},
    scores=(),
    classes=_classes(scored=False),
    chance={"majority": {}, "uniform": {}},
    notes=(),
)

#: Columns of the predictions, a batch each.
PREDICTIONS: tuple[dict[str, list[Any]], ...] = (
    {
        "id": [PLAIN, GREEK],
        "class": ["0", GREEK],
        "score": [0.75, -0.0],
        "margin": [1.3e-13, 0.5],
        "runner_up": [GREEK, "0"],
        "label": ["0", None],
    },
    {
        "id": [HOSTILE, LONG],
        "class": [HOSTILE, "0"],
        "score": [-1.0, 1.0],
        "margin": [0.0, 0.1],
        "runner_up": ["0", HOSTILE],
        "label": [HOSTILE, "0"],
    },
)
