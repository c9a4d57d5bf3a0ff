"""Ids found in whatever columns hold them: by what two dumps share, then by names; asked for where none is certain."""

from __future__ import annotations

import datetime
import decimal
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import relcli
from relcli.cli.app import run
from relcli.errors import IdError, JoinError, RelcliError
from relcli.spaces.id_columns import Held, IdColumn, Trust, certain_pairing, in_order, take_alone, trust_in

N, D = 120, 6
RNG = np.random.default_rng(10)
VECTORS = RNG.standard_normal((N, D)).astype(np.float32)
ROTATION = np.linalg.qr(RNG.standard_normal((D, D)))[0]
UUIDS = [str(uuid.UUID(int=int(value))) for value in RNG.integers(0, 2**63, N)]
ORDER = RNG.permutation(N)


@dataclass
class Done:
    exit_code: int
    stdout: str
    stderr: str


Call = Callable[[list[str]], Done]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Return a function that runs relcli and gives its exit code, stdout and stderr."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")

    def called(arguments: list[str]) -> Done:
        code = run(arguments)
        return Done(code, *capfd.readouterr())

    return called


def table(path: Path, rows: np.ndarray, vectors: np.ndarray, **columns: Any) -> Path:
    """Write some rows of the vectors with columns beside them; a column is given for all rows."""
    taken = {name: [list(values)[row] for row in rows] for name, values in columns.items()}
    listed = pa.array(list(vectors[rows].astype(np.float32)), pa.list_(pa.float32()))
    pq.write_table(pa.table({**taken, "vector": listed}), path)
    return path


def pair(tmp_path: Path, x: dict[str, Any], y: dict[str, Any], rows_x: Any = None, rows_y: Any = None) -> list[Path]:
    """Write x in its order and a rotation of it, y, in another, each with its own columns."""
    rows_x = np.arange(N) if rows_x is None else rows_x
    rows_y = ORDER if rows_y is None else rows_y
    rotated = VECTORS @ ROTATION
    return [table(tmp_path / "x.parquet", rows_x, VECTORS, **x), table(tmp_path / "y.parquet", rows_y, rotated, **y)]


def compared(x: Path, y: Path, **options: Any) -> relcli.Report:
    return relcli.compare(x, y, "uniform:20", measures="mrr,procrustes-residual", **options)


def is_right(report: relcli.Report, pairs: int = N) -> bool:
    """Whether rows were paired with their counterparts: a rotation leaves nothing over."""
    residual = report.score("procrustes-residual", "absolute").value
    assert residual is not None
    return report.join["by"] == "id" and report.join["pairs"] == pairs and residual < 1e-6


# two dumps with ordinary columns of ids, rows in another order


def test_columns_of_other_names_are_joined_by_the_ids_they_share(tmp_path):
    report = compared(*pair(tmp_path, {"doc_uuid": UUIDS}, {"chunk_ref": UUIDS}))

    assert is_right(report)
    assert (report.x["id_source"], report.y["id_source"]) == ("column 'doc_uuid'", "column 'chunk_ref'")
    assert report.score("mrr").value == 1.0


def test_the_command_joins_them_without_a_flag(call, tmp_path):
    x, y = pair(tmp_path, {"doc_uuid": UUIDS}, {"chunk_ref": UUIDS})

    done = call(["compare", str(x), str(y), "--anchors", "uniform:20", "--json"])

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["join"]["by"] == "id"


def test_one_side_without_ids_is_refused_and_names_the_way_out(call, tmp_path):
    x, _ = pair(tmp_path, {"doc_uuid": UUIDS}, {"chunk_ref": UUIDS})
    np.save(tmp_path / "z.npy", VECTORS[ORDER])

    done = call(["compare", str(x), str(tmp_path / "z.npy"), "--anchors", "uniform:20"])

    assert done.exit_code == 2
    assert "--ids-y FILE" in done.stderr
    assert "row-number" in done.stderr


def test_half_overlapping_ids_are_joined_where_they_overlap(tmp_path):
    half = N // 2
    x, y = pair(tmp_path, {"doc_uuid": UUIDS}, {"chunk_ref": UUIDS}, np.arange(0, 3 * N // 4), ORDER[ORDER >= N // 4])

    assert is_right(compared(x, y), half)


def test_whole_numbers_and_their_texts_are_the_same_ids(tmp_path):
    numbers = (1000 + 7 * np.arange(N)).tolist()
    report = compared(*pair(tmp_path, {"item_id": numbers}, {"sku": [str(number) for number in numbers]}))

    assert is_right(report)


def test_of_two_candidates_the_shared_one_is_taken(tmp_path):
    other = [f"session-{number:04}" for number in RNG.permutation(N)]
    x, y = pair(tmp_path, {"session_id": other, "doc_uuid": UUIDS}, {"trace_key": other[::-1], "chunk_ref": UUIDS})
    foreign = [f"trace-{number:04}" for number in range(N)]
    y = table(tmp_path / "y.parquet", ORDER, VECTORS @ ROTATION, trace_key=foreign, chunk_ref=UUIDS)

    assert is_right(compared(x, y))


def test_two_candidates_that_pair_rows_differently_are_asked_about(call, tmp_path):
    other = [f"session-{number:04}" for number in range(N)]
    x = {"session_id": other, "doc_uuid": UUIDS}
    y = {"session_id": other[::-1], "doc_uuid": UUIDS}
    x, y = pair(tmp_path, x, y)

    done = call(["compare", str(x), str(y), "--anchors", "uniform:20"])

    assert done.exit_code == 2
    for told in ("session_id", "doc_uuid", "session-0000", UUIDS[0], "--id-column-x", "--id-column-y"):
        assert told in done.stderr.replace("\n", " "), told


@pytest.mark.parametrize("flags", [{"id_column": "doc_uuid"}, {"id_column_x": "doc_uuid", "id_column_y": "doc_uuid"}])
def test_the_flag_that_the_message_names_answers_it(flags, tmp_path):
    other = [f"session-{number:04}" for number in range(N)]
    x, y = pair(tmp_path, {"session_id": other, "doc_uuid": UUIDS}, {"session_id": other[::-1], "doc_uuid": UUIDS})

    assert is_right(compared(x, y, **flags))


def test_two_candidates_that_pair_rows_alike_are_no_doubt(tmp_path):
    hashes = [f"{hash_:032x}" for hash_ in RNG.integers(0, 2**62, N)]
    both = {"doc_uuid": UUIDS, "content_hash_key": hashes}

    assert is_right(compared(*pair(tmp_path, both, both)))


def test_repeated_ids_are_told_and_dropped_by_policy(tmp_path):
    repeated = [*UUIDS[:-2], UUIDS[0], UUIDS[1]]
    x, y = pair(tmp_path, {"doc_uuid": repeated}, {"chunk_ref": UUIDS})

    with pytest.raises(IdError, match="2 ids more than once"):
        compared(x, y)
    report = compared(x, y, on_duplicate="drop")
    assert is_right(report, N - 4)


@pytest.mark.parametrize("name", ["index", "__index_level_0__", "Unnamed: 0", "row"])
def test_a_column_that_counts_the_rows_is_never_taken_for_the_ids(name, tmp_path):
    x, y = pair(tmp_path, {"doc_uuid": UUIDS}, {"chunk_ref": UUIDS})
    count = np.arange(N)
    x = table(tmp_path / "x.parquet", np.arange(N), VECTORS, **{name: count, "doc_uuid": UUIDS})
    # counted anew in the other order
    y = table(tmp_path / "y.parquet", ORDER, VECTORS @ ROTATION, **{name: np.argsort(ORDER), "chunk_ref": UUIDS})

    assert is_right(compared(x, y))


def test_rows_that_are_only_counted_have_no_ids(tmp_path):
    x = table(tmp_path / "x.parquet", np.arange(N), VECTORS, index=np.arange(N))
    y = table(tmp_path / "y.parquet", np.arange(N), VECTORS, index=np.arange(N))

    report = compared(x, y)

    assert report.join["by"] == "row number"
    assert report.notes[0].startswith("ROWS PAIRED BY NUMBER: ")


def test_an_index_that_went_along_with_its_rows_joins_them(tmp_path):
    kept = np.arange(N)

    assert is_right(compared(*pair(tmp_path, {"index": kept}, {"index": kept})))


def test_a_counter_called_id_on_both_sides_does_not_beat_the_ids_they_share(tmp_path):
    x = table(tmp_path / "x.parquet", np.arange(N), VECTORS, id=np.arange(N), doc_uuid=UUIDS)
    y = table(tmp_path / "y.parquet", ORDER, VECTORS @ ROTATION, id=np.argsort(ORDER), doc_uuid=UUIDS)

    assert is_right(compared(x, y))


def test_ids_that_share_nothing_are_never_joined_by_number(tmp_path):
    strangers = [str(uuid.UUID(int=int(value))) for value in RNG.integers(0, 2**63, N)]
    x, y = pair(tmp_path, {"doc_uuid": UUIDS}, {"chunk_ref": strangers})

    with pytest.raises(JoinError, match="share no ids"):
        compared(x, y)


def test_texts_are_never_ids(tmp_path):
    texts = [f"question {number}" for number in range(N)]
    x, y = pair(tmp_path, {"text": texts, "title": texts}, {"prompt": texts[::-1], "label": texts})

    assert compared(x, y).join["by"] == "row number"


def test_the_only_short_unique_column_holds_the_ids_whatever_it_is_called(tmp_path):
    names = [f"n{number:03}" for number in RNG.permutation(N)]
    grade = (np.arange(N) % 5).tolist()
    essay = [f"{name} " * 40 for name in names]
    x, y = pair(tmp_path, {"wort": names, "grade": grade, "essay": essay}, {"mot": names, "grade": grade[::-1]})

    assert is_right(compared(x, y))


def test_small_whole_numbers_that_coincide_are_no_evidence(tmp_path):
    pages, ranks = RNG.permutation(N), RNG.permutation(N)
    x, y = pair(tmp_path, {"page": pages, "doc_uuid": UUIDS}, {"place": ranks, "chunk_ref": UUIDS})

    assert is_right(compared(x, y))


def test_rows_without_ids_are_paired_by_number_when_that_is_said(tmp_path):
    x, y = pair(tmp_path, {"doc_uuid": UUIDS}, {"chunk_ref": UUIDS}, rows_y=np.arange(N))

    report = compared(x, y, id_column="row-number")

    assert report.join["by"] == "row number"
    assert report.score("mrr").value == 1.0


# what looks like ids and is not: `moving` columns go along with their rows, `lying` ones stay as they lie in the file

COUNT, DENSE = list(range(N)), RNG.permutation(N).tolist()
SPARSE = (50 + 3 * RNG.permutation(N)).tolist()
UPPER = [name.upper() for name in UUIDS]
LOCAL = [f"row-{row}" for row in COUNT]
FEWER = [None if row == 3 else name for row, name in enumerate(UUIDS)]

#: x's moving and lying columns, then y's.
REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "a counter called id beside dense ids that pair other rows": ({"doc_id": DENSE}, {"id": COUNT}) * 2,
    "a counter called id beside ids written in another way": (
        {"doc_uuid": UUIDS}, {"id": COUNT}, {"doc_uuid": UPPER}, {"id": COUNT},
    ),
    "a counter called like ids beside ids written in another way": (
        {"doc_uuid": UUIDS}, {"row_id": COUNT}, {"doc_uuid": UPPER}, {"row_id": COUNT},
    ),
    "dense ids against a counter without a name": ({"doc_id": DENSE}, {}, {}, {"pos": COUNT}),
    "dense ids against a counter of another name": ({"row_ref": DENSE}, {}, {}, {"row_id": COUNT}),
    "two dense columns of other names": ({}, {"item_id": DENSE}, {}, {"session_id": DENSE[::-1]}),
    "two unnamed columns of numbers": ({}, {"price": DENSE}, {}, {"views": DENSE[::-1]}),
    "ids against numbers that coincide now and then": ({"id": SPARSE}, {}, {}, {"price": SPARSE[::-1]}),
    "numbers of one name that nothing calls ids": ({}, {"score": DENSE, "rank": COUNT}, {}, {"score": DENSE[::-1]}),
    "ids that lack one, beside a counter in words": ({"doc_uuid": FEWER}, {"slot": LOCAL}) * 2,
    "ids that lack one": ({"doc_uuid": FEWER}, {}) * 2,
    "ids of which one is empty": ({"doc_uuid": ["", *UUIDS[1:]]}, {}, {"doc_uuid": [*UUIDS[1:], ""]}, {}),
    "ids of documents in a table of chunks": ({"document_id": [f"d{row // 4}" for row in COUNT]}, {}) * 2,
    "a counter on both sides, and ids on one": ({"id": UUIDS}, {"pos": COUNT}, {}, {"pos": COUNT}),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_certain_is_asked_about_and_the_way_out_works(case, tmp_path):
    moving_x, lying_x, moving_y, lying_y = REFUSED[case]
    x = table(tmp_path / "x.parquet", np.arange(N), VECTORS, **moving_x, **lying_x)
    inverse = np.argsort(ORDER)
    lying = {name: [values[place] for place in inverse] for name, values in lying_y.items()}
    y = table(tmp_path / "y.parquet", ORDER, VECTORS @ ROTATION, **moving_y, **lying)

    with pytest.raises(RelcliError):
        compared(x, y)
    with pytest.raises(RelcliError):
        relcli.recommend(x, y, "uniform:20")
    assert compared(x, y, id_column="row-number").join["by"] == "row number"


@pytest.mark.parametrize(
    "beside",
    [{"id": LOCAL}, {"id": COUNT}, {"chunk_ref": LOCAL}, {"price": SPARSE}, {"pos": COUNT}],
    ids=lambda beside: next(iter(beside)),
)
def test_counters_and_numbers_that_stay_where_they_are_do_not_beat_the_ids(beside, tmp_path):
    x = table(tmp_path / "x.parquet", np.arange(N), VECTORS, **beside, doc_uuid=UUIDS)
    lying = {name: [values[place] for place in np.argsort(ORDER)] for name, values in beside.items()}
    if "price" in beside:
        lying["price"] = lying["price"][::-1]
    y = table(tmp_path / "y.parquet", ORDER, VECTORS @ ROTATION, **lying, doc_uuid=UUIDS)

    assert is_right(compared(x, y))


def test_an_id_and_the_id_of_the_next_row_are_told_apart_by_their_names(tmp_path):
    both = {"item_id": UUIDS, "next_item_id": [*UUIDS[1:], "last"]}

    assert is_right(compared(*pair(tmp_path, both, both)))


def test_shards_that_name_their_ids_differently_are_refused(tmp_path):
    (tmp_path / "x").mkdir()
    table(tmp_path / "x" / "a.parquet", np.arange(60), VECTORS, doc_uuid=UUIDS)
    table(tmp_path / "x" / "b.parquet", np.arange(60, N), VECTORS, chunk_ref=UUIDS)

    with pytest.raises(IdError, match="call them the same"):
        relcli.open_space(tmp_path / "x")


@pytest.mark.parametrize("task", ["retrieve", "recommend", "anchors_check"])
def test_anchors_are_never_looked_up_among_row_numbers(task, tmp_path):
    x = table(tmp_path / "x.parquet", np.arange(N), VECTORS, doc_id=DENSE)
    np.save(tmp_path / "z.npy", VECTORS)
    dumps, ids = (x, tmp_path / "z.npy"), range(20)

    with pytest.raises(JoinError, match="z has none"):
        relcli.anchors_check(ids, *dumps) if task == "anchors_check" else getattr(relcli, task)(*dumps, ids)


@pytest.mark.parametrize("task", ["pairs", "truth"])
def test_a_table_of_pairs_must_say_which_column_is_whose(task, tmp_path):
    x, y = pair(tmp_path, {"doc_uuid": UUIDS}, {"chunk_ref": UUIDS})
    rows = "".join(f"{name},{name}\n" for name in UUIDS)
    (tmp_path / "p.csv").write_text("id,new_ref\n" + rows)

    def asked(source: str) -> Any:
        if task == "pairs":
            return relcli.compare(x, y, "uniform:20", pairs=source, measures="mrr").join["pairs"]
        return relcli.retrieve(x, y, "uniform:20", truth=source, include_anchors=True).retrieval.queries["counted"]

    with pytest.raises(IdError, match=r"p.csv#COLUMN,COLUMN"):
        asked(str(tmp_path / "p.csv"))
    assert asked(f"{tmp_path}/p.csv#id,new_ref") == N


def test_pairs_are_looked_up_in_the_ids_and_not_in_a_counter(tmp_path):
    x = table(tmp_path / "x.parquet", np.arange(N), VECTORS, id=SPARSE, row=COUNT)
    y = table(tmp_path / "y.parquet", ORDER, VECTORS @ ROTATION, id=SPARSE, row=np.argsort(ORDER))
    (tmp_path / "p.tsv").write_text("".join(f"{value}\t{value}\n" for value in range(200)))

    report = compared(x, y, pairs=tmp_path / "p.tsv")

    assert report.x["id_source"] == "column 'id'"
    assert is_right(report, sum(value < 200 for value in SPARSE))


@pytest.mark.parametrize("name", ["q.csv", "q.jsonl", "x.parquet#doc_uuid"])
def test_queries_are_taken_from_a_column_of_any_table(name, tmp_path):
    x, y = pair(tmp_path, {"doc_uuid": UUIDS}, {"chunk_ref": UUIDS})
    (tmp_path / "q.csv").write_text("id\n" + "".join(f"{one}\n" for one in UUIDS[:7]))
    (tmp_path / "q.jsonl").write_text("".join(json.dumps({"id": one}) + "\n" for one in UUIDS[:7]))

    found = relcli.retrieve(x, y, "uniform:20", queries=f"{tmp_path}/{name}")

    assert found.retrieval.queries["count"] == (7 if name.startswith("q") else N)


@pytest.mark.parametrize("broken", [b"\xff\xfe", b"ok"])
def test_bytes_that_are_no_text_are_an_error_of_the_file(broken, tmp_path):
    np.savez(tmp_path / "x.npz", vector=VECTORS, doc_uuid=np.array([broken + bytes([65 + row % 26]) for row in COUNT]))

    with pytest.raises(RelcliError, match="--id-column"):
        relcli.project(tmp_path / "x.npz", UUIDS[:20])


# what a reader is told of a join by number, and what a gate does with it


def saved(tmp_path: Path) -> list[str]:
    np.save(tmp_path / "a.npy", VECTORS)
    np.save(tmp_path / "b.npy", VECTORS @ ROTATION)
    return [str(tmp_path / "a.npy"), str(tmp_path / "b.npy"), "--anchors", "uniform:20"]


@pytest.mark.parametrize("form", ["table", "markdown", "html"])
def test_a_join_by_number_is_told_before_all_else(call, form, tmp_path):
    done = call(["compare", *saved(tmp_path), "--format", form])

    assert done.exit_code == 0
    told = done.stdout.index("ROWS PAIRED BY NUMBER")
    assert (
        told < done.stdout.index("uniform:20 of") if "uniform:20 of" in done.stdout else told < done.stdout.index("mrr")
    )


def test_coverage_fails_where_rows_are_paired_by_number(call, tmp_path):
    done = call(["compare", *saved(tmp_path), "--check", "coverage>=0.5"])

    assert done.exit_code == 1
    assert "paired by their number" in " ".join((done.stdout + done.stderr).split())


def test_a_list_of_as_many_ids_beside_a_dump_is_named(tmp_path):
    arguments = saved(tmp_path)
    (tmp_path / "ids.txt").write_text("".join(f"{name}\n" for name in UUIDS))

    report = relcli.compare(*arguments[:2], anchors="uniform:20", measures="mrr")

    assert f"--ids-x {tmp_path / 'ids.txt'}" in report.notes[0]


def test_a_list_of_another_length_is_not(tmp_path):
    arguments = saved(tmp_path)
    (tmp_path / "ids.txt").write_text("".join(f"{name}\n" for name in UUIDS[1:]))

    report = relcli.compare(*arguments[:2], anchors="uniform:20", measures="mrr")

    assert "ids.txt" not in report.notes[0]


@pytest.mark.parametrize(
    "command",
    [
        ["match", "--queries", "50"],
        ["sweep", "--anchors-grid", "10,20", "--draws", "1", "--measures", "mrr"],
        ["retrieve", "--all", "--json"],
        ["recommend"],
        ["matrix", "--measures", "mrr"],
    ],
    ids=lambda command: command[0],
)
def test_every_command_that_pairs_rows_by_number_says_so(call, command, tmp_path):
    arguments = saved(tmp_path)
    arguments = arguments[:2] if command[0] == "sweep" else arguments

    done = call([command[0], *arguments, *command[1:]])

    assert done.exit_code == 0, done.stderr
    assert "ROWS PAIRED BY NUMBER" in done.stdout


# the same file twice


def test_the_same_file_twice_is_told_in_capitals(tmp_path):
    x, _ = pair(tmp_path, {"doc_uuid": UUIDS}, {"chunk_ref": UUIDS})
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(x.read_bytes())

    for other in (x, copy):
        assert compared(x, other).notes[0].startswith("THE SAME FILE TWICE: ")
        with pytest.raises(JoinError, match="--strict forbids"):
            compared(x, other, strict=True)


def test_two_columns_of_one_file_are_two_models(tmp_path):
    listed = {name: pa.array(list(VECTORS), pa.list_(pa.float32())) for name in ("small", "large")}
    pq.write_table(pa.table({"id": UUIDS, **listed}), tmp_path / "both.parquet")

    report = relcli.compare(
        f"{tmp_path}/both.parquet#small", f"{tmp_path}/both.parquet#large", "uniform:20", measures="mrr", strict=True
    )

    assert not [note for note in report.notes if note.startswith("THE SAME")]


# FILE#COLUMN, and other types of ids


def tables_of_ids(tmp_path: Path, order: np.ndarray) -> list[Path]:
    """Write a table of ids in every format that has columns, with a decoy beside them."""
    rows = [{"decoy": f"d{row}", "doc": UUIDS[row], "n": int(row)} for row in order]
    arrow = pa.Table.from_pylist(rows)
    pq.write_table(arrow, tmp_path / "t.parquet")
    pyarrow.feather.write_feather(arrow, str(tmp_path / "t.feather"))
    (tmp_path / "t.csv").write_text("decoy,doc,n\n" + "".join(f"{r['decoy']},{r['doc']},{r['n']}\n" for r in rows))
    (tmp_path / "t.tsv").write_text("decoy\tdoc\tn\n" + "".join(f"{r['decoy']}\t{r['doc']}\t{r['n']}\n" for r in rows))
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "t.json").write_text(json.dumps(rows))
    np.savez(tmp_path / "t.npz", **{name: np.array([row[name] for row in rows]) for name in rows[0]})
    return sorted(tmp_path.glob("t.*"))


@pytest.mark.parametrize("suffix", ["parquet", "feather", "csv", "tsv", "jsonl", "json", "npz"])
def test_ids_are_taken_from_a_column_of_any_table(suffix, tmp_path):
    tables_of_ids(tmp_path, ORDER)
    x, _ = pair(tmp_path, {"doc_uuid": UUIDS}, {"chunk_ref": UUIDS})
    np.save(tmp_path / "y.npy", (VECTORS @ ROTATION)[ORDER])

    report = compared(x, tmp_path / "y.npy", ids_y=f"{tmp_path}/t.{suffix}#doc")

    assert is_right(report)


@pytest.mark.parametrize("suffix", ["parquet", "feather", "csv", "jsonl", "json", "npz"])
def test_anchors_pairs_and_labels_are_taken_from_a_column_of_any_table(suffix, tmp_path):
    tables_of_ids(tmp_path, ORDER[:40])
    x, y = pair(tmp_path, {"doc_uuid": UUIDS}, {"chunk_ref": UUIDS})
    place = f"{tmp_path}/t.{suffix}"

    report = relcli.compare(x, y, f"{place}#doc", measures="mrr")
    by_pairs = relcli.compare(x, y, "uniform:20", pairs=f"{place}#doc,doc", measures="mrr")
    retrieved = relcli.retrieve(x, y, "uniform:20", truth=f"{place}#doc", include_anchors=True)

    assert report.anchors["count"] == 40
    assert by_pairs.join["pairs"] == 40
    assert retrieved.retrieval.queries["counted"] == 40


def test_labels_are_matched_by_the_column_that_holds_the_ids_of_the_rows(tmp_path):
    x, y = pair(tmp_path, {"doc_uuid": UUIDS}, {"chunk_ref": UUIDS})
    lines = [f"{number},{name},{'even' if number % 2 else 'odd'}\n" for number, name in enumerate(UUIDS)]
    (tmp_path / "labels.csv").write_text("id,document,label\n" + "".join(lines))

    report = relcli.compare(x, y, "uniform:20", measures="mrr", group_by="label", metadata=tmp_path / "labels.csv")

    assert sum(group.pairs for group in report.groups) == N - 20


KINDS = {
    "uuid bytes": (pa.array([uuid.UUID(name).bytes for name in UUIDS], pa.binary(16)), UUIDS),
    "bytes": (pa.array([bytes([0xFF, row]) for row in range(N)], pa.binary()), [f"ff{row:02x}" for row in range(N)]),
    "text as bytes": (pa.array([name.encode() for name in UUIDS], pa.binary()), UUIDS),
    "dates": (
        pa.array([datetime.date(2020, 1, 1) + datetime.timedelta(row) for row in range(N)], pa.date32()),
        [str(datetime.date(2020, 1, 1) + datetime.timedelta(row)) for row in range(N)],
    ),
    "decimals": (
        pa.array([decimal.Decimal(row) + decimal.Decimal("0.50") for row in range(N)], pa.decimal128(10, 2)),
        [f"{row}.5" for row in range(N)],
    ),
    "whole decimals": (
        pa.array([decimal.Decimal(row * 10) for row in range(N)], pa.decimal128(10, 2)),
        [str(row * 10) for row in range(N)],
    ),
    "int64": (pa.array(range(5000, 5000 + N), pa.int64()), [str(row) for row in range(5000, 5000 + N)]),
    "large_string": (pa.array(UUIDS, pa.large_string()), UUIDS),
    "dictionary": (pa.array(UUIDS).dictionary_encode(), UUIDS),
}


@pytest.mark.parametrize("kind", KINDS)
def test_ids_of_any_type_read_as_they_are_written_elsewhere(kind, tmp_path):
    column, expected = KINDS[kind]
    vectors = pa.array(list(VECTORS), pa.list_(pa.float32()))
    pq.write_table(pa.table({"item_ref": column, "vector": vectors}), tmp_path / "x.parquet")

    space = relcli.open_space(tmp_path / "x.parquet")

    assert space.ids.tolist() == expected
    assert space.origin.id_source == "column 'item_ref'"


@pytest.mark.skipif(not hasattr(pa, "uuid"), reason="this pyarrow has no type of UUIDs")
def test_uuids_of_arrow_read_as_texts(tmp_path):
    column = pa.array([uuid.UUID(name).bytes for name in UUIDS], pa.binary(16)).cast(pa.uuid())
    vectors = pa.array(list(VECTORS), pa.list_(pa.float32()))
    pq.write_table(pa.table({"id": column, "vector": vectors}), tmp_path / "x.parquet")

    assert relcli.open_space(tmp_path / "x.parquet").ids.tolist() == UUIDS


def test_a_null_id_says_its_row(tmp_path):
    x, y = pair(tmp_path, {"id": [None if row == 17 else UUIDS[row] for row in range(N)]}, {"id": UUIDS})

    with pytest.raises(IdError, match=r"1 null id, in rows '17'"):
        compared(x, y)


@pytest.mark.parametrize("name", ["document_id", "docUuid", "chunk-ref", "paper_id", "pk", "sku", "hash", "word"])
def test_jsonl_npz_and_safetensors_hold_ids_under_the_same_names(name, tmp_path):
    lines = [json.dumps({name: UUIDS[row], "vector": VECTORS[row].tolist()}) + "\n" for row in range(N)]
    (tmp_path / "x.jsonl").write_text("".join(lines))
    np.savez(tmp_path / "x.npz", vector=VECTORS, **{name: np.array(UUIDS)})
    from safetensors.numpy import save_file

    save_file({"vector": VECTORS, name: np.arange(7, 7 + N)}, str(tmp_path / "x.safetensors"))

    found = [relcli.open_space(tmp_path / f"x.{suffix}") for suffix in ("jsonl", "npz", "safetensors")]

    assert [space.origin.id_source.partition(" ")[2] for space in found[:2]] == [repr(name)] * 2
    assert found[0].ids.tolist() == found[1].ids.tolist() == UUIDS
    # a tensor that counts the rows says no more than their number, unless its name is one of ids
    expected = [str(row) for row in (np.arange(7, 7 + N) if name != "word" else np.arange(N))]
    assert found[2].ids.tolist() == expected


def test_shards_are_joined_by_the_column_they_have_in_common(tmp_path):
    (tmp_path / "x").mkdir()
    for part, rows in enumerate(np.array_split(np.arange(N), 3)):
        table(tmp_path / "x" / f"part_{part}.parquet", rows, VECTORS, doc_uuid=UUIDS)
    _, y = pair(tmp_path, {"doc_uuid": UUIDS}, {"chunk_ref": UUIDS})

    assert is_right(compared(tmp_path / "x", y))


# commands on one dump


def doubtful(tmp_path: Path) -> Path:
    other = [f"session-{number:04}" for number in range(N)]
    return table(tmp_path / "x.parquet", np.arange(N), VECTORS, session_id=other, doc_uuid=UUIDS)


def test_inspect_says_what_it_could_have_taken(tmp_path):
    found = relcli.inspect(doubtful(tmp_path)).spaces[0]

    assert found["id_columns"] == ["session_id", "doc_uuid"]
    assert "'session_id', 'doc_uuid'" in found["flags"][0]


def test_inspect_names_the_columns_beside_the_one_it_took(call, tmp_path):
    x = table(tmp_path / "x.parquet", np.arange(N), VECTORS, id=UUIDS, sku=UUIDS[::-1])

    done = call(["inspect", str(x)])

    assert "other id columns" in done.stdout
    assert "sku" in done.stdout


def test_a_dump_whose_ids_are_not_certain_is_not_projected(call, tmp_path):
    x = doubtful(tmp_path)
    (tmp_path / "a.txt").write_text("nobody\nnone\n")

    done = call(["project", str(x), "--anchors", str(tmp_path / "a.txt"), "-o", str(tmp_path / "rel.npy")])

    assert done.exit_code == 2
    assert "--id-column" in done.stderr
    assert not (tmp_path / "rel.npy").exists()


def test_anchors_tell_which_column_holds_the_ids_of_a_dump(tmp_path):
    x = doubtful(tmp_path)
    (tmp_path / "a.txt").write_text("".join(f"{name}\n" for name in UUIDS[:20]))

    space = relcli.project(x, tmp_path / "a.txt")

    assert space.ids.tolist() == UUIDS


def test_many_dumps_share_the_ids_of_the_first(tmp_path):
    x, y = pair(tmp_path, {"doc_uuid": UUIDS}, {"chunk_ref": UUIDS, "trace_id": [f"t{row}" for row in range(N)]})
    z = table(tmp_path / "z.parquet", ORDER[::-1], VECTORS, pk=UUIDS)

    found = relcli.matrix(x, y, z, anchors="uniform:20", measures="mrr")

    assert found.join["pairs"] == N
    assert all(cell["scores"][0]["value"] == 1.0 for cell in found.cells)


# the decision itself


def column(name: str, values: list[Any]) -> IdColumn:
    trust = trust_in(name)
    assert trust is not None
    return IdColumn(name, f"column {name!r}", trust, lambda: np.array([str(value) for value in values], np.str_))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("id", Trust.NAMED), ("ID", Trust.NAMED), ("docId", Trust.NAMED), ("doc_id", Trust.NAMED), ("_id", Trust.NAMED),
        ("document_id", Trust.LIKELY), ("chunk_ref", Trust.LIKELY), ("Item UUID", Trust.LIKELY),
        ("rowKey", Trust.LIKELY),
        ("url", Trust.WEAK), ("filename", Trust.WEAK), ("word", Trust.WEAK), ("anything", Trust.UNNAMED),
        ("text", None), ("Content", None), ("prompt", None), ("title", None), ("label", None), ("page_title", None),
    ],
)  # fmt: skip
def test_a_name_vouches_for_ids(name, expected):
    assert trust_in(name) is expected


@pytest.mark.parametrize("swapped", [False, True])
def test_given_ids_are_not_paired_with_numbers_that_coincide(swapped):
    sides = (
        [Held(None, np.array([str(one) for one in SPARSE]))],
        [Held(column("price", SPARSE[::-1]), np.array(SPARSE, "U9"))],
    )
    few = [Held(column("price", COUNT), np.array(COUNT, "U9"))]

    for x, y in (sides, (sides[0], few)):
        found = certain_pairing(y, x) if swapped else certain_pairing(x, y)
        assert found is None or found.telling


def test_one_dump_alone_takes_the_most_trusted_name():
    columns = in_order([column("url", ["u", "v", "w"]), column("doc_ref", ["a", "b", "c"]), column("id", [3, 1, 2])])

    taken = take_alone(columns)

    assert taken is not None
    assert taken.name == "id"


@given(
    st.integers(5, 60), st.integers(0, 2**32 - 1), st.integers(0, 3), st.integers(0, 3), st.sampled_from([0, 0.3, 0.7])
)
def test_the_pairing_is_right_or_none_whatever_stands_beside_the_ids(n, seed, more_x, more_y, gone):
    rng = np.random.default_rng(seed)
    true = np.array([f"{value:016x}" for value in rng.integers(0, 2**62, n)])
    order = rng.permutation(n)
    rows_x = np.flatnonzero(rng.random(n) >= gone)
    rows_y = order[rng.random(n) >= gone]
    shared = np.intersect1d(rows_x, rows_y)

    def held(ids: np.ndarray, count: int, side: str) -> list[Held]:
        made = [("true_id", ids)]
        for place in range(count):
            kind = rng.integers(0, 3)
            values = (
                np.arange(len(ids)),
                rng.permutation(len(ids)),
                [f"{side}{place}-{value}" for value in rng.integers(0, 2**40, len(ids))],
            )[kind]
            made.append((f"other{place}", values))
        rng.shuffle(made)
        return [Held(column(name, list(values)), np.array([str(v) for v in values], np.str_)) for name, values in made]

    found = certain_pairing(held(true[rows_x], more_x, "x"), held(true[rows_y], more_y, "y"))

    if len(shared) >= 3 and len(shared) >= 0.2 * min(len(rows_x), len(rows_y)):
        assert found is not None
        assert (found.x.column.name, found.y.column.name) == ("true_id", "true_id")
    elif found is not None and found.shared and not found.by_chance:
        at_x, at_y = found.rows
        assert (rows_x[at_x] == rows_y[at_y]).all()


def test_an_ambiguous_message_is_an_error_of_the_data():
    assert issubclass(IdError, RelcliError)
