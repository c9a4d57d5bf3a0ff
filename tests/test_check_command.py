"""`relcli check`, and the gate of `relcli compare`: what passes, what fails, and with which exit code."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest

from relcli.cli.app import run
from relcli.formats.format import open_space
from relcli.reports.report import SCHEMA_VERSION, Interval, Report, from_document, to_document, to_json
from relcli.reports.schema import report_schema
from tests.frozen import GOLDENS
from tests.reports_example import REPORT

SAMPLES = Path(__file__).parent.parent / "sample_embeddings"

Call = Callable[..., tuple[str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """Return a function that runs relcli in an empty folder and gives stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)

    def called(*arguments: str, code: int = 0, stdin: bytes | None = None) -> tuple[str, str]:
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        found = run(arguments)
        out, err = capfd.readouterr()

        assert found == code, out + err
        return out, err

    return called


@pytest.fixture
def report(tmp_path: Path) -> str:
    """Return the name of a stored report."""
    (tmp_path / "report.json").write_text(to_json(replace(REPORT, checks=())), encoding="utf-8")
    return "report.json"


def stored(name: str, report: Report) -> str:
    Path(name).write_text(to_json(report), encoding="utf-8")
    return name


def scaled(factor: float, **changes: object) -> Report:
    """Return the example with all relative scores multiplied."""
    scores = tuple(
        replace(s, value=s.value * factor) if s.value is not None and s.view == "relative" else s for s in REPORT.scores
    )
    return replace(REPORT, scores=scores, **changes)  # type: ignore[arg-type]


# --- checks ---


def test_a_report_that_holds_passes(call, report):
    out, err = call("check", report, "--check", "recall@10>=0.88", "--check", "coverage>=0.98")

    assert out.splitlines() == [
        "bert-base/wörter ↔ 多言語-e5",
        "✓ recall@10>=0.88: value 0.8812 · bound 0.88 · margin +0.0012",
        "✓ coverage>=0.98: value 0.9841 · bound 0.98 · margin +0.0041",
    ]
    assert err == ""


def test_a_report_that_does_not_hold_fails_and_a_warning_does_not(call, report):
    out, _ = call("check", report, "--fail-under", "recall@10=0.9", code=1)
    warned, _ = call("check", report, "--check", "warn:recall@10>=0.9")

    assert out.splitlines()[1].startswith("✗ recall@10>=0.9: value 0.8812 · bound 0.9 · margin -0.0188")
    assert warned.splitlines()[1].startswith("! warn:recall@10>=0.9: value 0.8812")


def test_a_report_comes_from_stdin(call):
    content = to_json(REPORT).encode()

    call("check", "-", "--check", "recall@10>=0.8", stdin=content)
    call("check", "-", "--check", "recall@10>=0.8", stdin=content.decode().encode("utf-16"))
    call("check", "-", "--check", "recall@10>=0.9", stdin=content, code=1)


def test_json_is_the_report_with_its_checks(call, report):
    out, err = call("check", report, "--check", "recall@10>=0.9", "--json", code=1)
    document = json.loads(out)

    jsonschema.validate(document, report_schema())
    assert document["scores"] == to_document(REPORT)["scores"]
    assert [(check["requirement"], check["passed"]) for check in document["checks"]] == [("recall@10>=0.9", False)]
    assert err.startswith("✗ recall@10>=0.9: value 0.8812")
    assert call("check", report, "--check", "recall@10>=0.9", "--json", "-q", code=1) == (out, "")


def test_files_are_written_though_a_check_fails(call, report, tmp_path):
    files = [part for name in ("r.xml", "r.md", "r.json", "r.csv", "r.txt") for part in ("-o", name)]
    call("check", report, "--check", "recall@10>=0.9", *files, code=1)

    assert len(ElementTree.parse(tmp_path / "r.xml").findall(".//failure")) == 1
    assert "- ✗ recall" in (tmp_path / "r.md").read_text()
    assert json.loads((tmp_path / "r.json").read_text())["checks"][0]["margin"] == pytest.approx(-0.0188)
    assert "✗    recall@10>=0.9" in (tmp_path / "r.txt").read_text()


def test_github_gets_annotations_and_a_step_summary(call, report, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    (tmp_path / "summary.md").write_text("before\n")
    out, err = call("check", report, "--check", "recall@10>=0.9", "--format", "github", code=1)

    assert out.startswith("::error title=relcli recall@10>=0.9::")
    assert err == ""
    assert (tmp_path / "summary.md").read_text().startswith("before\n### relcli compare")

    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "none" / "summary.md"))

    assert (
        "GITHUB_STEP_SUMMARY cannot be written"
        in call("check", report, "--check", "recall@10>=0.8", "--format", "github", code=2)[1]
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Nothing to test"),
        (["--check", "recal@10>=0.9"], "Did you mean 'recall@10'?"),
        (["--check", "jacard@5>=0.9"], "Did you mean 'jaccard"),
        (["--fail-over", "recall@10=0.9"], "Use --fail-under recall@10=0.9"),
        (["--max-drop", "mrr=1%"], "Name an older report with --baseline"),
        (["--baseline", "report.json"], "--baseline alone tests nothing"),
        (["--check", "mrr>=0.9", "--significant"], "--significant is about a baseline"),
        (["--baseline", "report.json", "--max-drop", "recall@10=x%"], "'x' is not a number"),
        (["--baseline", "report.json", "--max-drop", "recall@10=-1%"], "negative"),
        (["--baseline", "report.json", "--max-rise", "recall@10=1%"], "Use --max-drop recall@10=1%"),
        (["--baseline", "report.json", "--max-drop", "median-rank=1%"], "Use --max-rise median-rank=1%"),
        (["--baseline", "report.json", "--max-drop", "recal@10=1%"], "Did you mean 'recall@10'?"),
        (["--baseline", "reprot.json", "--max-drop", "recall@10=1%"], "Did you mean 'report.json'?"),
        (["--check", "recall@10>=0.9", "-o", "report.json"], "is to be read"),
    ],
)
def test_a_gate_that_cannot_judge_says_so(arguments, told, call, report):
    out, err = call("check", report, *arguments, code=2)

    assert out == ""
    assert told in err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "not a report of relcli"),
        ('{"schema_version": "1.0"}', "not a report of relcli"),
        (json.dumps(to_document(REPORT) | {"schema_version": "2.0"}), "schema 2.0, and this relcli reads 1.x"),
        (json.dumps(to_document(REPORT) | {"join": []}), "join is no object"),
        (json.dumps(to_document(REPORT) | {"scores": [{"measure": 1, "view": "relative", "value": 1}]}), "are texts"),
        (json.dumps(to_document(REPORT) | {"scores": [5]}), "not a report of relcli"),
        (json.dumps(to_document(REPORT) | {"groups": [{"column": "a"}]}), "not a report of relcli"),
    ],
)
@pytest.mark.parametrize("command", ["check", "diff"])
def test_what_is_no_report_is_refused(content, told, command, call, tmp_path):
    (tmp_path / "broken.json").write_text(content)
    (tmp_path / "good.json").write_text(to_json(REPORT))
    arguments = ["good.json"] if command == "diff" else ["--check", "recall@10>=0.1"]
    out, err = call(command, "broken.json", *arguments, code=2)

    assert out == ""
    assert err.startswith("relcli: broken.json")
    assert told in err


def test_a_report_of_an_older_minor_schema_still_reads(call):
    old = GOLDENS / "report-1.0.json"
    document = json.loads(old.read_text(encoding="utf-8"))

    assert document["schema_version"] == "1.0" != SCHEMA_VERSION
    assert from_document(document) == REPORT
    jsonschema.validate(document, report_schema())
    call("check", str(old), "--check", "recall@10>=0.8")


def test_another_commands_document_with_scores_is_judged(call):
    document = to_document(REPORT) | {"command": "retrieve", "hits": [], "queries": {"count": 3}}
    del document["join"], document["checks"]
    content = json.dumps(document).encode()

    call("check", "-", "--check", "recall@10>=0.8", stdin=content)
    assert (
        "does not say how its rows were joined" in call("check", "-", "--check", "coverage>0", stdin=content, code=1)[0]
    )


# --- against a baseline ---


@pytest.mark.parametrize(
    ("limit", "factor", "code"),
    [
        ("--max-drop recall@10=1%", 0.991, 0),
        ("--max-drop recall@10=1%", 0.989, 1),
        ("--max-drop recall@10=0.02", 0.98, 0),
        ("--max-drop recall@10=0.01", 0.98, 1),
        ("--max-drop recall@10=0", 1.0, 0),
        ("--max-rise median-rank=5%", 1.04, 0),
        ("--max-rise median-rank=5%", 1.06, 1),
        ("--max-drop recall@10=1%", 1.5, 0),
        ("--max-drop absolute.recall@10=1%", 1.0, 1),
        ("--max-drop mrr=1%", 1.0, 1),
    ],
)
def test_a_score_may_move_so_far(limit, factor, code, call, report):
    new = stored("new.json", scaled(factor))

    call("check", new, "--baseline", report, *limit.split(), code=code)


def test_a_drop_is_told_with_what_it_fell_from(call, report):
    out, _ = call("check", stored("new.json", scaled(0.9)), "--baseline", report, "--max-drop", "recall@10=1%", code=1)

    assert "✗ max-drop recall@10=1%: value 0.79308 · bound 0.87239 · margin -0.07931 (was 0.8812)" in out


def test_only_a_significant_drop_fails_where_asked(call, report):
    # half-widths of 0.0123 in both combine to 0.0174
    small, large = stored("small.json", scaled(0.985)), stored("large.json", scaled(0.97))
    without = stored(
        "without.json", replace(scaled(0.985), scores=tuple(replace(s, interval=None) for s in scaled(0.985).scores))
    )
    gate = ["--baseline", report, "--max-drop", "recall@10=0"]

    call("check", small, *gate, code=1)
    assert "combined interval ±0.01739" in " ".join(call("check", small, *gate, "--significant")[0].split())
    call("check", large, *gate, "--significant", code=1)
    call("check", without, *gate, "--significant", code=1)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"anchors": REPORT.anchors | {"sha256": "b2" * 32}}, "anchors (300, a1a1a1a1… and 300, b2b2b2b2…)"),
        ({"settings": REPORT.settings | {"k": 5}}, "k (10 and 5)"),
        ({"settings": REPORT.settings | {"similarity": "inner"}}, "similarity (cosine and inner)"),
        ({"settings": REPORT.settings | {"center": False}}, "center (True and False)"),
        ({"settings": REPORT.settings | {"include_anchors": True}}, "include-anchors (None and True)"),
        ({"settings": REPORT.settings | {"preset": "relreps"}}, "preset (None and relreps)"),
        ({"settings": REPORT.settings | {"views": ["relative"]}}, "views (None and relative)"),
        ({"command": "retrieve"}, "command (compare and retrieve)"),
    ],
)
def test_reports_of_other_conventions_are_compared_only_by_force(change, told, call, report):
    new = stored("new.json", replace(REPORT, **change))
    gate = ["check", new, "--baseline", report, "--max-drop", "recall@10=1%"]

    assert told in call(*gate, code=2)[1]
    assert f"note the reports differ in {told}" in call(*gate, "--force")[1]
    assert told in call("diff", report, new, code=2)[1]
    assert told in call("diff", report, new, "--force")[0]


def test_other_galleries_and_versions_are_noted(call, report):
    new = stored("new.json", replace(REPORT, join=REPORT.join | {"pairs": 9_000}, versions={"relcli": "9.9"}))
    _, err = call("check", new, "--baseline", report, "--max-drop", "recall@10=1%")

    assert "note pairs: 9,841 in the old report, 9,000 in the new one" in err
    assert "note versions of relcli: 0.1.0 in the old report, 9.9 in the new one" in err


def test_the_same_view_is_compared(call, report):
    only_absolute = tuple(score for score in REPORT.scores if score.view == "absolute")
    new = stored("new.json", replace(REPORT, scores=only_absolute))
    out, _ = call("check", new, "--baseline", report, "--max-drop", "jaccard@10=0")

    assert "value 0.2414 · bound 0.2414 · margin +0 (was 0.2414)" in out


def test_both_reports_cannot_be_stdin(call):
    assert "Both reports" in call("check", "-", "--baseline", "-", "--max-drop", "mrr=1", code=2)[1]


# --- an upgrade, from first to last ---


def test_an_upgrade_is_gated(call, tmp_path):
    """The same model passes, a near one passes its bound, and ids in a wrong order fail at chance."""
    space = open_space(SAMPLES / "digits_ae_s1.parquet")
    np.save("permuted.npy", space.read(slice(None)))
    Path("permuted.ids.txt").write_text("\n".join(np.random.default_rng(0).permutation(space.ids)) + "\n")
    old = str(SAMPLES / "digits_ae_s0.npy")
    flags = ["-a", str(SAMPLES / "anchors.txt"), "-m", "mrr,jaccard@10", "--sample", "200", "--format", "junit"]
    gate = ["--check", "mrr>=0.4", "--check", "jaccard@10>=0.35", "--check", "coverage==1"]

    def failures(out: str) -> list[str]:
        root = ElementTree.fromstring(out.encode())
        return [case.attrib["name"] for case in root.iter("testcase") if case.find("failure") is not None]

    same = call("compare", old, old, *flags, *gate, "-o", "same.json")[0]
    near = call("compare", old, str(SAMPLES / "digits_ae_s1.parquet"), *flags, *gate, "-o", "near.json")[0]
    wrong = call("compare", old, "permuted.npy", *flags, *gate, "-o", "wrong.json", code=1)[0]
    score = from_document(json.loads(Path("wrong.json").read_text())).score("mrr")

    assert failures(same) == failures(near) == []
    assert failures(wrong) == ["mrr>=0.4", "jaccard@10>=0.35"]
    assert isinstance(score.interval, Interval)
    assert score.value == pytest.approx(score.chance, abs=0.01)
    call("check", "near.json", "--baseline", "same.json", "--max-drop", "mrr=60%")
    call("check", "near.json", "--baseline", "same.json", "--max-drop", "mrr=1%", "--significant", code=1)


def test_a_check_is_refused_before_any_work(call):
    paths = ["none.npy", "none.npy", "-a", "none.txt"]

    assert "Did you mean 'mrr'?" in call("compare", *paths, "--check", "mmr>=1", code=2)[1]
    assert "Use --fail-over" in call("compare", *paths, "--fail-under", "procrustes-residual=1", code=2)[1]
    assert "JUnit XML holds checks" in call("compare", *paths, "--format", "junit", code=2)[1]
    assert "JUnit XML holds checks" in call("compare", *paths, "-o", "r.xml", code=2)[1]
