"""
What `recommend` chooses on real pairs, beside every single way: `RELCLI_SHARED=DIR python -m benchmarks.recommending`.

Figures are kept in docs/recommend.json, and docs/recommend.md's tables are written from them:

    python -m benchmarks.recommending                  # all pairs, 5 seeds
    python -m benchmarks.recommending --keep DIR       # keep what each run measured, and do not measure it again
    python -m benchmarks.recommending --only TREC      # these pairs only; what was measured of the others stays
    python -m benchmarks.recommending --tables         # measure nothing, write the page's tables from the JSON
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from relcli.arrays import Floats, unit_rows
from relcli.evaluation.carriers import Known
from relcli.evaluation.choosing import (
    FOLDS,
    Tried,
    best_of,
    neighbours,
    parse_candidates,
    try_retrieving,
    try_stitching,
)
from relcli.evaluation.heldout import CSLS_NEIGHBOURS, HeldOut, fold_numbers
from relcli.evaluation.heldout_heads import Learnt, Ridge
from relcli.evaluation.vias import ADDITIONS, Way, make_via, parse_way
from relcli.formats.format import open_space
from relcli.measures.relevance import reciprocal_ranks
from relcli.spaces.pairing import hash_ids

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE, FIGURES = DOCS / "recommend.md", DOCS / "recommend.json"

_CORA = "graph_cora/gcn/gcn_{0}.npy"
_FMNIST = {"AE0": "ae_s0", "AE1": "ae_s1", "AE2": "ae_s2", "CNN0": "cnn_s0", "CNN1": "cnn_s1", "MLP": "mlp_s0"}
_SIX = ("AE0 ~ AE1", "AE0 ~ AE2", "AE1 ~ AE2", "CNN0 ~ CNN1", "AE0 ~ CNN0", "AE0 ~ MLP")

#: Names to x, y and what the rows are; both directions of each are measured.
PAIRS: dict[str, tuple[str, str, str | None]] = {
    "word2vec ~ fastText": ("words/w2v.npy", "words/fasttext_cc2k.parquet", None),
    "object names CLIP ~ MiniLM": ("clip_lvis/clip_vitb32_detic_fp16.npy", "clip_lvis/minilm384.npy", None),
    **{f"Fashion-MNIST {pair}": (*(_FMNIST[one] for one in pair.split(" ~ ")), "fmnist") for pair in _SIX},
    "TREC MiniLM ~ LSA": ("text_trec/minilm384.npy", "text_trec/lsa384.npy", "trec"),
    **{f"Cora GCN{one} ~ GCN{two}": (f"{one:02}", f"{two:02}", "cora") for one, two in ((0, 2), (0, 17), (5, 9))},
}
_BLOCK = 512


@dataclass(frozen=True)
class Side:
    """One model's rows and their ids."""

    ids: np.ndarray
    rows: np.ndarray


def _file(place: Path) -> Side:
    ids = next((file for file in (place.with_suffix(".ids.txt"), place.parent / "ids.txt") if file.exists()), None)
    space = (
        open_space(place)
        if place.suffix == ".parquet"
        else open_space(place, ids=ids or place.parent.parent / "ids.txt")
    )
    return Side(space.ids, space.read(slice(None)))


def _side(data: Path, source: str, kind: str | None, *, whole: bool) -> Side:
    if kind == "cora":
        return _file(data / _CORA.format(source))
    if kind != "fmnist":
        return _file(data / source)
    folder = data / "vision_fmnist"
    parts = []
    for part in ("train", "test") if whole else ("test",):
        space = open_space(folder / f"{source}_{part}.npy", ids=folder / f"ids_{part}.txt")
        parts.append(Side(space.ids, space.read(slice(None))))
    return Side(np.concatenate([p.ids for p in parts]), np.concatenate([p.rows for p in parts]))


def _labels(data: Path, kind: str) -> tuple[dict[str, str], set[str] | None]:
    """Return the label of each id, and the ids to train on where a split is given."""
    if kind == "fmnist":
        table = [row for part in ("train", "test") for row in _rows(data / f"vision_fmnist/labels_{part}.csv")]
        return {row["id"]: row["label"] for row in table}, {row["id"] for row in table if "train" in row["id"]}
    rows = _rows(data / ("graph_cora/nodes.csv" if kind == "cora" else "text_trec/meta.csv"))
    labels = {row["id"]: row["label"] for row in rows}
    # Cora's own split has 140 rows to train on, fewer than the anchors: drawn at random instead
    return labels, {row["id"] for row in rows if row["split"] == "train"} if kind == "trec" else None


def _rows(file: Path) -> list[dict[str, str]]:
    with open(file, encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@dataclass(frozen=True)
class Run:
    """
    One seed of one task: the ways tried on held-out anchors and the CPU seconds of that, and what was true.

    `found` holds for each way the reciprocal rank, or whether the class was right, of each row that is no anchor [q].
    """

    tried: list[Tried]
    cost: float
    found: dict[str, Floats]

    @property
    def chosen(self) -> str:
        """The way that is chosen."""
        return best_of(self.tried).way.name

    def save(self, file: Path) -> None:
        """Write it."""
        arrays = {f"found {name}": values.astype(np.float32) for name, values in self.found.items()}
        for one in self.tried:
            arrays[f"values {one.way.name}"] = one.values
            arrays[f"merit {one.way.name}"] = one.merit
            for part, values in vars(one.ranks).items() if one.ranks else ():
                arrays[f"{part} {one.way.name}"] = values
        np.savez(file, cost=self.cost, **arrays)

    @classmethod
    def load(cls, file: Path) -> Run:
        """Return what was written."""
        with np.load(file) as kept:
            of = {part: {} for part in ("found", "values", "merit", "greater", "level", "lead")}  # type: dict[str, Any]
            for key in kept.files:
                part, _, name = key.partition(" ")
                if part in of:
                    of[part][name] = kept[key]
            tried = []
            for name, values in of["values"].items():
                ranks = HeldOut(*(of[part][name] for part in ("greater", "level", "lead"))) if of["greater"] else None
                # by ranks, merit is computed again: another rule needs no other run
                merit = ranks.merit if ranks else of["merit"][name]
                way = parse_way(name, additions=ADDITIONS, products=True)
                tried.append(Tried(way, values, 0.0, merit, ranks))
            return cls(tried, float(kept["cost"]), of["found"])


def retrieving(x: Side, y: Side, anchors: int, seed: int) -> Run:
    """Return what is chosen for retrieval, and 1 / rank by every way, all rows that are no anchors being queries."""
    _, at_x, at_y = np.intersect1d(x.ids, y.ids, return_indices=True)
    order = np.argsort(hash_ids(x.ids[at_x], seed=seed + 0x5EED), kind="stable")
    known, asked = order[:anchors], order[anchors:]
    means = x.rows[at_x].mean(axis=0), y.rows[at_y].mean(axis=0)
    frame = x.rows[at_x[known]], y.rows[at_y[known]]
    fold = fold_numbers(x.ids[at_x[known]], min(FOLDS, anchors), seed=0)
    ways = parse_candidates(None, "retrieval")
    begun = time.process_time()
    tried = try_retrieving(ways, Known(*frame, fold, y.rows, at_y[known], x.rows, *neighbours(x.ids), means))
    cost = time.process_time() - begun
    chosen = best_of(tried).way
    ways += [replace(chosen, csls=False)] if chosen.members else []
    return Run(tried, cost, _true_ranks(ways, x, y, at_x[asked], at_y[asked], frame, means))


def _true_ranks(
    ways: Sequence[Way], x: Side, y: Side, at_x: Any, at_y: Any, frame: Any, means: Any
) -> dict[str, Floats]:
    """Return 1 / rank [q] of the rows of x at `at_x` by every way, and by each with CSLS over all rows."""
    found = {}
    for way in ways:
        via = make_via(way, *frame, means=means)
        rows, gallery = (unit_rows(v).astype(np.float32) for v in (via.x(x.rows), via.y(y.rows)))
        penalty = _penalty(gallery, rows)
        for csls in (False, True):
            found[replace(way, csls=csls).name] = np.concatenate([
                _reciprocal(rows[at_x[part]] @ gallery.T - (penalty if csls else 0), at_y[part])
                for part in np.array_split(np.arange(len(at_x)), -(-len(at_x) // _BLOCK))
            ])  # fmt: skip
    return found


def _penalty(gallery: Any, rows: Any) -> Any:
    """Return half the mean cosine [n] of each of the gallery with its nearest rows, of all."""
    cut = len(rows) - CSLS_NEIGHBOURS
    parts = [gallery[start : start + _BLOCK] @ rows.T for start in range(0, len(gallery), _BLOCK)]
    return np.concatenate([np.partition(part, cut, axis=1)[:, cut:].mean(axis=1) for part in parts]) / 2


def _reciprocal(scores: Any, at: Any) -> Floats:
    """Return 1 / rank [q] of the own items in float32 scores [q, n], which tie where they differ by a rounding."""
    own = scores[np.arange(len(at)), at][:, None]
    above, as_much = scores > own + 2.0**-22, np.abs(scores - own) <= 2.0**-22
    level = as_much.sum(axis=1) - 1
    return reciprocal_ranks(above.sum(axis=1), level, np.ones_like(level))


def stitching(x: Side, y: Side, labels: dict[str, str], train: set[str] | None, anchors: int, seed: int) -> Run:
    """Return what is chosen for stitching, and which test rows a ridge head of x gets right from y by every way."""
    ids, at_x, at_y = np.intersect1d(x.ids, y.ids, return_indices=True)
    _, codes = np.unique([labels[id] for id in ids], return_inverse=True)
    if train is None:
        shuffled = np.argsort(hash_ids(ids, seed=seed + 0x7E57), kind="stable")
        seen = np.ones(len(ids), bool)
        seen[shuffled[: round(0.3 * len(ids))]] = False
    else:
        seen = np.isin(ids, list(train))
    rows_x, rows_y = x.rows[at_x], y.rows[at_y]
    trained = np.flatnonzero(seen)
    known = trained[np.argsort(hash_ids(ids[trained], seed=seed + 0x5EED), kind="stable")[:anchors]]
    means = rows_x[seen].mean(axis=0), rows_y[seen].mean(axis=0)
    frame = rows_x[known], rows_y[known]
    fold = fold_numbers(ids[known], min(FOLDS, anchors), seed=0)
    begun = time.process_time()
    ways = parse_candidates(None, "stitching")
    at = np.searchsorted(trained, known)
    tried = try_stitching(ways, Learnt(*frame, codes[known], fold, rows_x[seen], codes[seen], at, means))
    cost = time.process_time() - begun
    found = {
        way.name: _stitched(way, rows_x[seen], codes[seen], rows_y[~seen], codes[~seen], frame, means) for way in ways
    }
    return Run(tried, cost, found)


def _stitched(way: Way, train: Any, of_train: Any, test: Any, of_test: Any, frame: Any, means: Any) -> np.ndarray:
    if way.kind == "translate":
        head, rows = Ridge.of(train, of_train), make_via(way, frame[1], frame[0]).x(test)
    else:
        via = make_via(way, *frame, means=means)
        head, rows = Ridge.of(via.x(train), of_train), via.y(test)
    return (head(rows) == of_test).astype(float)


def tasks(data: Path, only: Sequence[str], purpose: str | None = None) -> Iterator[tuple[str, str, Any]]:
    """Yield the name of each direction of each pair, what it is for, and what runs it with anchors and a seed."""
    for name, (one, other, kind) in PAIRS.items():
        if only and not any(word in name for word in only):
            continue
        left, _, right = name.partition(" ~ ")
        context, _, first = left.rpartition(" ")
        titles = f"{context} {first} → {right}".strip(), f"{context} {right} → {first}".strip()
        if purpose != "stitching":
            x, y = (_side(data, source, kind, whole=False) for source in (one, other))
            yield titles[0], "retrieval", lambda a, s, x=x, y=y: retrieving(x, y, a, s)
            yield titles[1], "retrieval", lambda a, s, x=y, y=x: retrieving(x, y, a, s)
        if kind is not None and purpose != "retrieval":
            labels, train = _labels(data, kind)
            x, y = (_side(data, source, kind, whole=True) for source in (one, other))
            yield titles[0], "stitching", lambda a, s, x=x, y=y, of=labels, t=train: stitching(x, y, of, t, a, s)
            yield titles[1], "stitching", lambda a, s, x=y, y=x, of=labels, t=train: stitching(x, y, of, t, a, s)


def difference(auto: Sequence[Floats], other: Sequence[Floats]) -> tuple[float, float]:
    """
    Return the mean over seeds and rows of auto − other, and its standard error.

    Runs of values [q], a seed each. The error's square is the variance over seeds of the mean difference / seeds, plus
    that over rows, row by row within a seed and averaged over seeds, / q: seeds share rows, so more of them average
    out the first part and not the second.
    """
    paired = [np.asarray(a - b, np.float64) for a, b in zip(auto, other, strict=True)]
    means = np.array([d.mean() for d in paired])
    over_seeds = means.var(ddof=1) / len(means) if len(means) > 1 else 0.0
    over_rows = float(np.mean([d.var(ddof=1) / len(d) for d in paired]))
    return float(means.mean()), float(np.sqrt(over_seeds + over_rows))


def summary(runs: Sequence[Run]) -> dict[str, Any]:
    """Return what a table shows of the seeds of one task: the best single way has the best mean over them."""
    single = [way for way in runs[0].found if not way.startswith("product:")]
    means = {way: float(np.mean([run.found[way].mean() for run in runs])) for way in single}
    best = max(means, key=lambda way: means[way])
    auto = [run.found[run.chosen] for run in runs]
    behind, to_plain = (difference(auto, [run.found[way] for run in runs]) for way in (best, "relative"))
    return {
        "seeds": len(runs),
        "rows": len(auto[0]),
        "auto": float(np.mean([values.mean() for values in auto])),
        "best": means[best],
        "best way": best,
        "relative": means["relative"],
        "auto − best": behind,
        "auto − relative": to_plain,
        "chosen": [run.chosen for run in runs],
    }


def verdict(one: dict[str, Any]) -> str:
    """Return whether auto is within one standard error of the best way and never below plain relative by more."""
    kept = all(gap >= -error for gap, error in (one["auto − best"], one["auto − relative"]))
    return "kept" if kept else "missed"


def table(found: dict[str, Any], purpose: str, anchors: int) -> str:
    """Return the rows of one purpose as Markdown."""
    lines = [
        "| x → y | auto | best single way | auto − best ± SE | plain relative | bar | chosen |",
        "|---|--:|---|--:|--:|---|---|",
    ]
    for key, one in found.items():
        title, what, count = key.split(" | ")
        if (what, int(count)) == (purpose, anchors):
            chosen = ", ".join(f"{way} ×{one['chosen'].count(way)}" for way in dict.fromkeys(one["chosen"]))
            gap, error = (f"{value:.4f}".replace("-", "−") for value in one["auto − best"])
            lines.append(
                f"| {title} | {one['auto']:.3f} | {one['best']:.3f} {one['best way']} | {gap} ± {error} "
                f"| {one['relative']:.3f} | {verdict(one)} | {chosen} |"
            )
    return "\n".join(lines)


def overview(found: dict[str, Any]) -> str:
    """Return how all tasks went, a row for each purpose and number of anchors, as Markdown."""
    lines = [
        "| for | anchors | tasks | seeds | bar kept | auto − best, mean | worst task | below relative, by an error |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for purpose in ("retrieval", "stitching"):
        of_purpose = [(key, one) for key, one in found.items() if f" | {purpose} | " in key]
        for anchors in sorted({int(key.split(" | ")[2]) for key, _ in of_purpose}):
            some = [one for key, one in of_purpose if key.endswith(f" | {anchors}")]
            gaps = [one["auto − best"][0] for one in some]
            kept = sum(verdict(one) == "kept" for one in some)
            below = sum(gap < -error for gap, error in (one["auto − relative"] for one in some))
            mean, worst = (f"{value:.4f}".replace("-", "−") for value in (np.mean(gaps), min(gaps)))
            seeds = max(one["seeds"] for one in some)
            lines.append(f"| {purpose} | {anchors} | {len(some)} | {seeds} | {kept} | {mean} | {worst} | {below} |")
    return "\n".join(lines)


def page_with(text: str, found: dict[str, Any]) -> str:
    """Return the page with its marked tables written anew."""
    for what, anchors in re.findall(r"<!-- table (\w+) (\w+) -->", text):
        mark = re.compile(rf"(<!-- table {what} {anchors} -->\n).*?(<!-- end -->)", re.DOTALL)
        made = overview(found) if what == "overview" else table(found, what, int(anchors))
        text = mark.sub(lambda match, made=made: f"{match[1]}\n{made}\n\n{match[2]}", text)  # type: ignore[misc]
    return text


def figures() -> dict[str, Any]:
    """Return what has been measured so far."""
    return json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}


def rounded(value: Any) -> Any:
    """Return a document whose numbers have five significant digits."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(part) for part in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def kept_run(title: str, purpose: str, anchors: int, seed: int, keep: Path | None, measure: Any) -> Run:
    """Return one run, read from the folder where it was kept, or measured."""
    if keep is None:
        return measure(anchors, seed)  # type: ignore[no-any-return]
    file = keep / f"{title} {purpose} {anchors} {seed}.npz"
    if not file.exists():
        beside = file.with_suffix(".part.npz")
        measure(anchors, seed).save(beside)
        beside.replace(file)
    return Run.load(file)


def main() -> None:
    """Measure, keep the figures, write the tables."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--anchors", type=int, default=300)
    asked.add_argument("--seeds", type=int, default=5)
    asked.add_argument("--only", nargs="+", default=[], metavar="TEXT", help="pairs with this in their names")
    asked.add_argument("--for", dest="purpose", choices=("retrieval", "stitching"), help="only this")
    asked.add_argument("--keep", type=Path, metavar="DIR", help="keep runs in this folder")
    asked.add_argument("--tables", action="store_true", help="measure nothing")
    given = asked.parse_args()
    found = figures()
    if not given.tables:
        if "RELCLI_SHARED" not in os.environ:
            sys.exit("RELCLI_SHARED names no folder of real embeddings.")
        for title, purpose, measure in tasks(Path(os.environ["RELCLI_SHARED"]) / "data", given.only, given.purpose):
            begun = time.perf_counter()
            runs = [kept_run(title, purpose, given.anchors, seed, given.keep, measure) for seed in range(given.seeds)]
            found[f"{title} | {purpose} | {given.anchors}"] = rounded(summary(runs))
            print(f"{title} | {purpose} | {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
        lines = [
            f" {json.dumps(key, ensure_ascii=False)}: {json.dumps(one, ensure_ascii=False)}"
            for key, one in found.items()
        ]
        FIGURES.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main()
