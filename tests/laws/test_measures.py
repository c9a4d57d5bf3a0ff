"""What a measure declares, checked both ways, over every measure there is."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import assume, given, settings

import relcli
from relcli.engines.local import LocalEngine
from relcli.measures.catalog import all_measures
from relcli.reports.report import Score
from tests.oracles import Case
from tests.strategies import cases, gaussian_pair, isometry

K, ROWS, WIDTH = 5, 160, 6
IDS = [f"{i:03d}" for i in range(ROWS)]
ANCHORS = IDS[:: ROWS // 20]
NAMES = list(all_measures())
INVARIANCES = ("rotation", "scale", "shift")
every_measure = pytest.mark.parametrize("name", NAMES)

Change = Callable[[np.ndarray], np.ndarray]
CHANGES: dict[str, Change] = {
    "nothing": lambda v: v,
    "rotation": lambda v: v @ isometry(9, WIDTH),
    "scale": lambda v: 37.5 * v,
    "shift": lambda v: v + np.linspace(0.5, 2.0, WIDTH),
}


def related() -> tuple[np.ndarray, np.ndarray]:
    """Return a space and a noisy copy of it, of one width, neither centred nor alike in all directions."""
    x, noise = gaussian_pair(21, ROWS, WIDTH, WIDTH)
    x = x * np.linspace(1, 2, WIDTH) + 0.3
    return x, x + 0.7 * noise * np.linspace(2, 1, WIDTH)


def scored(x: np.ndarray, y: np.ndarray) -> dict[tuple[str, str], Score]:
    """Return every measure on every view, by declared name and view."""
    report = relcli.compare((IDS, x), (IDS, y), ANCHORS, measures=NAMES, k=K, engine=LocalEngine(1))
    declared = {name.replace("@k", f"@{K}"): name for name in NAMES}
    return {(declared[score.measure], score.view): score for score in report.scores}


@cache
def after(change: str) -> dict[tuple[str, str], Score]:
    """Return every score of the related pair, x changed."""
    x, y = related()
    return scored(CHANGES[change](x), y)


@cache
def swapped() -> dict[tuple[str, str], Score]:
    """Return every score of the related pair the other way round."""
    x, y = related()
    return scored(y, x)


@cache
def at_distance(noise: float) -> dict[tuple[str, str], Score]:
    """Return every score of a space and its double with noise; infinite noise leaves nothing of the space."""
    x, other = gaussian_pair(22, ROWS, WIDTH, WIDTH)
    return scored(x, other if np.isinf(noise) else 2 * x + noise * other)


def view_of(name: str) -> str:
    """
    Return the view on which invariances are declared.

    One that compares coordinates is invariant to what relative rows are invariant to; the others
    already are on the vectors as they came.
    """
    return "relative" if all_measures()[name].same_width else "absolute"


@pytest.mark.parametrize(
    ("name", "change"), [(n, c) for n in NAMES for c in INVARIANCES if c in all_measures()[n].invariant_to]
)
def test_a_change_of_x_that_it_is_invariant_to_does_not_show(name, change):
    key = name, view_of(name)

    assert after(change)[key].value == pytest.approx(after("nothing")[key].value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "change"), [(n, c) for n in NAMES for c in INVARIANCES if c not in all_measures()[n].invariant_to]
)
def test_a_change_of_x_that_it_is_not_invariant_to_shows(name, change):
    key = name, view_of(name)

    assert after(change)[key].value != pytest.approx(after("nothing")[key].value, rel=1e-4, abs=1e-4)


@every_measure
def test_it_declares_only_known_invariances(name):
    assert all_measures()[name].invariant_to <= set(INVARIANCES)


@pytest.mark.parametrize("name", [n for n in NAMES if all_measures()[n].same_width])
def test_the_coordinates_themselves_are_invariant_to_one_rotation_of_both(name):
    x, y = related()
    turned = scored(CHANGES["rotation"](x), CHANGES["rotation"](y))[name, "absolute"]

    assert turned.value == pytest.approx(after("nothing")[name, "absolute"].value, rel=1e-9, abs=1e-9)
    assert after("rotation")[name, "absolute"].value != pytest.approx(turned.value, abs=1e-4)


@pytest.mark.parametrize("name", [n for n in NAMES if all_measures()[n].symmetric])
def test_a_symmetric_one_does_not_tell_x_from_y(name):
    for view in all_measures()[name].views:
        one, other = after("nothing")[name, view], swapped()[name, view]

        assert other.value == pytest.approx(one.value, rel=1e-9, abs=1e-9)
        assert (other.forward, other.backward) == pytest.approx((one.backward, one.forward))


@pytest.mark.parametrize("name", [n for n in NAMES if not all_measures()[n].symmetric])
def test_one_that_is_not_symmetric_tells_x_from_y(name):
    for view in all_measures()[name].views:
        assert swapped()[name, view].value != pytest.approx(after("nothing")[name, view].value, abs=1e-6)


@every_measure
def test_it_says_which_way_closer_is(name):
    sign = 1 if all_measures()[name].higher_is_closer else -1
    for view in all_measures()[name].views:
        doubled, noisy, unrelated = (sign * at_distance(noise)[name, view].value for noise in (0.0, 3.0, np.inf))

        assert doubled > noisy > unrelated


@every_measure
def test_a_doubled_space_reaches_the_near_end_of_the_range(name):
    measure = all_measures()[name]
    # the nearest row stays the nearest, and 2/n is its rank
    end = 2 / ROWS if name == "information-imbalance" else measure.range[1 if measure.higher_is_closer else 0]
    for view in measure.views:
        # √(2 − 2·nuc) and arccos(nuc) are 1e-8 where nuc is 1 but for 1e-16
        assert at_distance(0.0)[name, view].value == pytest.approx(end, abs=1e-6)


def test_its_range_holds_every_value_chance_and_interval():
    @settings(max_examples=80)
    @given(cases(max_rows=14))
    def on_each(case: Case) -> None:
        assume(len(case.anchors) >= 2 and case.scored and case.k < case.m)
        report = relcli.compare(
            (case.ids, case.x),
            (case.ids, case.y),
            [case.ids[i] for i in case.anchors],
            measures=NAMES,
            k=case.k,
            include_anchors=case.include_anchors,
            engine=LocalEngine(1),
        )
        for score in report.scores:
            low, high = (
                limit if limit is not None else other for limit, other in zip(score.range, (-1e300, 1e300), strict=True)
            )
            ends = (score.interval.low, score.interval.high) if score.interval else ()
            for number in (score.value, score.forward, score.backward, score.chance, *ends):
                # a correlation of 1 may round to 1 + 2e-16 a time
                assert number is None or low - 1e-12 <= number <= high + 1e-12, score

    on_each()


@every_measure
def test_its_interval_holds_its_value(name):
    for view in all_measures()[name].views:
        score = at_distance(3.0)[name, view]

        assert score.interval.low <= score.value <= score.interval.high
        assert score.interval.low < score.interval.high


@every_measure
def test_it_is_defined_cited_and_explained(name):
    measure = all_measures()[name]

    assert measure.definition
    assert any(character.isdigit() for character in measure.cite)
    assert set(measure.views) <= {"relative", "absolute"}
    assert measure.finalize.__doc__.startswith("Return ")
