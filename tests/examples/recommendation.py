"""What `recommend` found: a choice for each purpose, level with others, and one that is no better than chance."""

from __future__ import annotations

from relcli.reports.recommendation import Choice, Recommendation, Trial
from tests.examples.parts import ANCHORS, HOSTILE_NOTE, LONG_NOTE, URGENT, VERSIONS, X, Y

PRODUCT = "product:translate:ridge+center+csls,relative:euclidean+center,translate:inverse-relative"


def _trial(via: str, score: float, behind: float, *, back: float | None, seconds: float) -> Trial:
    return Trial(
        via, score, 0.0123, -1.5 - behind, behind, 0.0 if not behind else 0.0061, 0.4281, back=back, seconds=seconds
    )


SEARCH = Choice(
    purpose="retrieval",
    measure="mrr",
    chance=9.8e-4,
    via=PRODUCT,
    flags=f"--via {PRODUCT}",
    anchors=1_300,
    folds=10,
    seed=0,
    rows={"used": 20_000, "of": 1_234_567},
    bytes=1_073_741_824,
    seconds=123.456,
    trials=(
        _trial("translate:linear+center+csls", 0.9134, 0.0, back=1.0, seconds=0.1449),
        _trial(PRODUCT, 0.9131, 0.0002, back=-0.0, seconds=1234.5),
        _trial("relative", 1.3e-13, 12.5, back=None, seconds=0.0),
    ),
)
STITCH = Choice(
    purpose="stitching",
    measure="accuracy",
    chance=0.95,
    via="translate:ridge",
    flags="--translate ridge",
    anchors=1_300,
    folds=10,
    seed=0,
    rows={"used": 9_841, "of": 9_841},
    bytes=613_632,
    seconds=0.2726,
    trials=(
        _trial("translate:ridge", 0.8967, 0.0, back=None, seconds=0.0073),
        _trial("absolute", 0.1012, 0.7955, back=None, seconds=0.0034),
    ),
)

RECOMMENDATION = Recommendation(
    x=X,
    y=Y,
    anchors=ANCHORS,
    choices=(SEARCH, STITCH),
    settings={"purpose": None, "candidates": None, "folds": 10, "products": True, "direction": "both", "seed": 0},
    versions=VERSIONS,
    notes=(LONG_NOTE, HOSTILE_NOTE, URGENT),
)
