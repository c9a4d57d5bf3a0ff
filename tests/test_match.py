"""`match` finds the assignment that brute force finds, and keeps anchors out of it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

import relcli
from relcli.cli.app import run
from relcli.errors import DataError, UsageError, VectorError
from relcli.measures.matching import matching_accuracy, top_shares
from relcli.reports.schema import report_schema
from relcli.spaces.translation import fit_translation
from tests.strategies import gaussian_pair, isometry

SAMPLES = Path(__file__).parent.parent / "sample_embeddings"
ANCHORS = [f"w{i}" for i in range(20)]
N, D = 60, 6


def pair(noise: float = 0.5, dy: int = D) -> tuple[tuple[list[str], np.ndarray], tuple[list[str], np.ndarray]]:
    """Return a space and a noisy rotation of it, rows in another order."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((N, D))
    y = (np.pad(x, ((0, 0), (0, max(dy - D, 0)))) @ isometry(1, max(D, dy)))[:, :dy]
    y = y + noise * rng.standard_normal(y.shape)
    ids = [f"w{i}" for i in range(N)]
    order = rng.permutation(N)
    return (ids, x), ([ids[i] for i in order], y[order])


PRODUCT = "product:translate:linear,relative"


def unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def plain(via: str) -> dict[str, float]:
    """Return the figures over all rows that are no anchors, from x to y, written down plainly."""
    (ids, x), (ids_y, y) = pair()
    y = y[[ids_y.index(name) for name in ids]]
    ax, ay, x, y = x[:20], y[:20], x[20:], y[20:]
    if via.startswith("product:"):
        turned = fit_translation(ax, ay, method="linear")(x)
        cosines = (unit(turned) @ unit(y).T + unit(unit(x) @ unit(ax).T) @ unit(unit(y) @ unit(ay).T).T) / 2
        return figures(cosines)
    if via == "relative":
        x, y = unit(x) @ unit(ax).T, unit(y) @ unit(ay).T
    if via == "relative:euclidean":
        x, y = (-np.linalg.norm(v[:, None] - a, axis=2) for v, a in ((x, ax), (y, ay)))
    if via == "translate:linear":
        x = fit_translation(ax, ay, method="linear")(x)
    return figures(unit(x) @ unit(y).T)


def figures(cosines: np.ndarray) -> dict[str, float]:
    rows, columns = linear_sum_assignment(-cosines)
    ranks = [1 + sum(cosines[i] > cosines[i, i]) for i in range(len(cosines))]
    return {
        "matching-accuracy": float(np.mean(rows == columns)),
        **{f"recall@{k}": float(np.mean([rank <= k for rank in ranks])) for k in (1, 5, 10)},
    }


@pytest.mark.parametrize("via", ["relative", "relative:euclidean", "translate:linear", "absolute", PRODUCT])
def test_it_agrees_with_a_plain_twin(via):
    report = relcli.match(*pair(), ANCHORS, via=via)

    assert {score.measure: score.forward for score in report.scores} == pytest.approx(plain(via))
    assert report.settings["queries"] == N - len(ANCHORS)


@pytest.mark.parametrize("q", [2, 3, 5, 7])
def test_an_assignment_is_the_best_of_all_permutations(q):
    scores = np.random.default_rng(q).standard_normal((q, q))
    best = max(itertools.permutations(range(q)), key=lambda order: sum(scores[i, j] for i, j in enumerate(order)))
    truth = np.random.default_rng(q + 1).permutation(q)

    assert matching_accuracy(scores, truth) == np.mean(np.array(best) == truth)


def test_ties_count_as_what_chance_makes_of_them():
    scores = np.ones((4, 4))

    assert top_shares(scores, np.arange(4), (1, 2, 5)) == [0.25, 0.5, 1.0]


def test_unrelated_spaces_match_at_chance():
    x, y = gaussian_pair(0, 420, 8, 8)
    report = relcli.match(x, y, "uniform:20", seeds=5)

    for score in report.scores:
        assert score.value == pytest.approx(score.chance, abs=0.02)


def test_equal_rows_are_not_told_apart_by_their_order():
    same = np.ones((300, 4)) + 0.0
    same[:4] += np.eye(4)
    report = relcli.match(same, same, [str(i) for i in range(4)], via="absolute")

    assert report.score("matching-accuracy", "absolute").value < 0.05


def test_a_rotation_is_matched_wholly():
    report = relcli.match(*pair(noise=0.0), ANCHORS, seeds=2, queries=30)

    assert report.score("matching-accuracy", "relative").value == 1.0
    assert report.score("matching-accuracy", "translate:ortho").draws.sd == 0.0


def test_anchors_are_not_among_the_rows():
    with pytest.raises(DataError, match="40 of 60 shared rows are no anchors, and 41 are to be matched"):
        relcli.match(*pair(), ANCHORS, queries=41)


def test_parts_of_a_product_are_centred_each_or_all():
    x, y = pair()
    x, y = (x[0], x[1] + 3), (y[0], y[1] - 2)
    names = "product:translate:linear+center,relative+center"
    each, every, none = (
        relcli.match(x, y, ANCHORS, via=via, center=center)
        for via, center in ((names, False), (PRODUCT, True), (PRODUCT, False))
    )

    assert each.views == (names,)
    assert every.views == (PRODUCT,)
    assert [score.forward for score in each.scores] == [score.forward for score in every.scores]
    assert [score.forward for score in each.scores] != [score.forward for score in none.scores]


def test_the_order_of_rows_does_not_show():
    x, (ids, y) = pair()
    turned = list(reversed(ids)), y[::-1]

    first, second = (relcli.match(x, side, ANCHORS, queries=25, seeds=2) for side in ((ids, y), turned))
    assert first.scores == second.scores


def test_seeds_draw_other_rows_and_anchors():
    report = relcli.match(*pair(noise=1.0), "uniform:10", queries=20, seeds=4)

    score = report.score("recall@1")
    assert score.draws.count == 4
    assert score.draws.mean == pytest.approx(score.value)
    assert score.draws.sd > 0


def test_widths_that_differ_leave_absolute_out_or_refuse_it():
    report = relcli.match(*pair(dy=9), ANCHORS)

    assert report.views == ("relative", "translate:ortho")
    assert any("6 and 9 dimensions" in note for note in report.notes)
    with pytest.raises(VectorError, match="x has 6 dimensions, y 9"):
        relcli.match(*pair(dy=9), ANCHORS, via="absolute")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"queries": 1}, "2 to 2,000"),
        ({"queries": 2001}, "2 to 2,000"),
        ({"seeds": 0}, "1 or more"),
        ({"via": "relativ"}, "Did you mean 'relative'"),
        ({"on_bad": "dorp"}, "Did you mean 'drop'"),
    ],
)
def test_wrong_options_are_explained(options, words):
    with pytest.raises(UsageError, match=words):
        relcli.match(*pair(), ANCHORS, **options)


def test_bad_rows_are_refused_or_dropped():
    (ids, x), y = pair()
    x[30] = np.nan

    with pytest.raises(VectorError, match="w30"):
        relcli.match((ids, x), y, ANCHORS)
    assert relcli.match((ids, x), y, ANCHORS, on_bad="drop").settings["queries"] == N - len(ANCHORS) - 1


def test_the_command_prints_a_table_and_json_that_validates(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(SAMPLES)
    monkeypatch.setenv("COLUMNS", "80")
    ask = ["match", "digits_ae_s0.npy", "digits_ae_s1.parquet", "--anchors", "anchors.txt", "--queries", "100"]

    assert run([*ask, "-o", str(tmp_path / "found.csv"), "--seeds", "2"]) == 0
    out = capfd.readouterr().out
    assert "matching-accuracy" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "matching-accuracy" in (tmp_path / "found.csv").read_text()
    assert run([*ask, "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    jsonschema.validate(document, report_schema())
    assert document["command"] == "match"
