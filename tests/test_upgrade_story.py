"""A model is upgraded: what the gate says of the same one, another one, a damaged dump and shuffled ids."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relcli.cli.app import run

SAMPLES = Path(__file__).parent.parent / "sample_embeddings"
OLD, OTHER = str(SAMPLES / "digits_ae_s0.npy"), str(SAMPLES / "digits_ae_s1.parquet")
ANCHORS = str(SAMPLES / "anchors.txt")
ROWS = np.load(OLD)
IDS = (SAMPLES / "digits_ae_s0.ids.txt").read_text().split()


@pytest.fixture
def gate(tmp_path, monkeypatch, capfd):
    """Return a function that compares the old dump with a candidate and gives exit code, report and testcases."""
    monkeypatch.chdir(tmp_path)

    def judged(candidate: str, *options: str) -> tuple[int, dict[str, Any], dict[str, bool]]:
        code = run(
            ["compare", OLD, candidate, "--anchors", ANCHORS, *options, "-o", "report.json", "-o", "report.xml", "-q"]
        )
        capfd.readouterr()
        suite = ElementTree.parse("report.xml").getroot()
        passed = {str(case.get("name")): case.find("failure") is None for case in suite.iter("testcase")}
        return code, json.loads(Path("report.json").read_text(encoding="utf-8")), passed

    return judged


def dump(rows: np.ndarray, ids: list[str]) -> str:
    np.save("candidate.npy", rows)
    Path("candidate.ids.txt").write_text("".join(f"{name}\n" for name in ids))
    return "candidate.npy"


def test_the_same_model_passes(gate):
    code, _, passed = gate(dump(ROWS, IDS), "--check", "mrr>=0.999", "--check", "coverage==1")

    assert code == 0
    assert passed == {"mrr>=0.999": True, "coverage==1": True}


def test_another_encoder_above_the_bound_passes(gate):
    code, _, passed = gate(OTHER, "--check", "mrr.low>=0.4", "--fail-over", "heldout-procrustes-residual=0.2")

    assert code == 0
    assert all(passed.values())


@pytest.mark.parametrize("damage", ["noise", "rows of other items"])
def test_a_damaged_dump_fails_and_names_the_items(gate, damage):
    rng = np.random.default_rng(5)
    scored = sorted(set(IDS) - set(Path(ANCHORS).read_text().split()))
    hit = sorted(rng.choice(scored, len(scored) // 20, replace=False).tolist())
    at = [IDS.index(name) for name in hit]
    rows = ROWS.copy()
    rows[at] = rng.standard_normal((len(at), ROWS.shape[1])) if damage == "noise" else ROWS[np.roll(at, 1)]
    code, report, passed = gate(dump(rows, IDS), "--check", "recall@1>=0.99", "--moved", str(len(hit)))
    named = [item["id"] for item in report["moved"]]

    assert code == 1
    assert passed == {"recall@1>=0.99": False}
    assert len(set(named) & set(hit)) / len(named) >= 0.9


def test_shuffled_ids_fail_at_chance(gate):
    order = np.random.default_rng(6).permutation(len(IDS))
    code, report, passed = gate(
        dump(ROWS, [IDS[i] for i in order]), "--null", "19", "--measures", "mrr", "--view", "relative",
        "--check", "mrr>=0.5", "--check", "mrr.p<=0.05",
    )  # fmt: skip
    score = report["scores"][0]

    assert code == 1
    assert passed == {"mrr>=0.5": False, "mrr.p<=0.05": False}
    assert score["null"]["p"] > 0.05
    assert score["value"] == pytest.approx(score["chance"], abs=4 * score["null"]["sd"])
