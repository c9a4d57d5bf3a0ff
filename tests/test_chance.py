"""The two ends: spaces that are one and the same but for a rotation, and spaces with nothing in common."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.stats import t as students

import relcli
from relcli.engines.local import LocalEngine
from relcli.evaluation.views import FOLDS
from relcli.measures.catalog import all_measures
from relcli.measures.interval import LEVEL
from relcli.reports.report import Report, Score
from tests.strategies import gaussian_pair, isometry

NAMES = list(all_measures())
ROWS, ANCHORS = 600, 60
IDS = [f"{i:03d}" for i in range(ROWS)]


def compared(x: np.ndarray, y: np.ndarray, names=(*NAMES, "recall@1"), **options) -> Report:
    """Return measures, all by default, of a pair whose first rows are the anchors."""
    return relcli.compare((IDS, x), (IDS, y), IDS[:ANCHORS], measures=names, k=10, **options)


# An isometry

X = gaussian_pair(61, ROWS, 16, 1)[0] * np.linspace(2, 0.5, 16) + 0.1
ROTATED = 3.0 * X @ isometry(4, 16)


@pytest.mark.parametrize("y", [ROTATED, np.float32(ROTATED)], ids=["float64", "float32"])
def test_a_rotated_and_scaled_copy_is_found_again(y):
    report = compared(X, y)

    for name in ("recall@1", "mrr", "median-rank"):
        assert report.score(name).value == 1
    assert report.score("cosine").value == pytest.approx(1, abs=1e-6)


def test_a_rotated_and_scaled_copy_keeps_its_neighbours():
    report = compared(X, ROTATED)

    for view in ("relative", "absolute"):
        assert report.score("jaccard@10", view).value == report.score("overlap@10", view).value == 1
    assert report.score("cross-jaccard@10").value == 1


@pytest.mark.parametrize("shift", [0.0, 5.0])
def test_a_rotated_scaled_and_shifted_copy_is_at_distance_zero(shift):
    report = compared(X, ROTATED + shift)

    assert abs(report.score("procrustes-residual", "absolute").value) < 1e-10
    assert abs(report.score("heldout-procrustes-residual", "absolute").value) < 1e-10
    for name in ("heldout-aligned-cosine", "linear-cka", "debiased-cka"):
        assert report.score(name, "absolute").value == pytest.approx(1, abs=1e-10)


def test_a_shifted_copy_is_found_again_only_when_centred():
    as_it_is, centred = (compared(X, ROTATED + 5.0, center=center) for center in (False, True))

    assert as_it_is.score("recall@1").value < 0.9
    assert centred.score("recall@1").value == 1
    # the centre is rounded to float32
    assert centred.score("cosine").value == pytest.approx(1, abs=1e-9)


# Nothing in common


@cache
def unrelated(dx: int, dy: int, seed: int) -> Report:
    """Return every measure of two Gaussian spaces that were drawn apart."""
    return compared(*gaussian_pair(seed, ROWS, dx, dy), engine=LocalEngine(2))


def standard_error(score: Score) -> float:
    """Return the standard error that the interval of a score was made of."""
    by_folds = "jackknife" in score.interval.method
    width = students.ppf((1 + LEVEL) / 2, FOLDS - 1) if by_folds else 1.96
    return (score.interval.high - score.interval.low) / 2 / width


SEEDS = range(4)


@pytest.mark.parametrize(("dx", "dy"), [(24, 24), pytest.param(24, 32, marks=pytest.mark.slow)])
def test_unrelated_spaces_score_chance(dx, dy):
    # several draws together: in one alone recall@1 may hit nothing, and an interval made of zeros has no width
    draws = [unrelated(dx, dy, seed).scores for seed in SEEDS]
    together = [same for same in zip(*draws, strict=True) if same[0].value is not None]
    off = {}
    for same in together:
        miss = np.mean([score.value - score.chance for score in same])
        error = np.sqrt(np.sum([standard_error(score) ** 2 for score in same])) / len(same)
        if abs(miss) > 3 * error:
            off[same[0].measure, same[0].view] = miss / error

    assert off == {}
    assert {same[0].measure.partition("@")[0] for same in together} == {name.partition("@")[0] for name in NAMES}


@pytest.mark.parametrize("name", [*NAMES, "recall@1"])
def test_related_spaces_do_not_score_chance(name):
    x, noise = gaussian_pair(71, ROWS, 24, 24)
    report = compared(x, x + 0.5 * noise, names=[name])
    for score in report.scores:
        assert abs(score.value - score.chance) > 3 * standard_error(score)


def test_anchors_that_are_scored_leak():
    # in many dimensions an anchor's own coordinate, 1 in both spaces, outweighs all others
    pairs = [gaussian_pair(seed, ROWS, 200, 200) for seed in range(3)]
    with_anchors, without = (
        [compared(x, y, names=["recall@1"], include_anchors=kept).score("recall@1").value for x, y in pairs]
        for kept in (True, False)
    )

    assert np.mean(with_anchors) == pytest.approx(ANCHORS / ROWS, abs=0.01)
    assert np.mean(without) < 4 / ROWS


@pytest.mark.parametrize("dress", [float, np.float32, np.float16], ids=["float64", "float32", "float16"])
def test_a_constant_space_scores_chance_and_not_one(dress):
    x, _ = gaussian_pair(81, ROWS, 24, 24)
    report = compared(x, np.full((ROWS, 24), 0.1, dress))

    for name in ("recall@1", "recall@10", "mrr", "mrr@10", "median-rank"):
        score = report.score(name)
        # every row is level with every other: the expected rank of each is the middle one
        assert score.forward == pytest.approx(score.chance)
    for name in ("procrustes-residual", "linear-cka", "debiased-cka"):
        assert report.score(name, "absolute").value is None
