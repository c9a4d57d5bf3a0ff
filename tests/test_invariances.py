"""Neighbours, ranks and all that is counted from them are the same bits however the rows are read."""

from __future__ import annotations

import math
from functools import cache, partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import relcli
from relcli.accumulators.accumulator import Context
from relcli.accumulators.composite import Bundle
from relcli.accumulators.neighbors import NeighborLists
from relcli.accumulators.ranks import RankCounts
from relcli.accumulators.tiles import Board, Scorable, Strip, settle
from relcli.arrays import GRID, ExactProduct, unit_rows
from relcli.engines.local import LocalEngine
from relcli.evaluation.views import fill
from relcli.measures.catalog import all_measures
from relcli.reports.report import Report
from relcli.spaces.pairing import PairedSpaces
from relcli.spaces.relative import RelativeProjection
from relcli.spaces.space import Origin, Space
from tests.strategies import gaussian_pair, isometry

NAMES = list(all_measures())
COUNTED = {n.partition("@")[0] for n, m in all_measures().items() if m.section in ("Retrieval", "Neighbourhood")}
ANCHORS = 40


@pytest.fixture(autouse=True)
def without_jackknife(monkeypatch):
    """Leave out the intervals of moments: they take most of the time, and have tests of their own."""
    monkeypatch.setattr("relcli.tasks.compare.fill", partial(fill, folds=0))


def float16(v: np.ndarray) -> np.ndarray:
    """Return v as half precision holds it."""
    return v.astype(np.float16).astype(np.float64)


def with_duplicates(m: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a pair rounded to half precision, off centre, where one row in ten repeats another."""
    x, noise = gaussian_pair(51, m, 12, 12)
    x, y = x * 0.1 + 0.3, (x @ isometry(3, 12) + noise) * 0.1 + 0.2
    rows = np.random.default_rng(5).permutation(m)
    tenth = m // 10
    x[rows[:tenth]], y[rows[5 : 5 + tenth]] = x[rows[tenth : 2 * tenth]], y[rows[-tenth:]]
    return float16(x), float16(y)


def collapsed(m: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a pair whose rows are nearly equal: all cosines within 1e-7 of 1, and many of them level."""
    x, y = gaussian_pair(52, m, 8, 8)
    return 1 + 1e-4 * np.round(x, 1), 1 + 1e-4 * np.round(y, 1)


SPACES = {
    "duplicates": with_duplicates(300),
    "collapsed": collapsed(300),
    "large": with_duplicates(2500),
}


def ids_of(m: int) -> np.ndarray:
    """Return ids whose order as text is neither that of the rows nor of the numbers."""
    return np.array([f"row {(i * 7919) % m}" for i in range(m)])


@cache
def report_of(
    spaces: str, center: bool, order: str = "as they are", size: int | None = None, workers: int = 1
) -> Report:
    """Return every measure of a pair whose rows come in some order, in batches of some size."""
    x, y = SPACES[spaces]
    m = len(x)
    rows = {
        "as they are": np.arange(m),
        "reversed": np.arange(m)[::-1],
        "shuffled": np.random.default_rng(6).permutation(m),
        "shards": np.concatenate([np.array_split(np.arange(m), 5)[part] for part in (3, 0, 4, 1, 2)]),
    }[order]
    ids = ids_of(m)
    # y in an order of its own, so that the join has work to do
    other = np.random.default_rng(7).permutation(m) if order == "shuffled" else rows
    return relcli.compare(
        (ids[rows], x[rows]),
        (ids[other], y[other]),
        ids[:ANCHORS],
        measures=NAMES,
        center=center,
        engine=LocalEngine(workers, size),
    )


#: √(2 − 2·nuc), arccos(nuc) and √GULP² lose half the digits near 0, whitening some where directions are thin.
CONDITIONED = ("procrustes-distance", "procrustes-angle", "gulp", "cca", "svcca", "pwcca")


def assert_same(one: Report, other: Report) -> None:
    """Fail where a count measure differs by a bit, or another by more than the order of its sums."""
    for here, there in zip(one.scores, other.scores, strict=True):
        if here.measure.partition("@")[0] in COUNTED:
            assert here == there
        else:
            tolerance = 1e-7 if here.measure in CONDITIONED else 1e-9
            assert (here.measure, here.view) == (there.measure, there.view)
            assert (here.value is None) == (there.value is None)
            assert here.value is None or here.value == pytest.approx(there.value, rel=tolerance, abs=tolerance)


READINGS = [
    *({"order": order} for order in ("reversed", "shuffled", "shards")),
    *({"size": size} for size in (1, 7, 1000)),
    *({"size": 50, "workers": workers} for workers in (2, 3)),
    {"order": "shuffled", "size": 64, "workers": 3},
]


@pytest.mark.parametrize("reading", READINGS, ids=str)
@pytest.mark.parametrize("center", [False, True], ids=["as it is", "centred"])
@pytest.mark.parametrize("spaces", ["duplicates", "collapsed"])
def test_how_the_rows_are_read_does_not_show(spaces, center, reading):
    assert_same(report_of(spaces, center, **reading), report_of(spaces, center))


@pytest.mark.parametrize(
    "reading",
    [{"order": "shuffled", "size": 1000, "workers": 2}, {"size": 100, "workers": 3}, {"order": "shards"}],
    ids=str,
)
@pytest.mark.slow
def test_how_many_rows_are_read_does_not_show(reading):
    assert_same(report_of("large", True, **reading), report_of("large", True))


def test_the_cases_hold_what_they_are_for():
    x, y = SPACES["duplicates"]
    unit = unit_rows(SPACES["collapsed"][0])

    assert len(np.unique(x, axis=0)) < len(x)
    assert len(np.unique(y, axis=0)) < len(y)
    assert (unit @ unit.T).min() > 1 - 1e-7
    assert np.abs(x - float16(x)).max() == 0


# The accumulators themselves


def pair_of(x: np.ndarray, y: np.ndarray, order: np.ndarray | None = None) -> PairedSpaces:
    """Return all rows joined by id, in this order."""
    origin = Origin("(array)", "array", "float64", "given")
    order = np.arange(len(x)) if order is None else order
    ids = ids_of(len(x))[order]
    return PairedSpaces.join(Space("x", ids, x[order], origin), Space("y", ids, y[order], origin))


def counted(pair: PairedSpaces, *, k: int = 10, size: int | None = None, workers: int = 1) -> Bundle:
    """Return the neighbour lists and the rank counts of every row."""
    context = Context(probe=pair.probe(None), k=k, cross=True)
    dx, dy = pair.x.dim, pair.y.dim
    empty = Bundle({"lists": NeighborLists.empty(context, dx, dy), "ranks": RankCounts.empty(context, dx, dy)})
    return LocalEngine(workers, size).reduce(pair, empty)


@pytest.mark.parametrize("spaces", ["duplicates", "collapsed"])
@pytest.mark.parametrize(("size", "workers"), [(1, 1), (7, 2), (300, 1), (64, 3)])
def test_neighbours_scores_and_counts_are_the_same_bits(spaces, size, workers):
    x, y = SPACES[spaces]
    expected = counted(pair_of(x, y))
    found = counted(pair_of(x, y, np.random.default_rng(8).permutation(len(x))), size=size, workers=workers)

    for way, lists in expected["lists"].lists.items():
        assert np.array_equal(found["lists"].lists[way].ranks, lists.ranks), way
        assert np.array_equal(found["lists"].lists[way].scores, lists.scores), way
    for way in ("xy", "yx"):
        assert np.array_equal(found["ranks"].greater[way], expected["ranks"].greater[way]), way
        assert np.array_equal(found["ranks"].level[way], expected["ranks"].level[way]), way


def anisotropic(m: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a pair of narrow cones: cosines of 0.998 ± 0.002."""
    x, noise = gaussian_pair(53, m, d, d)
    # some rows near the axis of the cone, some far: a few directions hold most of the spread
    spread = np.linspace(1.6, 0.2, d) * np.random.default_rng(9).uniform(0.1, 2.2, m)[:, None]
    return 1 + 0.032 * x * spread, 1 + 0.032 * (x + 0.3 * noise) * spread


def grid_table(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the cosine of each row of x with each of y, in float64 on the grid."""
    table = (x / np.linalg.norm(x, axis=1, keepdims=True)) @ (y / np.linalg.norm(y, axis=1, keepdims=True)).T
    return np.round(table / GRID)


@cache
def narrow_cones() -> tuple[PairedSpaces, Bundle, dict[str, np.ndarray]]:
    """Return a large anisotropic pair, what relcli counts in it, and all cosines of rows in order of rank."""
    pair = pair_of(*anisotropic(3000, 64))
    batch = pair.probe(None)
    sides = {"x": batch.x, "y": batch.y}
    return pair, counted(pair, size=700), {a + b: grid_table(sides[a], sides[b]) for a in "xy" for b in "xy"}


def test_the_cones_are_narrow():
    cosines = narrow_cones()[2]["xx"] * GRID

    assert cosines.mean() == pytest.approx(0.998, abs=0.001)
    assert cosines.std() == pytest.approx(0.002, abs=0.001)


@pytest.mark.parametrize("way", ["xx", "yy", "xy", "yx"])
def test_neighbours_are_those_of_brute_force(way):
    _, found, tables = narrow_cones()
    table = tables[way].copy()
    if way[0] == way[1]:
        np.fill_diagonal(table, -np.inf)
    # falling scores, then rising ranks
    expected = np.argsort(-table, axis=1, kind="stable")[:, :10]

    np.testing.assert_array_equal(found["lists"].lists[way].ranks, expected)


@pytest.mark.parametrize("way", ["xy", "yx"])
def test_rank_counts_are_those_of_brute_force(way):
    _, found, tables = narrow_cones()
    own = np.diag(tables[way])[:, None]

    np.testing.assert_array_equal(found["ranks"].greater[way], (tables[way] > own).sum(axis=1))
    np.testing.assert_array_equal(found["ranks"].level[way], (tables[way] == own).sum(axis=1) - 1)


def nasty_rows(kind: str, m: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows that strain a float32 filter."""
    x, y = gaussian_pair(d, m, d, d)
    if kind == "anisotropic":
        return 1 + 1e-3 * x, 1 + 1e-3 * y
    if kind == "opposite cones":
        return 5 + x, y - 5
    if kind == "huge and tiny norms":
        scales = 10.0 ** np.linspace(-30, 30, m)[:, None]
        return x * scales, y * scales[::-1]
    if kind == "one coordinate":
        x[:, 0], y[::2, 0] = 1e6, -1e6
    return x, y


@pytest.mark.parametrize("d", [2, 64, 700])
@pytest.mark.parametrize("kind", ["random", "anisotropic", "opposite cones", "huge and tiny norms", "one coordinate"])
@pytest.mark.parametrize("across", [False, True], ids=["inside", "across"])
def test_the_filter_is_within_its_bound(kind, d, across):
    x, y = nasty_rows(kind, 300, d)
    centre_x, centre_y = unit_rows(x[:50]).mean(axis=0), unit_rows(y[:50]).mean(axis=0)
    queries = Scorable(x[:100], centre_x, centre_y)
    gallery = Scorable(y, centre_y, centre_x) if across else Scorable(x, centre_x, centre_y)
    strip = Strip(queries, Board(gallery, across=across))
    for tile in strip.tiles():
        i, j = (index.ravel() for index in np.indices((len(queries), tile.columns.stop - tile.columns.start)))
        found = tile.scores().astype(np.float64)
        cosines = settle(queries, gallery, i, j + tile.columns.start).reshape(found.shape)
        off = np.abs(found + centre_x @ (centre_y if across else centre_x) - cosines)

        assert (off <= tile.row_error[:, None]).all()
        assert (off <= tile.column_error).all()
        # a bound that nothing comes near by a factor of 10,000 would let everything through
        assert off.max() > tile.row_error.min() / 1e4


# Relative rows


@st.composite
def strained_rows(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and anchors of any width up to 3,000, some with one huge coordinate, some tiny throughout."""
    d = draw(st.one_of(st.integers(1, 9), st.integers(1, 3000)))
    v = gaussian_pair(draw(st.integers(0, 2**16)), draw(st.integers(1, 40)), d, 1)[0]
    anchors = gaussian_pair(draw(st.integers(0, 2**16)), draw(st.integers(1, 12)), d, 1)[0]
    for rows in (v, anchors):
        at = draw(st.integers(0, d - 1))
        rows[::3, at] = draw(st.sampled_from([1.0, 1e3, 1e8, -1e16]))
        rows[1::3] *= draw(st.sampled_from([1.0, 1e-30, 1e30]))
        rows[2::3, : at + 1] = draw(st.sampled_from([1.0, 1 / 3, 1e-30]))
    return v, anchors


@settings(max_examples=60)
@given(strained_rows(), st.integers(1, 40), st.randoms(use_true_random=False))
def test_relative_rows_are_the_same_bits_in_every_batch(rows, size, random):
    v, anchors = rows
    project = RelativeProjection(anchors)
    order = list(range(len(v)))
    random.shuffle(order)
    whole = project(v)
    found = np.concatenate([project(v[order[start : start + size]]) for start in range(0, len(v), size)])

    assert np.array_equal(found, whole[order])


@settings(max_examples=60)
@given(strained_rows())
def test_relative_rows_are_the_same_bits_whatever_other_anchors_there_are(rows):
    v, anchors = rows
    alone = [RelativeProjection(anchors[a : a + 1])(v) for a in range(len(anchors))]

    assert np.array_equal(np.concatenate(alone, axis=1), RelativeProjection(anchors)(v))


@settings(max_examples=60)
@given(strained_rows(), st.randoms(use_true_random=False))
def test_an_exact_product_does_not_depend_on_the_order_of_its_sum(rows, random):
    v, anchors = (unit_rows(side) for side in rows)
    columns = list(range(v.shape[1]))
    random.shuffle(columns)
    shuffled = ExactProduct(anchors[:, columns])(v[:, columns])

    assert np.array_equal(shuffled, ExactProduct(anchors)(v))


@settings(max_examples=60)
@given(strained_rows())
def test_relative_rows_are_the_plain_cosines(rows):
    v, anchors = rows
    d = v.shape[1]
    plain = unit_rows(v) @ unit_rows(anchors).T
    # the last slice is cut off at about 2^-52 √d, and where all coordinates are equal all cuts add up
    cut = np.sqrt(d) * 2.0 ** (math.ceil(math.log2(d) / 2) - 52) + d * 2.0**-54

    assert np.abs(RelativeProjection(anchors)(v) - plain).max() < cut + 1e-14


@pytest.mark.parametrize("d", [1, 2, 3, 64, 300, 768, 3000])
def test_relative_rows_of_usual_vectors_are_the_plain_cosines_to_the_last_digits(d):
    v, anchors = gaussian_pair(d, 200, d, d)
    plain = unit_rows(v) @ unit_rows(anchors[:50]).T

    # cuts that do not add up: each is off by 2^-52 √d at most
    assert np.abs(RelativeProjection(anchors[:50])(v) - plain).max() < 1e-14 + 3e-16 * 4 * np.sqrt(d)
