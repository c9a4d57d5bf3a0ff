"""What ways compare where some anchors are held out of them: who may be asked, who may be found, and who is near."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from relcli.arrays import Floats, row_norms, unit_rows
from relcli.evaluation.nearest import Floats32, Side
from relcli.evaluation.vias import Means, Way, make_via
from relcli.spaces.pairing import Index, Mask
from relcli.spaces.similarity import SIMILARITIES, Frame
from relcli.spaces.translation import Fits, Translation

#: Similarities that see one anchor at a time: without some anchors they are the same columns without some.
COLUMNWISE = ("cosine", "inner", "euclidean", "l1", "linf", "angular")

#: Applies a function to each item and returns what it makes of them, in order.
Each = Callable[[Callable[[int], Any], Iterable[int]], list[Any]]


def _one_by_one(work: Callable[[int], Any], items: Iterable[int]) -> list[Any]:
    return [work(item) for item in items]


@dataclass(frozen=True, eq=False)
class Known:
    """
    All that a choice may look at on the way from x to y.

    Anchors `x` [a, dx] and `y` [a, dy] are pairs, each with its `fold` [a]. `gallery` [n, dy] are rows of y with the
    anchors at `at` [a], and `rows` [s, dx] rows of x, the neighbours for CSLS: who pairs with whom there is not known.
    `near` [r] are those of them among which a rough CSLS seeks `depth`. `each` goes through the folds, which do not
    depend on one another: by several threads, say.
    """

    x: Floats
    y: Floats
    fold: Index
    gallery: Floats
    at: Index
    rows: Floats
    near: Index
    depth: int
    means: Means
    each: Each = _one_by_one
    _fits: dict[bytes, Fits] = field(default_factory=dict, repr=False)

    def translation(self, method: str, held: Mask) -> Translation:
        """Return the map from x to y fitted on all anchors but those held out; each is fitted once."""
        key = held.tobytes()
        if key not in self._fits:
            self._fits[key] = Fits(self.x[~held], self.y[~held])
        return self._fits[key].by(method)


@dataclass(frozen=True, eq=False)
class Part:
    """
    What a way compares in a fold: held-out `queries` [f, w] with `gallery` [n, w], whose rows have these `lengths` [n].

    The rows have length 1 where none are given. `side` is what CSLS compares: the gallery and rows near it.
    """

    queries: Floats
    gallery: Floats
    lengths: Floats | None
    side: Side

    def cosines(self) -> Floats:
        """Return the cosines [f, n] of queries and gallery."""
        cosines: Floats = unit_rows(self.queries) @ self.gallery.T
        if self.lengths is not None:
            cosines /= self.lengths
        return cosines


#: Rows of x that were moved in a fold, by the method: ways of one method share them.
Moved = dict[str, Floats]


class Carrier(Protocol):
    """What a way makes of what is known."""

    def without(self, held: Mask, near: Index | slice, moved: Moved) -> Part:
        """Return what is compared in the fold of those anchors, by the other ones; `near` are rows of x."""
        ...

    def turned(self, back: Known) -> Carrier:
        """Return the same for the way back."""
        ...


def carrier_of(way: Way, known: Known) -> Carrier:
    """Return what a way, which is no product, makes of what is known."""
    if way.kind == "translate":
        return _Translated(way, known)
    return _Columns.of(way, known) if by_column(way) else _Refitted(way, known)


def by_column(way: Way) -> bool:
    """Return whether a way without some anchors has the columns it has with them, less theirs."""
    return way.kind == "relative" and way.detail in COLUMNWISE and way.quantize is None and way.sparse is None


class _Related:
    """Similarities of rows [n, w] to the anchors of their own space, as unit rows, and of the anchors to each other."""

    def __init__(self, way: Way, anchors: Floats, rows: Floats, mean: Floats) -> None:
        shift = mean if way.center else np.zeros(len(mean))
        self._similarity, self._rows, self._shift = SIMILARITIES[way.detail], rows, shift
        self._anchors = anchors - shift
        self._frame = Frame(self._anchors, exact=False)

    @cached_property
    def anchors(self) -> Floats:
        """Those of the anchors [a, a]."""
        return self._similarity(self._anchors, self._frame)

    @cached_property
    def rows(self) -> Floats:
        """Those of the rows, as unit rows."""
        return unit_rows(self._similarity(self._rows - self._shift, self._frame))

    @cached_property
    def rows32(self) -> Floats32:
        """The same in float32."""
        return self.rows.astype(np.float32)

    def lengths(self, held: Mask) -> Floats:
        """Return what length [n] the rows have without the anchors held out; 1 where they have none."""
        squares = 1 - row_norms(self.rows[:, held]) ** 2
        # a difference has lost digits where little is left
        few = np.flatnonzero(squares < 0.25)
        squares[few] = row_norms(self.rows[few][:, ~held]) ** 2
        return np.sqrt(np.where(squares > 0, squares, 1.0))

    def without(self, held: Mask, some: Index | slice) -> Floats32:
        """Return some of the rows in float32, without the anchors held out and of length 1."""
        rows = self.rows32[some] * np.where(held, np.float32(0), np.float32(1))
        rows *= 1 / self.lengths(held)[some, None]
        return rows


@dataclass(frozen=True)
class _Columns:
    """A similarity of one anchor at a time: computed once, and a fold's columns left out."""

    x: _Related
    y: _Related

    @classmethod
    def of(cls, way: Way, known: Known) -> _Columns:
        return cls(
            _Related(way, known.x, known.rows, known.means[0]), _Related(way, known.y, known.gallery, known.means[1])
        )

    def without(self, held: Mask, near: Index | slice, moved: Moved) -> Part:
        lengths = self.y.lengths(held)
        queries = np.where(held, 0.0, self.x.anchors[held])
        side = Side(lambda: self.y.rows32, 1 / lengths, lambda: self.x.without(held, near))
        return Part(queries, self.y.rows, lengths, side)

    def turned(self, back: Known) -> _Columns:
        return _Columns(self.y, self.x)


class _Refitted:
    """Any other way that both sides go: made anew for each fold."""

    def __init__(self, way: Way, known: Known) -> None:
        self.way, self.known = way, known

    def without(self, held: Mask, near: Index | slice, moved: Moved) -> Part:
        known = self.known
        via = make_via(self.way, known.x[~held], known.y[~held], means=known.means)
        gallery = unit_rows(via.y(known.gallery))
        side = Side(lambda: gallery.astype(np.float32), None, lambda: _unit32(via.x(known.rows[near])))
        return Part(via.x(known.x[held]), gallery, None, side)

    def turned(self, back: Known) -> _Refitted:
        return _Refitted(self.way, back)


class _Translated:
    """A translation, which moves x alone; centring comes after it, for it fits a shift of its own."""

    def __init__(self, way: Way, known: Known) -> None:
        self.way, self.known = way, known
        self.shift = known.means[1] if way.center else np.zeros(known.y.shape[1])
        self.gallery = unit_rows(known.gallery - self.shift)

    @cached_property
    def gallery32(self) -> Floats32:
        return self.gallery.astype(np.float32)

    def without(self, held: Mask, near: Index | slice, moved: Moved) -> Part:
        known, method = self.known, self.way.detail
        move = known.translation(method, held)

        def rows() -> Floats32:
            if method not in moved:
                moved[method] = move(known.rows[near])
            return _unit32(moved[method] - self.shift)

        return Part(move(known.x[held]) - self.shift, self.gallery, None, Side(lambda: self.gallery32, None, rows))

    def turned(self, back: Known) -> _Translated:
        return _Translated(self.way, back)


def _unit32(rows: Floats) -> Floats32:
    norms = row_norms(rows)
    return np.divide(rows, np.where(norms > 0, norms, 1.0)[:, None], dtype=np.float64).astype(np.float32)
