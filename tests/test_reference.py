"""What relcli reports of real embeddings is what an independent script computed of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import relcli
from relcli.reports.report import Report

MEASURES = ("jaccard@10", "cosine", "mrr", "mrr@10", "cross-jaccard@10", "recall@1", "median-rank")
KEYS = {
    "jac": ("jaccard@10", "value"),
    "cos": ("cosine", "value"),
    "mrr_ab": ("mrr", "forward"),
    "mrr_ba": ("mrr", "backward"),
    "mrr_at_k_ab": ("mrr@10", "forward"),
    "mrr_at_k_ba": ("mrr@10", "backward"),
    "jacx_ab": ("cross-jaccard@10", "forward"),
    "jacx_ba": ("cross-jaccard@10", "backward"),
    "top1_ab": ("recall@1", "forward"),
    "top1_ba": ("recall@1", "backward"),
    "median_rank_ab": ("median-rank", "forward"),
    "median_rank_ba": ("median-rank", "backward"),
}


@pytest.fixture(scope="module")
def data() -> Path:
    """Return the folder of real embeddings."""
    if not os.environ.get("RELCLI_SHARED"):
        pytest.skip("RELCLI_SHARED is not set: it names the folder whose data/ holds real embeddings")
    return Path(os.environ["RELCLI_SHARED"]) / "data"


@pytest.fixture(scope="module")
def reference(data) -> dict:
    """Return the figures of the independent script, by pair."""
    return json.loads((data / "reference.json").read_text())


def figures(report: Report, prefix: str) -> dict[str, float]:
    """Return what a report says under the script's keys, of one view."""
    view = {"rel": "relative", "abs": "absolute"}[prefix]
    return {f"{prefix}.{key}": getattr(report.score(name, view), figure) for key, (name, figure) in KEYS.items()}


@pytest.fixture(scope="module")
def words(data) -> Report:
    """Return the comparison of two word embeddings by the listed anchors, which are scored too."""
    folder = data / "words"
    return relcli.compare(
        folder / "w2v.npy",
        folder / "fasttext_cc2k.parquet",
        folder / "anchors.txt",
        measures=MEASURES,
        include_anchors=True,
    )


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("prefix", ["rel", "abs"])
def test_words_score_what_the_script_says(words, reference, prefix, key):
    pair = reference["fixed_words_w2v__ftcc"]
    expected = pair["mean" if prefix == "rel" else "absolute"][f"{prefix}.{key}"]

    assert figures(words, prefix)[f"{prefix}.{key}"] == pytest.approx(expected, abs=1e-6)


def test_words_share_what_the_script_says(words, reference):
    assert words.join["pairs"] == reference["fixed_words_w2v__ftcc"]["n"]


def test_words_that_are_no_anchors_score_what_the_script_says(data, reference):
    # the script left the anchors out of the gallery as well, so here they are no rows at all
    folder = data / "words"
    anchors = (folder / "anchors.txt").read_text().split()
    report = relcli.compare(
        folder / "w2v.npy",
        folder / "fasttext_cc2k.parquet",
        anchors,
        measures=["cosine"],
        views="relative",
    )
    expected = reference["fixed_words_w2v__ftcc_rows_without_anchors"]["rel.cos"]

    assert report.score("cosine").value == pytest.approx(expected, abs=1e-6)


DRAWS = 5
PAIRS = {
    "fmnist__ae_s0__ae_s1": ("vision_fmnist/ae_s0_test.npy", "vision_fmnist/ae_s1_test.npy"),
    "fmnist__cnn_s0__cnn_s1": ("vision_fmnist/cnn_s0_test.npy", "vision_fmnist/cnn_s1_test.npy"),
    "fmnist__ae_s0__cnn_s0": ("vision_fmnist/ae_s0_test.npy", "vision_fmnist/cnn_s0_test.npy"),
    "fmnist__cnn_s0__mlp_s0": ("vision_fmnist/cnn_s0_test.npy", "vision_fmnist/mlp_s0_test.npy"),
    "lvis__clip_vitb32_detic_fp16__minilm384": ("clip_lvis/clip_vitb32_detic_fp16.npy", "clip_lvis/minilm384.npy"),
}


@pytest.mark.parametrize("name", PAIRS)
def test_random_anchors_score_what_the_script_says(data, reference, name):
    x, y = (np.load(data / path) for path in PAIRS[name])
    ids = [str(i) for i in range(len(x))]
    draws = [
        figures(
            relcli.compare(
                (ids, x),
                (ids, y),
                "uniform:300",
                measures=MEASURES,
                views="relative",
                include_anchors=True,
                seed=seed,
            ),
            "rel",
        )
        for seed in range(DRAWS)
    ]
    expected, spread = reference[name]["mean"], reference[name]["std"]

    # the script takes ties at their best, and its anchors are other ones
    keys = [key for key in draws[0] if "median" not in key]
    off = {key: np.mean([draw[key] for draw in draws]) - expected[key] for key in keys}
    assert {key: value for key, value in off.items() if abs(value) > 4 * spread[key] + 0.005} == {}


@pytest.mark.parametrize("name", PAIRS)
def test_the_vectors_themselves_score_what_the_script_says(data, reference, name):
    x, y = (np.load(data / path) for path in PAIRS[name])
    ids = [str(i) for i in range(len(x))]
    options = {"measures": MEASURES, "views": "absolute", "include_anchors": True}
    found = figures(relcli.compare((ids, x), (ids, y), "uniform:2", **options), "abs")
    expected = reference[name]["absolute"]

    # the script has float32 scores: an order may differ where two are level to its last digit
    assert {key: found[key] for key in expected} == pytest.approx(expected, abs=2e-4, rel=2e-3)
