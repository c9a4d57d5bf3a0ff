"""relcli check"""

from __future__ import annotations

from typing import Annotated

import typer

from relcli.cli import gate, inputs, output

_baseline = inputs.in_panel("Baseline")

Place = Annotated[str, typer.Argument(metavar="REPORT", help="JSON report of a command that scores; - for stdin.")]
Baseline = Annotated[str | None, _baseline("--baseline", metavar="FILE", help="An older report.")]
MaxDrop = Annotated[list[str] | None, _baseline("--max-drop", metavar="NAME=N[%]", help="How far it may fall.")]
MaxRise = Annotated[list[str] | None, _baseline("--max-rise", metavar="NAME=N[%]", help="How far it may rise.")]
Significant = Annotated[bool, _baseline("--significant", help="Pass what is within the combined interval.")]
Force = Annotated[bool, _baseline("--force", help="Compare even where conventions differ.")]


def check(
    report: Place,
    pair: gate.Pair = None,
    check: gate.Checks = None,
    fail_under: gate.FailUnder = None,
    fail_over: gate.FailOver = None,
    baseline: Baseline = None,
    max_drop: MaxDrop = None,
    max_rise: MaxRise = None,
    significant: Significant = False,
    force: Force = False,
    as_json: output.AsJson = False,
    format_name: output.FormatName = None,
    files: output.OutputFiles = None,
    quiet: output.Quiet = False,
) -> None:
    """
    Test a stored report: exit 1 where a check fails, or a score fell below a baseline's.

    Example: relcli check report.json --check 'mrr>=0.4' --baseline report.json --max-drop mrr=1%
    """
    from relcli.reports import diff
    from relcli.reports.checks import parse_requirements
    from relcli.reports.table import print_checks

    format_chosen = output.chosen_format(as_json, format_name, files)
    output.refuse_overwriting(files, report, baseline)
    required = parse_requirements(check, fail_under, fail_over)
    limits = diff.parse_limits(max_drop, max_rise)
    diff.refuse_idle(required, limits, baseline, significant=significant, force=force)
    new, old = diff.read_both(report, baseline)
    if old is not None and not force:
        diff.refuse_different(old, new)
    held = gate.judged(new, required, limits=limits, baseline=old, significant=significant)
    for note in diff.warnings(old, new) if not quiet else ():
        typer.echo(f"note {note}", err=True)
    gate.conclude(held, format_chosen, files, quiet=quiet, table=print_checks)
