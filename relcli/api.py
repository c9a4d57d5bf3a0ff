"""The Python interface: the commands' tasks on paths, arrays or Spaces."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from relcli.arrays import to_numpy
from relcli.engines.engine import Engine, Progress
from relcli.engines.local import LocalEngine
from relcli.errors import (
    AnchorError,
    FormatError,
    IdError,
    JoinError,
    RelcliError,
    UsageError,
    did_you_mean,
    first_few,
)
from relcli.files import sha256_of
from relcli.formats.format import open_pairs
from relcli.formats.format import open_space as open_file
from relcli.reports.report import Report
from relcli.spaces.anchors import AnchorChoice, AnchorList, parse_choice
from relcli.spaces.pairing import Ids
from relcli.spaces.space import Origin, Space
from relcli.tasks.compare import Options, preset_options
from relcli.tasks.compare import compare as compare_spaces

#: A file, an array or tensor [n, d], a pair (ids, array), or a Space.
Source: TypeAlias = Any


def open_space(
    source: Source,
    *,
    name: str | None = None,
    ids: str | Path | None = None,
    key: str | None = None,
    id_column: str | None = None,
) -> Space:
    """
    Return the space that a file, an array or tensor [n, d], or a pair (ids, array) holds.

    `ids` is a file of ids, `key` the column, tensor or array of the vectors, `id_column` that of the
    ids; they go with files only. Raises a RelcliError where the source cannot be read.
    """
    if isinstance(source, Space):
        return source
    if isinstance(source, str | Path):
        space = open_file(source, name=name, ids=ids, key=key, id_column=id_column)
        return replace(space, origin=replace(space.origin, sha256=sha256_of(space.origin.files)))
    given, values = source if isinstance(source, tuple) else (None, source)
    vectors = to_numpy(values)
    if vectors.ndim != 2 or 0 in vectors.shape:
        raise FormatError(f"An array of shape {list(vectors.shape)} is no space: it must be [rows, dimensions].")
    if vectors.dtype.kind not in "fiu":
        raise FormatError(f"An array of dtype {vectors.dtype} is no space: its numbers must be floats.")
    named = np.arange(len(vectors)).astype(np.str_) if given is None else np.asarray(list(map(str, given)), np.str_)
    if len(named) != len(vectors):
        raise IdError(f"{len(named):,} ids were given for {len(vectors):,} rows. Give one id a row.")
    origin = Origin(
        path="(array)",
        format="array",
        dtype=str(vectors.dtype),
        id_source="row numbers" if given is None else "given",
        ids_given=given is not None,
    )
    return Space(name or "array", named, vectors, origin)


def wanted_anchors(anchors: Any) -> AnchorList | AnchorChoice:
    """
    Return which anchors are asked for: a choice "uniform:300", a file, ids, or pairs (x_id, y_id).
    """
    if isinstance(anchors, AnchorList | AnchorChoice):
        return anchors
    if isinstance(anchors, str | Path):
        choice = parse_choice(str(anchors)) if not Path(anchors).exists() else None
        return choice or _listed_anchors(anchors)
    listed = list(anchors)
    if listed and isinstance(listed[0], tuple):
        x_ids, y_ids = zip(*listed, strict=True)
    else:
        x_ids = y_ids = tuple(listed)
    return AnchorList(np.asarray([*map(str, x_ids)], np.str_), np.asarray([*map(str, y_ids)], np.str_), "given ids")


def _listed_anchors(path: str | Path) -> AnchorList:
    takes = "Anchors are a file of ids, one a line, or a choice such as uniform:300."
    try:
        x_ids, y_ids = open_pairs(path)
    except RelcliError as error:
        raise type(error)(f"{error} {takes}") from error
    if not len(x_ids):
        raise AnchorError(f"{path} is empty: it lists no anchors. {takes}")
    return AnchorList(x_ids, y_ids, source=str(path))


def _pairs_between(x: Space, y: Space, path: str | Path) -> tuple[Ids, Ids]:
    """Return the table of pairs (x_id, y_id) that a file holds, checked against the two spaces."""
    x_ids, y_ids = open_pairs(path)
    if not len(x_ids):
        raise IdError(f"{path} is empty: it holds no pairs. Write one x_id<TAB>y_id a line.")
    for side, ids in (("x", x_ids), ("y", y_ids)):
        values, counts = np.unique(ids, return_counts=True)
        if len(values) < len(ids):
            raise IdError(
                f"{path} holds {int((counts > 1).sum()):,} ids of {side} more than once: "
                f"{first_few(list(values[counts > 1]))}. Keep one pair of each."
            )
    in_x, in_y = np.isin(x_ids, x.ids), np.isin(y_ids, y.ids)
    if not (in_x & in_y).any():
        raise JoinError(
            f"{path} pairs nothing: of its {len(x_ids):,} pairs like {str(x_ids[0])!r}, {str(y_ids[0])!r}, "
            f"{int(in_x.sum()):,} start with an id of {x.name} like {str(x.ids[0])!r}, {int(in_y.sum()):,} end with "
            f"an id of {y.name} like {str(y.ids[0])!r}. Give x_id<TAB>y_id a line, in this order."
        )
    return x_ids, y_ids


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
    pairs: str | Path | None = None,
    workers: int | None = None,
    engine: Engine | None = None,
    progress: Callable[[str, int], Progress] | None = None,
    **options: Any,
) -> Report:
    """
    Return how alike two latent spaces are: what `relcli compare` prints, as a Report.

    `x` and `y` are files, arrays or tensors [n, d], pairs (ids, array), or Spaces; `anchors` a file of
    ids, ids, pairs of ids, or a choice such as "uniform:300". Other `options` are the fields of
    `relcli.tasks.compare.Options`: measures, k, views, center, include_anchors, sample, seed,
    on_duplicate, on_bad, missing_anchors, strict, preset. Raises a RelcliError where no answer is possible.
    """
    spaces = (
        open_space(
            x,
            name=None if isinstance(x, str | Path | Space) else "x",
            ids=ids_x,
            key=key_x,
            id_column=id_column,
        ),
        open_space(
            y,
            name=None if isinstance(y, str | Path | Space) else "y",
            ids=ids_y,
            key=key_y,
            id_column=id_column,
        ),
    )
    return compare_spaces(
        *spaces,
        wanted_anchors(anchors),
        make_options(**options),
        engine=engine or LocalEngine(workers),
        pairs=_pairs_between(*spaces, pairs) if pairs else None,
        progress=progress,
    )


def make_options(**given: Any) -> Options:
    """Return Options from the defaults, then the preset, then what is given and not None."""
    known = Options.__dataclass_fields__
    for name in given:
        if name not in known:
            raise UsageError(f"compare has no option {name!r}.{did_you_mean(name, known)}")
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
    return Options(**said)
