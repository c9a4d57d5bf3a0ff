"""`relcli retrieve --all` beside the same on faiss-cpu, whole processes, hits written as JSON lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.measuring import Run
from benchmarks.rows.row import FAISS, FAISS_BEST, RELCLI, Contest, Row, faster
from benchmarks.workshop import Workshop


def _prepare(shop: Workshop, rows: int) -> Contest:
    folder = shop.pair("words", rows)
    files = [str(folder / name) for name in ("x.npy", "y.npy")]
    anchors = str(folder / "anchors.txt")

    def figures(runs: Mapping[str, Sequence[Run]]) -> dict[str, str]:
        if not runs.get(RELCLI) or not runs.get(FAISS):
            return {}
        outs = (str(runs[name][-1].out) for name in (RELCLI, FAISS))
        return {"hits that are the same": f"{shop.ask('benchmarks.contenders.truth', 'hits', *outs):.5f}"}

    return Contest(
        {
            RELCLI: shop.relcli("retrieve", *files, "--anchors", anchors, "--all", "-k", "10", "--jsonl", "--quiet"),
            FAISS: shop.peer("faiss", "retrieve", *files, anchors),
            FAISS_BEST: shop.at_its_best("retrieve", *files, anchors),
        },
        figures,
    )


ROWS = (
    Row(
        name="retrieve-words",
        title="`relcli retrieve --all -k 10`, n = 60,000, d = a = 300, words",
        says="Both read .npy, make relative vectors, search, and write a line of JSON a query. relcli also counts the "
        "rank of each query's own item among all.",
        prepare=lambda shop: _prepare(shop, shop.size(60_000)),
        bars=(faster("whole process, vs faiss-cpu as shipped", 2.0, than=FAISS),),
    ),
)
