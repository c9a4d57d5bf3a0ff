"""Pairs of rows found without anchors, or grown from a few: what `relcli match` does without them, or with seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from relcli._version import versions
from relcli.arrays import Floats, row_norms
from relcli.engines.engine import Progress
from relcli.errors import AnchorError, DataError, JoinError, UsageError, VectorError, first_few
from relcli.evaluation import discovery
from relcli.evaluation.assigning import MATCHING, RECALL, held_out, matching_figures, shuffled
from relcli.evaluation.policies import check_policies, policies_of
from relcli.evaluation.vias import parse_way
from relcli.measures.interval import LEVEL, rate_interval
from relcli.measures.matching import MOST
from relcli.reports.report import Interval, Report, Score
from relcli.spaces.anchors import AnchorChoice, AnchorList, Anchors, choose_anchors, rows_of, settle_anchors
from relcli.spaces.pairing import Ids, Index, Mask, PairedSpaces, first_notes, unique_rows
from relcli.spaces.relative import anchor_facts, check_same_frame
from relcli.spaces.space import Space

#: Pairs that serve as anchors, the most confident ones, and rows of a side that are searched.
ANCHORS, SAMPLE = 300, 5000

#: Rows of a side below which nothing can be found, and beyond which n·n' similarities no longer fit.
FEWEST, LARGEST = 20, 20_000

#: Rows read at a time.
_BATCH = 4096

EXPERIMENTAL = "experimental"


@dataclass(frozen=True)
class Options:
    """
    How to discover pairs: among `sample` rows a side, the `anchors` most confident of which serve as anchors.

    `shared_only` leaves out rows that the other side lacks, which tells the search more than it could know.
    The other fields are as in `match`; `via` names the ways to match held-out rows by.
    """

    via: tuple[str, ...] | None = None
    queries: int | None = None
    center: bool = False
    anchors: int = ANCHORS
    sample: int = SAMPLE
    shared_only: bool = False
    seed: int = 0
    on_duplicate: str = "error"
    on_bad: str = "error"
    missing_anchors: str = "error"
    strict: bool = False

    def __post_init__(self) -> None:
        names = ("relative", "translate:ortho") if self.via is None else (parse_way(text).name for text in self.via)
        object.__setattr__(self, "via", tuple(dict.fromkeys(names)))
        if self.queries is not None and not 2 <= self.queries <= MOST:
            raise UsageError(
                f"--queries {self.queries:,} cannot be matched: an assignment takes 2 to {MOST:,} rows. Ask for fewer."
            )
        if not FEWEST <= self.sample <= LARGEST:
            raise UsageError(
                f"--sample {self.sample:,} is no number of rows to search: it keeps a similarity for every two of "
                f"them. Give {FEWEST} to {LARGEST:,}."
            )
        if self.anchors < 3:
            raise UsageError(f"--bootstrap {self.anchors:,} is too small: ask for 3 pairs or more.")
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed} is too small: it is 0 or more.")
        check_policies(self)


@dataclass(frozen=True)
class Side:
    """The rows of a space that are searched: their numbers [n] in an order that tells nothing, and vectors [n, d]."""

    space: Space
    rows: Index
    vectors: Floats
    available: int
    copies: int
    bad: Index

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ids(self) -> Ids:
        """The ids [n], for what is told of the rows: no search sees them."""
        return self.space.ids[self.rows]

    def places(self, rows: Index) -> Index:
        """Return where rows of the space stand among these, −1 for those that do not."""
        place = np.full(len(self.space), -1, np.int64)
        place[self.rows] = np.arange(len(self.rows))
        return place[rows]


def discover(
    x: Space,
    y: Space,
    seeds: AnchorList | AnchorChoice | None,
    options: Options,
    *,
    pairs: tuple[Ids, Ids] | None = None,
    write: Callable[[dict[str, np.ndarray]], None] | None = None,
    progress: Callable[[str, int], Progress] | None = None,
) -> Report:
    """
    Return which rows of x [n, dx] and y [n', dy] belong together, found from the rows alone or grown from `seeds`.

    No search sees an id or the order of a file: rows are sampled and ordered by a hash of their own numbers,
    each side by another. Ids serve to say which rows were found, and, where both sides share them, to measure how
    many of the pairs are right and how well held-out rows are matched by them. `write` is given the table of
    pairs. Keeps about 6·n·n' float32 numbers.
    """
    check_same_frame(x, y)
    joined, unknown = _joined(x, y, pairs, options)
    given = _seeds(x, y, joined, seeds, options) if seeds is not None else None
    keep = (joined.rows_x, joined.rows_y) if joined is not None and options.shared_only else (None, None)
    if options.shared_only and joined is None:
        raise JoinError(f"--shared-only needs rows that both sides are known to have. {unknown}")
    fixed = (rows_of(x, given.x_ids), rows_of(y, given.y_ids)) if given else (None, None)
    sides = _side(x, keep[0], fixed[0], options, 0), _side(y, keep[1], fixed[1], options, 1)
    told = progress and progress("searching for pairs", discovery.ROUNDS)
    stages: list[discovery.Pairs] = []
    starts: list[dict[str, float]] = []
    if given is None or fixed[0] is None or fixed[1] is None:
        found, starts = discovery.discover(sides[0].vectors, sides[1].vectors, seed=options.seed, told=told)
    else:
        known = sides[0].places(fixed[0]), sides[1].places(fixed[1])
        found, stages = discovery.grow(
            sides[0].vectors, sides[1].vectors, known, options.anchors, seed=options.seed, told=told
        )
    if len(found) < 2:
        raise DataError(
            f"{len(found)} pairs were found among {len(sides[0]):,} rows of {x.name} and {len(sides[1]):,} of "
            f"{y.name}: nothing can be made of so few. Give anchors with --anchors."
        )
    if write:
        write(_table(sides, found))
    frame = _frame(sides, found, options, grown=given is not None)
    truth = _truth(sides, joined)
    scores = [] if truth is None or joined is None else _measured(sides, found, truth, given, joined, options)
    told_stages = [_stage(stage, given, truth) for stage in stages]
    notes = _notes(sides, found, told_stages, frame, joined, unknown, options, given)
    if joined is not None and truth is not None:
        more, trouble = _matched(sides, joined, frame, given, options)
        scores, notes = scores + more, notes + trouble
    source = AnchorList(frame.x_ids, frame.y_ids, "discovered pairs")
    right = None if truth is None else truth[found.x] == found.y
    return Report(
        command="match",
        x=x.facts(),
        y=y.facts(),
        join=joined.facts(len(joined)) if joined is not None else _no_join(x, y),
        anchors={**anchor_facts(frame, source), "seed": options.seed},
        scores=tuple(scores),
        settings={
            "via": list(options.via or ()),
            "queries": next((score.pairs for score in scores if score.measure == "matching-accuracy"), None),
            "center": options.center,
            "bootstrap": None if given is None else options.anchors,
            "sample": options.sample,
            "shared_only": options.shared_only,
            "seed": options.seed,
            **policies_of(options),
            "strict": options.strict,
        },
        versions=versions(),
        notes=tuple(notes),
        extra={
            "discovery": {
                "status": EXPERIMENTAL,
                "start": found.start,
                "starts": starts,
                "rounds": found.rounds,
                "pairs": len(found),
                "seeds": 0 if given is None else len(given),
                "seeds_found": None if given is None else int(found.mutual[: len(given)].sum()),
                "confirmed": found.confirmed,
                "rows_x": len(sides[0]),
                "rows_y": len(sides[1]),
                "copies_x": sides[0].copies,
                "copies_y": sides[1].copies,
                "measured": truth is not None,
                "stages": told_stages,
                "calibration": _calibration(found, right, 0 if given is None else len(given)),
            }
        },
    )


def _joined(
    x: Space, y: Space, pairs: tuple[Ids, Ids] | None, options: Options
) -> tuple[PairedSpaces | None, str | None]:
    """Return the pairs that are known to belong together, or None and why there are none."""
    try:
        joined = PairedSpaces.join(
            x,
            y,
            pairs=pairs,
            on_duplicate=options.on_duplicate,  # type: ignore[arg-type]
            strict=options.strict,
            seed=options.seed,
        )
    except JoinError as error:
        return None, str(error)
    return joined, None


def _no_join(x: Space, y: Space) -> dict[str, Any]:
    return PairedSpaces.unjoined(x, y).facts(0)


def _seeds(
    x: Space, y: Space, joined: PairedSpaces | None, wanted: AnchorList | AnchorChoice, options: Options
) -> Anchors:
    if joined is None and isinstance(wanted, AnchorChoice):
        raise AnchorError(
            f"{wanted.strategy}:{wanted.count} chooses among rows that both sides share, and {x.name} and {y.name} "
            "share no ids. List the seeds as x_id<TAB>y_id in a file."
        )
    pair = joined if joined is not None else PairedSpaces.unjoined(x, y)
    given = settle_anchors(pair, wanted, missing=options.missing_anchors, seed=options.seed)  # type: ignore[arg-type]
    if len(given) >= options.anchors:
        raise UsageError(
            f"{len(given):,} seeds are to grow to --bootstrap {options.anchors:,} pairs: ask for more than there are, "
            "or leave --bootstrap out."
        )
    return given


def _side(space: Space, keep: Index | None, fixed: Index | None, options: Options, salt: int) -> Side:
    """Return the rows of a space to search: all are read once, those drawn once more. Keeps 9 bytes a row."""
    usable = np.ones(len(space), bool)
    if space.origin.ids_given:
        usable[:] = False
        usable[unique_rows(space, options.on_duplicate)[0]] = True  # type: ignore[arg-type]
    if keep is not None:
        usable &= np.isin(np.arange(len(space)), keep)
    hashed, sound = _read_once(space, salt=2 * options.seed + salt)
    bad = usable & ~sound
    if bad.any() and options.on_bad == "error":
        raise VectorError(
            f"{int(bad.sum()):,} {'row' if bad.sum() == 1 else 'rows'} of {space.name} hold NaN, Inf or only zeros "
            f"({first_few(list(space.ids[bad]))}). Mend them, or leave them out with --on-bad drop."
        )
    rows = np.flatnonzero(usable & sound)
    seeds = np.isin(rows, fixed) if fixed is not None else np.zeros(len(rows), bool)
    values, counts = np.unique(hashed[rows], return_counts=True)
    copied = np.isin(hashed[rows], values[counts > 1]) & ~seeds
    distinct, seeds = rows[~copied], seeds[~copied]
    if len(distinct) < FEWEST:
        raise DataError(
            f"{len(distinct):,} of {len(space):,} rows of {space.name} can be told from all others, and at least "
            f"{FEWEST} are needed to find pairs. Give more rows, or anchors with --anchors."
        )
    # seeds are always among those drawn, and stand where their hash puts them
    drawn = distinct[np.lexsort((hashed[distinct], ~seeds))[: options.sample]]
    drawn = drawn[np.argsort(hashed[drawn], kind="stable")]
    in_file = np.sort(drawn)
    vectors = space.read(in_file)[np.searchsorted(in_file, drawn)]
    return Side(space, drawn, vectors, len(distinct), int(copied.sum()), np.flatnonzero(bad))


def _read_once(space: Space, *, salt: int) -> tuple[np.ndarray, Mask]:
    """Return the content hash [n] of each row, and whether it is finite and has a direction."""
    hashed, sound = np.zeros(len(space), np.uint64), np.zeros(len(space), bool)
    for start in range(0, len(space), _BATCH):
        rows = slice(start, min(start + _BATCH, len(space)))
        vectors = space.read(rows)
        norms = row_norms(vectors)
        hashed[rows] = discovery.content_hash(vectors, salt=salt)
        sound[rows] = np.isfinite(norms) & (norms > 0)
    return hashed, sound


def _table(sides: tuple[Side, Side], found: discovery.Found) -> dict[str, np.ndarray]:
    """Return the pairs as columns, most confident first."""
    return {
        "x_id": sides[0].ids[found.x],
        "y_id": sides[1].ids[found.y],
        "confidence": found.confidence,
        "mutual": found.mutual,
    }


def _frame(sides: tuple[Side, Side], found: discovery.Found, options: Options, *, grown: bool) -> Anchors:
    """Return the most confident pairs as anchors; fewer than were asked for where not twice as many were found."""
    top = slice(None, min(options.anchors, max(len(found) // 2, 2)))
    x, y = found.x[top], found.y[top]
    strategy = "bootstrapped" if grown else "discovered"
    return Anchors(
        sides[0].ids[x], sides[1].ids[y], sides[0].vectors[x], sides[1].vectors[y], strategy, seed=options.seed
    )


def _truth(sides: tuple[Side, Side], joined: PairedSpaces | None) -> Index | None:
    """Return the place in y of each row of x's own partner [n], −1 where it is not among those searched."""
    if joined is None:
        return None
    partner = np.full(len(sides[0].space), -1, np.int64)
    partner[joined.rows_x] = joined.rows_y
    rows = partner[sides[0].rows]
    return np.where(rows >= 0, sides[1].places(rows), -1)


def _measured(
    sides: tuple[Side, Side],
    found: discovery.Found,
    truth: Index,
    given: Anchors | None,
    joined: PairedSpaces,
    options: Options,
) -> list[Score]:
    """Return how many of the pairs that were found, seeds aside, are right, and how many rows were found."""
    first = 0 if given is None else len(given)
    right = (truth[found.x] == found.y)[first:]
    chance = 1 / len(sides[1])
    partners = int((truth >= 0).sum()) - first

    def share(name: str, right_ones: np.ndarray, of: int, definition: str) -> Score:
        value = float(right_ones.sum() / of) if of else None
        return Score(
            measure=name,
            view="discovered",
            value=value,
            interval=Interval(*rate_interval(value, of), LEVEL, "Wilson score") if value is not None else None,
            chance=chance,
            pairs=of,
            gallery=len(sides[1]),
            range=(0.0, 1.0),
            definition=definition,
            cite="truth by the ids that both sides share",
            undefined_because=None if of else "no pair beside the seeds was found",
            section=f"Discovery ({EXPERIMENTAL})",
        )

    scores = [share("pairs-right", right, len(right), "share of the discovered pairs that are right")]
    for name, part in (("half", 2), ("quarter", 4), ("tenth", 10)):
        top = right[: -(-len(right) // part)]
        told = f"share of the most confident {name} of the discovered pairs that are right"
        scores.append(share(f"pairs-right-top-{name}", top, len(top), told))
    told = "share of the rows of x whose own partner was searched that are in a right pair"
    return [*scores, share("rows-found", right, partners, told)]


def _matched(
    sides: tuple[Side, Side], joined: PairedSpaces, frame: Anchors, given: Anchors | None, options: Options
) -> tuple[list[Score], list[str]]:
    """Return how well held-out rows are matched by the discovered anchors, by seeds and by true ones; and notes."""
    bad = np.isin(joined.rows_x, sides[0].bad) | np.isin(joined.rows_y, sides[1].bad)
    joined = joined.take(~bad)
    try:
        batch = held_out(joined, frame, options.queries, options.seed)
    except DataError as error:
        if options.queries is not None:
            raise
        return [], [f"held-out rows were not matched: {error}"]
    frames = {"": ("discovered pairs as anchors", frame)}
    if given is not None:
        frames["seeds-"] = (f"the {len(given):,} seeds alone as anchors", given)
    rest = joined.take(~np.isin(joined.rank, batch.rank))
    count = min(len(frame), len(rest) - 1)
    if count >= 2:
        true = choose_anchors(rest, "uniform", count, seed=options.seed)
        frames["true-"] = (f"{count:,} true pairs as anchors, drawn at random", true)
    means = (sides[0].vectors.mean(axis=0), sides[1].vectors.mean(axis=0))
    order = shuffled(batch, options.seed)
    scores = []
    for prefix, (told, anchors) in frames.items():
        for via in options.via or ():
            way = parse_way(via)
            figures = matching_figures(
                replace(way, center=way.center or options.center),
                (batch.x, anchors.x),
                (batch.y, anchors.y),
                order=order,
                means=means,
            )
            # the other frames are there to compare with
            chosen = figures if not prefix else {"matching-accuracy": figures["matching-accuracy"]}
            scores += [_matching_score(prefix, name, told, via, both, len(batch)) for name, both in chosen.items()]
    return scores, []


def _matching_score(prefix: str, name: str, told: str, via: str, both: tuple[float, float], queries: int) -> Score:
    k = int(name.partition("@")[2] or 1)
    definition, cite = MATCHING if "@" not in name else (RECALL[0].format(k=k), RECALL[1])
    value = sum(both) / 2
    return Score(
        measure=prefix + name,
        view=via,
        value=value,
        forward=both[0],
        backward=both[1],
        interval=Interval(*rate_interval(value, queries), LEVEL, "Wilson score of the rows"),
        chance=min(k / queries, 1.0),
        pairs=queries,
        gallery=queries,
        range=(0.0, 1.0),
        definition=f"{definition}; {told}",
        cite=cite,
        section="Matching" if not prefix else "Matching, to compare with",
    )


def _stage(stage: discovery.Pairs, given: Anchors | None, truth: Index | None) -> dict[str, Any]:
    """Return how many anchors a stage had, and of those beside the seeds the share that is right, where known."""
    first = 0 if given is None else len(given)
    right = None if truth is None else (truth[stage[0]] == stage[1])[first:]
    return {"anchors": len(stage[0]), "right": float(right.mean()) if right is not None and len(right) else None}


def _calibration(found: discovery.Found, right: Mask | None, first: int) -> list[dict[str, Any]]:
    """Return for each confidence, seeds aside, how many pairs have it and the share of them that is right."""
    confidence = found.confidence[first:]
    rows = []
    for level in np.unique(confidence)[::-1]:
        there = confidence == level
        share = None if right is None else float(right[first:][there].mean())
        rows.append({"confidence": float(level), "pairs": int(there.sum()), "right": share})
    return rows


def _notes(
    sides: tuple[Side, Side],
    found: discovery.Found,
    stages: list[dict[str, Any]],
    frame: Anchors,
    joined: PairedSpaces | None,
    unknown: str | None,
    options: Options,
    given: Anchors | None,
) -> list[str]:
    sure = int((found.confidence >= 0.5).sum())
    how = f"grown from {len(given):,} seeds" if given is not None else "found without anchors"
    by_number = joined is not None and joined.by == "row number"
    notes = [
        *first_notes(sides[0].space, sides[1].space, by_number=by_number),
        f"{EXPERIMENTAL}: {len(found):,} pairs were {how}, and {sure:,} of them are confirmed by others; the "
        f"{len(frame):,} most confident are the anchors",
    ]
    if found.confirmed < discovery.ENOUGH:
        notes.append(
            f"pairs of {found.confirmed:.0%} of the rows are confirmed, and below {discovery.ENOUGH:.0%} all may be "
            "wrong: do not use them unchecked"
            + ("" if options.shared_only else "; --shared-only looks among the rows that both sides have alone")
        )
    growing = [
        f"{stage['anchors']:,}" + (f" ({stage['right']:.0%} right)" if stage["right"] is not None else "")
        for stage in stages
    ]
    if given is not None:
        again = int(found.mutual[: len(given)].sum())
        notes.append(f"the pairs that were grown find {again:,} of the {len(given):,} seeds again")
    if growing:
        notes.append(f"anchors grew {' → '.join(growing)}; the shares leave the seeds out")
    for side in sides:
        if len(side) < side.available:
            notes.append(
                f"{len(side):,} of {side.available:,} rows of {side.space.name} were searched, drawn without regard to "
                "the other side: the partners of many are not among those searched (--sample takes more)"
            )
        if side.copies:
            notes.append(f"{side.copies:,} rows of {side.space.name} are copies of others and were left out")
        if len(side.bad):
            notes.append(f"{len(side.bad):,} rows of {side.space.name} hold NaN, Inf or only zeros and were left out")
    if options.shared_only:
        notes.append("only rows that both sides share were searched: the search had that much from the ids")
    if joined is None:
        notes.append(f"how many pairs are right cannot be measured: {unknown}")
    return notes
