"""Arrays that each thread writes again and again: a fresh page costs more than the product that fills it."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

_kept = threading.local()


def scratch(name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return an array [shape] of anything, this thread's own by name: what it held before is lost."""
    size = int(np.prod(shape))
    key = name, np.dtype(dtype).str
    kept: dict[Any, NDArray[Any]] = _kept.__dict__
    if key not in kept or kept[key].size < size:
        kept[key] = np.empty(size, dtype)
    return kept[key][:size].reshape(shape)
