"""The checks of a report as GitHub's workflow commands: annotations that show up on the run and the pull request."""

from __future__ import annotations

from collections.abc import Iterator

from relcli.reports import phrases
from relcli.reports.report import Report


def to_github(report: Report) -> str:
    """Return an ::error or ::warning line for each check that does not hold, and a ::notice that counts them."""
    return "".join(f"{line}\n" for line in _lines(report))


def _lines(report: Report) -> Iterator[str]:
    for check in report.checks:
        if not check["passed"]:
            kind = "warning" if check.get("severity") == "warn" else "error"
            yield _command(kind, f"relcli {check.get('requirement', '')}", phrases.check_line(check))
    held = sum(bool(check["passed"]) for check in report.checks)
    names = f"{report.x.get('name')} ↔ {report.y.get('name')}"
    yield _command("notice", f"relcli {report.command}", f"{held} of {len(report.checks)} checks hold: {names}")


def _command(kind: str, title: str, message: str) -> str:
    return f"::{kind} title={_property(title)}::{_escape(message)}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
