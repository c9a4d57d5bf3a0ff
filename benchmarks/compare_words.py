"""`relcli compare` at n = 20,000 beside the authors' recipe on faiss-cpu: `python -m benchmarks.compare_words`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measuring import as_table, compare

ROWS, DIMENSIONS, ANCHORS = 20_000, 300, 300

#: Kernels that this processor can run though OpenBLAS may not choose them: the peers' best setting, and ours.
TUNED = {"OPENBLAS_CORETYPE": "SkylakeX"}


def make(folder: Path) -> tuple[str, str, str]:
    """Write two noisy views of one 40-dimensional latent space, and 300 anchors."""
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((ROWS, 40))
    for name in ("x.npy", "y.npy"):
        view = latent @ rng.standard_normal((40, DIMENSIONS)) + 0.5 * rng.standard_normal((ROWS, DIMENSIONS))
        np.save(folder / name, view.astype(np.float32))
    np.savetxt(folder / "anchors.txt", np.sort(rng.choice(ROWS, ANCHORS, replace=False)), fmt="%d")
    return str(folder / "x.npy"), str(folder / "y.npy"), str(folder / "anchors.txt")


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as place:
        x, y, anchors = make(Path(place))
        ours = [sys.executable, "-m", "relcli", "compare", x, y, "--anchors", anchors, "--json", "--quiet"]
        same = [*ours, "--view", "relative", "--measures", "jaccard@10,mrr@10,cosine", "--include-anchors"]
        recipe = [sys.executable, "-m", "benchmarks.authors_recipe", x, y, anchors]
        for title, env in (
            ("As the machine is set up", {}),
            ("With AVX-512 kernels for all (OPENBLAS_CORETYPE=SkylakeX)", TUNED),
        ):
            costs = compare(
                {
                    "relcli, the recipe's measures in both directions": (same, env),
                    "recipe on faiss-cpu as shipped": (recipe, env),
                    "recipe on faiss-cpu, blocks of 4096": ([*recipe, "--tuned"], env),
                    "relcli, all default measures, both views": (ours, env),
                }
            )
            print(f"\n{title}:\n")
            print(as_table(costs, against="relcli, the recipe's measures in both directions"))
        found = {
            s["measure"]: s["forward"] or s["value"]
            for s in json.loads(costs["relcli, the recipe's measures in both directions"].out)["scores"]
        }
        peer = json.loads(costs["recipe on faiss-cpu as shipped"].out)
        print("\nSame figures: " + " · ".join(f"{name} {found[name]:.6f} / {peer[name]:.6f}" for name in peer))


if __name__ == "__main__":
    main()
