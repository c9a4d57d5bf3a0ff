"""Time and peak memory of `relcli compare` as rows grow, queries fixed: `python -m benchmarks.streaming`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from benchmarks.measuring import Cost, run

DIMENSIONS, ANCHORS, QUERIES = 256, 256, 2_000
SIZES = (200_000, 800_000)


def make(folder: Path, rows: int) -> list[str]:
    """Write two float16 views of one latent space of `rows` rows, block by block."""
    rng = np.random.default_rng(0)
    mixing = [rng.standard_normal((32, DIMENSIONS)) for _ in range(2)]
    files = [open_memmap(folder / f"{side}{rows}.npy", "w+", np.float16, (rows, DIMENSIONS)) for side in "xy"]
    for start in range(0, rows, 50_000):
        latent = rng.standard_normal((min(50_000, rows - start), 32))
        for file, mix in zip(files, mixing, strict=True):
            file[start : start + len(latent)] = latent @ mix + 0.5 * rng.standard_normal((len(latent), DIMENSIONS))
    for file in files:
        file.flush()
    return [str(folder / f"{side}{rows}.npy") for side in "xy"]


def main() -> None:
    """Print the table."""
    costs: dict[int, Cost] = {}
    with tempfile.TemporaryDirectory() as place:
        for rows in SIZES:
            command = [sys.executable, "-m", "relcli", "compare", *make(Path(place), rows), "--json", "--quiet"]
            command += ["--anchors", f"uniform:{ANCHORS}", "--sample", str(QUERIES), "--view", "relative"]
            costs[rows] = run(command)
    print(f"d = {DIMENSIONS}, a = {ANCHORS}, q = {QUERIES:,}, relative view, all default measures, float16 on disk\n")
    print("| rows | file, MB each | wall, s | CPU, s | peak memory, MB |\n|---:|---:|---:|---:|---:|")
    for rows, cost in costs.items():
        print(
            f"| {rows:,} | {rows * DIMENSIONS * 2 / 2**20:,.0f} | {cost.wall:.1f} | {cost.cpu:.1f} | {cost.peak:,.0f} |"
        )
    small, large = SIZES
    ratio = costs[large].wall / costs[small].wall
    print(
        f"\n{large / small:.0f} times the rows take {ratio:.2f} times as long. "
        "Peak memory counts the pages of the mapped files."
    )


if __name__ == "__main__":
    main()
