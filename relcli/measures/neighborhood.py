"""Does a row keep its neighbours? Read off neighbour lists."""

from __future__ import annotations

import math

import numpy as np

from relcli.accumulators.neighbors import NearestLists, NeighborLists
from relcli.arrays import Floats
from relcli.measures.measure import PerQuery, Undefined, measure
from relcli.spaces.pairing import Index

_INVARIANT = {"rotation", "scale"}


def _shared(x: Index, y: Index) -> Floats:
    """Return how many entries each row of x [q, k] shares with that of y [q, k]; none repeats in a row."""
    both = np.sort(np.concatenate([x, y], axis=1), axis=1)
    return (both[:, 1:] == both[:, :-1]).sum(axis=1).astype(np.float64)


def _first(lists: NearestLists, k: int, available: int) -> Index:
    if k > available:
        raise Undefined(f"k = {k} exceeds the {available} rows there are to be neighbours")
    if not len(lists.ranks):
        raise Undefined("there is no query")
    return lists.ranks[:, :k]


def _inside(lists: NeighborLists, k: int) -> Floats:
    available = lists.gallery - 1
    return _shared(
        _first(lists.lists["xx"], k, available),
        _first(lists.lists["yy"], k, available),
    )


def chance_jaccard(n: int, k: int) -> float:
    """Return the mean Jaccard index of two random k-subsets of n."""
    # whole numbers throughout: log-gamma loses digits once n is large
    ways = math.comb(n, k)
    return math.fsum(
        math.comb(k, shared) * math.comb(n - k, k - shared) / ways * (shared / (2 * k - shared))
        for shared in range(1, k + 1)
    )


def _jaccard_chance(lists: NeighborLists, k: int) -> float:
    return chance_jaccard(lists.gallery - 1, k)


def _overlap_chance(lists: NeighborLists, k: int) -> float:
    return k / (lists.gallery - 1)


def _cross_chance(lists: NeighborLists, k: int) -> float:
    return chance_jaccard(lists.gallery, k)


@measure(
    "jaccard@k",
    reads=NeighborLists,
    range=(0, 1),
    higher_is_closer=True,
    chance=_jaccard_chance,
    section="Neighbourhood",
    definition="mean Jaccard index of a row's k nearest neighbours in x and in y, itself left out",
    cite="Moschella et al. 2023, arXiv:2209.15430; Hryniowski & Wong 2020, arXiv:2010.03701",
    invariant_to=_INVARIANT,
)
def jaccard(lists: NeighborLists, k: int) -> PerQuery:
    """Return |N_x ∩ N_y| / |N_x ∪ N_y| of each query."""
    shared = _inside(lists, k)
    return PerQuery(shared / (2 * k - shared))


@measure(
    "overlap@k",
    reads=NeighborLists,
    range=(0, 1),
    higher_is_closer=True,
    chance=_overlap_chance,
    section="Neighbourhood",
    definition="mean share of a row's k nearest neighbours in x that are so in y (mutual kNN)",
    cite="Huh et al. 2024, arXiv:2405.07987",
    invariant_to=_INVARIANT,
)
def overlap(lists: NeighborLists, k: int) -> PerQuery:
    """Return |N_x ∩ N_y| / k of each query."""
    return PerQuery(_inside(lists, k) / k)


def _rank_overlap_chance(lists: NeighborLists, k: int) -> float:
    return (k + 1) / (2 * (lists.gallery - 1))


@measure(
    "rank-overlap@k",
    reads=NeighborLists,
    range=(0, 1),
    higher_is_closer=True,
    chance=_rank_overlap_chance,
    section="Neighbourhood",
    definition="mean over depths 1 to k of the share of a row's nearest neighbours in x that are so in y "
    "(average overlap): the nearest weigh most",
    cite="Fagin et al. 2003, doi:10.1137/S0895480102412856; Webber et al. 2010, doi:10.1145/1852102.1852106",
    invariant_to=_INVARIANT,
)
def rank_overlap(lists: NeighborLists, k: int) -> PerQuery:
    """Return the mean of |N_x ∩ N_y| / depth over depths 1 to k of each query."""
    return PerQuery(np.mean([_inside(lists, depth) / depth for depth in range(1, k + 1)], axis=0))


def _with_itself(lists: NearestLists, queries: Index, k: int) -> Index:
    """Return the k nearest [q, k] when each query, at cosine 1, is one of the candidates."""
    scores = np.concatenate([np.ones((len(queries), 1)), lists.scores], axis=1)
    ranks = np.concatenate([queries[:, None], lists.ranks], axis=1)
    order = np.lexsort((ranks, -scores))[:, :k]
    return np.take_along_axis(ranks, order, axis=1)


@measure(
    "cross-jaccard@k",
    reads=NeighborLists,
    range=(0, 1),
    higher_is_closer=True,
    chance=_cross_chance,
    section="Neighbourhood",
    definition="mean Jaccard index of the k rows of y nearest to x_i and those nearest to y_i, itself included; "
    "both directions",
    cite="Moschella et al. 2023, arXiv:2209.15430, table 1",
    invariant_to=_INVARIANT,
    same_width=True,
)
def cross_jaccard(lists: NeighborLists, k: int) -> PerQuery:
    """Return the Jaccard index, in the target space, of the neighbours of a row and of its counterpart."""
    queries = lists.context.queries.rank

    def one_way(across: str, inside: str) -> Floats:
        there = _first(lists.lists[across], k, lists.gallery)
        shared = _shared(there, _with_itself(lists.lists[inside], queries, k))
        return shared / (2 * k - shared)

    return PerQuery(one_way("xy", "yy"), one_way("yx", "xx"))
