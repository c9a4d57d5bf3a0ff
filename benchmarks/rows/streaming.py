"""Time and memory of `relcli compare` as rows grow, the number of queries fixed."""

from __future__ import annotations

from benchmarks.rows.row import Bar, Contest, Row
from benchmarks.workshop import Workshop

_SMALL, _LARGE = "200,000 rows", "800,000 rows"


def _prepare(shop: Workshop) -> Contest:
    contenders = {}
    for name, rows in ((_SMALL, shop.size(200_000, 2_000)), (_LARGE, shop.size(800_000, 8_000))):
        folder = shop.made("stream", rows)
        files = str(folder / "x.npy"), str(folder / "y.npy")
        options = ("--anchors", "uniform:256", "--sample", str(shop.size(2_000, 200)), "--view", "relative")
        contenders[name] = shop.relcli("compare", *files, *options, "--json", "--quiet")
    return Contest(contenders)


ROWS = (
    Row(
        name="streaming",
        title="`relcli compare` as rows grow: d = a = 256, 2,000 queries, float16 from disk",
        says="Relative view, all default measures. Peak memory counts the pages of the mapped files, private does not.",
        prepare=_prepare,
        bars=(Bar("four times the rows, at most so many times as long", 4.4, _LARGE, _SMALL),),
        main=_SMALL,
        rounds=1,
    ),
)
