"""Anchors: found by id or chosen, refused where they cannot serve, and measured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relcli.errors import AnchorError, UsageError
from relcli.spaces.anchors import anchor_quality, choose_anchors, find_anchors, parse_choice
from relcli.spaces.pairing import PairedSpaces
from relcli.spaces.space import Origin, Space
from tests.strategies import ID_POOL, gaussian_pair

IDS = np.array(ID_POOL)
ROWS = len(ID_POOL)
X, Y = gaussian_pair(31, ROWS, 4, 3)


def paired(order=range(ROWS), x: np.ndarray = X, y: np.ndarray = Y) -> PairedSpaces:
    """Return the pairs with the rows of x in this order."""
    origin = Origin("(array)", "array", "float64", "given")
    order = np.array(order)
    return PairedSpaces.join(Space("left", IDS[order], x[order], origin), Space("right", IDS, y, origin))


@given(st.lists(st.integers(0, ROWS - 1), unique=True, min_size=2), st.permutations(range(ROWS)))
def test_listed_anchors_are_found_in_their_order(rows, order):
    anchors = find_anchors(paired(order), IDS[rows], IDS[rows])

    np.testing.assert_array_equal(anchors.x, X[rows])
    np.testing.assert_array_equal(anchors.y, Y[rows])
    assert anchors.x_ids.tolist() == IDS[rows].tolist()


def test_anchors_may_have_another_name_on_each_side():
    anchors = find_anchors(paired(), IDS[[0, 1]], IDS[[5, 7]])

    np.testing.assert_array_equal(anchors.y, Y[[5, 7]])
    assert (anchors.x_ids.tolist(), anchors.y_ids.tolist()) == (IDS[[0, 1]].tolist(), IDS[[5, 7]].tolist())


def test_missing_anchors_are_refused_naming_the_space_and_the_first_few():
    wanted = np.array(["7", "8", *(f"lost {i}" for i in range(7))])

    with pytest.raises(AnchorError, match=r"7 of 9 are not in left \('lost 0', .* and 2 more\)"):
        find_anchors(paired(), wanted, wanted)


def test_missing_anchors_are_left_out_when_told_so():
    wanted = np.array(["7", "lost", "9"])
    anchors = find_anchors(paired(), wanted, wanted, missing="drop")

    assert (anchors.x_ids.tolist(), anchors.missing) == (["7", "9"], 1)
    np.testing.assert_array_equal(anchors.y, Y[[0, 2]])


def test_an_anchor_that_one_side_lacks_is_left_out_on_both():
    anchors = find_anchors(paired(), np.array(["7", "8", "9"]), np.array(["7", "lost", "9"]), missing="drop")

    assert len(anchors) == len(anchors.x) == len(anchors.y) == 2


def test_repeated_anchors_are_refused():
    with pytest.raises(AnchorError, match=r"1 anchor stands more than once on the x side: '7'"):
        find_anchors(paired(), np.array(["7", "8", "7"]), np.array(["7", "8", "9"]))


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_an_anchor_without_a_direction_is_refused(bad):
    y = Y.copy()
    y[3] = bad

    with pytest.raises(AnchorError, match=f"1 anchor is zero or not finite in right: '{IDS[3]}'"):
        find_anchors(paired(y=y), IDS[:6], IDS[:6])


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_anchors_are_refused(count):
    with pytest.raises(AnchorError, match="at least 2"):
        find_anchors(paired(), IDS[:count], IDS[:count])


def test_every_row_may_be_listed():
    assert len(find_anchors(paired(), IDS, IDS)) == ROWS


@given(st.permutations(range(ROWS)), st.integers(2, ROWS - 1), st.integers(0, 5))
def test_chosen_anchors_are_the_same_in_any_order_of_the_rows(order, count, seed):
    expected = choose_anchors(paired(), "uniform", count, seed=seed)
    found = choose_anchors(paired(order), "uniform", count, seed=seed)

    assert found.x_ids.tolist() == expected.x_ids.tolist() == sorted(expected.x_ids)
    np.testing.assert_array_equal(found.x, expected.x)
    np.testing.assert_array_equal(found.y, expected.y)
    assert len(set(found.x_ids)) == count


def test_chosen_anchors_are_spread_over_all_rows():
    origin = Origin("(array)", "array", "float64", "given")
    ids = np.array([f"{i}" for i in range(50)])
    side = Space("s", ids, np.ones((50, 2)), origin)
    pair = PairedSpaces.join(side, side)
    drawn = np.zeros(50)
    for seed in range(400):
        drawn += np.isin(ids, choose_anchors(pair, "uniform", 10, seed=seed).x_ids)

    # 400 draws of 10 in 50: 80 a row, its deviation 8
    assert np.abs(drawn - 80).max() < 4 * 8


def test_anchors_are_not_the_first_of_the_probe():
    # both go by hashed ids: were the hashes the same, the queries would be what is nearest to the anchors' draw
    pair = paired()
    chosen = set(choose_anchors(pair, "uniform", 10).x_ids)
    smallest = set(pair.ids[np.argsort(pair.hash)[:10]])

    assert len(chosen & smallest) < 8


@pytest.mark.parametrize("count", [0, 1, ROWS, ROWS + 1])
def test_a_count_that_leaves_no_choice_is_refused(count):
    with pytest.raises(AnchorError, match=f"ask for 2 to {ROWS - 1}"):
        choose_anchors(paired(), "uniform", count)


@pytest.mark.parametrize(("text", "count"), [("uniform:300", 300), ("uniform:2", 2)])
def test_a_choice_is_read_from_its_text(text, count):
    assert (parse_choice(text).strategy, parse_choice(text).count) == ("uniform", count)


@pytest.mark.parametrize("text", ["anchors.txt", "uniform", "uniform:", "uniform:-3", "C:\\anchors.txt"])
def test_what_is_no_choice_is_a_file(text):
    assert parse_choice(text) is None


def test_an_unknown_strategy_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="Did you mean 'uniform'"):
        parse_choice("unifrom:300")


# How well they span their space


def off_diagonal_mean(gram: np.ndarray) -> float:
    """Return the mean of a square matrix without its diagonal."""
    return float(np.mean(gram[~np.eye(len(gram), dtype=bool)]))


@pytest.mark.parametrize(("count", "d"), [(4, 9), (12, 5), (6, 6)], ids=["a < d", "a > d", "a = d"])
def test_quality_is_what_numpy_says_of_the_gram(count, d):
    v = gaussian_pair(41, count, d, 1)[0] * 7.0 + 0.4
    unit = v / np.linalg.norm(v, axis=1, keepdims=True)
    quality = anchor_quality(v)

    assert quality.rank == np.linalg.matrix_rank(unit) == min(count, d)
    # the smaller Gram has the same eigenvalues, without the zeros
    smaller = unit @ unit.T if count <= d else unit.T @ unit
    assert quality.condition == pytest.approx(np.linalg.cond(smaller), rel=1e-8)
    assert quality.mean_cosine == pytest.approx(off_diagonal_mean(unit @ unit.T), abs=1e-12)


def test_dependent_anchors_lose_rank_and_keep_a_finite_condition():
    v = gaussian_pair(42, 6, 8, 1)[0]
    v[4], v[5] = 2 * v[0], v[1] + v[2]
    quality = anchor_quality(v)

    assert quality.rank == 4
    assert 1 < quality.condition < 1e4


def test_a_collapsed_space_has_mean_cosine_one():
    v = np.ones((20, 6)) + 1e-6 * gaussian_pair(43, 20, 6, 1)[0]

    assert anchor_quality(v).mean_cosine == pytest.approx(1, abs=1e-9)


def test_orthogonal_anchors_are_perfect():
    quality = anchor_quality(3.0 * np.eye(5))

    assert (quality.rank, quality.condition, quality.mean_cosine) == pytest.approx((5, 1.0, 0.0))
