"""What ways make of anchors that were held out of them: the ranks of these anchors' own items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from relcli.arrays import Floats, on_grid, unit_rows
from relcli.evaluation.vias import Means, Way, make_via
from relcli.measures.relevance import first_ranks, reciprocal_ranks
from relcli.spaces.pairing import Ids, Index, Mask, hash_ids
from relcli.spaces.relative import Centering
from relcli.spaces.similarity import SIMILARITIES, Frame
from relcli.spaces.translation import Translation, fit_translation

#: Similarities that see one anchor at a time: without some anchors they are the same columns without some.
COLUMNWISE = ("cosine", "inner", "euclidean", "l1", "linf", "angular")

#: The depth of the neighbourhoods that CSLS takes its means over.
CSLS_NEIGHBOURS = 10

#: In so many parts the anchors are left out for a rough CSLS.
ROUGH_PARTS = 5

_BLOCK = 1024


def fold_numbers(ids: Ids, folds: int, *, seed: int = 0) -> Index:
    """Return the fold [a], 0 to folds − 1, of each anchor, dealt out in the order of hashed ids."""
    fold = np.empty(len(ids), np.int64)
    fold[np.lexsort((ids, hash_ids(ids, seed=seed + 0xF01D)))] = np.arange(len(ids)) % folds
    return fold


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
    _fitted: dict[tuple[str, bytes], Translation] = field(default_factory=dict, repr=False)

    def translation(self, method: str, held: Mask) -> Translation:
        """Return the map from x to y fitted on all anchors but those held out; each is fitted once."""
        key = method, held.tobytes()
        if key not in self._fitted:
            self._fitted[key] = fit_translation(self.x[~held], self.y[~held], method=method)
        return self._fitted[key]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """
    What ways that knew nothing of an anchor made of it, anchor by anchor [a].

    `greater` rows of the gallery score above its own, and `level` others as much. `lead` is what its own scores above
    the best of the others, in standard deviations of the anchor's scores.
    """

    greater: Index
    level: Index
    lead: Floats

    @property
    def reciprocal(self) -> Floats:
        """1 / rank [a], expected over ties."""
        return reciprocal_ranks(self.greater, self.level, np.ones_like(self.level))

    @property
    def merit(self) -> Floats:
        """The logarithm [a] of 1 / rank, the rank expected over ties: what ways are chosen by."""
        return np.asarray(-np.log(first_ranks(self.greater, self.level, np.ones_like(self.level))))


def held_out(ways: Sequence[Way], known: Known, *, rough: bool = False) -> list[HeldOut]:
    """
    Return what each of some ways makes of anchors in folds that it knew nothing of.

    The ways differ by CSLS alone, or each is a product of all members of the one before and more.

    Scores are cosines, or CSLS (Conneau et al. 2018, arXiv:1710.04087, eq. 4). A `rough` one takes off what was found
    among a few rows, by anchors that leave out the whole fifth that a fold is of.
    """
    carrier = _carrier(ways[-1], known)
    sizes = {len(way.parts) for way in ways}
    penalties: list[dict[int, Floats]] = []
    if rough:
        parts = range(min(ROUGH_PARTS, int(known.fold.max()) + 1))
        penalties = known.each(
            lambda part: carrier.without(known.fold % ROUGH_PARTS == part).penalties(known.near, known.depth, sizes),
            parts,
        )

    def tried(number: int) -> list[HeldOut]:
        held = known.fold == number
        carried, at = carrier.without(held), known.at[held]
        if rough:
            of_size = penalties[number % ROUGH_PARTS]
        elif any(way.csls for way in ways):
            of_size = carried.penalties(slice(None), CSLS_NEIGHBOURS, sizes)
        found = []
        for way in ways:
            scores = carried.scores(len(way.parts))
            found.append(_ranked(scores - of_size[len(way.parts)] if way.csls else scores, at))
        return found

    folds = known.each(tried, range(int(known.fold.max()) + 1))
    back = np.argsort(np.argsort(known.fold, kind="stable"), kind="stable")
    return [
        HeldOut(*(np.concatenate([getattr(fold[way], part) for fold in folds])[back] for part in _PARTS))
        for way in range(len(ways))
    ]


_PARTS = ("greater", "level", "lead")


def _ranked(scores: Floats, at: Index) -> HeldOut:
    """Return where the own items, in these columns [f], stand in scores [f, n]."""
    own = np.take_along_axis(scores, at[:, None], axis=1)
    others = scores.copy()
    np.put_along_axis(others, at[:, None], -np.inf, axis=1)
    spread = scores.std(axis=1)
    lead: Floats = (own[:, 0] - others.max(axis=1)) / np.where(spread > 0, spread, 1.0)
    return HeldOut((scores > own).sum(axis=1), (scores == own).sum(axis=1) - 1, lead)


@dataclass(frozen=True, eq=False)
class _Part:
    """What a way compares in a fold: held-out `queries` [f, w], a `gallery` [n, w] of unit rows, `rows` if asked."""

    queries: Floats
    gallery: Floats
    rows: Callable[[Any], Floats]


@dataclass(frozen=True, eq=False)
class _Fold:
    """What one fold compares: a part, or those of a product's members."""

    parts: Sequence[_Part]

    def scores(self, size: int) -> Floats:
        """Return the mean cosines [f, n] of the first parts, on the grid, so that copies of a row tie."""
        total = sum(unit_rows(part.queries) @ part.gallery.T for part in self.parts[:size])
        return on_grid(np.asarray(total) / size)

    def penalties(self, near: Index | slice, depth: int, sizes: Iterable[int]) -> dict[int, Floats]:
        """Return half the mean score [n] of each of the gallery with the best `depth` of some rows, for each size."""
        sides = [
            (part.gallery.astype(np.float32), unit_rows(part.rows(near)).astype(np.float32).T) for part in self.parts
        ]
        count = sides[0][1].shape[1]
        cut = count - min(depth, count)
        means: dict[int, list[Floats]] = {size: [] for size in sizes}
        for start in range(0, len(sides[0][0]), _BLOCK):
            total: Any = 0
            for size, (gallery, rows) in enumerate(sides, start=1):
                total = total + gallery[start : start + _BLOCK] @ rows
                if size in means:
                    best = np.partition(total, cut, axis=1)[:, cut:]
                    means[size].append(best.mean(axis=1, dtype=np.float64) / size)
        # float32 lets copies of a row differ by less than this
        return {size: np.rint(np.concatenate(parts) * 2.0**19) * 2.0**-20 for size, parts in means.items()}


class _Columns:
    """A similarity of one anchor at a time: computed once, and a fold's columns left out."""

    def __init__(self, way: Way, known: Known) -> None:
        self.sides = _centred(way, known)
        self.similarity = SIMILARITIES[way.detail]
        x, y, _, gallery = self.sides
        self.frame_x = Frame(x, exact=False)
        self.queries = self.similarity(x, self.frame_x)
        self.gallery = self.similarity(gallery, Frame(y, exact=False))

    @cached_property
    def rows(self) -> Floats:
        return self.similarity(self.sides[2], self.frame_x)

    def without(self, held: Mask) -> _Fold:
        kept = np.flatnonzero(~held)
        queries = self.queries[np.ix_(np.flatnonzero(held), kept)]
        return _Fold([_Part(queries, unit_rows(self.gallery[:, kept]), lambda near: self.rows[near][:, kept])])


class _Refitted:
    """Any other way that both sides go: made anew for each fold."""

    def __init__(self, way: Way, known: Known) -> None:
        self.way, self.known = way, known

    def without(self, held: Mask) -> _Fold:
        known = self.known
        via = make_via(self.way, known.x[~held], known.y[~held], means=known.means)
        gallery = unit_rows(via.y(known.gallery))
        return _Fold([_Part(via.x(known.x[held]), gallery, lambda near: via.x(known.rows[near]))])


class _Moved:
    """A translation, which moves x alone; centring comes after it, for it fits a shift of its own."""

    def __init__(self, way: Way, known: Known) -> None:
        self.way, self.known = way, known
        self.shift = known.means[1] if way.center else np.zeros(known.y.shape[1])
        self.gallery = unit_rows(known.gallery - self.shift)

    def without(self, held: Mask) -> _Fold:
        known = self.known
        moved = known.translation(self.way.detail, held)
        queries = moved(known.x[held]) - self.shift
        return _Fold([_Part(queries, self.gallery, lambda near: moved(known.rows[near]) - self.shift)])


class _Together:
    """A product of ways: what its members compare, side by side."""

    def __init__(self, way: Way, known: Known) -> None:
        self.members = [_carrier(member, known) for member in way.members]

    def without(self, held: Mask) -> _Fold:
        return _Fold([part for member in self.members for part in member.without(held).parts])


def _centred(way: Way, known: Known) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the anchors of x and of y, the rows and the gallery, centred where the way is."""
    sides = known.x, known.y, known.rows, known.gallery
    if not way.center:
        return sides
    x, y = map(Centering.of, known.means)
    return x(sides[0]), y(sides[1]), x(sides[2]), y(sides[3])


def _carrier(way: Way, known: Known) -> _Columns | _Refitted | _Moved | _Together:
    if way.members:
        return _Together(way, known)
    if way.kind == "translate":
        return _Moved(way, known)
    return _Columns(way, known) if by_column(way) else _Refitted(way, known)


def by_column(way: Way) -> bool:
    """Return whether a way without some anchors has the columns it has with them, less theirs."""
    return way.kind == "relative" and way.detail in COLUMNWISE and way.quantize is None and way.sparse is None
