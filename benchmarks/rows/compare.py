"""`relcli compare` beside the word-table recipe of Moschella et al. 2023 on faiss-cpu, whole processes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from benchmarks.measuring import Run
from benchmarks.rows.row import FAISS, FAISS_BEST, RELCLI, WITHOUT_NUMBA, Bar, Contest, Row, faster
from benchmarks.workshop import Workshop

_REPORT = "relcli, the default report"
_MEASURES = ("--view", "relative", "--measures", "jaccard@10,mrr@10,cosine", "--include-anchors")


def _prepare(shop: Workshop, kind: str, rows: int, *, report: bool) -> Contest:
    folder = shop.pair(kind, rows)
    files = [str(folder / name) for name in ("x.npy", "y.npy")]
    anchors = str(folder / "anchors.txt")
    ours = ("compare", *files, "--anchors", anchors, "--json", "--quiet")
    contenders = {
        RELCLI: shop.relcli(*ours, *_MEASURES),
        **({WITHOUT_NUMBA: shop.relcli(*ours, *_MEASURES, numba=False)} if shop.numba else {}),
        FAISS: shop.peer("faiss", "recipe", *files, anchors),
        FAISS_BEST: shop.at_its_best("recipe", *files, anchors),
        **({_REPORT: shop.relcli(*ours)} if report else {}),
    }
    return Contest(contenders, _same_figures)


def _same_figures(runs: Mapping[str, Sequence[Run]]) -> dict[str, str]:
    """Return what both make of the same spaces; of the recipe's one direction in MRR, ours."""
    if not runs.get(RELCLI) or not runs.get(FAISS):
        return {}
    scores = json.loads(runs[RELCLI][-1].out.read_text(encoding="utf-8"))["scores"]
    ours = {one["measure"]: one["value"] if one["forward"] is None else one["forward"] for one in scores}
    theirs = runs[FAISS][-1].noted
    return {f"{name}, relcli and the recipe": f"{ours[name]:.6f} and {value:.6f}" for name, value in theirs.items()}


def _row(kind: str, rows: int, bar: float, *, large: bool = False, report: bool = False) -> Row:
    bars: tuple[Bar, ...] = (faster("the recipe's measures, whole process, vs the recipe on faiss", bar, than=FAISS),)
    if report:
        bars += (
            Bar("default report (two views), at most so many recipes", 1.2, _REPORT, FAISS),
            Bar("default report, peak memory", 500, _REPORT, quantity="peak", unit="MB"),
        )
    return Row(
        name=f"compare-{'large-' if large else ''}{kind}",
        title=f"`relcli compare`, n = {rows:,}, d = a = 300, {kind}",
        says="The recipe: two indexes, three searches, Jaccard@10, MRR@10 one way, cosine. relcli gives the same "
        "measures, MRR both ways, with intervals.",
        prepare=lambda shop: _prepare(shop, kind, shop.size(rows), report=report),
        bars=bars,
    )


ROWS = (
    _row("latent", 20_000, 1.3, report=True),
    *(_row(kind, 20_000, 1.3) for kind in ("words", "noise", "clusters", "duplicates", "cone")),
    _row("words", 60_000, 2.5, large=True),
)
