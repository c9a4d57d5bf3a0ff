"""`compare` rounds, thins and scales as it is told: each option against a plain twin, ties in expectation included."""

from __future__ import annotations

import json

import numpy as np
import pytest

import relcli
from relcli.cli.app import run
from relcli.errors import UsageError
from relcli.measures.catalog import all_measures
from tests import oracles
from tests.oracles import ORACLES, Case
from tests.oracles_similarities import similarities, sparse
from tests.test_measures_against_oracles import BY_COUNTS, differences, scores_of

N, ANCHORS = 70, 9


def case(*, seed: int = 0, k: int = 5) -> Case:
    """Return two spaces alike, of which rows 0, 1 and 2 lie near the axes: no row is far from all anchors."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((N, 3))
    x[:3] = np.eye(3) + 0.05 * rng.standard_normal((3, 3))
    y = x + 0.4 * rng.standard_normal((N, 3))
    y[:3] = np.eye(3) + 0.05 * rng.standard_normal((3, 3))
    return Case(x, y, [f"w{i:02}" for i in range(N)], list(range(ANCHORS)), include_anchors=False, k=k)


def rounded(step: float, v: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Return cosines to the nearest multiple of a step (Moschella et al. 2023, appendix on quantised similarities)."""
    return np.round(similarities("cosine", v, anchors) / step) * step


def thinned(k: int, power: float, v: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    return np.array([sparse(row.tolist(), k, power) for row in similarities("cosine", v, anchors)])


@pytest.mark.parametrize("step", [0.01, 0.5, 1.0])
def test_quantised_ranks_and_neighbours_are_those_of_the_twin_ties_and_all(step, monkeypatch):
    given = case()
    monkeypatch.setattr(oracles, "relative", lambda v, anchors: rounded(step, v, anchors))

    scores = scores_of(given, sorted(BY_COUNTS), quantize=step, views="relative")

    assert len(scores) == len(BY_COUNTS)
    assert [
        line for (name, _), s in scores.items() for line in differences(name, s, ORACLES[name](given, "relative"))
    ] == []
    # the coarse ones tie: rows that are no anchors share a rounded row
    distinct = len(np.unique(rounded(step, given.x, given.x[:ANCHORS]), axis=0))
    assert (distinct < N - 5) == (step >= 0.5)


def test_a_step_that_rounds_all_to_zero_leaves_chance():
    scores = scores_of(case(), ["mrr", "recall@k", "median-rank"], quantize=4.0, views="relative")

    for (name, _), score in scores.items():
        assert score.value == pytest.approx(score.chance, abs=1e-12), name


def test_every_measure_of_sparse_rows_is_that_of_the_twin(monkeypatch):
    given = case(seed=1)
    monkeypatch.setattr(oracles, "relative", lambda v, anchors: thinned(6, 1.5, v, anchors))

    scores = scores_of(given, list(all_measures()), sparse=(6, 1.5), views="relative")
    found = []
    for (name, view), score in scores.items():
        if view == "relative" and "relative" in all_measures()[name].views and oracles.clear_cut(name, given, view):
            found += differences(name, score, ORACLES[name](given, view))

    assert found == []


@pytest.mark.parametrize(
    ("options", "plain"),
    [
        ({"l2": True}, lambda v: v / np.linalg.norm(v, axis=1, keepdims=True)),
        ({"standardize": True}, lambda v: (v - v.mean(axis=0)) / v.std(axis=0)),
        ({"l2": True, "center": True}, lambda v: (u := v / np.linalg.norm(v, axis=1, keepdims=True)) - u.mean(axis=0)),
        (
            {"l2": True, "standardize": True},
            lambda v: ((u := v / np.linalg.norm(v, axis=1, keepdims=True)) - u.mean(axis=0)) / u.std(axis=0),
        ),
    ],
)
def test_rows_are_scaled_first_for_both_views(options, plain):
    given = case(seed=2)
    x, y = given.x + 2.0, 3.0 * given.y
    names = ["mrr", "jaccard@k", "debiased-cka", "heldout-procrustes-residual", "rbf-cka"]

    scaled = scores_of(Case(x, y, given.ids, given.anchors, False, 5), names, similarity="euclidean", **options)
    twin = scores_of(Case(plain(x), plain(y), given.ids, given.anchors, False, 5), names, similarity="euclidean")
    raw = scores_of(Case(x, y, given.ids, given.anchors, False, 5), names, similarity="euclidean")

    assert {key: score.value for key, score in scaled.items()} == {
        key: pytest.approx(score.value, abs=1e-9) for key, score in twin.items()
    }
    assert scaled["debiased-cka", "absolute"].value != pytest.approx(raw["debiased-cka", "absolute"].value, abs=1e-6)


def test_statistics_are_of_pairs_whose_rows_are_both_good():
    given = case(seed=3)
    x = given.x.copy()
    x[-1] = np.inf
    y = given.y.copy()
    y[-1] = 1e6
    options = {"measures": "debiased-cka", "views": "absolute", "l2": True, "standardize": True}

    dropped = relcli.compare((given.ids, x), (given.ids, y), given.ids[:9], on_bad="drop", **options)
    without = relcli.compare((given.ids[:-1], x[:-1]), (given.ids[:-1], y[:-1]), given.ids[:9], **options)

    assert dropped.scores[0].value == pytest.approx(without.scores[0].value, abs=1e-12)
    with pytest.raises(relcli.errors.VectorError, match="infinite numbers"):
        relcli.compare((given.ids, x), (given.ids, y), given.ids[:9], **options)


def test_null_and_other_anchors_are_rounded_too():
    given = case(seed=4)
    asked = {"measures": "mrr", "views": "relative", "null": 2, "anchor_draws": 2}
    spaces = (given.ids, given.x), (given.ids, given.y), "uniform:9"

    (score,) = relcli.compare(*spaces, quantize=4.0, **asked).scores
    (plain,) = relcli.compare(*spaces, **asked).scores

    # all rows are level: every pairing and every choice of anchors is at chance
    assert (score.null.mean, score.draws.mean) == (pytest.approx(score.chance), pytest.approx(score.chance))
    assert plain.draws.mean > 2 * score.draws.mean


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantize": 0.0}, "not a positive step"),
        ({"sparse": "10,2"}, "keeps k of 9 similarities"),
        ({"sparse": "many"}, "is not K,P"),
        ({"sparse": (3, 2.0), "similarity": "l1"}, "no low l1 similarity"),
    ],
)
def test_what_cannot_be_rounded_or_thinned_is_refused(options, message):
    given = case()
    with pytest.raises(UsageError, match=message):
        relcli.compare((given.ids, given.x), (given.ids, given.y), given.ids[:9], measures="mrr", **options)


def test_the_command_takes_them_and_tells_of_them(tmp_path, capfd):
    given = case()
    for name, v in (("x", given.x), ("y", given.y)):
        np.save(tmp_path / f"{name}.npy", v)
    words = ["compare", str(tmp_path / "x.npy"), str(tmp_path / "y.npy"), "-a", "first:9", "-m", "mrr"]
    flags = ["--quantize", "0.25", "--sparse", "4,2", "--standardize", "--l2"]

    assert run([*words, *flags, "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert run([*words, *flags]) == 0
    table = capfd.readouterr().out
    settings = document["settings"]
    assert [settings[name] for name in ("quantize", "sparse", "standardize", "l2")] == [0.25, [4, 2.0], True, True]
    assert all(
        word in " ".join(table.split()) for word in ("rounded to 0.25", "the 4 largest", "unit rows", "standardised")
    )
