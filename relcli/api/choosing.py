"""Anchors chosen and checked: what `relcli anchors` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from relcli.api.sources import (
    Reading,
    Source,
    given_labels,
    known_options,
    open_one_or_both,
    pairs_between,
    wanted_anchors,
)
from relcli.engines.engine import Engine, Progress
from relcli.engines.local import LocalEngine
from relcli.formats.lists import check_ids_path, save_ids
from relcli.reports.anchors import AnchorCheck
from relcli.spaces.anchors import AnchorList
from relcli.tasks.anchors import ChooseOptions, Chosen
from relcli.tasks.anchors import check as check_spaces_anchors
from relcli.tasks.anchors import choose as choose_from_spaces


def anchors_choose(
    x: Source,
    y: Source | None = None,
    *,
    output: str | Path | None = None,
    labels: str | Path | tuple[Iterable[Any], Iterable[Any]] | None = None,
    label_column: str | None = None,
    ids_x: str | Path | None = None,
    ids_y: str | Path | None = None,
    key_x: str | None = None,
    key_y: str | None = None,
    id_column: str | None = None,
    id_column_x: str | None = None,
    id_column_y: str | None = None,
    pairs: str | Path | None = None,
    workers: int | None = None,
    engine: Engine | None = None,
    progress: Callable[[str, int], Progress] | None = None,
    **options: Any,
) -> Chosen:
    """
    Return anchors chosen among the rows of x, or of x and y: what `relcli anchors choose` does.

    `.anchors.x_ids` are their ids, in order. `labels` are a table's file or (ids, labels), for strata;
    `output` names a .txt or .json to write the ids to. Other `options` are the fields of
    `relcli.tasks.anchors.ChooseOptions`: strategy, count, seed, on_duplicate.
    """
    wanted = known_options(ChooseOptions, "anchors choose", options)
    if output is not None:
        check_ids_path(output)
    reading = Reading(ids_x, ids_y, key_x, key_y, id_column, id_column_x, id_column_y, pairs)
    spaces = open_one_or_both(x, y, reading)
    chosen = choose_from_spaces(
        *spaces,
        wanted,
        engine=engine or LocalEngine(workers),
        labels=given_labels(labels, label_column, [space for space in spaces if space is not None]),
        pairs=pairs_between(spaces[0], spaces[1], pairs) if pairs and spaces[1] else None,
        progress=progress,
    )
    if output is not None:
        save_ids(output, chosen.anchors.x_ids, chosen.anchors.y_ids)
    return chosen


def anchors_check(
    anchors: str | Path | Iterable[Any] | AnchorList,
    x: Source,
    y: Source | None = None,
    *,
    labels: str | Path | tuple[Iterable[Any], Iterable[Any]] | None = None,
    label_column: str | None = None,
    ids_x: str | Path | None = None,
    ids_y: str | Path | None = None,
    key_x: str | None = None,
    key_y: str | None = None,
    id_column: str | None = None,
    id_column_x: str | None = None,
    id_column_y: str | None = None,
) -> AnchorCheck:
    """
    Return how many anchors each space holds and how well they span it: what `relcli anchors check` prints.

    `anchors` are a file of ids, ids, or pairs of ids; `labels` as in `anchors_choose`.
    """
    reading = Reading(ids_x, ids_y, key_x, key_y, id_column, id_column_x, id_column_y)
    spaces = open_one_or_both(x, y, reading, sha256=False)
    named = given_labels(labels, label_column, [space for space in spaces if space is not None])
    return check_spaces_anchors(wanted_anchors(anchors), *spaces, labels=named)
