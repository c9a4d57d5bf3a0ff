"""Two spaces joined by id: the pairs that both hold, read in batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from relcli.arrays import Floats
from relcli.errors import IdError, JoinError, UsageError, counted, first_few
from relcli.spaces.id_columns import ROW_NUMBER
from relcli.spaces.shared_ids import check_decided
from relcli.spaces.space import Space

Ids = NDArray[np.str_]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]
DuplicatePolicy = Literal["error", "first", "drop"]


def hash_ids(ids: Ids, *, seed: int = 0) -> NDArray[np.uint64]:
    """
    Return a 64-bit hash [n] of each id: the source of all randomness that must not depend on position.

    FNV-1a over the code points, finished by splitmix64; equal ids hash alike whatever the array's width.
    """
    ids = np.ascontiguousarray(ids)
    codes = np.zeros((len(ids), 0), np.uint32)
    if ids.size and ids.dtype.itemsize:
        codes = ids.view(np.uint32).reshape(len(ids), -1)
    start = (0xCBF29CE484222325 ^ (seed * 0x9E3779B97F4A7C15)) & 0xFFFFFFFFFFFFFFFF
    hashed = np.full(len(ids), start, np.uint64)
    for column in codes.T:
        hashed = np.where(column == 0, hashed, (hashed ^ column.astype(np.uint64)) * np.uint64(0x100000001B3))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        hashed = (hashed ^ (hashed >> np.uint64(shift))) * np.uint64(factor)
    return hashed ^ (hashed >> np.uint64(31))


@dataclass(frozen=True)
class PairedBatch:
    """
    Some joined pairs: x [b, dx] and y [b, dy] in float64, and what the join knows of each pair.

    `rank` is the position of the pair's id among all ids in sorted order (ties are broken by it),
    `hash` its hashed id, `anchor` whether it is an anchor, `scored` whether measures count it.
    Rows that are not scored are still searched.
    """

    rank: Index
    hash: NDArray[np.uint64]
    anchor: Mask
    scored: Mask
    x: Floats
    y: Floats

    def __len__(self) -> int:
        return len(self.rank)

    def take(self, rows: Any) -> PairedBatch:
        """Return the pairs that a mask, slice or index array names."""
        return PairedBatch(
            self.rank[rows], self.hash[rows], self.anchor[rows], self.scored[rows], self.x[rows], self.y[rows]
        )


@dataclass(frozen=True)
class PairedSpaces:
    """
    The m pairs that two spaces share: row numbers in each, and ids, in the row order of x.

    Keeps about 33 bytes a pair beside the ids; vectors are read on demand.
    """

    x: Space
    y: Space
    rows_x: Index
    rows_y: Index
    ids: Ids
    rank: Index
    hash: NDArray[np.uint64]
    anchor: Mask
    scored: Mask
    by: str
    dropped: tuple[tuple[str, int], ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def width(self) -> int:
        """The numbers of a pair: dx + dy."""
        return self.x.dim + self.y.dim

    @classmethod
    def unjoined(cls, x: Space, y: Space) -> PairedSpaces:
        """Return no pairs of x and y: for what needs both spaces and looks ids up by itself."""
        none = np.zeros(0, np.int64)
        return cls._paired(x, y, none, none, by="nothing", seed=0)

    @classmethod
    def join(
        cls,
        x: Space,
        y: Space,
        *,
        pairs: tuple[Ids, Ids] | None = None,
        on_duplicate: DuplicatePolicy = "error",
        strict: bool = False,
        seed: int = 0,
    ) -> PairedSpaces:
        """
        Return the pairs of rows with the same id, whatever the order of the rows.

        `pairs` says which id of x goes with which id of y where their names differ. Where neither side
        has ids, rows pair by number (refused if `strict`, or if the counts differ).
        """
        for space, side in ((x, "x"), (y, "y")):
            check_decided(space, flag=f"--id-column-{side}")
        if strict:
            refuse_twice(x, y)
        if not (x.origin.ids_given or y.origin.ids_given) and pairs is None:
            _check_row_numbers(x, y, strict=strict)
            return cls._paired(x, y, np.arange(len(x)), np.arange(len(y)), by="row number", seed=seed)
        refuse_one_sided(x, y)
        first_x, dropped_x = unique_rows(x, on_duplicate)
        first_y, dropped_y = unique_rows(y, on_duplicate)
        ids_x, ids_y = x.ids[first_x], y.ids[first_y]
        if pairs is not None:
            ids_y, known = _renamed(ids_y, *pairs)
            first_y = first_y[known]
        at_x, at_y = _matches(ids_x, ids_y)
        if not len(at_x):
            raise JoinError(
                f"{x.name} and {y.name} share no ids: {len(x):,} like {str(x.ids[0])!r}, {len(y):,} like "
                f"{str(y.ids[0])!r}. Name the id columns with --id-column-x and --id-column-y, give ids with "
                "--ids-x/--ids-y, a table x_id<TAB>y_id with --pairs, or make the ids match."
            )
        dropped = (("duplicate ids in x", dropped_x), ("duplicate ids in y", dropped_y))
        return cls._paired(
            x, y, first_x[at_x], first_y[at_y], by="id", seed=seed, dropped=tuple(d for d in dropped if d[1])
        )

    @classmethod
    def alone(cls, space: Space, *, seed: int = 0) -> PairedSpaces:
        """
        Return the rows of one space, each paired with an empty row: what lets an engine stream it by itself.

        Ids may repeat, so rows are ranked by their number.
        """
        nothing = Space("", space.ids, np.empty((len(space), 0), np.float32), space.origin)
        rows = np.arange(len(space))
        no = np.zeros(len(space), bool)
        return cls(space, nothing, rows, rows, space.ids, rows, hash_ids(space.ids, seed=seed), no, ~no, "row number")

    @classmethod
    def _paired(
        cls,
        x: Space,
        y: Space,
        rows_x: Index,
        rows_y: Index,
        *,
        by: str,
        seed: int,
        dropped: tuple[tuple[str, int], ...] = (),
    ) -> PairedSpaces:
        order = np.argsort(rows_x, kind="stable")
        rows_x, rows_y = rows_x[order].astype(np.int64), rows_y[order].astype(np.int64)
        ids = x.ids[rows_x]
        rank = np.empty(len(ids), np.int64)
        rank[np.argsort(ids, kind="stable")] = np.arange(len(ids))
        nothing = np.zeros(len(ids), bool)
        return cls(x, y, rows_x, rows_y, ids, rank, hash_ids(ids, seed=seed), nothing, ~nothing, by, dropped)

    def batches(self, size: int) -> Iterator[PairedBatch]:
        """Yield the pairs in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.batch(slice(start, start + size))

    def batch(self, rows: Any) -> PairedBatch:
        """Return the pairs that a slice or index array names, read from both spaces."""
        return PairedBatch(
            self.rank[rows],
            self.hash[rows],
            self.anchor[rows],
            self.scored[rows],
            self.x.read(slice_if_consecutive(self.rows_x[rows])),
            self.y.read(slice_if_consecutive(self.rows_y[rows])),
        )

    def take(self, rows: Any) -> PairedSpaces:
        """Return the pairs that a mask or index array names; ranks stay those of the whole join."""
        return replace(
            self,
            rows_x=self.rows_x[rows],
            rows_y=self.rows_y[rows],
            ids=self.ids[rows],
            rank=self.rank[rows],
            hash=self.hash[rows],
            anchor=self.anchor[rows],
            scored=self.scored[rows],
        )

    def probe(self, size: int | None) -> PairedBatch:
        """
        Return the `size` scored pairs with the smallest hashed ids, or all, read and in order of rank.

        The same pairs whatever the order, shards or batches they come in.
        """
        rows = np.flatnonzero(self.scored)
        if size is not None and size < len(rows):
            rows = rows[np.lexsort((self.rank[rows], self.hash[rows]))[:size]]
        # read in file order, then sort
        batch = self.batch(np.sort(rows))
        return batch.take(np.argsort(batch.rank))

    def split(self, parts: int) -> list[PairedSpaces]:
        """Return consecutive parts of nearly equal length."""
        return [self.take(rows) for rows in np.array_split(np.arange(len(self)), parts)]

    def drop(self, rows: Mask, reason: str) -> PairedSpaces:
        """Return the pairs without those of a mask, the count remembered under `reason`."""
        return replace(self.take(~rows), dropped=(*self.dropped, (reason, int(rows.sum()))))

    def with_anchors(self, x_ids: Ids, y_ids: Ids, *, scored: bool) -> PairedSpaces:
        """Return the pairs with those marked that are an anchor on either side; they count if `scored`."""
        anchor = np.isin(self.ids, x_ids) | np.isin(self.y.ids[self.rows_y], y_ids)
        return replace(self, anchor=anchor, scored=np.ones(len(self), bool) if scored else ~anchor)

    def map(self, x: Any, y: Any, *, dim: int | None = None) -> PairedSpaces:
        """Return the pairs with each side seen through a projection."""
        return replace(self, x=self.x.map(x, dim=dim), y=self.y.map(y, dim=dim))

    def facts(self, shared: int) -> dict[str, Any]:
        """Return how the rows were matched, as a report tells it; `shared` pairs were found before any was dropped."""
        lost = dict(self.dropped)
        return {
            "by": self.by,
            "x_rows": len(self.x),
            "y_rows": len(self.y),
            "pairs": len(self),
            "x_only": len(self.x) - shared - lost.get("duplicate ids in x", 0),
            "y_only": len(self.y) - shared - lost.get("duplicate ids in y", 0),
            "dropped": lost,
        }


def slice_if_consecutive(rows: Index) -> Any:
    # a slice reads a memory map in one piece; an index array gathers row by row
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def _check_row_numbers(x: Space, y: Space, *, strict: bool) -> None:
    if len(x) != len(y):
        raise JoinError(
            f"Neither side has ids, and the row counts differ: {x.name} has {len(x):,} rows, {y.name} "
            f"{len(y):,}.{_beside(x, y)} Give ids with --ids-x and --ids-y."
        )
    if strict:
        raise JoinError(
            f"Neither {x.name} nor {y.name} has ids, and --strict forbids pairing their {len(x):,} rows by "
            f"number.{_beside(x, y)} Give ids with --ids-x and --ids-y."
        )


def _beside(x: Space, y: Space) -> str:
    """Return what to do where a list of as many ids lies beside a dump without ids."""
    near = {
        f"--ids-{side} {space.origin.ids_beside}": f"{space.origin.ids_beside} holds {len(space):,} ids"
        for side, space in (("x", x), ("y", y))
        if space.origin.ids_beside
    }
    told = " and ".join(dict.fromkeys(near.values()))
    return f" {told}, as many as rows: {' '.join(near)}, if they are in the same order." if near else ""


def same_file(x: Space, y: Space) -> bool:
    """Return whether both spaces are the same vectors of files with the same digest."""
    return x.origin.sha256 is not None and (x.origin.sha256, x.origin.member) == (y.origin.sha256, y.origin.member)


def refuse_one_sided(x: Space, y: Space) -> None:
    """Raise a JoinError where one space has ids and the other none: an id names no row there."""
    if x.origin.ids_given == y.origin.ids_given:
        return
    with_ids, without = (x, y) if x.origin.ids_given else (y, x)
    side = "y" if without is y else "x"
    raise JoinError(
        f"{with_ids.name} has ids ({with_ids.origin.id_source}), {without.name} has none: rows cannot be matched."
        f"{_beside(x, y)} Name the ids of {without.name} with --ids-{side} FILE or --id-column-{side}; --id-column "
        f"{ROW_NUMBER} pairs rows by their number."
    )


def refuse_twice(x: Space, y: Space) -> None:
    """Raise a JoinError where both spaces are the same file."""
    if same_file(x, y):
        raise JoinError(f"{_twice(x, y)}, and --strict forbids that. Name the dump of the other model.")


def _twice(x: Space, y: Space) -> str:
    alike = x.origin.path == y.origin.path
    return (
        f"{x.origin.path} is compared with itself"
        if alike
        else (
            f"{x.origin.path} and {y.origin.path} are the same file to the byte (SHA-256 {str(x.origin.sha256)[:12]}…)"
        )
    )


def first_notes(*spaces: Space, by_number: bool | None = None, refusing: bool = True) -> list[str]:
    """
    Return what a reader must know of a join before anything else: rows paired by number, a file compared with itself.

    Each begins in capitals, and writers show such notes first. `by_number` is told where pairs were given, and
    `refusing` whether the command has a --strict to refuse it by.
    """
    notes, refused = [], " (--strict refuses this)" if refusing else ""
    if by_number is None:
        by_number = not any(space.origin.ids_given for space in spaces)
    if by_number:
        beside = _beside(*spaces) if len(spaces) == 2 else ""
        notes.append(
            f"ROWS PAIRED BY NUMBER: {'neither side' if len(spaces) == 2 else 'no space'} has ids, and rows in another "
            f"order would be taken for one another{refused}.{beside}"
        )
    twice = next(((x, y) for x, y in combinations(spaces, 2) if same_file(x, y)), None)
    if twice:
        notes.append(f"THE SAME FILE TWICE: {_twice(*twice)}{refused}.")
    return notes


def unique_rows(space: Space, policy: DuplicatePolicy) -> tuple[Index, int]:
    """Return the rows to join, sorted by id, and how many the policy left out."""
    if policy not in ("error", "first", "drop"):
        raise UsageError(f"--on-duplicate {policy!r} is none of error, first, drop.")
    order = np.argsort(space.ids, kind="stable")
    ids = space.ids[order]
    again = np.concatenate([[False], ids[1:] == ids[:-1]])
    if not again.any():
        return order, 0
    if policy == "error":
        repeated = np.unique(ids[again])
        raise IdError(
            f"{space.name} holds {counted(len(repeated), 'id')} more than once: {first_few(list(repeated))}. Make ids "
            "unique, or pass --on-duplicate first (keep the first row of each) or drop (leave them out)."
        )
    keep = ~again
    if policy == "drop":
        keep &= ~np.concatenate([again[1:], [False]])
    return order[keep], int((~keep).sum())


def _renamed(ids_y: Ids, pairs_x: Ids, pairs_y: Ids) -> tuple[Ids, Mask]:
    """Return the x-id of each y-id that the pairs name, and which those are."""
    for side, ids in (("x", pairs_x), ("y", pairs_y)):
        if len(np.unique(ids)) < len(ids):
            raise IdError(f"The table of pairs holds {len(ids) - len(np.unique(ids)):,} ids of {side} more than once.")
    order = np.argsort(pairs_y)
    at = np.searchsorted(pairs_y[order], ids_y).clip(max=len(order) - 1)
    known = pairs_y[order][at] == ids_y
    return pairs_x[order][at][known], known


def _matches(ids_x: Ids, ids_y: Ids) -> tuple[Index, Index]:
    """Return the positions of the ids that both hold; each side's ids are unique."""
    if len(ids_x) == len(ids_y) and (ids_x == ids_y).all():
        return np.arange(len(ids_x)), np.arange(len(ids_y))
    _, at_x, at_y = np.intersect1d(ids_x, ids_y, assume_unique=True, return_indices=True)
    return at_x, at_y
