"""`matrix` gives what separate comparisons give, is taken up where it stopped, and correlates as scipy does."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from scipy import stats

import relcli
from relcli import api
from relcli.cli.app import run
from relcli.errors import AnchorError, FormatError, IdError, JoinError, UsageError, VectorError
from relcli.formats.shards import distinct_names
from relcli.measures.catalog import all_measures
from relcli.measures.correlation import clustered_order, correlate
from relcli.reports import plots
from relcli.reports.matrix import FORMS, cell, matrix_schema
from relcli.reports.plots import draw
from relcli.reports.study import Keeper
from relcli.spaces.space import Space
from relcli.tasks import matrix as matrix_task
from tests.test_measures_against_oracles import ROOTS

N = 60
NAMES = ("m_1", "m_2", "m_10")


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    """Write three spaces of the same rows in different orders, the last wider and with rows of its own."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((N, 5)) + 0.3
    for name, width, noise in zip(NAMES, (5, 5, 8), (0.0, 0.2, 0.8), strict=True):
        y = np.pad(x, ((0, 0), (0, width - 5))) @ np.linalg.qr(rng.standard_normal((width, width)))[0]
        y += noise * rng.standard_normal(y.shape)
        ids = [f"w{i:02}" for i in range(N)]
        if name == "m_10":
            y, ids = np.concatenate([y, y[:7] + 1]), [*ids, *(f"own{i}" for i in range(7))]
        order = rng.permutation(len(y))
        np.save(tmp_path / f"{name}.npy", y[order])
        (tmp_path / f"{name}.ids.txt").write_text("".join(f"{ids[i]}\n" for i in order))
    return tmp_path


def globbed(folder: Path) -> str:
    return str(folder / "m_*.npy")


@pytest.mark.parametrize("name", [name.replace("@k", "@5") for name in all_measures()])
def test_every_measure_of_the_catalogue_is_that_of_a_comparison(dumps, name):
    anchors = [f"w{i:02}" for i in range(12)]
    found = api.matrix(globbed(dumps), anchors=anchors, measures=name, join="pairwise")

    for row, x in enumerate(NAMES):
        for column, y in enumerate(NAMES):
            twin = relcli.compare(dumps / f"{x}.npy", dumps / f"{y}.npy", anchors, measures=name)
            for score in twin.scores:
                # a symmetric measure is computed once, in the order in which the spaces stand
                if column < row and found.matrices[0]["symmetric"]:
                    assert found.values(name, score.view)[row][column] == found.values(name, score.view)[column][row]
                value = found.values(name, score.view)[row][column]
                assert (value is None) == (score.value is None)
                # a root of what is 0 but for rounding, where a space stands against itself
                near = 1e-6 if name in ROOTS and x == y else 1e-12
                assert value is None or value == pytest.approx(score.value, rel=1e-12, abs=near)


@pytest.mark.parametrize("join", ["common", "pairwise"])
def test_centring_is_that_of_a_comparison(dumps, join):
    anchors = [f"w{i:02}" for i in range(12)]
    asked = {"measures": "mrr,debiased-cka", "center": True, "similarity": "euclidean"}
    found = api.matrix(globbed(dumps), anchors=anchors, join=join, **asked)

    for row, column in ((0, 1), (0, 2), (1, 2)):
        x, y = (dumps / f"{NAMES[place]}.npy" for place in (row, column))
        for score in relcli.compare(x, y, anchors, **asked).scores:
            assert found.values(score.measure, score.view)[row][column] == pytest.approx(score.value, abs=1e-12)
    assert found.basis["center"] is True


class Counting:
    """Rows that count how often they are read."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows, self.shape, self.dtype, self.read = rows, rows.shape, rows.dtype, 0

    def __getitem__(self, rows):
        found = self.rows[rows]
        self.read += len(found)
        return found


@pytest.mark.parametrize("center", [False, True])
def test_each_space_is_read_once_as_long_as_there_is_room_for_all(center, monkeypatch):
    spaces, rows = _counted(5)
    whole = api.matrix(*spaces, measures="debiased-cka,heldout-procrustes-residual", center=center)
    assert [counting.read for counting in rows] == [30] * 5

    # room for two and the row's own: the others are read to check them, for their row, and by the rows before or after
    monkeypatch.setattr(matrix_task, "LOADED", 3 * 30 * 4)
    spaces, rows = _counted(5)
    narrow = api.matrix(*spaces, measures="debiased-cka,heldout-procrustes-residual", center=center)
    assert [counting.read for counting in rows[:2]] == [30, 30]
    assert all(counting.read > 30 for counting in rows[2:])
    for square, again in zip(whole.matrices, narrow.matrices, strict=True):
        np.testing.assert_allclose(np.array(again["values"], float), np.array(square["values"], float), rtol=1e-12)


def _counted(count: int) -> tuple[list[Space], list[Counting]]:
    """Return spaces of 30 rows of 4 numbers each, and the rows that count."""
    rng = np.random.default_rng(9)
    opened = [api.open_space(rng.standard_normal((30, 4)), name=f"s{i}") for i in range(count)]
    rows = [Counting(space.vectors) for space in opened]
    return [replace(space, vectors=counting) for space, counting in zip(opened, rows, strict=True)], rows


@pytest.mark.parametrize("join", ["common", "pairwise"])
def test_every_cell_is_a_comparison_of_its_own(dumps, join):
    anchors = [f"w{i:02}" for i in range(12)]
    measures = "debiased-cka,mrr,jaccard@5,heldout-procrustes-residual"
    found = api.matrix(globbed(dumps), anchors=anchors, measures=measures, join=join)

    assert [space["name"] for space in found.spaces] == list(NAMES)
    for row, x in enumerate(NAMES):
        for column, y in enumerate(NAMES):
            twin = relcli.compare(dumps / f"{x}.npy", dumps / f"{y}.npy", anchors, measures=measures)
            if x == y == "m_10" and join == "common":
                continue  # compare sees the rows that this space has for itself
            for score in twin.scores:
                value = found.values(score.measure, score.view)[row][column]
                assert (value is None) == (score.value is None)
                assert value is None or value == pytest.approx(score.value, rel=1e-9)
    assert found.join["mode"] == join
    assert found.join["pairs"] == (N if join == "common" else None)


def test_symmetric_measures_are_computed_once_and_others_both_ways(dumps):
    once = api.matrix(globbed(dumps), measures="debiased-cka")
    twice = api.matrix(globbed(dumps), measures="debiased-cka,heldout-procrustes-residual", anchors="uniform:20")

    assert (len(once.cells), len(twice.cells)) == (6, 9)
    assert [score["measure"] for score in twice.cells[-1]["scores"]] == ["heldout-procrustes-residual"]
    square = np.array(twice.values("heldout-procrustes-residual", "absolute"))
    assert square[0, 2] != square[2, 0]
    assert once.anchors["count"] == 30


def test_the_absolute_view_alone_takes_no_anchors_and_scores_every_row(dumps):
    found = api.matrix(globbed(dumps), measures="debiased-cka", views="absolute")

    assert found.anchors == {}
    whole = relcli.compare(
        dumps / "m_1.npy", dumps / "m_2.npy", "uniform:5", measures="debiased-cka", views="absolute",
        include_anchors=True,
    )  # fmt: skip
    assert found.values("debiased-cka", "absolute")[0][1] == pytest.approx(whole.scores[0].value, rel=1e-9)


def test_a_run_that_was_broken_off_ends_as_a_whole_one(dumps, monkeypatch):
    whole = api.matrix(globbed(dumps))
    state = dumps / "state.json"
    calls = []
    keep = Keeper.__call__

    def stop_at_third(self, make):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        keep(self, make)

    monkeypatch.setattr(Keeper, "__call__", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        api.matrix(globbed(dumps), resume=state)
    part = json.loads(state.read_text())
    calls.clear()
    monkeypatch.setattr(Keeper, "__call__", lambda self, make: (calls.append(1), keep(self, make))[1])
    resumed = api.matrix(globbed(dumps), resume=state)

    assert (part["complete"], len(part["cells"])) == (False, 3)
    jsonschema.validate(part, matrix_schema())
    assert len(calls) == 3
    assert FORMS["json"](resumed) == FORMS["json"](whole)
    assert FORMS["table"](api.matrix(globbed(dumps), resume=state)) == FORMS["table"](whole)
    np.save(dumps / "m_2.npy", np.load(dumps / "m_2.npy") + 1)
    with pytest.raises(UsageError, match="the SHA-256 of m_2 was"):
        api.matrix(globbed(dumps), resume=state)


def test_other_ids_for_the_same_files_are_refused(dumps):
    state = dumps / "state.json"
    asked = {"measures": "debiased-cka", "views": "absolute", "resume": state}
    for join in ("common", "pairwise"):
        api.matrix(globbed(dumps), join=join, **asked)
        lines = (dumps / "m_2.ids.txt").read_text().splitlines()
        (dumps / "m_2.ids.txt").write_text("\n".join([f"{join}{lines[0]}", *lines[1:]]) + "\n")
        with pytest.raises(UsageError, match=r"ids_sha256 was|the ids of m_2 was"):
            api.matrix(globbed(dumps), join=join, **asked)
        state.unlink()


def test_scores_are_correlated_as_scipy_does(dumps):
    rng = np.random.default_rng(1)
    spaces = {f"s{i}": rng.standard_normal((40, 4)) for i in range(6)}
    given = [api.open_space(vectors, name=name) for name, vectors in spaces.items()]
    own = {f"s{i}": float(value) for i, value in enumerate([0.1, 0.9, 0.3, 0.5, 0.2])}
    found = api.matrix(*given, measures="debiased-cka", views="absolute", scores=own)

    (told,) = found.correlations["found"]
    others = [0, 2, 3, 4]
    similar = [found.values("debiased-cka", "absolute")[1][i] for i in others]
    assert (found.correlations["reference"], told["n"]) == ("s1", 4)
    assert told["pearson_r"] == pytest.approx(stats.pearsonr(similar, [own[f"s{i}"] for i in others])[0])
    assert told["spearman_rho"] == pytest.approx(stats.spearmanr(similar, [own[f"s{i}"] for i in others])[0])
    assert any("'s5'" in note for note in found.notes)
    other = api.matrix(*given, measures="debiased-cka", views="absolute", scores=own, reference="s0")
    assert other.correlations["reference"] == "s0"


def test_what_is_above_a_measured_chance_is_correlated_beside_the_score():
    rng = np.random.default_rng(6)
    base = rng.standard_normal((50, 6))
    # cones of different widths, models of different noise
    given = [
        api.open_space(base + noise * rng.standard_normal((50, 6)) + shift, name=f"s{i}")
        for i, (noise, shift) in enumerate([(0.0, 0.5), (0.2, 0.5), (0.6, 0.7), (1.2, 1.0), (2.5, 4.0)])
    ]
    own = {f"s{i}": 1.0 - 0.2 * i for i in range(5)}
    found = api.matrix(*given, measures="cosine,mrr", views="relative", scores=own)

    told = {(part["measure"], part["of"]): part for part in found.correlations["found"]}
    assert set(told) == {("cosine", "value"), ("cosine", "above chance"), ("cosine", "calibrated"), ("mrr", "value")}
    cells = [cell["scores"][0] for cell in found.cells if cell["x"] == "s0" and cell["y"] != "s0"]
    above = [score["value"] - score["chance"] for score in cells]
    shares = [part / (1 - score["chance"]) for part, score in zip(above, cells, strict=True)]
    scores = [own[f"s{i}"] for i in range(1, 5)]
    assert told["cosine", "above chance"]["pearson_r"] == pytest.approx(stats.pearsonr(above, scores)[0])
    assert told["cosine", "calibrated"]["spearman_rho"] == pytest.approx(stats.spearmanr(shares, scores)[0])
    values = [score["value"] for score in cells]
    assert told["cosine", "value"]["pearson_r"] == pytest.approx(stats.pearsonr(values, scores)[0])
    assert told["cosine", "value"]["pearson_r"] != told["cosine", "above chance"]["pearson_r"]
    assert "cosine − chance" in FORMS["table"](found)
    assert "cosine − chance" in FORMS["markdown"](found)


def test_a_run_with_another_centring_or_similarity_is_refused(dumps):
    state = dumps / "state.json"
    api.matrix(globbed(dumps), measures="mrr", resume=state)

    with pytest.raises(UsageError, match="center was false and is true"):
        api.matrix(globbed(dumps), measures="mrr", resume=state, center=True)
    with pytest.raises(UsageError, match="similarity was cosine and is l1"):
        api.matrix(globbed(dumps), measures="mrr", resume=state, similarity="l1")


def test_too_few_or_constant_figures_have_no_correlation():
    assert correlate([1.0, 2.0], [1.0, 2.0]).pearson_r is None
    assert correlate([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]).spearman_rho is None


@pytest.mark.parametrize("b", [[1, 2, 3, 4], [2, 1, 4, 3, 5, 6], [3, 1, 1, 2, 2], [0.5, 0.1, 0.9]])
def test_the_p_of_few_figures_is_the_share_of_orders_as_far_from_none(b):
    a = [0.3 * i * i for i in range(len(b))]
    found = correlate(a, b)

    # one order at a time, by scipy's ρ of the figures themselves
    every = [abs(stats.spearmanr(order, b).statistic) for order in itertools.permutations(a)]
    assert found.spearman_p == pytest.approx(np.mean([rho >= abs(found.spearman_rho) - 1e-9 for rho in every]))


def test_four_models_in_perfect_order_are_two_orders_of_24():
    assert correlate([1, 2, 3, 4], [10, 20, 30, 50]).spearman_p == 2 / 24


def test_the_p_of_many_figures_is_scipys():
    a, b = np.random.default_rng(2).standard_normal((2, 9))

    assert correlate(a, b).spearman_p == pytest.approx(stats.spearmanr(a, b).pvalue)
    assert correlate(a[:8], b[:8]).spearman_p != pytest.approx(stats.spearmanr(a[:8], b[:8]).pvalue, rel=1e-6)


def test_a_chance_that_differs_by_pair_is_told_as_a_range(dumps):
    found = api.matrix(globbed(dumps), measures="mrr,cosine", views="relative", seed=1)

    levels = [cell["scores"][1]["chance"] for cell in found.cells if cell["x"] != cell["y"]]
    assert min(levels) + 0.01 < max(levels)
    for form in ("table", "markdown"):
        text = FORMS[form](found)
        assert f"cosine ↑, relative (chance {min(levels):.3f} to {max(levels):.3f})" in text.replace("\\", "")
        assert f"mrr ↑, relative (chance {found.matrices[0]['chance']:.3f})" in text.replace("\\", "")


def test_clusters_stand_together(dumps):
    points = np.array([0.0, 10.0, 0.1, 10.1, 0.2])
    order = clustered_order(np.abs(points[:, None] - points))

    assert np.ptp(np.flatnonzero(points[order] > 5)) == 1
    given, ordered = (api.matrix(globbed(dumps), measures="mrr", order=order) for order in ("given", "cluster"))
    places = [[space["name"] for space in found.spaces] for found in (given, ordered)]
    to = [places[0].index(name) for name in places[1]]
    square = given.values("mrr", "relative")
    assert ordered.values("mrr", "relative") == [[square[x][y] for y in to] for x in to]


def test_one_pair_that_shares_nothing_does_not_cost_the_others(dumps):
    np.save(dumps / "m_3.npy", np.eye(20))
    (dumps / "m_3.ids.txt").write_text("".join(f"z{i}\n" for i in range(20)))
    with pytest.raises(JoinError, match="share no ids: none is left at m_3"):
        api.matrix(globbed(dumps))
    found = api.matrix(globbed(dumps), measures="debiased-cka", views="absolute", join="pairwise")

    assert found.values("debiased-cka", "absolute")[0][2] is None
    assert found.values("debiased-cka", "absolute")[0][1] is not None
    assert any("share no ids" in note for note in found.notes)
    with pytest.raises(JoinError, match="share no ids"):
        api.matrix(dumps / "m_1.npy", dumps / "m_3.npy", join="pairwise")


def test_files_called_alike_get_their_folders_name_and_one_given_twice_is_refused(dumps):
    (dumps / "other").mkdir()
    for suffix in (".npy", ".ids.txt"):
        (dumps / "other" / f"m_1{suffix}").write_bytes((dumps / f"m_1{suffix}").read_bytes())
    found = api.matrix(dumps / "m_1.npy", dumps / "other" / "m_1.npy", measures="mrr")

    assert [space["name"] for space in found.spaces] == [f"{dumps.name}/m_1", "other/m_1"]
    for folder in ("a/run", "b/run"):
        (dumps / folder).mkdir(parents=True)
        (dumps / folder / "m.npy").write_bytes((dumps / "m_1.npy").read_bytes())
    (dumps / "b" / "run" / "m.ids.txt").write_text((dumps / "m_1.ids.txt").read_text())
    (dumps / "a" / "run" / "m.ids.txt").write_text((dumps / "m_1.ids.txt").read_text())
    deeper = api.matrix(str(dumps / "*" / "run" / "m.npy"), dumps / "m_2.npy", measures="mrr")
    assert [space["name"] for space in deeper.spaces] == ["a/run/m", "b/run/m", "m_2"]
    assert distinct_names(["v/m.npy", "v/m.parquet", "w/n.npy"]) == ["v/m.npy", "v/m.parquet", "n"]
    with pytest.raises(UsageError, match="several spaces"):
        api.matrix(dumps / "m_1.npy", dumps / "m_1.npy", dumps / "m_2.npy")


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"measures": "mmr"}, UsageError, "Did you mean 'mrr'"),
        ({"views": "absolut"}, UsageError, "Did you mean 'absolute'"),
        ({"measures": "heldout-aligned-cosine", "views": "relative"}, UsageError, "absolute view only"),
        ({"order": "clusters"}, UsageError, "Did you mean 'cluster'"),
        ({"measures": "jaccard@100"}, UsageError, "100 neighbours"),
        ({"sample": "some"}, UsageError, "--sample 'some'"),
        ({"score_column": "acc"}, UsageError, "--scores FILE"),
        ({"scores": {"m_1": 1, "m_2": 0.2}, "reference": "m_3"}, UsageError, "Did you mean 'm_"),
        ({"scores": {"k": 1}}, UsageError, "name none of the spaces"),
        ({"anchors": [("w01", "w02"), ("w03", "w04")]}, UsageError, "pairs ids of two spaces"),
        ({"anchors": ["w01", "nowhere"]}, AnchorError, "not in m_1"),
    ],
)
def test_what_cannot_be_a_matrix_is_refused(dumps, asked, error, message):
    with pytest.raises(error, match=message):
        api.matrix(globbed(dumps), **asked)


@pytest.mark.parametrize(
    ("table", "column", "error", "message"),
    [
        ("run,test_acc\nm_1,0.5\n", "test_ac", UsageError, "Did you mean 'test_acc'"),
        ("run,acc\nm_1,high\n", "acc", FormatError, "'high' for m_1"),
        ("run,acc\nm_1,nan\n", "acc", FormatError, "'nan' for m_1"),
        ("run,acc\nm_1,0.5\nm_1,0.6\n", "acc", IdError, "'m_1'"),
        ("what,why,acc\nm_1,so,0.5\n", "acc", FormatError, "no column 'id'"),
    ],
)
def test_tables_of_scores_that_do_not_fit_are_refused(dumps, table, column, error, message):
    (dumps / "runs.csv").write_text(table)
    with pytest.raises(error, match=message):
        api.matrix(globbed(dumps), scores=dumps / "runs.csv", score_column=column)


def test_bad_rows_are_refused_or_dropped_from_all(dumps):
    vectors = np.load(dumps / "m_2.npy")
    vectors[:2] = 0
    np.save(dumps / "m_2.npy", vectors)
    with pytest.raises(VectorError, match="2 of m_2"):
        api.matrix(globbed(dumps))
    found = api.matrix(globbed(dumps), on_bad="drop")

    assert found.join["pairs"] == N - 2
    assert {cell["pairs"] for cell in found.cells} == {N - 2}


def test_spaces_without_ids_are_matched_by_number_if_their_counts_agree():
    rng = np.random.default_rng(2)
    found = api.matrix(rng.standard_normal((30, 3)), rng.standard_normal((30, 4)), measures="debiased-cka")

    assert found.notes[0].startswith("ROWS PAIRED BY NUMBER: ")
    with pytest.raises(JoinError, match="row counts differ"):
        api.matrix(np.eye(5), np.eye(6))
    with pytest.raises(UsageError, match="at least two"):
        api.matrix(np.eye(5))


def test_the_command_writes_all_forms_of_one_answer(dumps, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    (dumps / "runs.csv").write_text("name,acc\nm_1,0.9\nm_2,0.8\nm_10,0.5\n")
    out = dumps / "out.json"
    words = ["matrix", globbed(dumps), "-m", "debiased-cka,mrr,median-rank", "--order", "cluster"]
    words += ["--scores", str(dumps / "runs.csv"), "--score-column", "acc"]
    written = [word for suffix in (".json", ".csv", ".md", ".txt") for word in ("-o", str(out.with_suffix(suffix)))]

    assert run([*words, *written]) == 0
    table, err = capfd.readouterr()
    document = json.loads(out.read_text())
    jsonschema.validate(document, matrix_schema())
    assert err == ""
    assert max(map(len, table.splitlines())) <= 80
    assert table == out.with_suffix(".txt").read_text()
    rows = list(csv.DictReader(io.StringIO(out.with_suffix(".csv").read_text())))
    values = [v for square in document["matrices"] for line in square["values"] for v in line]
    assert [None if row["value"] == "" else float(row["value"]) for row in rows] == values
    assert "acc" in out.with_suffix(".md").read_text()
    assert run([*words, "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == document
    assert run(["schema", "matrix"]) == 0


def test_ids_beside_a_file_of_a_glob_are_not_overwritten(dumps, capfd):
    assert run(["matrix", globbed(dumps), "-o", str(dumps / "m_2.ids.txt")]) == 2
    assert "is to be read" in capfd.readouterr().err


def test_many_spaces_keep_within_the_columns_and_are_drawn(tmp_path):
    rng = np.random.default_rng(4)
    given = [api.open_space(rng.standard_normal((12, 3)), name=f"space_{i}") for i in range(24)]
    found = api.matrix(*given, measures="debiased-cka", views="absolute")

    assert max(map(len, FORMS["table"](found).splitlines())) <= 80
    pytest.importorskip("matplotlib")
    draw(found, tmp_path / "matrix.svg")
    text = (tmp_path / "matrix.svg").read_text()
    assert all(word in text for word in ("debiased-cka", "space_23", "1.00", "24 spaces", "12 shared rows"))


def test_a_colour_is_one_number_in_all_panels_of_a_measure_and_cells_say_what_the_table_does(dumps):
    pytest.importorskip("matplotlib")
    found = api.matrix(globbed(dumps), measures="mrr,median-rank", anchors="uniform:6")
    with plots.styled():
        panels = [panel for panel in plots._heat_maps(found).axes if panel.images]
    scales = {}
    for panel, square in zip(panels, found.matrices, strict=True):
        known = [v for line in square["values"] for v in line if v is not None]
        norm = panel.images[0].norm
        scales.setdefault(square["measure"], set()).add((norm.vmin, norm.vmax, type(norm).__name__))
        assert norm.vmin <= min(known)
        assert norm.vmax >= max(known)
        told = [cell(v, rank=square["measure"] == "median-rank") for line in square["values"] for v in line]
        assert [text.get_text() for text in panel.texts] == [text for text in told if text != "–"]
        assert all(text in FORMS["table"](found) for text in told)

    assert [len(each) for each in scales.values()] == [1, 1]
    assert {kind for _, _, kind in scales["mrr"]} == {"Normalize"}
    assert {kind for _, _, kind in scales["median-rank"]} == {"LogNorm"}


def test_cells_have_one_style():
    values = [None, 0.1234, -0.25, 1.0, 99.5, 250.0, 1234.5]

    assert [cell(value, rank=False) for value in values] == ["–", "0.12", "−0.25", "1.00", "99.50", "250", "1,234"]
    assert [cell(value, rank=True) for value in (1.0, 8.5, 899.0, 1103.0)] == ["1.0", "8.5", "899", "1,103"]


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [(0.13, 1, ["0.20", "0.40", "0.60", "0.80", "1.00"]), (0.975, 1, ["0.975", "0.980", "0.985", "0.990"])],
)
def test_numbers_of_a_colour_bar_have_the_digits_of_the_cells_or_more(low, high, texts):
    pytest.importorskip("matplotlib")
    made = plots._ticks(low, high, log=False)
    shown = [made["format"](value, 0) for value in made["ticks"].tick_values(low, high) if low <= value <= high]

    assert shown[: len(texts)] == texts


@pytest.mark.skipif("RELCLI_SHARED" not in os.environ, reason="needs the real spaces")
def test_similarity_to_the_best_model_goes_with_accuracy_on_cora():
    cora = Path(os.environ["RELCLI_SHARED"]) / "data" / "graph_cora"
    found = api.matrix(
        str(cora / "gcn" / "gcn_*.npy"), ids=cora / "ids.txt", measures="debiased-cka", scores=cora / "runs.csv",
        score_column="test_acc",
    )  # fmt: skip

    by_view = {told["view"]: told for told in found.correlations["found"]}
    assert found.correlations["reference"] == "gcn_00"
    assert by_view["relative"]["pearson_r"] > 0.85
    assert by_view["relative"]["spearman_rho"] > 0.85
    assert by_view["relative"]["pearson_p"] < 1e-5
