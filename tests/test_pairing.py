"""Two spaces joined by id, whatever the order, overlap or naming of their rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from relcli.errors import IdError, JoinError, UsageError
from relcli.spaces.pairing import PairedSpaces, hash_ids
from relcli.spaces.space import Origin, Space
from tests.strategies import ID_POOL

subsets = st.lists(st.sampled_from(ID_POOL), unique=True, min_size=1)


def space(ids, *, name: str = "x", given_ids: bool = True, offset: float = 0.0) -> Space:
    """Return a space whose row i holds (i + offset, 1)."""
    vectors = np.stack([np.arange(len(ids)) + offset, np.ones(len(ids))], axis=1)
    origin = Origin("(array)", "array", "float64", "given" if given_ids else "row numbers", ids_given=given_ids)
    return Space(name, np.array(ids, np.str_), vectors, origin)


def pairs_of(pair: PairedSpaces) -> dict[str, tuple[float, float]]:
    """Return which row of x and which of y each id has."""
    batch = pair.batch(slice(None))
    return {str(i): (x, y) for i, x, y in zip(pair.ids, batch.x[:, 0], batch.y[:, 0], strict=True)}


@given(subsets, subsets)
def test_rows_are_joined_by_id_in_any_order(ids_x, ids_y):
    shared = set(ids_x) & set(ids_y)
    if not shared:
        with pytest.raises(JoinError, match="share no ids"):
            PairedSpaces.join(space(ids_x), space(ids_y))
        return
    pair = PairedSpaces.join(space(ids_x), space(ids_y))

    assert pairs_of(pair) == {i: (ids_x.index(i), ids_y.index(i)) for i in shared}
    assert pair.by == "id"


@given(subsets, st.permutations(ID_POOL))
def test_the_pairs_stand_in_the_order_of_x(ids_x, ids_y):
    assert PairedSpaces.join(space(ids_x), space(ids_y)).ids.tolist() == ids_x


@given(subsets)
def test_a_rank_is_the_place_of_the_id_in_sorted_order(ids):
    pair = PairedSpaces.join(space(ids), space(ids))

    assert [sorted(ids)[rank] for rank in pair.rank] == ids


@given(st.permutations(ID_POOL), st.integers(1, len(ID_POOL)))
def test_the_probe_is_the_same_in_any_order(ids, size):
    in_order, shuffled = (PairedSpaces.join(space(i), space(ID_POOL)) for i in (ID_POOL, ids))
    expected, found = in_order.probe(size), shuffled.probe(size)

    assert found.rank.tolist() == expected.rank.tolist() == sorted(expected.rank)
    assert found.hash.tolist() == expected.hash.tolist()
    np.testing.assert_array_equal(found.y, expected.y)
    assert len(found) == size


def test_the_probe_holds_only_scored_pairs():
    pair = PairedSpaces.join(space(ID_POOL), space(ID_POOL))
    anchors = np.array(ID_POOL[:20])
    probe = pair.with_anchors(anchors, anchors, scored=False).probe(None)

    assert set(pair.ids[np.argsort(pair.rank)][probe.rank]) == set(ID_POOL[20:])


def test_another_seed_draws_another_probe():
    probes = [PairedSpaces.join(space(ID_POOL), space(ID_POOL), seed=seed).probe(10).rank.tolist() for seed in (0, 1)]

    assert probes[0] != probes[1]


@given(st.permutations(ID_POOL), st.integers(1, 50))
def test_batches_hold_every_pair_once_and_in_order(ids, size):
    pair = PairedSpaces.join(space(ids), space(ID_POOL))
    batches = list(pair.batches(size))

    assert np.concatenate([batch.rank for batch in batches]).tolist() == pair.rank.tolist()
    assert np.concatenate([batch.y for batch in batches])[:, 0].tolist() == [ID_POOL.index(i) for i in ids]
    assert max(map(len, batches)) <= size


def test_parts_keep_the_ranks_of_the_whole():
    pair = PairedSpaces.join(space(ID_POOL), space(ID_POOL[::-1]))
    parts = pair.split(4)

    assert np.concatenate([part.rank for part in parts]).tolist() == pair.rank.tolist()
    assert {length for part in parts if (length := len(part))} <= {len(pair) // 4, len(pair) // 4 + 1}


DOUBLED = ["b", "a", "b", "c", "a", "b"]


def test_a_repeated_id_is_refused_by_name():
    with pytest.raises(IdError, match=r"right holds 2 ids more than once: 'a', 'b'\."):
        PairedSpaces.join(space(["a", "b", "c"]), space(DOUBLED, name="right"))


@pytest.mark.parametrize(
    ("policy", "expected", "dropped"),
    [("first", {"a": (1, 0), "b": (0, 1), "c": (3, 2)}, 3), ("drop", {"c": (3, 2)}, 5)],
)
def test_a_repeated_id_is_settled_by_the_policy(policy, expected, dropped):
    pair = PairedSpaces.join(space(DOUBLED), space(["a", "b", "c"]), on_duplicate=policy)

    assert pairs_of(pair) == expected
    assert pair.dropped == (("duplicate ids in x", dropped),)


def test_an_unknown_policy_is_refused():
    with pytest.raises(UsageError, match="error, first, drop"):
        PairedSpaces.join(space(DOUBLED), space(["a"]), on_duplicate="last")


def test_no_shared_id_is_refused_with_an_example_of_each_side():
    with pytest.raises(JoinError, match=r"2 like 'doc-1', 1 like '1'"):
        PairedSpaces.join(space(["doc-1", "doc-2"]), space(["1"]))


TABLE = np.array(["one", "two", "six"]), np.array(["eins", "zwei", "sechs"])


def test_a_table_of_pairs_joins_what_is_called_differently():
    pair = PairedSpaces.join(space(["two", "one", "four"]), space(["vier", "eins", "zwei"]), pairs=TABLE)

    assert pairs_of(pair) == {"two": (0, 2), "one": (1, 1)}


def test_a_table_of_pairs_that_repeats_an_id_is_refused():
    with pytest.raises(IdError, match="1 ids of y more than once"):
        PairedSpaces.join(space(["a", "b"]), space(["c"]), pairs=(np.array(["a", "b"]), np.array(["c", "c"])))


def test_a_table_of_pairs_that_names_nothing_is_refused():
    with pytest.raises(JoinError, match="share no ids"):
        PairedSpaces.join(space(["a", "b"]), space(["c"]), pairs=TABLE)


def test_rows_without_ids_pair_by_number():
    ids = [str(i) for i in range(12)]
    pair = PairedSpaces.join(space(ids, given_ids=False), space(ids, given_ids=False, offset=100))

    assert pair.by == "row number"
    assert pairs_of(pair) == {i: (int(i), int(i) + 100) for i in ids}


def test_strictness_forbids_pairing_by_number():
    with pytest.raises(JoinError, match="--strict forbids"):
        PairedSpaces.join(space(["0"], given_ids=False), space(["0"], given_ids=False), strict=True)


def test_strictness_allows_ids():
    assert len(PairedSpaces.join(space(["0"]), space(["0"]), strict=True)) == 1


def test_unequal_counts_without_ids_are_refused():
    with pytest.raises(JoinError, match="has 2 rows, y 1"):
        PairedSpaces.join(space(["0", "1"], given_ids=False), space(["0"], name="y", given_ids=False))


@pytest.mark.parametrize(("x_given", "flag"), [(True, "--ids-y"), (False, "--ids-x")])
def test_ids_on_one_side_only_are_refused_naming_the_flag_for_the_other(x_given, flag):
    with pytest.raises(JoinError, match=flag):
        PairedSpaces.join(space(["0"], given_ids=x_given), space(["0"], given_ids=not x_given))


def test_a_projection_is_seen_in_every_batch():
    pair = PairedSpaces.join(space(["a", "b"]), space(["b", "a"])).map(np.negative, np.square)
    batch = pair.batch(slice(None))

    assert (batch.x[:, 0].tolist(), batch.y[:, 0].tolist()) == ([-0.0, -1.0], [1.0, 0.0])


# Hashed ids


@given(subsets, st.integers(1, 40), st.integers(0, 3))
def test_a_hash_does_not_depend_on_the_width_of_the_array(ids, wider, seed):
    narrow = np.array(ids, np.str_)
    wide = narrow.astype(f"<U{narrow.dtype.itemsize // 4 + wider}")

    assert hash_ids(wide, seed=seed).tolist() == hash_ids(narrow, seed=seed).tolist()


@given(st.permutations(ID_POOL))
def test_a_hash_does_not_depend_on_where_the_id_stands(ids):
    alone = [int(hash_ids(np.array([i]))[0]) for i in ids]

    assert hash_ids(np.array(ids)).tolist() == alone


def test_an_array_that_is_not_contiguous_hashes_alike():
    ids = np.array(ID_POOL)

    assert hash_ids(ids[::2]).tolist() == hash_ids(ids)[::2].tolist()


@pytest.mark.parametrize("ids", [[f"{i}" for i in range(16000)], [f"doc-{i:08d}" for i in range(16000)]])
@pytest.mark.parametrize("bits", ["lowest", "highest"])
def test_hashes_spread_evenly(ids, bits):
    hashed = hash_ids(np.array(ids))
    bucket = hashed % np.uint64(16) if bits == "lowest" else hashed >> np.uint64(60)

    assert chisquare(np.bincount(bucket.astype(int), minlength=16)).pvalue > 0.001
    assert len(np.unique(hashed)) == len(ids)


def test_the_folds_of_the_smallest_hashes_are_even_too():
    # the probe takes the smallest hashes, the folds the remainders by ten: the one must not tell the other
    smallest = np.sort(hash_ids(np.array([f"{i}" for i in range(20000)])))[:5000]

    assert chisquare(np.bincount((smallest % np.uint64(10)).astype(int), minlength=10)).pvalue > 0.001


def test_seeds_shuffle_the_hashes():
    ids = np.array([f"{i}" for i in range(2000)])
    one, other = (np.argsort(np.argsort(hash_ids(ids, seed=seed))) for seed in (0, 1))

    # independent orders correlate by about 1 / √2000
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.1


def test_a_hash_stays_what_it_was():
    # a changed hash changes every sample, fold and anchor that users have reported
    expected = [17665956581633026203, 198367012849983736, 933996252952681151]

    assert hash_ids(np.array(["", "a", "日本"]), seed=0).tolist() == expected
