"""`relcli project` beside latentis' recipe in torch, whole processes, .npy to .npy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.measuring import Contender, Run
from benchmarks.rows.row import RELCLI, Bar, Contest, Row, faster
from benchmarks.workshop import Workshop

_LATENTIS = "latentis' recipe in torch"
_QUARTER, _LARGE = "relcli, a quarter of the rows", "relcli, 1,000,000 rows of float16"


def _prepare(shop: Workshop) -> Contest:
    rows = shop.size(200_000, 2_000)

    def ours(count: int, dtype: str) -> Contender:
        folder = shop.made("named", count, dtype)
        files = str(folder / "x.npy"), "--anchors", str(folder / "anchors.txt"), "-o", str(folder / "ours.npy")
        return shop.relcli("project", *files, "--quiet")

    folder = shop.made("named", rows, "float32")
    theirs = [str(folder / name) for name in ("x.npy", "anchors.txt", "theirs.npy")]
    contenders = {
        RELCLI: ours(rows, "float32"),
        _LATENTIS: shop.peer("torch", "project", *theirs),
        _QUARTER: ours(rows // 4 if not shop.quick else 1_000, "float32"),
        **({} if shop.quick else {_LARGE: ours(1_000_000, "float16")}),
    }

    def figures(runs: Mapping[str, Sequence[Run]]) -> dict[str, str]:
        if not runs.get(RELCLI) or not runs.get(_LATENTIS):
            return {}
        most = shop.ask("benchmarks.contenders.truth", "vectors", str(folder / "ours.npy"), theirs[2])
        return {"largest difference in the first 4,096 rows": f"{most:.1e}"}

    return Contest(contenders, figures)


ROWS = (
    Row(
        name="project",
        title="`relcli project`, 200,000 × 768 float32 against 768 anchors, noise",
        says="The peer normalises both and takes one product, all in memory. Private memory is what no file backs.",
        prepare=_prepare,
        bars=(
            faster("whole process, vs latentis' recipe in torch", 3.0, than=_LATENTIS),
            Bar(
                "flat memory: private, at most so many times that of a quarter", 1.2, peer=_QUARTER, quantity="private"
            ),
        ),
    ),
)
