"""Pairs of rows that were discovered, on disk: x_id, y_id, confidence and mutual, as `--anchors` reads them back."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from relcli.files import atomic_path
from relcli.formats.items import check_table_path, save_items
from relcli.formats.lists import ids_as_lines

SUFFIXES = (".tsv", ".parquet")


def check_found_path(path: str | Path) -> None:
    """Refuse a path whose suffix tells no format or whose folder is not there."""
    check_table_path(path, "pairs", SUFFIXES)


def save_found(path: str | Path, table: dict[str, np.ndarray]) -> None:
    """
    Write the pairs, most confident first, whole or not at all: columns x_id, y_id, confidence [0, 1] and mutual.

    A .tsv begins with a line of these names, by which `open_pairs` knows it.
    """
    check_found_path(path)
    if Path(path).suffix.lower() == ".parquet":
        save_items(path, table)
        return
    columns = [
        table["x_id"].tolist(),
        table["y_id"].tolist(),
        [f"{share:g}" for share in table["confidence"].tolist()],
        ["true" if mutual else "false" for mutual in table["mutual"].tolist()],
    ]
    text = "\t".join(table) + "\n" + ids_as_lines(*columns)
    with atomic_path(path) as target:
        target.write_bytes(text.encode("utf-8"))
