"""
Makes the vectors that are measured, as a process: `python -m benchmarks.data MAKER ARGUMENT … FOLDER`.

- `pair KIND ROWS`: x.npy and y.npy [rows, 300] float32, two models' views of the same things, and anchors.txt, the
  numbers of 300 rows. `relative` adds rx.npy and ry.npy: their unit relative vectors [rows, 300], float32.
- `collapsed ROWS DISTINCT`: x.npy and y.npy [rows, 2] of which so many rows differ, and anchors.txt, 100 rows.
- `named ROWS DTYPE`: x.npy [rows, 768] with x.ids.txt, and anchors.txt, the ids of 768 rows.
- `stream ROWS`: x.npy and y.npy [rows, 256] float16, written block by block.

The same arguments make the same files.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

Rows = NDArray[np.float32]

DIMENSIONS, ANCHORS = 300, 300

#: Noise of y against the spread of what it turns, by kind: 0.3 unless said here.
NOISE = {"bulk": 4.0}


def noise(rng: np.random.Generator, rows: int) -> Rows:
    """Return isotropic Gaussian rows: no structure at all, the worst case for filters."""
    return rng.standard_normal((rows, DIMENSIONS), np.float32)


def latent(rng: np.random.Generator, rows: int) -> Rows:
    """Return rows of 40 latent dimensions, spread over all with some noise."""
    mixing = rng.standard_normal((40, DIMENSIONS), np.float32)
    return rng.standard_normal((rows, 40), np.float32) @ mixing + 0.5 * noise(rng, rows)


def clusters(rng: np.random.Generator, rows: int) -> Rows:
    """Return rows about 200 centres, of Zipf's sizes."""
    share = 1 / np.arange(1, 201)
    owner = rng.choice(200, rows, p=share / share.sum())
    return noise(rng, 200)[owner] + 0.5 * noise(rng, rows)


def words(rng: np.random.Generator, rows: int) -> Rows:
    """
    Return word vectors tiled and jittered: the real ones of the folder RELCLI_SHARED, else 8,000 made like them.

    Those that are made have a spectrum that falls like 1 / √j, a common direction that the frequent words share most,
    and norms that fall with frequency. The jitter is a fifth of a row's norm: copies are neighbours, not equals.
    """
    shared = os.environ.get("RELCLI_SHARED")
    table = np.load(Path(shared) / "data/words/w2v.npy").astype(np.float32) if shared else _made_words(rng)
    tiled = np.take(table, rng.permutation(-(-rows // len(table)) * len(table))[:rows] % len(table), axis=0)
    size = np.linalg.norm(tiled, axis=1, keepdims=True) / np.float32(np.sqrt(DIMENSIONS))
    return tiled + 0.2 * size * noise(rng, rows)


def _made_words(rng: np.random.Generator) -> Rows:
    rank = np.arange(1, 8001, dtype=np.float32)[:, None]
    spectrum = 1 / np.sqrt(np.arange(1, DIMENSIONS + 1, dtype=np.float32))
    rows = noise(rng, len(rank)) * spectrum
    rows[:, 0] += 1.5 * rank[:, 0] ** -0.2
    rows *= 1 + rank**-0.3
    return rows @ _turn(rng, DIMENSIONS)


def cone(rng: np.random.Generator, rows: int) -> Rows:
    """Return rows that all point nearly the same way: cosines of .80, between relative vectors .998."""
    common = noise(rng, 1)
    return latent(rng, rows) / np.float32(np.sqrt(40)) + np.float32(2) * common


def duplicates(rng: np.random.Generator, rows: int) -> Rows:
    """Return word vectors; `pair` then copies other rows over a third of them, on both sides."""
    return words(rng, rows)


KINDS: dict[str, Callable[[np.random.Generator, int], Rows]] = {
    "noise": noise,
    "latent": latent,
    "clusters": clusters,
    "words": words,
    "duplicates": duplicates,
    "cone": cone,
    "bulk": noise,
}


def _turn(rng: np.random.Generator, dim: int) -> Rows:
    return np.linalg.qr(rng.standard_normal((dim, dim)))[0].astype(np.float32)


def pair(kind: str, rows: str, folder: str) -> None:
    """Write two views of things of one kind: y is x turned about its mean, with noise."""
    rng, count = np.random.default_rng(0), int(rows)
    x = KINDS[kind](rng, count)
    mean = x.mean(axis=0)
    y = (x - mean) @ _turn(rng, DIMENSIONS)
    y += NOISE.get(kind, 0.3) * y.std(axis=0).mean() * noise(rng, count)
    y += mean @ _turn(rng, DIMENSIONS)
    if kind == "duplicates":
        of = np.where(rng.random(count) < 1 / 3, rng.integers(0, count, count), np.arange(count))
        x, y = x[of], y[of]
    _save(folder, x, y, rng.choice(count, min(ANCHORS, count // 2), replace=False))


def relative(folder: str) -> None:
    """Write the unit relative vectors of a pair."""
    anchors = np.loadtxt(Path(folder) / "anchors.txt", dtype=np.int64)
    for name in "xy":
        rows = np.load(Path(folder) / f"{name}.npy")
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        rows = rows @ rows[anchors].T
        np.save(Path(folder) / f"r{name}.npy", rows / np.linalg.norm(rows, axis=1, keepdims=True))


def collapsed(rows: str, distinct: str, folder: str) -> None:
    """Write points of a plane of which so many differ, and the same turned, with noise that copies share."""
    rng, count = np.random.default_rng(0), int(rows)
    points = rng.standard_normal((int(distinct), 2)).astype(np.float32)
    others = points @ _turn(rng, 2) + 0.1 * rng.standard_normal(points.shape).astype(np.float32)
    of = rng.permutation(np.arange(count) % len(points))
    _save(folder, points[of], others[of], rng.choice(count, 100, replace=False))


def named(rows: str, dtype: str, folder: str) -> None:
    """Write Gaussian rows [rows, 768] with ids, a block at a time, and the ids of 768 anchors among them."""
    rng, count = np.random.default_rng(0), int(rows)
    out = open_memmap(Path(folder) / "x.npy", "w+", np.dtype(dtype), (count, 768))
    for start in range(0, count, 8192):
        block = out[start : start + 8192]
        block[:] = rng.standard_normal(block.shape, np.float32)
    out.flush()
    Path(folder, "x.ids.txt").write_text("".join(f"row-{row}\n" for row in range(count)), encoding="utf-8")
    chosen = rng.choice(count, 768, replace=False)
    Path(folder, "anchors.txt").write_text("".join(f"row-{row}\n" for row in chosen), encoding="utf-8")


def stream(rows: str, folder: str) -> None:
    """Write two float16 views [rows, 256] of one latent space of 32 dimensions, block by block."""
    rng, count = np.random.default_rng(0), int(rows)
    mixing = [rng.standard_normal((32, 256)) for _ in range(2)]
    files = [open_memmap(Path(folder) / f"{side}.npy", "w+", np.float16, (count, 256)) for side in "xy"]
    for start in range(0, count, 50_000):
        hidden = rng.standard_normal((min(50_000, count - start), 32))
        for file, mix in zip(files, mixing, strict=True):
            file[start : start + len(hidden)] = hidden @ mix + 0.5 * rng.standard_normal((len(hidden), 256))
    for file in files:
        file.flush()


def _save(folder: str, x: Rows, y: Rows, anchors: NDArray[np.int64]) -> None:
    np.save(Path(folder) / "x.npy", x)
    np.save(Path(folder) / "y.npy", y)
    np.savetxt(Path(folder) / "anchors.txt", np.sort(anchors), fmt="%d")


if __name__ == "__main__":
    {"pair": pair, "relative": relative, "collapsed": collapsed, "named": named, "stream": stream}[sys.argv[1]](
        *sys.argv[2:]
    )
