"""Bad input ends with exit code 2, one message on stderr, nothing on stdout and no file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from relcli.cli.app import run

N, D = 40, 6
IDS = [f"doc-{i}" for i in range(N)]
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, D)).astype(np.float32)
Y = (X @ np.linalg.qr(RNG.standard_normal((D, D)))[0] + 0.1 * RNG.standard_normal((N, D))).astype(np.float32)

Case = tuple[list[str], list[str]]
CASES: dict[str, Callable[[], Case]] = {}


def case(build: Callable[[], Case]) -> Callable[[], Case]:
    """Have what the function writes refused: it returns the arguments, and parts of the message."""
    CASES[build.__name__] = build
    return build


def npy(name: str, vectors: np.ndarray, ids: list[str] | None = IDS) -> str:
    np.save(name, vectors)
    if ids is not None:
        Path(name).with_suffix(".ids.txt").write_text("".join(f"{i}\n" for i in ids), encoding="utf-8")
    return name


def parquet(name: str, vectors: np.ndarray, ids: list = IDS, column: str = "embedding") -> str:
    pq.write_table(pa.table({"id": ids, column: list(vectors)}), name)
    return name


def lines(name: str, *rows: object) -> str:
    Path(name).write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return name


def with_row(vectors: np.ndarray, row: int, value: float) -> np.ndarray:
    vectors = vectors.copy()
    vectors[row] = value
    return vectors


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have x.npy, y.npy and anchors.txt in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    npy("x.npy", X)
    npy("y.npy", Y)
    lines("anchors.txt", *IDS[:10])
    return tmp_path


# --- the files ---


@case
def an_npy_of_objects():
    np.save("bad.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return ["bad.npy", "y.npy"], ["bad.npy", "pickled", "numpy.save"]


@case
def a_pickle_under_another_name():
    Path("bad.npy").write_bytes(b"\x80\x04K\x01.")
    return ["x.npy", "bad.npy"], ["bad.npy", "pickled"]


def _cut(name: str) -> str:
    held = Path(name).read_bytes()
    Path(name).write_bytes(held[: len(held) * 6 // 10])
    return name


@case
def a_truncated_npy():
    return [_cut(npy("bad.npy", X)), "y.npy"], ["bad.npy", "truncated", "960 bytes"]


@case
def a_truncated_parquet():
    return ["x.npy", _cut(parquet("bad.parquet", Y))], ["bad.parquet", "truncated"]


@case
def a_truncated_safetensors():
    save_file({"vectors": Y}, "bad.safetensors", {"ids": json.dumps(IDS)})
    return ["x.npy", _cut("bad.safetensors")], ["bad.safetensors", "truncated"]


@case
def an_empty_file():
    Path("bad.npy").touch()
    return ["bad.npy", "y.npy"], ["bad.npy is empty", "0 bytes"]


@case
def a_folder_without_shards():
    Path("bad").mkdir()
    return ["bad", "y.npy"], ["bad holds no shards"]


@case
def an_array_of_three_dimensions():
    return [npy("bad.npy", X.reshape(N, 2, 3)), "y.npy"], ["bad.npy", "[40, 2, 3]", "Pool or flatten"]


@case
def no_dimensions():
    return [npy("bad.npy", X[:, :0]), "y.npy"], ["bad.npy", "40 rows of 0 dimensions"]


@case
def no_rows():
    return [npy("bad.npy", X[:0], []), "y.npy"], ["bad.npy", "0 rows of 6 dimensions"]


@case
def a_missing_file():
    return ["xx.npy", "y.npy"], ["xx.npy does not exist", "Did you mean 'x.npy'?"]


@case
def an_unknown_format():
    Path("bad.h5").write_bytes(b"\x89HDF\r\n\x1a\nnothing relcli reads")
    return ["x.npy", "bad.h5"], ["bad.h5 is in no format that relcli reads", ".npy", "numpy.save"]


@case
def a_wrong_column():
    return ["x.npy", parquet("b.parquet", Y) + "#embeding"], ["'embeding'", "Did you mean 'embedding'?"]


@case
def a_wrong_id_column():
    parquet("a.parquet", X)
    parquet("b.parquet", Y)
    return ["a.parquet", "b.parquet", "--id-column", "di"], ["'di'", "'id'"]


@case
def text_instead_of_vectors():
    pq.write_table(pa.table({"id": IDS, "text": IDS}), "b.parquet")
    return ["x.npy", "b.parquet"], ["b.parquet", "no column of float lists"]


# --- the ids ---


@case
def no_shared_ids():
    return [npy("x.npy", X, [str(i) for i in range(N)]), "y.npy"], ["share no ids", "'0'", "'doc-0'", "--pairs"]


@case
def integers_against_names():
    return [parquet("u.parquet", X, list(range(N))), "y.npy"], ["share no ids", "40 like '0'", "40 like 'doc-0'"]


@case
def repeated_ids():
    return [npy("x.npy", X, [*IDS[:-1], IDS[0]]), "y.npy"], ["x holds 1 id more", "'doc-0'", "--on-duplicate first"]


@case
def ids_on_one_side():
    return [npy("z.npy", X, None), "y.npy"], ["y has ids", "z has none", "--ids-x"]


@case
def different_counts_without_ids():
    npy("z.npy", X, None)
    return ["z.npy", npy("w.npy", Y[:30], None), "-a", "uniform:5"], ["40 rows", "30", "--ids-x"]


@case
def row_numbers_under_strict():
    npy("z.npy", X, None)
    return ["z.npy", npy("w.npy", Y, None), "-a", "uniform:5", "--strict"], ["--strict forbids", "40 rows"]


@case
def too_few_ids():
    return ["x.npy", "y.npy", "--ids-x", lines("ids.txt", *IDS[:-1])], ["40 rows", "39 ids"]


@case
def a_missing_file_of_ids():
    return ["x.npy", "y.npy", "--ids-x", "x.ids.tx"], ["x.ids.tx does not exist", "'x.ids.txt'"]


@case
def pairs_that_name_nobody():
    return ["x.npy", "y.npy", "--pairs", lines("p.tsv", "a\tb", "c\td")], ["p.tsv pairs nothing", "2 pairs", "'doc-0'"]


@case
def pairs_that_repeat():
    lines("p.tsv", "doc-1\tdoc-1", "doc-1\tdoc-2")
    return ["x.npy", "y.npy", "--pairs", "p.tsv"], ["p.tsv", "'doc-1'", "more than once"]


@case
def an_empty_table_of_pairs():
    return ["x.npy", "y.npy", "--pairs", lines("p.tsv")], ["p.tsv", "empty"]


# --- the rows ---


@case
def a_row_of_nan():
    return [npy("x.npy", with_row(X, 20, np.nan)), "y.npy"], ["1 row of x", "NaN", "'doc-20'", "--on-bad drop"]


@case
def a_row_of_infinities():
    return ["x.npy", npy("y.npy", with_row(Y, 21, np.inf))], ["1 row of y", "infinite", "'doc-21'", "--on-bad drop"]


@case
def a_row_of_zeros():
    return [npy("x.npy", with_row(X, 22, 0)), "y.npy"], ["1 row of x", "zero", "'doc-22'", "--on-bad drop"]


@case
def half_precision_that_overflowed():
    with np.errstate(over="ignore"):
        return [npy("x.npy", (X * 1e6).astype(np.float16)), "y.npy"], ["rows of x", "infinite", "--on-bad drop"]


@case
def nothing_but_bad_rows():
    return [npy("x.npy", X * 0), "y.npy", "--on-bad", "drop"], ["All 40 shared pairs"]


@case
def one_row():
    npy("x.npy", X[:1], IDS[:1])
    return ["x.npy", "y.npy", "-a", "uniform:5"], ["1 shared pair"]


# --- the anchors ---


@case
def an_anchor_that_one_side_lacks():
    npy("y.npy", Y[1:], IDS[1:])
    return ["x.npy", "y.npy"], ["1 of 10", "not in y", "'doc-0'", "--missing-anchors drop"]


@case
def an_anchor_twice():
    return ["x.npy", "y.npy", "-a", lines("a.txt", *IDS[:5], IDS[0])], ["'doc-0'", "more than once", "once"]


@case
def one_anchor():
    return ["x.npy", "y.npy", "-a", lines("a.txt", IDS[0])], ["1 anchor", "at least 2"]


@case
def no_anchors():
    Path("a.txt").touch()
    return ["x.npy", "y.npy", "-a", "a.txt"], ["a.txt", "empty"]


@case
def nothing_but_anchors():
    return ["x.npy", "y.npy", "-a", lines("a.txt", *IDS)], ["All 40 shared pairs are anchors", "--include-anchors"]


@case
def a_dump_for_anchors():
    return ["x.npy", "y.npy", "-a", "x.npy"], ["x.npy", "240 ids that are no whole numbers", "a file of ids"]


@case
def a_table_of_vectors_for_anchors():
    pq.write_table(pa.table({"v": list(X)}), "v.parquet")
    return ["x.npy", "y.npy", "-a", "v.parquet"], ["v.parquet", "'v'", "ids"]


@case
def noise_for_anchors():
    Path("a.txt").write_bytes(np.random.default_rng(1).bytes(500))
    return ["x.npy", "y.npy", "-a", "a.txt"], ["a.txt", "UTF-8"]


@case
def a_missing_file_of_anchors():
    return ["x.npy", "y.npy", "-a", "anchor.txt"], ["anchor.txt does not exist", "Did you mean 'anchors.txt'?"]


@case
def a_number_for_anchors():
    return ["x.npy", "y.npy", "-a", "300"], ["300", "uniform:300"]


@case
def too_many_anchors():
    return ["x.npy", "y.npy", "-a", "uniform:40"], ["40 anchors", "40 shared pairs", "2 to 39"]


@case
def a_strategy_that_does_not_exist():
    return ["x.npy", "y.npy", "-a", "unifrom:4"], ["'unifrom'", "Did you mean 'uniform'?"]


@case
def a_strategy_without_a_number():
    return ["x.npy", "y.npy", "-a", "uniform:ten"], ["uniform:ten", "uniform:300"]


@case
def an_anchor_of_zeros():
    return [npy("x.npy", with_row(X, 3, 0)), "y.npy"], ["'doc-3'", "zero"]


# --- the options ---


@case
def as_many_neighbours_as_rows():
    return ["x.npy", "y.npy", "-k", "40"], ["k = 40", "at least 41", "share 40", "smaller -k"]


@case
def no_neighbours():
    return ["x.npy", "y.npy", "-k", "0"], ["-k", "0", "positive"]


@case
def no_queries():
    return ["x.npy", "y.npy", "--sample", "0"], ["--sample '0'", "positive number"]


@case
def queries_that_are_no_number():
    return ["x.npy", "y.npy", "--sample", "many"], ["--sample 'many'", "all"]


@case
def a_negative_seed():
    return ["x.npy", "y.npy", "--seed", "-1"], ["--seed -1", "0 or more"]


@case
def a_report_without_a_suffix():
    return ["x.npy", "y.npy", "-o", "report"], ["report", "no suffix", ".json"]


@case
def no_workers():
    return ["x.npy", "y.npy", "--workers", "0"], ["--workers", "1", "relcli compare --help"]


@case
def a_wrong_policy():
    return ["x.npy", "y.npy", "--on-bad", "dorp"], ["--on-bad 'dorp'", "error, drop", "Did you mean 'drop'?"]


@case
def a_wrong_policy_for_duplicates():
    return ["x.npy", "y.npy", "--on-duplicate", "frist"], ["--on-duplicate 'frist'", "Did you mean 'first'?"]


@case
def a_wrong_policy_for_anchors():
    return ["x.npy", "y.npy", "--missing-anchors", "drp"], ["--missing-anchors 'drp'", "Did you mean 'drop'?"]


@case
def a_wrong_view():
    return ["x.npy", "y.npy", "--view", "relativ"], ["'relativ'", "Did you mean 'relative'?"]


@case
def a_wrong_preset():
    return ["x.npy", "y.npy", "--preset", "relrep"], ["'relrep'", "Did you mean 'relreps'?"]


@case
def a_wrong_measure():
    return ["x.npy", "y.npy", "-m", "mrr,jacard@10"], ["'jacard@10'", "Did you mean 'jaccard@k'?"]


@case
def a_wrong_depth():
    return ["x.npy", "y.npy", "-m", "jaccard@ten"], ["'jaccard@ten'", "jaccard@10"]


@case
def no_measure():
    return ["x.npy", "y.npy", "-m", ","], ["--measures"]


@case
def two_documents_on_stdout():
    return ["x.npy", "y.npy", "--json", "--format", "csv"], ["--json and --format csv", "two documents"]


@case
def a_wrong_format():
    return ["x.npy", "y.npy", "--format", "jsn"], ["'jsn'", "Did you mean 'json'?"]


@case
def a_wrong_suffix():
    return ["x.npy", "y.npy", "-o", "report.jsn"], ["report.jsn", "'.jsn'", "Did you mean '.json'?"]


@case
def a_folder_that_does_not_exist():
    return ["x.npy", "y.npy", "-o", "nowhere/report.json"], ["nowhere/report.json", "no folder nowhere"]


@case
def a_folder_for_a_report():
    Path("folder.json").mkdir()
    return ["x.npy", "y.npy", "-o", "folder.json"], ["folder.json", "is a folder"]


@case
def an_option_that_does_not_exist():
    return ["x.npy", "y.npy", "--anchorz", "a.txt"], ["--anchorz", "--anchors"]


@case
def a_dump_too_many():
    return ["x.npy", "y.npy", "z.npy"], ["z.npy"]


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused(name, folder, capfd):
    arguments, parts = CASES[name]()
    arguments = [*arguments] if "-a" in arguments else [*arguments, "-a", "anchors.txt"]
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    code = run(["compare", *arguments, "-o", "kept.json"])
    out, err = capfd.readouterr()

    assert code == 2, err
    assert out == ""
    assert err.startswith("relcli: ")
    assert err.count("\n") == 1, err
    for part in parts:
        assert part in err
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize("access", ["folder", "file"])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(access, monkeypatch, capfd):
    # root may write anywhere, so permissions are told rather than set
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    monkeypatch.setattr("relcli.api.compare", lambda *_, **__: pytest.fail("compared"))
    place = "report.json" if access == "folder" else "/dev/null.json"
    code = run(["compare", "x.npy", "y.npy", "-a", "anchors.txt", "-o", place])

    assert code == 2
    assert f"{place} cannot be written: permission denied" in capfd.readouterr().err


@pytest.mark.parametrize("target", ["anchors.txt", "x.ids.txt", "pairs.txt"])
def test_a_report_never_replaces_what_is_read(target, capfd):
    lines("pairs.txt", *(f"{i}\t{i}" for i in IDS))
    held = Path(target).read_bytes()
    code = run(["compare", "x.npy", "y.npy", "-a", "anchors.txt", "--pairs", "pairs.txt", "-o", target])

    assert code == 2
    assert f"{target} is to be read" in capfd.readouterr().err
    assert Path(target).read_bytes() == held


# --- policies that help ---


def compared(capfd: pytest.CaptureFixture[str], *arguments: str) -> dict:
    """Return the JSON of a comparison that succeeds."""
    arguments = arguments if "-a" in arguments else (*arguments, "-a", "anchors.txt")
    code = run(["compare", *arguments, "--json"])
    out, err = capfd.readouterr()

    assert code == 0, err
    return json.loads(out)


def values(document: dict) -> dict[str, float | None]:
    return {f"{s['view']}.{s['measure']}": s["value"] for s in document["scores"]}


def reasons(document: dict) -> dict[str, str]:
    return {f"{s['view']}.{s['measure']}": s["undefined_because"] for s in document["scores"] if s["value"] is None}


def told(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["compare", *arguments, "-a", "anchors.txt"]) == 0
    return capfd.readouterr().out


@pytest.mark.parametrize(("policy", "kept", "lost"), [("first", 39, 1), ("drop", 38, 2)])
def test_repeated_ids_may_be_left_out(policy, kept, lost, capfd):
    arguments = ["x.npy", "y.npy", "--on-duplicate", policy]
    npy("x.npy", X, [*IDS[:-1], IDS[20]])
    document = compared(capfd, *arguments)

    assert document["join"]["pairs"] == kept
    assert document["join"]["dropped"] == {"duplicate ids in x": lost}
    assert document["settings"]["on_duplicate"] == policy
    assert f"{lost} dropped (duplicate ids in x)" in told(capfd, *arguments)


def test_bad_rows_may_be_left_out(capfd):
    x, y = with_row(with_row(X, 20, np.nan), 21, 0), with_row(Y, 22, np.inf)
    arguments = [npy("x.npy", x), npy("y.npy", y), "--on-bad", "drop"]
    document = compared(capfd, *arguments)
    without = [i for i in range(N) if i not in (20, 21, 22)]
    npy("x.npy", X[without], [IDS[i] for i in without])
    clean = compared(capfd, "x.npy", npy("y.npy", Y))

    assert document["join"]["pairs"] == 37
    assert document["join"]["dropped"] == {"NaN, Inf or zero rows": 3}
    assert document["scores"] == clean["scores"]
    npy("x.npy", x)
    npy("y.npy", y)
    assert "3 dropped (NaN, Inf or zero rows)" in told(capfd, *arguments)


def test_missing_anchors_may_be_left_out(capfd):
    npy("y.npy", Y[2:], IDS[2:])
    arguments = ["x.npy", "y.npy", "--missing-anchors", "drop"]
    document = compared(capfd, *arguments)

    assert (document["anchors"]["count"], document["anchors"]["missing"]) == (8, 2)
    text = told(capfd, *arguments)
    assert "8 from anchors.txt · 2 missing" in text
    assert "2 anchors are missing from a space" in text


def test_integers_match_their_digits(capfd):
    parquet("x.parquet", X, list(range(N)))
    npy("y.npy", Y, [str(i) for i in range(N)])

    assert compared(capfd, "x.parquet", "y.npy", "-a", "uniform:9")["join"] == {
        "by": "id", "x_rows": N, "y_rows": N, "pairs": N, "x_only": 0, "y_only": 0, "dropped": {},
    }  # fmt: skip


# --- spaces in which a measure has no value ---


def test_different_widths_leave_the_cosine_undefined_and_the_rest_told(capfd):
    document = compared(capfd, "x.npy", npy("y.npy", Y[:, :4]))

    assert reasons(document)["absolute.mrr"] == "x has 6 dimensions and y 4: their coordinates cannot be compared"
    assert values(document)["relative.mrr"] > 0.1
    assert values(document)["absolute.jaccard@10"] > 0.1


@pytest.mark.parametrize("side", ["x", "y"])
def test_a_constant_space_has_scores_or_reasons(side, capfd):
    npy(f"{side}.npy", np.ones((N, D), np.float32))
    document = compared(capfd, "x.npy", "y.npy")

    assert {"absolute.debiased-cka", "absolute.procrustes-residual"} <= set(reasons(document))
    assert all(reasons(document).values())
    # every row ties with every other, so retrieval is at chance
    mrr = next(s for s in document["scores"] if (s["measure"], s["view"]) == ("mrr", "absolute"))
    assert mrr["value"] == pytest.approx(mrr["chance"], rel=0.3)


@pytest.mark.parametrize("rows", [2, 3, 4, 5])
def test_a_handful_of_rows_gives_scores_or_reasons(rows, capfd):
    npy("x.npy", X[:rows], IDS[:rows])
    lines("anchors.txt", *IDS[:2])
    document = compared(capfd, "x.npy", "y.npy", "-k", "1", "--include-anchors")

    assert document["join"]["pairs"] == rows
    for score in document["scores"]:
        assert (score["value"] is None) == bool(score["undefined_because"])


@pytest.mark.parametrize("scored", [1, 3])
def test_a_handful_of_scored_rows_gives_scores_or_reasons(scored, capfd):
    document = compared(capfd, "x.npy", "y.npy", "-a", lines("a.txt", *IDS[scored:]))
    table = told(capfd, "x.npy", "y.npy")

    assert document["settings"]["queries"] == scored
    assert "absolute.debiased-cka" in reasons(document)
    assert 0 <= values(document)["relative.mrr"] <= 1
    assert "mrr" in table


@pytest.mark.parametrize("scale", [1e150, 1e-150])
def test_numbers_that_overflow_give_scores_or_reasons(scale, capfd):
    document = compared(capfd, npy("x.npy", X.astype(np.float64) * scale), "y.npy")

    assert all(reasons(document).values())
    assert values(document)["relative.mrr"] > 0.1
    assert run(["compare", "x.npy", "y.npy", "-a", "anchors.txt"]) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("scale", [1e30, 1e-30])
def test_no_scale_is_too_large_or_too_small(scale, capfd):
    usual = compared(capfd, npy("x.npy", X.astype(np.float64)), "y.npy")
    scaled = compared(capfd, npy("x.npy", X.astype(np.float64) * scale), "y.npy")

    assert reasons(scaled) == {}
    assert values(scaled) == pytest.approx(values(usual), abs=1e-6)


def test_unicode_and_spaces_in_ids_are_kept(capfd):
    ids = [f"ñ 日本 {i} 🦀" for i in range(N)]
    npy("x.npy", X, ids)
    npy("y.npy", Y, ids)
    compared(capfd, "x.npy", "y.npy", "-a", lines("a.txt", *ids[:5]))
    code = run(["compare", "x.npy", "y.npy", "-a", lines("a.txt", *ids[:5], "ñ 日本")])

    assert code == 2
    assert "'ñ 日本'" in capfd.readouterr().err


def test_markup_in_names_is_printed_as_it_is(capfd):
    ids = [f"[red]{i}[/red] :smile:" for i in range(N)]
    table = told(capfd, npy("[red]x[bold].npy", X), npy("y*_`.npy", Y))
    markdown = run(["compare", "[red]x[bold].npy", "y.npy", "-a", "anchors.txt", "--format", "markdown"])

    assert "[red]x[bold]" in table
    assert "y*_`" in table
    assert markdown == 0
    assert "`[red]x[bold]`" in capfd.readouterr().out
    npy("[b].npy", X, ids)
    assert run(["compare", "[b].npy", "y.npy", "-a", "anchors.txt"]) == 2
    assert "[b] and y share no ids: 40 like '[red]0[/red] :smile:'" in capfd.readouterr().err
