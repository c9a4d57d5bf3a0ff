"""A comparison with all that may be asked for: groups, permuted pairings, draws of anchors, items that moved."""

from __future__ import annotations

from dataclasses import replace

from relcli.reports.report import Draws, Group, Null, Report, Score
from tests.examples.parts import EMPTY, GREEK, HOSTILE, HOSTILE_NOTE, LONG, PLAIN, URGENT
from tests.reports_example import REPORT

PRODUCT = "product:relative+center,translate:ridge+csls"


def _told(place: int, score: Score) -> Score:
    """Return the score with its null and its draws: of the first few all, then some, then none."""
    if score.value is None:
        return score
    nulls = (
        Null(0.00049, 1.2e-5, 0.0099, 100, 0.6133),
        Null(-0.0, 0.0, 1.0, 100, -0.0),
        Null(4921.5, None, None, 100, None),
        None,
    )
    draws = (Draws(score.value, 0.0213, 10), Draws(score.value, None, 1), None)
    return replace(score, null=nulls[place % len(nulls)], draws=draws[place % len(draws)])


_THIRD = tuple(
    replace(score, view=PRODUCT, value=None, undefined_because="a reason | of <its> own")
    if score.value is None
    else replace(score, view=PRODUCT, value=score.value / 2)
    for score in REPORT.scores
    if score.view == "relative"
)


_GROUPED = ("recall@1", "recall@10", "median-rank", "jaccard@10", "procrustes-residual")


def _group(column: str, value: str, pairs: int, part: float | None) -> Group:
    """Return a group whose scores are a part of those of all, or undefined."""
    scores = tuple(
        replace(score, value=None, interval=None, undefined_because=f"only {pairs} pairs")
        if part is None or score.value is None
        else replace(score, value=score.value * part, pairs=pairs)
        for score in REPORT.scores
        if score.measure in _GROUPED
    )
    return Group(column, value, pairs, scores)


_LANGUAGES = (PLAIN, GREEK, HOSTILE, EMPTY, *(f"lang-{place:02}" for place in range(18)))

MOVED = (
    {"id": LONG, "rank_forward": 9841.0, "rank_backward": 9840.5, "cosine": -0.0, "reciprocal_rank": 1.016e-4},
    {"id": GREEK, "rank_forward": 12.0, "rank_backward": 1.0, "cosine": -0.4123, "reciprocal_rank": 0.5416},
    {"id": HOSTILE, "rank_forward": None, "rank_backward": 3.5, "cosine": None, "reciprocal_rank": 0.2857},
)

#: Beside REPORT, which holds what every comparison does.
FULL: Report = replace(
    REPORT,
    scores=tuple(_told(place, score) for place, score in enumerate((*REPORT.scores, *_THIRD))),
    settings={
        **REPORT.settings,
        "center": False,
        "standardize": True,
        "l2": True,
        "quantize": 0.05,
        "sparse": [100, 8],
        "preset": "relreps",
        "views": ["relative", "absolute", PRODUCT],
    },
    notes=(*REPORT.notes, HOSTILE_NOTE, URGENT),
    groups=tuple(
        _group("language", name, 1_234 - place, None if place == 2 else place / 20)
        for place, name in enumerate(_LANGUAGES)
    ),
    moved=MOVED,
    checks=(),
)

#: Nothing was scored, and next to nothing is known.
BARE: Report = Report("compare", {"name": "a"}, {"name": "b"}, {}, {}, (), {}, {})
