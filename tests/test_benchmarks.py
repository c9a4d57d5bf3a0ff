"""The benchmarks: that they run, tell a missed bar from a kept one, and lose nothing. Never how fast anything is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import data, run
from benchmarks.contenders import truth
from benchmarks.contenders.contender import without_self
from benchmarks.measuring import ROOT, Contender, Failed, Run, interleave
from benchmarks.measuring import run as run_alone
from benchmarks.results import HERE, PAGE, entry, load, page
from benchmarks.rows import compare, duplicates, neighbors, project, ranks, recommend, retrieve, streaming
from benchmarks.rows.catalog import ROWS, find_rows
from benchmarks.rows.row import Bar, Contest, faster

GOOD = Contender("json.tool", ("--help",))
BROKEN = Contender("json.tool", ("no-such-file.json",))
MADE = {
    "machine": dict.fromkeys(("processor", "instructions", "system", "libraries", "words"), "some"),
    "commit": "abc",
    "quick": True,
    "day": "2026-01-02",
}


def runs_of(*walls: float, **others: float) -> list[Run]:
    """Return runs that took so many seconds, half of them of CPU."""
    given = {"peak": 100.0, "private": 50.0, "work": None, "work_cpu": None, **others}
    return [Run(wall=wall, cpu=wall / 2, noted={}, ran_on=(), out=Path("none"), **given) for wall in walls]


def test_rows_of_all_families_have_names_of_their_own():
    families = (neighbors, compare, retrieve, ranks, project, recommend, duplicates, streaming)

    assert len(ROWS) == sum(len(family.ROWS) for family in families)


def test_names_choose_rows_by_how_they_begin():
    assert {row.name for row in find_rows(["ranks"])} == {"ranks-words", "ranks-bulk"}
    assert find_rows([]) == list(ROWS.values())
    with pytest.raises(KeyError, match="nonsense"):
        find_rows(["ranks", "nonsense"])


@pytest.mark.parametrize(
    ("bar", "ours", "theirs", "verdict"),
    [
        (faster("", 2.0, than="peer"), [1, 1, 1], [2, 3, 1], "passed"),
        (faster("", 2.0, than="peer"), [2, 1, 4], [2, 1, 4], "under its bar by a factor of 2.00"),
        (faster("", 2.0, than="peer"), [1], [1.9999], "under its bar by a factor of 1.01"),
        (Bar("", 1.2, peer="peer"), [3, 3], [3, 3], "passed"),
        (Bar("", 1.5, peer="peer"), [3], [1], "over its bar by a factor of 2.00"),
        (Bar("", 12, unit="s"), [12, 11, 90], [1, 1, 1], "passed"),
        (Bar("", 12, unit="s"), [48], [1], "over its bar by a factor of 4.00"),
        (Bar("", 40, quantity="private", unit="MB"), [1], [1], "over its bar by a factor of 1.25"),
    ],
)
def test_a_bar_is_kept_or_missed_by_the_median_of_its_rounds(bar, ours, theirs, verdict):
    values = bar.values({"relcli": runs_of(*ours), "peer": runs_of(*theirs)})

    assert bar.verdict(values) == verdict


def test_ratios_are_those_of_one_round():
    bar = faster("", 2.0, than="peer")

    assert bar.values({"relcli": runs_of(1, 10), "peer": runs_of(3, 20)}) == [3, 2]


@pytest.mark.parametrize(
    "runs",
    [{"relcli": runs_of(1)}, {"peer": runs_of(1)}, {"relcli": [], "peer": runs_of(1)}],
    ids=["no peer", "not ours", "ours failed"],
)
def test_a_bar_without_its_contenders_has_no_value(runs):
    assert faster("", 2.0, than="peer").values(runs) is None


def test_a_bar_on_what_nobody_told_has_no_value():
    assert Bar("", 2.0, quantity="work").values({"relcli": runs_of(1)}) is None


def test_contenders_take_turns_and_one_that_fails_leaves_the_others(tmp_path):
    told = []

    runs, failures = interleave({"a": GOOD, "b": BROKEN, "c": GOOD}, tmp_path, rounds=2, told=told.append)

    assert {name: len(some) for name, some in runs.items()} == {"a": 2, "c": 2}
    assert list(failures) == ["b"]
    assert [line[0] for line in told] == ["a", "b", "c", "a", "c"]
    assert "usage: " in runs["c"][-1].out.read_text()


def test_a_run_tells_what_it_took_and_what_it_ran_on(tmp_path):
    np.save(tmp_path / "v.npy", np.eye(3))
    found = run_alone(Contender("benchmarks.contenders.truth", ("vectors", "v.npy", "v.npy")), tmp_path)

    assert json.loads(found.out.read_text()) == 0
    assert found.wall > 0
    assert found.cpu > 0
    assert found.peak > 5
    assert found.ran_on[0].startswith("numpy ")
    assert any(line.startswith("numpy: ") and line.endswith("threads") for line in found.ran_on[1:])


def test_a_contender_can_do_without_a_module_that_is_there(tmp_path):
    with pytest.raises(Failed, match="argparse"):
        run_alone(replace(GOOD, without=("argparse",)), tmp_path)


def test_who_is_left_out_is_named_with_the_reason():
    row = replace(ROWS["retrieve-words"], bars=(faster("it is fast", 2.0, than="faiss-cpu as shipped"),))
    left_out = {"faiss-cpu as shipped": "faiss-cpu is not installed"}

    found = entry(row, {"relcli": runs_of(1, 2)}, figures={}, left_out=left_out, made=MADE)

    assert found["bars"][0]["verdict"] == "not measured (faiss-cpu as shipped: faiss-cpu is not installed)"
    text = page({"retrieve-words": found})
    assert "- Left out: faiss-cpu as shipped (faiss-cpu is not installed)" in text
    assert "| relcli | 1.50 (1.00–2.00) | 0.75 (0.50–1.00) | – | 100 (100–100) |" in text


def test_a_verdict_says_where_cpu_seconds_tell_otherwise():
    row = replace(ROWS["project"], bars=(faster("it is fast", 2.0, than="peer", quantity="work"),))
    runs = {"relcli": runs_of(1, work=1, work_cpu=1), "peer": runs_of(1, work=1, work_cpu=3)}

    verdict = entry(row, runs, figures={}, left_out={}, made=MADE)["bars"][0]["verdict"]

    assert verdict == "under its bar by a factor of 2.00; by CPU seconds passed"


def test_a_row_that_fails_loses_no_other_and_resuming_measures_only_what_is_missing(tmp_path, monkeypatch, capsys):
    asked = []

    def prepared(shop):
        asked.append(shop)
        return Contest({"relcli": GOOD})

    def broken(shop):
        raise OSError("no room")

    rows = [
        replace(ROWS[name], prepare=prepare, bars=(), needs=lambda: None)
        for name, prepare in (("project", broken), ("recommend", prepared))
    ]
    monkeypatch.setattr(run, "find_rows", lambda names: list(rows))
    monkeypatch.setattr(run, "commit", lambda: "abc")
    monkeypatch.setattr(sys, "argv", ["run", "--quick", "--output", str(tmp_path)])

    with pytest.raises(SystemExit, match="failed: project"):
        run.main()
    assert "no room" in capsys.readouterr().err
    assert list(load(tmp_path)) == ["recommend"]

    monkeypatch.setattr(sys, "argv", [*sys.argv, "--resume"])
    with pytest.raises(SystemExit, match="failed: project"):
        run.main()
    assert len(asked) == 1


def test_a_row_that_cannot_be_measured_here_says_why(monkeypatch):
    monkeypatch.delenv("RELCLI_SHARED", raising=False)

    found = run.measure(ROWS["recommend"], None, rounds=1, made=MADE)  # type: ignore[arg-type]

    assert found["bars"][0]["verdict"] == "not measured (relcli: RELCLI_SHARED names no folder of real embeddings)"


def test_the_page_of_results_is_the_one_that_its_figures_make():
    written = (HERE / PAGE).read_text(encoding="utf-8")

    assert written == page(load(HERE)), "run python -m benchmarks.run --pages"


@pytest.mark.parametrize("kind", sorted(data.KINDS))
def test_the_same_arguments_make_the_same_vectors(kind, tmp_path, monkeypatch):
    monkeypatch.delenv("RELCLI_SHARED", raising=False)
    made = []
    for name in "ab":
        (tmp_path / name).mkdir()
        data.pair(kind, "400", str(tmp_path / name))
        made.append([np.load(tmp_path / name / f"{side}.npy") for side in "xy"])

    assert all(v.shape == (400, 300) and v.dtype == np.float32 for v in made[0])
    assert all(np.isfinite(v).all() for v in made[0])
    np.testing.assert_array_equal(made[0], made[1])


def test_copies_are_copies_on_both_sides(tmp_path):
    data.collapsed("500", "20", str(tmp_path))
    x, y = (np.load(tmp_path / f"{side}.npy") for side in "xy")

    assert len(np.unique(x, axis=0)) == 20
    assert len(np.unique(np.hstack([x, y]), axis=0)) == 20


def test_a_row_is_left_out_of_its_own_list():
    found = np.array([[0, 2, 1], [2, 0, 1], [0, 1, 3], [3, 3, 0]])

    assert without_self(found).tolist() == [[2, 1], [2, 0], [0, 1], [3, 0]]


def test_lists_are_right_where_brute_force_agrees(tmp_path, capsys):
    x = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
    unit = x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    scores = unit @ unit.T - 2 * np.eye(60)
    order = np.argsort(-scores, axis=1)
    wrong = order[:, :4].copy()
    wrong[:, -1] = order[:, 10]
    for name, rows in (("x", x), ("right", order[:, :4]), ("wrong", wrong)):
        np.save(tmp_path / f"{name}.npy", rows)

    truth.neighbors(*(str(tmp_path / f"{name}.npy") for name in ("x", "right", "wrong")))

    assert json.loads(capsys.readouterr().out) == [1.0, 0.75]


def quick(*names: str, output: Path) -> dict[str, dict]:
    """Return the entries of some rows, measured in small by the command that users run."""
    command = [sys.executable, "-m", "benchmarks.run", "--quick", "--output", str(output), "--only", *names]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=600)
    return load(output)


def check_measured(found: dict[str, dict]) -> None:
    """Check that all that is installed ran, and that every bar has a verdict."""
    for one in found.values():
        assert all("not installed" in why or "no tier" in why for why in one["left_out"].values())
        assert "not compared" not in one["figures"]
        for told in one["contenders"].values():
            assert all(measured[quantity] > 0 for measured in told["runs"] for quantity in ("wall", "cpu", "peak"))
            assert told["ran_on"]
        assert all(bar["verdict"].startswith(("passed", "under", "over", "not measured (")) for bar in one["bars"])
        assert not any("nothing was told" in bar["verdict"] for bar in one["bars"])


def test_a_quick_run_measures_and_writes(tmp_path):
    found = quick("neighbors-noise", output=tmp_path)

    check_measured(found)
    assert "relcli without numba" in found["neighbors-noise"]["contenders"]
    shares = "".join(found["neighbors-noise"]["figures"].values())
    assert "relcli without numba 1.00000" in shares
    assert (tmp_path / PAGE).read_text(encoding="utf-8") == page(found)


@pytest.mark.slow
def test_every_family_runs_in_small(tmp_path):
    names = (
        "neighbors-peers", "compare-noise", "retrieve", "ranks-bulk", "project", "recommend", "duplicates", "streaming",
    )  # fmt: skip
    found = quick(*names, output=tmp_path)

    assert len(found) == len(names) + 1
    if "RELCLI_SHARED" not in os.environ:
        del found["recommend"]
    check_measured(found)
