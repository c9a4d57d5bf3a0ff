"""Strategies of choosing anchors: what each promises, whatever the order of the rows."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import relcli.spaces.anchors as module
from relcli.errors import AnchorError, IdError, UsageError
from relcli.spaces.anchors import STRATEGIES, choose_anchors, farthest_points, parse_choice, proportional_shares
from relcli.spaces.pairing import PairedSpaces, hash_ids
from relcli.spaces.space import Origin, Space
from tests.oracles_translation import farthest
from tests.strategies import gaussian_pair

ROWS, COUNT = 120, 17
IDS = np.array([f"row {i:03d}" for i in np.random.default_rng(5).permutation(ROWS)])
X, Y = gaussian_pair(51, ROWS, 5, 4)
LABELS = (IDS, np.array(["common"] * 80 + ["rare"] * 30 + ["few"] * 10))

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES)


def paired(order=None, x: np.ndarray = X, ids: np.ndarray = IDS) -> PairedSpaces:
    """Return the pairs with the rows of x in this order."""
    origin = Origin("(array)", "array", "float64", "given")
    order = np.arange(len(ids)) if order is None else np.array(order)
    y = gaussian_pair(52, len(ids), 1, 4)[1]
    return PairedSpaces.join(Space("left", ids[order], x[order], origin), Space("right", ids, y, origin))


def with_copies() -> np.ndarray:
    """Return rows many of which point the same way."""
    x = X.copy()
    x[40:80] = 2 * x[:40]
    x[80:100] = x[0]
    return x


@every_strategy
@pytest.mark.parametrize("x", [X, with_copies()], ids=["distinct", "copies"])
def test_it_gives_distinct_ids_in_order_with_their_vectors(strategy, x):
    anchors = choose_anchors(paired(x=x), strategy, COUNT, seed=3, labels=LABELS)

    assert len(set(anchors.x_ids)) == COUNT
    assert anchors.x_ids.tolist() == sorted(anchors.x_ids)
    at = {name: row for row, name in enumerate(IDS)}
    np.testing.assert_array_equal(anchors.x, x[[at[name] for name in anchors.x_ids]])
    assert (anchors.strategy, anchors.seed) == (strategy, 3)


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "first"])
@pytest.mark.parametrize("x", [X, with_copies()], ids=["distinct", "copies"])
def test_the_order_of_the_rows_does_not_show(strategy, x):
    expected = choose_anchors(paired(x=x), strategy, COUNT, labels=LABELS).x_ids.tolist()

    for seed in range(3):
        order = np.random.default_rng(seed).permutation(ROWS)
        assert choose_anchors(paired(order, x), strategy, COUNT, labels=LABELS).x_ids.tolist() == expected


@pytest.mark.parametrize("strategy", ["uniform", "farthest", "kmeans", "stratified"])
def test_another_seed_gives_other_anchors(strategy):
    one, other = (set(choose_anchors(paired(), strategy, COUNT, seed=seed, labels=LABELS).x_ids) for seed in (0, 1))

    assert one != other


@every_strategy
def test_all_but_one_may_be_asked_for(strategy):
    assert len(choose_anchors(paired(), strategy, ROWS - 1, labels=LABELS)) == ROWS - 1


def test_first_takes_the_head_of_xs_file():
    order = np.random.default_rng(8).permutation(ROWS)

    assert choose_anchors(paired(order), "first", COUNT).x_ids.tolist() == sorted(IDS[order[:COUNT]])


@pytest.mark.parametrize("shortlist", [1, 2, 7, 4096])
@pytest.mark.parametrize("x", [X, with_copies(), np.sign(X)], ids=["distinct", "copies", "corners"])
def test_farthest_is_the_plain_one(x, shortlist, monkeypatch):
    # a short shortlist must look through all rows again and again, and find the same
    monkeypatch.setattr(module, "_SHORTLIST", shortlist)
    monkeypatch.setattr(module, "_BATCH", 50)
    rank = np.argsort(np.argsort(IDS))
    found = farthest_points(lambda rows: x[rows], rank, COUNT, start=11)

    assert found.tolist() == farthest(x, IDS.tolist(), COUNT, start=11)


def test_farthest_starts_where_uniform_does_and_spreads_wider():
    spread = {}
    for strategy in ("uniform", "farthest"):
        anchors = choose_anchors(paired(), strategy, COUNT)
        unit = anchors.x / np.linalg.norm(anchors.x, axis=1, keepdims=True)
        spread[strategy] = np.max(unit @ unit.T - 2 * np.eye(COUNT))

    assert spread["farthest"] < spread["uniform"]
    drawn = hash_ids(IDS, seed=0x5EED)
    assert IDS[np.argmin(drawn)] in anchors.x_ids


def test_farthest_reads_all_rows_seldom(monkeypatch):
    x, _ = gaussian_pair(6, 3000, 24, 1)
    monkeypatch.setattr(module, "_SHORTLIST", 400)
    read = 0

    def reading(rows):
        nonlocal read
        found = x[rows]
        read += len(found)
        return found

    farthest_points(reading, np.arange(3000), 60, start=0)

    assert read < 60 * 3000 / 2


def test_kmeans_finds_one_row_of_each_cluster():
    rng = np.random.default_rng(7)
    centres = 10 * np.linalg.qr(rng.standard_normal((8, 8)))[0]
    x = np.repeat(centres, 20, axis=0) + 0.1 * rng.standard_normal((160, 8))
    ids = np.array([f"{i:03d}" for i in range(160)])
    anchors = choose_anchors(paired(x=x, ids=ids), "kmeans", 8)

    assert sorted(int(name) // 20 for name in anchors.x_ids) == list(range(8))


def test_kmeans_of_more_rows_than_it_looks_at_takes_those_of_least_hash(monkeypatch):
    monkeypatch.setattr(module, "KMEANS_ROWS", 70)
    order = np.random.default_rng(8).permutation(ROWS)
    expected = choose_anchors(paired(), "kmeans", COUNT).x_ids.tolist()

    assert choose_anchors(paired(order), "kmeans", COUNT).x_ids.tolist() == expected


def test_stratified_draws_in_proportion():
    anchors = choose_anchors(paired(), "stratified", 24, labels=LABELS)
    label = dict(zip(*LABELS, strict=True))

    assert Counter(label[name] for name in anchors.x_ids) == {"common": 16, "rare": 6, "few": 2}


@pytest.mark.parametrize(
    ("sizes", "count", "shares"),
    [([80, 30, 10], 24, [16, 6, 2]), ([1, 1, 1], 2, [1, 1, 0]), ([5, 5, 1], 4, [2, 2, 0]), ([3, 4], 6, [3, 3])],
)
def test_shares_go_by_largest_remainder(sizes, count, shares):
    assert proportional_shares(sizes, count) == shares


def test_strata_need_labels():
    with pytest.raises(UsageError, match="need the label of each row"):
        choose_anchors(paired(), "stratified", COUNT)


def test_rows_without_a_label_are_refused():
    with pytest.raises(IdError, match=r"2 of 120 rows have no label: 'row"):
        choose_anchors(paired(), "stratified", COUNT, labels=(IDS[2:], LABELS[1][2:]))


def test_a_row_with_two_labels_is_refused():
    twice = (np.append(IDS, IDS[:1]), np.append(LABELS[1], "rare"))

    with pytest.raises(IdError, match="1 ids have several labels"):
        choose_anchors(paired(), "stratified", COUNT, labels=twice)


@every_strategy
def test_a_choice_names_any_strategy(strategy):
    choice = parse_choice(f"{strategy}:40")

    assert (choice.strategy, choice.count, choice.labels) == (strategy, 40, None)


@every_strategy
def test_as_many_anchors_as_rows_are_refused(strategy):
    with pytest.raises(AnchorError, match=f"ask for 2 to {ROWS - 1}"):
        choose_anchors(paired(), strategy, ROWS, labels=LABELS)
