"""Checks for pipelines: JUnit XML that strict readers take, GitHub annotations, and the step summary."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relcli.reports.checks import Check, as_documents
from relcli.reports.github import to_github
from relcli.reports.junit import to_junit
from relcli.reports.markdown import to_markdown
from relcli.reports.report import Report
from relcli.reports.table import to_text
from tests.reports_example import REPORT

PASSED = Check("mrr>=0.4", True, 0.5, 0.4, 0.1)
FAILED = Check("min(mrr by lang)>=0.7", False, 0.6, 0.7, -0.1, reason="lang de")
WARNED = Check("warn:cosine>=0.8", False, 0.7, 0.8, -0.1, "warn")
UNDEFINED = Check("absolute.mrr>=0.4", False, bound=0.4, reason="undefined: 32 and 48 dimensions")

#: What Jenkins' and Surefire's schemas take: element -> required attributes, others, children in their order.
ALLOWED = {
    "testsuites": ((), ("name", "tests", "failures", "errors", "time"), ("testsuite",)),
    "testsuite": (
        ("name", "tests", "failures", "errors", "skipped"),
        ("time", "timestamp", "hostname", "id", "package"),
        ("properties", "testcase", "system-out", "system-err"),
    ),
    "properties": ((), (), ("property",)),
    "property": (("name", "value"), (), ()),
    "testcase": (("name", "classname", "time"), (), ("skipped", "error", "failure", "system-out", "system-err")),
    "failure": (("message", "type"), (), ()),
    "system-out": ((), (), ()),
}


def judged(*checks: Check) -> Report:
    return replace(REPORT, checks=as_documents(checks))


def validated(text: str) -> ElementTree.Element:
    """Return the parsed XML once it keeps the rules of the schema."""
    root = ElementTree.fromstring(text.encode())
    assert root.tag == "testsuites"
    for element in root.iter():
        required, optional, children = ALLOWED[element.tag]
        assert set(required) <= set(element.attrib) <= {*required, *optional}, element.tag
        tags = [child.tag for child in element]
        assert set(tags) <= set(children), element.tag
        # each kind of child in one run, in the order of the schema
        assert tags == sorted(tags, key=children.index)
        if element.tag == "testcase":
            assert len(tags) <= 1
        if children:
            assert not (element.text or "").strip()
    for suite in (root, *root.iter("testsuite")):
        assert int(suite.attrib["tests"]) == len([*suite.iter("testcase")])
        assert int(suite.attrib["failures"]) == len([*suite.iter("failure")])
    return root


def test_a_check_is_a_test_case():
    root = validated(to_junit(judged(PASSED, FAILED, WARNED, UNDEFINED)))
    cases = {case.attrib["name"]: case for case in root.iter("testcase")}

    assert [*cases] == ["mrr>=0.4", "min(mrr by lang)>=0.7", "warn:cosine>=0.8", "absolute.mrr>=0.4"]
    assert [child.tag for case in cases.values() for child in case] == ["failure", "system-out", "failure"]
    assert cases["min(mrr by lang)>=0.7"][0].attrib["message"] == (
        "min(mrr by lang)>=0.7: value 0.6 · bound 0.7 · margin -0.1 (lang de)"
    )
    assert cases["warn:cosine>=0.8"][0].text.startswith("warning: warn:cosine>=0.8: value 0.7")
    assert "32 and 48 dimensions" in cases["absolute.mrr>=0.4"][0].text


def test_the_properties_say_what_was_compared():
    root = validated(to_junit(judged(PASSED)))
    properties = {item.attrib["name"]: item.attrib["value"] for item in root.iter("property")}

    assert properties["x"] == "bert-base/wörter"
    assert properties["y"] == "多言語-e5"
    assert properties["anchors.sha256"] == "a1" * 32


def test_an_older_reports_checks_are_written_too():
    root = validated(to_junit(REPORT))

    assert root.attrib == {"tests": "2", "failures": "1", "errors": "0"}


@given(st.text(), st.text())
def test_any_text_makes_legal_xml(requirement, reason):
    validated(to_junit(judged(Check(requirement, False, reason=reason), Check(requirement, False, severity="warn"))))


def test_github_gets_an_annotation_for_each_check_that_does_not_hold():
    assert to_github(judged(PASSED, FAILED, WARNED)).splitlines() == [
        "::error title=relcli min(mrr by lang)>=0.7::"
        "min(mrr by lang)>=0.7: value 0.6 · bound 0.7 · margin -0.1 (lang de)",
        "::warning title=relcli warn%3Acosine>=0.8::warn:cosine>=0.8: value 0.7 · bound 0.8 · margin -0.1",
        "::notice title=relcli compare::1 of 3 checks hold: bert-base/wörter ↔ 多言語-e5",
    ]


@given(st.text(), st.text())
def test_no_text_breaks_out_of_its_annotation(requirement, reason):
    first, *rest = to_github(judged(Check(requirement, False, reason=reason))).split("\n")

    assert len(rest) == 2
    assert re.fullmatch(r"::error title=[^\r\n:,]*::[^\r\n]*", first)
    told = first.partition("::")[2].partition("::")[2].replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
    assert requirement in told


def test_markdown_has_the_checks_on_top():
    text = to_markdown(judged(PASSED, FAILED, WARNED))
    lines = text.splitlines()

    assert lines[2].startswith(r"- ✓ mrr\>=0.4: value 0.5 · bound 0.4")
    assert lines[3].startswith("- ✗ min(mrr by lang)")
    assert lines[4].startswith("- ! warn:cosine")
    assert text.index("warn:cosine") < text.index("**x**")


@pytest.mark.parametrize(("check", "mark"), [(PASSED, "✓"), (FAILED, "✗"), (WARNED, "!")])
def test_the_table_marks_each_check(check, mark):
    assert f"\n{mark}    {check.requirement}: value" in to_text(judged(check), width=200)
