"""Where a row gets its vectors, the processes that contend, and each peer's best settings."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.machine import flags, missing
from benchmarks.measuring import ROOT, Contender, Failed, run

_FAISS = "benchmarks.contenders.on_faiss"

#: Rows at which settings are tried: three blocks of the largest, a second or two a try.
_TRIAL_ROWS = 12_288
_BLOCKS = ("", "1024x4096", "4096x4096", "8192x8192")


class Workshop:
    """
    A folder for the data of one run of the benchmarks, made when first asked for and the same for all contenders.

    `quick` makes all sizes small: what is measured then means nothing. `told` is called with what is going on.
    """

    def __init__(self, folder: Path, *, quick: bool, told: Callable[[str], None]) -> None:
        self.folder, self.quick, self.told = folder, quick, told

    def size(self, full: int, quick: int = 700) -> int:
        """Return how many rows to make."""
        return quick if self.quick else full

    def made(self, *arguments: object) -> Path:
        """Return the folder of what `benchmarks.data` makes of some arguments."""
        words = [str(word) for word in arguments]
        folder = self.folder / "-".join(words)
        if not folder.exists():
            beside = folder.with_name(folder.name + ".part")
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir()
            self.ask("benchmarks.data", *words, str(beside))
            beside.rename(folder)
        return folder

    def pair(self, kind: str, rows: int, *, relative: bool = False) -> Path:
        """Return the folder of a pair of spaces: x.npy, y.npy, anchors.txt, and rx.npy, ry.npy where asked for."""
        folder = self.made("pair", kind, rows)
        if relative and not (folder / "ry.npy").exists():
            self.ask("benchmarks.data", "relative", str(folder))
        return folder

    def forget(self) -> None:
        """Remove all that was made, so that the next row has room."""
        for folder in self.folder.iterdir():
            if folder.is_dir():
                shutil.rmtree(folder)
            else:
                folder.unlink()

    def ask(self, module: str, *arguments: str) -> Any:
        """Return what a module, run as a process, prints as JSON; None where it prints nothing."""
        found = self._say(module, *arguments)
        return json.loads(found) if found.strip() else None

    def _say(self, module: str, *arguments: str) -> str:
        process = subprocess.run(
            [sys.executable, "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if process.returncode:
            raise Failed(f"{module} {arguments[0]}: {(process.stderr.strip().splitlines() or ['no word'])[-1]}")
        return process.stdout

    def relcli(self, *arguments: str, tier: str | None = None, numba: bool = True) -> Contender:
        """Return a command of relcli as a contender, as a user runs it."""
        return self._ours("relcli", arguments, tier, numba)

    def part(self, *arguments: str, tier: str | None = None, numba: bool = True) -> Contender:
        """Return a part of relcli that no command does alone as a contender, see `contenders/on_relcli.py`."""
        return self._ours("benchmarks.contenders.on_relcli", arguments, tier, numba)

    def _ours(self, module: str, arguments: tuple[str, ...], tier: str | None, numba: bool) -> Contender:
        env = {"RELCLI_TIER": tier} if tier and tier in self.tiers else {}
        return Contender(module, arguments, env, () if numba else ("numba",))

    def peer(self, library: str, *arguments: str) -> Contender:
        """Return a task of a peer as a contender."""
        needs = {"faiss": "faiss-cpu", "torch": "torch", "sklearn": "scikit-learn", "usearch": "usearch"}[library]
        return Contender(f"benchmarks.contenders.on_{library}", arguments, needs=(needs,))

    def best_in_words(self) -> str:
        """Return the settings of faiss-cpu at its best."""
        env, blocks = self.best_settings
        return f"{env.get('OPENBLAS_CORETYPE', 'its own')} kernels, {blocks or 'its own'} blocks"

    def at_its_best(self, *arguments: str) -> Contender:
        """Return a task of faiss-cpu with the settings that are fastest here."""
        env, blocks = self.best_settings
        return Contender(_FAISS, (*arguments, f"--blocks={blocks}"), env, needs=("faiss-cpu",))

    @cached_property
    def numba(self) -> bool:
        """Whether a compiled scan is possible here."""
        return importlib.util.find_spec("numba") is not None

    @cached_property
    def tiers(self) -> tuple[str, ...]:
        """The kernel tiers that this relcli speaks of in `relcli env`, none where it knows of no tiers."""
        said = self._say("relcli", "env")
        known = [tier for tier in ("fp32", "int8", "bf16") if re.search(rf"\b{tier}\b", said)]
        return tuple(known) if re.search(r"\btiers?\b", said) else ()

    @cached_property
    def best_settings(self) -> tuple[dict[str, str], str]:
        """
        The environment and the blocks with which faiss-cpu takes the least CPU seconds on a small self-join.

        Its OpenBLAS does not know every processor; a kernel that the processor lacks would end the process, so only
        those are tried that its instructions allow.
        """
        if self.quick or missing(["faiss-cpu"]):
            return {}, "4096x4096"
        x = str(self.pair("latent", _TRIAL_ROWS, relative=True) / "rx.npy")
        tried: dict[tuple[str, str], float] = {}
        for kernels in self._kernels():
            for blocks in _BLOCKS:
                env = {"OPENBLAS_CORETYPE": kernels} if kernels else {}
                out = str(self.folder / "trial.npy")
                try:
                    cost = run(Contender(_FAISS, ("neighbors", x, out, f"--blocks={blocks}"), env), self.folder)
                except Failed:
                    continue
                tried[kernels, blocks] = cost.work_cpu or cost.cpu
                self.told(
                    f"trying faiss-cpu, {kernels or 'its own'} kernels, {blocks or 'its own'} blocks: {cost.cpu:.1f}"
                )
        # where none ran it will fail in its turn, and be named
        kernels, blocks = min(tried, key=lambda setting: tried[setting], default=("", ""))
        return ({"OPENBLAS_CORETYPE": kernels} if kernels else {}), blocks

    def _kernels(self) -> list[str]:
        there = flags()
        return ["", *(["Haswell"] if "avx2" in there else []), *(["SkylakeX"] if "avx512f" in there else [])]
