"""Rows as comma-separated values, and the scores of a report, one row a score."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
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


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows by column, unrounded; what is missing is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def to_csv(report: Report) -> str:
    """Return every field of every score, unrounded; the names of the spaces tell joined files apart."""
    names = {"x": report.x.get("name"), "y": report.y.get("name")}
    return csv_text(COLUMNS, ({**names, **_flat(score)} for score in to_document(report)["scores"]))


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
