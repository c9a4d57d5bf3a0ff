"""Ranks of every row's own pair among all rows of the other space, both ways: what MRR is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.measuring import Run
from benchmarks.rows.row import Bar, Contest, Row, faster
from benchmarks.workshop import Workshop

_FP32, _INT8 = "relcli, tier fp32", "relcli, tier int8"
_TORCH, _TILES = "torch, compare and sum", "torch, the same by tiles"


def _prepare(shop: Workshop, kind: str, rows: int) -> Contest:
    folder = shop.pair(kind, rows, relative=True)
    task = ("ranks", *(str(folder / name) for name in ("rx.npy", "ry.npy")))
    int8 = {_INT8: shop.part(*task, tier="int8")} if "int8" in shop.tiers else {}
    # before there were tiers all products were in float32
    return Contest(
        {
            _FP32: shop.part(*task, tier="fp32"),
            **int8,
            _TORCH: shop.peer("torch", *task),
            _TILES: shop.peer("torch", "ranks-by-tiles", *task[1:]),
        },
        _same_figures,
        {} if int8 else {_INT8: "this relcli has no tier int8"},
    )


def _same_figures(runs: Mapping[str, Sequence[Run]]) -> dict[str, str]:
    told = (f"{name} {some[-1].noted['xy']:.6f} / {some[-1].noted['yx']:.6f}" for name, some in runs.items() if some)
    return {"mean reciprocal rank, x → y / y → x": " · ".join(told)}


def _row(kind: str, where: str, *bars: Bar) -> Row:
    return Row(
        name=f"ranks-{kind}",
        title=f"Ranks for MRR, n = 30,000, m = 300, {kind}: the match stands {where}",
        says="Both ways from one product. Judged by the work, without start and imports.",
        prepare=lambda shop: _prepare(shop, kind, shop.size(30_000)),
        bars=bars,
        main=_FP32,
    )


_BAR = faster("tier fp32, vs torch compare and sum", 3.0, than=_TORCH, ours=_FP32, quantity="work")

ROWS = (
    _row(
        "words",
        "high",
        _BAR,
        faster("tier int8, vs torch compare and sum", 5.0, than=_TORCH, ours=_INT8, quantity="work"),
    ),
    _row("bulk", "in the bulk", _BAR),
)
