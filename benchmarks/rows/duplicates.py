"""Collapsed spaces, where nearly all rows are copies: what they cost beside as many distinct rows."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.rows.row import Bar, Contest, Row
from benchmarks.workshop import Workshop

_COPIES, _DISTINCT = "141 rows differ", "all rows differ"


def _prepare(shop: Workshop, command: Callable[[str, str, str], tuple[str, ...]]) -> Contest:
    rows = shop.size(30_000, 700)
    contenders = {}
    for name, distinct in ((_COPIES, 141), (_DISTINCT, rows)):
        folder = shop.made("collapsed", rows, distinct)
        x, y, anchors = (str(folder / file) for file in ("x.npy", "y.npy", "anchors.txt"))
        contenders[name] = shop.relcli(*command(x, y, anchors), "--json", "--quiet")
    return Contest(contenders)


def _row(verb: str, command: Callable[[str, str, str], tuple[str, ...]]) -> Row:
    return Row(
        name=f"duplicates-{verb}",
        title=f"`relcli {verb}`, 30,000 × 2 of which 141 rows differ",
        says="As dead units and quantised models make them.",
        prepare=lambda shop: _prepare(shop, command),
        bars=(Bar("at most so many times as long as with distinct rows", 3.0, _COPIES, _DISTINCT),),
        main=_DISTINCT,
    )


ROWS = (
    _row("inspect", lambda x, y, anchors: ("inspect", x)),
    _row("compare", lambda x, y, anchors: ("compare", x, y, "--anchors", anchors)),
)
