"""The checks of a report as JUnit XML, one test case each."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from relcli.reports import phrases
from relcli.reports.checks import failed
from relcli.reports.report import Report

# what XML 1.0 cannot hold, not even escaped: most control characters, and halves of surrogate pairs
_ILLEGAL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(report: Report) -> str:
    """
    Return the checks as one test suite: a check is a test case, a failed one a failure, a warning its output.

    Keeps to the elements and attributes that Jenkins', Surefire's and GitLab's readers share.
    """
    failures = sum(map(_fails, report.checks))
    counts = {"tests": str(len(report.checks)), "failures": str(failures), "errors": "0"}
    suites = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": _legal(_name(report)), **counts, "skipped": "0"})
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _properties(report).items():
        ElementTree.SubElement(properties, "property", {"name": name, "value": _legal(value)})
    for check in report.checks:
        _add_case(suite, check, f"relcli.{report.command}")
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _add_case(suite: ElementTree.Element, check: dict[str, Any], kind: str) -> None:
    about = {"name": _legal(check.get("requirement", "")), "classname": _legal(kind), "time": "0"}
    case = ElementTree.SubElement(suite, "testcase", about)
    if check["passed"]:
        return
    line = _legal(phrases.check_line(check))
    if _fails(check):
        ElementTree.SubElement(case, "failure", {"message": line, "type": "check"}).text = line
    else:
        ElementTree.SubElement(case, "system-out").text = f"warning: {line}"


def _fails(check: dict[str, Any]) -> bool:
    return failed([check])


def _name(report: Report) -> str:
    return f"relcli {report.command}: {report.x.get('name')} ↔ {report.y.get('name')}"


def _properties(report: Report) -> dict[str, str]:
    """Return what was compared: the spaces, their files and digests, the anchors, the join, the versions."""
    told = {
        **{side: space.get("name") for side, space in (("x", report.x), ("y", report.y))},
        **{f"{side}.path": space.get("path") for side, space in (("x", report.x), ("y", report.y))},
        **{f"{side}.sha256": space.get("sha256") for side, space in (("x", report.x), ("y", report.y))},
        "anchors": phrases.joined(phrases.anchor_facts(report.anchors)),
        "anchors.sha256": report.anchors.get("sha256"),
        "join": phrases.joined(phrases.join_facts(report.join)),
        "scored": phrases.joined(phrases.setting_facts(report.settings)),
        "relcli": report.versions.get("relcli"),
    }
    return {name: str(value) for name, value in told.items() if value}


def _legal(text: object) -> str:
    return _ILLEGAL.sub("\ufffd", str(text))
