"""What became of each query: its ranks both ways, its cosine, its neighbours; and the items that moved most."""

from __future__ import annotations

from typing import Any

import numpy as np

from relcli.accumulators.neighbors import NeighborLists
from relcli.accumulators.probe import Probe
from relcli.accumulators.ranks import RankCounts
from relcli.evaluation.views import View
from relcli.measures.neighborhood import jaccard
from relcli.measures.retrieval import cosine, median_rank, mrr
from relcli.spaces.pairing import Ids, PairedSpaces

#: Columns of the table of items.
COLUMNS = ("id", "rank_forward", "rank_backward", "reciprocal_rank", "cosine", "jaccard", "neighbor_x", "neighbor_y")


def names_by_rank(pair: PairedSpaces) -> Ids:
    """Return the id of each rank."""
    names = np.zeros(int(pair.rank.max()) + 1, pair.ids.dtype)
    names[pair.rank] = pair.ids
    return names


def item_table(pair: PairedSpaces, view: View, k: int) -> dict[str, np.ndarray]:
    """
    Return COLUMNS of every query, in order of id: [q] each; those that nothing was counted for are absent.

    Ranks are expected over ties, 1 is best; `reciprocal_rank` is the mean of both directions; neighbours
    are the nearest row in each space.
    """
    names = names_by_rank(pair)
    queries = view.context.queries
    table: dict[str, np.ndarray] = {"id": names[queries.rank]}
    counts, lists, probe = (view.full.get(kind) for kind in (RankCounts, NeighborLists, Probe))
    comparable = view.widths[0] == view.widths[1]
    if isinstance(counts, RankCounts) and comparable:
        ranks, reciprocal = median_rank(counts), mrr(counts)
        assert ranks.backward is not None
        assert reciprocal.backward is not None
        table["rank_forward"], table["rank_backward"] = ranks.forward, ranks.backward
        table["reciprocal_rank"] = (reciprocal.forward + reciprocal.backward) / 2
    if isinstance(probe, Probe) and comparable:
        table["cosine"] = cosine(probe).forward
    if isinstance(lists, NeighborLists):
        table["jaccard"] = jaccard(lists, min(k, lists.context.k, lists.gallery - 1)).forward
        for side in "xy":
            table[f"neighbor_{side}"] = names[lists.lists[side * 2].ranks[:, 0]]
    return table


def most_moved(table: dict[str, np.ndarray], count: int) -> tuple[dict[str, Any], ...]:
    """
    Return the `count` items that agree least, worst first, as rows.

    By the mean rank of both directions, then by cosine, Jaccard and id; by those of them that the table
    has, so by Jaccard where the widths differ. Ranks come first because narrow spaces give mismatched
    rows a cosine near 1 as well.
    """
    keys = [table[name] for name in ("cosine", "jaccard") if name in table]
    if "rank_forward" in table:
        keys.insert(0, -(table["rank_forward"] + table["rank_backward"]))
    if not keys:
        return ()
    order = np.lexsort((np.arange(len(table["id"])), *reversed(keys)))[:count]
    return tuple({name: column[row].item() for name, column in table.items()} for row in order)
