"""What became of each item, on disk: a row an item in Parquet and CSV, a line an item in JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from relcli.errors import OutputError, UsageError, did_you_mean
from relcli.files import atomic_path

SUFFIXES = (".parquet", ".csv", ".jsonl")


def check_items_path(path: str | Path) -> None:
    """Refuse a path whose suffix tells no format or whose folder is not there."""
    check_table_path(path, "items", SUFFIXES)


def check_table_path(path: str | Path, what: str, suffixes: Sequence[str]) -> None:
    """Refuse a path for what is written whose suffix is none of these or whose folder is not there."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise UsageError(
            f"{path} does not tell how to write the {what}: use one of {', '.join(suffixes)}."
            f"{did_you_mean(suffix, suffixes)}"
        )
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: there is no folder {path.parent}. Make it first.")


def save_items(path: str | Path, table: dict[str, np.ndarray]) -> None:
    """Write the columns [q] of a table of items, whole or not at all."""
    check_items_path(path)
    suffix = Path(path).suffix.lower()
    with atomic_path(path) as place:
        if suffix == ".parquet":
            import pyarrow as pa
            import pyarrow.parquet as pq

            pq.write_table(pa.table({name: pa.array(column.tolist()) for name, column in table.items()}), place)
            return
        # a lone surrogate, from undecodable bytes, becomes a legal escape
        with open(place, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            rows = zip(*(column.tolist() for column in table.values()), strict=True)
            if suffix == ".csv":
                # every text in quotes: a carriage return in an id would end the row otherwise
                writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
                writer.writerow(table)
                writer.writerows(rows)
            else:
                for row in rows:
                    file.write(json.dumps(dict(zip(table, row, strict=True)), ensure_ascii=False) + "\n")
