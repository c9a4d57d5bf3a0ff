"""Rows matched one to one: what `relcli match` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from relcli.api.sources import Source, known_options, open_both, pairs_between, wanted_anchors
from relcli.engines.engine import Engine, Progress
from relcli.engines.local import LocalEngine
from relcli.reports.report import Report
from relcli.spaces.anchors import AnchorChoice, AnchorList
from relcli.tasks.match import Options as MatchOptions
from relcli.tasks.match import match as match_spaces


def match(
    x: Source,
    y: Source,
    anchors: str | Path | Iterable[Any] | AnchorList | AnchorChoice,
    *,
    via: str | Iterable[str] | None = None,
    ids_x: str | Path | None = None,
    ids_y: str | Path | None = None,
    key_x: str | None = None,
    key_y: str | None = None,
    id_column: str | None = None,
    pairs: str | Path | None = None,
    workers: int | None = None,
    engine: Engine | None = None,
    progress: Callable[[str, int], Progress] | None = None,
    **options: Any,
) -> Report:
    """
    Return how many held-out rows a one-to-one assignment brings together: what `relcli match` prints.

    `x`, `y` and `anchors` are as in `compare`; `via` names methods as in `retrieve`. Other `options` are the fields
    of `relcli.tasks.match.Options`: queries, center, seed, seeds, on_duplicate, on_bad, missing_anchors, strict.
    Raises a RelcliError where no answer is possible.
    """
    methods = (via,) if isinstance(via, str) else None if via is None else tuple(via)
    wanted = known_options(MatchOptions, "match", {**options, "via": methods})
    spaces = open_both(x, y, ids_x, ids_y, key_x, key_y, id_column)
    return match_spaces(
        *spaces,
        wanted_anchors(anchors),
        wanted,
        engine=engine or LocalEngine(workers),
        pairs=pairs_between(*spaces, pairs) if pairs else None,
        progress=progress,
    )
