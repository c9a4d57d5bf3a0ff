"""Parts of relcli that no command does alone, called as its own tasks call them."""

from __future__ import annotations

import numpy as np

from benchmarks.child import note, working
from benchmarks.contenders.contender import K, call
from relcli.accumulators.accumulator import Context
from relcli.accumulators.neighbors import NeighborLists
from relcli.accumulators.ranks import RankCounts
from relcli.api.sources import open_space
from relcli.engines.local import LocalEngine
from relcli.spaces.pairing import PairedSpaces


def neighbors(x: str, out: str) -> None:
    """Write the rows [n, k] that are nearest to each row of a file."""
    with working():
        pair = PairedSpaces.alone(open_space(x, sha256=False))
        context = Context(probe=pair.probe(None), k=K)
        lists = LocalEngine().reduce(pair, NeighborLists.empty(context, pair.x.dim, 0))
        row_of = np.argsort(pair.rank)
        found = np.empty((len(pair), K), np.int64)
        found[row_of[context.queries.rank]] = row_of[lists.lists["xx"].ranks]
    np.save(out, found)


def ranks(x: str, y: str) -> None:
    """Note the mean reciprocal rank of each row's own pair, from x to y and from y to x; ties count as above."""
    with working():
        pair = PairedSpaces.join(open_space(x, sha256=False), open_space(y, sha256=False))
        context = Context(probe=pair.probe(None))
        counts = LocalEngine().reduce(pair, RankCounts.empty(context, pair.x.dim, pair.y.dim))
        mrr = {way: float(np.mean(1 / (1 + counts.greater[way]))) for way in ("xy", "yx")}
    note(**mrr)


if __name__ == "__main__":
    call({"neighbors": neighbors, "ranks": ranks})
