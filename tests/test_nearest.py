"""What CSLS takes off is the mean of the best there are, computed for the rows alone that can matter."""

from __future__ import annotations

from functools import partial
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relcli.arrays import unit_rows
from relcli.evaluation import choosing, heldout, nearest
from relcli.evaluation.heldout import fold_numbers, held_out
from relcli.evaluation.nearest import Nearest, Side
from relcli.evaluation.vias import make_via, parse_way
from tests.strategies import isometry

SUMS = [some for count in (1, 2, 3) for some in combinations(range(3), count)]


def made(seed: int, *, rows: int = 300, near: int = 400, width: int = 5) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return three sides' galleries and rows to be near, unit rows with copies among them."""
    rng = np.random.default_rng(seed)
    sides = []
    for _ in range(3):
        gallery, others = (unit_rows(rng.standard_normal((n, width)) + 0.3) for n in (rows, near))
        gallery[7], others[-1] = gallery[3], others[0]
        sides.append((gallery, others))
    return [one for one, _ in sides], [other for _, other in sides]


def nearest_of(galleries: list[np.ndarray], near: list[np.ndarray], depth: int) -> Nearest:
    """Return what is tested, the middle side's gallery at half its length."""
    sides = []
    for gallery, rows, size in zip(galleries, near, (1, 0.5, 1), strict=True):
        scale = None if size == 1 else np.full(len(gallery), 1 / size)
        sides.append(Side(partial(np.float32, size * gallery), scale, partial(np.float32, rows)))
    return Nearest(sides, depth)


def plainly(galleries: list[np.ndarray], near: list[np.ndarray], some: tuple[int, ...], depth: int) -> list[float]:
    """Return half the mean score of each row of a gallery with its best, one by one."""
    found = []
    for row in range(len(galleries[0])):
        scores = [
            sum(float(galleries[side][row] @ near[side][other]) for side in some) / len(some)
            for other in range(len(near[0]))
        ]
        found.append(sum(sorted(scores)[-depth:]) / min(depth, len(scores)) / 2)
    return found


@pytest.mark.parametrize(("near", "depth"), [(400, 10), (1300, 10), (40, 3), (5, 10)])
def test_means_are_those_of_sorted_scores(near, depth):
    galleries, others = made(1, rows=30, near=near)
    tested = nearest_of(galleries, others, depth)
    found = tested.means(dict.fromkeys(SUMS, tested.everyone))

    assert set(found) == set(SUMS)
    for some in SUMS:
        assert found[some] == pytest.approx(plainly(galleries, others, some, depth), abs=2.0**-20)
        assert found[some][7] == found[some][3]


def test_only_what_is_asked_for_is_told():
    tested = nearest_of(*made(2), 10)
    whole = tested.means(dict.fromkeys(SUMS, tested.everyone))
    rng = np.random.default_rng(0)
    asked = {some: np.flatnonzero(rng.random(300) < 0.3) for some in SUMS}
    found = tested.means(asked)

    for some, rows in asked.items():
        assert found[some][rows] == pytest.approx(whole[some][rows], abs=2.0**-20)
        assert np.isinf(np.delete(found[some], rows)).all()


@given(st.integers(0, 30), st.floats(0, 3), st.booleans())
def test_rows_that_no_query_is_beaten_by_are_all_that_is_left_out(seed, signal, several):
    rng = np.random.default_rng(seed)
    galleries, others = made(seed, near=1000)
    at = np.arange(0, 12, 3)
    tested = nearest_of(galleries, others, 10)
    scores = {}
    for some in SUMS:
        own = np.zeros((4, 300))
        own[np.arange(4), at] = signal
        scores[some] = rng.normal(size=(4, 300)) / 4 + own
    whole = tested.means(dict.fromkeys(SUMS, tested.everyone))
    sampled = np.arange(0, 300, 50)
    found = tested.of_rivals(scores, at, sampled if several else None)

    for some in SUMS:
        exact, lazy = scores[some] - whole[some], scores[some] - found[some]
        mark = exact[np.arange(4), at][:, None]
        # a mean may be rounded another way in another tile
        assert ((lazy >= mark) == (exact >= mark))[np.abs(exact - mark) > 2.0**-19].all()
        told = np.isfinite(found[some])
        assert found[some][told] == pytest.approx(whole[some][told], abs=2.0**-20)
        assert not several or told[sampled].all()
    assert signal < 2.5 or several or np.isinf(found[0,]).mean() > 0.8


def spaces(rows: int = 1100, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    x = rng.standard_normal((rows, 6)) + 0.5
    return x, x @ isometry(1, 6) + noise * rng.standard_normal((rows, 6)) + 1.0


def known_of(x: np.ndarray, y: np.ndarray, anchors: int = 60) -> heldout.Known:
    ids = np.array([f"w{i:04d}" for i in range(len(x))])
    at = np.arange(anchors)
    means = x.mean(axis=0), y.mean(axis=0)
    return heldout.Known(x[at], y[at], fold_numbers(ids[at], 5), y, at, x, *choosing.neighbours(ids), means)


WAYS = [
    parse_way(text, additions=["center", "csls"], products=True)
    for text in (
        "relative+csls",
        "relative:euclidean+center+csls",
        "translate:ortho+csls",
        "translate:ortho+center+csls",
        "relative:basis+csls",
        "product:relative,translate:ortho+center+csls",
        "product:relative,relative:euclidean+center,translate:ortho+csls",
        "translate:ortho",
    )
]


def leads_of(way: str, known: heldout.Known, over: np.ndarray) -> np.ndarray:
    """Return what each anchor's own scores by CSLS above the best other, in deviations over some rows."""
    found = np.empty(len(known.x))
    for number in range(5):
        held = known.fold == number
        via = make_via(way, known.x[~held], known.y[~held], means=known.means)
        rows, gallery, queries = (unit_rows(v) for v in (via.x(known.rows), via.y(known.gallery), via.x(known.x[held])))
        scores = queries @ gallery.T - np.sort(rows @ gallery.T, axis=0)[-10:].mean(axis=0) / 2
        for anchor, values, at in zip(np.flatnonzero(held), scores, known.at[held], strict=True):
            found[anchor] = (values[at] - np.delete(values, at).max()) / values[over].std()
    return found


@pytest.mark.parametrize("way", ["relative", "relative:l1+center", "translate:ortho+center"])
def test_leads_are_in_deviations_of_all_scores_or_of_some(way):
    known = known_of(*spaces())
    asked = [parse_way(f"{way}+csls", additions=["center", "csls"])]
    some = np.unique(np.linspace(0, 1099, heldout.LEAD_ROWS).astype(int))

    for leads, over in (("all", np.arange(1100)), ("some", some)):
        assert held_out(asked, known, leads=leads)[0].lead == pytest.approx(leads_of(way, known, over), abs=1e-4)


def test_ranks_hang_on_rivals_alone():
    known = known_of(*spaces())
    whole, some, none = (held_out(WAYS, known, leads=leads) for leads in ("all", "some", "none"))

    for one, rough, bare in zip(whole, some, none, strict=True):
        assert np.array_equal(one.greater, rough.greater)
        assert np.array_equal(one.greater, bare.greater)
        assert np.array_equal(one.level, bare.level)
        assert bare.lead is None
        assert np.array_equal(rough.level, bare.level)
    assert np.array_equal(whole[-1].lead, some[-1].lead)
    assert not np.array_equal(whole[0].lead, some[0].lead)


def test_what_several_ways_have_in_common_changes_none_of_them():
    known = known_of(*spaces(rows=500))
    together = held_out(WAYS, known)

    for way, one in zip(WAYS, together, strict=True):
        alone = held_out([way], known)[0]
        assert np.array_equal(alone.greater, one.greater)
        assert alone.lead == pytest.approx(one.lead, abs=1e-5)


def test_leads_that_decide_are_of_all_rows():
    x, y = spaces(noise=0.0)
    known = known_of(x, y)
    ways = [parse_way("translate:ortho"), parse_way("translate:linear")]
    found = choosing.try_retrieving(ways, known)
    csls = [one for one in found if one.way.csls]

    assert [one.worth for one in csls] == [0.0, 0.0]
    for one in csls:
        exact = held_out([one.way], known)[0]
        assert one.ranks is not None
        assert one.ranks.lead == pytest.approx(exact.lead, abs=1e-5)
        assert one.ranks.lead != pytest.approx(held_out([one.way], known, leads="some")[0].lead, abs=1e-4)


def test_products_tried_beforehand_are_those_tried_for_themselves():
    x, y = spaces(noise=0.9)
    known, back = known_of(x, y), known_of(y, x)
    ways = [parse_way(text, additions=["center"]) for text in ("relative", "relative+center", "translate:ortho")]
    found = choosing.try_retrieving(ways, known, back)
    products = [one for one in found if one.way.members]

    assert products
    for one in products:
        assert one.merit == pytest.approx(held_out([one.way], known)[0].merit, abs=1e-12)
        assert one.back == pytest.approx(held_out([one.way], back)[0].reciprocal, abs=1e-12)


def test_the_groups_that_are_opened_hold_the_best(monkeypatch):
    scores = np.random.default_rng(5).standard_normal((9, 1312)).astype(np.float32)
    scores[:, 1300:] = -np.inf
    scores[:, 5::41] += 3
    grouped = nearest._best(scores, 1300, 10)
    monkeypatch.setattr(nearest, "_GROUP", 1312)

    assert grouped == pytest.approx(nearest._best(scores, 1300, 10), abs=1e-12)
    assert grouped == pytest.approx(np.sort(scores[:, :1300])[:, -10:].mean(axis=1, dtype=float), abs=1e-12)
