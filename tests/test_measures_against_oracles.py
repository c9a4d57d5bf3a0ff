"""Every measure equals its slow, plain twin, on both views, whatever the spaces hold."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings

import relcli
from relcli.engines.local import LocalEngine
from relcli.errors import AnchorError, UsageError
from relcli.evaluation.views import fill
from relcli.measures.catalog import all_measures
from relcli.reports.report import Score
from tests import oracles
from tests.oracles import ORACLES, Case, clear_cut
from tests.strategies import cases, determined, gaussian_pair, roomy

NAMES = list(all_measures())
BY_COUNTS = {n for n, m in all_measures().items() if m.section in ("Retrieval", "Neighbourhood")}
HELD_OUT = [name for name in NAMES if name.startswith("heldout-") or name == "linear-r2"]
CANONICAL = ["cca", "svcca", "pwcca"]
FIGURES = ("value", "forward", "backward", "chance")

# √(2 − 2·nuc), arccos(nuc) and √GULP² are roots of a difference: where that is 0 but for 1e-13, they are 1e-6 apart
ROOTS = {"procrustes-distance", "procrustes-angle", "gulp"}


def tolerance(name: str) -> float:
    """Return how far, beside 1, two right computations of a measure may be apart."""
    if name in BY_COUNTS:
        return 1e-12
    # whitening from sums of products loses digits where directions are thin
    return 1e-6 if name in ROOTS else 1e-7 if name in CANONICAL else 1e-9


def scores_of(case: Case, names: Sequence[str] = NAMES, **options) -> dict[tuple[str, str], Score]:
    """Return what relcli reports of a case, by declared name and view."""
    report = relcli.compare(
        (case.ids, case.x),
        (case.ids, case.y),
        [case.ids[i] for i in case.anchors],
        measures=names,
        k=case.k,
        include_anchors=case.include_anchors,
        **options,
    )
    declared = {name.replace("@k", f"@{case.k}"): name for name in names}
    return {(declared[score.measure], score.view): score for score in report.scores}


def expected_of(name: str, case: Case, view: str) -> dict | None:
    """Return what the twin says, None where it says that there is no value."""
    try:
        return ORACLES[name](case, view)
    except oracles.Undefined:
        return None


def differences(name: str, score: Score, expected: dict | None) -> Iterator[str]:
    """Yield where a score and its twin differ."""
    where = f"{name} on {score.view}"
    if expected is None or score.value is None:
        if (expected is None) != (score.value is None):
            yield f"{where}: {score.value} ({score.undefined_because}), the twin {expected}"
        return
    for figure in FIGURES:
        found, wanted = getattr(score, figure), expected[figure]
        # a twin without a chance level, and a measure with one direction, leave these out
        if wanted is not None and found != pytest.approx(wanted, rel=tolerance(name), abs=tolerance(name)):
            yield f"{where}: {figure} is {found}, the twin's {wanted}"


def check(case: Case, compared: Counter, **options) -> None:
    """Fail where any measure differs from its twin on a clear-cut case; count what had a value."""
    found = []
    for (name, view), score in scores_of(case, **options).items():
        if clear_cut(name, case, view):
            expected = expected_of(name, case, view)
            found += differences(name, score, expected)
            compared[name] += expected is not None

    assert found == []


def comparable(case: Case) -> bool:
    """Return whether `compare` answers at all: two anchors, a row to score, and k others."""
    return len(case.anchors) >= 2 and bool(case.scored) and case.k < case.m


@pytest.fixture(autouse=True)
def without_jackknife(monkeypatch):
    """Leave out the intervals, which no twin has: they take most of the time."""
    monkeypatch.setattr("relcli.tasks.compare.fill", partial(fill, folds=0))


@pytest.mark.parametrize("name", NAMES)
def test_every_measure_has_a_twin(name):
    assert name in ORACLES


@pytest.mark.parametrize("examples", [60, pytest.param(360, marks=pytest.mark.slow)])
def test_every_measure_equals_its_twin(examples):
    compared: Counter[str] = Counter()

    @settings(max_examples=examples)
    @given(cases())
    def on_each(case: Case) -> None:
        assume(comparable(case))
        check(case, compared, engine=LocalEngine(1, batch_rows=5))

    on_each()

    # these have fewer cases that are clear-cut, or have a value at all, and a test of their own
    # of few examples some measures have few values
    least = 200 if examples >= 200 else 10
    assert {name for name in NAMES if compared[name] < least} <= {*HELD_OUT, *CANONICAL}


@pytest.mark.slow
def test_a_held_out_measure_equals_its_twin_where_the_anchors_determine_the_map():
    compared: Counter[str] = Counter()

    @settings(max_examples=230)
    @given(determined())
    def on_each(case: Case) -> None:
        check(case, compared, names=HELD_OUT, engine=LocalEngine(1, batch_rows=5))

    on_each()

    # an exact rotation leaves ridge several penalties that are as good
    assert compared["linear-r2"] >= 80
    assert min(compared[name] for name in HELD_OUT if name != "linear-r2") >= 200


def test_canonical_correlations_equal_their_twins_where_pairs_exceed_dimensions():
    compared: Counter[str] = Counter()

    @settings(max_examples=150)
    @given(roomy())
    def on_each(case: Case) -> None:
        check(case, compared, names=CANONICAL, engine=LocalEngine(1, batch_rows=11))

    on_each()

    assert min(compared[name] for name in CANONICAL) >= 100


@given(cases())
def test_more_neighbours_than_other_rows_are_refused(case):
    case = replace(case, k=case.m + case.k - 1)
    assume(len(case.anchors) >= 2 and case.scored)

    with pytest.raises(UsageError, match=f"k = {case.k} neighbours"):
        scores_of(case)


@settings(max_examples=30)
@given(cases())
def test_a_single_anchor_is_refused(case):
    assume(case.k < case.m)
    case = replace(case, anchors=case.anchors[:1])

    with pytest.raises(AnchorError, match="needs at least 2"):
        scores_of(case)


@settings(max_examples=30)
@given(cases())
def test_nothing_but_anchors_that_do_not_count_is_refused(case):
    assume(case.k < case.m)
    case = replace(case, anchors=range(case.m), include_anchors=False)

    with pytest.raises(AnchorError, match="none is left to score"):
        scores_of(case)


@pytest.mark.parametrize("name", ["mrr@k", "recall@k"])
def test_a_depth_beyond_the_gallery_counts_every_row(name):
    x, y = gaussian_pair(3, 12, 4, 4)
    case = Case(x, y, [f"{i:02d}" for i in range(12)], [0, 1, 2], False, 40)
    report = relcli.compare((case.ids, x), (case.ids, y), case.ids[:3], measures=[name], k=40)

    assert [list(differences(name, score, expected_of(name, case, score.view))) for score in report.scores] == [[], []]


def shuffled_norms(x: np.ndarray, y: np.ndarray, draws: int) -> np.ndarray:
    """Return the nuclear norms of centred, unit-size x and y with the rows of y in random orders."""
    x, y = (v - v.mean(axis=0) for v in (x, y))
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    rng = np.random.default_rng(0)
    return np.array([np.linalg.svd(x.T @ y[rng.permutation(len(y))], compute_uv=False).sum() for _ in range(draws)])


OF_NORM = {
    "procrustes-residual": lambda nuclear: 1 - nuclear**2,
    "procrustes-distance": lambda nuclear: np.sqrt(2 - 2 * nuclear),
    "procrustes-angle": np.arccos,
}


@pytest.mark.parametrize(("m", "dx", "dy"), [(40, 6, 6), (40, 4, 9), (30, 50, 50), (30, 50, 7)])
@pytest.mark.parametrize("name", OF_NORM)
def test_the_chance_of_procrustes_is_the_mean_over_shuffles(name, m, dx, dy):
    x, y = gaussian_pair(m + dx, m, dx, dy)
    ids = [f"{i:02d}" for i in range(m)]
    options = {"measures": [name], "views": "absolute", "include_anchors": True}
    found = relcli.compare((ids, x), (ids, y), ids[:2], **options).score(name, "absolute").chance
    shuffled = OF_NORM[name](shuffled_norms(x, y, 200))

    # what is printed is itself the mean of 4 drawn shuffles
    error = np.std(shuffled) * math.sqrt(1 / 4 + 1 / 200)
    assert found == pytest.approx(np.mean(shuffled), abs=3 * error)
