"""Which items of a gallery answer which queries, and which of these answers may be counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relcli.errors import JoinError
from relcli.spaces.anchors import Anchors
from relcli.spaces.gallery import Gallery
from relcli.spaces.pairing import Ids, Index, Mask

#: Where answers come from when nothing but the place of a row tells them.
ROW_NUMBERS = "row numbers"


@dataclass(frozen=True)
class Truth:
    """
    Which of the `items` of a gallery answer which queries: pairs of a query's position and an item's rank, by query.

    `counted` [q] tells the queries in the figures: they have an answer, and no anchor gives it away.
    """

    query: Index
    rank: Index
    counted: Mask
    items: int
    source: str

    @property
    def answered(self) -> int:
        """How many queries have an answer."""
        return len(np.unique(self.query))

    def part(self, rows: slice) -> tuple[Index, Index]:
        """Return the pairs of some queries, numbered from the first of them."""
        place = slice(*np.searchsorted(self.query, (rows.start, rows.stop)))
        return self.query[place] - rows.start, self.rank[place]

    def relevant(self, rows: slice) -> Index:
        """Return how many items answer each of some queries [b]."""
        return np.bincount(self.part(rows)[0], minlength=rows.stop - rows.start)

    def match(self, rows: slice, ranks: Index) -> Mask:
        """Return which of the items of these ranks [b, k] answer each of some queries [b]; a rank of −1 is no item."""
        query, rank = self.part(rows)
        found = np.arange(len(ranks))[:, None] * self.items + ranks
        return np.isin(found, query * self.items + rank) & (ranks >= 0)


def find_truth(
    queries: Gallery,
    gallery: Gallery,
    given: tuple[Ids, Ids, str] | None,
    frame: Anchors | None,
    *,
    new: bool,
) -> tuple[Truth | None, list[str]]:
    """
    Return which items answer which queries, None where nothing tells, and what there is to note.

    `given` are pairs (x_id, y_id) and where they came from; without them an id that both share is the answer, and
    `new` queries, which are no rows of x, are not known by their row number. Queries that are among the anchors of
    `frame`, or answered by one, are not counted.
    """
    if given is not None:
        query, item = _given(queries, gallery, given)
        source = given[2]
    else:
        at = gallery.find(queries.ids)
        why = _why_not(queries, gallery, at, new=new)
        if why is not None:
            return None, [f"no truth: {why}, so hits have no marks and no figures; give pairs with --truth"]
        query = np.flatnonzero(at >= 0)
        item, source = at[query], "ids that both share" if queries.space.origin.ids_given else ROW_NUMBERS
    pairs = np.unique(query * len(gallery) + gallery.rank[item])
    query, rank = pairs // len(gallery), pairs % len(gallery)
    answered = np.zeros(len(queries), bool)
    answered[query] = True
    leaks = _leaks(queries, gallery, frame, query, rank)
    count, notes = int((leaks & answered).sum()), []
    if count:
        notes.append(
            f"{count:,} of {len(leaks):,} queries are anchors, or answered by one, and are not in the figures: "
            "an anchor gives itself away (--include-anchors counts them)"
        )
    return Truth(query, rank, answered & ~leaks, len(gallery), source), notes


def _given(queries: Gallery, gallery: Gallery, given: tuple[Ids, Ids, str]) -> tuple[Index, Index]:
    """Return the positions of both sides of the pairs that are known."""
    x_ids, y_ids, source = given
    query, item = queries.find(x_ids), gallery.find(y_ids)
    known = (query >= 0) & (item >= 0)
    if not known.any():
        first = str(gallery.ids[gallery.by_rank[0]])
        raise JoinError(
            f"{source} answers nothing: of its {len(x_ids):,} pairs like {str(x_ids[0])!r}, {str(y_ids[0])!r}, "
            f"{int((query >= 0).sum()):,} start with a query like {str(queries.ids[0])!r}, "
            f"{int((item >= 0).sum()):,} end with an id of {gallery.space.name} like {first!r}. "
            "Give x_id<TAB>y_id a line, in this order."
        )
    return query[known], item[known]


def _why_not(queries: Gallery, gallery: Gallery, at: Index, *, new: bool) -> str | None:
    """Return why an id that both share tells nothing, None where it does; `at` is where each query's id stands in y."""
    x, y = queries.space, gallery.space
    if x.origin.ids_given != y.origin.ids_given:
        return "one side has ids and the other has none"
    if not x.origin.ids_given and (new or len(x) != len(y)):
        return "neither side has ids, and their rows do not pair by number"
    return None if (at >= 0).any() else f"no query has an id of {y.name}"


def _leaks(queries: Gallery, gallery: Gallery, frame: Anchors | None, query: Index, rank: Index) -> Mask:
    """Return which queries [q] are anchors, or have an anchor for an answer: they would flatter the figures."""
    leaks = np.zeros(len(queries), bool)
    if frame is not None:
        leaks |= np.isin(queries.ids, frame.x_ids)
        leaks[query[np.isin(gallery.ids[gallery.by_rank][rank], frame.y_ids)]] = True
    return leaks
