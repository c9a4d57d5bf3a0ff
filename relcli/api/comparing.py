"""Two spaces compared: what `relcli compare` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from relcli.api.sources import Reading, Source, known_ids, known_options, open_both, pairs_between, wanted_anchors
from relcli.api.tiers import tiered
from relcli.engines.engine import Engine, Progress
from relcli.engines.local import LocalEngine
from relcli.errors import UsageError
from relcli.formats.format import open_labels
from relcli.formats.items import check_items_path, save_items
from relcli.formats.shards import split_member
from relcli.reports.pictures import Pictures, check_folder, write_plots
from relcli.reports.report import Report
from relcli.spaces.anchors import AnchorChoice, AnchorList
from relcli.spaces.similarity import parse_sparse
from relcli.tasks.compare import Options, preset_options
from relcli.tasks.compare import compare as compare_spaces


@tiered
def compare(
    x: Source,
    y: Source,
    anchors: str | Path | Iterable[Any] | AnchorList | AnchorChoice,
    *,
    ids_x: str | Path | None = None,
    ids_y: str | Path | None = None,
    key_x: str | None = None,
    key_y: str | None = None,
    id_column: str | None = None,
    id_column_x: str | None = None,
    id_column_y: str | None = None,
    pairs: str | Path | None = None,
    items: str | Path | None = None,
    group_by: str | None = None,
    metadata: str | Path | None = None,
    plots: str | Path | None = None,
    points: str | Path | None = None,
    pictures: Callable[[Pictures], None] | None = None,
    workers: int | None = None,
    engine: Engine | None = None,
    progress: Callable[[str, int], Progress] | None = None,
    **options: Any,
) -> Report:
    """
    Return how alike two latent spaces are: what `relcli compare` prints, as a Report.

    `x` and `y` are files, arrays or tensors [n, d], pairs (ids, array), or Spaces; `anchors` a file of
    ids, ids, pairs of ids, or a choice such as "uniform:300". Other `options` are the fields of
    `relcli.tasks.compare.Options`: measures, k, views, similarity,
    quantize, sparse, center, standardize, l2, include_anchors, sample, seed,
    on_duplicate, on_bad, missing_anchors, strict, preset, moved, null, anchor_draws, projection, plot_sample.
    `items` is a file (.parquet, .csv, .jsonl) for what became of each query; `group_by` a column of
    `metadata` (or of x's own file) whose labels are scored one by one; `plots` a folder for pictures,
    `points` a file (as `items`) for the points they show, and `pictures` is given what they show. Raises a
    RelcliError where no answer is possible.
    """
    reading = Reading(ids_x, ids_y, key_x, key_y, id_column, id_column_x, id_column_y, pairs)
    spaces = open_both(x, y, reading)
    wanted = make_options(**options)
    if items is not None:
        check_items_path(items)
    if points is not None:
        check_items_path(points)
    if plots is not None:
        check_folder(Path(plots))
    nothing = plots is None and points is None and pictures is None
    said = next((name for name in ("projection", "plot_sample") if options.get(name) is not None), None)
    if nothing and said:
        raise UsageError(
            f"--{said.replace('_', '-')} says how to draw, and nothing is drawn: add --plots DIR, --points FILE or "
            "-o report.html, which draws where relcli[plot] is installed."
        )
    drawn: list[Pictures] = []
    groups = None
    if group_by is not None:
        source = metadata if metadata is not None else x
        if not isinstance(source, str | Path):
            raise UsageError("group_by needs a file of ids and labels: name one as metadata.")
        place = source if metadata is not None else split_member(source, None)[0]
        groups = (group_by, *open_labels(place, group_by, among=known_ids(spaces)))
    report = compare_spaces(
        *spaces,
        wanted_anchors(anchors),
        wanted,
        engine=engine or LocalEngine(workers),
        pairs=pairs_between(*spaces, pairs) if pairs else None,
        groups=groups,
        items=None if items is None else partial(save_items, items),
        pictures=None if nothing else drawn.append,
        progress=progress,
    )
    for each in drawn:
        if points is not None:
            save_items(points, {name: np.array(column, object) for name, column in each.table().items()})
        if plots is not None:
            write_plots(report, each, plots)
        if pictures is not None:
            pictures(each)
    return report


def make_options(**given: Any) -> Options:
    """Return Options from the defaults, then the preset, then what is given and not None."""
    said = {name: value for name, value in given.items() if value is not None}
    if "preset" in said:
        said = {**preset_options(said["preset"]), **said}
    for name in ("measures", "views"):
        if isinstance(said.get(name), str):
            said[name] = [part.strip() for part in said[name].split(",") if part.strip()]
            if not said[name]:
                raise UsageError(f"No {name} are named: give names with commas between, or leave --{name} out.")
        if name in said:
            said[name] = tuple(dict.fromkeys(said[name]))
    if isinstance(said.get("sparse"), str):
        said["sparse"] = parse_sparse(said["sparse"])
    made: Options = known_options(Options, "compare", {**given, **said})
    return made
