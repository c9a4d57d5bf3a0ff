"""
`relcli project` of 200k × 768, beside latentis' recipe in torch, and of 1M × 768: `python -m benchmarks.projection`.

`--rows N --large N` change the sizes. Inputs are made in a temporary folder (TMPDIR), about 2.2 GB, outputs beside.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from benchmarks.measuring import as_table, compare, run

DIMENSIONS, ANCHORS = 768, 768

#: Kernels that a processor with AVX-512 can run though OpenBLAS may not choose them.
TUNED = {"OPENBLAS_CORETYPE": "SkylakeX"}


def make(folder: Path, rows: int, dtype: str) -> tuple[str, str]:
    """Write `rows` vectors with their ids, a block at a time, and the ids of 768 anchors among them."""
    rng = np.random.default_rng(0)
    path, anchors = folder / f"x{rows}.npy", folder / f"anchors{rows}.txt"
    out = np.lib.format.open_memmap(path, "w+", dtype, (rows, DIMENSIONS))
    for start in range(0, rows, 8192):
        block = out[start : start + 8192]
        block[:] = rng.standard_normal(block.shape, np.float32)
    out.flush()
    (folder / f"x{rows}.ids.txt").write_text("".join(f"row-{row}\n" for row in range(rows)))
    chosen = rng.choice(rows, ANCHORS, replace=False)
    anchors.write_text("".join(f"row-{row}\n" for row in chosen))
    return str(path), str(anchors)


def ours(x: str, anchors: str, out: str) -> None:
    """Project with relcli, and print the seconds that took after its imports and the most private memory."""
    from relcli import api

    begun = time.perf_counter()
    with _PrivateMemory() as memory:
        api.project(x, anchors, output=out)
    print(f"{time.perf_counter() - begun:.2f} {memory.most:.0f}")


def recipe(x: str, anchors: str, out: str) -> None:
    """Project as latentis 0.0.8 does (cosine_proj): everything in memory, F.normalize of both, x @ anchors.mT."""
    import torch
    import torch.nn.functional as F

    begun = time.perf_counter()
    with _PrivateMemory() as memory:
        ids = Path(x).with_suffix(".ids.txt").read_text().split()
        row = {name: number for number, name in enumerate(ids)}
        vectors = torch.from_numpy(np.load(x)).float()
        frame = vectors[[row[name] for name in Path(anchors).read_text().split()]]
        relative = F.normalize(vectors, p=2, dim=-1) @ F.normalize(frame, p=2, dim=-1).mT
        np.save(out, relative.numpy())
        Path(out).with_suffix(".ids.txt").write_text("\n".join(ids))
    print(f"{time.perf_counter() - begun:.2f} {memory.most:.0f}")


class _PrivateMemory:
    """The most memory of this process that no file backs, in MB: mapped input is the operating system's to drop."""

    def __enter__(self) -> _PrivateMemory:
        self.most, self._done = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.01):
            status = Path("/proc/self/status").read_text()
            self.most = max(self.most, int(status.split("RssAnon:")[1].split()[0]) / 1024)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--as", dest="role", choices=("ours", "recipe"))
    parser.add_argument("files", nargs="*")
    given = parser.parse_args()
    if given.role:
        {"ours": ours, "recipe": recipe}[given.role](*given.files)
        return
    own = [sys.executable, "-m", "benchmarks.projection", "--as"]
    with tempfile.TemporaryDirectory() as place:
        x, anchors = make(Path(place), given.rows, "float32")
        for title, env in (("as the machine is set up", {}), ("with OPENBLAS_CORETYPE=SkylakeX for both", TUNED)):
            costs = compare(
                {
                    "relcli project": ([*own, "ours", x, anchors, f"{place}/ours.npy"], env),
                    "latentis' recipe in torch": ([*own, "recipe", x, anchors, f"{place}/recipe.npy"], env),
                }
            )
            print(f"\n{given.rows:,} × {DIMENSIONS} float32 against {ANCHORS} anchors, .npy to .npy, {title}:\n")
            print(as_table(costs, against="relcli project"))
            seconds, private = zip(*(cost.out.split() for cost in costs.values()), strict=True)
            print(
                f"\nWithout imports {seconds[0]} s and {seconds[1]} s; private memory {private[0]} and {private[1]} MB."
            )
        mine, theirs = (np.load(f"{place}/{name}.npy", mmap_mode="r") for name in ("ours", "recipe"))
        print(f"Largest difference in the first 4,096 rows: {np.abs(mine[:4096] - theirs[:4096]).max():.1e}")
        for name in ("ours.npy", "recipe.npy", f"x{given.rows}.npy"):
            Path(place, name).unlink()
        x, anchors = make(Path(place), given.large, "float16")
        cost = run([*own, "ours", x, anchors, f"{place}/large.npy"])
        print(
            f"\n{given.large:,} × {DIMENSIONS} float16 from disk: {cost.wall:.1f} s wall, {cost.cpu:.1f} s CPU, "
            f"{cost.out.split()[1]} MB private at most (resident with the mapped input: {cost.peak:,.0f} MB)."
        )


if __name__ == "__main__":
    main()
