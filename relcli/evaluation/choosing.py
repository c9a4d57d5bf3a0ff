"""Which way suits two spaces: each is tried on anchors that were held out of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from relcli.arrays import Floats, one_blas_thread
from relcli.engines.engine import Engine
from relcli.errors import AnchorError, UsageError, first_few
from relcli.evaluation.carriers import Carrier, Known
from relcli.evaluation.heldout import CSLS_NEIGHBOURS, LEAD_ROWS, HeldOut, carriers_of, fold_numbers, held_out
from relcli.evaluation.heldout_heads import Learnt, Ridge, fitted_log_likelihood, held_out_decisions
from relcli.evaluation.vias import ADDITIONS, Means, Way, parse_way, product_of
from relcli.reports.recommendation import MEASURES, Choice, Trial
from relcli.spaces.anchors import Anchors
from relcli.spaces.gallery import Gallery
from relcli.spaces.pairing import Ids, Index, hash_ids

#: What is tried where nothing else is named.
RETRIEVING = (
    "relative",
    "relative+center",
    "relative:angular",
    "relative:euclidean",
    "relative:l1",
    "translate:ortho",
    "translate:ortho+center",
    "translate:l-ortho",
    "translate:l-ortho+center",
    "translate:ridge",
    "translate:ridge+center",
    "translate:linear+center",
    "translate:inverse-relative+center",
)
STITCHING = (
    "relative",
    "relative+center",
    "relative:angular+center",
    "relative:euclidean",
    "relative:l1",
    "relative:inner+center",
    "translate:ortho",
    "translate:l-ortho",
    "translate:ridge",
    "translate:linear",
    "translate:inverse-relative",
)

#: How many ways are tried by CSLS in earnest, which costs more than all the rest: those that are best by a rough one,
#: with so many rows to seek neighbours among.
CSLS_TRIED, ROUGH_ROWS = 4, 1000

#: How many of the best ways go into the largest product that is tried, and into the largest that is favoured.
MEMBERS, FAVOURED = 4, 3

FOLDS, LEAST_ANCHORS = 10, 10

#: Up to this many rows of either space all are searched; above it a sample of that many, by hashed id.
ROWS = 10_000


@dataclass(frozen=True)
class Tried:
    """
    How one way did on each held-out anchor: `values` [a] are what a reader knows, `merit` [a] what ways are chosen by.

    `back` [a] are the values of the way back, where it was gone; `ranks` those of retrieval.
    """

    way: Way
    values: Floats
    seconds: float
    merit: Floats
    ranks: HeldOut | None = None
    back: Floats | None = None

    @property
    def score(self) -> float:
        """The mean of the values."""
        return float(self.values.mean())

    @property
    def worth(self) -> float:
        """The mean merit, rounded so that the order of a sum does not part ways."""
        return round(float(self.merit.mean()), 12)

    @property
    def lead(self) -> float:
        """What parts ways of equal scores: the mean lead of the ranks."""
        if self.ranks is None or self.ranks.lead is None:
            return 0.0
        return round(float(self.ranks.lead.mean()), 9)


def best_of(found: Sequence[Tried]) -> Tried:
    """
    Return the way that is chosen: that of the highest mean merit, or a product within a standard error of it.

    A mean over several ways varies less than each does, which the anchors are too few to show. So of ways that they
    cannot tell apart the largest product is taken, as the one-standard-error rule takes the simplest (Breiman et al.
    1984): one of FAVOURED members at the most, a larger has to be the best itself. Where a single way makes nothing
    wrong it is taken; of level ones that of the largest lead.
    """
    top = max(found, key=_rank)
    exact = [one for one in found if not one.merit.any() and not one.way.members]
    if exact:
        return max(exact, key=_rank)
    near = [one for one in found if top.worth - one.worth <= _standard_error(top.merit - one.merit)]
    level = [one for one in near if len(one.way.parts) <= FAVOURED or one is top]
    return max(level, key=lambda one: (len(one.way.parts), *_rank(one)))


def _rank(one: Tried) -> tuple[float, float]:
    return one.worth, one.lead


def products_of(found: Sequence[Tried]) -> list[Way]:
    """
    Return the products of the best two, three … MEMBERS single ways, all with CSLS or all without, as the best is.

    There are none where a single way makes nothing wrong.
    """
    if any(not one.merit.any() for one in found):
        return []
    singles = sorted((one for one in found if not one.way.members), key=_rank, reverse=True)
    ways = [one.way for one in singles if one.way.csls == singles[0].way.csls][:MEMBERS]
    return [product_of(ways[:count]) for count in range(2, len(ways) + 1)]


Step = Callable[[int], None] | None


def try_retrieving(
    ways: Sequence[Way],
    known: Known,
    back: Known | None = None,
    *,
    csls: bool = True,
    products: bool = True,
    step: Step = None,
) -> list[Tried]:
    """
    Return how each way ranks held-out anchors' own; `back` is what is known from y to x.

    With `csls` the CSLS_TRIED ways that a rough CSLS does best by are tried by CSLS too, and with `products` the best
    ways together.
    """
    found, rough = list[Tried](), dict[Way, HeldOut]()
    for way in ways:
        again = replace(way, csls=True)
        carriers = carriers_of((way,), known)
        if way.csls or not csls or again in ways:
            tried = _tried((way,), known, carriers)
        else:
            begun = time.perf_counter()
            plain, rough[again] = held_out((way, again), known, rough=True, carriers=carriers)
            tried = _told((way,), (plain,), begun)
        found += _returned(tried, back, carriers)
        if step:
            step(1)
    best = sorted(rough, key=lambda way: -round(float(rough[way].merit.mean()), 12))[:CSLS_TRIED]
    carriers = carriers_of(best, known)
    # which products are wanted is not known yet: with the cosines of their members there, all of them cost little
    several = [product_of(some) for count in range(2, MEMBERS + 1) for some in combinations(best, count)]
    tried = _tried([*best, *(several if products else ())], known, carriers)
    found = _settled([*found, *tried[: len(best)]], known)
    if step:
        step(len(best))
    together = [way for way in products_of(found) if way not in ways] if products else []
    of_members = {frozenset(one.way.members): one for one in tried[len(best) :]}
    for way in together:
        if way.csls and frozenset(way.members) in of_members:
            found.append(replace(of_members[frozenset(way.members)], way=way))
        else:
            found += _tried((way,), known, carriers_of((way,), known))
    found = _settled(found, known)
    only_there = [one for one in found if one.back is None]
    carriers |= carriers_of([one.way for one in only_there], known, but=carriers)
    returned = {one.way: one for one in _returned(only_there, back, carriers)}
    if step:
        step(MEMBERS - 1)
    return [returned.get(one.way, one) for one in found]


def tries(ways: int) -> int:
    """Return how many steps trying so many ways takes at the most."""
    return ways + CSLS_TRIED + MEMBERS - 1


def _tried(ways: Sequence[Way], known: Known, carriers: Mapping[Way, Carrier]) -> list[Tried]:
    """Return how each of some ways does; what they have in common is computed once."""
    begun = time.perf_counter()
    return _told(ways, held_out(ways, known, leads="some", carriers=carriers) if ways else (), begun)


def _told(ways: Sequence[Way], ranks: Sequence[HeldOut], begun: float) -> list[Tried]:
    seconds = (time.perf_counter() - begun) / max(len(ways), 1)
    return [Tried(way, one.reciprocal, seconds, one.merit, one) for way, one in zip(ways, ranks, strict=True)]


def _returned(tried: Sequence[Tried], back: Known | None, carriers: Mapping[Way, Carrier]) -> list[Tried]:
    """Return the same ways with what they make of the way back, where it is gone."""
    if back is None or not tried:
        return list(tried)
    begun = time.perf_counter()
    turned = {way: carrier.turned(back) for way, carrier in carriers.items()}
    ranks = held_out([one.way for one in tried], back, leads="none", carriers=turned)
    seconds = (time.perf_counter() - begun) / len(tried)
    return [
        replace(one, back=of_back.reciprocal, seconds=one.seconds + seconds)
        for one, of_back in zip(tried, ranks, strict=True)
    ]


def _settled(found: Sequence[Tried], known: Known) -> list[Tried]:
    """Return what was found, with leads computed from all rows wherever they decide between ways of one merit."""
    worths = [one.worth for one in found]
    level = [one.way for one in found if one.way.csls and worths.count(one.worth) > 1]
    if not level or len(known.gallery) <= LEAD_ROWS:
        return list(found)
    ranks = dict(zip(level, held_out(level, known), strict=True))
    return [replace(one, ranks=ranks.get(one.way, one.ranks)) for one in found]


def try_stitching(ways: Sequence[Way], learnt: Learnt, *, step: Step = None) -> list[Tried]:
    """Return, for each way, what ridge heads trained on x without an anchor make of it from y."""
    straight: dict[int, Ridge] = {}
    found = []
    for way in ways:
        begun = time.perf_counter()
        decisions = held_out_decisions(way, learnt, straight)
        hits = (np.argmax(decisions, axis=1) == learnt.known).astype(np.float64)
        merit = fitted_log_likelihood(decisions, learnt.known)
        found.append(Tried(way, hits, time.perf_counter() - begun, merit=merit))
        if step:
            step(1)
    return found


def folds_for(anchors: int, wanted: int) -> int:
    """Return how many folds to make of the anchors, or raise AnchorError where there are too few to tell ways apart."""
    if anchors < LEAST_ANCHORS:
        raise AnchorError(
            f"{anchors:,} anchors are too few to choose a way by: some are held out in turn, and fewer than "
            f"{LEAST_ANCHORS} tell nothing. List more anchors, or name the way with --via."
        )
    return min(wanted, anchors)


def choice_of(
    purpose: str,
    found: Sequence[Tried],
    known: Known | Learnt,
    *,
    chance: float,
    seed: int,
    rows: tuple[int, int],
    seconds: float,
) -> Choice:
    """Return what is chosen from the ways tried, as a report tells it; `rows` were used, of so many."""
    best, top = best_of(found), max(found, key=_rank)
    count = len(best.values)
    trials = [
        Trial(
            one.way.name,
            one.score,
            _standard_error(one.values),
            one.worth,
            top.worth - one.worth,
            _standard_error(top.merit - one.merit),
            one.lead,
            None if one.back is None else float(one.back.mean()),
            one.seconds,
        )
        for one in sorted(found, key=_rank, reverse=True)
    ]
    arrays = [array for array in vars(known).values() if isinstance(array, np.ndarray) and array.ndim == 2]
    return Choice(
        purpose=purpose,
        measure=MEASURES[purpose],
        chance=chance,
        via=best.way.name,
        flags=flags_of(best.way, purpose),
        anchors=count,
        folds=int(known.fold.max()) + 1,
        seed=seed,
        rows={"used": rows[0], "of": rows[1]},
        bytes=sum(array.nbytes for array in arrays),
        seconds=seconds,
        trials=tuple(trials),
    )


def flags_of(way: Way, purpose: str) -> str:
    """Return how to ask for a way."""
    if purpose == "retrieval":
        return f"--via {way.name}"
    if way.kind == "translate":
        return f"--translate {way.detail}"
    return f"--similarity {way.detail}{'+center' if way.center else ''}"


def _standard_error(values: Floats) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def choose_retrieval(
    rows: Gallery,
    gallery: Gallery,
    frame: Anchors,
    means: Means,
    ways: Sequence[Way],
    *,
    folds: int = FOLDS,
    seed: int = 0,
    csls: bool = True,
    products: bool = True,
    both: bool = False,
    engine: Engine,
    step: Step = None,
) -> tuple[Choice, list[str]]:
    """
    Return the way that finds held-out anchors best in the gallery [n, dy], from x to y, and notes.

    No row but the anchors is known to be anyone's partner. `rows` [s, dx] are those of x, `both` also goes from y to x.
    Keeps up to ROWS rows of either space. `engine` works at the folds: equal inputs choose alike, whatever the
    number of its workers.
    """
    begun = time.perf_counter()
    fold = fold_numbers(frame.x_ids, folds_for(len(frame), folds), seed=seed)
    some_x, some_y = _sampled(rows, frame.x_ids, seed), _sampled(gallery, frame.y_ids, seed)
    vectors_x, vectors_y = (some.batch(slice(0, len(some))).vectors for some in (some_x, some_y))
    at_x, at_y = some_x.find(frame.x_ids), some_y.find(frame.y_ids)
    lost = (at_x < 0) | (at_y < 0)
    if lost.any():
        raise AnchorError(
            f"{int(lost.sum()):,} anchors are no rows to be found, for they were left out: "
            f"{first_few(list(frame.x_ids[lost]))}. Take them off the list, or mend their rows."
        )
    near = neighbours(some_x.ids, seed=seed)
    known = Known(frame.x, frame.y, fold, vectors_y, at_y, vectors_x, *near, means, engine.map)
    back = None
    if both:
        near = neighbours(some_y.ids, seed=seed)
        back = Known(frame.y, frame.x, fold, vectors_x, at_x, vectors_y, *near, (means[1], means[0]), engine.map)
    with one_blas_thread():
        found = try_retrieving(ways, known, back, csls=csls, products=products, step=step)
    taken = time.perf_counter() - begun
    chance = float((1 / np.arange(1, len(some_y) + 1)).mean())
    used = len(some_y), len(gallery)
    choice = choice_of("retrieval", found, known, chance=chance, seed=seed, rows=used, seconds=taken)
    notes = [
        f"ways were tried on {len(some):,} of {len(every):,} rows of {every.space.name}, the anchors and those "
        "with the smallest hashed ids: scores are higher than over all rows"
        for some, every in ((some_x, rows), (some_y, gallery))
        if len(some) < len(every)
    ]
    return choice, notes


def neighbours(ids: Ids, *, seed: int = 0) -> tuple[Index, int]:
    """Return where up to ROUGH_ROWS of the rows stand, those with the smallest hashed ids, and how many are near."""
    chosen = np.lexsort((ids, hash_ids(ids, seed=seed + 0xCA11)))[:ROUGH_ROWS]
    return np.sort(chosen), max(1, round(CSLS_NEIGHBOURS * len(chosen) / len(ids)))


def _sampled(rows: Gallery, anchors: Ids, seed: int) -> Gallery:
    """Return the rows, or of more than ROWS the anchors and those with the smallest hashed ids."""
    if len(rows) <= ROWS:
        return rows
    hashed = hash_ids(rows.ids, seed=seed + 0xCA11).astype(np.float64)
    hashed[rows.find(anchors)] = -1.0
    return rows.take(np.sort(np.lexsort((rows.ids, hashed))[:ROWS]))


def choose_stitching(learnt: Learnt, ways: Sequence[Way], *, of: int, seed: int = 0, step: Step = None) -> Choice:
    """Return the way by which heads of x know held-out anchors best from y; `of` is how many rows x has."""
    begun = time.perf_counter()
    with one_blas_thread():
        found = try_stitching(ways, learnt, step=step)
    taken = time.perf_counter() - begun
    chance = float(np.bincount(learnt.known).max() / len(learnt.known))
    used = len(learnt.rows), of
    return choice_of("stitching", found, learnt, chance=chance, seed=seed, rows=used, seconds=taken)


def parse_candidates(texts: Sequence[str] | None, purpose: str) -> list[Way]:
    """Return the ways to try: those that are named, or the usual ones for the purpose."""
    usual = RETRIEVING if purpose == "retrieval" else STITCHING
    ways = dict.fromkeys(
        parse_way(text, additions=ADDITIONS, products=True, flag="--candidates") for text in texts or usual
    )
    for way in ways if purpose == "stitching" else ():
        if way.members or way.csls or way.kind == "absolute" or (way.kind == "translate" and way.center):
            raise UsageError(
                f"--candidates {way.name} is no way to stitch by: heads see relative vectors, or y translated "
                "as it is. Name relative:SIMILARITY, relative:SIMILARITY+center or translate:METHOD, or choose with "
                "--for retrieval alone."
            )
    return list(ways)
