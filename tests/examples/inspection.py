"""What `inspect` found: dumps with nothing to tell of, with all there is, and with next to no rows."""

from __future__ import annotations

from typing import Any

from relcli.reports.inspection import Inspection
from tests.examples.parts import GREEK, HOSTILE_NOTE, LONG, PLAIN, VERSIONS

_SOUND: dict[str, Any] = {
    "name": "bert-base/wörter",
    "path": "dumps/bert.parquet",
    "format": "parquet",
    "member": "embedding",
    "shards": 1,
    "dtype": "float32",
    "rows": 1_234_567,
    "dim": 768,
    "id_source": "column 'doc_id'",
    "first_ids": [PLAIN, GREEK, LONG],
    "id_columns": ["url", "chunk|ref"],
    "sha256": "9f" * 32,
    "provenance": {"kind": "relative", "similarity": "cosine"},
    "bad_rows": {"nan": 0, "inf": 0, "zero": 0},
    "duplicate_ids": 0,
    "duplicate_rows": 0,
    "norms": {"min": 1.3e-13, "p5": 1.6052, "median": 1.8528, "p95": 2.1184, "max": 8.7e16},
    "anisotropy": 0.7367,
    "mean_over_spread": 1.0811,
    "constant_dimensions": 0,
    "participation_ratio": 12.8838,
    "effective_rank": 18.6089,
    "intrinsic_dimension": 6.2563,
    "hubness": -0.4152,
    "queries": 5_000,
    "anchors": {"count": 300, "found": 300, "rank": 298, "condition": 322.2813, "mean_cosine": -0.0},
    "flags": [],
}
_SICK: dict[str, Any] = {
    **_SOUND,
    "name": "多言語-e5",
    "path": "dumps/e5/*.npy",
    "format": "npy",
    "member": None,
    "shards": 400,
    "dtype": "float16",
    "rows": 9_900,
    "dim": 1_024,
    "id_source": "row number",
    "first_ids": [],
    "id_columns": [],
    "sha256": None,
    "provenance": {"kind": "translated"},
    "bad_rows": {"nan": 7, "inf": 1_200, "zero": 3},
    "duplicate_ids": 12,
    "duplicate_rows": 1_000_000,
    "constant_dimensions": 12,
    "anchors": {"count": 300, "found": 0, "rank": 0, "condition": None, "mean_cosine": None},
    "flags": ["1,210 rows are bad: use --on-bad drop", HOSTILE_NOTE],
}
_EMPTY: dict[str, Any] = {
    **_SOUND,
    "name": "text-embedding-3-large@2026-11-28/shards-of-the-whole-corpus",
    "path": "one.npy",
    "rows": 1,
    "dim": 3,
    "provenance": None,
    "norms": None,
    **dict.fromkeys(("anisotropy", "mean_over_spread", "constant_dimensions", "participation_ratio"), None),
    **dict.fromkeys(("effective_rank", "intrinsic_dimension", "hubness"), None),
    "queries": 0,
    "anchors": None,
    "flags": ["1 row is too few to tell anything"],
}

INSPECTION = Inspection(
    spaces=(_SOUND, _SICK, _EMPTY),
    settings={"sample": "auto", "seed": 0, "neighbors": 10, "anchors": "anchors.txt"},
    versions=VERSIONS,
    notes=("bert-base/wörter and 多言語-e5 share 9,841 ids, of 1,234,567 and 9,900 rows", HOSTILE_NOTE),
)
SOUND = Inspection(spaces=(_SOUND,), settings=INSPECTION.settings | {"anchors": None}, versions=VERSIONS)
