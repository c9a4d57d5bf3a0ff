"""Two comparisons of the same spaces, an older and a newer one, that differ in every way there is."""

from __future__ import annotations

from dataclasses import replace

from relcli.reports.report import Report, Score
from tests.examples.comparison import PRODUCT
from tests.examples.parts import score
from tests.reports_example import REPORT


def _moved(place: int, old: Score) -> Score:
    """Return a score that rose, fell, or stayed."""
    if old.value is None:
        return old
    factor = (1.1, 0.8, 1.0, 1.0001)[place % 4]
    return replace(old, value=old.value * factor)


OLD: Report = replace(
    REPORT,
    scores=(
        *REPORT.scores,
        score("mrr", "absolute", 0.5, section="retrieval"),
        score("mrr", PRODUCT, 0.25, section="retrieval"),
    ),
    checks=(),
)
NEW: Report = replace(
    REPORT,
    scores=(
        score("cosine", "relative", -0.0, -0.01, 0.01, range=(-1, 1)),
        *(_moved(place, old) for place, old in enumerate(REPORT.scores)),
        score("mrr", PRODUCT, 0.35, section="retrieval"),
    ),
    join=REPORT.join | {"pairs": 9_000},
    anchors=REPORT.anchors | {"sha256": "b2" * 32, "count": 301},
    settings=REPORT.settings | {"k": 5, "views": ["relative", "absolute"], "queries": 1_000},
    versions={"relcli": "0.2.0"},
    checks=(),
)
