"""
Train four small models on handwritten digits and dump what each makes of every digit.

    python sample_embeddings/make.py            train, then write every file and README.md's tables
    python sample_embeddings/make.py --check    compare every file with the checksums in README.md

Everything is seeded and runs on one CPU thread: the same machine and versions give the same bytes.
Another machine may round otherwise, and training magnifies that into other vectors and checksums.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import platform
import re
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
README = HERE / "README.md"

FILES = (
    "labels.csv",
    "anchors.txt",
    "digits_ae_s0.npy",
    "digits_ae_s0.ids.txt",
    "digits_ae_s1.parquet",
    "digits_conv.safetensors",
    "digits_classifier.parquet",
)

SPLIT_SEED = 1998
TEST_ROWS = 500
ANCHOR_SEED = 2023
ANCHORS = 300
BATCH = 64


class Digits(NamedTuple):
    """ids [n], pixels in [0, 1] [n, 64], labels [n], and which rows are trained on [n]."""

    ids: NDArray[np.str_]
    pixels: Tensor
    labels: Tensor
    train: NDArray[np.bool_]


class Autoencoder(nn.Module):
    """A fully connected autoencoder: 64 pixels, 256, 256, `latent`, 256, 256, 64 pixels; GELU between."""

    def __init__(self, latent: int = 32) -> None:
        super().__init__()
        self.encode = nn.Sequential(*dense(64, 256), *dense(256, 256), nn.Linear(256, latent))
        self.decode = nn.Sequential(*dense(latent, 256), *dense(256, 256), nn.Linear(256, 64))
        # He's wide first weights send the seeds to latents that no rotation joins; torch's narrow
        # ones leave the network nearly linear, and every seed near the same principal components
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)


class ConvAutoencoder(nn.Module):
    """A convolutional autoencoder: 8x8, 4x4, 2x2, `latent`, 2x2, 4x4, 8x8; GELU between."""

    def __init__(self, latent: int = 48) -> None:
        super().__init__()
        self.encode = nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)),
            *(nn.Conv2d(1, 16, 3, padding=1), nn.GELU()),
            *(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.GELU()),
            *(nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.GELU()),
            *(nn.Flatten(), nn.Linear(256, latent)),
        )
        self.decode = nn.Sequential(
            *(*dense(latent, 256), nn.Unflatten(1, (64, 2, 2))),
            *(nn.ConvTranspose2d(64, 32, 2, stride=2), nn.GELU()),
            *(nn.ConvTranspose2d(32, 16, 2, stride=2), nn.GELU()),
            *(nn.Conv2d(16, 1, 3, padding=1), nn.Flatten()),
        )


class Classifier(nn.Module):
    """A classifier: 64 pixels, 128, `hidden` (the layer that is dumped), 10 classes; GELU between."""

    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.encode = nn.Sequential(*dense(64, 128), *dense(128, hidden))
        self.decode = nn.Linear(hidden, 10)


def dense(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    """Return a fully connected layer and its GELU."""
    return nn.Linear(inputs, outputs), nn.GELU()


def read_digits() -> Digits:
    """Return the 1,797 digits in scikit-learn's order, split into 1,297 and 500, stratified by class."""
    pixels, labels = load_digits(return_X_y=True)
    ids = np.array([f"digit-{row:04d}" for row in range(len(labels))])
    _, test = train_test_split(ids, test_size=TEST_ROWS, stratify=labels, random_state=SPLIT_SEED)
    return Digits(
        ids=ids,
        pixels=torch.tensor(pixels / 16, dtype=torch.float32),
        labels=torch.tensor(labels, dtype=torch.int64),
        train=~np.isin(ids, test),
    )


def train(
    build: Callable[[], Any],
    loss: Callable[[Tensor, Tensor], Tensor],
    inputs: Tensor,
    targets: Tensor,
    *,
    seed: int,
    epochs: int,
) -> Any:
    """Return a trained model; `seed` decides both its first weights and the order of its batches."""
    torch.manual_seed(seed)
    model = build()
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(inputs)).split(BATCH):
            optimiser.zero_grad()
            loss(model.decode(model.encode(inputs[batch])), targets[batch]).backward()
            optimiser.step()
        schedule.step()
    return model.eval()


def train_autoencoder(
    build: Callable[[], Any], digits: Digits, *, seed: int, epochs: int
) -> tuple[NDArray[np.float32], str]:
    """Return the latents of all digits [n, d], and the squared error a pixel on both splits."""
    known = digits.pixels[digits.train]
    model = train(build, F.mse_loss, known, known, seed=seed, epochs=epochs)
    with torch.no_grad():
        latents = model.encode(digits.pixels)
        errors = (model.decode(latents) - digits.pixels).square().mean(dim=1).numpy()
    figure = "squared error a pixel {:.4f} train, {:.4f} test".format(*by_split(errors, digits))
    return latents.numpy(), figure


def train_classifier(digits: Digits, *, seed: int, epochs: int) -> tuple[NDArray[np.float32], str]:
    """Return the hidden layer of all digits [n, d], and the accuracy on both splits."""
    known = digits.train
    model = train(Classifier, F.cross_entropy, digits.pixels[known], digits.labels[known], seed=seed, epochs=epochs)
    with torch.no_grad():
        hidden = model.encode(digits.pixels)
        right = (model.decode(hidden).argmax(dim=1) == digits.labels).numpy()
    figure = "accuracy {:.3f} train, {:.3f} test".format(*by_split(right, digits))
    return hidden.numpy(), figure


def by_split(values: NDArray[Any], digits: Digits) -> tuple[float, float]:
    """Return the mean over the training rows, and over the test rows."""
    return float(values[digits.train].mean()), float(values[~digits.train].mean())


def choose_anchors(digits: Digits) -> list[str]:
    """Return ids drawn uniformly from the training rows, in the order drawn."""
    rng = np.random.default_rng(ANCHOR_SEED)
    return rng.choice(digits.ids[digits.train], ANCHORS, replace=False).tolist()


def shuffle(count: int, *, seed: int) -> NDArray[np.int64]:
    """Return row numbers in a random order, so that files agree by id and never by position."""
    return np.random.default_rng(seed).permutation(count)


def write_lines(path: Path, lines: list[str]) -> None:
    """Write one id a line."""
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def write_labels(path: Path, digits: Digits) -> None:
    """Write id, label and split, in scikit-learn's order."""
    splits = np.where(digits.train, "train", "test")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "label", "split"])
        writer.writerows(zip(digits.ids, digits.labels.tolist(), splits, strict=True))


def write_parquet(path: Path, column: str, vectors: pa.Array, digits: Digits, order: NDArray[np.int64]) -> None:
    """Write id, label and `vectors`, which are already in `order`."""
    ids = pa.array(digits.ids[order].tolist(), pa.string())
    labels = pa.array(digits.labels.numpy()[order], pa.int64())
    # a dictionary of floats that are all different is larger than the floats
    table = pa.table({"id": ids, "label": labels, column: vectors})
    pq.write_table(table, path, compression="zstd", use_dictionary=False)


def fixed_lists(vectors: NDArray[np.float32]) -> pa.Array:
    """Return the rows [n, d] as lists whose length the type holds."""
    flat = pa.array(vectors.ravel(), pa.float32())
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])


def variable_lists(vectors: NDArray[np.float32]) -> pa.Array:
    """Return the rows [n, d] as lists that each hold their own length, as most writers make them."""
    return pa.array(list(vectors), pa.list_(pa.float32()))


def make() -> None:
    """Train every model, write every file, and put what was measured into README.md."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    digits = read_digits()
    n = len(digits.ids)
    figures = {}

    write_labels(HERE / "labels.csv", digits)
    write_lines(HERE / "anchors.txt", choose_anchors(digits))

    vectors, figures["digits_ae_s0"] = train_autoencoder(Autoencoder, digits, seed=0, epochs=80)
    np.save(HERE / "digits_ae_s0.npy", vectors)
    write_lines(HERE / "digits_ae_s0.ids.txt", digits.ids.tolist())

    vectors, figures["digits_ae_s1"] = train_autoencoder(Autoencoder, digits, seed=1, epochs=80)
    order = shuffle(n, seed=1)
    write_parquet(HERE / "digits_ae_s1.parquet", "vector", fixed_lists(vectors[order]), digits, order)

    vectors, figures["digits_conv"] = train_autoencoder(ConvAutoencoder, digits, seed=2, epochs=60)
    order = shuffle(n, seed=2)
    save_file(
        {"vectors": vectors[order].astype(np.float16)},
        HERE / "digits_conv.safetensors",
        metadata={"ids": json.dumps(digits.ids[order].tolist())},
    )

    vectors, figures["digits_classifier"] = train_classifier(digits, seed=3, epochs=30)
    order = shuffle(n, seed=3)
    write_parquet(HERE / "digits_classifier.parquet", "embedding", variable_lists(vectors[order]), digits, order)

    write_tables(figures)


def write_tables(figures: dict[str, str]) -> None:
    """Replace the two tables that README.md keeps between comments."""
    packages = ("torch", "scikit-learn", "numpy", "pyarrow", "safetensors")
    machine = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    measured = [
        "| model | measured |",
        "|---|---|",
        *(f"| `{name}` | {figure} |" for name, figure in figures.items()),
        "",
        f"Made with {', '.join(f'{name} {version(name)}' for name in packages)}; {machine}.",
    ]
    checksums = [
        "| file | bytes | SHA-256 |",
        "|---|--:|---|",
        *(f"| `{name}` | {(HERE / name).stat().st_size} | `{sha256(HERE / name)}` |" for name in FILES),
    ]
    text = README.read_text(encoding="utf-8")
    text = fill(fill(text, "measured", measured), "checksums", checksums)
    README.write_text(text, encoding="utf-8", newline="\n")


def fill(text: str, name: str, lines: list[str]) -> str:
    """Return `text` with `lines` in place of what stands between the comments called `name`."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return "\n".join([before + begin, "", *lines, "", end + after])


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check() -> int:
    """Return 0 where every file is as README.md says, 1 otherwise; say which are not."""
    written = dict(re.findall(r"^\| `(\S+)` \| \d+ \| `([0-9a-f]{64})` \|$", README.read_text("utf-8"), re.M))
    faults = [f"{name}: no checksum in README.md" for name in FILES if name not in written]
    for name, expected in written.items():
        path = HERE / name
        if not path.is_file():
            faults.append(f"{name}: missing")
        elif sha256(path) != expected:
            faults.append(f"{name}: is {sha256(path)}, README.md says {expected}")
    print("\n".join(faults) or f"{len(written)} files match their checksums")
    return 1 if faults else 0


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(description="Train the sample models and dump their embeddings.")
    parser.add_argument("--check", action="store_true", help="only compare the files with README.md")
    if parser.parse_args().check:
        return check()
    make()
    return check()


if __name__ == "__main__":
    sys.exit(main())
