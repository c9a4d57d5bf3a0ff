"""Exact ten nearest neighbours of every row of a space in itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.measuring import Contender, Run
from benchmarks.rows.row import FAISS, FAISS_BEST, RELCLI, WITHOUT_NUMBA, Bar, Contest, Row, faster
from benchmarks.workshop import Workshop

_NO_NUMBA = "numba is not installed"

_BARS = (
    faster("without numba, vs faiss-cpu as shipped", 2.0, than=FAISS, ours=WITHOUT_NUMBA, quantity="work"),
    faster("without numba, vs faiss-cpu at its best", 1.5, than=FAISS_BEST, ours=WITHOUT_NUMBA, quantity="work"),
    faster("with numba, vs faiss-cpu as shipped (stretch 5 ×)", 3.5, than=FAISS, quantity="work"),
    faster("with numba, vs faiss-cpu at its best (stretch 3 ×)", 2.5, than=FAISS_BEST, quantity="work"),
)


def _prepare(shop: Workshop, kind: str, rows: int, *, peers: bool) -> Contest:
    folder = shop.pair(kind, rows, relative=True)
    x, out = str(folder / "rx.npy"), {}

    def task(name: str) -> tuple[str, str, str]:
        out[name] = str(folder / f"lists-{len(out)}.npy")
        return "neighbors", x, out[name]

    contenders: dict[str, Contender] = {}
    if shop.numba:
        contenders[RELCLI] = shop.part(*task(RELCLI))
    contenders |= {
        WITHOUT_NUMBA: shop.part(*task(WITHOUT_NUMBA), numba=False),
        FAISS: shop.peer("faiss", *task(FAISS)),
        FAISS_BEST: shop.at_its_best(*task(FAISS_BEST)),
    }
    if peers:
        contenders |= {
            name: shop.peer(library, *task(name), *options)
            for name, library, *options in (
                ("torch, mm and topk", "torch"),
                ("scikit-learn, brute, cosine", "sklearn"),
                ("scikit-learn, brute, euclidean (ArgKmin)", "sklearn", "--metric=euclidean"),
                ("usearch, exact", "usearch"),
            )
        }

    def figures(runs: Mapping[str, Sequence[Run]]) -> dict[str, str]:
        names = [name for name in runs if Path(out[name]).exists()]
        shares = shop.ask("benchmarks.contenders.truth", "neighbors", x, *(out[name] for name in names))
        return {
            "share of neighbours that are right, by float64 brute force for 200 rows": " · ".join(
                f"{name} {share:.5f}" for name, share in zip(names, shares, strict=True)
            )
        }

    return Contest(contenders, figures, {} if shop.numba else {RELCLI: _NO_NUMBA})


def _row(kind: str, rows: int, *, peers: bool = False, bars: tuple[Bar, ...] = _BARS) -> Row:
    return Row(
        name=f"neighbors-{'peers' if peers else kind}",
        title=f"Ten nearest neighbours, n = {rows:,}, m = 300, {kind}",
        says="All rows against all, self left out: unit relative vectors from .npy to lists. Judged by the work, "
        "without start and imports.",
        prepare=lambda shop: _prepare(shop, kind, shop.size(rows), peers=peers),
        bars=bars,
        main=WITHOUT_NUMBA,
    )


ROWS = (
    _row("words", 100_000),
    *(_row(kind, 40_000) for kind in ("noise", "clusters", "duplicates", "cone")),
    _row("words", 20_000, peers=True, bars=()),
)
