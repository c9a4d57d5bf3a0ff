"""What changed between two reports: figures, verdicts, and the three ways to see them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from relcli.cli.app import run
from relcli.reports.diff import combined_interval, diff, diff_schema, to_json, to_markdown, to_text
from relcli.reports.report import Interval, Report, Score
from relcli.reports.report import to_json as report_json
from tests.reports_example import REPORT


def score(value: float | None, *, half: float | None = 0.03, higher: bool = True) -> Score:
    interval = (
        Interval(value - half, value + half, 0.95, "bootstrap") if half is not None and value is not None else None
    )
    reason = None if value is not None else "too few pairs"
    return Score("mrr", "relative", value, interval=interval, higher_is_closer=higher, undefined_because=reason)


def changed(old: Score | None, new: Score | None):
    sides = (replace(REPORT, scores=(side,) if side else ()) for side in (old, new))
    (change,) = diff(*sides).changes
    return change


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (score(0.5), score(0.6), "better"),
        (score(0.5), score(0.4), "worse"),
        (score(0.5, higher=False), score(0.6, higher=False), "worse"),
        (score(0.5, higher=False), score(0.4, higher=False), "better"),
        (score(0.5), score(0.542), "same"),
        (score(0.5), score(0.543), "better"),
        (score(0.5, half=None), score(0.5), "same"),
        (score(0.5, half=None), score(0.5001), "better"),
        (score(0.5), score(None), "undefined"),
        (score(None), score(0.5), "undefined"),
        (None, score(0.5), "added"),
        (score(0.5), None, "removed"),
    ],
)
def test_a_change_has_a_verdict(old, new, verdict):
    assert changed(old, new).verdict == verdict


def test_intervals_combine_as_independent_errors_do():
    assert combined_interval(score(0.5, half=0.03), score(0.6, half=0.04)) == pytest.approx(0.05)
    assert combined_interval(score(0.5), score(0.6, half=None)) is None
    assert changed(score(0.5), score(0.6)).delta == pytest.approx(0.1)


def test_the_order_is_that_of_the_new_report_then_what_was_removed():
    found = diff(replace(REPORT, scores=REPORT.scores[:3]), replace(REPORT, scores=REPORT.scores[4:1:-1]))

    assert [(change.measure, change.view, change.verdict) for change in found.changes] == [
        ("median-rank", "relative", "added"),
        ("recall@10", "absolute", "added"),
        ("recall@10", "relative", "same"),
        ("recall@1", "relative", "removed"),
        ("recall@1", "absolute", "removed"),
    ]


def test_the_document_satisfies_its_schema():
    schema = diff_schema()
    document = json.loads(to_json(diff(REPORT, replace(REPORT, scores=REPORT.scores[3:]))))

    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    assert list(document) == [*schema["properties"]]


def test_the_table_and_markdown_show_every_change():
    shrunk = tuple(replace(score, value=score.value and score.value * 0.9) for score in REPORT.scores)
    found = diff(REPORT, replace(REPORT, scores=shrunk))
    rows = [line.split() for line in to_text(found, width=100).splitlines()]

    assert ["recall@10", "↑", "relative", "0.881", "0.793", "-0.088", "0.017", "worse"] in rows
    assert "| recall@10 ↑ | relative | 0.881 | 0.793 | -0.088 | 0.017 | worse |" in to_markdown(found)
    assert len(rows) >= len(found.changes)
    assert "…" not in to_text(found, width=60)


def stored(path: Path, report: Report) -> str:
    path.write_text(report_json(report), encoding="utf-8")
    return str(path)


def test_the_command_prints_and_writes_the_change_table(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    old, new = stored(tmp_path / "old.json", REPORT), stored(tmp_path / "new.json", REPORT)
    files = [tmp_path / "d.md", tmp_path / "d.json", tmp_path / "d.txt"]
    written = [part for file in files for part in ("-o", str(file))]

    assert run(["diff", old, new, *written]) == 0
    assert " same" in capfd.readouterr().out
    assert run(["diff", old, new, "--json"]) == 0
    assert capfd.readouterr().out == files[1].read_text(encoding="utf-8")
    assert run(["diff", old, new, "-f", "markdown"]) == 0
    assert capfd.readouterr().out == files[0].read_text(encoding="utf-8")


@pytest.mark.parametrize("arguments", [["-o", "d.csv"], ["-o", "d.xml"], ["-f", "csv"], ["-f", "junit"]])
def test_a_diff_is_no_table_of_scores(arguments, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old = stored(tmp_path / "old.json", REPORT)

    assert run(["diff", old, old, *arguments]) == 2
    assert capfd.readouterr().out == ""
