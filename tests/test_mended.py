"""What once went wrong, each in its smallest form."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import relcli
from relcli.arrays import ExactSum
from relcli.cli.app import run
from relcli.errors import FormatError, IdError, UsageError
from relcli.evaluation.vias import parse_way
from relcli.measures.interval import median_interval, rate_interval

RNG = np.random.default_rng(7)


def rotated(rows: np.ndarray) -> np.ndarray:
    return rows @ np.linalg.qr(RNG.standard_normal((rows.shape[1],) * 2))[0]


@pytest.mark.parametrize("distance", [1e3, 1e5, 1e7])
def test_centring_holds_at_any_distance_from_the_origin(distance):
    rows = RNG.standard_normal((120, 8))
    x, y = rows + distance * RNG.standard_normal(8), rotated(rows) + distance * RNG.standard_normal(8)
    ids = [f"i{i:03}" for i in range(120)]
    report = relcli.compare(
        (ids, x), (ids, y), ids[:30], center=True, k=5, measures="cosine,jaccard@5,mrr", views="relative"
    )

    assert [score.value for score in report.scores] == pytest.approx([1.0, 1.0, 1.0], abs=1e-9)


def test_a_sum_has_the_same_bits_in_any_order():
    rows = RNG.standard_normal((501, 4)) * 10.0 ** RNG.integers(-8, 8, (501, 4))
    seen = set()
    for _ in range(10):
        whole = ExactSum(4)
        for part in np.array_split(RNG.permutation(501), RNG.integers(1, 40)):
            some = ExactSum(4)
            some.add(rows[part])
            whole.merge(some)
        seen.add(whole.value.tobytes())

    assert len(seen) == 1


def test_ids_in_a_byte_column_are_read_and_never_passed_over(tmp_path):
    ids = [f"doc{i:03}".encode() for i in range(60)]
    rows, order = RNG.standard_normal((60, 6)), RNG.permutation(60)
    pq.write_table(pa.table({"id": pa.array(ids, pa.binary()), "emb": list(rows)}), tmp_path / "a.parquet")
    shuffled = pa.array([ids[i] for i in order], pa.binary())
    pq.write_table(pa.table({"id": shuffled, "emb": list(rows[order])}), tmp_path / "b.parquet")
    report = relcli.compare(tmp_path / "a.parquet", tmp_path / "b.parquet", "uniform:20", measures="mrr")

    assert report.join["by"] == "id"
    assert report.score("mrr", "absolute").value == 1


def test_an_id_column_of_a_type_that_is_none_is_refused(tmp_path):
    rows = list(RNG.standard_normal((20, 4)))
    spans = pa.array(range(20), pa.duration("s"))
    pq.write_table(pa.table({"id": spans, "emb": rows}), tmp_path / "a.parquet")

    with pytest.raises(IdError, match="duration"):
        relcli.open_space(tmp_path / "a.parquet")


def shards(folder, count: int = 2):
    folder.mkdir()
    for number in range(count):
        np.save(folder / f"e_{number}.npy", RNG.standard_normal((20, 4)))
        names = "".join(f"r{number}-{i}\n" for i in range(20))
        (folder / f"e_{number}.ids.txt").write_text(names)
    return folder


@pytest.mark.parametrize("target", ["e_0.npy", "e_0.ids.txt"])
@pytest.mark.parametrize("glob", ["", "/*.npy"])
def test_a_shard_that_is_read_is_never_overwritten(tmp_path, capfd, target, glob):
    folder = shards(tmp_path / "x")
    before = (folder / target).read_bytes()
    (tmp_path / "a.txt").write_text("".join(f"r0-{i}\n" for i in range(6)))
    code = run(["project", f"{folder}{glob}", "-a", str(tmp_path / "a.txt"), "-o", str(folder / target), "-q"])

    assert code == 2
    assert (folder / target).read_bytes() == before


def test_two_documents_never_go_to_one_file(tmp_path, capfd):
    folder = shards(tmp_path / "x")
    out = str(tmp_path / "same.csv")
    code = run(["compare", str(folder), str(folder), "-a", "uniform:6", "-k", "3", "--items", out, "-o", out, "-q"])

    assert code == 2
    assert "twice" in capfd.readouterr().err


def test_an_id_reaches_no_terminal_as_a_command(tmp_path, capfd):
    ids = [f"\x1b]0;t\x07\x1b[31m{i}\u202e" for i in range(40)]
    pq.write_table(pa.table({"id": ids, "emb": list(RNG.standard_normal((40, 4)))}), tmp_path / "a.parquet")
    place = str(tmp_path / "a.parquet")
    for form in ("table", "markdown"):
        assert run(["compare", place, place, "-a", "uniform:6", "-k", "3", "-m", "mrr", "-f", form, "-q"]) == 0
        out = capfd.readouterr().out

        assert not set(out) & set("\x1b\x07\u202e")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize("form", ["json", "table", "markdown"])
def test_any_encoding_of_stdout_will_do(tmp_path, encoding, form):
    ids = [f"東京-é-{i}" for i in range(40)]
    pq.write_table(pa.table({"id": ids, "emb": list(RNG.standard_normal((40, 4)))}), tmp_path / "a.parquet")
    place = str(tmp_path / "a.parquet")
    words = ["compare", place, place, "-a", "uniform:6", "-k", "3", "-m", "mrr", "-f", form, "-q"]
    environment = {"PYTHONIOENCODING": encoding, "PATH": ""}
    done = subprocess.run([sys.executable, "-m", "relcli", *words], env=environment, capture_output=True)

    assert done.returncode == 0, done.stderr
    if form == "json":
        assert json.loads(done.stdout.decode(encoding))["moved"][0]["id"] in ids


def test_half_a_character_is_refused_when_it_is_read(tmp_path, capfd):
    np.save(tmp_path / "x.npy", RNG.standard_normal((3, 4)))
    (tmp_path / "ids.json").write_text('["\\ud800", "b", "c"]')
    code = run(["inspect", str(tmp_path / "x.npy"), "--ids", str(tmp_path / "ids.json")])

    assert code == 2
    assert "half a character" in capfd.readouterr().err


def test_a_median_of_few_has_no_interval():
    assert median_interval(np.arange(5.0)) is None
    assert median_interval(np.arange(6.0)) == (0.0, 5.0)


def test_a_rate_of_nothing_starts_at_nothing():
    assert rate_interval(0.0, 100)[0] == 0
    assert rate_interval(1.0, 100)[1] == 1


def test_a_measure_that_was_asked_for_is_told_of_where_it_has_no_value():
    x = RNG.standard_normal((60, 4))
    report = relcli.compare(x, x, "uniform:20", measures="heldout-procrustes-residual", views="relative")

    assert [score.undefined_because for score in report.scores] == ["it is defined on the absolute view only"]


def test_a_name_that_the_report_lacks_gets_the_nearest():
    x = RNG.standard_normal((60, 4))
    report = relcli.compare(x, x, "uniform:20", measures="mrr")

    with pytest.raises(UsageError, match=r"Did you mean 'relative\.mrr'"):
        report.score("mmr")


def baseline_of(tmp_path, name: str, ids, labels):
    rows = RNG.standard_normal((len(ids), 6))
    table = "id,lang\n" + "".join(f"{i},{label}\n" for i, label in zip(ids, labels, strict=True))
    (tmp_path / f"{name}.csv").write_text(table)
    options = {"group_by": "lang", "metadata": tmp_path / f"{name}.csv", "measures": "mrr", "k": 3}
    report = relcli.compare((ids, rows), (ids, rotated(rows)), ids[:20], **options)
    from relcli.reports.report import to_json

    (tmp_path / f"{name}.json").write_text(to_json(report))
    return str(tmp_path / f"{name}.json")


def test_a_group_that_is_gone_has_not_held(tmp_path, capfd):
    ids = [f"r{i}" for i in range(60)]
    old = baseline_of(tmp_path, "old", ids, ["de", "en"] * 30)
    new = baseline_of(tmp_path, "new", ids, ["de", ""] * 30)
    code = run(["check", new, "--baseline", old, "--max-drop", "min(mrr by lang)=1%"])
    captured = capfd.readouterr()

    assert code == 1
    assert "en" in captured.out + captured.err


def test_few_rows_left_beside_the_anchors_are_noted():
    x = RNG.standard_normal((60, 5))

    many, few = (relcli.compare(x, 2 * x, range(count), measures=["mrr"], k=2) for count in (50, 20))

    assert "50 of 60 shared rows are anchors and are not scored: 10 are left" in many.notes
    assert not any("are left" in note for note in few.notes)


def test_a_way_says_each_thing_once():
    with pytest.raises(UsageError, match=r"says 'quantize' twice"):
        parse_way("relative+quantize=0.1+quantize=0.5")


def test_a_table_without_rows_is_not_said_to_lack_its_columns(tmp_path):
    (tmp_path / "runs.csv").write_text("name,score\n")
    x = RNG.standard_normal((30, 4))

    with pytest.raises(UsageError, match="they are of no model at all"):
        relcli.matrix(x, 2 * x, anchors=range(8), measures="debiased-cka", scores=tmp_path / "runs.csv")


def test_words_on_lines_that_end_in_carriage_returns_alone_are_refused(tmp_path):
    (tmp_path / "cr.vec").write_bytes(b"2 2\ra 1.5 2\rb 3 4\r")

    with pytest.raises(FormatError, match="carriage returns alone"):
        relcli.open_space(tmp_path / "cr.vec")


def test_how_to_draw_is_refused_where_nothing_is_drawn():
    x = RNG.standard_normal((30, 4))

    with pytest.raises(UsageError, match="--plot-sample says how to draw, and nothing is drawn"):
        relcli.compare(x, 2 * x, range(8), plot_sample=10, k=2)


def test_a_check_names_what_the_command_reports(tmp_path, capsys):
    x = RNG.standard_normal((40, 4))
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "l.csv").write_text("id,label\n" + "".join(f"{row},{'ab'[row % 2]}\n" for row in range(40)))
    (tmp_path / "c.tsv").write_text("0\ta\n1\tb\n")
    (tmp_path / "a.txt").write_text("".join(f"{row}\n" for row in range(2, 20)))
    words = ["classify", str(tmp_path / "x.npy"), str(tmp_path / "x.npy"), "--classes", str(tmp_path / "c.tsv")]
    words += ["--labels", str(tmp_path / "l.csv"), "--anchors", str(tmp_path / "a.txt"), "-q"]

    assert run([*words, "--check", "asif.accuracy@5>=0.1"]) == 2
    told = capsys.readouterr().err
    assert "accuracy" in told
    assert "svcca" not in told
