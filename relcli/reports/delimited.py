"""The scores as comma-separated values, one row a score."""

from __future__ import annotations

import csv
import io
from typing import Any

from relcli.reports.report import Report, to_document

COLUMNS = (
    "x",
    "y",
    "section",
    "measure",
    "view",
    "value",
    "forward",
    "backward",
    "interval_low",
    "interval_high",
    "interval_level",
    "interval_method",
    "chance",
    "pairs",
    "gallery",
    "range_low",
    "range_high",
    "higher_is_closer",
    "undefined_because",
    "definition",
    "cite",
    "null_mean",
    "null_sd",
    "null_p",
    "null_draws",
    "null_calibrated",
    "draws_mean",
    "draws_sd",
    "draws_count",
)


def to_csv(report: Report) -> str:
    """Return every field of every score, unrounded; the names of the spaces tell joined files apart."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for score in to_document(report)["scores"]:
        writer.writerow({"x": report.x.get("name"), "y": report.y.get("name"), **_flat(score)})
    return text.getvalue()


def _flat(score: dict[str, Any]) -> dict[str, Any]:
    parts = {part: score.pop(part) or {} for part in ("interval", "null", "draws")}
    low, high = score.pop("range")
    return {
        **score,
        **{f"{part}_{key}": value for part, keys in parts.items() for key, value in keys.items()},
        "range_low": low,
        "range_high": high,
        "higher_is_closer": "true" if score["higher_is_closer"] else "false",
    }
