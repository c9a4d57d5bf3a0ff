"""relcli anchors: what it chooses and writes, what it says of a list, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import relcli
from relcli.cli.app import run
from relcli.reports.anchors import anchor_check_schema
from relcli.spaces.anchors import STRATEGIES, anchor_quality

N = 90
RNG = np.random.default_rng(4)
IDS = [f"doc-{i:02d}" for i in range(N)]
X, Y = RNG.standard_normal((N, 8)), RNG.standard_normal((N, 6))
LABELS = ["a"] * 60 + ["b"] * 20 + ["c"] * 10


def dump(name: str, vectors: np.ndarray, ids=IDS) -> None:
    np.save(name, vectors)
    Path(name).with_suffix(".ids.txt").write_text("".join(f"{i}\n" for i in ids), encoding="utf-8")


def lines(name: str, rows) -> None:
    Path(name).write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Have x.npy, y.npy without its first ten ids, and labels.csv in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    dump("x.npy", X)
    dump("y.npy", Y[10:], IDS[10:])
    lines("labels.csv", ["id,label,split", *(f"{i},{label},s" for i, label in zip(IDS, LABELS, strict=True))])
    return tmp_path


@pytest.fixture
def call(capfd):
    """Return a function that runs relcli anchors and gives stdout and stderr."""

    def called(*arguments: str, code: int = 0) -> tuple[str, str]:
        found = run(["anchors", *arguments])
        out, err = capfd.readouterr()

        assert found == code, err
        return out, err

    return called


# --- choose ---


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_is_chosen_is_written_and_what_compare_would_choose(strategy, call):
    labels = ["--labels", "labels.csv"] if strategy == "stratified" else []
    out, err = call("choose", "x.npy", "y.npy", "-n", "12", "--strategy", strategy, *labels, "-o", "anchors.txt")
    written = Path("anchors.txt").read_text().split()

    assert out == ""
    assert err == f"anchors.txt: 12 anchors ({strategy}, seed 0) of 80 rows\n"
    assert len(set(written)) == 12
    assert set(written) <= set(IDS[10:])
    if strategy != "stratified":
        options = {"measures": "cosine", "views": "relative"}
        one = relcli.compare("x.npy", "y.npy", f"{strategy}:12", **options)
        assert one.anchors["sha256"] == relcli.compare("x.npy", "y.npy", "anchors.txt", **options).anchors["sha256"]


def test_without_a_file_the_ids_go_to_stdout(call):
    out, err = call("choose", "x.npy", "-n", "5", "--seed", "2")
    again, silent = call("choose", "x.npy", "-n", "5", "--seed", "2", "--quiet")

    assert (out, silent) == (again, "")
    assert len(out.split()) == 5
    assert err == "5 anchors (uniform, seed 2) of 90 rows\n"


def test_a_json_holds_ids_that_a_line_cannot(call):
    dump("odd.npy", X)
    Path("odd.ids.txt").unlink()
    Path("odd.ids.json").write_text(json.dumps([f"tab\t{i}" for i in range(N)]))
    told = call("choose", "odd.npy", "-n", "5", "-o", "anchors.txt", code=2)[1]
    call("choose", "odd.npy", "-n", "5", "-o", "anchors.json")

    assert "cannot stand on a line" in told
    assert not Path("anchors.txt").exists()
    assert len(json.loads(Path("anchors.json").read_text())) == 5


def test_rows_without_a_direction_are_no_candidates(call):
    bad = X.copy()
    bad[:30], bad[30:60, 2], bad[60, 1] = 0, np.nan, np.inf
    dump("bad.npy", bad)
    out, err = call("choose", "bad.npy", "-n", "20", "--strategy", "first")

    assert out.split() == IDS[61:81]
    assert "of 29 rows, 61 rows left out (NaN, Inf or zero)" in err


def test_strata_follow_the_labels(call):
    out, _ = call("choose", "x.npy", "-n", "9", "--strategy", "stratified", "--labels", "labels.csv")
    label = dict(zip(IDS, LABELS, strict=True))

    assert sorted(label[name] for name in out.split()) == ["a"] * 6 + ["b"] * 2 + ["c"]


def test_pairs_are_written_as_pairs(call):
    dump("z.npy", Y, [f"z{i}" for i in range(N)])
    lines("pairs.tsv", [f"{IDS[i]}\tz{i}" for i in range(N)])
    call("choose", "x.npy", "z.npy", "--pairs", "pairs.tsv", "-n", "7", "-o", "anchors.tsv")
    written = [line.split("\t") for line in Path("anchors.tsv").read_text().splitlines()]

    assert all(int(one[4:]) == int(other[1:]) for one, other in written)
    assert relcli.anchors_check("anchors.tsv", "x.npy", "z.npy").anchors["used"] == 7


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--strategy", "farthst"], "Did you mean 'farthest'"),
        (["--strategy", "stratified"], "needs --labels FILE"),
        (["--label-column", "label"], "give --labels FILE"),
        (["--labels", "labels.csv", "--label-column", "lable", "--strategy", "stratified"], "'label'"),
        (["-n", "90"], "ask for 2 to 89"),
        (["-n", "1"], "ask for 2 to 89"),
        (["--seed", "-2"], "negative"),
        (["-o", "anchors.npy"], ".txt, .tsv or .json"),
        (["-o", "nowhere/anchors.txt"], "cannot be written"),
        (["-o", "x.ids.txt"], "is to be read"),
        (["--on-duplicate", "last"], "none of error, first, drop"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(arguments, told, call):
    before = sorted(path.name for path in Path().iterdir())
    out, err = call("choose", "x.npy", *([] if "-n" in arguments else ["-n", "5"]), *arguments, code=2)

    assert out == ""
    assert told in err
    assert sorted(path.name for path in Path().iterdir()) == before


# --- check ---


def checked(call, *arguments: str) -> dict:
    return json.loads(call("check", *arguments, "--json")[0])


def test_a_check_counts_what_each_space_holds(call):
    lines("anchors.txt", [*IDS[5:25], "lost", IDS[20], IDS[20]])
    document = checked(call, "anchors.txt", "x.npy", "y.npy")
    x, y = document["spaces"]

    assert document["anchors"] | {"sha256": ""} == {
        "source": "anchors.txt",
        "count": 23,
        "duplicates": 2,
        "first_duplicates": [IDS[20]],
        "in_all": 17,
        "used": 15,
        "sha256": "",
    }
    assert [x["found"], x["missing"], x["first_missing"]] == [22, 1, ["lost"]]
    assert [y["found"], y["missing"]] == [17, 6]
    assert y["first_missing"] == [*IDS[5:10]]


def test_a_check_measures_the_anchors_that_can_be_used(call):
    lines("anchors.txt", IDS[10:30])
    document = checked(call, "anchors.txt", "x.npy", "y.npy")

    for space, vectors in zip(document["spaces"], (X[10:30], Y[10:30]), strict=True):
        quality = anchor_quality(vectors)
        assert [space["rank"], space["condition"], space["mean_cosine"]] == pytest.approx(
            [quality.rank, quality.condition, quality.mean_cosine], rel=1e-12
        )
    assert document["notes"] == []


def test_a_check_names_near_duplicates(call):
    x = X.copy()
    x[1], x[2], x[7] = 3 * x[0], x[0] + 1e-4, -x[0]
    dump("near.npy", x)
    lines("anchors.txt", IDS[:12])
    document = checked(call, "anchors.txt", "near.npy")
    space = document["spaces"][0]

    assert space["near_duplicates"] == 3
    assert [pair["ids"] for pair in space["first_near_duplicates"]] == [
        [IDS[0], IDS[1]],
        [IDS[0], IDS[2]],
        [IDS[1], IDS[2]],
    ]
    assert space["first_near_duplicates"][0]["cosine"] == pytest.approx(1)


def test_a_check_counts_anchors_by_label(call):
    lines("anchors.txt", [*IDS[:10], *IDS[55:65]])
    lines("some.csv", ["id,label", *(f"{i},{label}" for i, label in zip(IDS[5:], LABELS[5:], strict=True))])
    document = checked(call, "anchors.txt", "x.npy", "--labels", "some.csv")

    assert document["labels"] == {
        "a": {"rows": 55, "anchors": 10},
        "b": {"rows": 20, "anchors": 5},
        "c": {"rows": 10, "anchors": 0},
        "": {"rows": 0, "anchors": 5},
    }


def test_a_check_answers_whatever_it_finds(call):
    bad = X.copy()
    bad[2], bad[3, 1] = 0, np.nan
    dump("bad.npy", bad)
    lines("anchors.txt", ["lost", "gone", IDS[2], IDS[3], IDS[4]])
    document = checked(call, "anchors.txt", "bad.npy")
    space = document["spaces"][0]

    assert document["anchors"]["used"] == 1
    assert [space["without_direction"], space["first_without_direction"]] == [2, [IDS[2], IDS[3]]]
    assert [space["rank"], space["condition"], space["mean_cosine"]] == [None, None, None]
    assert any("at least 2" in note for note in document["notes"])
    lines("anchors.txt", ["lost"])
    assert checked(call, "anchors.txt", "x.npy", "y.npy")["anchors"]["used"] == 0


def test_a_check_is_a_table(call):
    lines("anchors.txt", [*IDS[8:30], "lost"])
    table, err = call("check", "anchors.txt", "x.npy", "y.npy", "--labels", "labels.csv")

    assert err == ""
    assert max(map(len, table.splitlines())) <= 100
    for told in ("23 anchors from anchors.txt · 20 can be used", "rank", "condition number", "y: missing: 'doc-08'"):
        assert told in table


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["anchors.txt", "nowhere.npy"], "nowhere.npy does not exist"),
        (["nowhere.txt", "x.npy"], "nowhere.txt does not exist"),
        (["uniform:20", "x.npy"], "is a choice, not a list"),
        (["anchors.txt", "x.npy", "--labels", "x.npy"], "no table"),
    ],
)
def test_a_check_that_cannot_answer_says_why(arguments, told, call):
    lines("anchors.txt", IDS[:5])
    out, err = call("check", *arguments, code=2)

    assert out == ""
    assert told in err


def test_python_gives_the_same_as_the_command(call):
    lines("anchors.txt", IDS[12:40])
    found = relcli.anchors_check("anchors.txt", "x.npy", "y.npy", labels=(IDS, LABELS))

    assert found.spaces[0] == checked(call, "anchors.txt", "x.npy", "y.npy")["spaces"][0]
    assert found.labels["b"] == {"rows": 20, "anchors": 0}
    chosen = relcli.anchors_choose((IDS, X), count=9, strategy="farthest")
    assert chosen.anchors.x_ids.tolist() == call("choose", "x.npy", "-n", "9", "--strategy", "farthest")[0].split()


def test_the_document_of_a_check_validates(monkeypatch, capfd):
    monkeypatch.chdir(Path(__file__).parent.parent / "sample_embeddings")
    code = run(["anchors", "check", "anchors.txt", "digits_ae_s0.npy", "digits_ae_s1.parquet", "--json"])
    document = json.loads(capfd.readouterr().out)

    assert code == 0
    jsonschema.validate(document, anchor_check_schema())
