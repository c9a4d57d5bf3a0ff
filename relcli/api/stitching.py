"""Heads trained on one space and tested on others: what `relcli stitch` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from relcli.api.sources import Source, as_tuples, column_of, known_options, open_space, side_name, wanted_anchors
from relcli.engines.engine import Progress
from relcli.errors import (
    UsageError,
)
from relcli.formats.ids import LABEL_NAMES
from relcli.reports.stitching import Stitching
from relcli.spaces.anchors import AnchorChoice, AnchorList
from relcli.tasks.stitch import Labels, Split
from relcli.tasks.stitch import Options as StitchOptions
from relcli.tasks.stitch import stitch as stitch_spaces


def stitch(
    *sources: Source,
    anchors: str | Path | Iterable[Any] | AnchorList | AnchorChoice,
    labels: str | Path | tuple[Iterable[Any], Iterable[Any]] | None = None,
    targets: Source | None = None,
    split: str | Path | tuple[Iterable[Any], Iterable[Any]] | None = None,
    ids: str | Path | None = None,
    id_column: str | None = None,
    progress: Callable[[str, int], Progress] | None = None,
    **options: Any,
) -> Stitching:
    """
    Return how heads trained on one space do on others: what `relcli stitch` prints.

    `sources` are two or more files, arrays or tensors [n, d], pairs (ids, array), or Spaces; `ids` a file of the ids of
    all files; `anchors` are as in
    `compare`. `labels` are a table of ids and labels, "FILE#column", or a pair (ids, labels); or `targets` a
    space whose rows are to be predicted. `split` says train or test of each id, in the same ways. Other
    `options` are the fields of `relcli.tasks.stitch.Options`: similarity, translate, scaling, head, regression,
    test_size, transductive, center, seed, seeds, on_duplicate, on_bad, missing_anchors, missing_labels. Raises a
    RelcliError where no answer is possible.
    """
    if (labels is None) == (targets is None):
        raise UsageError(
            "A head learns either labels or targets: give --labels FILE#COLUMN, or --targets DUMP whose rows are to be "
            "predicted."
        )
    if targets is not None:
        options["regression"] = True
    wanted = known_options(StitchOptions, "stitch", as_tuples(options, "similarity", "translate"))
    spaces = [
        open_space(
            source,
            name=side_name(source, f"space {place}"),
            ids=ids if isinstance(source, str | Path) else None,
            id_column=id_column,
        )
        for place, source in enumerate(sources, start=1)
    ]
    if labels is not None:
        learned = Labels(*column_of(labels, LABEL_NAMES, spaces, "labels"))
    else:
        rows = open_space(targets, name=side_name(targets, "targets"))
        learned = Labels(rows.ids, rows, rows.origin.path)
    parts = None if split is None else Split(*column_of(split, ("split",), spaces, "split"))
    return stitch_spaces(spaces, wanted_anchors(anchors), learned, wanted, split=parts, progress=progress)
