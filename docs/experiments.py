"""
Run the field's experiments with relcli, keep their figures in docs/experiments.json, and write docs/experiments.md's
tables and its contents from them.

    python docs/experiments.py                   # all of them on sample_embeddings
    python docs/experiments.py --only 2 7        # these rows only; what was measured of the others stays
    python docs/experiments.py --seeds 3         # fewer repeats
    python docs/experiments.py --tables          # measure nothing, write the page's tables from the JSON
    python docs/experiments.py --folder DIR      # write the files that the commands of the page read into DIR

With the environment variable RELCLI_SHARED, a folder of real spaces, they run on these in place of the samples. The
JSON keeps both parts: a run redoes one part of the rows asked for and leaves the rest as it was.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import functools
import io
import json
import os
import re
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
SAMPLES = DOCS.parent / "sample_embeddings"
PAGE, FIGURES = DOCS / "experiments.md", DOCS / "experiments.json"

#: What the page calls the spaces whose files the commands name.
NAMES = {
    "digits_ae_s0": "AE seed 0",
    "digits_ae_s1": "AE seed 1",
    "digits_conv": "conv. AE",
    "digits_classifier": "classifier",
    "word2vec": "word2vec-google-news-300",
    "fasttext": "fastText cc.en.300",
    "minilm_trec": "all-MiniLM-L6-v2",
    "lsa_trec": "TF-IDF + SVD",
    "clip_names": "CLIP ViT-B/32 text",
    "minilm_names": "all-MiniLM-L6-v2",
    **{f"fmnist_ae{i}": f"AE seed {i}" for i in range(3)},
    **{f"fmnist_cnn{i}": f"CNN seed {i}" for i in range(2)},
    **{f"fmnist_ae{i}_leading": f"AE seed {i}" for i in range(2)},
    "fmnist_mlp": "MLP",
    "word2vec_unit": "word2vec-google-news-300",
    "fasttext_unit": "fastText cc.en.300",
    **{f"gcn_{i:02}": f"GCN {i:02}" for i in range(20)},
}

#: A cell of a table: text, a number, or {"mean": …, "sd": …}.
Row = dict[str, Any]
Documents = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Ask:
    """
    Commands that together give one or more rows about `data`: "{seeds}" stands for the number of repeats.

    With `repeat` they are run for each seed from 0 up, by --seed, and the numbers of their rows averaged.
    """

    data: str
    commands: tuple[str, ...]
    label: str = ""
    repeat: bool = False


@dataclass(frozen=True)
class Experiment:
    """One table: what is run on the samples and on the real spaces, and how rows are read from what is printed."""

    key: str
    read: Callable[[Documents, Ask], list[Row]]
    samples: tuple[Ask, ...]
    real: tuple[Ask, ...]
    pivot: tuple[str, str] | None = None  # the column whose values become columns, and the one that fills them
    drop: tuple[str, ...] = ()  # columns that the JSON holds and the page does not show
    shown: int = 1  # how many of the samples' asks the page shows the commands of


# --- reading what relcli printed ---


def mean_of(figure: dict[str, Any]) -> Any:
    """Return a figure as a cell."""
    if figure.get("mean") is None or figure.get("sd") is None:
        return figure.get("mean")
    return {"mean": figure["mean"], "sd": figure["sd"]}


def called(stem: str) -> str:
    """Return what the page calls a space."""
    return NAMES.get(stem, stem)


def score(document: dict[str, Any], measure: str, view: str) -> dict[str, Any]:
    """Return the score of one measure on one view."""
    return next(s for s in document["scores"] if s["measure"] == measure and s["view"] == view)


def of_compare(documents: Documents, ask: Ask) -> list[Row]:
    """Return one row of both directions, and for the first way of choosing anchors one of the absolute view."""
    rows = []
    for view in ("relative", "absolute") if ask.label == "uniform" else ("relative",):
        jaccard, mrr, cosine = (score(documents[0], m, view) for m in ("cross-jaccard@10", "mrr@10", "cosine"))
        rows.append(
            {
                "data": ask.data,
                "anchors": ask.label if view == "relative" else "absolute",
                "cross-jaccard@10 x→y": jaccard["forward"],
                "mrr@10 x→y": mrr["forward"],
                "cross-jaccard@10 y→x": jaccard["backward"],
                "mrr@10 y→x": mrr["backward"],
                "cosine": cosine["value"],
                "its chance": cosine["chance"],
            }
        )
    return rows


def of_sweep(documents: Documents, ask: Ask) -> list[Row]:
    """Return a row for each way, strategy and number of anchors."""
    rows = []
    for curve in documents[0]["curves"]:
        row = {"data": ask.data, "way": curve["via"], "strategy": curve["strategy"], "anchors": str(curve["anchors"])}
        for measure, told in curve["scores"].items():
            row[measure] = mean_of(told)
        for side in ("x", "y"):
            row[f"condition {side}"] = curve[f"condition_{side}"]
            row[f"mean cosine {side}"] = curve[f"mean_cosine_{side}"]
        rows.append(row)
    return rows


def of_strategies(documents: Documents, ask: Ask) -> list[Row]:
    """Return a row for each strategy: the first measure by number of anchors, and the condition of the most."""
    found: dict[str, Row] = {}
    for point in of_sweep(documents, ask):
        row = found.setdefault(point["strategy"], {"data": ask.data, "strategy": point["strategy"]})
        row[f"{point['anchors']} anchors"] = point["mrr"]
        for column in ("condition x", "condition y", "mean cosine x", "mean cosine y"):
            row.pop(column, None)
            row[column] = point[column]
    return list(found.values())


def stitches(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], dict[str, dict[str, Any]]]]:
    """Yield each ordered pair by name, with the figures of no stitch and those by way."""
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for one in document["stitches"]:
        found.setdefault((one["source"], one["target"]), {})[one["via"]] = one["figures"]
    for (source, target), by_way in found.items():
        if source != target:
            yield f"{called(source)} → {called(target)}", found[source, source]["absolute"], by_way


def of_stitch(documents: Documents, ask: Ask) -> list[Row]:
    """Return a row for each ordered pair: the accuracy of each way, or R²."""
    figure = "accuracy" if documents[0]["task"] == "classification" else "r2"
    rows = []
    for pair, own, by_way in stitches(documents[0]):
        row = {"data": ask.data, "trained → tested": pair, "no stitch": mean_of(own[figure])}
        for way, figures in by_way.items():
            row[way.removeprefix("translate:")] = mean_of(figures[figure]) if figures else None
        other = ("F1 of relative", "weighted-f1") if figure == "accuracy" else ("MSE of relative", "mse")
        row[other[0]] = mean_of(by_way["relative"][other[1]])
        rows.append(row)
    return rows


def over(values: Sequence[float], whole: Sequence[float]) -> Any:
    """Return the ratio of two figures, seed by seed, as a cell."""
    ratios = [value / of for value, of in zip(values, whole, strict=True)]
    return {"mean": statistics.fmean(ratios), "sd": statistics.stdev(ratios)} if len(ratios) > 1 else ratios[0]


def of_bar(documents: Documents, ask: Ask) -> list[Row]:
    """Return a row for each ordered pair: accuracy as it is, relative and of the ceiling, beside chance."""
    document, rows = documents[0], []
    for pair, own, by_way in stitches(document):
        absolute = by_way["absolute"].get("accuracy")
        rows.append(
            {
                "data": ask.data,
                "trained → tested": pair,
                "head": document["head"],
                "no stitch": mean_of(own["accuracy"]),
                "chance": document["chance"]["accuracy"]["mean"],
                "absolute": mean_of(absolute) if absolute else None,
                "relative": mean_of(by_way["relative"]["accuracy"]),
                "relative ÷ no stitch": over(by_way["relative"]["accuracy"]["values"], own["accuracy"]["values"]),
            }
        )
    return rows


def of_ways(documents: Documents, ask: Ask) -> list[Row]:
    """Return a row for each pair and way: accuracy over that of no stitch, for one number of anchors."""
    return [
        {
            "data": ask.data,
            "trained → tested": pair,
            "way": way,
            "anchors": str(documents[0]["anchors"]["count"]),
            "of ceiling": over(figures["accuracy"]["values"], own["accuracy"]["values"]),
        }
        for pair, own, by_way in stitches(documents[0])
        for way, figures in by_way.items()
        if figures and way != "absolute"
    ]


def of_one_source(documents: Documents, ask: Ask) -> list[Row]:
    """Return what `of_ways` does, of the pairs whose head the first space trains."""
    first = called(documents[0]["spaces"][0]["name"])
    return [row for row in of_ways(documents, ask) if row["trained → tested"].startswith(f"{first} → ")]


def of_inspect(documents: Documents, ask: Ask) -> list[Row]:
    """Return a row for each space: how long its rows are, how narrow it is and how many directions it fills."""
    return [
        {
            "data": ask.data,
            "space": called(space["name"]),
            "rows": str(space["rows"]),
            "dimensions": str(space["dim"]),
            "median length": space["norms"]["median"],
            "length of the mean": space["anisotropy"],
            "directions filled": space["participation_ratio"],
            "intrinsic dimension": space["intrinsic_dimension"],
        }
        for document in documents
        for space in document["spaces"]
    ]


def of_retrieve(documents: Documents, ask: Ask) -> list[Row]:
    """Return a row for each way and direction."""
    rows = []
    for document, direction in zip(documents, ("x→y", "y→x"), strict=True):
        for way in dict.fromkeys(s["view"] for s in document["scores"]):
            row = {"data": ask.data, "way": way, "direction": direction}
            for title, measure in (("R@1", "recall@1"), ("R@5", "recall@5"), ("R@10", "recall@10")):
                row[title] = score(document, measure, way)["value"]
            row["median rank"] = score(document, "median-rank", way)["value"]
            row["chance of R@10"] = score(document, "recall@10", way)["chance"]
            rows.append(row)
    return sorted(rows, key=lambda row: [row["way"] for row in rows].index(row["way"]))


def of_match(documents: Documents, ask: Ask) -> list[Row]:
    """Return a row for each way."""
    document = documents[0]
    return [
        {
            "data": ask.data,
            "way": way,
            "queries": str(score(document, "matching-accuracy", way)["pairs"]),
            **{
                title: mean_of(score(document, measure, way)["draws"])
                for title, measure in (
                    ("matching accuracy", "matching-accuracy"),
                    ("top-1", "recall@1"),
                    ("top-5", "recall@5"),
                    ("top-10", "recall@10"),
                )
            },
            "chance": score(document, "matching-accuracy", way)["chance"],
        }
        for way in dict.fromkeys(s["view"] for s in document["scores"])
    ]


def of_correlations(documents: Documents, ask: Ask) -> list[Row]:
    """Return a row for each measure and view."""
    told = documents[0]["correlations"]
    return [
        {
            "data": ask.data,
            "measure": found["measure"],
            "view": found["view"],
            "of": found["of"],
            "Pearson r": found["pearson_r"],
            "Spearman ρ": found["spearman_rho"],
            "p of r": found["pearson_p"],
            "models": str(found["n"]),
        }
        for found in told["found"]
    ]


def of_matrix(documents: Documents, ask: Ask) -> list[Row]:
    """Return a row for each view, measure and space: its scores with all."""
    document = documents[0]
    names = [called(space["name"]) for space in document["spaces"]]
    rows = []
    for square in document["matrices"]:
        for name, values in zip(names, square["values"], strict=True):
            row = {"data": ask.data, "measure": f"{square['measure']}, {square['view']}", "space": name}
            rows.append(row | dict(zip(names, values, strict=True)))
    return rows


def of_seeds_apart(documents: Documents, ask: Ask) -> list[Row]:
    """Return a row for each measure and view: the mean, least and most over the pairs of two spaces."""
    rows = []
    for square in documents[0]["matrices"]:
        values = [v for i, line in enumerate(square["values"]) for j, v in enumerate(line) if i != j]
        row = {"data": ask.data, "measure": square["measure"], "view": square["view"], "spaces": str(len(values))}
        row["spaces"] = str(len(square["values"]))
        rows.append(row | {"mean": statistics.fmean(values), "least": min(values), "most": max(values)})
    return rows


def of_translation(documents: Documents, ask: Ask) -> list[Row]:
    """Return one row: what the map leaves over, and how well what it carried is found."""
    fitted, compared = documents[0], documents[-1]
    return [
        {
            "data": ask.data,
            "method": ask.label.partition(" ")[0],
            "scaling": ask.label.partition(" ")[2],
            "held-out residual": score(fitted, "heldout-residual", "translated")["value"],
            "held-out cosine": score(fitted, "heldout-cosine", "translated")["value"],
            "MRR after": score(compared, "mrr", "absolute")["value"],
        }
    ]


def of_classify(documents: Documents, ask: Ask) -> list[Row]:
    """Return a row for each way of classifying, with the k and p that held-out anchors chose."""
    document = documents[0]
    kept = document["sparse"]
    return [
        {
            "data": ask.data,
            "way": f"asif, k = {kept['k']}, p = {kept['p']:g}" if way == "asif" else way,
            "accuracy": score(document, "accuracy", way)["value"],
            "among 5 nearest": score(document, "accuracy@5", way)["value"],
            "weighted F1": score(document, "weighted-f1", way)["value"],
            "chance": score(document, "accuracy", way)["chance"],
            "rows": str(document["rows"]["scored"]),
        }
        for way in dict.fromkeys(s["view"] for s in document["scores"])
    ]


# --- what is run ---

TRANSLATIONS = "--translate affine --translate linear --translate l-ortho --translate ortho"
SIMILARITIES = (
    *("cosine", "cosine+center", "euclidean", "l1", "linf", "inner", "angular", "mahalanobis"),
    *("product:cosine,euclidean", "cosine+quantize=0.05", "cosine+quantize=0.1", "cosine+quantize=0.5"),
)
CORRECTED = "".join(f" --via {way}+center+csls" for way in ("relative", "translate:ortho", "translate:ridge"))
WAYS = " ".join(f"--via relative:{name}" for name in SIMILARITIES)
STITCHED = " ".join(f"--similarity {s}" for s in SIMILARITIES)
AE = "digits_ae_s0.npy digits_ae_s1.parquet"
CONV = "digits_ae_s0.npy digits_conv.safetensors"
DIGITS = "labels.csv --split labels.csv"
PAIRS = {
    "words": "word2vec.npy fasttext.parquet",
    "AE": "fmnist_ae0.npy fmnist_ae1.npy",
    "CNN": "fmnist_cnn0.npy fmnist_cnn1.npy",
    "TREC": "minilm_trec.npy lsa_trec.npy",
    "names": "clip_names.npy minilm_names.npy",
    "GCN": "gcn_00.npy gcn_02.npy",
}
DATA = {
    "words": "1,577 shared words, word2vec-google-news-300 (x) and fastText cc.en.300 (y)",
    "AE": "Fashion-MNIST, autoencoders of two seeds",
    "CNN": "Fashion-MNIST, classifiers of two seeds",
    "TREC": "TREC, all-MiniLM-L6-v2 (x) and TF-IDF + SVD (y)",
    "names": "1,203 object names, CLIP ViT-B/32 text (x) and all-MiniLM-L6-v2 (y)",
    "GCN": "Cora, GCN 00 and GCN 02",
}
DIGITS_AE, DIGITS_CONV = "digits, autoencoders of two seeds", "digits, autoencoder (x) and convolutional one (y)"


def comparisons(data: str, spaces: str) -> tuple[Ask, ...]:
    how = {"uniform": "", "farthest": " --view relative", "kmeans": " --view relative", "first": " --view relative"}
    return tuple(
        Ask(
            data,
            (f"compare {spaces} --anchors {name}:300 --preset relreps --moved 0{view}",),
            name,
            repeat=name != "first",
        )
        for name, view in how.items()
    )


def anchor_curves(data: str, spaces: str) -> Ask:
    vias = "--via relative --via translate:linear --via translate:ortho --via translate:ridge"
    return Ask(data, (f"sweep {spaces} --anchors-grid 10,25,50,100,200,300 --draws {{seeds}} -m mrr {vias}",))


def stitched(data: str, spaces: str, labels: str, head: str) -> Ask:
    return Ask(
        data,
        (f"stitch {spaces} --labels {labels} --anchors uniform:300 --head {head} --seeds {{seeds}} {TRANSLATIONS}",),
    )


def reconstructed(data: str, spaces: str, targets: str) -> Ask:
    return Ask(data, (f"stitch {spaces} {targets} --anchors uniform:300 --seeds {{seeds}} {TRANSLATIONS}",))


def anchored(data: str, spaces: str, labels: str, counts: Iterable[int]) -> tuple[Ask, ...]:
    kinds = ("cosine", "cosine+center", "euclidean", "cosine+quantize=0.1")
    ways = " ".join(f"--similarity {name}" for name in kinds) + " --translate ortho --translate ridge"
    return tuple(
        Ask(data, (f"stitch {spaces} --labels {labels} --anchors uniform:{n} --head ridge --seeds {{seeds}} {ways}",))
        for n in counts
    )


def retrieved(data: str, spaces: str, truth: str = "", vias: str = "") -> Ask:
    x, y = spaces.split()
    told = f" --truth {truth}" if truth else ""
    ways = f"--via relative --via relative+sparse=100,2 --via translate:ortho --via translate:ridge{vias}"
    return Ask(
        data, tuple(f"retrieve {a} {b} --anchors uniform:300 --all -k 1 {ways}{told}" for a, b in ((x, y), (y, x)))
    )


def matched(data: str, spaces: str) -> Ask:
    ways = "--via relative --via relative+center --via translate:ortho --via translate:ridge"
    return Ask(data, (f"match {spaces} --anchors uniform:320 --queries 500 --seeds {{seeds}} {ways}",))


def classified(data: str, spaces: str, stem: str) -> Ask:
    files = f"--anchors {stem}anchors.txt --classes {stem}prototypes.tsv --rows {stem}rows.txt"
    labels = "labels.csv" if not stem else f"{stem.rstrip('_')}.csv"
    ways = "--via asif --via relative --via translate:ortho --via translate:ridge"
    return Ask(data, (f"classify {spaces} {files} --labels {labels} {ways}",))


def inspected(data: str, spaces: str) -> Ask:
    return Ask(data, (f"inspect {spaces}",))


def chosen(data: str, spaces: str) -> Ask:
    grid = "--strategies uniform,farthest,kmeans,first --anchors-grid 10,50,100,300"
    return Ask(data, (f"sweep {spaces} {grid} --draws {{seeds}} --via relative -m mrr",))


def translated(data: str, spaces: str) -> tuple[Ask, ...]:
    y = spaces.split()[1]
    kinds = {
        "ortho global": "--method ortho",
        "ortho standard": "--method ortho --scaling standard",
        "ortho none": "--method ortho --scaling none",
        "l-ortho global": "--method l-ortho",
        "linear global": "--method linear",
        "linear standard": "--method linear --scaling standard",
        "linear none": "--method linear --scaling none",
        "affine global": "--method affine",
        "ridge global": "--method ridge",
        "inverse-relative global": "--method inverse-relative",
        "inverse-relative global, 50 anchors kept": "--method inverse-relative --prune 50",
    }
    return tuple(
        Ask(
            data,
            (
                f"translate fit {spaces} --anchors uniform:300 {flags} -o map.safetensors",
                f"translate apply map.safetensors {spaces.split()[0]} -o like_y.parquet",
                f"compare like_y.parquet {y} --anchors uniform:300 --view absolute -m mrr --moved 0",
            ),
            label,
        )
        for label, flags in kinds.items()
    )


def similarities(data: str, spaces: str) -> Ask:
    return Ask(data, (f"sweep {spaces} --anchors-grid 300 --draws {{seeds}} -m mrr,jaccard@10 {WAYS}",))


def products(data: str, spaces: str, labels: str) -> Ask:
    return Ask(
        data,
        (
            f"stitch {spaces} --labels {labels} --anchors uniform:300 --head ridge --seeds {{seeds}} {STITCHED} "
            "--translate ortho",
        ),
    )


FMNIST, TREC, CORA = ("fmnist.csv --split fmnist.csv", "trec.csv --split trec.csv", "cora.csv --split cora.csv")
ALL_AE, GCNS = "fmnist_ae0.npy fmnist_ae1.npy fmnist_ae2.npy", "gcn_00.npy gcn_02.npy gcn_17.npy"
LEADING = "fmnist_ae0_leading.npy fmnist_ae1_leading.npy"
DIGITS_ALL = "digits_ae_s0.npy digits_ae_s1.parquet digits_conv.safetensors digits_classifier.parquet"


def heads(head: str) -> tuple[tuple[Ask, ...], tuple[Ask, ...]]:
    """Return what one head is trained on: samples and real spaces."""
    return (
        (stitched("digits", DIGITS_ALL, DIGITS, head),),
        (
            stitched("Fashion-MNIST", ALL_AE, FMNIST, head),
            stitched("Fashion-MNIST", PAIRS["CNN"], FMNIST, head),
            stitched("TREC", PAIRS["TREC"], TREC, head),
            stitched("Cora", GCNS, CORA, head),
        ),
    )


def every(make: Callable[[str, str], Ask], *names: str) -> tuple[Ask, ...]:
    return tuple(make(DATA[name], PAIRS[name]) for name in names)


SQUARE = "-m debiased-cka,mrr --anchors uniform:300"
SEEDS_REAL = "fmnist_ae0.npy fmnist_ae1.npy fmnist_ae2.npy fmnist_cnn0.npy fmnist_cnn1.npy fmnist_mlp.npy"

EXPERIMENTS = (
    Experiment(
        "spaces",
        of_inspect,
        (inspected("digits", DIGITS_ALL),),
        (
            inspected("words", PAIRS["words"]),
            inspected("Fashion-MNIST", SEEDS_REAL),
            inspected("TREC", PAIRS["TREC"]),
            inspected("Cora", GCNS),
            inspected("names", PAIRS["names"]),
        ),
    ),
    Experiment("1", of_compare, comparisons(DIGITS_AE, AE), comparisons(DATA["words"], PAIRS["words"])),
    Experiment(
        "1-anchors",
        of_sweep,
        (anchor_curves(DIGITS_AE, AE),),
        every(anchor_curves, "words"),
        pivot=("anchors", "mrr"),
        drop=("strategy", "condition x", "condition y", "mean cosine x", "mean cosine y"),
    ),
    Experiment("2-svm", of_stitch, *heads("svm")),
    Experiment("2-ridge", of_stitch, *heads("ridge")),
    Experiment(
        "2-leading",
        of_stitch,
        (),
        (stitched("Fashion-MNIST, 20 leading principal components", LEADING, FMNIST, "ridge"),),
        shown=0,
    ),
    Experiment("2-bar-svm", of_bar, *heads("svm"), shown=0),
    Experiment("2-bar-ridge", of_bar, *heads("ridge"), shown=0),
    Experiment(
        "2-why",
        of_ways,
        anchored("digits", AE, DIGITS, (50, 100, 300)),
        (
            *anchored("Fashion-MNIST", PAIRS["AE"], FMNIST, (50, 100, 300, 1000)),
            *anchored("Cora", PAIRS["GCN"], CORA, (50, 100, 300, 1000)),
            *anchored("TREC", PAIRS["TREC"], TREC, (100, 300, 1000, 2000)),
        ),
        pivot=("anchors", "of ceiling"),
    ),
    Experiment(
        "2-wide",
        of_one_source,
        (),
        anchored("Cora", "gcn_17.npy gcn_00.npy gcn_02.npy", CORA, (300,)),
        pivot=("trained → tested", "of ceiling"),
        drop=("anchors",),
        shown=0,
    ),
    Experiment(
        "3",
        of_stitch,
        (reconstructed("digits", AE, "--targets digits_conv.safetensors --split labels.csv"),),
        (
            reconstructed("Fashion-MNIST", PAIRS["AE"], "--targets fmnist_ae2.npy --split fmnist.csv"),
            reconstructed("Fashion-MNIST", PAIRS["CNN"], "--targets fmnist_ae2.npy --split fmnist.csv"),
            reconstructed("words", PAIRS["words"], "--labels words.csv#log_rank --regression"),
        ),
    ),
    Experiment(
        "3-length",
        of_stitch,
        (),
        (
            reconstructed(
                "words, rows made unit",
                "word2vec_unit.npy fasttext_unit.npy",
                "--labels words.csv#log_rank --regression",
            ),
        ),
        shown=0,
    ),
    Experiment(
        "4",
        of_retrieve,
        (
            retrieved(f"{DIGITS_AE}, five right items", AE, "five.tsv"),
            retrieved(f"{DIGITS_CONV}, one right item", CONV),
        ),
        (
            retrieved(f"{DATA['names']}, right: the same noun", PAIRS["names"], "same_noun.tsv", CORRECTED),
            retrieved(f"{DATA['words']}, right: the word", PAIRS["words"]),
        ),
    ),
    Experiment(
        "5",
        of_match,
        (matched(DIGITS_AE, AE), matched(DIGITS_CONV, CONV)),
        every(matched, "words", "AE", "CNN", "names", "TREC"),
    ),
    Experiment(
        "6",
        of_classify,
        (classified("digits, autoencoder (x) and classifier (y)", "digits_ae_s0.npy digits_classifier.parquet", ""),),
        (
            classified("Fashion-MNIST, classifiers of two seeds", PAIRS["CNN"], "fmnist_"),
            classified(
                "Fashion-MNIST, autoencoder (x) and classifier (y)", "fmnist_ae0.npy fmnist_cnn0.npy", "fmnist_"
            ),
            classified(DATA["TREC"], PAIRS["TREC"], "trec_"),
        ),
    ),
    Experiment("7", of_strategies, (chosen(DIGITS_CONV, CONV),), every(chosen, "words", "names")),
    Experiment(
        "8",
        of_correlations,
        (Ask("digits", (f"matrix {DIGITS_ALL} -m debiased-cka,linear-cka,cosine --scores runs.csv",)),),
        (
            Ask(
                "Cora, 20 GCNs",
                ("matrix gcn_*.npy -m debiased-cka,linear-cka,cosine --scores cora_runs.csv --score-column test_acc",),
            ),
        ),
    ),
    Experiment(
        "9",
        of_matrix,
        (Ask("digits", (f"matrix {DIGITS_ALL} {SQUARE} --plot matrix-digits.svg",)),),
        (Ask("Fashion-MNIST", (f"matrix {SEEDS_REAL} {SQUARE} --plot matrix-fashion-mnist.svg",)),),
    ),
    Experiment(
        "9-apart",
        of_seeds_apart,
        (Ask("digits", (f"matrix digits_ae_s0.npy digits_ae_s1.parquet {SQUARE}",)),),
        (
            Ask("Fashion-MNIST, autoencoders", (f"matrix {ALL_AE} {SQUARE}",)),
            Ask("Fashion-MNIST, classifiers", (f"matrix {PAIRS['CNN']} {SQUARE}",)),
            Ask(
                "Cora, 20 GCNs",
                ("matrix gcn_*.npy -m debiased-cka --anchors uniform:300 --order cluster --plot matrix-cora.svg",),
            ),
        ),
        shown=0,
    ),
    Experiment(
        "10",
        of_translation,
        translated(DIGITS_AE, AE),
        (
            *translated("words", PAIRS["words"]),
            *translated("Fashion-MNIST, autoencoders", PAIRS["AE"]),
        ),
    ),
    Experiment(
        "11",
        of_sweep,
        (similarities(DIGITS_AE, AE),),
        every(similarities, "words", "AE", "names"),
        drop=("strategy", "anchors", "condition x", "condition y", "mean cosine x", "mean cosine y"),
    ),
    Experiment(
        "11-stitch",
        of_ways,
        (products("digits", AE, DIGITS),),
        (
            products("Fashion-MNIST", PAIRS["AE"], FMNIST),
            products("TREC", PAIRS["TREC"], TREC),
        ),
        pivot=("trained → tested", "of ceiling"),
        drop=("anchors",),
    ),
)

# --- the table at the top of the page ---


@dataclass(frozen=True)
class Line:
    """
    One line of the table at the top: a row of the field, its command, our key figures, the published ones, a verdict.

    Each "{}" of `told` is filled by one of `picks`: a table, what its row says in some columns, and the column shown.
    `holds` is asked of these figures whether the verdict is still true.
    """

    number: str
    title: str
    command: str
    told: str
    picks: tuple[tuple[str, Row, str], ...]
    verdict: str
    holds: Callable[..., bool]
    published: str = "–"


AE_PAIR, CNN_PAIR = {"trained → tested": "AE seed 0 → AE seed 1"}, {"trained → tested": "CNN seed 0 → CNN seed 1"}
X_TO_Y = {"data": f"{DATA['names']}, right: the same noun", "direction": "x→y"}
LINES = (
    Line(
        "1",
        "Word retrieval",
        "compare",
        "words, word2vec → fastText: cross-jaccard@10 {}, mrr@10 {}, cosine {}",
        tuple(("1", {"anchors": "uniform"}, c) for c in ("cross-jaccard@10 x→y", "mrr@10 x→y", "cosine")),
        "agrees within 0.04",
        lambda *ours: all(abs(a - b) <= 0.04 for a, b in zip(ours, (0.44, 0.97, 0.86), strict=True)),
        "0.44, 0.97, 0.86",
    ),
    Line(
        "2",
        "Zero-shot stitching, classification",
        "stitch",
        "F-MNIST, AE seed 0 → 1, SVM: relative {}, linear map {}, no stitch {}",
        tuple(("2-svm", AE_PAIR, column) for column in ("relative", "linear", "no stitch")),
        "same order; relative keeps more of the ceiling than there",
        lambda relative, linear, own: relative < linear < own and relative / own > 0.63 / 0.88,
        "0.63, 0.83, 0.88 (other encoders)",
    ),
    Line(
        "3",
        "Zero-shot stitching, reconstruction and regression",
        "stitch --targets",
        "F-MNIST, AE seed 0 → 1, R²: relative {}, linear map {}; CNN seed 0 → 1: {}, {}",
        tuple(("3", pair, column) for pair in (AE_PAIR, CNN_PAIR) for column in ("relative", "linear")),
        "nothing to compare; cosines forget lengths, a map does not",
        lambda a, a_map, c, c_map: a < 0.9 < a_map and c < 0.9 < c_map,
    ),
    Line(
        "4",
        "Cross-modal retrieval",
        "retrieve",
        "names, CLIP → MiniLM, R@1: relative {}, centred with CSLS {}; rotation so {}, ridge so {}",
        tuple(
            ("4", {**X_TO_Y, "way": way}, "R@1")
            for way in (
                "relative",
                *(f"{kind}+center+csls" for kind in ("relative", "translate:ortho", "translate:ridge")),
            )
        ),
        "nothing to compare; relative fails as it is, and is within 0.04 of maps once centred, with CSLS",
        lambda plain, relative, *maps: plain < 0.02 and max(maps) - relative <= 0.04,
    ),
    Line(
        "5",
        "Matching accuracy",
        "match",
        "relative, words {}; names {}; TREC {}",
        tuple(
            ("5", {"data": DATA[name], "way": "relative"}, "matching accuracy") for name in ("words", "names", "TREC")
        ),
        "nothing to compare; words match all but wholly, unlike encoders in part",
        lambda words, *unlike: words > 0.99 and max(unlike) < 0.7,
    ),
    Line(
        "6",
        "Zero-shot classification with coupled data",
        "classify",
        "F-MNIST, CNNs: ASIF {}, relative {}, rotation {}",
        tuple(
            ("6", {"data": DATA["CNN"], "way": way}, "accuracy")
            for way in ("asif, k = 150, p = 8", "relative", "translate:ortho")
        ),
        "nothing to compare; ASIF is far above relative and level with a rotation",
        lambda asif, relative, ortho: asif > relative + 0.1 and abs(asif - ortho) < 0.03,
    ),
    Line(
        "7",
        "Anchor studies",
        "sweep",
        "words, MRR at 10 and 300 anchors: uniform {}, {}; farthest {}, {}",
        tuple(
            ("7", {"data": DATA["words"], "strategy": kind}, f"{count} anchors")
            for kind in ("uniform", "farthest")
            for count in (10, 300)
        ),
        "as published: the number matters, the strategy little",
        lambda u10, u300, f10, f300: min(u300, f300) > 0.9 > 0.2 > max(u10, f10) and abs(u300 - f300) < 0.02,
        "at 300 (row 1): uniform 0.97, farthest 0.98",
    ),
    Line(
        "8",
        "Similarity to a good model as a proxy of performance",
        "matrix --scores",
        "20 GCNs, debiased-cka, relative: r = {}, ρ = {}; mean cosine: r = {}",
        (
            ("8", {"measure": "debiased-cka", "view": "relative", "of": "value"}, "Pearson r"),
            ("8", {"measure": "debiased-cka", "view": "relative", "of": "value"}, "Spearman ρ"),
            ("8", {"measure": "cosine", "view": "relative", "of": "value"}, "Pearson r"),
        ),
        "as published with CKA; not with the mean cosine by itself, which is theirs",
        lambda r, rho, cosine: min(r, rho) > 0.8 and cosine < 0.3,
    ),
    Line(
        "9",
        "Seeds matrix",
        "matrix",
        "F-MNIST, autoencoders, mean MRR over pairs: relative {}, absolute {}",
        tuple(
            ("9-apart", {"data": "Fashion-MNIST, autoencoders", "measure": "mrr", "view": view}, "mean")
            for view in ("relative", "absolute")
        ),
        "as in the published pictures: seeds are found in the relative view only",
        lambda relative, absolute: relative > 0.3 and absolute < 0.01,
    ),
    Line(
        "10",
        "Translation",
        "translate",
        "words, MRR after a rotation {}, ridge {}, least squares {}",
        tuple(
            ("10", {"data": "words", "method": kind, "scaling": "global"}, "MRR after")
            for kind in ("ortho", "ridge", "linear")
        ),
        "nothing to compare; least squares collapses where anchors are as many as dimensions",
        lambda ortho, ridge, linear: min(ortho, ridge) > 0.8 and linear < 0.1,
    ),
    Line(
        "11",
        "Quantised similarities, other similarities, products",
        "sweep --via relative:…",
        "MRR with cosine and euclidean: words {}, {}; F-MNIST, AE seeds 0 and 1 {}, {}",
        tuple(
            ("11", {"data": DATA[name], "way": way}, "mrr")
            for name in ("words", "AE")
            for way in ("relative", "relative:euclidean")
        ),
        "as published: no similarity is best everywhere",
        lambda cosine, euclidean, ae_cosine, ae_euclidean: cosine > euclidean and ae_cosine < ae_euclidean,
    ),
)


# --- the files that the commands read ---


def prepare_samples(folder: Path) -> None:
    """Write what the samples' commands read: the samples, right items of each digit, and a score of each model."""
    for sample in SAMPLES.iterdir():
        if not (folder / sample.name).exists():
            (folder / sample.name).symlink_to(sample)
    with (SAMPLES / "labels.csv").open(encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    fives: dict[tuple[str, int], list[str]] = {}
    seen: dict[str, int] = {}
    for row in rows:
        seen[row["label"]] = seen.get(row["label"], -1) + 1
        fives.setdefault((row["label"], seen[row["label"]] // 5), []).append(row["id"])
    write_pairs(folder / "five.tsv", fives.values())
    write_prototypes(folder, "", rows, (SAMPLES / "anchors.txt").read_text(encoding="utf-8").split())
    told = json_of(f"stitch {DIGITS_ALL} --labels {DIGITS} --anchors anchors.txt --head ridge", folder)
    own = {s["source"]: s["figures"]["accuracy"]["mean"] for s in told["stitches"] if s["source"] == s["target"]}
    lines = [f"{name},{value}" for name, value in own.items()]
    (folder / "runs.csv").write_text("\n".join(["name,score", *lines]) + "\n", encoding="utf-8")


def write_pairs(path: Path, groups: Iterable[Sequence[str]]) -> None:
    """Write a table in which every member of a group is right for every member."""
    lines = [f"{x}\t{y}\n" for group in groups for x in group for y in group]
    path.write_text("".join(lines), encoding="utf-8")


def write_prototypes(folder: Path, stem: str, rows: Sequence[dict[str, str]], anchors: Sequence[str]) -> None:
    """Write five test rows of each class as its prototypes, the other test rows, and, where there is none, anchors."""
    taken: dict[str, int] = {}
    prototypes: list[dict[str, str]] = []
    others: list[dict[str, str]] = []
    for row in rows:
        if row["split"] == "test" and row["id"] not in anchors:
            taken[row["label"]] = taken.get(row["label"], 0) + 1
            (prototypes if taken[row["label"]] <= 5 else others).append(row)
    lines = [f"{row['id']}\t{row['label']}\n" for row in prototypes]
    (folder / f"{stem}prototypes.tsv").write_text("".join(lines), encoding="utf-8")
    (folder / f"{stem}rows.txt").write_text("".join(f"{row['id']}\n" for row in others), encoding="utf-8")
    if not (folder / f"{stem}anchors.txt").exists():
        (folder / f"{stem}anchors.txt").write_text("\n".join(anchors) + "\n", encoding="utf-8")


def prepare_real(folder: Path, shared: Path) -> None:
    """Link, join and name the files of the folder of real spaces as the commands call them."""
    import numpy as np

    import relcli

    def link(name: str, source: str, ids: str | None = None) -> None:
        (folder / name).symlink_to(shared / source)
        if ids:
            (folder / f"{Path(name).stem}.ids.txt").symlink_to(shared / ids)

    link("word2vec.npy", "words/w2v.npy", "words/w2v.ids.txt")
    link("fasttext.parquet", "words/fasttext_cc2k.parquet")
    words = (shared / "words/w2v.ids.txt").read_text(encoding="utf-8").splitlines()
    with (folder / "words.csv").open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows([["id", "log_rank"], *([w, f"{np.log(i):.6f}"] for i, w in enumerate(words, 1))])
    for space, source in (("word2vec", "word2vec.npy"), ("fasttext", "fasttext.parquet")):
        opened_space = relcli.open_space(folder / source)
        vectors = opened_space.read(slice(0, len(opened_space)))
        np.save(folder / f"{space}_unit.npy", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
        told = "\n".join(opened_space.ids.tolist()) + "\n"
        (folder / f"{space}_unit.ids.txt").write_text(told, encoding="utf-8")
    for space in ("minilm", "lsa"):
        link(f"{space}_trec.npy", f"text_trec/{space}384.npy", "text_trec/ids.txt")
    link("trec.csv", "text_trec/meta.csv")
    link("clip_names.npy", "clip_lvis/clip_vitb32_detic_fp16.npy", "clip_lvis/ids.txt")
    link("minilm_names.npy", "clip_lvis/minilm384.npy", "clip_lvis/ids.txt")
    nouns: dict[str, list[str]] = {}
    for name in (shared / "clip_lvis/ids.txt").read_text(encoding="utf-8").splitlines():
        nouns.setdefault(name.split("(")[0].strip("_").split("_")[-1], []).append(name)
    write_pairs(folder / "same_noun.tsv", nouns.values())
    for number in range(20):
        link(f"gcn_{number:02}.npy", f"graph_cora/gcn/gcn_{number:02}.npy", "graph_cora/ids.txt")
    link("cora_runs.csv", "graph_cora/runs.csv")
    nodes = list(csv.DictReader((shared / "graph_cora/nodes.csv").read_text(encoding="utf-8").splitlines()))
    # 140 labelled nodes are too few to draw 300 anchors from: all that are not tested on are trained on
    lines = [f"{node['id']},{node['label']},{'test' if node['split'] == 'test' else 'train'}" for node in nodes]
    (folder / "cora.csv").write_text("\n".join(["id,label,split", *lines]) + "\n", encoding="utf-8")
    vision, parts = shared / "vision_fmnist", ("train", "test")
    ids = {part: (vision / f"ids_{part}.txt").read_text(encoding="utf-8").split() for part in parts}
    for space in ("ae_s0", "ae_s1", "ae_s2", "cnn_s0", "cnn_s1", "mlp_s0"):
        stem = "fmnist_mlp" if space == "mlp_s0" else f"fmnist_{space.replace('_s', '')}"
        np.save(folder / f"{stem}.npy", np.concatenate([np.load(vision / f"{space}_{part}.npy") for part in parts]))
        (folder / f"{stem}.ids.txt").write_text("\n".join(ids["train"] + ids["test"]) + "\n", encoding="utf-8")
    for stem in ("fmnist_ae0", "fmnist_ae1"):
        rows, train = np.load(folder / f"{stem}.npy").astype(np.float64), len(ids["train"])
        mean = rows[:train].mean(axis=0)
        axes = np.linalg.svd(rows[:train] - mean, full_matrices=False)[2][:20]
        np.save(folder / f"{stem}_leading.npy", ((rows - mean) @ axes.T).astype(np.float32))
        (folder / f"{stem}_leading.ids.txt").symlink_to(folder / f"{stem}.ids.txt")
    lines = ["id,label,split"]
    for part in parts:
        table = csv.DictReader((vision / f"labels_{part}.csv").read_text(encoding="utf-8").splitlines())
        lines += [f"{row['id']},{row['label']},{part}" for row in table]
    (folder / "fmnist.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for stem in ("fmnist", "trec"):
        rows = list(csv.DictReader((folder / f"{stem}.csv").read_text(encoding="utf-8").splitlines()))
        train = [row["id"] for row in rows if row["split"] == "train"]
        write_prototypes(folder, f"{stem}_", rows, train[:: len(train) // 300][:300])


# --- running ---


def json_of(command: str, folder: Path) -> dict[str, Any]:
    """Return the JSON that a relcli command prints in a folder; empty for those that only write a file."""
    from relcli.cli.app import run

    words = shlex.split(command)
    silent = words[:2] == ["translate", "apply"]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([*words, *([] if silent else ["--json"])])
    if code:
        sys.exit(f"relcli {command}\nended with {code}:\n{err.getvalue()}")
    return {} if silent else json.loads(out.getvalue())


def measured(
    experiment: Experiment, asks: Sequence[Ask], seeds: int, documents: Callable[[Sequence[str]], list[Any]]
) -> list[Any]:
    """Return what each ask gave: about what, by which commands, over how many seeds, and its rows."""
    runs = []
    for ask in asks:
        commands = [command.replace("{seeds}", str(seeds)) for command in ask.commands]
        repeats = [f" --seed {seed}" for seed in range(seeds)] if ask.repeat else [""]
        tables = [experiment.read(documents([c + seed for c in commands]), ask) for seed in repeats]
        rows = [averaged(rows) for rows in zip(*tables, strict=True)]
        sizes = sizes_of(documents([c + repeats[0] for c in commands])[0])
        repeated = {"repeated": f"--seed 0 to {seeds - 1}"} if ask.repeat else {}
        runs.append({"commands": [f"relcli {c}" for c in commands], **repeated, "sizes": sizes, "rows": rounded(rows)})
    return runs


def sizes_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return how many rows and dimensions each space has, and how many rows are used."""
    spaces = document.get("spaces") or [document["x"], document["y"]]
    found: dict[str, Any] = {space["name"]: [space["rows"], space["dim"]] for space in spaces}
    used = document.get("rows", {}).get("used") or document.get("join", {}).get("pairs")
    return {**found, "shared": used} if used else found


def averaged(rows: Sequence[Row]) -> Row:
    """Return one row of several: numbers as their mean and deviation."""
    if len(rows) == 1:
        return rows[0]
    found: Row = {}
    for column, cell in rows[0].items():
        values = [row[column] for row in rows]
        found[column] = cell
        if isinstance(cell, (int, float)):
            found[column] = {"mean": statistics.fmean(values), "sd": statistics.stdev(values)}
    return found


def rounded(value: Any) -> Any:
    """Return a document whose numbers have five significant digits, more than the page shows."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def run_all(only: Sequence[str], seeds: int, part: str, folder: Path) -> None:
    """Measure the rows asked for and write the JSON after each, so that a run that is broken off keeps them."""
    from relcli._version import VERSION

    memory: dict[tuple[str, ...], list[Any]] = {}

    def documents(commands: Sequence[str]) -> list[Any]:
        # commands of one ask may read what those before them wrote: only the whole of them is known by its words
        if tuple(commands) not in memory:
            memory[tuple(commands)] = [json_of(command, folder) for command in commands]
        return memory[tuple(commands)]

    for experiment in EXPERIMENTS:
        number = experiment.key.partition("-")[0]
        if (only and number not in only and experiment.key not in only) or not getattr(experiment, part):
            continue
        started = time.perf_counter()
        runs = measured(experiment, getattr(experiment, part), seeds, documents)
        took = time.perf_counter() - started
        print(f"{experiment.key:12} {part:8} {took:6.1f} s", file=sys.stderr)
        keep(experiment.key, part, {"relcli": VERSION, "seeds": seeds, "runs": runs})
        for picture in folder.glob("*.svg"):
            (DOCS / "images").mkdir(exist_ok=True)
            replaced(DOCS / "images" / picture.name, slimmed(picture.read_text(encoding="utf-8")))
            picture.unlink()


def slimmed(svg: str) -> str:
    """Return a picture whose texts name two fonts in place of a dozen, without indentation: nearly half of its size."""
    return re.sub(r"\n +", "\n", re.sub(r"font-family: [^;\"]+", "font-family: 'DejaVu Sans', sans-serif", svg))


def figures() -> dict[str, Any]:
    """Return what has been measured so far."""
    return json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Wait until no other run writes: what one read would else be out of date when it is written back."""
    import fcntl

    # the folder is locked, not a file of its own, so that nothing is left behind; a run that dies lets go of it
    held = os.open(FIGURES.parent, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def replaced(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def keep(key: str, part: str, measured: dict[str, Any]) -> None:
    """Write one part of one experiment into the JSON, whole or not at all, beside what other runs wrote meanwhile."""
    with alone():
        found = figures()
        found.setdefault(key, {})[part] = measured
        ordered = {one.key: dict(sorted(found[one.key].items())) for one in EXPERIMENTS if one.key in found}
        # one row of a table a line: a figure that changed shows as one line
        text = re.sub(r"\n {7,}| *\n {6}(?=[}\]])", " ", json.dumps(ordered, indent=1, ensure_ascii=False))
        text = text.replace(' { "data":', '\n       { "data":')
        replaced(FIGURES, text + "\n")


# --- the page ---


def cell(value: Any) -> str:
    """Return a cell as the page shows it."""
    if value is None:
        return "–"
    if isinstance(value, dict):
        # equal figures of several seeds deviate by a rounding error
        return f"{number(value['mean'])} ± {number(value['sd'])}" if value["sd"] > 1e-9 else number(value["mean"])
    return value if isinstance(value, str) else number(value)


def number(value: float) -> str:
    """Return three decimals, as relcli prints them, fewer for larger numbers."""
    if value and abs(value) < 5e-4:
        return f"{value:.0e}".replace("e-0", "e-").replace("-", "−")
    text = f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}" if abs(value) < 100 else f"{value:,.0f}"
    return text.replace("-", "−")


def shown_in(column: str, value: Any) -> str:
    """Return a cell of a column: ranks have one decimal."""
    return f"{value:,.1f}" if column == "median rank" else cell(value)


def table_of(experiment: Experiment, kept: dict[str, Any]) -> str:
    """Return the tables of one part of an experiment: one for each set of data, its name above."""
    blocks = []
    rows = [row for one in kept["runs"] for row in one["rows"]]
    for data in dict.fromkeys(row["data"] for row in rows):
        lines = [
            {k: v for k, v in row.items() if k not in ("data", *experiment.drop)} for row in rows if row["data"] == data
        ]
        lines = pivoted(lines, *experiment.pivot) if experiment.pivot else lines
        columns = list(dict.fromkeys(column for line in lines for column in line))
        body = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
        body += ["| " + " | ".join(shown_in(column, line.get(column)) for column in columns) + " |" for line in lines]
        repeated = any(isinstance(value, dict) for line in lines for value in line.values())
        caption = f"*{data}*" + (f" · {kept['seeds']} draws" if repeated else "")
        blocks.append(f"{caption}\n\n" + "\n".join(body))
    return "\n\n".join(blocks)


def pivoted(rows: Sequence[Row], column: str, value: str) -> list[Row]:
    """Return rows in which the values of a column have become columns."""
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        rest = {key: cell for key, cell in row.items() if key not in (column, value)}
        found.setdefault(tuple(rest.values()), rest)[row[column]] = row[value]
    return list(found.values())


def commands_of(experiment: Experiment, kept: dict[str, Any]) -> str:
    """Return the commands that gave the figures on the samples, in a block."""
    lines = [
        wrapped(command) + (f"  # {one['repeated']}" if one.get("repeated") else "")
        for one in kept["runs"][: experiment.shown]
        for command in one["commands"]
    ]
    return "```sh\n" + "\n".join(lines) + "\n```"


def wrapped(command: str) -> str:
    """Return a command over several lines where it is long."""
    lines, line = [], ""
    for word in re.split(r" (?=-)", command):
        if line and len(line) + len(word) > 105:
            lines.append(line)
            line = "   "
        line = f"{line} {word}" if line else word
    return " \\\n".join([*lines, line])


def picked(found: dict[str, Any], key: str, where: Row, column: str) -> float:
    """Return the figure of the first row of a table of the real spaces that says what is asked; of several the mean."""
    rows = (row for run in found[key]["real"]["runs"] for row in run["rows"])
    value = next(row for row in rows if where.items() <= row.items())[column]
    return value["mean"] if isinstance(value, dict) else value


def target(heading: str) -> str:
    """Return what a link to a heading is called, as GitHub calls it: a "·" goes, and leaves two spaces."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def summary_of(found: dict[str, Any]) -> str:
    """Return the table at the top: one line a row of the field, with a link to its section."""
    lines = ["| experiment | command | ours, on real spaces | published | verdict |", "|---|---|---|---|---|"]
    for one in LINES:
        ours = [picked(found, *pick) for pick in one.picks]
        heading = f"{one.number} · {one.title}"
        verdict = one.verdict if one.holds(*ours) else f"no longer so: {one.verdict}"
        told = one.told.format(*map(number, ours))
        lines.append(f"| [{heading}](#{target(heading)}) | `{one.command}` | {told} | {one.published} | {verdict} |")
    return "\n".join(lines)


def contents_of(text: str) -> str:
    """Return a list of links to the page's headings."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^##(#?) (.*)$", prose, re.MULTILINE)
    return "\n".join(f"{'  ' * len(deeper)}- [{heading}](#{target(heading)})" for deeper, heading in headings)


def blocks_of(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name of each marked block of the page and what it holds."""
    if all("real" in found.get(key, {}) for one in LINES for key, _, _ in one.picks):
        yield "table summary", summary_of(found)
    for experiment in EXPERIMENTS:
        kept = found.get(experiment.key, {})
        if "samples" in kept and experiment.shown:
            yield f"commands {experiment.key}", commands_of(experiment, kept["samples"])
        for part in ("samples", "real"):
            if part in kept:
                yield f"table {experiment.key} {part}", table_of(experiment, kept[part])


def _filled(block: str, match: re.Match[str]) -> str:
    return f"{match[1]}\n{block}\n\n{match[2]}"


def page_with(text: str, found: dict[str, Any]) -> str:
    """Return the page with its marked blocks written anew."""
    for name, block in (("contents", contents_of(text)), *blocks_of(found)):
        mark = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = mark.sub(functools.partial(_filled, block), text)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="N", help="rows to run, such as 2 or 2-why")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="repeats of what is drawn (5)")
    parser.add_argument("--tables", action="store_true", help="measure nothing")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="write what the samples' commands read, and stop")
    asked = parser.parse_args()
    known = {key for experiment in EXPERIMENTS for key in (experiment.key, experiment.key.partition("-")[0])}
    if unknown := set(asked.only) - known:
        parser.error(f"no row is called {', '.join(sorted(unknown))}: there are {', '.join(sorted(known))}")
    if asked.folder:
        asked.folder.mkdir(parents=True, exist_ok=True)
        return prepare_samples(asked.folder)
    if not asked.tables:
        shared = os.environ.get("RELCLI_SHARED")
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            if shared:
                prepare_real(folder, Path(shared) / "data")
            else:
                prepare_samples(folder)
            run_all(asked.only, asked.seeds, "real" if shared else "samples", folder)
    with alone():
        replaced(PAGE, page_with(PAGE.read_text(encoding="utf-8"), figures()))


if __name__ == "__main__":
    main()
