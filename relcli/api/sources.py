"""The spaces, anchors, labels and options that a call names, from files, arrays or values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from relcli.arrays import to_numpy
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
from relcli.formats.format import open_labels, open_pairs
from relcli.formats.format import open_space as open_file
from relcli.formats.lists import open_values
from relcli.formats.shards import distinct_names, find_dumps, split_member
from relcli.spaces.anchors import AnchorChoice, AnchorList, parse_choice
from relcli.spaces.pairing import Ids
from relcli.spaces.shared_ids import check_decided, with_common_ids, with_ids_among, with_shared_ids
from relcli.spaces.space import Origin, Space

#: A file, an array or tensor [n, d], a pair (ids, array), or a Space.
Source: TypeAlias = Any


def open_space(
    source: Source,
    *,
    name: str | None = None,
    ids: str | Path | None = None,
    key: str | None = None,
    id_column: str | None = None,
    sha256: bool = True,
) -> Space:
    """
    Return the space that a file, an array or tensor [n, d], or a pair (ids, array) holds.

    `ids` is a file of ids, `key` the column, tensor or array of the vectors, `id_column` that of the
    ids; they go with files only, as does `sha256`, whether to digest them. Raises a RelcliError where
    the source cannot be read.
    """
    if isinstance(source, Space):
        return source
    if isinstance(source, str | Path):
        space = open_file(source, name=name, ids=ids, key=key, id_column=id_column)
        return replace(space, origin=replace(space.origin, sha256=sha256_of(space.origin.files))) if sha256 else space
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


def pairs_between(x: Space, y: Space, path: str | Path) -> tuple[Ids, Ids]:
    """Return the table of pairs (x_id, y_id) that a file holds, checked against the two spaces."""
    x_ids, y_ids = open_pairs(path, single=False)
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


def known_options(kind: Any, command: str, given: dict[str, Any]) -> Any:
    """Return a task's options from what is given and not None."""
    known = kind.__dataclass_fields__
    for name in given:
        if name not in known:
            raise UsageError(f"{command} has no option {name!r}.{did_you_mean(name, known)}")
    return kind(**{name: value for name, value in given.items() if value is not None})


def side_name(source: Source, side: str) -> str | None:
    return None if isinstance(source, str | Path | Space) else side


def sharing(spaces: Iterable[Space]) -> list[Space]:
    """Return spaces with the ids that they share; those of each must be certain."""
    shared = with_common_ids(list(spaces))
    for space in shared:
        check_decided(space)
    return shared


def open_many(sources: Sequence[Source], ids: Any, id_column: str | None) -> list[Space]:
    """Return the spaces of many sources, a glob as the files it matches, with the ids that they share."""
    spaces: list[Space] = []
    refused: list[UsageError] = []
    for number, source in enumerate(sources, start=1):
        if not isinstance(source, str | Path):
            spaces.append(open_space(source, name=None if isinstance(source, Space) else f"array {number}"))
            continue
        for place in find_dumps([source]):
            try:
                spaces.append(open_space(place, ids=ids, id_column=id_column))
            except UsageError as error:
                # the column that is said of all may be there in some alone
                if id_column is None:
                    raise
                refused.append(error)
                spaces.append(open_space(place, ids=ids))
    if refused and len(refused) == len(spaces):
        raise refused[0]
    spaces = sharing(spaces)
    places = [space.origin.path + (f"#{space.origin.member}" if "#" in space.name else "") for space in spaces]
    names = distinct_names(places)
    repeated = {name for name, times in Counter(space.name for space in spaces).items() if times > 1}
    return [
        replace(space, name=name) if space.name in repeated and space.origin.sha256 else space
        for space, name in zip(spaces, names, strict=True)
    ]


def taken_apart(options: dict[str, Any]) -> dict[str, Any]:
    """Return options with texts such as "mrr,cosine" taken apart, and counts as numbers."""
    found = {name: value for name, value in options.items() if value is not None}
    for name in ("grid", "strategies", "measures", "views", "similarities", "quantize"):
        if isinstance(found.get(name), str):
            found[name] = tuple(dict.fromkeys(part.strip() for part in found[name].split(",") if part.strip()))
    if "grid" in found:
        odd = [part for part in found["grid"] if not str(part).isdigit()]
        if odd:
            raise UsageError(f"--anchors-grid holds {odd[0]!r}, no number of anchors: write it like 10,50,300.")
        found["grid"] = tuple(sorted({int(part) for part in found["grid"]}))
    for name in ("via", "quantize"):
        if isinstance(found.get(name), str | float):
            found[name] = (found[name],)
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


@dataclass(frozen=True)
class Reading:
    """How two sources are read: files of ids, keys of the vectors, columns of the ids, and a table of pairs."""

    ids_x: str | Path | None = None
    ids_y: str | Path | None = None
    key_x: str | None = None
    key_y: str | None = None
    id_column: str | None = None
    id_column_x: str | None = None
    id_column_y: str | None = None
    pairs: str | Path | None = None

    def sides(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what is said of x, and what is said of y."""
        return (
            {"ids": self.ids_x, "key": self.key_x, "id_column": self.id_column_x or self.id_column},
            {"ids": self.ids_y, "key": self.key_y, "id_column": self.id_column_y or self.id_column},
        )


def open_alone(source: Source, *, among: Ids | None = None, **said: Any) -> Space:
    """Return the space of a source whose ids must be certain, or be told by those `among` which some of them are."""
    space = open_space(source, **said)
    if among is not None:
        space = with_ids_among(space, among)
    check_decided(space)
    return space


def open_both(x: Source, y: Source, reading: Reading, *, sha256: bool = True) -> tuple[Space, Space]:
    """Return two spaces with the ids that they share, or that a table of pairs names."""
    spaces = _opened(x, y, reading, sha256=sha256)
    if reading.pairs is not None:
        listed = open_pairs(reading.pairs, single=False)
        spaces = with_ids_among(spaces[0], listed[0]), with_ids_among(spaces[1], listed[1])
    else:
        spaces = with_shared_ids(*spaces)
    for side, space in zip("xy", spaces, strict=True):
        check_decided(space, flag=f"--id-column-{side}")
    return spaces


def open_one_or_both(
    x: Source, y: Source | None, reading: Reading, *, sha256: bool = True
) -> tuple[Space, Space | None]:
    """Return two spaces as `open_both` does, or that of x alone and None."""
    if y is not None:
        return open_both(x, y, reading, sha256=sha256)
    return open_alone(x, name=side_name(x, "x"), sha256=sha256, **reading.sides()[0]), None


def _opened(x: Source, y: Source, reading: Reading, *, sha256: bool) -> tuple[Space, Space]:
    opened: list[Space] = []
    refused: list[UsageError] = []
    for side, source, said in zip("xy", (x, y), reading.sides(), strict=True):
        name = side_name(source, side)
        try:
            opened.append(open_space(source, name=name, sha256=sha256, **said))
        except UsageError as error:
            # the column that is said of both may be there on one side alone: an .npy has none
            own = getattr(reading, f"id_column_{side}")
            if said["id_column"] is None or own is not None or refused:
                raise
            refused.append(error)
            try:
                opened.append(open_space(source, name=name, sha256=sha256, **{**said, "id_column": None}))
            except UsageError:
                raise error from None
    if refused and not any(space.origin.ids_given for space in opened):
        raise refused[0]
    return opened[0], opened[1]


def known_ids(spaces: Iterable[Space]) -> list[Ids]:
    """Return the ids of the spaces that have some: a table about them holds many of these."""
    return [space.ids for space in spaces if space.origin.ids_given]


def given_labels(
    labels: str | Path | tuple[Iterable[Any], Iterable[Any]] | None, column: str | None, spaces: Sequence[Space]
) -> tuple[Ids, Ids] | None:
    """Return the ids and labels that a table of the rows of some spaces holds, or two lists, None where none are."""
    if labels is None:
        if column is not None:
            raise UsageError(f"--label-column {column} names a column of no file: give --labels FILE.")
        return None
    if isinstance(labels, str | Path):
        return open_labels(labels, column, among=known_ids(spaces))
    ids, values = (np.asarray([*map(str, part)], np.str_) for part in labels)
    if len(ids) != len(values):
        raise IdError(f"{len(values):,} labels were given for {len(ids):,} ids. Give one label an id.")
    return ids, values


def as_tuples(given: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return options with those of these names as tuples: a single text stands for itself alone."""
    lists = {name: given[name] for name in names if given.get(name) is not None}
    return {**given, **{name: (some,) if isinstance(some, str) else tuple(some) for name, some in lists.items()}}


def column_of(source: Any, names: Sequence[str], spaces: Sequence[Space], what: str) -> tuple[Ids, Ids, str]:
    """Return the ids and texts of a column, and what it is called: from FILE#column, or from two lists."""
    if isinstance(source, str | Path):
        path, column = split_member(source, None)
        rows = spaces[0].ids if spaces else None
        ids, values = open_values(path, column, names=names, rows=rows, among=known_ids(spaces))
        return ids, values, str(source)
    ids, values = (np.asarray([str(cell) for cell in part], np.str_) for part in source)
    if len(ids) != len(values):
        raise IdError(f"{len(ids):,} ids were given for {len(values):,} {what}. Give one each.")
    return ids, values, f"given {what}"
