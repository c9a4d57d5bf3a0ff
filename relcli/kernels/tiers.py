"""Which kernel multiplies: what is asked for, or what this processor does soonest, where there is enough to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.arrays import one_blas_thread, torch_is_loaded, torch_threads_kept
from relcli.errors import UsageError, did_you_mean
from relcli.kernels.halves import Halves, keeps_its_bound
from relcli.kernels.integers import LARGEST, Integers, exact_up_to
from relcli.kernels.kernel import Kernel
from relcli.kernels.plain import Plain

AUTO = "auto"
TIERS = (AUTO, "fp32", "int8", "bf16")

#: Seconds of float32 products from which it pays to import torch and to measure; and how fast they are about.
_WORTH_ASKING, _ABOUT = 4.0, 80e9

#: How much faster than float32 a tier must be.
_GAIN = 1.3

# instructions without which a product of such numbers is no faster than one of float32, as /proc/cpuinfo calls them
_NEEDED = {"int8": ("avx512_vnni", "avx_vnni", "amx_int8"), "bf16": ("avx512_bf16", "amx_bf16")}

_lock = threading.RLock()
_wanted = AUTO
_used: set[str] = set()


def check_tier(tier: str) -> None:
    """Raise UsageError unless there is a tier of this name, and this machine has it."""
    if tier not in TIERS:
        raise UsageError(f"No tier is called {tier!r}; there are {', '.join(TIERS)}.{did_you_mean(tier, TIERS)}")
    if tier in _NEEDED and not find_spec("torch"):
        raise UsageError(f"--tier {tier} needs torch, which is not installed. Pass --tier auto, which finds the same.")
    if tier in _NEEDED and _kernel(tier) is None:
        what = "whole numbers are not exact" if tier == "int8" else "bfloat16 are further off than they may be"
        raise UsageError(
            f"--tier {tier} cannot be had: on this machine products of {what}. Pass --tier auto, which finds the same."
        )


@contextmanager
def using(tier: str) -> Iterator[set[str]]:
    """Let all products be of one tier meanwhile; yields the names of those that come to be used."""
    global _wanted, _used
    with torch_threads_kept():
        check_tier(tier)
        with _lock:
            before, _wanted, _used = (_wanted, _used), tier, set()
            used = _used
        try:
            yield used
        finally:
            with _lock:
                _wanted, _used = before


def tier_used() -> str:
    """Return the names of the tiers that came to be used so far; what all but large work takes where none has."""
    return "+".join(sorted(_used)) or "fp32"


def choose_kernel(multiplications: float) -> Kernel:
    """Return the kernel for so many multiplications of two numbers."""
    with _lock:
        kernel = _chosen(multiplications)
        _used.add(kernel.name)
        return kernel


def _chosen(multiplications: float) -> Kernel:
    if _wanted != AUTO:
        return _kernel(_wanted) or Plain()
    if 2 * multiplications / _ABOUT < _WORTH_ASKING:
        return Plain()
    return _fastest()[0]


def speed_of(kernel: Kernel) -> float:
    """Return how many times as fast as float32 a kernel is, as measured; 1 where none was."""
    rates = _rates() if _rates.cache_info().currsize else {}
    return rates.get(kernel.name, 1.0) / rates["fp32"] if kernel.name in rates else 1.0


@cache
def _kernel(tier: str) -> Kernel | None:
    """Return the kernel of a tier, None where there is no torch, or its products are not what they should be."""
    if tier in _NEEDED and not find_spec("torch"):
        return None
    if tier == "int8":
        largest = exact_up_to()
        return None if largest is None else Integers(largest)
    if tier == "bf16":
        return Halves() if keeps_its_bound() else None
    return Plain()


@cache
def _fastest() -> tuple[Kernel, str]:
    """Return the fastest kernel, and why."""
    hopeful = [tier for tier, needed in _NEEDED.items() if _has_any(needed)]
    if not hopeful and not torch_is_loaded():
        return Plain(), "this processor has no instructions for products of int8 or bf16"
    rates = _rates()
    for tier in ("int8", "bf16"):
        kernel = _kernel(tier)
        if kernel is not None and rates.get(tier, 0.0) >= _GAIN * rates["fp32"]:
            return kernel, told(rates)
    return Plain(), told(rates)


def told(rates: dict[str, float]) -> str:
    """Return rates in words."""
    return ", ".join(f"{tier} {rate:,.0f} GF/s" for tier, rate in rates.items()) + " on one core"


@cache
def _rates() -> dict[str, float]:
    """Return how many 10⁹ operations a second one thread does on a tile of each tier, in about 50 ms."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((n, 304)).astype(np.float32) for n in (256, 1024))
    sizes = [np.sqrt((side.astype(np.float64) ** 2).sum(axis=1)) for side in (a, b)]
    rates = {}
    with one_blas_thread():
        for tier in TIERS[1:]:
            kernel = _kernel(tier)
            if kernel is None:
                continue
            left, right = kernel.left(a, sizes[0]), kernel.right(b, sizes[1])
            out: NDArray[Any] = np.empty((len(a), len(b)), kernel.number)
            rates[tier] = 2 * a.size * len(b) / _seconds(partial(kernel.multiply, left, right, out)) / 1e9
    return rates


def _seconds(work: Callable[[], None]) -> float:
    """Return the least time that some work takes, of a few tries or 20 ms."""
    begun, best = time.perf_counter(), np.inf
    while True:
        start = time.perf_counter()
        work()
        end = time.perf_counter()
        best = min(best, end - start)
        if end - begun > 0.02:
            return float(best)


def _has_any(flags: tuple[str, ...]) -> bool:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            line = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return True  # unknown: measuring tells
    return not line or not set(flags).isdisjoint(line.split())


def explained() -> str:
    """Return which tier large products take here, and why; imports torch only where that could change it."""
    kernel, why = _fastest()
    name = kernel.name
    if isinstance(kernel, Integers) and kernel.largest < LARGEST:
        name += f" up to {kernel.largest}"
    return f"{name} ({why})"
