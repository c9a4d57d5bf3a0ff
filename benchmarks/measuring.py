"""Whole processes, measured one at a time and interleaved: wall, CPU seconds, peak memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What one process took: seconds of wall clock, of CPU, and its peak resident memory in MB."""

    wall: float
    cpu: float
    peak: float
    out: str


def run(command: Sequence[str], env: Mapping[str, str] | None = None) -> Cost:
    """Return what a process cost; it must succeed."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
    assert process.stdout is not None
    captured: list[str] = []
    reader = threading.Thread(target=lambda: captured.append(process.stdout.read()))  # type: ignore[union-attr]
    reader.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    reader.join()
    if status:
        sys.exit(f"{' '.join(command)} ended with status {status}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, captured[0])


def compare(contenders: Mapping[str, tuple[Sequence[str], Mapping[str, str]]], *, repeats: int = 3) -> dict[str, Cost]:
    """Return the median cost of each contender, one run of each in turn so that drift hits all alike."""
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, (command, env) in contenders.items():
            costs[name].append(run(command, env))
    return {
        name: Cost(
            statistics.median(cost.wall for cost in runs),
            statistics.median(cost.cpu for cost in runs),
            statistics.median(cost.peak for cost in runs),
            runs[-1].out,
        )
        for name, runs in costs.items()
    }


def as_table(costs: Mapping[str, Cost], *, against: str) -> str:
    """Return a Markdown table; ratios are the cost of each over that of `against`."""
    base = costs[against]
    lines = [
        "| | wall, s | CPU, s | peak memory, MB | wall ÷ relcli | CPU ÷ relcli |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {name} | {cost.wall:.2f} | {cost.cpu:.2f} | {cost.peak:,.0f} "
        f"| {cost.wall / base.wall:.2f} | {cost.cpu / base.cpu:.2f} |"
        for name, cost in costs.items()
    ]
    return "\n".join(lines)
