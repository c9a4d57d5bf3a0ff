"""Accumulators made of accumulators: many in one pass, through a projection, by fold, by group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np

from relcli.accumulators.accumulator import Accumulator, Context
from relcli.arrays import Floats
from relcli.spaces.pairing import Index, PairedBatch

Projection = Callable[[Floats], Floats]


class Bundle:
    """Several accumulators by name, filled in one pass."""

    def __init__(self, parts: Mapping[str, Accumulator]) -> None:
        self.parts = dict(parts)

    def __getitem__(self, name: str) -> Accumulator:
        return self.parts[name]

    def fresh(self) -> Self:
        return type(self)({name: part.fresh() for name, part in self.parts.items()})

    @classmethod
    def empty(cls, context: Context, dx: int, dy: int) -> Self:
        return cls({})

    def update(self, batch: PairedBatch) -> None:
        for part in self.parts.values():
            part.update(batch)

    def merge(self, other: Self) -> None:
        for name, part in self.parts.items():
            part.merge(other.parts[name])


class _Projected(PairedBatch):
    """A batch whose x and y are projected when they are read: some accumulators need few of its rows, or none."""

    def __init__(self, batch: PairedBatch, x: Projection, y: Projection) -> None:
        for name in ("rank", "hash", "anchor", "scored"):
            object.__setattr__(self, name, getattr(batch, name))
        object.__setattr__(self, "_of", (batch, x, y))

    def __getattr__(self, name: str) -> Any:
        if name not in ("x", "y"):
            raise AttributeError(name)
        batch, x, y = self.__dict__["_of"]
        rows: Floats = x(batch.x) if name == "x" else y(batch.y)
        object.__setattr__(self, name, rows)
        return rows

    def take(self, rows: Any) -> PairedBatch:
        batch, x, y = self.__dict__["_of"]
        some = batch.take(rows)
        # more than a few rows: others will want the rest, and each row should be projected once
        if {"x", "y"} <= self.__dict__.keys() or len(some) * 20 > len(self):
            return super().take(rows)
        return _Projected(some, x, y)


class Through:
    """An accumulator that sees each batch through a projection of x and one of y."""

    def __init__(self, inner: Accumulator, x: Projection, y: Projection) -> None:
        self.inner, self.x, self.y = inner, x, y

    @classmethod
    def empty(cls, context: Context, dx: int, dy: int) -> Self:
        return cls(Bundle({}), _same, _same)

    def fresh(self) -> Self:
        return type(self)(self.inner.fresh(), self.x, self.y)

    def update(self, batch: PairedBatch) -> None:
        self.inner.update(_Projected(batch, self.x, self.y))

    def merge(self, other: Self) -> None:
        self.inner.merge(other.inner)


def _same(v: Floats) -> Floats:
    return v


class Folds:
    """
    One accumulator per fold of hashed ids, for the delete-a-group jackknife.

    Keeps `len(folds)` times what one keeps.
    """

    def __init__(self, folds: list[Accumulator]) -> None:
        self.folds = folds

    @classmethod
    def of(cls, empty: Accumulator, count: int = 10) -> Self:
        """Return `count` empty folds made like `empty`."""
        return cls([empty.fresh() for _ in range(count)])

    @classmethod
    def empty(cls, context: Context, dx: int, dy: int) -> Self:
        return cls([])

    def fresh(self) -> Self:
        return type(self)([fold.fresh() for fold in self.folds])

    def update(self, batch: PairedBatch) -> None:
        # the probe takes the smallest hashes, so folds go by the lowest bits
        _deal(batch, (batch.hash % np.uint64(max(len(self.folds), 1))).astype(np.int64), self.folds)

    def merge(self, other: Self) -> None:
        for fold, its in zip(self.folds, other.folds, strict=True):
            fold.merge(its)

    def total(self) -> Accumulator:
        """Return all folds merged into a new accumulator."""
        return self._merged(self.folds)

    def without_each(self) -> list[Accumulator]:
        """Return, for each fold, all others merged."""
        return [self._merged(self.folds[:i] + self.folds[i + 1 :]) for i in range(len(self.folds))]

    def _merged(self, folds: list[Accumulator]) -> Accumulator:
        whole = folds[0].fresh()
        for fold in folds:
            whole.merge(fold)
        return whole


class Parts:
    """
    One accumulator for each part that a code by rank names, −1 for none: the groups of a column.

    Keeps `len(parts)` times what one keeps, and the codes.
    """

    def __init__(self, parts: list[Accumulator], codes: Index) -> None:
        self.parts, self.codes = parts, codes

    @classmethod
    def of(cls, empty: Accumulator, codes: Index, count: int) -> Self:
        """Return `count` empty parts made like `empty`, to be filled by `codes` [ranks]."""
        return cls([empty.fresh() for _ in range(count)], codes)

    @classmethod
    def empty(cls, context: Context, dx: int, dy: int) -> Self:
        return cls([], np.zeros(0, np.int64))

    def fresh(self) -> Self:
        return type(self)([part.fresh() for part in self.parts], self.codes)

    def update(self, batch: PairedBatch) -> None:
        if self.parts:
            _deal(batch, self.codes[batch.rank], self.parts)

    def merge(self, other: Self) -> None:
        for part, its in zip(self.parts, other.parts, strict=True):
            part.merge(its)


def _deal(batch: PairedBatch, code: Index, parts: list[Accumulator]) -> None:
    """Update each part with the rows of its code."""
    order = np.argsort(code, kind="stable")
    starts = np.searchsorted(code[order], np.arange(len(parts) + 1))
    for number, part in enumerate(parts):
        rows = order[starts[number] : starts[number + 1]]
        if len(rows):
            part.update(batch.take(rows))
