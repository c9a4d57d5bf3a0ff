"""Rows given classes by another model's vectors of them: what `relcli classify` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from relcli.api.retrieving import wanted_queries
from relcli.api.sources import (
    Reading,
    Source,
    as_tuples,
    column_of,
    known_ids,
    known_options,
    open_both,
    open_space,
    side_name,
    wanted_anchors,
)
from relcli.engines.engine import Engine, Progress
from relcli.engines.local import LocalEngine
from relcli.errors import IdError, UsageError
from relcli.formats.lists import LABEL_NAMES, is_table, open_pairs, open_values
from relcli.formats.predictions import joined_columns
from relcli.formats.shards import split_member
from relcli.reports.classification import Classification
from relcli.spaces.anchors import AnchorChoice, AnchorList
from relcli.spaces.pairing import Ids
from relcli.spaces.similarity import parse_sparse
from relcli.spaces.space import Space
from relcli.tasks.classify import Labels, Predictions, Prototypes, Rows
from relcli.tasks.classify import Options as ClassifyOptions
from relcli.tasks.classify import classify as classify_spaces

#: What a column of classes is called where it is not named.
_CLASS_NAMES = ("class", *(name for name in LABEL_NAMES if name != "class"))


@dataclass(frozen=True)
class Classified:
    """The figures, and the predictions in the order of the rows unless they were taken as they came."""

    classification: Classification
    batches: list[Predictions] = field(default_factory=list)

    @property
    def predictions(self) -> dict[str, list[Any]]:
        """The columns id, class, score, margin and runner_up, and label where labels were given."""
        return joined_columns(batch.columns() for batch in self.batches)

    def score(self, measure: str, via: str = "asif") -> Any:
        """Return the score of a method."""
        return self.classification.score(measure, via)


def classify(
    x: Source,
    y: Source | None = None,
    *,
    anchors: str | Path | Iterable[Any] | AnchorList | AnchorChoice,
    prototypes: Source | None = None,
    classes: str | Path | tuple[Iterable[Any], Iterable[Any]] | None = None,
    rows: Any = None,
    labels: str | Path | tuple[Iterable[Any], Iterable[Any]] | None = None,
    sparse: str | tuple[int, float] | None = None,
    via: str | Iterable[str] | None = None,
    ids_x: str | Path | None = None,
    ids_y: str | Path | None = None,
    key_x: str | None = None,
    key_y: str | None = None,
    id_column: str | None = None,
    id_column_x: str | None = None,
    id_column_y: str | None = None,
    take: Callable[[Predictions], None] | None = None,
    workers: int | None = None,
    engine: Engine | None = None,
    progress: Callable[[str, int], Progress] | None = None,
    **options: Any,
) -> Classified:
    """
    Return what `relcli classify` prints, and the predictions: rows of x by the prototypes of another model's classes.

    `x` holds one model's rows, `y` the other's: both hold the `anchors`, which are as in `compare`. `prototypes` is
    a dump of the other model's vectors of the classes; without `y` it holds the anchors' too, without
    `prototypes` y does. `classes` names the prototypes and, for templates, their classes: a file of ids or
    id<TAB>class, a table "FILE#column", or a pair (ids, classes). `rows` are ids of x to classify, or a dump of
    other rows of its model; `labels` as in `stitch`. `sparse` is (k, p) or "k,p". Predictions go to `take`, or are
    kept in the result. Other `options` are the fields of `relcli.tasks.classify.Options`: tune, center, seed,
    on_duplicate, on_bad, missing_anchors, missing_labels. Raises a RelcliError where no answer is possible.
    """
    given = {**options, "via": via, "sparse": parse_sparse(sparse) if isinstance(sparse, str) else sparse}
    wanted = known_options(ClassifyOptions, "classify", as_tuples(given, "via"))
    if y is None and prototypes is None:
        raise UsageError(
            "Nothing says what the classes are: give --prototypes DUMP, the other model's vectors of them, or Y and "
            "--classes FILE, which of its rows they are."
        )
    both = y is not None and prototypes is not None
    reading = Reading(ids_x, ids_y, key_x, key_y, id_column, id_column_x, id_column_y)
    spaces: tuple[Space, Space] = open_both(x, prototypes if y is None else y, reading)
    own = open_space(prototypes, name=side_name(prototypes, "prototypes")) if both else None
    named, of_class, source = _classes(classes, own or spaces[1])
    if not source:
        source = "every row" if own is not None else "rows that are neither anchors nor in x"
    to_classify = _rows(rows)
    labelled = None
    if labels is not None:
        held = [to_classify.space or spaces[0]]
        labelled = Labels(*column_of(labels, LABEL_NAMES, held, "labels"))
    batches: list[Predictions] = []
    found = classify_spaces(
        *spaces,
        Prototypes(own, named, of_class, source),
        wanted_anchors(anchors),
        wanted,
        engine=engine or LocalEngine(workers),
        rows=to_classify,
        labels=labelled,
        take=take or batches.append,
        progress=progress,
    )
    return Classified(found, batches)


def _rows(rows: Any) -> Rows:
    if rows is None:
        return Rows()
    asked = wanted_queries(rows)
    return Rows(asked.ids, asked.space, asked.source)


def _classes(given: Any, space: Space) -> tuple[Ids | None, Ids | None, str]:
    """Return the ids of the prototypes and their classes, None where nothing names them, and what does."""
    if given is None:
        return None, None, ""
    if not isinstance(given, str | Path):
        ids, values, source = column_of(given, _CLASS_NAMES, [space], "classes")
        return ids, values, source
    path, column = split_member(given, None)
    if column is not None or Path(path).suffix.lower() == ".npy" or is_table(Path(path)):
        ids, values = open_values(path, column, names=_CLASS_NAMES, rows=space.ids, among=known_ids([space]))
    else:
        ids, values = open_pairs(path)
    if not len(ids):
        raise IdError(f"{path} names no prototypes. Write id, or id<TAB>class, a line.")
    return ids, np.char.strip(values), str(given)
