"""Heads trained on one space and tested on others: what `relcli stitch` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from relcli.api.sources import (
    Source,
    as_tuples,
    column_of,
    known_options,
    open_alone,
    open_space,
    sharing,
    side_name,
    wanted_anchors,
)
from relcli.engines.engine import Engine, Progress
from relcli.engines.local import LocalEngine
from relcli.errors import UsageError
from relcli.files import sha256_of
from relcli.formats.heads import check_heads_path, load_heads, save_heads
from relcli.formats.lists import LABEL_NAMES
from relcli.formats.predictions import joined_columns
from relcli.reports.application import Application
from relcli.reports.report import Score
from relcli.reports.stitching import Stitching
from relcli.spaces.anchors import AnchorChoice, AnchorList
from relcli.spaces.heads import TrainedHeads
from relcli.tasks.stitch import Labels, Split
from relcli.tasks.stitch import Options as StitchOptions
from relcli.tasks.stitch import stitch as stitch_spaces
from relcli.tasks.stitch_apply import Labelled, Truth
from relcli.tasks.stitch_apply import Options as ApplyOptions
from relcli.tasks.stitch_apply import apply as apply_heads


def stitch(
    *sources: Source,
    anchors: str | Path | Iterable[Any] | AnchorList | AnchorChoice,
    labels: str | Path | tuple[Iterable[Any], Iterable[Any]] | None = None,
    targets: Source | None = None,
    split: str | Path | tuple[Iterable[Any], Iterable[Any]] | None = None,
    ids: str | Path | None = None,
    id_column: str | None = None,
    save_head: str | Path | None = None,
    save_source: str | None = None,
    progress: Callable[[str, int], Progress] | None = None,
    **options: Any,
) -> Stitching:
    """
    Return how heads trained on one space do on others: what `relcli stitch` prints.

    `sources` are two or more files, arrays or tensors [n, d], pairs (ids, array), or Spaces; `ids` a file of the ids of
    all files; `anchors` are as in `compare`. `labels` are a table of ids and labels, "FILE#column", or a pair (ids,
    labels); or `targets` a space whose rows are to be predicted. `split` says train or test of each id, in the same
    ways. `save_head` names a .skops to write the heads of the first seed to that were trained on the space called
    `save_source`, the first unless it is named; `stitch_apply` takes it. Other `options` are the fields of
    `relcli.tasks.stitch.Options`: similarity, translate, scaling, head, regression, test_size, transductive, center,
    seed, seeds, on_duplicate, on_bad, missing_anchors, missing_labels. Raises a RelcliError where no answer is
    possible.
    """
    if (labels is None) == (targets is None):
        raise UsageError(
            "A head learns either labels or targets: give --labels FILE#COLUMN, or --targets DUMP whose rows are to be "
            "predicted."
        )
    if targets is not None:
        options["regression"] = True
    if save_head is not None:
        check_heads_path(save_head)
    elif save_source is not None:
        raise UsageError(f"--save-source {save_source} names whose heads to save, and none are: give --save-head FILE.")
    wanted = known_options(StitchOptions, "stitch", as_tuples(options, "similarity", "translate"))
    spaces = sharing(
        open_space(
            source,
            name=side_name(source, f"space {place}"),
            ids=ids if isinstance(source, str | Path) else None,
            id_column=id_column,
        )
        for place, source in enumerate(sources, start=1)
    )
    if labels is not None:
        learned = Labels(*column_of(labels, LABEL_NAMES, spaces, "labels"))
    else:
        rows = open_alone(targets, among=spaces[0].ids, name=side_name(targets, "targets"))
        learned = Labels(rows.ids, rows, rows.origin.path)
    parts = None if split is None else Split(*column_of(split, ("split",), spaces, "split"))
    return stitch_spaces(
        spaces,
        wanted_anchors(anchors),
        learned,
        wanted,
        split=parts,
        source=save_source,
        keep=partial(save_heads, save_head) if save_head is not None else None,
        progress=progress,
    )


@dataclass(frozen=True)
class Applied:
    """What a head did, and the predictions in the order of the rows unless they were taken as they came."""

    application: Application
    batches: list[Labelled] = field(default_factory=list)

    @property
    def predictions(self) -> dict[str, list[Any]]:
        """The columns id, label, score and margin; or id and prediction, numbered where there are several."""
        return joined_columns(batch.columns() for batch in self.batches)

    def score(self, measure: str) -> Score:
        """Return the score of that name; KeyError where it is not there."""
        return self.application.score(measure)


def stitch_apply(
    heads: str | Path | TrainedHeads,
    source: Source,
    *,
    anchors: str | Path | Iterable[Any] | AnchorList | None = None,
    labels: str | Path | tuple[Iterable[Any], Iterable[Any]] | None = None,
    split: str | Path | tuple[Iterable[Any], Iterable[Any]] | None = None,
    ids: str | Path | None = None,
    key: str | None = None,
    id_column: str | None = None,
    take: Callable[[Labelled], None] | None = None,
    workers: int | None = None,
    engine: Engine | None = None,
    progress: Callable[[str, int], Progress] | None = None,
    **options: Any,
) -> Applied:
    """
    Return what `relcli stitch apply` prints, and the predictions: a saved head's, of every row of a source.

    `heads` is what `stitch` wrote with `save_head`. The source holds the head's anchors, under their ids or under
    those that `anchors` pairs with them; or it is of a space that the file knows (`known`). `labels` are what is
    right, as in `stitch`; with `split` only the ids that it calls test are scored. Predictions go to `take`, batch
    by batch, or are kept in the result. Other `options` are the fields of `relcli.tasks.stitch_apply.Options`: via,
    known, on_bad, missing_labels. Raises a RelcliError where no answer is possible.
    """
    wanted = known_options(ApplyOptions, "stitch apply", options)
    if isinstance(heads, str | Path):
        loaded = load_heads(heads)
        heads = replace(loaded, about={**loaded.about, "sha256": sha256_of([heads])})
    listed = None if anchors is None else wanted_anchors(anchors)
    if isinstance(listed, AnchorChoice):
        raise UsageError("A head has its anchors already: --anchors pairs their ids with those of the dump, in a file.")
    known = heads.anchor_ids if listed is None else listed.y_ids
    space = open_alone(source, among=known, name=side_name(source, "x"), ids=ids, key=key, id_column=id_column)
    if split is not None and labels is None:
        raise UsageError("--split tells which rows to score, and nothing says what is right: add --labels FILE.")
    truth = None
    if labels is not None:
        truth = Truth(*column_of(labels, LABEL_NAMES, [space], "labels"))
        if split is not None:
            split_ids, parts, _ = column_of(split, ("split",), [space], "split")
            truth = replace(truth, test=split_ids[np.char.lower(np.char.strip(parts)) == "test"])
    batches: list[Labelled] = []
    found = apply_heads(
        heads,
        space,
        wanted,
        engine=engine or LocalEngine(workers),
        anchors=listed,
        truth=truth,
        take=take or batches.append,
        progress=progress,
    )
    return Applied(found, batches)
