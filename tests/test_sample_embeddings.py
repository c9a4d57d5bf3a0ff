"""The sample embeddings are the files that their README describes."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors import safe_open

SAMPLES = Path(__file__).resolve().parent.parent / "sample_embeddings"
MEGABYTE = 1_000_000


def lines(name: str) -> list[str]:
    return (SAMPLES / name).read_text(encoding="utf-8").splitlines()


def labels() -> list[dict[str, str]]:
    with (SAMPLES / "labels.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def npy(name: str):
    return lines(name.replace(".npy", ".ids.txt")), np.load(SAMPLES / name)


def parquet(name: str, column: str):
    table = pq.read_table(SAMPLES / name)
    return table["id"].to_pylist(), np.array(table[column].to_pylist(), dtype=np.float32)


def safetensors(name: str):
    with safe_open(SAMPLES / name, framework="numpy") as file:
        return json.loads(file.metadata()["ids"]), file.get_tensor("vectors")


SPACES = {
    "digits_ae_s0": lambda: npy("digits_ae_s0.npy"),
    "digits_ae_s1": lambda: parquet("digits_ae_s1.parquet", "vector"),
    "digits_conv": lambda: safetensors("digits_conv.safetensors"),
    "digits_classifier": lambda: parquet("digits_classifier.parquet", "embedding"),
}


def checksums() -> dict[str, tuple[int, str]]:
    """Return bytes and SHA-256 by file, as the README's table has them."""
    rows = re.findall(r"^\| `(\S+)` \| (\d+) \| `([0-9a-f]{64})` \|$", "\n".join(lines("README.md")), re.MULTILINE)
    return {name: (int(size), digest) for name, size, digest in rows}


def test_every_data_file_has_a_checksum():
    files = {path.name for path in SAMPLES.iterdir() if path.is_file() and not path.name.startswith(".")}

    assert set(checksums()) == files - {"README.md", "make.py", "expected.json"}


@pytest.mark.parametrize("name", checksums())
def test_a_file_is_the_one_in_the_readme(name):
    content = (SAMPLES / name).read_bytes()

    assert (len(content), hashlib.sha256(content).hexdigest()) == checksums()[name]


def test_the_files_are_small_together():
    sizes = [path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()]

    assert sum(sizes) < 5 * MEGABYTE


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("digits_ae_s0", (1797, 32), np.float32),
        ("digits_ae_s1", (1797, 32), np.float32),
        ("digits_conv", (1797, 48), np.float16),
        ("digits_classifier", (1797, 64), np.float32),
    ],
)
def test_a_space_has_the_documented_shape(name, shape, dtype):
    _, vectors = SPACES[name]()

    assert (vectors.shape, vectors.dtype) == (shape, dtype)


@pytest.mark.parametrize("name", SPACES)
def test_every_vector_is_finite_and_not_zero(name):
    _, vectors = SPACES[name]()

    assert np.isfinite(vectors).all()
    assert vectors.any(axis=1).all()


@pytest.mark.parametrize(
    ("name", "column", "kind"),
    [
        ("digits_ae_s1.parquet", "vector", pa.list_(pa.float32(), 32)),
        ("digits_classifier.parquet", "embedding", pa.list_(pa.float32())),
    ],
)
def test_a_table_has_the_documented_columns(name, column, kind):
    schema = pq.read_schema(SAMPLES / name)

    assert schema.names == ["id", "label", column]
    assert schema.types == [pa.string(), pa.int64(), kind]


@pytest.mark.parametrize("name", SPACES)
def test_the_ids_of_every_space_join_with_the_labels(name):
    ids, _ = SPACES[name]()

    assert sorted(ids) == [row["id"] for row in labels()]
    assert len(set(ids)) == 1797


def test_no_two_spaces_share_their_row_order():
    orders = {tuple(SPACES[name]()[0]) for name in SPACES}

    assert len(orders) == len(SPACES)


@pytest.mark.parametrize("name", ["digits_ae_s1.parquet", "digits_classifier.parquet"])
def test_the_labels_in_a_table_are_those_of_the_label_file(name):
    table = pq.read_table(SAMPLES / name)

    assert dict(zip(table["id"].to_pylist(), table["label"].to_pylist(), strict=True)) == {
        row["id"]: int(row["label"]) for row in labels()
    }


def test_the_split_has_the_documented_sizes():
    splits = Counter(row["split"] for row in labels())

    assert splits == {"train": 1297, "test": 500}


def test_the_split_holds_every_class_in_proportion():
    counts = Counter((row["split"], int(row["label"])) for row in labels())
    shares = [counts["test", label] / (counts["test", label] + counts["train", label]) for label in range(10)]

    # stratifying rounds to whole rows: at most one row of about 180 off in a class
    assert shares == pytest.approx([500 / 1797] * 10, abs=1 / 170)


def test_the_anchors_are_300_different_training_rows():
    anchors = lines("anchors.txt")
    training = {row["id"] for row in labels() if row["split"] == "train"}

    assert len(set(anchors)) == len(anchors) == 300
    assert set(anchors) <= training


def test_two_seeds_agree_relatively_and_not_absolutely():
    (x_ids, x), (y_ids, y) = SPACES["digits_ae_s0"](), SPACES["digits_ae_s1"]()
    x, y = x[np.argsort(x_ids)], y[np.argsort(y_ids)]
    anchors = np.searchsorted(np.sort(x_ids), lines("anchors.txt"))
    queries = np.setdiff1d(np.arange(len(x)), anchors)

    absolute = reciprocal_rank(x, y, queries)
    relative = reciprocal_rank(cosine(x, x[anchors]), cosine(y, y[anchors]), queries)

    # chance is H_1797 / 1797 = 0.0045; the files are fixed, so the margins are only for rounding
    assert absolute < 0.01
    assert relative > 0.5


def cosine(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    rows, others = rows.astype(np.float64), others.astype(np.float64)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)) @ (
        others / np.linalg.norm(others, axis=1, keepdims=True)
    ).T


def reciprocal_rank(x: np.ndarray, y: np.ndarray, queries: np.ndarray) -> float:
    scores = cosine(x, y)
    ranks = 1 + np.sum(scores > np.diag(scores)[:, None] + 1e-9, axis=1)
    return float(np.mean(1 / ranks[queries]))
