"""The page of the field's experiments shows what was measured, by commands that exist, beside plain twins."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

import relcli
from relcli.cli.app import app
from tests.scripts import script

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "sample_embeddings"
PAGE = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")


experiments = script("docs/experiments.py")
FOUND = experiments.figures()
KEYS = [experiment.key for experiment in experiments.EXPERIMENTS]
BY_KEY = dict(zip(KEYS, experiments.EXPERIMENTS, strict=True))
SECTIONS = dict(re.findall(r"^## (\d+) · (.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
SHOWN = [
    line.split("  #")[0]
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in re.sub(r" \\\n +", " ", block).splitlines()
    if line.startswith("relcli ")
]


def kept_commands() -> dict[str, str]:
    """Return each command of the JSON, once, with where it stands."""
    return {
        command: f"{key} {part}"
        for key, parts in FOUND.items()
        for part, kept in parts.items()
        for run in kept["runs"]
        for command in run["commands"]
    }


def parse(command: str) -> Any:
    """Return the context of a relcli command that was parsed and not run."""
    words = shlex.split(command)
    assert words.pop(0) == "relcli"
    found = typer.main.get_command(app)
    while hasattr(found, "commands"):
        found = found.commands[words.pop(0)]  # type: ignore[attr-defined]
    return found.make_context(found.name, words)


def test_the_page_shows_what_was_measured():
    assert experiments.page_with(PAGE, FOUND) == PAGE, "run python docs/experiments.py --tables"


def test_every_block_of_the_page_has_been_written():
    marks = re.findall(r"^<!-- ((?:commands|table) .*?) -->$", PAGE, re.MULTILINE)

    assert sorted(marks) == sorted(name for name, _ in experiments.blocks_of(FOUND))
    assert not re.search(r"-->\n+<!-- end", PAGE)


def test_the_table_at_the_top_links_to_each_row_and_shows_its_figures():
    headings = {  # as GitHub makes targets of headings: a "·" goes, and leaves two spaces
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    }
    lines = experiments.summary_of(FOUND).splitlines()[2:]

    assert [re.search(r"\[(\d+) ·", line)[1] for line in lines] == list(SECTIONS)
    assert {re.search(r"\(#([\w-]+)\)", line)[1] for line in lines} <= headings
    for line, one in zip(lines, experiments.LINES, strict=True):
        for figure in re.findall(r"−?\d?\.\d{3}", line.split(" | ")[2]):
            assert figure in SECTIONS[one.number], f"row {one.number} does not say {figure}"


def test_a_verdict_that_the_figures_no_longer_bear_out_is_told_as_such():
    verdicts = [line.split(" | ")[4].rstrip(" |") for line in experiments.summary_of(FOUND).splitlines()[2:]]
    other = json.loads(json.dumps(FOUND))
    for run in other["9-apart"]["real"]["runs"]:
        for row in run["rows"]:
            row["mean"] = 0.5
    ninth = experiments.summary_of(other).splitlines()[2 + 8]

    assert verdicts == [one.verdict for one in experiments.LINES]
    assert f"no longer so: {experiments.LINES[8].verdict}" in ninth


def test_the_contents_lead_to_every_heading_in_order():
    headings = re.findall(r"^###? (.*)$", PAGE, re.MULTILINE)
    contents = PAGE.partition("<!-- contents -->\n")[2].partition("<!-- end -->")[0]
    links = re.findall(r"^ *- \[(.*)\]\(#(.*)\)$", contents, re.MULTILINE)

    assert [told for told, _ in links] == headings
    assert ("1 · Word retrieval", "1--word-retrieval") in links
    assert len({where for _, where in links}) == len(links) > 12


def test_figures_have_one_style():
    prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", PAGE, flags=re.MULTILINE | re.DOTALL)

    assert re.findall(r"(?<![\w.])\.\d+", prose) == []


@pytest.mark.parametrize("number", [str(n) for n in range(1, 12)])
def test_a_row_of_the_field_has_commands_figures_sources_and_twins(number):
    section = SECTIONS[number]

    assert f"<!-- table {number}" in section
    assert {"samples", "real"} <= {part for key in KEYS if key.partition("-")[0] == number for part in FOUND[key]}
    assert "relcli " in section
    assert re.search(r"et al\. 20\d\d", section)
    assert "**Published**" in section or "they report" in section
    twins = re.findall(r"`(tests/test_\w+\.py)`", section.partition("Twin:")[2])
    assert twins
    assert all((ROOT / twin).exists() for twin in twins)
    for name in re.findall(r"`(test_\w+)`", section):
        assert any(f"def {name}(" in (ROOT / twin).read_text(encoding="utf-8") for twin in twins)


@pytest.mark.parametrize("command", [*SHOWN, *kept_commands()])
def test_a_command_has_only_options_that_exist(command):
    assert parse(command).params


def test_a_wrong_option_would_be_noticed():
    with pytest.raises(Exception, match="No such option"):
        parse("relcli match x.npy y.npy --anchors uniform:3 --querys 5")


@pytest.mark.parametrize("key", KEYS)
def test_what_was_measured_is_what_the_script_would_run(key):
    for part, kept in FOUND[key].items():
        asked = [
            [f"relcli {command.replace('{seeds}', str(kept['seeds']))}" for command in ask.commands]
            for ask in getattr(BY_KEY[key], part)
        ]
        assert [run["commands"] for run in kept["runs"]] == asked, f"run python docs/experiments.py --only {key}"


def test_no_path_of_a_machine_is_told():
    text = PAGE + (ROOT / "docs" / "experiments.json").read_text(encoding="utf-8")

    assert not re.search(r"(?<![\w.])/(work|home|tmp|root|Users)/", text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> Path:
    made = tmp_path_factory.mktemp("experiments")
    experiments.prepare_samples(made)
    return Path(made)


def test_the_files_that_the_shown_commands_read_are_written(folder):

    named = {
        w.split("#")[0] for c in SHOWN for w in shlex.split(c) if re.search(r"\.(npy|parquet|safe\w+|csv|tsv|txt)", w)
    }
    made = {"like_y.parquet", "map.safetensors"}
    assert {name for name in named if not (folder / name).exists()} <= made
    fives = (folder / "five.tsv").read_text().split("\n")
    labels = dict(line.split(",")[:2] for line in (SAMPLES / "labels.csv").read_text().split())
    pairs = [line.split("\t") for line in fives if line]
    assert {x for x, _ in pairs} == set(labels) - {"id"}
    assert all(labels[x] == labels[y] for x, y in pairs)
    assert max(Counter(x for x, _ in pairs).values()) == 5


@pytest.mark.parametrize(("key", "place"), [("6", 0), ("10", 0), ("10", 9), ("7", 0)])
@pytest.mark.slow
def test_a_figure_of_the_samples_comes_again(key, place, folder):
    experiment, kept = BY_KEY[key], FOUND[key]["samples"]
    ask = experiment.samples[place]
    documents = [
        experiments.json_of(command.replace("{seeds}", str(kept["seeds"])), folder) for command in ask.commands
    ]

    assert numbers(experiment.read(documents, ask)) == pytest.approx(
        numbers(kept["runs"][place]["rows"]), rel=2e-3, abs=2e-3
    )


def numbers(part: Any) -> list[float]:
    """Return the numbers of a document but those that rounding decides: condition numbers."""
    if isinstance(part, dict):
        return [n for key, value in part.items() if not key.startswith("condition") for n in numbers(value)]
    if isinstance(part, list):
        return [n for value in part for n in numbers(value)]
    return [float(part)] if isinstance(part, int | float) else []


def test_cells_are_short():
    cells = [None, {"mean": 0.1234, "sd": 0.05}, {"mean": 0.5, "sd": 1e-16}, -0.25, 1.0, 12.34, 267_790.0, "ridge"]

    assert [experiments.cell(value) for value in cells] == [
        "–", "0.123 ± 0.050", "0.500", "−0.250", "1.000", "12.3", "267,790", "ridge",
    ]  # fmt: skip


def test_a_column_becomes_columns():
    rows = [{"way": way, "anchors": str(n), "mrr": n / 100} for way in ("a", "b") for n in (10, 25)]

    assert experiments.pivoted(rows, "anchors", "mrr") == [
        {"way": "a", "10": 0.1, "25": 0.25}, {"way": "b", "10": 0.1, "25": 0.25},
    ]  # fmt: skip


def test_repeats_are_averaged_and_ratios_taken_seed_by_seed():
    assert experiments.averaged([{"way": "a", "mrr": 0.2}, {"way": "a", "mrr": 0.4}]) == {
        "way": "a", "mrr": {"mean": pytest.approx(0.3), "sd": pytest.approx(0.02**0.5)},
    }  # fmt: skip
    assert experiments.over([0.4, 0.9], [0.8, 0.9]) == {"mean": 0.75, "sd": pytest.approx(0.125**0.5)}


def test_one_part_of_one_row_is_replaced_and_the_rest_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "FIGURES", tmp_path / "kept.json")
    for part, value in (("real", 1), ("samples", 2), ("real", 3)):
        experiments.keep("5", part, {"runs": [{"rows": [{"data": "d", "mrr": value}]}]})
    experiments.keep("1", "samples", {"runs": []})
    kept = json.loads((tmp_path / "kept.json").read_text())

    assert list(kept) == ["1", "5"]
    assert {part: told["runs"][0]["rows"][0]["mrr"] for part, told in kept["5"].items()} == {"real": 3, "samples": 2}


def test_runs_that_write_at_once_keep_what_the_others_wrote(tmp_path):
    write = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import experiments\n"
        "experiments.FIGURES = Path(sys.argv[2])\n"
        "for _ in range(20): experiments.keep(sys.argv[3], 'real', {'runs': []})\n"
        "experiments.keep(sys.argv[3], 'samples', {'runs': []})"
    )
    keys = ["1", "2-svm", "5", "11"]
    asked = [sys.executable, "-c", write, str(ROOT / "docs"), str(tmp_path / "kept.json")]
    runs = [subprocess.Popen([*asked, key]) for key in keys]

    assert [run.wait() for run in runs] == [0, 0, 0, 0]
    kept = json.loads((tmp_path / "kept.json").read_text())
    assert {key: list(parts) for key, parts in kept.items()} == {key: ["real", "samples"] for key in keys}
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]


def unit(v: Any) -> Any:
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def test_the_words_procedure_is_the_plain_one_from_files_to_figures():
    report = relcli.compare(
        SAMPLES / "digits_ae_s0.npy", SAMPLES / "digits_ae_s1.parquet", SAMPLES / "anchors.txt", preset="relreps"
    )
    spaces = [relcli.open_space(SAMPLES / name) for name in ("digits_ae_s0.npy", "digits_ae_s1.parquet")]
    ids = sorted(spaces[0].ids.tolist())
    anchors = [ids.index(name) for name in (SAMPLES / "anchors.txt").read_text().split()]
    rows = [s.read(np.array([s.ids.tolist().index(name) for name in ids])).astype(np.float64) for s in spaces]
    x, y = (unit(unit(v) @ unit(v[anchors]).T) for v in rows)
    across, within = x @ y.T, y @ y.T
    near = [np.argsort(-table, axis=1, kind="stable")[:, :10] for table in (across, within)]
    shared = [len(set(a) & set(b)) for a, b in zip(*near, strict=True)]
    ranks = 1 + (across > np.diag(across)[:, None]).sum(axis=1)

    scores = {name: report.score(name) for name in ("cross-jaccard@10", "mrr@10", "cosine")}
    assert scores["cross-jaccard@10"].forward == pytest.approx(np.mean([s / (20 - s) for s in shared]), abs=1e-4)
    assert scores["mrr@10"].forward == pytest.approx(np.mean(np.where(ranks <= 10, 1 / ranks, 0)), abs=1e-6)
    assert scores["cosine"].value == pytest.approx(np.diag(across).mean(), abs=1e-6)
