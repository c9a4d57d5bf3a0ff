"""Where reports go: the formats they are written in, and files written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from relcli.errors import UsageError, did_you_mean
from relcli.files import atomic_path
from relcli.reports.delimited import to_csv
from relcli.reports.github import to_github
from relcli.reports.html import to_html
from relcli.reports.junit import to_junit
from relcli.reports.markdown import to_markdown
from relcli.reports.report import Report, to_json
from relcli.reports.table import to_text

FORMATS: dict[str, Callable[[Report], str]] = {
    "table": to_text,
    "json": to_json,
    "markdown": to_markdown,
    "html": to_html,
    "csv": to_csv,
    "junit": to_junit,
    "github": to_github,
}

SUFFIXES = {
    ".json": "json",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".csv": "csv",
    ".txt": "table",
    ".xml": "junit",
}


def format_for(path: str | Path) -> str:
    """Return the name of the format that the path's suffix asks for."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        found = f"its suffix is {suffix!r}" if suffix else "it has no suffix"
        raise UsageError(
            f"{path} does not tell how to write the report: {found}. "
            f"Use one of {', '.join(SUFFIXES)}.{did_you_mean(suffix, SUFFIXES)}"
        )
    return SUFFIXES[suffix]


def write_files(found: Any, forms: Mapping[str, Callable[[Any], str]], files: Iterable[str | Path]) -> None:
    """Write what a command found to each file in the form of its suffix, whole or not at all."""
    for file in files:
        write_text(file, forms[format_for(file)](found))


def write_text(path: str | Path, text: str) -> None:
    """Write the file whole, or leave the old one and raise OutputError."""
    with (
        atomic_path(path) as place,
        open(place, "w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        # backslashreplace: names from undecodable bytes become legal JSON escapes
        file.write(text)
        file.flush()
        if place.is_file():  # devices and pipes cannot be synced
            os.fsync(file.fileno())
