"""`recommend` and `--via auto` choose by held-out anchors alone, and what they choose is the best there is."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import relcli
from relcli.arrays import unit_rows
from relcli.cli.app import run
from relcli.errors import AnchorError, DataError, IdError, UsageError, VectorError
from relcli.evaluation import choosing, heldout, heldout_heads
from relcli.evaluation.choosing import parse_candidates
from relcli.evaluation.heldout import fold_numbers
from relcli.evaluation.vias import parse_way
from relcli.reports.recommendation import to_csv, to_document, to_markdown, to_text
from tests import oracles_recommend as plain
from tests.scripts import script
from tests.strategies import isometry

SAMPLES = Path(__file__).parent.parent / "sample_embeddings"
N, D = 140, 6
IDS = np.array([f"w{i:03d}" for i in range(N)])
ANCHORS = [f"w{i:03d}" for i in range(0, 80, 2)]
AT = np.arange(0, 80, 2)


def world(*, noise: float = 0.3, shift: float = 0.0, dy: int = D) -> tuple[np.ndarray, np.ndarray]:
    """Return x, and y as x turned, shifted and noisy."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((N, D)) + 0.5
    y = (np.pad(x, ((0, 0), (0, dy - D))) @ isometry(1, dy)) + noise * rng.standard_normal((N, dy))
    return x, y + shift * rng.standard_normal(dy)


def classes(x: np.ndarray) -> list[str]:
    """Return a class of each row, told by the side it lies on in two directions."""
    return [f"c{int(one > 0.5) + 2 * int(two > 0.5)}" for one, two in x[:, :2]]


def recommended(x: np.ndarray, y: np.ndarray, anchors: Any = ANCHORS, **options: Any) -> Any:
    return relcli.recommend((IDS, x), (IDS, y), anchors, **options)


WAYS = (
    "relative",
    "relative+center",
    "relative:euclidean",
    "translate:ortho",
    "translate:ortho+center",
    "product:translate:ortho+center,relative,relative:euclidean",
)


@pytest.mark.parametrize(
    ("way", "folds"),
    [
        ("relative+center", 5),
        ("translate:ortho+csls", 12),
        ("product:relative,translate:ortho+center+csls", 5),
        *(
            pytest.param(way, folds, marks=pytest.mark.slow)
            for folds in (5, 12)
            for way in (*WAYS, *(f"{way}+csls" for way in WAYS))
        ),
    ],
)
def test_scores_are_those_of_a_loop_over_the_anchors(way, folds):
    x, y = world()
    found = recommended(x, y, candidates=[way], folds=folds).choice().trial(way)
    fold = fold_numbers(np.array(ANCHORS), folds)
    sides = x, y, AT, AT, fold, x.mean(axis=0), y.mean(axis=0)
    ranks = np.array(plain.held_out_ranks(way, *sides))
    turned = np.array(plain.held_out_ranks(way, y, x, AT, AT, fold, y.mean(axis=0), x.mean(axis=0)))

    assert ranks.max() > 1
    assert found.score == pytest.approx(np.mean(1 / ranks), abs=1e-9)
    assert found.se == pytest.approx(np.std(1 / ranks, ddof=1) / np.sqrt(len(ranks)), abs=1e-9)
    assert found.merit == pytest.approx(np.mean(-np.log(ranks)), abs=1e-9)
    assert found.back == pytest.approx(np.mean(1 / turned), abs=1e-9)


@pytest.mark.parametrize("way", ["relative", "translate:ortho"])
def test_a_rough_csls_is_that_of_fewer_rows_and_fewer_parts(way, monkeypatch):
    monkeypatch.setattr(choosing, "ROUGH_ROWS", 56)
    x, y = world()
    near, depth = choosing.neighbours(IDS)
    fold = fold_numbers(np.array(ANCHORS), 12)
    means = x.mean(axis=0), y.mean(axis=0)
    known = heldout.Known(x[AT], y[AT], fold, y, AT, x, near, depth, means)
    ways = [parse_way(f"{way}{csls}", additions=["csls"]) for csls in ("", "+csls")]
    plainly, roughly = heldout.held_out(ways, known, rough=True)
    sides = x, y, AT, AT, fold, *means
    ranks = np.array(plain.held_out_ranks(f"{way}+csls", *sides, near=near, depth=depth, parts=5))

    assert (len(near), depth) == (56, 4)
    assert roughly.merit == pytest.approx(-np.log(ranks), abs=1e-12)
    assert plainly.merit == pytest.approx(-np.log(plain.held_out_ranks(way, *sides)), abs=1e-12)
    assert not np.array_equal(ranks, plain.held_out_ranks(f"{way}+csls", *sides))


def test_the_ways_best_by_a_rough_csls_are_tried_by_csls():
    x, y = world()
    trials = recommended(x, y).choice().trials
    tried = [trial.via for trial in trials if trial.via.endswith("+csls")]

    products = [trial.via for trial in trials if trial.via.startswith("product:")]
    assert len([via for via in tried if via not in products]) == choosing.CSLS_TRIED
    assert len(products) == choosing.MEMBERS - 1
    assert len(trials) == len(choosing.RETRIEVING) + choosing.CSLS_TRIED + len(products)


@pytest.mark.parametrize(("noise", "kind"), [(0.3, ""), (0.6, "+csls")])
def test_products_are_of_the_best_two_three_and_four_of_the_kind_that_is_best(noise, kind):
    x, y = world(noise=noise)
    trials = recommended(x, y).choice().trials
    single = [trial.via for trial in trials if not trial.via.startswith("product:")]
    products = sorted((trial.via for trial in trials if trial.via.startswith("product:")), key=len)
    best = [via.removesuffix("+csls") for via in single if via.endswith("+csls") == bool(kind)]

    assert single[0].endswith("+csls") == bool(kind)
    assert products == [f"product:{','.join(best[:count])}{kind}" for count in (2, 3, 4)]
    assert not any(trial.via.startswith("product:") for trial in recommended(x, y, products=False).choice().trials)


def tried(via: str, merit: list[float]) -> choosing.Tried:
    """Return a way that made this of its anchors."""
    way = parse_way(via, additions=["csls"], products=True)
    return choosing.Tried(way, np.exp(merit), 0.0, np.array(merit))


def test_of_ways_that_the_anchors_cannot_tell_apart_the_largest_product_is_taken():
    single = tried("relative", [0.0, -0.7, 0.0, -0.7, 0.0, -0.7])
    level = tried("product:relative,absolute", [-0.7, -0.7, 0.0, 0.0, -0.7, -0.7])
    worse = tried("product:relative,absolute,relative:l1", [-0.9, -1.7, -0.9, -1.5, -0.9, -1.6])

    assert choosing.best_of([single, level, worse]) is level
    large = tried("product:relative,absolute,relative:l1,relative:linf", [-0.7, -0.8, 0.0, 0.0, -0.7, -0.7])
    assert choosing.best_of([single, level, worse, large]) is level
    assert choosing.best_of([worse, large]) is large
    assert choosing.best_of([single, worse]) is single
    assert choosing.best_of([worse, tried("absolute", [-2.0, -2.5, -1.9, -2.6, -2.0, -2.4])]) is worse


def test_a_single_way_without_a_fault_is_taken_before_any_product():
    faultless = tried("relative", [0.0, 0.0, 0.0])

    assert choosing.best_of([tried("product:relative,absolute", [0.0, 0.0, 0.0]), faultless]) is faultless


@pytest.mark.parametrize("way", ["relative", "relative+center", "relative:euclidean", "translate:ortho"])
def test_decisions_of_heads_are_those_of_scikit_learn_fitted_anew_for_each_anchor(way):
    x, y = world(noise=0.6)
    labels = np.array(classes(x))
    train = np.arange(N) < 120
    split = (IDS, np.where(train, "train", "test"))
    found = recommended(x, y, candidates=[way], folds=5, purpose="stitching", labels=(IDS, labels), split=split)
    trial = found.choice("stitching").trial(way)
    fold = fold_numbers(np.array(ANCHORS), 5)
    means = x[train].mean(axis=0), y[train].mean(axis=0)
    decisions = plain.held_out_decisions(way, x[train], labels[train], AT, x[AT], y[AT], fold, *means)
    own = [sorted(set(labels)).index(label) for label in labels[AT]]
    hits = [values.index(max(values)) == code for values, code in zip(decisions, own, strict=True)]

    assert 0.3 < np.mean(hits) < 1
    assert trial.score == pytest.approx(np.mean(hits), abs=1e-9)
    assert trial.merit == pytest.approx(plain.log_likelihood(decisions, own), abs=1e-7)


def test_a_class_that_only_held_out_anchors_are_of_counts_as_the_other_classes_do():
    x, y = world()
    labels = np.array(classes(x))
    labels[AT[7]] = "rare"
    trial = recommended(x, y, candidates=["relative"], purpose="stitching", labels=(IDS, labels)).choice("stitching")

    assert np.isfinite(trial.trial("relative").merit)
    assert trial.trial("relative").score < 1


def test_a_rotation_is_told_by_a_map_that_ranks_every_anchor_first():
    x, _ = world()
    choice = recommended(x, x @ isometry(4, D)).choice()

    assert choice.via.startswith("translate:")
    assert choice.trials[0].score == 1.0
    assert choice.trials[0].via == choice.via


def test_a_shift_makes_centred_vectors_the_better():
    x, y = world(noise=0.05, shift=6.0)
    choice = recommended(x, y, candidates=["relative", "relative+center"]).choice()

    assert choice.via.startswith("relative+center")
    assert choice.trial("relative").behind > 3 * choice.trial("relative").behind_se > 0


def test_level_ways_go_to_the_clearer():
    x, _ = world()
    choice = recommended(x, 3 * x, candidates=["relative", "translate:linear"]).choice()
    leads = [trial.lead for trial in choice.trials]

    assert {trial.merit for trial in choice.trials} == {0.0}
    assert leads == sorted(leads, reverse=True)
    assert leads[0] > leads[-1]


def without_times(choice: Any) -> Any:
    return replace(choice, seconds=0, trials=tuple(replace(trial, seconds=0) for trial in choice.trials))


def test_the_pairing_of_rows_that_are_no_anchors_changes_nothing():
    x, y = world()
    others = np.flatnonzero(~np.isin(IDS, ANCHORS))
    names = IDS.copy()
    names[others] = IDS[np.random.default_rng(0).permutation(others)]
    told = recommended(x, y).choice()
    dealt = relcli.recommend((IDS, x), (names, y), ANCHORS).choice()

    assert (names != IDS).sum() > 90
    assert without_times(dealt) == without_times(told)


def test_labels_and_vectors_of_test_rows_change_nothing():
    x, y = world(noise=0.6)
    train = np.arange(N) < 100
    split = (IDS, np.where(train, "train", "test"))
    labels = np.array(classes(x))
    other = np.where(train, labels, labels[::-1])
    moved_x, moved_y = (np.where(train[:, None], v, 5 - v) for v in (x, y))
    asked = {"purpose": "stitching", "split": split}
    told = recommended(x, y, labels=(IDS, labels), **asked).choice("stitching")
    changed = recommended(moved_x, moved_y, labels=(IDS, other), **asked).choice("stitching")

    assert (other != labels).any()
    assert without_times(changed) == without_times(told)


def test_rows_in_another_order_change_nothing():
    x, y = world()
    order = np.random.default_rng(1).permutation(N)
    told = recommended(x, y).choice()
    turned = relcli.recommend((IDS[order], x[order]), (IDS, y), ANCHORS).choice()

    assert turned.via == told.via
    assert [t.score for t in turned.trials] == pytest.approx([t.score for t in told.trials], abs=1e-9)


def test_the_number_of_workers_changes_nothing():
    x, y = world()
    alone, together = (recommended(x, y, workers=workers).choice() for workers in (1, 3))

    assert without_times(alone) == without_times(together)


def test_folds_are_equal_in_size_and_do_not_follow_the_order():
    fold = fold_numbers(IDS, 9)
    order = np.random.default_rng(2).permutation(N)

    assert set(np.bincount(fold)) == {15, 16}
    assert np.array_equal(fold_numbers(IDS[order], 9), fold[order])
    assert not np.array_equal(fold_numbers(IDS, 9, seed=1), fold)


def test_ten_anchors_are_held_out_one_by_one():
    assert recommended(*world(), ANCHORS[:10], folds=50).choice().folds == 10


def test_more_rows_than_are_searched_are_sampled_with_the_anchors_among_them(monkeypatch):
    monkeypatch.setattr(choosing, "ROWS", 60)
    found = recommended(*world())

    assert found.choice().rows == {"used": 60, "of": N}
    assert any("60 of 140 rows" in note for note in found.notes)


def test_spaces_of_other_ids_are_centred_on_their_anchors():
    x, y = world()
    renamed = np.array([f"v{name}" for name in IDS])
    pairs = [(name, f"v{name}") for name in ANCHORS]
    found = relcli.recommend((IDS, x), (renamed, y), pairs)

    assert any("means of the 40 anchors" in note for note in found.notes)


def test_without_labels_it_says_that_the_choice_is_for_retrieval():
    found = recommended(*world())

    assert [choice.purpose for choice in found.choices] == ["retrieval"]
    assert any("no labels" in note for note in found.notes)


def test_with_labels_it_chooses_for_both():
    x, y = world()
    found = recommended(x, y, labels=(IDS, classes(x)))

    assert [choice.purpose for choice in found.choices] == ["retrieval", "stitching"]
    assert found.via("stitching") in {trial.via for trial in found.choice("stitching").trials}
    assert found.choice("stitching").flags.split()[0] in ("--similarity", "--translate")


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"anchors": ANCHORS[:9]}, AnchorError, "9 anchors are too few"),
        ({"folds": 1}, UsageError, "--folds 1"),
        ({"purpose": "retrieving"}, UsageError, "Did you mean 'retrieval'"),
        ({"purpose": "stitching"}, UsageError, "--labels"),
        ({"direction": "back"}, UsageError, "--direction"),
        ({"candidates": ["relative:cosin"]}, UsageError, "cosine"),
        ({"labels": (IDS[5:], ["a", "b"] * 67 + ["a"])}, IdError, "have no label"),
        ({"labels": (IDS, ["a"] * N)}, DataError, "two classes"),
        ({"labels": (IDS, IDS)}, DataError, "no classes"),
        ({"split": (IDS, ["train"] * N)}, UsageError, "--labels"),
        ({"on_bad": "keep"}, UsageError, "--on-bad"),
    ],
)
def test_it_says_what_it_cannot_do(options, error, said):
    with pytest.raises(error, match=said):
        recommended(*world(), **options)


@pytest.mark.parametrize("way", ["absolute", "absolute+center", "absolute+csls", "product:absolute+center,relative"])
def test_coordinates_of_other_widths_are_refused(way):
    x, y = world(dy=D + 4)
    with pytest.raises(VectorError, match=rf"--candidates .*compares coordinates, and x has {D} .* y {D + 4}"):
        recommended(x, y, candidates=[way, "relative"])


@pytest.mark.parametrize("way", ["translate:ortho+center", "relative+csls", "product:relative,absolute", "absolute"])
def test_what_cannot_stitch_is_refused_before_anything_is_searched(way, monkeypatch):
    monkeypatch.setattr("relcli.tasks.recommend.choose_retrieval", None)
    x, y = world()
    with pytest.raises(UsageError, match=r"--candidates .* is no way to stitch by.*--for retrieval alone"):
        recommended(x, y, candidates=[way], labels=(IDS, classes(x)))


def test_candidates_that_stitching_refuses_are_fine_for_retrieval_alone():
    x, y = world()
    found = recommended(x, y, candidates=["translate:ortho+center+csls"], labels=(IDS, classes(x)), purpose="retrieval")

    assert found.via() == "translate:ortho+center+csls"


def test_chance_is_that_of_random_ranks_and_of_the_most_frequent_class():
    x, y = world()
    labels = classes(x)
    found = recommended(x, y, labels=(IDS, labels), candidates=["relative"])
    of_anchors = Counter(labels[at] for at in AT)

    assert found.choice().chance == pytest.approx(sum(1 / rank for rank in range(1, N + 1)) / N)
    assert found.choice("stitching").chance == max(of_anchors.values()) / len(ANCHORS)
    assert not [note for note in found.notes if "chance" in note]


def test_spaces_with_nothing_in_common_are_told_as_such():
    x, _ = world()
    y = np.random.default_rng(9).standard_normal((N, D))
    found = recommended(x, y)
    notes = [note for note in found.notes if "no way does better than chance" in note]
    asked = relcli.retrieve((IDS, x), (IDS, y), ANCHORS, via="auto")

    assert len(notes) == 1
    assert f"chance {found.choice().chance:.3f}" in notes[0]
    assert notes[0] in asked.retrieval.notes
    assert f"for retrieval · chance MRR {found.choice().chance:.3f}" in to_text(found)


def test_translations_are_not_centred_for_stitching():
    with pytest.raises(UsageError, match="no way to stitch by"):
        parse_candidates(["translate:ortho+center"], "stitching")


def test_bad_rows_are_refused_or_left_out():
    x, y = world()
    y[101] = np.nan
    with pytest.raises(VectorError, match="w101"):
        recommended(x, y)

    assert recommended(x, y, on_bad="drop").choice().rows["of"] == N - 1


# -- retrieve --via auto ---------------------------------------------------------------------------------------------


def test_auto_retrieves_by_what_recommend_chooses():
    x, y = world()
    choice = recommended(x, y, direction="forward").choice()
    found = relcli.retrieve((IDS, x), (IDS, y), ANCHORS, via="auto", k=5)
    said = relcli.retrieve((IDS, x), (IDS, y), ANCHORS, via=choice.via, k=5)

    assert found.retrieval.settings["via"] == [choice.via]
    assert np.array_equal(found.via("auto").ids, said.hits.ids)
    assert found.score("mrr", "auto").value == said.score("mrr").value
    assert [t["via"] for t in found.retrieval.settings["auto"]["trials"]] == [t.via for t in choice.trials]
    assert any(note.startswith(f"auto is {choice.via}:") for note in found.notes)


def test_auto_beside_its_own_choice_is_one_method():
    x, y = world()
    choice = recommended(x, y).via()
    found = relcli.retrieve((IDS, x), (IDS, y), ANCHORS, via=["auto", choice, "relative"], k=5)

    assert found.retrieval.settings["via"] == list(dict.fromkeys([choice, "relative"]))


@pytest.mark.parametrize("flag", ["center", "csls"])
def test_auto_settles_centring_and_csls_itself(flag):
    with pytest.raises(UsageError, match="--via auto"):
        relcli.retrieve((IDS, world()[0]), (IDS, world()[1]), ANCHORS, via="auto", k=5, **{flag: True})


def test_auto_needs_anchors():
    with pytest.raises(UsageError, match="--via auto needs anchors"):
        relcli.retrieve((IDS, world()[0]), (IDS, world()[1]), via="auto", k=5)


# -- stitch --via auto ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", ["ridge", "svm"])
def test_auto_stitches_by_what_recommend_chooses(head):
    x, y = world(noise=0.6)
    labels = (IDS, classes(x))
    split = (IDS, np.where(np.arange(N) < 100, "train", "test"))
    given: dict[str, Any] = {"anchors": ANCHORS, "labels": labels, "split": split, "head": head}
    choice = recommended(x, y, labels=labels, split=split).choice("stitching")
    way = choice.via
    said = {"similarity": ["cosine"], "translate": ["ortho"]}
    said["translate" if way.startswith("translate") else "similarity"] = [choice.flags.split()[1]]
    found = relcli.stitch((IDS, x), (IDS, y), via="auto", **given)
    named = relcli.stitch((IDS, x), (IDS, y), **given, **said)

    assert found.settings["auto"][0]["via"] == way
    assert found.stitch("space 1", "space 2", "auto").figures == named.stitch("space 1", "space 2", way).figures
    assert any(f"auto is {way}:" in note for note in found.notes)
    assert [choice["source"] for choice in found.settings["auto"]] == ["space 1", "space 2"]


def test_auto_trains_a_head_of_its_own_where_none_goes_by_that_way(monkeypatch):
    x, y = world(noise=0.6)
    monkeypatch.setattr(choosing, "STITCHING", ("relative:euclidean",))
    given: dict[str, Any] = {"anchors": ANCHORS, "labels": (IDS, classes(x)), "head": "ridge"}
    found = relcli.stitch((IDS, x), (IDS, y), via="auto", **given)
    named = relcli.stitch((IDS, x), (IDS, y), similarity="euclidean", **given)

    assert (
        found.stitch("space 2", "space 1", "auto").figures
        == named.stitch("space 2", "space 1", "relative:euclidean").figures
    )


@pytest.mark.parametrize(("options", "said"), [({"via": "best"}, "--similarity"), ({"regression": True}, "regression")])
def test_stitch_says_what_auto_cannot_do(options, said):
    x, y = world()
    with pytest.raises(UsageError, match=said):
        relcli.stitch((IDS, x), (IDS, y), anchors=ANCHORS, labels=(IDS, x[:, 0]), **{"via": "auto", **options})


def test_classes_of_anchors_to_be_tested_on_are_not_looked_at():
    x, y = world(noise=0.6)
    labels = np.array(classes(x))
    train = np.arange(N) >= 30
    other = np.where(train, labels, "c0")
    asked = {"purpose": "stitching", "split": (IDS, np.where(train, "train", "test"))}
    told = recommended(x, y, labels=(IDS, labels), **asked)
    changed = recommended(x, y, labels=(IDS, other), **asked)

    assert told.choice("stitching").anchors == 25
    assert without_times(changed.choice("stitching")) == without_times(told.choice("stitching"))
    assert any("15 anchors are no train rows" in note for note in told.notes)


# -- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("digits_ae_s0.npy", "digits_ae_s0.ids.txt", "digits_ae_s1.parquet", "anchors.txt", "labels.csv"):
        shutil.copy(SAMPLES / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


PAIR = ("recommend", "digits_ae_s0.npy", "digits_ae_s1.parquet", "--anchors", "anchors.txt")
FEW = ("--candidates", "relative", "--candidates", "translate:ortho", "--direction", "forward", "--folds", "3")


def test_the_command_prints_the_flags_and_writes_all_forms(folder, capsys):
    assert run([*PAIR, *FEW, "-o", "r.json", "-o", "r.md", "-o", "r.csv", "-o", "r.txt", "-q"]) == 0

    out = capsys.readouterr().out
    document = json.loads((folder / "r.json").read_text())
    rows = list(csv.DictReader((folder / "r.csv").open()))
    via = document["choices"][0]["via"]
    assert f"recommended: --via {via}" in out
    assert f"--via {via}" in (folder / "r.md").read_text()
    assert [row["via"] for row in rows if row["chosen"] == "true"] == [via]
    assert len(rows) == len(document["choices"][0]["trials"]) == 5
    assert via in (folder / "r.txt").read_text()


def test_the_command_refuses_to_write_over_what_it_reads(folder, capsys):
    assert run([*PAIR, *FEW, "--labels", "labels.csv", "-o", "labels.csv"]) == 2
    assert "labels.csv" in capsys.readouterr().err


def test_every_form_tells_the_same_choice():
    x, y = world()
    found = recommended(x, y, labels=(IDS, classes(x)))

    for text in (to_text(found, width=100), to_markdown(found)):
        for choice in found.choices:
            assert choice.flags in text
    assert len(list(csv.reader(io.StringIO(to_csv(found))))) == 1 + sum(len(c.trials) for c in found.choices)
    assert to_document(found)["choices"][1]["measure"] == "accuracy"


def test_ridge_is_that_of_scikit_learn():
    from sklearn.linear_model import RidgeClassifier

    rng = np.random.default_rng(8)
    rows, codes = unit_rows(rng.standard_normal((90, 5))), rng.integers(0, 3, 90)
    for kept in (codes < 3, codes < 2):
        said = RidgeClassifier().fit(rows[kept], codes[kept]).predict(rows)

        assert np.array_equal(heldout_heads.Ridge.of(rows[kept], codes[kept])(rows), said)


# -- the page --------------------------------------------------------------------------------------------------------


ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "recommend.md").read_text(encoding="utf-8")


recommending = script("benchmarks/recommending.py")
FOUND = recommending.figures()


def test_the_page_shows_what_was_measured():
    assert recommending.page_with(PAGE, FOUND) == PAGE, "run python -m benchmarks.recommending --tables"


def test_both_directions_of_every_pair_are_in_the_tables():
    titles = Counter(key.split(" | ")[1] for key in FOUND if key.endswith(" | 300"))

    assert titles == {
        "retrieval": 2 * len(recommending.PAIRS),
        "stitching": 2 * sum(kind is not None for _, _, kind in recommending.PAIRS.values()),
    }
    assert all(f"| {key.split(' | ')[0]} |" in PAGE for key in FOUND)


def test_every_miss_of_the_bar_is_told_in_words():
    missed = {key for key, one in FOUND.items() if recommending.verdict(one) == "missed"}
    of_most = [key.split(" | ")[0] for key in missed if key.endswith(" | 300")]

    assert all(title in PAGE.partition("### Where it misses")[2] for title in of_most)
    assert ("On all 44 tasks the bar is kept" in PAGE) == (not of_most)
    assert missed


def test_the_overview_counts_what_the_tables_show():
    rows = [line.split("|") for line in PAGE.splitlines() if " ± 0" in line and line.endswith("|")]
    overview = [line for line in recommending.overview(FOUND).splitlines() if "| 300 |" in line]

    for line, purpose in zip(overview, ("retrieval", "stitching"), strict=True):
        shown = PAGE.partition(f"<!-- table {purpose} 300 -->")[2].partition("<!-- end -->")[0]
        of_purpose = [row for row in rows if "|".join(row) in shown]
        cells = [cell.strip() for cell in line.split("|")]
        assert cells[1:4] == [purpose, "300", str(len(of_purpose))]
        assert cells[5] == str(sum(row[6].strip() == "kept" for row in of_purpose))
        gaps = [float(row[4].split("±")[0].replace("−", "-")) for row in of_purpose]
        assert float(cells[6].replace("−", "-")) == pytest.approx(sum(gaps) / len(gaps), abs=1e-4)


def test_the_error_of_a_difference_is_that_of_its_formula():
    rng = np.random.default_rng(5)
    auto, best = rng.random((2, 4, 30))
    means = [sum(a - b for a, b in zip(*seed, strict=True)) / 30 for seed in zip(auto, best, strict=True)]
    over_seeds = sum((m - sum(means) / 4) ** 2 for m in means) / 3 / 4
    over_rows = sum(np.var(a - b, ddof=1) / 30 for a, b in zip(auto, best, strict=True)) / 4
    gap, error = recommending.difference(auto, best)

    assert gap == pytest.approx(sum(means) / 4, abs=1e-12)
    assert error == pytest.approx((over_seeds + over_rows) ** 0.5, abs=1e-12)


def test_true_ranks_of_the_benchmark_are_those_of_a_loop():
    x, y = world()
    sides = recommending.Side(IDS, x), recommending.Side(IDS, y)
    ways = [parse_way("translate:ortho")]
    asked = np.setdiff1d(np.arange(N), AT)
    means = x.mean(axis=0), y.mean(axis=0)
    found = recommending._true_ranks(ways, *sides, asked, asked, (x[AT], y[AT]), means)
    for way, values in found.items():
        base = plain.carried("translate:ortho", x[AT], y[AT], x, y, *means)
        of_x, of_y = map(plain.unit, base)
        scores = of_x[asked] @ of_y.T
        if way.endswith("+csls"):
            scores = scores - np.sort(of_x @ of_y.T, axis=0)[-10:].mean(axis=0) / 2

        assert values == pytest.approx([1 / plain.rank(list(row), at) for row, at in zip(scores, asked, strict=True)])


def test_the_example_of_the_page_is_what_the_command_prints(folder, capsys):
    assert run([*PAIR, "--labels", "labels.csv"]) == 0

    printed = capsys.readouterr().out
    example = re.findall(r"<!-- example -->\n```text\n(.*?)```", PAGE, re.DOTALL)[0]
    for line in example.splitlines():
        if line.startswith(("recommended", "for ", "translate", "relative")):
            words = line.split()
            assert any(shown.split()[: len(words)] == words for shown in printed.splitlines()), line
