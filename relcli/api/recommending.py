"""Which way of comparing suits two spaces: what `relcli recommend` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from relcli.api.sources import Reading, Source, as_tuples, column_of, known_options, open_both, wanted_anchors
from relcli.api.tiers import tiered
from relcli.engines.engine import Engine, Progress
from relcli.engines.local import LocalEngine
from relcli.errors import UsageError
from relcli.formats.lists import LABEL_NAMES
from relcli.reports.recommendation import Recommendation
from relcli.spaces.anchors import AnchorChoice, AnchorList
from relcli.tasks.recommend import Classes
from relcli.tasks.recommend import Options as RecommendOptions
from relcli.tasks.recommend import recommend as recommend_way


@tiered
def recommend(
    x: Source,
    y: Source,
    anchors: str | Path | Iterable[Any] | AnchorList | AnchorChoice,
    *,
    labels: str | Path | tuple[Iterable[Any], Iterable[Any]] | None = None,
    split: str | Path | tuple[Iterable[Any], Iterable[Any]] | None = None,
    ids_x: str | Path | None = None,
    ids_y: str | Path | None = None,
    key_x: str | None = None,
    key_y: str | None = None,
    id_column: str | None = None,
    id_column_x: str | None = None,
    id_column_y: str | None = None,
    workers: int | None = None,
    engine: Engine | None = None,
    progress: Callable[[str, int], Progress] | None = None,
    **options: Any,
) -> Recommendation:
    """
    Return which way of comparing finds held-out anchors best: what `relcli recommend` prints.

    `x`, `y` and `anchors` are as in `compare`, `labels` and `split` as in `stitch`: with labels the way for stitching
    is chosen too, by heads that see the rows marked train, or all. Other `options` are the fields of
    `relcli.tasks.recommend.Options`: purpose ("retrieval" or "stitching"), candidates, folds, products, direction,
    seed, on_duplicate, on_bad, missing_anchors. `.via("retrieval")` of what is returned names the way. Raises a
    RelcliError where no answer is possible.
    """
    wanted = known_options(RecommendOptions, "recommend", as_tuples(options, "candidates"))
    reading = Reading(ids_x, ids_y, key_x, key_y, id_column, id_column_x, id_column_y)
    spaces = open_both(x, y, reading)
    classes = None
    if split is not None and labels is None:
        raise UsageError("--split says which labelled rows heads may see, and no labels are given. Add --labels FILE.")
    if labels is not None:
        ids, values, source = column_of(labels, LABEL_NAMES, [spaces[0]], "labels")
        classes = Classes(ids, values, source, None if split is None else _trained_on(split, spaces))
    return recommend_way(
        *spaces,
        wanted_anchors(anchors),
        wanted,
        engine=engine or LocalEngine(workers),
        classes=classes,
        progress=progress,
    )


def _trained_on(split: Any, spaces: tuple[Any, Any]) -> Any:
    ids, parts, source = column_of(split, ("split",), [spaces[0]], "split")
    train = ids[np.char.lower(np.char.strip(parts)) == "train"]
    if not len(train):
        raise UsageError(f"{source} marks no row as train. It must say train of those that heads may see.")
    return train
