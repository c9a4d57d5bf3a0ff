"""relcli diff"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relcli.cli import output

Old = Annotated[str, typer.Argument(metavar="OLD", help="JSON report; - for stdin.")]
New = Annotated[str, typer.Argument(metavar="NEW", help="JSON report; - for stdin.")]
Force = Annotated[bool, typer.Option("--force", help="Compare even where conventions differ.")]
FormatName = Annotated[
    str | None, typer.Option("--format", "-f", metavar="NAME", help="table (as it is), json or markdown.")
]
Files = Annotated[
    list[Path] | None,
    typer.Option("--output", "-o", metavar="FILE", help="Also write .json, .md or .txt; may be repeated."),
]


def diff(
    old: Old,
    new: New,
    force: Force = False,
    as_json: output.AsJson = False,
    format_name: FormatName = None,
    files: Files = None,
) -> None:
    """
    Show what changed between two reports: old, new, change, combined interval, and what it means.

    Example: relcli diff main.json report.json
    """
    from relcli.reports import diff as diffs

    format_chosen = output.chosen_format(as_json, format_name, files, formats=diffs.FORMATS)
    output.refuse_overwriting(files, old, new)
    after, before = diffs.read_both(new, old)
    assert before is not None
    if not force:
        diffs.refuse_different(before, after)
    found = diffs.diff(before, after)
    output.write_found(found, format_chosen, files, table=diffs.print_diff, forms=diffs.FORMATS)
