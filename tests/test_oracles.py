"""The plain twins against hand-computed values, public packages and what other implementations print."""

from __future__ import annotations

import itertools
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.linalg import orthogonal_procrustes
from scipy.spatial import procrustes
from scipy.stats import spearmanr

from tests import oracles
from tests.oracles import ORACLES, VIEWS, Case, Undefined, clear_cut, relative
from tests.strategies import cases, gaussian_pair, isometry

IN_ORDER = [f"{i:04d}" for i in range(2000)]


def whole(x: np.ndarray, y: np.ndarray, k: int = 10, anchors: tuple[int, ...] = ()) -> Case:
    """Return a case where every row is scored, its ids in the order of the rows."""
    return Case(x, y, IN_ORDER[: len(x)], anchors, include_anchors=True, k=k)


def value(name: str, case: Case, view: str = "absolute") -> float:
    """Return the value of one oracle."""
    return ORACLES[name](case, view)["value"]


def at_angles(*degrees: float) -> np.ndarray:
    """Return unit rows of the plane at these angles."""
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


# Hand-computed


def test_neighbours_of_four_rows_by_hand():
    # nearest first: x 0:[1,2,3] 1:[0,2,3] 2:[3,1,0] 3:[2,1,0], y 0:[3,1,2] 1:[3,0,2] 2:[1,3,0] 3:[0,1,2]
    case = whole(at_angles(0, 10, 30, 45), at_angles(0, 20, 60, 5), k=2)

    assert value("overlap@k", case) == pytest.approx((1 / 2 + 1 / 2 + 1 + 1 / 2) / 4)
    assert value("jaccard@k", case) == pytest.approx((1 / 3 + 1 / 3 + 1 + 1 / 3) / 4)
    assert value("rank-overlap@k", case) == pytest.approx((1 / 4 + 1 / 4 + 1 / 2 + 1 / 4) / 4)
    imbalance = ORACLES["information-imbalance"](case, "absolute")
    assert imbalance["forward"] == pytest.approx(2 / 4 * (2 + 2 + 2 + 3) / 4)
    assert imbalance["backward"] == pytest.approx(2 / 4 * (3 + 3 + 2 + 3) / 4)


def test_equal_neighbours_come_in_the_order_of_their_ids():
    rows = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [0.0, 1.0]])
    s = oracles.score_table(rows, rows)

    assert oracles.neighbors(s[1], ["é", "9", "10", "a"], 1) == [2, 0, 3]
    assert oracles.neighbors(s[3], ["é", "9", "10", "a"], 3) == [2, 1, 0]


def test_a_level_pair_shares_its_ranks():
    # y_0 and y_1 are equal: x_0 finds its own at rank 1 or 2, x_1 at 2 or 3 (row 2 is nearer)
    case = whole(at_angles(0, 50, 90), at_angles(20, 20, 60), k=1)
    reciprocal = ORACLES["mrr"](case, "absolute")

    assert reciprocal["forward"] == pytest.approx(((1 + 1 / 2) / 2 + (1 / 2 + 1 / 3) / 2 + 1) / 3)
    assert ORACLES["recall@k"](case, "absolute")["forward"] == pytest.approx((1 / 2 + 0 + 1) / 3)
    assert ORACLES["median-rank"](case, "absolute")["forward"] == pytest.approx(1.5)


def test_cross_jaccard_by_hand():
    # x_0 takes rows {1, 0} of y and y_0 {0, 1}; x_1 {2, 1} and y_1 {1, 0}; x_2 {0, 1} and y_2 {2, 1}
    case = whole(at_angles(30, 80, 10), at_angles(0, 40, 90), k=2)

    forward = ORACLES["cross-jaccard@k"](case, "absolute")["forward"]
    assert forward == pytest.approx((1 + 1 / 3 + 1 / 3) / 3)


@pytest.mark.parametrize("name", ["mrr", "mrr@k", "recall@k", "csls-recall@k", "median-rank", "cosine"])
def test_a_constant_space_scores_chance_exactly(name):
    x, _ = gaussian_pair(3, 12, 4, 4)
    case = whole(x, np.tile([[1.0, 2.0, 3.0, 4.0]], (12, 1)), k=3)
    found = ORACLES[name](case, "absolute")

    assert found["forward" if name != "cosine" else "value"] == pytest.approx(found["chance"])
    if name == "csls-recall@k":  # the crowding of x still tells its rows apart, on the way back
        return
    both_constant = Case(case.y, case.y, case.ids, (), True, 3)
    found = ORACLES[name](both_constant, "absolute")
    assert found["value"] == pytest.approx(found["chance"])


@pytest.mark.parametrize(("population", "k"), [(5, 2), (6, 3), (4, 4), (5, 1)])
def test_the_chance_of_lists_is_the_mean_over_all_subsets(population, k):
    subsets = list(itertools.combinations(range(population), k))
    fixed = subsets[0]
    shared = [len(set(fixed) & set(subset)) for subset in subsets]

    assert oracles.chance_jaccard(population, k) == pytest.approx(np.mean([c / (2 * k - c) for c in shared]))
    assert oracles.chance_overlap(population, k) == pytest.approx(np.mean(shared) / k)
    assert oracles.chance_overlap(population, k) == pytest.approx(k / population)
    assert oracles.chance_rank_overlap(population, k) == pytest.approx((k + 1) / (2 * population))


def test_the_chance_of_ranks_is_the_mean_over_all_ranks():
    ranks = np.arange(1, 8)

    assert oracles.chance_reciprocal_rank(7, 7) == pytest.approx(np.mean(1 / ranks))
    assert oracles.chance_reciprocal_rank(7, 3) == pytest.approx(np.mean((1 / ranks) * (ranks <= 3)))
    assert oracles.chance_recall(7, 3) == pytest.approx(np.mean(ranks <= 3))
    assert oracles.chance_recall(7, 9) == 1


def every_pairing(m: int) -> list[list[int]]:
    """Return all orders of m rows."""
    return [list(order) for order in itertools.permutations(range(m))]


def test_the_chance_of_linear_cka_is_the_mean_over_all_pairings():
    x, y = gaussian_pair(5, 5, 3, 2)
    shuffled = [value("linear-cka", whole(x, y[order])) for order in every_pairing(5)]

    assert ORACLES["linear-cka"](whole(x, y), "absolute")["chance"] == pytest.approx(np.mean(shuffled))


def test_the_unbiased_hsic_is_zero_on_average_over_all_pairings():
    x, y = gaussian_pair(6, 5, 3, 2)
    shuffled = [value("debiased-cka", whole(x, y[order])) for order in every_pairing(5)]

    assert np.mean(shuffled) == pytest.approx(0, abs=1e-12)


def test_the_chance_of_the_heldout_residual_is_the_mean_over_all_pairings():
    x, y = gaussian_pair(7, 10, 2, 3)
    anchors = (0, 1, 2, 3, 4)
    case = Case(x, y, IN_ORDER[:10], anchors, False, 1)
    held_y, fitted = oracles.heldout(case, "absolute")
    total = np.sum((held_y - held_y.mean(axis=0)) ** 2)
    shuffled = [np.sum((held_y[order] - fitted) ** 2) / total for order in every_pairing(5)]

    assert ORACLES["heldout-procrustes-residual"](case, "absolute")["chance"] == pytest.approx(np.mean(shuffled))


# What must hold


def test_a_rotated_scaled_shifted_copy_is_at_distance_zero():
    x, _ = gaussian_pair(1, 30, 5, 5)
    y = 3.0 * x @ isometry(2, 5) + 7.0
    case = Case(x, y, IN_ORDER[:30], tuple(range(12)), False, 5)

    assert value("procrustes-residual", case) == pytest.approx(0, abs=1e-12)
    assert value("heldout-procrustes-residual", case) == pytest.approx(0, abs=1e-12)
    assert value("heldout-aligned-cosine", case) == pytest.approx(1)
    for name in ("linear-cka", "debiased-cka", "rbf-cka", "distance-correlation", "cca", "svcca", "pwcca"):
        assert value(name, case) == pytest.approx(1), name


def test_an_isometry_keeps_the_relative_view():
    x, _ = gaussian_pair(1, 30, 5, 5)
    case = Case(x, x @ isometry(2, 5), IN_ORDER[:30], tuple(range(8)), False, 5)

    for name in ("jaccard@k", "overlap@k", "cross-jaccard@k", "mrr", "recall@k", "median-rank", "cosine"):
        assert value(name, case, "relative") == pytest.approx(1), name


def test_anchors_are_scored_only_when_asked_for():
    x, y = gaussian_pair(4, 20, 6, 6)
    y[:5] = x[:5]
    with_anchors = Case(x, y, IN_ORDER[:20], tuple(range(5)), True, 1)
    without = Case(x, y, IN_ORDER[:20], tuple(range(5)), False, 1)

    assert value("recall@k", with_anchors) >= 5 / 20
    hits = [np.argmax(oracles.score_table(x, y)[i]) == i for i in range(5, 20)]
    assert ORACLES["recall@k"](without, "absolute")["forward"] == np.mean(hits)


def test_what_has_no_value_says_so():
    x, y = gaussian_pair(8, 5, 2, 3)
    case = Case(x, y, IN_ORDER[:5], (0, 1), False, 5)

    for name in ("mrr", "cosine", "recall@k", "cross-jaccard@k", "jaccard@k", "debiased-cka", "cca"):
        with pytest.raises(Undefined):
            ORACLES[name](case, "absolute")
    for name in ("heldout-procrustes-residual", "heldout-aligned-cosine"):
        with pytest.raises(Undefined):
            ORACLES[name](case, "relative")
    for name in ("procrustes-residual", "linear-cka", "rsa", "rbf-cka", "distance-correlation", "gulp"):
        with pytest.raises(Undefined):
            ORACLES[name](whole(np.full((6, 2), 0.1), np.eye(6)), "absolute")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(cases())
def test_a_clear_cut_case_does_not_hang_on_rounding(case):
    # the same spaces with their columns in reverse and every float rounded anew
    other = Case(3.0 * case.x[:, ::-1], 7.0 * case.y[:, ::-1], case.ids, case.anchors, case.include_anchors, case.k)
    for name, view in itertools.product(ORACLES, VIEWS):
        if not clear_cut(name, case, view):
            continue
        try:
            one = ORACLES[name](case, view)
        except Undefined:
            with pytest.raises(Undefined):
                ORACLES[name](other, view)
            continue
        # √(2 − 2 nuc) and arccos turn 1e-12 into 1e-6 where nuc is nearly 1, GULP likewise
        again = ORACLES[name](other, view)
        for figure in (f for f in one if one[f] is not None):
            assert again[figure] == pytest.approx(one[figure], abs=1e-5, rel=1e-5), (name, view, figure)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_a_case_is_printed_so_that_it_can_be_run_again(case):
    again = eval(repr(case), {"Case": Case, "np": np})

    np.testing.assert_array_equal(again.x, case.x)
    np.testing.assert_array_equal(again.y, case.y)
    assert (again.ids, list(again.anchors), again.k) == (case.ids, list(case.anchors), case.k)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_no_case_holds_a_zero_row_or_a_repeated_id(case):
    assert len(set(case.ids)) == len(case.ids) == len(case.x) == len(case.y)
    for view in VIEWS:
        for v in oracles.rows_of(case, view):
            assert np.max(np.abs(v), axis=1).min() > 1e-9


# Public packages


@pytest.mark.parametrize(("dx", "dy"), [(4, 4), (3, 6), (6, 3)])
def test_the_procrustes_residual_is_scipys_disparity(dx, dy):
    x, y = gaussian_pair(11, 40, dx, dy)
    d = max(dx, dy)
    disparity = procrustes(oracles.padded(x, d), oracles.padded(y, d))[2]

    case = whole(x, y)
    assert value("procrustes-residual", case) == pytest.approx(disparity)
    assert value("procrustes-distance", case) == pytest.approx(math.sqrt(2 - 2 * math.sqrt(1 - disparity)))
    assert value("procrustes-angle", case) == pytest.approx(math.acos(math.sqrt(1 - disparity)))


def test_the_heldout_fit_is_scipys_orthogonal_procrustes():
    x, y = gaussian_pair(12, 40, 4, 4)
    y += x @ isometry(1, 4)
    case = Case(x, y, IN_ORDER[:40], tuple(range(20)), False, 1)
    xa, ya = x[:20] - x[:20].mean(axis=0), y[:20] - y[:20].mean(axis=0)
    rotation, strength = orthogonal_procrustes(xa, ya)
    expected = (x[20:] - x[:20].mean(axis=0)) @ rotation * strength / np.sum(xa**2) + y[:20].mean(axis=0)

    np.testing.assert_allclose(oracles.heldout(case, "absolute")[1], expected, atol=1e-12)


def test_neighbour_lists_are_scikit_learns():
    neighbors = pytest.importorskip("sklearn.neighbors")
    x, _ = gaussian_pair(13, 80, 7, 7)
    found = neighbors.NearestNeighbors(n_neighbors=80, metric="cosine", algorithm="brute").fit(x)

    lists = oracles.neighbor_lists(x, IN_ORDER[:80], range(80))
    assert np.array_equal(lists, found.kneighbors(return_distance=False, n_neighbors=79))


def test_distance_correlation_is_dcors():
    x, y = gaussian_pair(14, 40, 3, 5)
    y[:, :3] += x

    # dcor 0.7, u_distance_correlation_sqr; importing it takes longer than all the tests here
    assert value("distance-correlation", whole(x, y)) == pytest.approx(0.4149087643710012, abs=1e-12)


def test_canonical_correlations_are_scikit_learns():
    decomposition = pytest.importorskip("sklearn.cross_decomposition")
    x, y = gaussian_pair(15, 60, 3, 4)
    y[:, :3] += x
    fitted = decomposition.CCA(3, scale=False, max_iter=5000, tol=1e-12).fit(x, y)
    variates_x, variates_y = fitted.transform(x, y)
    each = [np.corrcoef(variates_x[:, c], variates_y[:, c])[0, 1] for c in range(3)]

    assert value("cca", whole(x, y)) == pytest.approx(np.mean(each), abs=1e-6)


def test_rsa_is_scipys_spearman():
    x, y = gaussian_pair(16, 25, 3, 4)
    above = np.triu_indices(25, 1)
    tables = [1 - oracles.score_table(v, v)[above] for v in (x, y)]

    assert value("rsa", whole(x, y)) == pytest.approx(spearmanr(*tables).statistic)


# What 32 public implementations print for one pair, and an independent script for another


@pytest.fixture(scope="module")
def shared() -> Path:
    """Return the folder with figures of other implementations."""
    if not os.environ.get("RELCLI_SHARED"):
        pytest.skip("RELCLI_SHARED is not set: it names the folder with other implementations' figures")
    return Path(os.environ["RELCLI_SHARED"]) / "data"


@pytest.fixture(scope="module")
def peers(shared) -> dict:
    """Return what each public implementation prints, by its name."""
    return json.loads((shared / "oracle" / "oracle_A_B.json").read_text())["peer"]


@pytest.fixture(scope="module")
def pair(shared) -> Case:
    """Return the pair the public implementations were run on."""
    x, y, anchors = (np.load(shared / "oracle" / f"{name}.npy") for name in ("A", "B", "anchors"))
    return whole(x, y, 10, tuple(int(i) for i in anchors))


PEERS = [
    ("jaccard@k", "absolute", "value", "resi", "jaccard_k10"),
    ("jaccard@k", "relative", "value", "resi", "REL_jaccard_k10"),
    ("overlap@k", "absolute", "value", "platonic-rep", "mutual_knn_k10_unit_rows"),
    ("overlap@k", "absolute", "value", "dadapy", "data_overlap_k10_unit_rows"),
    ("rank-overlap@k", "absolute", "value", "embcompare", "ordered_similarity_k10"),
    ("cross-jaccard@k", "relative", "forward", "relreps-notebook", "topk_jaccard_k10"),
    ("mrr", "relative", "forward", "pytrec_eval", "recip_rank"),
    ("mrr", "relative", "forward", "ranx", "mrr"),
    ("mrr@k", "relative", "forward", "relreps-notebook", "mrr_k10"),
    ("mrr@k", "relative", "forward", "mteb", "MRR@10"),
    ("recall@k", "relative", "forward", "pytrec_eval", "recall_10"),
    ("cosine", "relative", "value", "relreps-notebook", "cosine_sim_k10"),
    ("procrustes-residual", "absolute", "value", "scipy", "spatial.procrustes_disparity"),
    ("procrustes-distance", "absolute", "value", "resi", "procrustes_centered_normalized"),
    ("procrustes-angle", "absolute", "value", "resi", "angular_shape_metric_centered"),
    ("procrustes-angle", "absolute", "value", "netrep", "linear_metric_alpha1_angular"),
    ("linear-cka", "absolute", "value", "google-research-cka", "cka_linear_biased"),
    ("debiased-cka", "absolute", "value", "google-research-cka", "cka_linear_debiased_gram"),
    ("debiased-cka", "absolute", "value", "google-research-cka", "cka_linear_debiased_feature"),
    ("debiased-cka", "absolute", "value", "murphy-correcting-cka", "cka_linear_debiased"),
    ("debiased-cka", "absolute", "value", "thingsvision", "cka_linear_unbiased"),
    ("rsa", "absolute", "value", "thingsvision", "rsa_cosine_spearman"),
    ("distance-correlation", "absolute", "value", "dcor", "u_distance_correlation_sqr"),
    ("cca", "absolute", "value", "sim_metric", "cca_mean_rho"),
    ("svcca", "absolute", "value", "google-svcca", "svcca_var0.99"),
    ("pwcca", "absolute", "value", "sim_metric", "pwcca"),
]
SINGLE_PRECISION = {
    "platonic-rep",
    "relreps-notebook",
    "google-svcca",
}  # google-svcca adds 1e-6 before it inverts


@pytest.mark.parametrize(("name", "view", "figure", "peer", "key"), PEERS)
def test_public_implementations_print_the_same(pair, peers, name, view, figure, peer, key):
    tolerance = 1e-6 if peer in SINGLE_PRECISION else 1e-9

    assert ORACLES[name](pair, view)[figure] == pytest.approx(peers[peer][key]["value"], abs=tolerance)


@pytest.mark.parametrize("k", [1, 5, 10])
def test_muse_prints_the_same_precision(pair, peers, k):
    case = Case(pair.x, pair.y, pair.ids, pair.anchors, True, k)
    plain, csls = (peers["MUSE"][f"{way}_precision_at_{k}"]["value"] / 100 for way in ("nn", "csls_knn_10"))

    assert ORACLES["recall@k"](case, "relative")["forward"] == pytest.approx(plain)
    assert ORACLES["csls-recall@k"](case, "relative")["forward"] == pytest.approx(csls)


@pytest.mark.parametrize("ridge", ["0.001", "0.01", "0.1", "1"])
def test_gulp_prints_the_same(pair, peers, ridge):
    x, y = oracles.scored_moments(pair, "absolute")

    expected = peers["GULP"][f"gulp_sq_lambda{ridge}"]["value"]
    assert oracles.gulp_squared(x, y, float(ridge)) == pytest.approx(expected, rel=1e-9)


def test_latentis_prints_the_same_biased_rbf_cka(pair, peers):
    gram_x, gram_y = (oracles.centred_gram(oracles.rbf_gram(v)) for v in (pair.x, pair.y))
    biased = np.sum(gram_x * gram_y) / np.linalg.norm(gram_x) / np.linalg.norm(gram_y)

    assert biased == pytest.approx(peers["latentis"]["rbf_cka"]["value"], abs=1e-9)
    # google takes the median with the zeros of the diagonal, hence the width of the tolerance
    debiased = peers["google-research-cka"]["cka_rbf_med1_debiased"]["value"]
    assert value("rbf-cka", pair) == pytest.approx(debiased, abs=1e-5)


def test_latentis_prints_the_same_relative_rows(pair, peers):
    x, y = oracles.rows_of(pair, "relative")
    expected = peers["latentis"]["relrep_checksum"]["value"]

    assert [x.sum(), y.sum()] == pytest.approx([expected["RX_sum"], expected["RY_sum"]], rel=1e-9)
    assert np.linalg.norm(x - y) == pytest.approx(expected["frob_diff"], rel=1e-9)


def test_the_papers_notebook_prints_the_same_cka_on_unit_rows(pair, peers):
    x, y = (oracles.unit_rows(v) for v in oracles.rows_of(pair, "relative"))

    expected = peers["relreps-notebook"]["linear_cka_k10"]["value"]
    assert value("linear-cka", whole(x, y)) == pytest.approx(expected, abs=1e-6)


@pytest.fixture(scope="module")
def word_rows(shared) -> tuple[np.ndarray, np.ndarray, list[str], list[int]]:
    """Return the words that both models hold, and which of them are the given anchors."""
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = shared / "words"
    table = parquet.read_table(folder / "fasttext_cc2k.parquet")
    one = dict(zip((folder / "w2v.ids.txt").read_text().split("\n"), np.load(folder / "w2v.npy"), strict=False))
    vectors = next(name for name in table.column_names if name != "id")
    other = dict(zip(table["id"].to_pylist(), table[vectors].to_pylist(), strict=True))
    words = sorted(one.keys() & other.keys())
    anchors = [words.index(word) for word in (folder / "anchors.txt").read_text().split("\n") if word]
    rows = [np.array([of[word] for word in words], dtype=np.float64) for of in (one, other)]
    return rows[0], rows[1], words, anchors


@pytest.mark.parametrize("kept", [True, False])
def test_an_independent_script_prints_the_same_for_words(shared, word_rows, kept):
    x, y, words, anchors = word_rows
    x, y = relative(x, x[anchors]), relative(y, y[anchors])
    rows = [i for i in range(len(words)) if kept or i not in set(anchors)]
    case = Case(x[rows], y[rows], [words[i] for i in rows], (), True, 10)
    figures = json.loads((shared / "reference.json").read_text())
    expected = figures["fixed_words_w2v__ftcc" + ("" if kept else "_rows_without_anchors")]
    expected = expected["mean"] if kept else expected
    retrieval, at_k = ORACLES["mrr"](case, "absolute"), ORACLES["mrr@k"](case, "absolute")
    found = {
        "rel.jac": value("jaccard@k", case),
        "rel.cos": value("cosine", case),
        "rel.mrr_ab": retrieval["forward"],
        "rel.mrr_ba": retrieval["backward"],
        "rel.mrr_at_k_ab": at_k["forward"],
        "rel.mrr_at_k_ba": at_k["backward"],
    }

    assert found == pytest.approx({key: expected[key] for key in found}, abs=1e-6)
