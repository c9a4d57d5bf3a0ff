"""What `anchors check` found, and what `anchors choose` chose."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from relcli.reports.anchors import AnchorCheck
from tests.examples.parts import EMPTY, GREEK, HOSTILE, HOSTILE_NOTE, LONG, PLAIN, VERSIONS

_SOUND = {
    "name": "bert-base/wörter",
    "rows": 1_234_567,
    "dim": 768,
    "found": 300,
    "missing": 0,
    "first_missing": [],
    "without_direction": 0,
    "first_without_direction": [],
    "rank": 298,
    "condition": 1234.5678,
    "mean_cosine": -0.0,
    "near_duplicates": 0,
    "first_near_duplicates": [],
}
_SICK = {
    **_SOUND,
    "name": "text-embedding-3-large@2026-11-28/shards-of-the-whole-corpus",
    "found": 2,
    "missing": 298,
    "first_missing": [PLAIN, GREEK, LONG, HOSTILE],
    "without_direction": 1,
    "first_without_direction": ["[bold]zero[/bold]"],
    "rank": None,
    "condition": 8.7e16,
    "mean_cosine": None,
    "near_duplicates": 1_234,
    "first_near_duplicates": [{"ids": [GREEK, HOSTILE], "cosine": 0.99999987}, {"ids": ["a", "b"], "cosine": 1.0}],
}

CHECK = AnchorCheck(
    anchors={
        "source": "lists/anchors.tsv",
        "count": 1_300,
        "duplicates": 3,
        "first_duplicates": [PLAIN, HOSTILE],
        "in_all": 299,
        "used": 298,
        "sha256": "a1" * 32,
    },
    spaces=(_SOUND, _SICK),
    labels={
        "": {"rows": 12, "anchors": 0},
        GREEK: {"rows": 1_200_000, "anchors": 1_299},
        HOSTILE: {"rows": 5, "anchors": 1},
        **{f"class-{number:02}": {"rows": 300 - number, "anchors": number} for number in range(20)},
    },
    notes=("298 anchors are fewer than 768 dimensions", HOSTILE_NOTE),
    settings={"near_duplicate_cosine": 0.999},
    versions=VERSIONS,
)
SOUND = AnchorCheck(
    anchors={**CHECK.anchors, "duplicates": 0, "first_duplicates": [], "in_all": 300, "used": 300},
    spaces=(_SOUND,),
    versions=VERSIONS,
)


class _Anchors(SimpleNamespace):
    def __len__(self) -> int:
        return len(self.x_ids)


CHOSEN = SimpleNamespace(
    anchors=_Anchors(x_ids=np.array([PLAIN, GREEK, LONG, HOSTILE]), y_ids=np.array(["y-1", "y-2", f"{EMPTY}y", "y-4"])),
    candidates=1_234_567,
    unfit=1_210,
)
