"""What the values of several commands hold: spaces, anchors, joins, scores, versions."""

from __future__ import annotations

from typing import Any

from relcli.reports.report import Interval, Score

VERSIONS = {"relcli": "0.1.0", "python": "3.11.7", "numpy": "2.1.0"}

#: Ids as users have them: of other scripts, longer than a column, with what Markdown, HTML or a terminal would obey.
PLAIN, GREEK, LONG, HOSTILE, EMPTY = (
    "doc-0017",
    "Δοκιμή-7 日本語",
    "s3://bucket/2026/11/28/corpus/part-00017-of-00400.parquet#row=1234567890",
    'a|b <i>"c"</i> @someone [bold]x[/bold] `d`',
    " ",
)

#: Reasons and notes of more than a line.
TOO_FEW = "9,841 pairs are not more than 768 + 9,216 dimensions"
LONG_NOTE = (
    "300 anchors are fewer than 768 dimensions: the map fitted on them is under-determined, so read what it reaches "
    "as a lower bound, and take --translate ridge or more anchors where it matters."
)
URGENT = (
    "ROWS ARE PAIRED BY NUMBER: neither file holds ids, so row 1 of <x> is taken for row 1 of y. Name ids with "
    "--ids-x and --ids-y."
)
HOSTILE_NOTE = "labels.csv|2 names `a|b` *and* <script> for @someone; [bold]it[/bold] is left out :smile:"

X: dict[str, Any] = {
    "name": "bert-base/wörter",
    "path": "dumps/bert.parquet",
    "member": "embedding",
    "format": "parquet",
    "rows": 1_234_567,
    "dim": 768,
    "dtype": "float32",
    "id_source": "column 'doc_id'",
    "sha256": "9f" * 32,
    "notes": [],
}
Y: dict[str, Any] = {
    "name": "多言語-e5",
    "path": "dumps/e5.npy",
    "member": None,
    "format": "npy",
    "rows": 9_900,
    "dim": 1024,
    "dtype": "float16",
    "id_source": "sidecar e5.ids.txt",
    "sha256": None,
    "notes": ["float16 rows are read as float32"],
}
Z: dict[str, Any] = {
    **X,
    "name": "text-embedding-3-large@2026-11-28/shards-of-the-whole-corpus",
    "path": "dumps/large/*.safetensors",
    "member": "vectors",
    "format": "safetensors",
    "rows": 12,
    "dim": 3,
    "dtype": "bfloat16",
    "id_source": "row number",
    "sha256": "4c" * 32,
    "notes": ["no ids were found: rows are counted"],
}

ANCHORS: dict[str, Any] = {
    "source": "lists/anchors.tsv",
    "strategy": "listed",
    "count": 1_300,
    "missing": 12,
    "seed": None,
    "sha256": "a1" * 32,
    "scored": False,
    "rank_x": 768,
    "condition_x": 1234.5,
    "mean_cosine_x": 0.412,
    "rank_y": None,
    "condition_y": 8.7e16,
    "mean_cosine_y": -0.0,
}
DRAWN: dict[str, Any] = {
    **ANCHORS,
    "source": "joined pairs",
    "strategy": "farthest",
    "count": 300,
    "missing": 0,
    "seed": 7,
    "rank_y": 298,
    "scored": True,
}

JOIN: dict[str, Any] = {
    "by": "id",
    "x_rows": 1_234_567,
    "y_rows": 9_900,
    "pairs": 9_841,
    "x_only": 1_224_726,
    "y_only": 52,
    "dropped": {"zero vector in x": 7, "NaN in y": 0},
}


def within(low: float, high: float, method: str = "Wilson score of queries") -> Interval:
    """Return an interval of 95 %."""
    return Interval(low, high, 0.95, method)


def score(measure: str, view: str, value: float | None, *ends: float, **fields: Any) -> Score:
    """Return a score with the ends of its interval, if any; where it is undefined, with a reason."""
    interval = within(*ends) if ends else None
    because = fields.pop("undefined_because", TOO_FEW)
    reason = because if value is None else None
    return Score(measure, view, value, interval=interval, undefined_because=reason, **fields)
