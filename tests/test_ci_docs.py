"""The page on pipelines: what its examples run is run by the docs test, and its jq lines find what they say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relcli.reports.report import to_json
from tests.reports_example import REPORT

PAGE = (Path(__file__).parent.parent / "docs" / "ci.md").read_text(encoding="utf-8")
RUN = set(re.findall(r"^\$ (relcli .*?)(?:  # exit 1)?$", PAGE, re.MULTILINE))
CONFIGURED = [line for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S) for line in block.splitlines()]

#: Each jq line of the page, and what it finds.
JQ: dict[str, Callable[[dict], Any]] = {
    '.scores[] | select(.measure == "recall@10" and .view == "relative") | .value': lambda r: next(
        s["value"] for s in r["scores"] if (s["measure"], s["view"]) == ("recall@10", "relative")
    ),
    r'.scores | map({key: "\(.view).\(.measure)", value: .value}) | from_entries': lambda r: {
        f"{s['view']}.{s['measure']}": s["value"] for s in r["scores"]
    },
    "[.checks[] | select(.passed | not) | .requirement]": lambda r: [
        c["requirement"] for c in r["checks"] if not c["passed"]
    ],
    "[.checks[] | select(.passed) | .margin] | min": lambda r: min(c["margin"] for c in r["checks"] if c["passed"]),
    "[.scores[] | select(.value == null) | .undefined_because] | unique": lambda r: sorted(
        {s["undefined_because"] for s in r["scores"] if s["value"] is None}
    ),
}


def test_what_the_pipelines_run_is_run_on_the_page():
    commands = [
        match[1].strip() for line in CONFIGURED if (match := re.search(r"(?:run: |- |entry: )(relcli .*)", line))
    ]

    assert len(commands) == 4
    assert set(commands) <= RUN


def test_every_jq_line_is_tested():
    shown = re.findall(r"^jq '(.*)' report.json$", PAGE, re.MULTILINE)

    assert [line.replace('"mrr"', '"recall@10"') for line in shown] == [*JQ]


@pytest.mark.parametrize("line", JQ)
def test_a_jq_line_finds_what_it_says(line, tmp_path):
    document = json.loads(to_json(REPORT))
    document["checks"][0]["margin"] = 0.1
    expected = JQ[line](document)

    assert expected is not None
    if shutil.which("jq"):
        done = subprocess.run(["jq", line], input=json.dumps(document), capture_output=True, text=True, check=True)

        assert json.loads(done.stdout) == expected
