"""What ways make of anchors that were held out of them: the ranks of these anchors' own items."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from relcli.arrays import Floats, on_grid
from relcli.evaluation.carriers import Carrier, Known, Moved, Part, carrier_of
from relcli.evaluation.nearest import Nearest, Sum
from relcli.evaluation.vias import Way
from relcli.measures.relevance import first_ranks, reciprocal_ranks
from relcli.spaces.pairing import Ids, Index, Mask, hash_ids

#: The depth of the neighbourhoods that CSLS takes its means over.
CSLS_NEIGHBOURS = 10

#: In so many parts the anchors are left out for a rough CSLS.
ROUGH_PARTS = 5


def fold_numbers(ids: Ids, folds: int, *, seed: int = 0) -> Index:
    """Return the fold [a], 0 to folds − 1, of each anchor, dealt out in the order of hashed ids."""
    fold = np.empty(len(ids), np.int64)
    fold[np.lexsort((ids, hash_ids(ids, seed=seed + 0xF01D)))] = np.arange(len(ids)) % folds
    return fold


@dataclass(frozen=True, eq=False)
class HeldOut:
    """
    What ways that knew nothing of an anchor made of it, anchor by anchor [a].

    `greater` rows of the gallery score above its own, and `level` others as much. `lead`, where it was asked for, is
    what its own scores above the best of the others, in standard deviations of the anchor's scores.
    """

    greater: Index
    level: Index
    lead: Floats | None = None

    @property
    def reciprocal(self) -> Floats:
        """1 / rank [a], expected over ties."""
        return reciprocal_ranks(self.greater, self.level, np.ones_like(self.level))

    @property
    def merit(self) -> Floats:
        """The logarithm [a] of 1 / rank, the rank expected over ties: what ways are chosen by."""
        return np.asarray(-np.log(first_ranks(self.greater, self.level, np.ones_like(self.level))))


def carriers_of(ways: Sequence[Way], known: Known, *, but: Collection[Way] = ()) -> dict[Way, Carrier]:
    """Return what each way, and each member of a product, makes of what is known, but for those that are there."""
    parts = dict.fromkeys(part for way in ways for part in _parts(way))
    return {part: carrier_of(part, known) for part in parts if part not in but}


#: Over so many rows of the gallery CSLS's leads take the deviation where they decide nothing.
LEAD_ROWS = 250


def held_out(
    ways: Sequence[Way],
    known: Known,
    *,
    rough: bool = False,
    leads: str = "all",
    carriers: Mapping[Way, Carrier] | None = None,
) -> list[HeldOut]:
    """
    Return what each of some ways makes of anchors in folds that it knew nothing of.

    Scores are cosines, or CSLS (Conneau et al. 2018, arXiv:1710.04087, eq. 4); what ways have in common is computed
    once. A `rough` CSLS takes off what was found among a few rows, by anchors that leave out the whole fifth that a
    fold is of, and tells no lead.

    Ranks hang on the rows alone that may score as an anchor's own, and CSLS looks for the neighbours of these; with
    `leads` "all" for those of all rows, which is nearly all of the work. "some" looks for those of LEAD_ROWS beside,
    and takes deviations over them; "none" tells no lead.
    """
    carriers = carriers or carriers_of(ways, known)
    parts = list(dict.fromkeys(part for way in ways for part in _parts(way)))
    sums: dict[Way, Sum] = {way: tuple(parts.index(part) for part in _parts(way)) for way in ways}
    penalized = {sums[way] for way in ways if way.csls}
    size = len(known.gallery)
    some = None if leads == "none" else np.unique(np.linspace(0, size - 1, LEAD_ROWS).astype(np.int64))
    everywhere = leads == "all" or (some is not None and len(some) == size)
    over = slice(None) if everywhere else some

    def fold(held: Mask, near: Index | slice) -> list[Part]:
        moved: Moved = {}
        return [carriers[part].without(held, near, moved) for part in parts]

    def around(part: int) -> Mapping[Sum, Floats]:
        held = known.fold % ROUGH_PARTS == part
        nearest = Nearest([one.side for one in fold(held, known.near)], known.depth)
        return nearest.means(dict.fromkeys(penalized, nearest.everyone))

    count = int(known.fold.max()) + 1
    roughly = known.each(around, range(min(ROUGH_PARTS, count))) if rough else []

    def penalties(compared: Sequence[Part], scores: Mapping[Sum, Floats], at: Index) -> Mapping[Sum, Floats]:
        nearest = Nearest([part.side for part in compared], CSLS_NEIGHBOURS)
        if everywhere:
            return nearest.means(dict.fromkeys(penalized, nearest.everyone))
        return nearest.of_rivals({one: scores[one] for one in penalized}, at, some)

    def tried(number: int) -> list[HeldOut]:
        held = known.fold == number
        compared, at = fold(held, slice(None)), known.at[held]
        cosines = [part.cosines() for part in compared]
        scores = {one: _mean([cosines[part] for part in one]) for one in set(sums.values())}
        less: Mapping[Sum, Floats] = {}
        if penalized:
            less = roughly[number % ROUGH_PARTS] if rough else penalties(compared, scores, at)
        found = []
        for way in ways:
            one = sums[way]
            if way.csls:
                found.append(_ranked(scores[one] - less[one], at, over=None if rough else over))
            else:
                found.append(_ranked(scores[one], at, over=None if leads == "none" else slice(None)))
        return found

    folds = known.each(tried, range(count))
    back = np.argsort(np.argsort(known.fold, kind="stable"), kind="stable")
    return [_joined([fold[way] for fold in folds], back) for way in range(len(ways))]


def _mean(cosines: Sequence[Floats]) -> Floats:
    """Return the mean [f, n] of cosines, on the grid, so that copies of a row tie."""
    return on_grid(np.asarray(sum(cosines)) / len(cosines))


def _parts(way: Way) -> Sequence[Way]:
    """Return the ways whose cosines it takes the mean of."""
    return [replace(part, csls=False) for part in way.parts]


def _ranked(scores: Floats, at: Index, *, over: Index | slice | None) -> HeldOut:
    """Return where the own items, in these columns [f], stand in scores [f, n]; leads in deviations `over` columns."""
    own = np.take_along_axis(scores, at[:, None], axis=1)
    found = HeldOut((scores > own).sum(axis=1), (scores == own).sum(axis=1) - 1)
    if over is None:
        return found
    deviation = scores[:, over].std(axis=1)
    others = scores.copy()
    np.put_along_axis(others, at[:, None], -np.inf, axis=1)
    return replace(found, lead=(own[:, 0] - others.max(axis=1)) / np.where(deviation > 0, deviation, 1.0))


def _joined(folds: Sequence[HeldOut], order: Index) -> HeldOut:
    """Return what the folds made of their anchors, in the order of the anchors."""
    leads = [fold.lead for fold in folds if fold.lead is not None]
    return HeldOut(
        np.concatenate([fold.greater for fold in folds])[order],
        np.concatenate([fold.level for fold in folds])[order],
        np.concatenate(leads)[order] if leads else None,
    )
