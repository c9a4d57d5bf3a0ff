"""Options of commands that judge a report, what is configured for them, and how their verdict gets out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relcli.cli import inputs, output

if TYPE_CHECKING:
    from rich.console import Console

    from relcli.reports.checks import Known, Requirement
    from relcli.reports.diff import Limit
    from relcli.reports.report import Report
    from relcli.reports.retrieval import Retrieval
    from relcli.reports.stitching import Stitching

_checks = inputs.in_panel("Checks")


def _use_settings(context: typer.Context, pair: str | None) -> str | None:
    """Make what is configured the defaults of the options that are read after this one."""
    from relcli.settings import read_settings

    settings = read_settings(Path.cwd(), os.environ, pair=pair)
    context.default_map = {**(context.default_map or {}), **settings.parameters()}
    return pair


Pair = Annotated[
    str | None,
    typer.Option(
        "--pair",
        metavar="NAME",
        is_eager=True,
        callback=_use_settings,
        help="Run what is configured as pairs.NAME.",
    ),
]
Checks = Annotated[
    list[str] | None,
    _checks(
        "--check",
        metavar="TEXT",
        help="Exit 1 unless this holds: 'mrr>=0.9', 'absolute.cosine>0', 'mrr.low>=0.8', 'warn:…'; may be repeated.",
    ),
]
FigureChecks = Annotated[
    list[str] | None,
    _checks(
        "--check",
        metavar="TEXT",
        help="Exit 1 unless this holds: 'relative.accuracy>=0.8', 'warn:translate:ortho.accuracy>0.7'; repeatable.",
    ),
]
FailUnder = Annotated[list[str] | None, _checks("--fail-under", metavar="NAME=N", help="Exit 1 below this.")]
FailOver = Annotated[list[str] | None, _checks("--fail-over", metavar="NAME=N", help="Exit 1 above this.")]


def requirements(
    checks: list[str] | None,
    under: list[str] | None,
    over: list[str] | None,
    *,
    format_name: str,
    files: list[Path] | None,
) -> tuple[Requirement, ...]:
    """Return what is required; what is misspelt is refused before any work is done."""
    from relcli.reports.checks import parse_requirements, refuse_unknown

    required = parse_requirements(checks, under, over)
    if required:
        refuse_unknown(required, known())
    else:
        refuse_empty(format_name, files)
    return required


def refuse_empty(format_name: str, files: list[Path] | None) -> None:
    """Raise UsageError if checks are to be written, and there are none: a gate without them would always pass."""
    from relcli.errors import UsageError

    if format_name == "junit" or any(file.suffix.lower() == ".xml" for file in files or ()):
        raise UsageError("JUnit XML holds checks, and there are none. Add one, such as --check 'mrr>=0.9'.")


def known() -> Known:
    """Return every measure that a report might hold, and whether higher is closer."""
    from relcli.measures.catalog import all_measures

    return {name: measure.higher_is_closer for name, measure in all_measures().items()}


def judged(
    report: Report,
    required: Sequence[Requirement],
    *,
    limits: Sequence[Limit] = (),
    baseline: Report | None = None,
    significant: bool = False,
) -> Report:
    """Return the report with the verdict on each requirement, then on each limit on its change from the baseline."""
    if not required and not limits:
        return report
    from relcli.reports.checks import as_documents, judge
    from relcli.reports.diff import against_baseline

    # a measure that was not computed may be asked of compare alone, which could have computed it
    names = known() if report.command == "compare" else {one.measure: one.higher_is_closer for one in report.scores}
    checks = judge(report, required, names)
    if baseline is not None:
        checks += against_baseline(report, baseline, limits, names, significant=significant)
    return replace(report, checks=as_documents(checks))


def conclude(
    report: Report,
    format_name: str,
    files: list[Path] | None,
    *,
    quiet: bool = False,
    table: Callable[[Report, Console], None] | None = None,
    forms: Mapping[str, Callable[[Report], str]] | None = None,
) -> None:
    """Write the report, tell on stderr what failed where stdout does not, and exit 1 where a check failed."""
    output.write_report(report, format_name, files, table=table, forms=forms)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if format_name == "github" and summary:
        _append_summary(report, summary)
    tell_and_exit(report.checks, quiet=quiet or format_name in ("table", "markdown", "github"))


def parsed(checks: list[str] | None, under: list[str] | None, over: list[str] | None) -> tuple[Requirement, ...]:
    """Return what is required of a search; names are judged when it is known which methods were asked for."""
    from relcli.reports.checks import parse_requirements

    return parse_requirements(checks, under, over)


def judged_hits(found: Retrieval, required: Sequence[Requirement]) -> Retrieval:
    """Return what a search found with the verdict on each requirement."""
    if not required:
        return found
    from relcli.reports.checks import as_documents, judge

    reported = {score.measure: score.higher_is_closer for score in found.scores} or known()
    return replace(found, checks=as_documents(judge(found, required, reported)))


def parsed_pairs(checks: list[str] | None, under: list[str] | None, over: list[str] | None) -> tuple[Requirement, ...]:
    """Return what is required of a stitching; measures that it never has are refused before any head is trained."""
    from relcli.reports.checks import parse_requirements, refuse_unknown
    from relcli.reports.stitching import KNOWN

    required = parse_requirements(checks, under, over)
    # methods are known when all is done: what stands before the dot is judged then
    refuse_unknown([one for one in required if not set(one.target.name.split(".")) & set(KNOWN)], KNOWN)
    return required


def judged_pairs(found: Stitching, required: Sequence[Requirement]) -> Stitching:
    """Return a stitching with the verdict on each requirement, that of the worst stitched pair."""
    if not required:
        return found
    from relcli.reports.checks import as_documents, judge_each
    from relcli.reports.stitching import KNOWN

    return replace(found, checks=as_documents(judge_each(found, required, KNOWN, column="pair")))


def tell_and_exit(checks: Sequence[Mapping[str, Any]], *, quiet: bool) -> None:
    """Tell on stderr what did not hold, and exit 1 where a check failed."""
    from relcli.reports.checks import failed
    from relcli.reports.phrases import check_line, check_mark

    for check in () if quiet else checks:
        if check_mark(check) != "✓":
            typer.echo(f"{check_mark(check)} {check_line(check)}", err=True)
    if failed(checks):
        raise typer.Exit(1)


def _append_summary(report: Report, place: str) -> None:
    """Append the report in Markdown to the file that GitHub shows under the run."""
    from relcli.errors import OutputError
    from relcli.reports.markdown import to_markdown

    try:
        with open(place, "a", encoding="utf-8", newline="") as file:
            file.write(to_markdown(report) + "\n")
    except OSError as error:
        raise OutputError(f"{place} of GITHUB_STEP_SUMMARY cannot be written: {error.strerror}. Unset it.") from error
