"""Options that say what to write and where, and how a report gets there."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from relcli.reports.report import Report

_PANEL = "Output"

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, the same as --format json.", rich_help_panel=_PANEL)]
FormatName = Annotated[
    str | None,
    typer.Option("--format", "-f", metavar="table|json|markdown|csv", help="What to print.", rich_help_panel=_PANEL),
]
OutputFiles = Annotated[
    list[Path] | None,
    typer.Option("-o", "--output", help="Also write here, format by suffix; may be repeated.", rich_help_panel=_PANEL),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no notes, no progress.", rich_help_panel=_PANEL)]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Threads; all cores by default. Results do not depend on it."),
]


def chosen_format(as_json: bool, name: str | None, files: list[Path] | None) -> str:
    """Return the format for stdout; names and suffixes that do not exist are refused before any work is done."""
    from relcli.errors import OutputError, UsageError, did_you_mean
    from relcli.reports.writing import FORMATS, format_for

    if as_json and name not in (None, "json"):
        raise UsageError(f"--json and --format {name} ask for two documents on stdout. Drop one, or write one with -o.")
    name = "json" if as_json else name or "table"
    if name not in FORMATS:
        raise UsageError(f"No format is called {name!r}; there are {', '.join(FORMATS)}.{did_you_mean(name, FORMATS)}")
    for file in files or ():
        format_for(file)
        if not file.parent.is_dir():
            raise OutputError(f"{file} cannot be written: there is no folder {file.parent}. Make it first.")
    return name


def write_report(report: Report, format_name: str, files: list[Path] | None) -> None:
    """Write each file, then print one document on stdout."""
    from relcli.reports.writing import FORMATS, format_for, write_text

    for file in files or ():
        write_text(file, FORMATS[format_for(file)](report))
    if format_name == "table":
        from rich.console import Console

        from relcli.reports.table import print_table

        print_table(report, Console())
    else:
        sys.stdout.write(FORMATS[format_name](report))


@contextmanager
def progress_bars(quiet: bool) -> Iterator[Callable[[str, int], Callable[[int], None]] | None]:
    """Give what a task tells its progress to, None when nobody watches: bars come up after one second."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns: list[Any] = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    ]
    bars = Progress(*columns, console=Console(stderr=True), transient=True)
    begun = time.monotonic()

    def start(what: str, total: int) -> Callable[[int], None]:
        task = bars.add_task(what, total=total, rate="")
        task_begun = time.monotonic()
        done = 0

        def advance(rows: int) -> None:
            nonlocal done
            done += rows
            now = time.monotonic()
            if now - begun > 1 and not bars.live.is_started:
                bars.start()
            bars.update(task, completed=done, rate=f"{done / max(now - task_begun, 1e-9):,.0f} rows/s")

        return advance

    try:
        yield start
    finally:
        bars.stop()
