"""Rows matched one to one: what `relcli match` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from relcli.api.sources import Reading, Source, as_tuples, known_options, open_both, pairs_between, wanted_anchors
from relcli.api.tiers import tiered
from relcli.engines.engine import Engine, Progress
from relcli.engines.local import LocalEngine
from relcli.errors import UsageError
from relcli.formats.found import check_found_path, save_found
from relcli.reports.report import Report
from relcli.spaces.anchors import AnchorChoice, AnchorList
from relcli.tasks.discover import Options as DiscoverOptions
from relcli.tasks.discover import discover as discover_pairs
from relcli.tasks.match import Options as MatchOptions
from relcli.tasks.match import match as match_spaces


@tiered
def match(
    x: Source,
    y: Source,
    anchors: str | Path | Iterable[Any] | AnchorList | AnchorChoice | None = None,
    *,
    bootstrap: int | None = None,
    sample: int | None = None,
    shared_only: bool = False,
    pairs_out: str | Path | None = None,
    via: str | Iterable[str] | None = None,
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
) -> Report:
    """
    Return how many held-out rows a one-to-one assignment brings together: what `relcli match` prints.

    `x`, `y` and `anchors` are as in `compare`; `via` names methods as in `retrieve`. Other `options` are the fields
    of `relcli.tasks.match.Options`: queries, center, seed, seeds, on_duplicate, on_bad, missing_anchors, strict.

    Experimental: without `anchors`, pairs of rows are discovered from the rows alone; with `bootstrap` they are
    grown to so many from `anchors` as seeds. `sample` is how many rows of a side are searched (5,000),
    `shared_only` leaves out rows that the other side lacks, and `pairs_out` is a .tsv or .parquet for the pairs.
    Raises a RelcliError where no answer is possible.
    """
    options = as_tuples({**options, "via": via}, "via")
    reading = Reading(ids_x, ids_y, key_x, key_y, id_column, id_column_x, id_column_y, pairs)
    if anchors is None or bootstrap is not None:
        if options.pop("seeds", 1) not in (None, 1):
            raise UsageError("--seeds repeats what --anchors are given for. Discover pairs once for each --seed.")
        if bootstrap is not None and anchors is None:
            raise UsageError(f"--bootstrap {bootstrap} grows from seeds: list a few pairs with --anchors.")
        if pairs_out is not None:
            check_found_path(pairs_out)
        wished = {"anchors": bootstrap, "sample": sample, "shared_only": shared_only, **options}
        discovering = known_options(DiscoverOptions, "match", wished)
        sides = open_both(x, y, reading)
        return discover_pairs(
            *sides,
            None if anchors is None else wanted_anchors(anchors),
            discovering,
            pairs=pairs_between(*sides, pairs) if pairs else None,
            write=None if pairs_out is None else partial(save_found, pairs_out),
            progress=progress,
        )
    if sample is not None or shared_only or pairs_out is not None:
        raise UsageError(
            "--sample, --shared-only and --pairs-out go with the discovery of pairs: leave --anchors out, or grow "
            "them with --bootstrap N."
        )
    wanted = known_options(MatchOptions, "match", options)
    spaces = open_both(x, y, reading)
    return match_spaces(
        *spaces,
        wanted_anchors(anchors),
        wanted,
        engine=engine or LocalEngine(workers),
        pairs=pairs_between(*spaces, pairs) if pairs else None,
        progress=progress,
    )
