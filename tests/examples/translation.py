"""What `translate fit` reports, and the spaces that `translate apply` and `project` write."""

from __future__ import annotations

from types import SimpleNamespace

from relcli.reports.report import Report
from tests.examples.parts import ANCHORS, HOSTILE_NOTE, JOIN, LONG_NOTE, URGENT, VERSIONS, X, Y, score

FIT = Report(
    command="translate fit",
    x=X,
    y=Y,
    join=JOIN,
    anchors=ANCHORS,
    scores=(
        score(
            "heldout-residual", "translated", 0.1504, 0.1477, 0.1531, chance=1.8841, pairs=8_541, range=(0, None),
            higher_is_closer=False, definition="Σ‖y−ŷ‖² / Σ‖y−ȳ‖²", cite="arXiv:2311.00664", section="Held out",
        ),
        score("heldout-cosine", "translated", -0.0, -1.3e-13, 1.3e-13, chance=-1.9e-5, pairs=8_541, section="Held out"),
        score("anchor-residual", "translated", None, higher_is_closer=False, section="Anchors"),
    ),
    settings={"method": "ridge", "scaling": "standard", "prune": None, "penalty": 8.7e16, "queries": 8_541, "seed": 0},
    versions=VERSIONS,
    notes=("ridge map of 768 to 1,024 dimensions, standard scaling", LONG_NOTE, HOSTILE_NOTE, URGENT),
)  # fmt: skip


class _Written(SimpleNamespace):
    def __len__(self) -> int:
        return self.rows


MOVED = _Written(rows=1_234_567, dim=1_024)
RELATIVE = _Written(rows=9_893, dim=1_300, origin=SimpleNamespace(provenance={"rows_left_out": 1_007}))
WHOLE = _Written(rows=9_900, dim=300, origin=SimpleNamespace(provenance={"rows_left_out": 0}))
