"""How the scores of a tile stand to a mark for each row, or for each column: surely above it, or too near to tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relcli.accumulators.tiles import TILE_COLUMNS, Strip, Tile
from relcli.arrays import Floats
from relcli.kernels.kernel import Index
from relcli.kernels.scan import GROUP
from relcli.kernels.work import COUNT_COST, SCORE_COST, group_cost

_BYTE = 255
assert TILE_COLUMNS <= 8 * _BYTE, "a byte of each word counts a column in eight"


@dataclass(frozen=True)
class Standing:
    """How many scores of each row or column are surely above its mark, and the (row, column) of the undecided."""

    above: Index
    row: Index
    column: Index


def standing(
    strip: Strip, tile: Tile, row_mark: Floats, column_mark: Floats | None = None
) -> tuple[Standing, Standing | None]:
    """Return how a tile's scores stand to the marks of its rows and, where they have marks, of its columns."""
    floors = _floors(tile, row_mark, column_mark)
    if _few(tile, strip, floors):
        found = _listed(tile, floors, row_mark, column_mark)
        if not strip.crowded(sum(len(side.row) for side in found if side), tile):
            return found
    if not tile.exact:
        tile = strip.whole(tile)
        floors = _floors(tile, row_mark, column_mark)
        if _few(tile, strip, floors):
            return _listed(tile, floors, row_mark, column_mark)
    scores = tile.scores()
    along = _along_rows(scores, Bounds(row_mark, tile.row_error))
    return along, None if column_mark is None else _down_columns(scores, Bounds(column_mark, tile.column_error))


def _few(tile: Tile, strip: Strip, floors: tuple[Floats, Floats | None]) -> bool:
    """Return whether looking into the groups of a tile that may reach a floor costs less than counting all scores."""
    counting = COUNT_COST + (0 if tile.exact else strip.width + SCORE_COST)
    return tile.share(*floors) * group_cost() <= GROUP * counting


def _floors(tile: Tile, row_mark: Floats, column_mark: Floats | None) -> tuple[Floats, Floats | None]:
    return row_mark - tile.row_error, None if column_mark is None else column_mark - tile.column_error


def _listed(
    tile: Tile, floors: tuple[Floats, Floats | None], row_mark: Floats, column_mark: Floats | None
) -> tuple[Standing, Standing | None]:
    row, column, scores = tile.reaching(*floors)

    def side(line: Index, floor: Floats, mark: Floats, error: Floats) -> Standing:
        above = scores > (mark + error)[line]
        near = ~above & (scores >= floor[line])
        return Standing(np.bincount(line[above], minlength=len(mark)), row[near], column[near])

    along = side(row, floors[0], row_mark, tile.row_error)
    if column_mark is None or floors[1] is None:
        return along, None
    return along, side(column, floors[1], column_mark, tile.column_error)


class Bounds:
    """What a float32 score must exceed to be surely above the mark, and must reach to be perhaps level."""

    def __init__(self, mark: Floats, error: Floats) -> None:
        self.above = np.nextafter((mark + error).astype(np.float32), np.float32(np.inf))
        self.level = np.nextafter((mark - error).astype(np.float32), np.float32(-np.inf))


def _along_rows(tile: NDArray[np.float32], bounds: Bounds) -> Standing:
    above = count_rows(tile > bounds.above[:, None])
    some = np.flatnonzero(count_rows(tile >= bounds.level[:, None]) > above)
    near = tile[some]
    row, column = np.nonzero((near >= bounds.level[some, None]) & (near <= bounds.above[some, None]))
    return Standing(above, some[row], column)


def _down_columns(tile: NDArray[np.float32], bounds: Bounds) -> Standing:
    above = count_columns(tile > bounds.above)
    some = np.flatnonzero(count_columns(tile >= bounds.level) > above)
    near = tile[:, some]
    row, column = np.nonzero((near >= bounds.level[some]) & (near <= bounds.above[some]))
    return Standing(above, row, some[column])


def count_rows(mask: NDArray[np.bool_]) -> Index:
    """Return how many of each row [n, w] are true, w up to 2,040."""
    height, width = mask.shape
    whole = width - width % 8
    counts: Any = mask[:, whole:].sum(axis=1, dtype=np.int64)
    if whole:
        words = np.ascontiguousarray(mask[:, :whole]).view(np.uint64)
        counts += words.sum(axis=1).view(np.uint8).reshape(height, 8).sum(axis=1, dtype=np.int64)
    return counts


def count_columns(mask: NDArray[np.bool_]) -> Index:
    """Return how many of each column [n, w] are true."""
    counts = np.zeros(mask.shape[1], np.int64)
    for start in range(0, len(mask), _BYTE):
        counts += np.add.reduce(mask[start : start + _BYTE].view(np.uint8), axis=0, dtype=np.uint8)
    return counts
