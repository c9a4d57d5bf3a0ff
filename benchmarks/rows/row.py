"""The contract of a row: who contends, what must hold between them, and what it is when measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from benchmarks.measuring import Contender, Run
from benchmarks.workshop import Workshop

#: What each contender is held to have computed, in words, from the runs and their files.
Figures = Callable[[Mapping[str, Sequence[Run]]], Mapping[str, str]]

RELCLI = "relcli"
WITHOUT_NUMBA = "relcli without numba"
FAISS, FAISS_BEST = "faiss-cpu as shipped", "faiss-cpu at its best"


@dataclass(frozen=True)
class Bar:
    """
    A claim about one contender: so many times as fast as a peer, or at most so many times its cost, or at most so much.

    `quantity` is one of `measuring.QUANTITIES`, `unit` what an absolute bound is counted in.
    """

    claim: str
    bound: float
    ours: str = RELCLI
    peer: str | None = None
    quantity: str = "wall"
    at_least: bool = False
    unit: str = "×"

    def values(self, runs: Mapping[str, Sequence[Run]]) -> list[float] | None:
        """Return the ratio, or the amount, of each round; None where a contender or its quantity is missing."""
        ours = _quantities(runs, self.ours, self.quantity)
        theirs = _quantities(runs, self.peer, self.quantity) if self.peer else [1.0] * len(ours)
        if not ours or not theirs:
            return None
        pairs = zip(ours, theirs, strict=True)
        return [them / us if self.at_least else us / them for us, them in pairs]

    def by_cpu(self, runs: Mapping[str, Sequence[Run]]) -> list[float] | None:
        """Return the same ratios by CPU seconds; None where what is claimed is no ratio of times."""
        quantity = {"wall": "cpu", "work": "work_cpu"}.get(self.quantity)
        return replace(self, quantity=quantity).values(runs) if quantity and self.peer else None

    def passed(self, values: Sequence[float]) -> bool:
        """Return whether the median keeps the bound."""
        median = statistics.median(values)
        return median >= self.bound if self.at_least else median <= self.bound

    def verdict(self, values: Sequence[float]) -> str:
        """Return "passed", or in words by what factor it is not."""
        if self.passed(values):
            return "passed"
        median = statistics.median(values)
        # a factor that rounds to 1.00 would deny what it says
        factor = max(self.bound / median if self.at_least else median / self.bound, 1.01)
        return f"{'under' if self.at_least else 'over'} its bar by a factor of {factor:.2f}"


def faster(claim: str, bound: float, *, than: str, ours: str = RELCLI, quantity: str = "wall") -> Bar:
    """Return the bar that ours is at least so many times as fast as a peer."""
    return Bar(claim, bound, ours, than, quantity, at_least=True)


def _quantities(runs: Mapping[str, Sequence[Run]], name: str, quantity: str) -> list[float]:
    found = [getattr(run, quantity) for run in runs.get(name, ())]
    return [] if None in found else found


@dataclass(frozen=True)
class Contest:
    """
    Who contends, made when their data are; `absent` says why a contender that a bar names is not among them.

    `figures` tells that they computed the same.
    """

    contenders: Mapping[str, Contender]
    figures: Figures = lambda runs: {}
    absent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """
    One thing that is measured: its name, a title, what is done in a sentence or two, and the bars it is held to.

    `main` is the contender that the table of all sets the others against. `needs` returns why the row cannot be
    measured here, None where it can. Costly rows take fewer `rounds`.
    """

    name: str
    title: str
    says: str
    prepare: Callable[[Workshop], Contest]
    bars: tuple[Bar, ...] = ()
    main: str = RELCLI
    rounds: int = 3
    needs: Callable[[], str | None] = lambda: None
