"""
The process of a contender: a module run as `python -m` runs it, and word left of what it ran on.

`python -c "from benchmarks.child import main; main()" REPORT WITHOUT MODULE [ARGUMENT …]`; WITHOUT names modules, with
commas between, that shall seem not to be installed. Loads nothing that the module does not load itself, but for
threadpoolctl when the work is done.
"""

from __future__ import annotations

import json
import runpy
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

#: What a process can be asked about: import names and the distributions they come from.
LIBRARIES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "torch": "torch",
    "faiss": "faiss-cpu",
    "sklearn": "scikit-learn",
    "usearch": "usearch",
    "numba": "numba",
}

_noted: dict[str, Any] = {}


def note(**facts: Any) -> None:
    """Leave word of some facts, JSON values, in the report of this process."""
    _noted.update(facts)


@contextmanager
def working() -> Iterator[None]:
    """Note the seconds that a block takes: the work itself, without starting Python, importing and checking."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    note(work=time.perf_counter() - wall, work_cpu=time.process_time() - cpu)


def ran_on() -> list[str]:
    """Return the libraries that are loaded, then the thread pools of each: whose, kernels, threads."""
    loaded = [name for name in LIBRARIES if sys.modules.get(name)]
    lines = [" · ".join(f"{LIBRARIES[name]} {_version(name)}" for name in loaded)] if loaded else []
    if not loaded:
        return lines
    from threadpoolctl import threadpool_info

    # in no order of their own
    lines += sorted(
        f"{_owner(pool['filepath'])}: {pool['internal_api']} {pool['version'] or ''} "
        f"{pool.get('architecture', '')}".rstrip().replace("  ", " ")
        + f", {pool['num_threads']} threads"
        for pool in threadpool_info()
    )
    if "torch" in loaded:
        torch = sys.modules["torch"]
        lines.append(f"torch: {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads")
    if "faiss" in loaded:
        lines.append(f"faiss: {sys.modules['faiss'].get_compile_options().strip()}")
    return lines


def _version(name: str) -> str:
    try:
        return version(LIBRARIES[name])
    except PackageNotFoundError:
        return "of unknown version"


def _owner(path: str) -> str:
    """Return the package whose folder a shared library lies in."""
    parts = Path(path).parts
    inside = parts[parts.index("site-packages") + 1 :] if "site-packages" in parts else parts[-1:]
    return inside[0].removesuffix(".libs")


def main() -> None:
    """Run the module, and write the report whether it ends well or not."""
    report, without, module, *arguments = sys.argv[1:]
    for name in filter(None, without.split(",")):
        sys.modules[name] = None  # type: ignore[assignment]
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        Path(report).write_text(json.dumps({**_noted, "ran_on": ran_on()}), encoding="utf-8")
