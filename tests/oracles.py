"""The slow, plain twins of every measure, written from the papers, that the fast ones are held against."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import hypergeom, rankdata

GRID = 2.0**40
TINY = 1e-10  # a spread this small beside the vectors themselves is rounding, not variance
UNSURE = (1e-13, 1e-4)  # between these, a direction is too thin for sums of products to tell its correlations
GREY = (1e-13, 1e-6)  # between these, whether a spread is zero depends on who summed it
CSLS_NEIGHBORS = 10
GULP_LAMBDA = 1e-2
SVCCA_SHARE = 0.99
VIEWS = ("absolute", "relative")


class Undefined(Exception):
    """The measure has no value on this case: the message says why."""


@dataclass(frozen=True, eq=False)
class Case:
    """Two joined spaces: rows x [m, dx] and y [m, dy], their ids [m], which of them are anchors, and k."""

    x: np.ndarray
    y: np.ndarray
    ids: list[str]
    anchors: Sequence[int]
    include_anchors: bool
    k: int

    def __repr__(self) -> str:
        """Return text that, evaluated, gives the very same floats."""
        return (
            f"Case(x=np.array({self.x.tolist()}), y=np.array({self.y.tolist()}), ids={self.ids!r}, "
            f"anchors={list(self.anchors)!r}, include_anchors={self.include_anchors}, k={self.k})"
        )

    def _repr_pretty_(self, printer, cycle: bool) -> None:
        printer.text(repr(self))

    @property
    def m(self) -> int:
        """Return how many rows the gallery holds: always all of them."""
        return len(self.x)

    @property
    def rest(self) -> list[int]:
        """Return the rows that are no anchors."""
        anchors = set(self.anchors)
        return [i for i in range(self.m) if i not in anchors]

    @property
    def scored(self) -> list[int]:
        """Return the rows that are queries and enter the moments."""
        return list(range(self.m)) if self.include_anchors else self.rest


# Rows, views and scores


def unit_rows(v: np.ndarray) -> np.ndarray:
    """Return the rows of v [n, d] divided by their lengths."""
    return v / np.sqrt(np.sum(v * v, axis=1, keepdims=True))


def relative(v: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Return the cosine of each row of v [n, d] with each anchor [a, d]: [n, a] (Moschella et al. 2023)."""
    return unit_rows(v) @ unit_rows(anchors).T


def grid(s: np.ndarray) -> np.ndarray:
    """Return the scores as multiples of 2^-40, so that rounding noise cannot decide an order."""
    return np.round(s * GRID) / GRID


def rows_of(case: Case, view: str) -> tuple[np.ndarray, np.ndarray]:
    """Return all rows of x and y as the view shows them."""
    x, y = np.asarray(case.x, dtype=np.float64), np.asarray(case.y, dtype=np.float64)
    if view == "absolute":
        return x, y
    anchors = list(case.anchors)
    if not anchors:
        raise Undefined("there are no anchors")
    return relative(x, x[anchors]), relative(y, y[anchors])


def shared_rows_of(case: Case, view: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows for a measure that compares a row of x with a row of y coordinate by coordinate."""
    x, y = rows_of(case, view)
    if x.shape[1] != y.shape[1]:
        raise Undefined(f"x has {x.shape[1]} dimensions and y has {y.shape[1]}")
    return x, y


def queries_of(case: Case) -> list[int]:
    """Return the scored rows, of which there must be one at least."""
    if not case.scored:
        raise Undefined("no row is scored: all are anchors")
    return case.scored


def score_table(v: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return the cosine of each row of v with each row of w, not yet on the grid."""
    return unit_rows(v) @ unit_rows(w).T


def result(
    value: float,
    chance: float | None = None,
    forward: float | None = None,
    backward: float | None = None,
) -> dict[str, float | None]:
    """Return the four figures every oracle answers with."""
    plain = [None if v is None else float(v) for v in (value, forward, backward, chance)]
    return dict(zip(("value", "forward", "backward", "chance"), plain, strict=True))


Oracle = Callable[[Case, str], dict]
ORACLES: dict[str, Oracle] = {}


def oracle(name: str) -> Callable[[Oracle], Oracle]:
    """Return a decorator that enters the function under the measure's public name."""

    def enter(function: Oracle) -> Oracle:
        ORACLES[name] = function
        return function

    return enter


def both_ways(one_way: Callable[[np.ndarray], float], s: np.ndarray, chance: float) -> dict:
    """Return one_way over the score table s [m, m] of x against y, and over its mirror, and their mean."""
    forward, backward = one_way(s), one_way(s.T)
    return result((forward + backward) / 2, chance, forward, backward)


# Neighbour lists


def neighbors(s: np.ndarray, ids: Sequence[str], leave_out: int | None) -> list[int]:
    """Return the gallery rows by falling score s [m], equal ones by the order of their ids."""
    by_id = np.array(sorted(range(len(ids)), key=lambda i: ids[i]))
    by_score = by_id[np.argsort(-grid(s)[by_id], kind="stable")]
    return [int(j) for j in by_score if j != leave_out]


def neighbor_lists(v: np.ndarray, ids: Sequence[str], rows: Sequence[int]) -> list[list[int]]:
    """Return all other rows of the same space by nearness, for each of the rows asked for."""
    s = score_table(v, v)
    return [neighbors(s[i], ids, i) for i in rows]


def jaccard(one: Sequence[int], other: Sequence[int]) -> float:
    """Return the size of the intersection over the size of the union."""
    return len(set(one) & set(other)) / len(set(one) | set(other))


def chance_jaccard(population: int, k: int) -> float:
    """Return the expected Jaccard of two random k-subsets of the population: it shares a Hyp-many."""
    return float(sum(hypergeom.pmf(c, population, k, k) * c / (2 * k - c) for c in range(k + 1)))


def chance_overlap(population: int, k: int) -> float:
    """Return the expected share of k that two random k-subsets of the population have in common."""
    return float(sum(hypergeom.pmf(c, population, k, k) * c / k for c in range(k + 1)))


def chance_rank_overlap(population: int, k: int) -> float:
    """Return the mean over depths 1..k of the overlap that chance gives."""
    return sum(chance_overlap(population, depth) for depth in range(1, k + 1)) / k


def k_others(case: Case) -> int:
    """Return k, which must leave room: a row has m - 1 others."""
    if case.k > case.m - 1:
        raise Undefined(f"k = {case.k} neighbours among {case.m - 1} other rows")
    return case.k


def mean_over_lists(case: Case, view: str, score: Callable[[list[int], list[int]], float]) -> float:
    """Return the mean over queries of a score of the two full neighbour lists, in x and in y."""
    x, y = rows_of(case, view)
    queries = queries_of(case)
    pairs = zip(neighbor_lists(x, case.ids, queries), neighbor_lists(y, case.ids, queries), strict=True)
    return sum(score(in_x, in_y) for in_x, in_y in pairs) / len(queries)


@oracle("jaccard@k")
def jaccard_at_k(case: Case, view: str) -> dict:
    """Return the mean Jaccard of the k nearest rows within x and within y."""
    k = k_others(case)
    value = mean_over_lists(case, view, lambda in_x, in_y: jaccard(in_x[:k], in_y[:k]))
    return result(value, chance_jaccard(case.m - 1, k))


@oracle("overlap@k")
def overlap_at_k(case: Case, view: str) -> dict:
    """Return the mean share of the k nearest rows that x and y have in common (Huh et al. 2024)."""
    k = k_others(case)
    value = mean_over_lists(case, view, lambda in_x, in_y: len(set(in_x[:k]) & set(in_y[:k])) / k)
    return result(value, chance_overlap(case.m - 1, k))


@oracle("rank-overlap@k")
def rank_overlap_at_k(case: Case, view: str) -> dict:
    """Return the mean over depths 1..k of the overlap at that depth (average overlap)."""
    k = k_others(case)

    def average_overlap(in_x: list[int], in_y: list[int]) -> float:
        return sum(len(set(in_x[:depth]) & set(in_y[:depth])) / depth for depth in range(1, k + 1)) / k

    return result(mean_over_lists(case, view, average_overlap), chance_rank_overlap(case.m - 1, k))


@oracle("information-imbalance")
def information_imbalance(case: Case, view: str) -> dict:
    """Return 2/n times the mean rank in one space of the nearest row in the other (Glielmo et al. 2022)."""
    if case.m < 2:
        raise Undefined("a single row has no neighbours")
    forward = mean_over_lists(case, view, lambda in_x, in_y: in_y.index(in_x[0]) + 1) * 2 / case.m
    backward = mean_over_lists(case, view, lambda in_x, in_y: in_x.index(in_y[0]) + 1) * 2 / case.m
    return result((forward + backward) / 2, 1.0, forward, backward)


@oracle("cross-jaccard@k")
def cross_jaccard_at_k(case: Case, view: str) -> dict:
    """Return the mean Jaccard of both rows' k nearest in the target space, each row among them."""
    x, y = shared_rows_of(case, view)
    queries = queries_of(case)
    if case.k > case.m:
        raise Undefined(f"k = {case.k} neighbours among {case.m} rows")

    def into(source: np.ndarray, target: np.ndarray) -> float:
        across, within = score_table(source, target), score_table(target, target)
        total = 0.0
        for i in queries:
            of_source = neighbors(across[i], case.ids, None)[: case.k]
            of_target = neighbors(within[i], case.ids, None)[: case.k]
            total += jaccard(of_source, of_target)
        return total / len(queries)

    forward, backward = into(x, y), into(y, x)
    return result((forward + backward) / 2, chance_jaccard(case.m, case.k), forward, backward)


# Retrieval


def harmonic(n: int) -> float:
    """Return 1 + 1/2 + … + 1/n."""
    return sum(1 / rank for rank in range(1, n + 1))


def chance_reciprocal_rank(n: int, k: int) -> float:
    """Return the expected 1/rank, 0 beyond k, when all n ranks are equally likely."""
    return harmonic(min(k, n)) / n


def chance_recall(n: int, k: int) -> float:
    """Return the expected share of ranks within k when all n ranks are equally likely."""
    return min(k, n) / n


def possible_ranks(s: np.ndarray, i: int) -> list[int]:
    """Return the equally likely ranks of the true row i among scores s [m] (McSherry & Najork 2008)."""
    on_grid = grid(s)
    others = np.delete(on_grid, i)
    greater, level = int(np.sum(others > on_grid[i])), int(np.sum(others == on_grid[i]))
    return list(range(greater + 1, greater + level + 2))


def reciprocal_rank(s: np.ndarray, queries: Sequence[int], k: int) -> float:
    """Return the mean over queries of the expected 1/rank, 0 beyond k."""
    total = 0.0
    for i in queries:
        ranks = possible_ranks(s[i], i)
        total += sum(1 / rank for rank in ranks if rank <= k) / len(ranks)
    return total / len(queries)


def recall(s: np.ndarray, queries: Sequence[int], k: int) -> float:
    """Return the mean over queries of the probability that the true row is within the first k."""
    total = 0.0
    for i in queries:
        ranks = possible_ranks(s[i], i)
        total += sum(1 for rank in ranks if rank <= k) / len(ranks)
    return total / len(queries)


def csls_table(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return 2 cos(x, y) less each side's mean cosine to its 10 nearest (Conneau et al. 2018)."""
    s = score_table(x, y)
    k = min(CSLS_NEIGHBORS, len(s))
    crowd_x = [np.mean(np.sort(row)[::-1][:k]) for row in s]
    crowd_y = [np.mean(np.sort(column)[::-1][:k]) for column in s.T]
    return 2 * s - np.array(crowd_x)[:, None] - np.array(crowd_y)[None, :]


@oracle("mrr")
def mrr(case: Case, view: str) -> dict:
    """Return the mean expected 1/rank of the true row over the full gallery."""
    s, queries = score_table(*shared_rows_of(case, view)), queries_of(case)
    return both_ways(lambda t: reciprocal_rank(t, queries, case.m), s, chance_reciprocal_rank(case.m, case.m))


@oracle("mrr@k")
def mrr_at_k(case: Case, view: str) -> dict:
    """Return the mean expected 1/rank of the true row, 0 beyond k."""
    s, queries = score_table(*shared_rows_of(case, view)), queries_of(case)
    return both_ways(lambda t: reciprocal_rank(t, queries, case.k), s, chance_reciprocal_rank(case.m, case.k))


@oracle("recall@k")
def recall_at_k(case: Case, view: str) -> dict:
    """Return the expected share of queries whose true row is within the first k."""
    s, queries = score_table(*shared_rows_of(case, view)), queries_of(case)
    return both_ways(lambda t: recall(t, queries, case.k), s, chance_recall(case.m, case.k))


@oracle("csls-recall@k")
def csls_recall_at_k(case: Case, view: str) -> dict:
    """Return recall@k under the score that takes hubs their advantage."""
    s, queries = csls_table(*shared_rows_of(case, view)), queries_of(case)
    return both_ways(lambda t: recall(t, queries, case.k), s, chance_recall(case.m, case.k))


@oracle("median-rank")
def median_rank(case: Case, view: str) -> dict:
    """Return the median over queries of the expected rank of the true row."""
    s, queries = score_table(*shared_rows_of(case, view)), queries_of(case)

    def one_way(t: np.ndarray) -> float:
        return float(np.median([np.mean(possible_ranks(t[i], i)) for i in queries]))

    return both_ways(one_way, s, (case.m + 1) / 2)


@oracle("cosine")
def cosine(case: Case, view: str) -> dict:
    """Return the mean cosine of the paired rows; its chance is that of the mismatched ones."""
    s, rows = score_table(*shared_rows_of(case, view)), queries_of(case)
    mismatched = [s[i, j] for i in rows for j in rows if i != j]
    chance = float(np.mean(mismatched)) if mismatched else None
    return result(float(np.mean([s[i, i] for i in rows])), chance)


# Alignment


def centred(v: np.ndarray) -> np.ndarray:
    """Return v [n, d] less its column means."""
    return v - v.mean(axis=0)


def spread(v: np.ndarray) -> float:
    """Return the length of the centred v beside the length of v: 0 for equal rows."""
    return float(np.linalg.norm(centred(v)) / np.linalg.norm(v)) if len(v) else 0.0


def varying(v: np.ndarray, what: str) -> np.ndarray:
    """Return v centred; it must vary."""
    if len(v) < 2 or spread(v) <= TINY:
        raise Undefined(f"{what} do not vary")
    return centred(v)


def scored_moments(case: Case, view: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the scored rows of x and y, centred."""
    x, y = rows_of(case, view)
    rows = case.scored
    return varying(x[rows], "the scored rows of x"), varying(y[rows], "the scored rows of y")


def padded(v: np.ndarray, d: int) -> np.ndarray:
    """Return v [n, dv] with columns of zeros up to d."""
    return np.hstack([v, np.zeros((len(v), d - v.shape[1]))])


def nuclear(case: Case, view: str) -> float:
    """Return the nuclear norm of XfᵀYf in [0, 1]: the largest correlation a rotation can give."""
    x, y = scored_moments(case, view)
    cross = (x / np.linalg.norm(x)).T @ (y / np.linalg.norm(y))
    return min(1.0, float(np.sum(np.linalg.svd(cross, compute_uv=False))))


@oracle("procrustes-residual")
def procrustes_residual(case: Case, view: str) -> dict:
    """Return the share of variance that the best rotation and scale leave over."""
    return result(1 - nuclear(case, view) ** 2)


@oracle("procrustes-distance")
def procrustes_distance(case: Case, view: str) -> dict:
    """Return the distance of the two normalised spaces after the best rotation (Williams et al. 2021)."""
    return result(math.sqrt(max(0.0, 2 - 2 * nuclear(case, view))))


@oracle("procrustes-angle")
def procrustes_angle(case: Case, view: str) -> dict:
    """Return the angle of the two normalised spaces after the best rotation (Williams et al. 2021)."""
    return result(math.acos(nuclear(case, view)))


def heldout(case: Case, view: str) -> tuple[np.ndarray, np.ndarray]:
    """Return y and ŷ on the rows that are no anchors; the map to ŷ is fitted on the anchors."""
    if view == "relative":
        raise Undefined("the map is fitted between the spaces themselves")
    x, y = rows_of(case, view)
    d = max(x.shape[1], y.shape[1])
    x, y = padded(x, d), padded(y, d)
    anchors, rest = list(case.anchors), case.rest
    varying(y[rest], "the rows of y that are no anchors")
    xa = varying(x[anchors], "the anchors of x")
    mean_x, mean_y = x[anchors].mean(axis=0), y[anchors].mean(axis=0)
    u, strength, vt = np.linalg.svd(xa.T @ (y[anchors] - mean_y))
    rotation = u @ vt
    scale = float(np.sum(strength)) / float(np.sum(xa**2))
    return y[rest], scale * (x[rest] - mean_x) @ rotation + mean_y


@oracle("heldout-procrustes-residual")
def heldout_procrustes_residual(case: Case, view: str) -> dict:
    """Return Σ‖y−ŷ‖² / Σ‖y−ȳ‖² on the rows that are no anchors."""
    y, fitted = heldout(case, view)
    n = len(y)
    total = float(np.sum(centred(y) ** 2))
    any_pair = sum(float(np.sum((y[i] - fitted[j]) ** 2)) for i in range(n) for j in range(n))
    return result(float(np.sum((y - fitted) ** 2)) / total, any_pair / n / total)


def heldout_directions(case: Case, view: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Return y − ȳ and ŷ − ȳ on the rows that are no anchors, and the length that counts as zero."""
    y, fitted = heldout(case, view)
    mean = y.mean(axis=0)
    return y - mean, fitted - mean, TINY * float(np.max(np.linalg.norm(y, axis=1)))


@oracle("heldout-aligned-cosine")
def heldout_aligned_cosine(case: Case, view: str) -> dict:
    """Return the mean cosine of y − ȳ and ŷ − ȳ off the anchors, 0 where there is no direction."""
    y, fitted, zero = heldout_directions(case, view)
    n = len(y)
    table = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            lengths = np.linalg.norm(y[i]), np.linalg.norm(fitted[j])
            if min(lengths) > zero:
                table[i, j] = y[i] @ fitted[j] / (lengths[0] * lengths[1])
    mismatched = [table[i, j] for i in range(n) for j in range(n) if i != j]
    return result(float(np.mean(np.diag(table))), float(np.mean(mismatched)))


def ridge_maps(x: np.ndarray, y: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """Return, for each of 65 penalties, the generalised cross-validation error of centred anchors and the map."""
    n, d = x.shape
    maps = []
    for exponent in np.linspace(-12, 4, 65):
        penalty = 10**exponent * np.linalg.norm(x, 2) ** 2
        inverse = np.linalg.inv(x.T @ x + penalty * np.eye(d))
        hat = x @ inverse @ x.T
        error = float(np.sum((y - hat @ y) ** 2)) / (n - 1 - float(np.trace(hat))) ** 2
        maps.append((error, inverse @ x.T @ y))
    return maps


def ridge_r2(x: np.ndarray, y: np.ndarray, anchors: list[int], rest: list[int]) -> tuple[float, float]:
    """Return R² of rows y that are no anchors, predicted from x by ridge, and its mean over all pairs of rows."""
    mean_x, mean_y = x[anchors].mean(axis=0), y[anchors].mean(axis=0)
    errors_and_maps = ridge_maps(x[anchors] - mean_x, y[anchors] - mean_y)
    best = min(range(len(errors_and_maps)), key=lambda i: errors_and_maps[i][0])
    fitted = (x[rest] - mean_x) @ errors_and_maps[best][1] + mean_y
    total, n = float(np.sum(centred(y[rest]) ** 2)), len(rest)
    missed = float(np.sum((y[rest] - fitted) ** 2))
    any_pair = sum(float(np.sum((y[rest][i] - fitted[j]) ** 2)) for i in range(n) for j in range(n))
    return 1 - missed / total, 1 - any_pair / n / total


@oracle("linear-r2")
def linear_r2(case: Case, view: str) -> dict:
    """Return R² off the anchors of a ridge map fitted on them, both ways."""
    if view == "relative":
        raise Undefined("the map is fitted between the spaces themselves")
    x, y = rows_of(case, view)
    anchors, rest = list(case.anchors), case.rest
    for v in (x, y):
        varying(v[rest], "the rows that are no anchors")
        varying(v[anchors], "the anchors")
    (forward, chance), (backward, back) = ridge_r2(x, y, anchors, rest), ridge_r2(y, x, anchors, rest)
    return result((forward + backward) / 2, (chance + back) / 2, forward, backward)


# Similarity structure


@oracle("linear-cka")
def linear_cka(case: Case, view: str) -> dict:
    """Return ⟨K, L⟩ / (‖K‖ ‖L‖) of the centred Gram matrices; chance is its mean over all pairings."""
    x, y = scored_moments(case, view)
    gram_x, gram_y = x @ x.T, y @ y.T
    lengths = float(np.linalg.norm(gram_x) * np.linalg.norm(gram_y))
    chance = float(np.trace(gram_x) * np.trace(gram_y)) / (len(x) - 1) / lengths
    return result(float(np.sum(gram_x * gram_y)) / lengths, chance)


def unbiased_hsic(gram_x: np.ndarray, gram_y: np.ndarray) -> float:
    """Return the unbiased HSIC of two Gram matrices [n, n], n ≥ 4 (Song et al. 2012, eq. 5)."""
    n = len(gram_x)
    # as many digits as there are: its three terms cancel where a kernel is nearly constant
    k, l = gram_x.astype(np.longdouble), gram_y.astype(np.longdouble)  # noqa: E741
    for i in range(n):
        k[i, i] = l[i, i] = 0
    ones = np.ones(n, np.longdouble)
    total = np.trace(k @ l)
    total += (ones @ k @ ones) * (ones @ l @ ones) / ((n - 1) * (n - 2))
    total -= 2 * (ones @ k @ l @ ones) / (n - 2)
    return float(total / (n * (n - 3)))


def centred_gram(gram: np.ndarray) -> np.ndarray:
    """Return HKH, H = I − 11ᵀ/n."""
    h = np.eye(len(gram)) - 1 / len(gram)
    return h @ gram @ h


def self_share(gram: np.ndarray) -> float:
    """Return the unbiased HSIC of a Gram matrix with itself as a share of the biased one."""
    n = len(gram)
    biased = float(np.sum(centred_gram(gram) ** 2))
    return unbiased_hsic(gram, gram) * n * (n - 3) / biased if biased > 0 else 0.0


def debiased_ratio(gram_x: np.ndarray, gram_y: np.ndarray) -> float:
    """Return HSIC(K, L) / √(HSIC(K, K) HSIC(L, L)), all three unbiased."""
    if len(gram_x) < 4:
        raise Undefined(f"{len(gram_x)} scored rows, of which the unbiased HSIC wants 4")
    if min(self_share(gram_x), self_share(gram_y)) <= TINY:
        raise Undefined("the unbiased HSIC of a space with itself is not positive")
    selves = unbiased_hsic(gram_x, gram_x) * unbiased_hsic(gram_y, gram_y)
    return unbiased_hsic(gram_x, gram_y) / math.sqrt(selves)


@oracle("debiased-cka")
def debiased_cka(case: Case, view: str) -> dict:
    """Return linear CKA with the unbiased HSIC in all three places (Murphy et al. 2024)."""
    x, y = scored_moments(case, view)
    return result(debiased_ratio(x @ x.T, y @ y.T), 0.0)


def squared_distances(v: np.ndarray) -> np.ndarray:
    """Return ‖v_i − v_j‖² for all pairs of rows of v [n, d]."""
    table = np.zeros((len(v), len(v)))
    for i in range(len(v)):
        table[i] = np.sum((v - v[i]) ** 2, axis=1)
    return table


def rbf_gram(v: np.ndarray) -> np.ndarray:
    """Return exp(−‖v_i − v_j‖² / 2σ²), σ² the median squared distance of two different rows."""
    squared = squared_distances(v)
    width = float(np.median(squared[np.triu_indices(len(v), 1)]))
    if width <= TINY**2 * float(np.sum(v**2)):
        raise Undefined("half of the pairs of rows are equal")
    return np.exp(-squared.astype(np.longdouble) / (2 * width))


@oracle("rbf-cka")
def rbf_cka(case: Case, view: str) -> dict:
    """Return the debiased CKA of Gaussian kernels."""
    x, y = rows_of(case, view)
    rows = case.scored
    varying(x[rows], "the scored rows of x")
    varying(y[rows], "the scored rows of y")
    return result(debiased_ratio(rbf_gram(x[rows]), rbf_gram(y[rows])), 0.0)


@oracle("rsa")
def rsa(case: Case, view: str) -> dict:
    """Return Spearman's correlation of the cosine dissimilarities of all pairs of scored rows."""
    x, y = rows_of(case, view)
    rows = case.scored
    above = np.triu_indices(len(rows), 1)
    ranks = [rankdata(-grid(score_table(v[rows], v[rows])[above])) for v in (x, y)]
    if len(ranks[0]) < 2 or np.ptp(ranks[0]) == 0 or np.ptp(ranks[1]) == 0:
        raise Undefined("the dissimilarities do not vary")
    one, other = (r - np.mean(r) for r in ranks)
    return result(float(one @ other) / float(np.linalg.norm(one) * np.linalg.norm(other)), 0.0)


def u_centred(distances: np.ndarray) -> np.ndarray:
    """Return the U-centred distance matrix [n, n] (Székely & Rizzo 2014, def. 2)."""
    n = len(distances)
    table = np.zeros((n, n))
    rows, total = distances.sum(axis=1), float(distances.sum())
    for i in range(n):
        for j in range(n):
            if i != j:
                table[i, j] = distances[i, j] - (rows[i] + rows[j]) / (n - 2) + total / ((n - 1) * (n - 2))
    return table


def distance_self_share(distances: np.ndarray) -> float:
    """Return how much of a distance matrix U-centring leaves, squared."""
    left = float(np.sum(u_centred(distances) ** 2))
    return left / float(np.sum(distances**2)) if np.any(distances) else 0.0


@oracle("distance-correlation")
def distance_correlation(case: Case, view: str) -> dict:
    """Return the bias-corrected squared distance correlation, which may be negative."""
    x, y = scored_moments(case, view)
    if len(x) < 4:
        raise Undefined(f"{len(x)} scored rows, of which the bias correction wants 4")
    tables = [np.sqrt(squared_distances(v)) for v in (x, y)]
    if min(distance_self_share(t) for t in tables) <= TINY:
        raise Undefined("the distance variance is not positive")
    one, other = (u_centred(t) for t in tables)
    return result(float(np.sum(one * other)) / float(np.linalg.norm(one) * np.linalg.norm(other)), 0.0)


# Canonical correlation


def orthonormal(v: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis [n, rank] of the columns of a centred v."""
    u, strength, _ = np.linalg.svd(v, full_matrices=False)
    return u[:, strength > TINY * strength[0]]


def canonical(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the canonical correlations over min(rank) and the variates of x and y, of length 1."""
    qx, qy = orthonormal(x), orthonormal(y)
    u, rho, vt = np.linalg.svd(qx.T @ qy, full_matrices=False)
    return np.clip(rho, 0, 1), qx @ u, qy @ vt.T


def enough_rows(case: Case, view: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the scored rows, centred; there must be more of them than dimensions in x and y together."""
    x, y = rows_of(case, view)
    m, d = len(case.scored), x.shape[1] + y.shape[1]
    if m <= d:
        raise Undefined(f"{m} scored rows for {d} dimensions")
    return scored_moments(case, view)


@oracle("cca")
def cca(case: Case, view: str) -> dict:
    """Return the mean canonical correlation over min(rank)."""
    return result(float(np.mean(canonical(*enough_rows(case, view))[0])))


def leading(v: np.ndarray) -> np.ndarray:
    """Return the fewest leading principal components of a centred v that hold 99 % of its variance."""
    u, strength, _ = np.linalg.svd(v, full_matrices=False)
    share = np.cumsum(strength**2) / np.sum(strength**2)
    kept = next(c + 1 for c, s in enumerate(share) if s >= SVCCA_SHARE)
    return u[:, :kept] * strength[:kept]


@oracle("svcca")
def svcca(case: Case, view: str) -> dict:
    """Return the mean canonical correlation of the leading components (Raghu et al. 2017)."""
    x, y = enough_rows(case, view)
    return result(float(np.mean(canonical(leading(x), leading(y))[0])))


@oracle("pwcca")
def pwcca(case: Case, view: str) -> dict:
    """Return the canonical correlations weighted by what their variates hold (Morcos et al. 2018, eq. 5)."""
    x, y = enough_rows(case, view)
    rho, variates_x, variates_y = canonical(x, y)
    x_is_lower = orthonormal(x).shape[1] <= orthonormal(y).shape[1]
    variates, columns = (variates_x, x) if x_is_lower else (variates_y, y)
    weights = np.sum(np.abs(variates.T @ columns), axis=1)
    return result(float(np.sum(weights * rho) / np.sum(weights)))


def gulp_squared(x: np.ndarray, y: np.ndarray, ridge: float) -> float:
    """Return GULP² of centred x and y, each scaled to mean squared row length 1 (Boix-Adsera et al. 2022)."""
    n = len(x)
    x, y = x * math.sqrt(n) / np.linalg.norm(x), y * math.sqrt(n) / np.linalg.norm(y)
    xx, yy, xy = x.T @ x / n, y.T @ y / n, x.T @ y / n
    inverse_x = np.linalg.inv(xx + ridge * np.eye(len(xx)))
    inverse_y = np.linalg.inv(yy + ridge * np.eye(len(yy)))
    own = np.trace(inverse_x @ xx @ inverse_x @ xx) + np.trace(inverse_y @ yy @ inverse_y @ yy)
    return float(own - 2 * np.trace(inverse_x @ xy @ inverse_y @ xy.T))


@oracle("gulp")
def gulp(case: Case, view: str) -> dict:
    """Return √GULP² at λ = 0.01."""
    return result(math.sqrt(max(0.0, gulp_squared(*scored_moments(case, view), GULP_LAMBDA))))


# Where two right computations may part

RETRIEVAL = {"mrr", "mrr@k", "recall@k", "median-rank"}
NEIGHBORHOOD = {"jaccard@k", "overlap@k", "rank-overlap@k", "information-imbalance"}


def near_a_boundary(s: np.ndarray) -> np.ndarray:
    """Return which scores lie so near the middle of two grid points that either may be theirs."""
    return np.abs(s * GRID - np.floor(s * GRID) - 0.5) < 4e-15 * GRID


def order_is_clear(s: np.ndarray, against: float | None = None) -> bool:
    """Return whether no two scores of a list (or: none and the given one) are level but for rounding."""
    s = np.sort(np.asarray(s, dtype=np.float64))
    if against is None:
        close = np.diff(s) < 2 / GRID
        return not np.any(close & (near_a_boundary(s[1:]) | near_a_boundary(s[:-1])))
    close = s[np.abs(s - against) < 2 / GRID]
    return not (len(close) and np.any(near_a_boundary(np.append(close, against))))


def diagonal_is_clear(s: np.ndarray) -> bool:
    """Return whether each true score of a table [m, m] compares clearly with its row and its column."""
    return all(order_is_clear(np.delete(t[i], i), against=float(t[i, i])) for t in (s, s.T) for i in range(len(s)))


def rows_are_clear(s: np.ndarray, own: bool) -> bool:
    """Return whether each row of a table [m, m] has one order, its own entry among the rest or left out."""
    return all(order_is_clear(s[i] if own else np.delete(s[i], i)) for i in range(len(s)))


def grey(share: float) -> bool:
    """Return whether a share is neither zero but for rounding nor clearly above."""
    return GREY[0] < abs(share) < GREY[1]


def ranks_are_clear(*vs: np.ndarray) -> bool:
    """Return whether every singular value of the centred v is plainly zero or plainly not."""
    for v in vs:
        strength = np.linalg.svd(v, compute_uv=False)
        if any(grey(float(s / strength[0])) for s in strength):
            return False
    return True


def map_is_determined(case: Case) -> bool:
    """Return whether the anchors leave one best map only: their cross-product has full rank, or is zero."""
    x, y = (centred(np.asarray(v, dtype=np.float64)[list(case.anchors)]) for v in (case.x, case.y))
    strength = np.linalg.svd(x.T @ y, compute_uv=False)
    lengths = float(np.linalg.norm(x) * np.linalg.norm(y))
    return bool(strength[-1] > GREY[1] * lengths or strength[0] <= GREY[0] * lengths)


def clear_cut(name: str, case: Case, view: str) -> bool:
    """
    Return whether two right computations must agree, on the value or on its being undefined.

    False where a decision hangs on the last bits: a score between two grid
    points that has a rival, a spread that may or may not be zero, a rotation
    that the anchors do not determine.
    """
    try:
        x, y = rows_of(case, view)
        if name in RETRIEVAL:
            return diagonal_is_clear(score_table(*shared_rows_of(case, view)))
        if name == "csls-recall@k":
            return diagonal_is_clear(csls_table(*shared_rows_of(case, view)))
        if name == "cross-jaccard@k":
            s = score_table(*shared_rows_of(case, view))
            tables = (s, s.T, score_table(x, x), score_table(y, y))
            return all(rows_are_clear(t, own=True) for t in tables)
        if name in NEIGHBORHOOD:
            return all(rows_are_clear(score_table(v, v), own=False) for v in (x, y))
        if name == "cosine":
            return True
        if name.startswith("heldout-"):
            return heldout_is_clear(name, case, view)
        if name == "linear-r2":
            return ridge_is_clear(case, view)
        return moments_are_clear(name, case, view)
    except Undefined:
        return True


def heldout_is_clear(name: str, case: Case, view: str) -> bool:
    """Return clear_cut for a measure that is fitted on the anchors."""
    if view == "relative":
        return True
    if not case.rest or len(case.anchors) < 2:
        return True
    anchors = list(case.anchors)
    if any(grey(spread(v)) for v in (case.x[anchors], case.y[case.rest])):
        return False
    y, fitted, zero = heldout_directions(case, view)
    lengths = np.concatenate([np.linalg.norm(y, axis=1), np.linalg.norm(fitted, axis=1)]) / (zero / TINY)
    if name == "heldout-aligned-cosine" and any(grey(float(length)) for length in lengths):
        return False
    return map_is_determined(case)


def ridge_is_clear(case: Case, view: str) -> bool:
    """Return clear_cut for a ridge map: full rank, anchors to spare, and one penalty plainly the best."""
    if view == "relative" or not case.rest:
        return True
    x, y = rows_of(case, view)
    anchors = list(case.anchors)
    if len(anchors) < max(x.shape[1], y.shape[1]) + 2:
        return False
    for one, other in ((x, y), (y, x)):
        source, target = centred(one[anchors]), centred(other[anchors])
        strength = np.linalg.svd(source, compute_uv=False)
        if strength[-1] <= 1e-3 * strength[0] or grey(spread(one[case.rest])):
            return False
        errors = sorted(error for error, _ in ridge_maps(source, target))
        if errors[1] - errors[0] <= 1e-9 * errors[1] or errors[0] <= 1e-12 * float(np.sum(target**2)):
            return False
    return True


def moments_are_clear(name: str, case: Case, view: str) -> bool:
    """Return clear_cut for a measure of the scored rows' moments, kernels or distances."""
    x, y = rows_of(case, view)
    rows = case.scored
    if len(rows) < 2:
        return True
    x, y = x[rows], y[rows]
    if name == "rsa":
        above = np.triu_indices(len(rows), 1)
        return all(order_is_clear(score_table(v, v)[above]) for v in (x, y))
    if grey(spread(x)) or grey(spread(y)):
        return False
    x, y = varying(x, "x"), varying(y, "y")
    if name in {"debiased-cka", "rbf-cka", "distance-correlation"} and len(rows) < 4:
        return True
    if name == "debiased-cka":
        return not any(grey(self_share(v @ v.T)) for v in (x, y))
    if name == "rbf-cka":
        widths = [np.median(squared_distances(v)[np.triu_indices(len(v), 1)]) / np.sum(v**2) for v in (x, y)]
        return not any(grey(float(math.sqrt(w))) for w in widths) and not any(
            grey(self_share(rbf_gram(v))) for v in (x, y)
        )
    if name == "distance-correlation":
        return not any(grey(distance_self_share(np.sqrt(squared_distances(v)))) for v in (x, y))
    if name in {"cca", "svcca", "pwcca"}:
        return correlations_are_clear(name, x, y)
    return True


def correlations_are_clear(name: str, x: np.ndarray, y: np.ndarray) -> bool:
    """Return clear_cut for the canonical correlations of centred x and y."""
    for v in (x, y):
        strength = np.linalg.svd(v, compute_uv=False)
        if any(UNSURE[0] < s / strength[0] < UNSURE[1] for s in strength):
            return False
    if name == "svcca":
        for v in (x, y):
            strength = np.linalg.svd(v, compute_uv=False)
            share = np.cumsum(strength**2) / np.sum(strength**2)
            kept = int(np.argmax(share >= SVCCA_SHARE)) + 1
            tied = kept < len(strength) and strength[kept - 1] - strength[kept] < 1e-6 * strength[0]
            if tied or np.min(np.abs(share - SVCCA_SHARE)) < 1e-9:
                return False
    if name == "pwcca":
        rho = canonical(x, y)[0]
        # equal correlations leave their variates free, and the weights are not invariant to that
        all_equal = np.ptp(rho) < 1e-9
        # equal ranks leave the side to choose
        same_side = orthonormal(x).shape[1] != orthonormal(y).shape[1]
        return bool(all_equal or (same_side and np.min(np.abs(np.diff(rho))) > 1e-6))
    return True
