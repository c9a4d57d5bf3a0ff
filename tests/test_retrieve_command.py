"""`relcli retrieve` on the sample embeddings: what it prints, writes and refuses."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest

import relcli
from relcli.cli.app import run
from relcli.formats.hits import SUFFIXES
from relcli.reports.hits import retrieval_schema, to_text
from relcli.reports.report import Interval, Score
from relcli.reports.retrieval import Hit, QueryHits, Retrieval

SAMPLES = Path(__file__).parent.parent / "sample_embeddings"
X, Y, CONV = "digits_ae_s0.npy", "digits_ae_s1.parquet", "digits_conv.safetensors"
ASK = ("retrieve", X, Y, "--anchors", "anchors.txt")
IDS = ("--query", "0007", "--query", "0011")

Call = Callable[..., tuple[str, str]]


@pytest.fixture(scope="module")
def ids() -> list[str]:
    """Return ids of x, two of which are no anchors."""
    anchors = set((SAMPLES / "anchors.txt").read_text().split())
    return [id for id in (SAMPLES / "digits_ae_s0.ids.txt").read_text().split() if id not in anchors]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Return a function that runs relcli among the samples and gives stdout and stderr."""
    monkeypatch.chdir(SAMPLES)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "80")

    def called(*arguments: str, code: int = 0) -> tuple[str, str]:
        found = run(arguments)
        out, err = capfd.readouterr()

        assert found == code, err
        assert code == 0 or err.startswith("relcli: ")
        return out, err

    return called


def test_the_table_shows_each_query_with_its_items_and_the_figures(call, ids):
    out, _ = call(
        *ASK, "--query", ids[0], "--query", ids[1], "-k", "3", "--via", "relative", "--via", "translate:ortho"
    )

    assert all(len(line) <= 80 for line in out.splitlines())
    for word in (ids[0], ids[1], "relative", "translate:ortho", "recall", "chance", "2 queries"):
        assert word in out


def test_json_is_one_document_of_the_schema(call, ids):
    out, _ = call(
        *ASK, "--query", ids[0], "--query", ids[1], "-k", "4", "--via", "relative", "--via", "absolute", "--json"
    )
    document = json.loads(out)
    printed, _ = call("schema", "retrieve")

    assert json.loads(printed) == retrieval_schema()
    jsonschema.validate(document, retrieval_schema())
    assert [(one["query"], one["via"]) for one in document["hits"]] == [
        (id, via) for id in ids[:2] for via in ("relative", "absolute")
    ]
    assert [hit["rank"] for hit in document["hits"][0]["hits"]] == [1, 2, 3, 4]
    assert {score["measure"] for score in document["scores"]} >= {"recall@1", "recall@5", "recall@10", "mrr"}


def test_every_file_holds_the_same_hits(call, tmp_path):
    names = [tmp_path / f"hits{suffix}" for suffix in SUFFIXES]
    out, _ = call(*ASK, "--all", "-k", "2", *(part for name in names for part in ("-o", str(name))))
    found = relcli.retrieve(SAMPLES / X, SAMPLES / Y, SAMPLES / "anchors.txt", k=2).hits
    expected = [
        (str(query), str(id), score)
        for query, row, its in zip(found.queries, found.ids, found.scores, strict=True)
        for id, score in zip(row, its, strict=True)
    ]
    table = pq.read_table(tmp_path / "hits.parquet")
    columns = (table[name].to_pylist() for name in ("query", "id", "score"))
    lines = [json.loads(line) for line in (tmp_path / "hits.jsonl").read_text().splitlines()]
    document = json.loads((tmp_path / "hits.json").read_text())
    rows = list(csv.DictReader(io.StringIO((tmp_path / "hits.csv").read_text())))

    assert list(zip(*columns, strict=True)) == expected
    assert [(one["query"], hit["id"], hit["score"]) for one in lines for hit in one["hits"]] == expected
    assert document["hits"] == lines
    assert [(row["query"], row["id"], float(row["score"])) for row in rows] == expected
    assert json.loads(pq.read_metadata(tmp_path / "hits.parquet").metadata[b"relcli"])["anchors"] == document["anchors"]
    assert "… 10 of" in out


def test_lines_on_stdout_leave_the_figures_to_stderr(call, ids):
    out, err = call(*ASK, "--query", ids[0], "-k", "2", "--jsonl")

    assert [json.loads(line)["query"] for line in out.splitlines()] == [ids[0]]
    assert "recall@1" in err

    assert call(*ASK, "--query", ids[0], "-k", "2", "--jsonl", "--quiet")[1] == ""


def test_queries_come_from_a_file_of_ids_or_of_vectors(call, ids, tmp_path):
    (tmp_path / "some.txt").write_text("\n".join(ids[:3]) + "\n")
    space = relcli.open_space(SAMPLES / X)
    rows = [int(np.flatnonzero(space.ids == id)[0]) for id in ids[:3]]
    np.save(tmp_path / "new.npy", space.read(np.array(rows)).astype(np.float32))
    (tmp_path / "new.ids.txt").write_text("\n".join(ids[:3]) + "\n")
    by_id, _ = call(*ASK, "--queries", str(tmp_path / "some.txt"), "--jsonl", "-q")
    by_vector, _ = call(*ASK, "--queries", str(tmp_path / "new.npy"), "--jsonl", "-q")

    def hits(out: str) -> list:
        return [(one["query"], [hit["id"] for hit in one["hits"]]) for one in map(json.loads, out.splitlines())]

    assert hits(by_id) == hits(by_vector)
    assert len(hits(by_id)) == 3


def test_truth_may_name_several_items_a_query(call, ids, tmp_path):
    (tmp_path / "truth.tsv").write_text(f"{ids[0]}\t{ids[1]}\n{ids[0]}\t{ids[0]}\n{ids[1]}\t{ids[0]}\n")
    out, _ = call(*ASK, "--query", ids[0], "--query", ids[1], "--truth", str(tmp_path / "truth.tsv"), "--json")
    document = json.loads(out)

    assert document["settings"]["truth"] == "truth.tsv"
    assert document["queries"]["counted"] == 2
    assert {hit["id"] for hit in document["hits"][0]["hits"] if hit["match"]} <= set(ids[:2])


def test_a_named_column_is_shown(call, ids):
    labels = {row["id"]: row["label"] for row in csv.DictReader((SAMPLES / "labels.csv").read_text().splitlines())}
    out, _ = call(*ASK, "--query", ids[0], "-k", "3", "--show", "label", "--show-from", "labels.csv", "--jsonl", "-q")
    hits = json.loads(out)["hits"]

    assert [hit["shown"]["label"] for hit in hits] == [labels[hit["id"]] for hit in hits]


def test_an_index_is_saved_told_of_and_refused_for_other_anchors(call, ids, tmp_path):
    pytest.importorskip("faiss")
    folder = str(tmp_path / "index")
    out, _ = call(*ASK, "--query", ids[0], "--index", "faiss:hnsw", "--save-index", folder)
    again, _ = call(*ASK, "--query", ids[0], "--index", "faiss:hnsw", "--load-index", folder)
    _, err = call(
        *("retrieve", X, Y, "--anchors", "uniform:100", "--query", ids[0]),
        *("--index", "faiss:hnsw", "--load-index", folder),
        code=2,
    )

    assert "of the exact 10 best" in " ".join(out.split())
    assert "stored index" in again
    assert "anchors" in err


REFUSED = [
    ((), "Nothing is asked"),
    (("--query", "nobody"), "no ids of digits_ae_s0"),
    (("--all", "--query", "a"), "leave out --query"),
    (("--all", "-k", "5000"), "are more than"),
    (("--all", "--via", "relative:cosin"), "Did you mean 'cosine'"),
    (("--all", "-o", "hits.xlsx"), "use one of .parquet"),
    (("--all", "-o", "nowhere/hits.csv"), "no folder nowhere"),
    (("--all", "-o", "digits_ae_s1.parquet"), "is to be read"),
    (("--all", "--json", "--jsonl"), "two documents"),
    (("--all", "--show", "text"), "has nothing named 'text'"),
    (("--all", "--show", "label", "--show-from", "labels.npy"), "needs a table"),
    (("--queries", CONV), "dimensions"),
    (("--queries", "missing.txt"), "does not exist"),
    (("--all", "--truth", "missing.tsv"), "does not exist"),
    (("--all", "--index", "faiss:flat", "--load-index", "nowhere"), "no index of relcli"),
]


@pytest.mark.parametrize(("flags", "words"), REFUSED, ids=[" ".join(flags) or "nothing" for flags, _ in REFUSED])
def test_what_cannot_be_answered_ends_with_2_and_prints_nothing(call, flags, words):
    if "--index" in flags:
        pytest.importorskip("faiss")
    out, err = call(*ASK, *flags, code=2)

    assert out == ""
    assert words in err


def test_an_error_leaves_no_file(call, tmp_path):
    target = tmp_path / "hits.parquet"
    target.write_bytes(b"old")
    call(*ASK, "--query", "nobody", "-o", str(target), "-o", str(tmp_path / "hits.json"), code=2)

    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["hits.parquet"]


def test_without_truth_there_are_hits_and_a_note(call, ids, tmp_path):
    shutil.copy(SAMPLES / X, tmp_path / "x.npy")
    (tmp_path / "x.ids.txt").write_text("".join(f"x{i}\n" for i in range(len(relcli.open_space(SAMPLES / X)))))
    names = relcli.open_space(SAMPLES / X).ids.tolist()
    anchors = [f"x{names.index(id)}\t{id}" for id in (SAMPLES / "anchors.txt").read_text().split()]
    (tmp_path / "anchors.tsv").write_text("\n".join(anchors) + "\n")
    out, _ = call(
        "retrieve", str(tmp_path / "x.npy"), Y, "-a", str(tmp_path / "anchors.tsv"), "--query", "x5", "-k", "2"
    )

    assert "no truth" in out
    assert "recall" not in out.split("note")[0]


def example() -> tuple[Retrieval, list[QueryHits]]:
    """Return a retrieval of two queries by three methods."""
    vias = ("relative", "relative:euclidean", "translate:inverse-relative")
    found = [
        QueryHits(
            query, via, tuple(Hit(i, f"item-{i}", 1 / i, i == 2, (("text", "long words " * 20),)) for i in (1, 2))
        )
        for query in ("first", "second")
        for via in vias
    ]
    scores = tuple(Score("mrr", via, 0.5, section="Retrieval", pairs=2, gallery=9, chance=0.1) for via in vias)
    settings = {"k": 2, "scores": "cosine", "center": False, "index": "exact"}
    space = {"name": "x", "rows": 2, "dim": 3}
    return Retrieval(space, space, {"count": 30, "source": "all rows of x"}, {}, scores, settings, {}), found


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_table_fits_and_cuts_no_name(width):
    text = to_text(*example(), width=width)

    assert max(map(len, text.splitlines())) <= width
    assert text.count("item-1") == 6
    assert "long words" in text
    assert "… 2 of 30 queries" in text


@pytest.mark.parametrize(
    ("vias", "intervals"),
    [
        (("relative", "translate:ortho"), True),
        (("relative", "translate:inverse-relative+center+csls", "absolute"), False),
    ],
)
def test_the_figures_of_several_methods_fit_and_leave_intervals_out_where_they_must(vias, intervals):
    retrieval, found = example()
    near_one = Interval(0.9924, 1.0, 0.95, "wilson")
    names = ("recall@1", "recall@5", "recall@10", "mrr")
    scores = tuple(
        Score(name, via, 0.9987, section="Retrieval", pairs=2, gallery=9, chance=0.1, interval=near_one)
        for name in names
        for via in vias
    )

    lines = to_text(replace(retrieval, scores=scores), found, width=80).splitlines()
    figures = lines[next(i for i, line in enumerate(lines) if line.startswith("via ") and "@1" in line) - 1 :]
    end = next(i for i, line in enumerate(figures) if line.startswith("figures of"))
    assert max(map(len, figures)) <= 80
    assert max(map(len, figures[:end])) == len(next(line for line in figures if line.startswith("──")))
    assert ("[0.992–1.000]" in "".join(figures)) == intervals
    assert ("intervals are in the JSON" in figures[end]) != intervals


def test_a_check_that_fails_ends_with_1_and_stands_in_the_document(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(SAMPLES)
    found = tmp_path / "found.json"
    code = run([*ASK, "--all", "--check", "mrr>=0.99", "--check", "warn:recall@1>=0.99", "-o", str(found), "-q"])
    document = json.loads(found.read_text(encoding="utf-8"))

    assert code == 1
    assert [(check["passed"], check["severity"]) for check in document["checks"]] == [(False, "fail"), (False, "warn")]
    jsonschema.validate(document, retrieval_schema())


def test_a_check_of_a_search_may_name_the_method(monkeypatch, capfd):
    monkeypatch.chdir(SAMPLES)

    assert run([*ASK, "--all", "--via", "translate:ortho", "--check", "translate:ortho.recall@1>=0.9", "-q"]) == 0


@pytest.mark.parametrize(
    "via", ["relative+quantize=0.1", "relative+sparse=5,2", "product:relative+sparse=5,2,translate:ortho+csls"]
)
def test_a_check_names_a_method_whose_name_holds_a_number(via, monkeypatch, capfd):
    monkeypatch.chdir(SAMPLES)
    words = [*ASK, "--all", "--via", via, "--via", "absolute", "-q"]

    assert run([*words, "--check", f"{via}.mrr>0.0001", "--fail-under", f"{via}.recall@10=0.0001"]) == 0
    assert run([*words, "--fail-under", f"{via}.mrr=1.1"]) == 1


def test_a_check_of_an_unknown_figure_is_no_answer(monkeypatch, capfd):
    monkeypatch.chdir(SAMPLES)
    code = run([*ASK, "--all", "--check", "mrrr>=0.9", "-q"])

    assert code == 2
    assert "Did you mean" in capfd.readouterr().err
