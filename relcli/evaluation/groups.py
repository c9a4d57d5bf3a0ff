"""Scores by group: the queries that share a label, against the whole gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from relcli.accumulators.accumulator import Accumulator
from relcli.errors import IdError, first_few
from relcli.evaluation.scoring import Intervals, score_one
from relcli.evaluation.views import View
from relcli.measures.measure import Measure
from relcli.reports.report import Group, Score
from relcli.spaces.anchors import known_labels
from relcli.spaces.pairing import Ids, Index, PairedSpaces


@dataclass(frozen=True)
class Grouping:
    """
    Which scored pairs share a label of a column.

    `codes` is the group of each rank, −1 for none; `names` the groups' labels in order; `without` the ids
    of the scored pairs that have no label, or an empty one, and are in no group.
    """

    column: str
    codes: Index
    names: Ids
    without: Ids

    @classmethod
    def of(cls, pair: PairedSpaces, column: str, ids: Ids, labels: Ids) -> Grouping:
        """Return the groups of the scored pairs by the label of their id; one at least must have a label."""
        of_pair, known = known_labels(pair, (ids, labels))
        known &= np.char.strip(of_pair) != ""
        grouped = known & pair.scored
        without = np.sort(pair.ids[pair.scored & ~known])
        if not grouped.any():
            raise IdError(
                f"None of the {len(without):,} scored pairs has a label in {column!r}: {first_few(list(without))}. "
                f"Labels are there for {len(ids):,} ids{f' like {str(ids[0])!r}' if len(ids) else ''}: "
                "name metadata whose ids are those of x, or x's own ids with --ids-x FILE."
            )
        names, code = np.unique(of_pair[grouped], return_inverse=True)
        codes = np.full(int(pair.rank.max()) + 1, -1, np.int64)
        codes[pair.rank[grouped]] = code
        return cls(column, codes, names, without)

    def note(self) -> str | None:
        """Return what a reader must know of the pairs in no group, None where all are in one."""
        if not len(self.without):
            return None
        return (
            f"{len(self.without):,} scored pairs have no label in {self.column!r} and are in no group: "
            f"{first_few(list(self.without))}"
        )


def score_groups(
    grouping: Grouping, measures: Sequence[Measure], views: Sequence[View], intervals: Intervals
) -> tuple[Group, ...]:
    """
    Return what each group scores, worst first by the first score that any of them has.

    Each figure is that of a comparison with the group's queries alone against the whole gallery. Moment
    measures carry no interval. Groups without that score come last.
    """
    groups = []
    for code, name in enumerate(grouping.names.tolist()):
        queries = np.flatnonzero(grouping.codes[views[0].context.queries.rank] == code)
        scores = tuple(
            score_one(measure, view, _of_group(view, measure, code, queries), intervals)
            for measure in measures
            for view in views
            if view.name in measure.views
        )
        groups.append(Group(grouping.column, name, len(queries), scores))
    by_score = zip(*(group.scores for group in groups), strict=True)
    deciding = next((place for place, of_all in enumerate(by_score) if any(s.value is not None for s in of_all)), None)
    if deciding is None:
        return tuple(groups)
    return tuple(sorted(groups, key=lambda group: _closeness(group.scores[deciding])))


def _of_group(view: View, measure: Measure, code: int, queries: Index) -> Accumulator | None:
    if measure.reads in view.groups:
        return view.groups[measure.reads][code]
    full = view.full.get(measure.reads)
    only = getattr(full, "only", None)
    return only(queries) if only else None


def _closeness(score: Score) -> float:
    if score.value is None:
        return np.inf
    return score.value if score.higher_is_closer else -score.value
