"""Options that say what to write and where, and how a report gets there."""

from __future__ import annotations

import glob
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from relcli.cli.inputs import in_panel

if TYPE_CHECKING:
    from rich.console import Console

    from relcli.formats.hits import HitWriter
    from relcli.reports.report import Report
    from relcli.reports.retrieval import QueryHits, Retrieval

_output = in_panel("Output")

Found = TypeVar("Found")

AsJson = Annotated[bool, _output("--json", help="Print JSON, the same as --format json.")]
FormatName = Annotated[
    str | None,
    _output(
        "--format",
        "-f",
        metavar="NAME",
        help="table (as it is), json, markdown, html, csv, junit or github: what to print.",
    ),
]
OutputFiles = Annotated[
    list[Path] | None,
    _output(
        "--output",
        "-o",
        metavar="FILE",
        help="Also write .json, .md, .html, .csv, .xml (JUnit) or .txt; may be repeated.",
    ),
]
Quiet = Annotated[bool, _output("--quiet", "-q", help="Nothing on stderr but errors.")]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, metavar="N", help="Threads; all cores by default. Results differ by rounding only."
    ),
]
Tier = Annotated[
    str | None,
    typer.Option(
        "--tier",
        metavar="NAME",
        help="Products in fp32, int8 or bf16; auto, the soonest, unless given. The answer is the same to the bit.",
    ),
]


def chosen_format(
    as_json: bool, name: str | None, files: list[Path] | None, *, formats: Collection[str] | None = None
) -> str:
    """Return the format for stdout; names and suffixes that do not exist are refused before any work is done."""
    from relcli.errors import OutputError, UsageError, did_you_mean
    from relcli.reports.writing import FORMATS, format_for

    formats = FORMATS if formats is None else formats
    if as_json and name not in (None, "json"):
        raise UsageError(f"--json and --format {name} ask for two documents on stdout. Drop one, or write one with -o.")
    name = "json" if as_json else name or "table"
    if name not in formats:
        raise UsageError(f"No format is called {name!r}; there are {', '.join(formats)}.{did_you_mean(name, formats)}")
    for file in files or ():
        if format_for(file) not in formats:
            raise UsageError(
                f"{file} cannot be written: this goes into {', '.join(formats)} only. Give it another suffix."
            )
        if file.is_dir():
            raise OutputError(f"{file} cannot be written: it is a folder. Name a file in it.")
        if not file.parent.is_dir():
            raise OutputError(f"{file} cannot be written: there is no folder {file.parent}. Make it first.")
        if not os.access(file if file.exists() and not file.is_file() else file.parent, os.W_OK):
            raise OutputError(f"{file} cannot be written: permission denied in {file.parent}. Choose another folder.")
    return name


def refuse_overwriting(
    files: list[Path] | None, *sources: str | Path | None, flags: Mapping[str, Path | None] | None = None
) -> None:
    """
    Raise UsageError if a file to write is one of those to read, a shard or the ids of one, or is named twice.

    `flags` are what else is written, by its flag; `files` are those of -o.
    """
    from relcli.errors import UsageError
    from relcli.formats.lists import find_sidecar

    places = [str(place) for source in sources if source for place in (source, str(source).rpartition("#")[0]) if place]
    read = [Path(file) for place in places for file in (place, *_shards(place))]
    beside = [sidecar for place in read if place.is_file() and (sidecar := find_sidecar(place))]
    written = [*(("-o", file) for file in files or ()), *((flag, file) for flag, file in (flags or {}).items() if file)]
    again = [file for file, count in Counter(os.path.realpath(file) for _, file in written).items() if count > 1]
    if again:
        raise UsageError(f"{again[0]} is to be written twice. Give each document a name of its own.")
    for flag, file in written:
        if file.exists() and any(place.exists() and file.samefile(place) for place in (*read, *beside)):
            raise UsageError(f"{file} is to be read, so nothing can be written there. Give {flag} another name.")


def _shards(place: str) -> list[str]:
    """Return every file in a folder or that a glob names: a shard, or ids beside one."""
    return glob.glob(os.path.join(place, "*") if os.path.isdir(place) else place, recursive=True)


def as_flags(settings: Mapping[str, Any], *, over: Mapping[str, Any]) -> str:
    """Return a preset's settings as the flags that would set them, then those of `over`, which win."""
    own = {name: value for name, value in over.items() if name in settings and value is not None}
    won = f" (but {' '.join(_flag(*item) for item in own.items())}, as you say)" if own else ""
    return " ".join(_flag(*item) for item in settings.items() if item[0] != "preset" and item[0] not in own) + won


def _flag(name: str, value: Any) -> str:
    if name == "k":
        return f"-k {value}"
    switches = {"center": ("--no-center", "--center"), "include_anchors": ("--exclude-anchors", "--include-anchors")}
    if name in switches:
        return switches[name][bool(value)]
    return f"--{name} {value if isinstance(value, str) else ','.join(map(str, value))}"


def write_report(
    report: Report,
    format_name: str,
    files: list[Path] | None,
    *,
    table: Callable[[Report, Console], None] | None = None,
    forms: Mapping[str, Callable[[Report], str]] | None = None,
) -> None:
    """Write each file, then print one document on stdout; `forms` are what writes them, FORMATS unless given."""
    from relcli.reports.table import print_table
    from relcli.reports.writing import FORMATS

    write_found(report, format_name, files, table=table or print_table, forms=forms or FORMATS)


def write_found(
    found: Found,
    format_name: str,
    files: Iterable[Path] | None,
    *,
    table: Callable[[Found, Console], None],
    forms: Mapping[str, Callable[[Found], str]],
) -> None:
    """Write what a command found to each file, then print one document of it on stdout."""
    from relcli.reports.writing import write_files

    write_files(found, forms, files or ())
    if format_name == "table":
        from rich.console import Console

        table(found, Console())
    else:
        sys.stdout.write(forms[format_name](found))


#: What is counted where it is no rows: the last word of what is being done.
_UNITS = ("points", "pairs", "heads")


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
        last = what.rpartition(" ")[2]
        unit = last if last in _UNITS else "rows"
        done = 0

        def advance(rows: int) -> None:
            nonlocal done
            done += rows
            now = time.monotonic()
            if now - begun > 1 and not bars.live.is_started:
                bars.start()
            rate = done / max(now - task_begun, 1e-9)
            bars.update(task, completed=done, rate=f"{rate:,.{0 if rate >= 10 else 1}f} {unit}/s")

        return advance

    try:
        yield start
    finally:
        bars.stop()


TableFormat = Annotated[
    str | None,
    _output("--format", "-f", metavar="NAME", help="table (as it is), json, markdown or csv: what to print."),
]
TableFiles = Annotated[
    list[Path] | None,
    _output("--output", "-o", metavar="FILE", help="Also write .json, .md, .csv or .txt; may be repeated."),
]
AsLines = Annotated[bool, _output("--jsonl", help="Print a line of JSON for each query and method.")]
HitFiles = Annotated[
    list[Path] | None,
    _output(
        "--output", "-o", metavar="FILE", help="Write all hits to a .parquet, .jsonl, .json or .csv; may be repeated."
    ),
]


class HitOutput:
    """Where hits go block by block: files, a document on stdout, or the first few into a table."""

    def __init__(self, writers: list[HitWriter], shown: Any, *, table: bool) -> None:
        self._writers, self._shown, self._table = writers, shown, table
        self._first: list[QueryHits] = []

    def __call__(self, lists: Sequence[Any]) -> None:
        from relcli.reports.hits import SHOWN

        # the methods of a query side by side
        for of_query in zip(*(each.rows(self._shown) for each in lists), strict=True):
            for writer in self._writers:
                writer.write(of_query)
            if self._table and len(self._first) < SHOWN * len(lists):
                self._first += of_query

    def finish(self, retrieval: Retrieval, quiet: bool) -> None:
        """Write what comes after the last hit."""
        from rich.console import Console

        from relcli.reports.hits import print_figures, print_hits

        for writer in self._writers:
            writer.close(retrieval)
        if self._table:
            print_hits(retrieval, self._first, Console())
        elif not quiet:
            print_figures(retrieval, Console(stderr=True))


@contextmanager
def hits_written(files: list[Path] | None, shown: Any, as_json: bool, as_lines: bool) -> Iterator[HitOutput]:
    """Give what hits are handed to; files come into place when the block ends well."""
    from relcli.errors import UsageError
    from relcli.formats.hits import DocumentWriter, LineWriter, writing_hits

    if as_json and as_lines:
        raise UsageError("--json and --jsonl ask for two documents on stdout. Drop one, or write one with -o.")
    with writing_hits(files or (), list(shown)) as writers:
        if as_json:
            writers.append(DocumentWriter(sys.stdout))
        if as_lines:
            writers.append(LineWriter(sys.stdout))
        yield HitOutput(writers, shown, table=not (as_json or as_lines))
