"""
Whole processes, measured one at a time and interleaved: wall, CPU seconds, peak memory.

This module and all that `benchmarks.run` imports load no numpy: a child's peak memory, as the operating system tells
it, begins with that of its parent, so the parent stays small. For the same reason data are made in processes too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

_START = "from benchmarks.child import main; main()"

#: What of a run is measured. "work" is what the contender says of itself, imports and start left out.
QUANTITIES = ("wall", "cpu", "work", "work_cpu", "peak", "private")


@dataclass(frozen=True)
class Contender:
    """A module and its arguments, the environment it wants, modules it does without, distributions it needs."""

    module: str
    arguments: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """
    What one process took: seconds of wall clock and of CPU (user + system), peak resident memory in MB.

    `private` is the peak of memory that no file backs, MB, looked at 50 times a second: mapped input is the operating
    system's to drop. `work` and `work_cpu` are seconds, None where the contender does not tell. `noted` is
    what else it says, `ran_on` its libraries, kernels and threads, `out` the file that holds its stdout.
    """

    wall: float
    cpu: float
    peak: float
    private: float | None
    work: float | None
    work_cpu: float | None
    noted: Mapping[str, Any]
    ran_on: tuple[str, ...]
    out: Path

    def measured(self) -> dict[str, float | None]:
        """Return the numbers alone."""
        return {name: getattr(self, name) for name in QUANTITIES}


class Failed(Exception):
    """A process that did not end well; the message is the last line it said."""


def run(contender: Contender, folder: Path) -> Run:
    """Return what a process took; it runs in `folder`, where its stdout, stderr and report are kept."""
    out, err, report = (folder / f"last.{kind}" for kind in ("out", "err", "json"))
    report.unlink(missing_ok=True)
    command = [sys.executable, "-c", _START, str(report), ",".join(contender.without), contender.module]
    # nobody's own settings of relcli decide
    env = {name: value for name, value in os.environ.items() if not name.startswith("RELCLI_")}
    env |= {"PYTHONPATH": str(ROOT), **contender.env}
    with open(out, "wb") as stdout, open(err, "wb") as stderr:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [*command, *contender.arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=folder,
            env=env,
        )
        watch = _PrivateMemory(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
    private = watch.stop()
    if process.returncode:
        said = err.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise Failed(f"ended with status {process.returncode}{': ' + said[-1] if said else ''}")
    told = json.loads(report.read_text(encoding="utf-8"))
    kernels = tuple(told.pop("ran_on"))
    work, work_cpu = told.pop("work", None), told.pop("work_cpu", None)
    scale = 2**20 if sys.platform == "darwin" else 2**10
    cpu = usage.ru_utime + usage.ru_stime
    return Run(wall, cpu, usage.ru_maxrss / scale, private, work, work_cpu, told, kernels, out)


class _PrivateMemory:
    """The most memory, in MB, of a process that no file backs, None where the system does not tell."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._most: float | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> float | None:
        self._done.set()
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            try:
                _, found, rest = self._status.read_text().partition("RssAnon:")
            except OSError:
                return
            if found:
                self._most = max(self._most or 0.0, int(rest.split()[0]) / 2**10)


def interleave(
    contenders: Mapping[str, Contender], folder: Path, *, rounds: int, told: Callable[[str], None]
) -> tuple[dict[str, list[Run]], dict[str, str]]:
    """
    Return the runs of each contender, one of each in turn so that drift hits all alike, and why some failed.

    Who fails once is out, and the others go on.
    """
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    failures: dict[str, str] = {}
    for number in range(rounds):
        for name, contender in contenders.items():
            if name in failures:
                continue
            try:
                found = run(contender, folder)
            except Failed as failure:
                failures[name] = str(failure)
                told(f"{name}: {failure}")
                continue
            kept = found.out.rename(folder / f"{list(contenders).index(name)}.out")
            runs[name].append(replace(found, out=kept))
            told(f"{name}, round {number + 1}: {found.wall:.1f} s, {found.cpu:.1f} s CPU, {found.peak:,.0f} MB")
    return {name: some for name, some in runs.items() if name not in failures}, failures
