"""What commands that make many comparisons share: where they keep what is done, and how their answer gets out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from relcli.cli import output

_PANEL = "Output"

Resume = Annotated[
    Path | None,
    typer.Option(
        "--resume",
        metavar="FILE.json",
        help="Keep what is done here, and begin from what is there; the first -o .json unless given.",
        rich_help_panel=_PANEL,
    ),
]
Plot = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw a .png or .svg.", rich_help_panel=_PANEL)
]
_TO = "Also write .json, .md, .csv or .txt; may be repeated."
Files = Annotated[list[Path] | None, typer.Option("--output", "-o", metavar="FILE", help=_TO, rich_help_panel=_PANEL)]


def checked(
    as_json: bool, files: list[Path] | None, resume: Path | None, plot: Path | None, *sources: Any
) -> Path | None:
    """Return where to keep what is done; places that cannot be written are refused before any work."""
    from relcli.errors import OutputError, UsageError
    from relcli.reports.plots import check_plot
    from relcli.reports.study import FORMS

    if resume and resume.suffix.lower() != ".json":
        raise UsageError(f"--resume {resume} is no .json: a run is taken up from its JSON. Name one, such as run.json.")
    kept = [*(files or ()), *([resume] if resume else [])]
    output.chosen_format(as_json, None, kept, formats=FORMS)
    output.refuse_overwriting([*kept, *([plot] if plot else [])], *sources)
    if plot:
        check_plot(plot)
        if not plot.parent.is_dir():
            raise OutputError(f"{plot} cannot be written: there is no folder {plot.parent}. Make it first.")
    return resume or next((file for file in files or () if file.suffix.lower() == ".json"), None)


def conclude(
    study: Any,
    forms: Mapping[str, Callable[[Any], str]],
    show: Callable[[Any, Any], None],
    as_json: bool,
    files: list[Path] | None,
    plot: Path | None,
) -> None:
    """Write the files and the plot, then print one document on stdout."""
    from relcli.reports.study import write_files

    write_files(study, forms, files or ())
    if plot:
        from relcli.reports.plots import draw

        draw(study, plot)
    if as_json:
        sys.stdout.write(forms["json"](study))
        return
    from rich.console import Console

    show(study, Console(highlight=False))
