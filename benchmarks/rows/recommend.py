"""`relcli recommend` on a real pair of models: how long a choice takes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.measuring import Run
from benchmarks.rows.row import RELCLI, Bar, Contest, Row
from benchmarks.workshop import Workshop

#: What it chose when it took four times as long: a faster one must choose the same.
_CHOICE = "product:relative+center,translate:ridge+center,translate:ortho+center+csls"


def _needs() -> str | None:
    return None if "RELCLI_SHARED" in os.environ else "RELCLI_SHARED names no folder of real embeddings"


def _prepare(shop: Workshop) -> Contest:
    folder = Path(os.environ["RELCLI_SHARED"]).resolve() / "data/text_trec"
    ids = str(folder / "ids.txt")
    files = str(folder / "minilm384.npy"), str(folder / "e5small384_f16.npy"), "--ids-x", ids, "--ids-y", ids
    options = ("--anchors", "uniform:300", *(("--candidates", "relative") if shop.quick else ()))
    return Contest({RELCLI: shop.relcli("recommend", *files, *options, "--json", "--quiet")}, _same_choice)


def _same_choice(runs: Mapping[str, Sequence[Run]]) -> dict[str, str]:
    if not runs.get(RELCLI):
        return {}
    found = json.loads(runs[RELCLI][-1].out.read_text(encoding="utf-8"))["choices"][0]["via"]
    return {"choice": f"{found} ({'the same as before' if found == _CHOICE else f'and not {_CHOICE}'})"}


ROWS = (
    Row(
        name="recommend",
        title="`relcli recommend`, 5,943 × 384, 300 anchors, TREC questions in MiniLM and e5-small",
        says="Ten folds, both directions, products of ways too.",
        prepare=_prepare,
        bars=(Bar("whole process, seconds", 12, unit="s"),),
        needs=_needs,
    ),
)
