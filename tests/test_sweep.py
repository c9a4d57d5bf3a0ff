"""`sweep` gives what separate comparisons give, is taken up where it stopped, and recommends by one standard error."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import relcli
from relcli import api
from relcli.cli.app import run
from relcli.errors import AnchorError, FormatError, MissingExtraError, UsageError
from relcli.reports.plots import _curves, check_plot, draw, styled
from relcli.reports.study import Keeper
from relcli.reports.sweep import FORMS, sweep_schema
from relcli.spaces.anchors import choose_anchors
from relcli.spaces.pairing import PairedSpaces
from relcli.tasks import sweep as sweep_task
from relcli.tasks.sweep import Options, ways_of
from relcli.tasks.sweep import _recommended as recommended

N, D = 120, 6
ASKED = {"grid": "4,8,20", "draws": 2, "measures": "mrr,jaccard@5,cosine"}


def files(folder: Path) -> tuple[Path, Path]:
    """Write x and a noisy rotation of it, in another order, to two files."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((N, D)) + 0.5
    y = x @ np.linalg.qr(rng.standard_normal((D, D)))[0] + 0.4 * rng.standard_normal((N, D))
    order = rng.permutation(N)
    for name, vectors, ids in (("x", x, np.arange(N)), ("y", y[order], order)):
        np.save(folder / f"{name}.npy", vectors)
        (folder / f"{name}.ids.txt").write_text("".join(f"w{i}\n" for i in ids))
    return folder / "x.npy", folder / "y.npy"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return files(tmp_path)


def anchors_of(x: Path, y: Path, strategy: str, count: int, draw: int, queries: int) -> list[str]:
    """Return the anchors of a point: chosen among the rows that are not held out."""
    joined = PairedSpaces.join(api.open_space(x), api.open_space(y))
    held = np.isin(joined.rank, joined.probe(queries).rank)
    return choose_anchors(joined.take(~held), strategy, count, seed=draw).x_ids.tolist()


#: Ways, and what `compare` calls the same.
RELATIVE = {
    "relative": {},
    "relative:euclidean": {"similarity": "euclidean"},
    "relative+center": {"center": True},
    # coarse: rows are level in the ranks and among the neighbours
    "relative+quantize=0.5": {"quantize": 0.5},
    "relative:angular+center+quantize=0.1+sparse=3,2": {
        "similarity": "angular",
        "center": True,
        "quantize": 0.1,
        "sparse": (3, 2.0),
    },
}


@pytest.mark.parametrize("via", RELATIVE)
def test_a_relative_point_is_a_comparison_with_its_anchors(pair, via):
    found = api.sweep(*pair, via=via, strategies="uniform,farthest", **ASKED)

    for point in (found.points[1], found.points[-1]):
        anchors = anchors_of(*pair, point["strategy"], point["anchors"], point["draw"], 60)
        twin = relcli.compare(
            *pair, anchors, measures="mrr,jaccard@5,cosine", views="relative", sample=60, **RELATIVE[via]
        )  # fmt: skip
        assert twin.anchors["sha256"] == point["sha256"]
        # the anchors are chosen, and told of, before a way centres
        assert "center" in via or point["condition_x"] == twin.anchors["condition_x"]
        for score in twin.scores:
            assert point["scores"][score.measure]["value"] == pytest.approx(score.value, abs=1e-12)


@pytest.mark.parametrize("method", ["linear", "ortho"])
def test_a_translated_point_is_a_comparison_after_the_map(pair, method):
    found = api.sweep(*pair, via=f"translate:{method}", **ASKED)

    point = found.points[-1]
    anchors = anchors_of(*pair, "uniform", 20, 1, 60)
    fitted = relcli.translate_fit(*pair, anchors, method=method)
    moved = relcli.translate_apply(fitted, pair[0])
    twin = relcli.compare(moved, pair[1], anchors, measures="mrr,jaccard@5,cosine", views="absolute", sample=60)
    for score in twin.scores:
        assert point["scores"][score.measure]["value"] == pytest.approx(score.value, abs=1e-12)


def test_a_centred_translation_is_fitted_on_centred_anchors(pair):
    found = api.sweep(*pair, via="translate:l-ortho+center", **ASKED)

    point = found.points[-1]
    anchors = anchors_of(*pair, "uniform", 20, 1, 60)
    x, y = (api.open_space(path) for path in pair)
    centred = [(space.ids, (v := space.read(slice(None))) - v.mean(axis=0)) for space in (x, y)]
    moved = relcli.translate_apply(relcli.translate_fit(*centred, anchors, method="l-ortho"), centred[0])
    twin = relcli.compare(moved, centred[1], anchors, measures="mrr,jaccard@5,cosine", views="absolute", sample=60)
    assert {s.measure: pytest.approx(s.value, abs=1e-12) for s in twin.scores} == {
        name: score["value"] for name, score in point["scores"].items()
    }


def test_similarities_and_steps_multiply_the_relative_ways_that_leave_them_open(pair):
    via = ["relative", "relative:l1+center", "relative+quantize=0.4", "translate:ortho"]
    asked = {**ASKED, "grid": "8", "draws": 1}
    found = api.sweep(*pair, via=via, similarities="cosine,euclidean", quantize="none,0.2", **asked)

    assert found.settings["via"] == [
        "relative",
        "relative+quantize=0.2",
        "relative:euclidean",
        "relative:euclidean+quantize=0.2",
        "relative:l1+center",
        "relative:l1+center+quantize=0.2",
        "relative+quantize=0.4",
        "relative:euclidean+quantize=0.4",
        "translate:ortho",
    ]
    spelled = api.sweep(*pair, via=found.settings["via"], **asked)
    assert FORMS["json"](spelled) == FORMS["json"](found)
    assert ways_of(Options(via=("relative",), quantize=(None, 0.5)))[1].quantize == 0.5


def test_more_ways_are_added_to_a_run_and_only_they_are_computed(pair, tmp_path, monkeypatch):
    state = tmp_path / "state.json"
    api.sweep(*pair, via="relative", resume=state, **ASKED)
    scored = []
    scores = sweep_task._scores
    monkeypatch.setattr(sweep_task, "_scores", lambda *args: (scored.append(args[3].name), scores(*args))[1])
    more = api.sweep(*pair, via="relative", quantize="none,0.5", resume=state, **ASKED)

    assert (set(scored), len(scored)) == ({"relative+quantize=0.5"}, 6)
    monkeypatch.undo()
    assert FORMS["json"](more) == FORMS["json"](api.sweep(*pair, via="relative", quantize="none,0.5", **ASKED))
    with pytest.raises(UsageError, match=r"center was false and is true"):
        api.sweep(*pair, via="relative", center=True, resume=state, **ASKED)


def test_curves_are_means_over_draws_and_the_recommended_count_is_within_one_error(pair):
    found = api.sweep(*pair, via="relative", **ASKED)

    values = [point["scores"]["mrr"]["value"] for point in found.points if point["anchors"] == 20]
    assert found.curve("relative", "mrr")[-1] == (20, np.mean(values), pytest.approx(np.std(values, ddof=1)))
    best = max(found.curve("relative", "mrr"), key=lambda point: point[1])
    near = [point[0] for point in found.curve("relative", "mrr") if point[1] >= best[1] - best[2] / np.sqrt(2)]
    assert found.recommended[0]["anchors"] == min(near)


def test_of_a_measure_where_lower_is_closer_the_least_is_the_best():
    from relcli.measures.catalog import find_measure

    means = {10: 9.0, 50: 2.2, 100: 2.0}
    curves = [
        {"via": "relative", "strategy": "uniform", "anchors": count, "scores": {"median-rank": score}}
        for count, score in ((c, {"mean": m, "sd": 0.6, "draws": 4}) for c, m in means.items())
    ]

    (found,) = recommended(curves, find_measure("median-rank"))
    assert (found["anchors"], found["best_anchors"], found["standard_error"]) == (50, 100, 0.3)


def test_the_plain_linear_map_collapses_near_as_many_anchors_as_dimensions():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 40))
    y = x @ np.linalg.qr(rng.standard_normal((40, 40)))[0] + rng.standard_normal((300, 40))

    found = api.sweep(x, y, grid="20,41,150", draws=2, measures="mrr", via=["translate:linear", "translate:ortho"])
    linear, ortho = ([mean for _, mean, _ in found.curve(f"translate:{m}", "mrr")] for m in ("linear", "ortho"))
    assert linear[1] < linear[0] / 2 < linear[2] / 2
    assert ortho[0] < ortho[1] < ortho[2]
    assert any("collapses at 41 anchors for 40 dimensions" in note for note in found.notes)


def test_a_run_that_was_broken_off_ends_as_a_whole_one(pair, tmp_path, monkeypatch):
    whole = api.sweep(*pair, via="relative", **ASKED)
    state = tmp_path / "state.json"
    monkeypatch.setattr("relcli.reports.study.PAUSE", -1)
    calls = []

    def stop_at_third(self, make):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        keep(self, make)

    keep = Keeper.__call__
    monkeypatch.setattr(Keeper, "__call__", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        api.sweep(*pair, via="relative", resume=state, **ASKED)
    part = json.loads(state.read_text())
    calls.clear()
    monkeypatch.setattr(Keeper, "__call__", lambda self, make: (calls.append(1), keep(self, make))[1])
    resumed = api.sweep(*pair, via="relative", resume=state, **ASKED)

    assert (part["complete"], len(part["points"])) == (False, 2)
    assert len(calls) == len(whole.points) - 2
    assert FORMS["json"](resumed) == FORMS["json"](whole)
    jsonschema.validate(part, sweep_schema())
    assert json.loads(state.read_text()) == json.loads(FORMS["json"](whole))


def test_more_counts_are_added_to_a_run_and_another_seed_is_refused(pair, tmp_path):
    state = tmp_path / "state.json"
    api.sweep(*pair, via="relative", resume=state, **{**ASKED, "grid": "4,20"})
    kept = json.loads(state.read_text())["points"]
    more = api.sweep(*pair, via="relative", resume=state, **ASKED)

    assert [p for p in more.points if p["anchors"] != 8] == kept
    with pytest.raises(UsageError, match=r"seed was 0 and is 1"):
        api.sweep(*pair, via="relative", resume=state, seed=1, **ASKED)
    with pytest.raises(UsageError, match="array"):
        api.sweep(np.eye(9), np.eye(9), resume=state)
    (tmp_path / "other.json").write_text('{"command": "compare"}')
    with pytest.raises(FormatError, match="holds no sweep"):
        api.sweep(*pair, resume=tmp_path / "other.json", **ASKED)


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"strategies": "unifrom"}, UsageError, "Did you mean 'uniform'"),
        ({"strategies": "stratified"}, UsageError, "need labels"),
        ({"measures": "mmr"}, UsageError, "Did you mean 'mrr'"),
        ({"via": "relativ"}, UsageError, "Did you mean 'relative'"),
        ({"via": "translate:orto"}, UsageError, "Did you mean 'ortho'"),
        ({"via": "relative:cosin"}, UsageError, "Did you mean 'cosine'"),
        ({"via": "absolute"}, UsageError, "no anchors to sweep"),
        ({"via": "translate+quantize=1"}, UsageError, r"to translate may be added \+center"),
        ({"via": "relative+sparse=5,2"}, UsageError, "keeps k of 4 similarities"),
        ({"via": "relative+center", "center": True}, UsageError, "centres every way already"),
        ({"via": "translate", "similarities": "l1"}, UsageError, "--similarities multiplies relative ways"),
        ({"via": "relative+quantize=0.1", "quantize": "0.2"}, UsageError, "--quantize multiplies relative ways"),
        ({"similarities": "cosine,l3"}, UsageError, "similarity is called 'l3'"),
        ({"quantize": "none,0"}, UsageError, "no step above 0"),
        ({"quantize": "none,fine"}, UsageError, "'fine' is no step"),
        ({"grid": "10,many"}, UsageError, "'many'"),
        ({"grid": "1,5"}, UsageError, "at least 2"),
        ({"grid": ""}, UsageError, "No grid"),
        ({"grid": "10,119"}, AnchorError, "up to 118"),
        ({"grid": "10,500"}, AnchorError, "120 shared pairs"),
        ({"queries": 110}, UsageError, "ask for 1 to 99"),
        ({"draws": 0}, UsageError, "--draws 0"),
        ({"measures": "jaccard@200"}, UsageError, "200 neighbours"),
        (
            {"measures": "procrustes-residual,heldout-aligned-cosine", "via": "relative"},
            UsageError,
            "Add --via translate",
        ),
    ],
)
def test_what_cannot_be_swept_is_refused(pair, asked, error, message):
    with pytest.raises(error, match=message):
        api.sweep(*pair, **{**ASKED, **asked})


def test_first_is_drawn_once_and_the_grid_may_leave_one_query(pair):
    found = api.sweep(*pair, strategies="first", **{**ASKED, "grid": "118"}, via="relative")

    assert (len(found.points), found.basis["queries"]) == (1, 1)
    assert found.curve("relative", "mrr", "first")[0][2] is None


def test_ways_are_named_once():
    assert [
        way.name
        for way in ways_of(Options(via=("relative:cosine", "relative", "translate", "relative:product:cosine,l1")))
    ] == [
        "relative",
        "translate:ortho",
        "relative:product:cosine,l1",
    ]
    assert Options().draws == 10


def test_the_command_writes_all_forms_of_one_answer(pair, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = tmp_path / "out.json"
    words = ["sweep", *map(str, pair), "--anchors-grid", "4,8", "--draws", "2", "-m", "mrr,jaccard@5,cosine"]

    assert run([*words, "-o", str(out), "-o", str(out.with_suffix(".csv")), "-o", str(out.with_suffix(".md"))]) == 0
    table, err = capfd.readouterr()
    document = json.loads(out.read_text())
    jsonschema.validate(document, sweep_schema())
    assert err == ""
    assert max(map(len, table.splitlines())) <= 80
    rows = list(csv.DictReader(io.StringIO(out.with_suffix(".csv").read_text())))
    first = document["curves"][0]["scores"]["mrr"]["mean"]
    assert float(rows[0]["mean"]) == first
    assert f"{first:.3f}" in table
    assert f"{first:.3f}" in out.with_suffix(".md").read_text()
    # the .json is where a run is kept: again it has nothing left to do, and says the same
    assert run([*words, "--json", "-o", str(out)]) == 0
    assert json.loads(capfd.readouterr().out) == document
    for name, suffix in (("csv", ".csv"), ("markdown", ".md")):
        assert run([*words, "-f", name, "-o", str(out)]) == 0
        assert capfd.readouterr().out == out.with_suffix(suffix).read_text()
    assert run([*words, "--json", "-f", "csv"]) == 2
    assert "two documents" in capfd.readouterr().err
    assert run([*words, "--seed", "1", "-o", str(out)]) == 2
    assert "seed was 0 and is 1" in capfd.readouterr().err
    assert run(["schema", "sweep"]) == 0


def test_the_table_tells_the_chance_of_each_measure(pair):
    found = api.sweep(*pair, via="relative", **ASKED)

    (mrr,) = {f"{curve['scores']['mrr']['chance']:.3f}" for curve in found.curves}
    levels = [curve["scores"]["cosine"]["chance"] for curve in found.curves]
    line = next(line for line in FORMS["table"](found).splitlines() if line.startswith("chance"))
    assert line.split()[1] == mrr
    assert line.endswith(f"{min(levels):.3f} to {max(levels):.3f}".replace("-", "−"))
    assert f"| chance |  | {mrr} |" in FORMS["markdown"](found)


def test_the_picture_draws_a_chance_that_holds_for_all(pair):
    pytest.importorskip("matplotlib")
    found = api.sweep(*pair, via="relative", **ASKED)

    with styled():
        mrr, _, cosine = _curves(found).axes
    (line,) = (line for line in mrr.lines if line.get_label() == "chance")
    assert (line.get_linestyle(), line.get_ydata()[0]) == ("--", found.curves[0]["scores"]["mrr"]["chance"])
    assert not [line for line in cosine.lines if line.get_label() == "chance"]


@pytest.mark.parametrize(
    ("measure", "means", "sd", "told"),
    [
        ("mrr", {10: 0.2, 50: 0.5, 100: 0.7}, 0.1, "still rising at the end of the grid"),
        # the one before is within one standard error, .05, of the last: it is the recommended one
        ("mrr", {10: 0.2, 50: 0.66, 100: 0.7}, 0.1, None),
        ("mrr", {10: 0.2, 50: 0.8, 100: 0.7}, 0.1, None),
        ("median-rank", {10: 9.0, 50: 5.0, 100: 2.0}, 0.6, "still falling at the end of the grid"),
        ("mrr", {100: 0.7}, 0.1, None),
    ],
)
def test_a_measure_that_still_rises_at_the_end_of_the_grid_is_told(pair, measure, means, sd, told):
    from relcli.measures.catalog import find_measure

    curves = tuple(
        {
            **{"via": "relative", "strategy": "uniform", "anchors": count, "draws": 4},
            **dict.fromkeys(("condition_x", "condition_y", "mean_cosine_x", "mean_cosine_y")),
            "scores": {measure: {"mean": mean, "sd": sd, "draws": 4, "chance": None}},
        }
        for count, mean in means.items()
    )
    found = api.sweep(*pair, via="relative", **{**ASKED, "measures": measure})
    settings = {**found.settings, "grid": list(means)}
    best = tuple(recommended(curves, find_measure(measure)))
    text = " ".join(FORMS["table"](replace(found, curves=curves, recommended=best, settings=settings)).split())

    assert (told in text) if told else ("still" not in text)


def test_first_is_spoken_of_only_where_it_is_run(pair):
    asked = {**ASKED, "grid": "4", "via": "relative"}

    assert "first" not in FORMS["table"](api.sweep(*pair, **asked))
    assert "(first: the same each time)" in FORMS["table"](api.sweep(*pair, strategies="uniform,first", **asked))


def test_pictures_are_drawn_or_their_extra_is_named(pair, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="no picture"):
        check_plot("curve.jpeg")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)
        with pytest.raises(MissingExtraError, match=r"relcli\[plot\]"):
            check_plot("curve.png")
    pytest.importorskip("matplotlib")
    found = api.sweep(*pair, similarities="cosine,euclidean,l1", quantize="none,0.05,0.1,0.2", **ASKED)
    for suffix in (".png", ".svg"):
        draw(found, tmp_path / f"curve{suffix}")
    text = (tmp_path / "curve.svg").read_text()
    assert all(way in text for way in found.settings["via"])
    with styled():
        figure = _curves(found)
        figure.canvas.draw()
    legend = figure.legends[0].get_window_extent()
    assert legend.x0 >= 0
    assert legend.x1 <= figure.bbox.x1
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert all(
        word in text for word in ("number of anchors", "translate:linear", "120 shared rows", "held-out queries")
    )


@pytest.mark.skipif("RELCLI_SHARED" not in os.environ, reason="needs the real spaces")
def test_the_linear_map_collapses_on_words_and_the_others_do_not():
    words = Path(os.environ["RELCLI_SHARED"]) / "data" / "words"
    asked = {"grid": "100,300", "draws": 2, "measures": "mrr"}
    found = api.sweep(words / "w2v.npy", words / "fasttext_cc2k.parquet", **asked)

    at_300 = {via: found.curve(via, "mrr")[1][1] for via in ("relative", "translate:ortho", "translate:linear")}
    assert at_300["translate:linear"] < 0.1
    assert at_300["relative"] > 0.9
    assert at_300["translate:ortho"] > 0.9
