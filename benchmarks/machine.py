"""What the benchmarks run on: processor, cores, versions, and which of the peers are there."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from benchmarks.child import LIBRARIES
from benchmarks.measuring import ROOT

#: Instructions that decide which kernels a library takes.
_FLAGS = ("avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")


def installed(distribution: str) -> str | None:
    """Return the version of a distribution, None where it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def missing(distributions: Iterable[str]) -> list[str]:
    """Return those that are not installed."""
    return [name for name in distributions if installed(name) is None]


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def flags() -> list[str]:
    """Return the instructions of this processor that matter to products, in the words of the operating system."""
    found = _cpuinfo("flags").split()
    return [flag for flag in _FLAGS if flag in found]


def this_machine() -> dict[str, str]:
    """Return what figures depend on besides the code: processor, instructions, cores, Python, versions, data."""
    libraries = (f"{name} {installed(name) or 'absent'}" for name in LIBRARIES.values())
    return {
        "processor": f"{cores()} cores of {_cpuinfo('model name') or platform.processor() or platform.machine()}",
        "instructions": " ".join(flags()) or "unknown",
        "system": f"{platform.system()}, Python {platform.python_version()}",
        "libraries": ", ".join(libraries),
        "words": "real word vectors" if "RELCLI_SHARED" in os.environ else "made word vectors",
    }


def commit() -> str:
    """Return which commit of relcli runs, with a + where files differ from it; empty outside a repository."""
    try:
        name = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", "relcli", "benchmarks/*.py")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return name + ("+" if changed else "")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def _cpuinfo(key: str) -> str:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            return next((line.partition(":")[2].strip() for line in file if line.startswith(key)), "")
    except OSError:
        return ""
