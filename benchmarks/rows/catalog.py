"""All rows by name, and the claims that none of them measures."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.rows import compare, duplicates, neighbors, project, ranks, recommend, retrieve, streaming
from benchmarks.rows.row import Row

ROWS: dict[str, Row] = {
    row.name: row
    for family in (neighbors, compare, retrieve, ranks, project, recommend, duplicates, streaming)
    for row in family.ROWS
}

#: Claims that have no row, each with its bar.
UNMEASURED = {
    "`compare`, 1,000,000 × 768 float16 against as many, defaults": "at most 400 CPU s and 700 MB beside the mapped "
    "files; four times the rows at most 4.4 times as long, memory flat",
    "10,000,000 uuids joined with 10,000,000 in another order": "at most 60 s and 2.5 GB",
}


def find_rows(names: Sequence[str]) -> list[Row]:
    """Return the rows whose names begin with any of some words, all without words; KeyError names an idle word."""
    for name in names:
        if not any(row.startswith(name) for row in ROWS):
            raise KeyError(name)
    return [row for name, row in ROWS.items() if not names or name.startswith(tuple(names))]
