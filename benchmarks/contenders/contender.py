"""What contenders share: how one is called, and the steps that are none of the library's own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

K = 10


def call(tasks: Mapping[str, Callable[..., None]]) -> None:
    """Call the task that the command line names with the arguments that follow; `--name=value` are keywords."""
    task, *arguments = sys.argv[1:]
    named = dict(word.removeprefix("--").split("=", 1) for word in arguments if word.startswith("--"))
    tasks[task](*(word for word in arguments if not word.startswith("--")), **named)


def unit(v: NDArray[Any]) -> NDArray[Any]:
    """Return rows divided by their norms."""
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def relative(path: str, anchors: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the unit relative vectors [n, a] of a file, as a notebook computes them: all in memory, in its floats."""
    rows = unit(np.load(path))
    return unit(rows @ rows[anchors].T).astype(np.float32)


def without_self(found: NDArray[Any]) -> NDArray[Any]:
    """Return rows found [n, k + 1] as lists [n, k]: each row left out of its own, or the last where it is not in."""
    own = found == np.arange(len(found))[:, None]
    own[~own.any(axis=1), -1] = True
    # a row of copies may be found twice: only the first goes
    first = own.argmax(axis=1)
    keep = np.arange(found.shape[1])[None] != first[:, None]
    return found[keep].reshape(len(found), -1)
