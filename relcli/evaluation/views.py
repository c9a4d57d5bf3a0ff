"""The views of a pair, absolute and relative, and one pass that fills all that their measures read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from relcli.accumulators.accumulator import Accumulator, Context
from relcli.accumulators.composite import Bundle, Folds, Parts, Through
from relcli.accumulators.moments import CrossMoments, HeldOut, HeldOutRidge
from relcli.accumulators.neighbors import NeighborLists
from relcli.accumulators.probe import Probe
from relcli.accumulators.ranks import RankCounts
from relcli.accumulators.sample import RowSample
from relcli.arrays import Floats
from relcli.engines.engine import Engine, Progress
from relcli.errors import UsageError, did_you_mean
from relcli.measures.measure import Measure
from relcli.spaces.anchors import Anchors
from relcli.spaces.pairing import Index, PairedSpaces
from relcli.spaces.relative import RelativeProjection

VIEWS = ("relative", "absolute")

#: Parts of the jackknife.
FOLDS = 10

#: Numbers that the moments of all groups may take together, 1 GiB of float64.
GROUP_NUMBERS = 2**27

#: Told what is being done and the number of pairs to do; returns what to call as they are done.
Watch = Callable[[str, int], Progress]

#: Makes, of anchors [a, d], what shows rows relative to them: by which similarity, rounded, sparse.
Relate = Callable[[Floats], RelativeProjection]

Kind = type[Accumulator]


def check_views(names: Iterable[str]) -> None:
    """Raise UsageError unless there are views of these names."""
    for name in names:
        if name not in VIEWS:
            raise UsageError(f"No view is called {name!r}; there are {', '.join(VIEWS)}.{did_you_mean(name, VIEWS)}")


@dataclass
class View:
    """
    One view of a pair: its context, its widths, and its full accumulators by kind.

    `without` holds those with one fold left out, `groups` one for each group.
    """

    name: str
    context: Context
    widths: tuple[int, int]
    projections: tuple[RelativeProjection, RelativeProjection] | None = None
    full: dict[Kind, Accumulator] = field(default_factory=dict)
    without: dict[Kind, list[Accumulator]] = field(default_factory=dict)
    groups: dict[Kind, list[Accumulator]] = field(default_factory=dict)

    def why_not(self, measure: Measure) -> str | None:
        """Return why a measure has no value on this view, None where it has one."""
        dx, dy = self.widths
        if measure.same_width and dx != dy:
            return f"x has {dx} dimensions and y {dy}: their coordinates cannot be compared"
        return None

    def group_numbers(self) -> int:
        """Return how many numbers the moments of one group take."""
        dx, dy = self.widths
        return dx * dx + dy * dy + dx * dy


def make_views(
    pair: PairedSpaces,
    frame: Anchors,
    measures: Sequence[Measure],
    *,
    names: Sequence[str] = VIEWS,
    relate: Relate = RelativeProjection,
    queries: int | None = None,
    depth: int = 1,
) -> list[View]:
    """
    Return empty views with `queries` query pairs (None: all scored) and neighbour lists `depth` deep or deeper.

    `relate` makes the projections of the relative view, one of each side's anchors.
    """
    depth = max([depth, *(m.k or 1 for m in measures if m.reads is NeighborLists)])
    cross = any(m.reads is NeighborLists and m.same_width for m in measures)
    context = Context(probe=pair.probe(queries), anchors=(frame.x, frame.y), k=depth, cross=cross)
    views = []
    for name in names:
        if name == "relative":
            sides = relate(frame.x), relate(frame.y)
            views.append(View(name, context.through(*sides), (sides[0].dim, sides[1].dim), sides))
        else:
            views.append(View(name, context, (pair.x.dim, pair.y.dim)))
    return views


def fill(
    pair: PairedSpaces,
    views: Sequence[View],
    measures: Sequence[Measure],
    engine: Engine,
    *,
    watch: Watch | None = None,
    items_of: str | None = None,
    groups: tuple[Index, int] | None = None,
    folds: int = FOLDS,
) -> None:
    """
    Fill every accumulator that a defined measure reads, all in one pass.

    `items_of` names a view whose single queries are wanted too; `groups` are the group of each rank, −1
    for none, and their number. Without `folds` no jackknife is kept.
    """
    bundle = Bundle({view.name: _wanted(view, measures, view.name == items_of, groups, folds) for view in views})
    if any(_inner(part).parts for part in bundle.parts.values()):
        bundle = engine.reduce(pair, bundle, watch and watch("comparing", len(pair)))
    for view in views:
        for name, part in _inner(bundle[view.name]).parts.items():
            if isinstance(part, Folds):
                total = part.total()
                view.without[type(total)] = part.without_each()
                view.full[type(total)] = total
            elif isinstance(part, Parts):
                view.groups[_KINDS[name.partition(" ")[0]]] = part.parts
            else:
                view.full[type(part)] = part
                if isinstance(part, RowSample) and folds:
                    view.without[RowSample] = list(part.without_each(folds))
        view.full[Probe] = Probe.of(view.context)


_KINDS: dict[str, Kind] = {kind.__name__: kind for kind in (CrossMoments, HeldOut, HeldOutRidge)}


def _wanted(
    view: View, measures: Sequence[Measure], items: bool, groups: tuple[Index, int] | None, folds: int
) -> Accumulator:
    reads: Collection[Kind] = {m.reads for m in measures if view.name in m.views and view.why_not(m) is None}
    if items:
        reads = {*reads, NeighborLists, *([RankCounts] if view.widths[0] == view.widths[1] else [])}
    parts: dict[str, Accumulator] = {}
    for kind in sorted(set(reads) - {Probe}, key=lambda kind: kind.__name__):
        empty = kind.empty(view.context, *view.widths)
        summed = kind.__name__ in _KINDS
        parts[kind.__name__] = Folds.of(empty, folds) if summed and folds else empty
        if summed and groups and groups[1] * view.group_numbers() <= GROUP_NUMBERS:
            parts[f"{kind.__name__} by group"] = Parts(_empty_groups(view, empty, *groups), groups[0])
    return Through(Bundle(parts), *view.projections) if view.projections else Bundle(parts)


def _empty_groups(view: View, empty: Accumulator, codes: Index, count: int) -> list[Accumulator]:
    """Return an empty accumulator for each group."""
    if not isinstance(empty, CrossMoments):
        return [empty.fresh() for _ in range(count)]
    # each about the mean of its own queries: quartic sums of a tight group far from the others keep their digits
    code = codes[view.context.queries.rank]
    queries = (np.flatnonzero(code == group) for group in range(count))
    return [CrossMoments.empty(view.context.only(q), *view.widths) if len(q) else empty.fresh() for q in queries]


def _inner(part: Accumulator) -> Bundle:
    inner = part.inner if isinstance(part, Through) else part
    assert isinstance(inner, Bundle)
    return inner
