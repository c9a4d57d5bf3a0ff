"""All benchmarks, one after another, as Markdown: `python -m benchmarks.run > benchmarks/RESULTS.md`."""

from __future__ import annotations

import datetime
import importlib
from importlib.metadata import PackageNotFoundError, version
from platform import processor, python_version

BENCHMARKS = {
    "compare_words": "`relcli compare` at n = 20,000, d = 300, a = 300",
    "streaming": "`relcli compare` as rows grow",
    "projection": "`relcli project`",
}


def machine() -> str:
    """Return what this runs on."""
    import numpy  # noqa: F401  (so that threadpoolctl sees its BLAS)
    from threadpoolctl import threadpool_info

    from relcli.engines.local import available_cores

    try:
        with open("/proc/cpuinfo") as file:
            model = next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        model = processor()
    versions = []
    for name in ("relcli", "numpy", "scipy", "torch", "faiss-cpu", "scikit-learn"):
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"{name} absent")
    pools = ", ".join(f"{p['internal_api']} {p['version']} ({p.get('architecture', '?')})" for p in threadpool_info())
    return f"{available_cores()} cores of {model}; Python {python_version()}; {', '.join(versions)}; BLAS: {pools}."


def main() -> None:
    """Print every table."""
    print("# Benchmarks\n")
    print(f"Measured on {datetime.date.today():%Y-%m-%d}: {machine()}\n")
    print("Whole processes, interleaved, medians of three where several contend. `python -m benchmarks.run` redoes")
    print('all of it; peers come with `python -m pip install -e ".[peers]"`.')
    for module, title in BENCHMARKS.items():
        print(f"\n## {title}\n\n`python -m benchmarks.{module}`\n", flush=True)
        importlib.import_module(f"benchmarks.{module}").main()


if __name__ == "__main__":
    main()
