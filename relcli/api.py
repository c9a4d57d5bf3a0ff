"""The Python interface: the commands' tasks on paths, arrays or Spaces."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
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
from relcli.formats.format import check_saving, open_ids, open_labels, open_pairs
from relcli.formats.format import open_space as open_file
from relcli.formats.format import save_space as save_file
from relcli.formats.ids import LABEL_NAMES, check_ids_path, open_scores, open_values, save_ids
from relcli.formats.index import IndexFolder
from relcli.formats.items import check_items_path, save_items
from relcli.formats.maps import SavedMap, check_map_path, load_map, save_map
from relcli.formats.shards import distinct_names, find_dumps, split_member
from relcli.reports.anchors import AnchorCheck
from relcli.reports.inspection import Inspection
from relcli.reports.matrix import MATRIX_VERSION, Matrix
from relcli.reports.report import Report
from relcli.reports.stitching import Stitching
from relcli.reports.study import Keeper, read_study
from relcli.reports.sweep import SWEEP_VERSION, Sweep
from relcli.spaces.anchors import AnchorChoice, AnchorList, parse_choice
from relcli.spaces.index import need_faiss
from relcli.spaces.pairing import Ids
from relcli.spaces.space import Origin, Space
from relcli.spaces.translation import Translation
from relcli.tasks.anchors import ChooseOptions, Chosen
from relcli.tasks.anchors import check as check_spaces_anchors
from relcli.tasks.anchors import choose as choose_from_spaces
from relcli.tasks.compare import Options, preset_options
from relcli.tasks.compare import compare as compare_spaces
from relcli.tasks.inspect import Options as InspectOptions
from relcli.tasks.inspect import inspect as inspect_spaces
from relcli.tasks.match import Options as MatchOptions
from relcli.tasks.match import match as match_spaces
from relcli.tasks.matrix import Options as MatrixOptions
from relcli.tasks.matrix import Scores
from relcli.tasks.matrix import matrix as matrix_of_spaces
from relcli.tasks.project import Options as ProjectOptions
from relcli.tasks.project import project as project_space
from relcli.tasks.retrieve import HitLists, Queries, Retrieved, joined_hits
from relcli.tasks.retrieve import Options as RetrieveOptions
from relcli.tasks.retrieve import retrieve as retrieve_items
from relcli.tasks.stitch import Labels, Split
from relcli.tasks.stitch import Options as StitchOptions
from relcli.tasks.stitch import stitch as stitch_spaces
from relcli.tasks.sweep import Options as SweepOptions
from relcli.tasks.sweep import sweep as sweep_spaces
from relcli.tasks.translate import FitOptions, Fitted
from relcli.tasks.translate import apply as apply_translation
from relcli.tasks.translate import fit as fit_spaces

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
    items: str | Path | None = None,
    group_by: str | None = None,
    metadata: str | Path | None = None,
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
    on_duplicate, on_bad, missing_anchors, strict, preset, moved, null, anchor_draws. `items` is a file
    (.parquet, .csv, .jsonl) for what became of each query; `group_by` a column of `metadata` (or of x's
    own file) whose labels are scored one by one. Raises a RelcliError where no answer is possible.
    """
    spaces = _open_both(x, y, ids_x, ids_y, key_x, key_y, id_column)
    wanted = make_options(**options)
    if items is not None:
        check_items_path(items)
    groups = None
    if group_by is not None:
        source = metadata if metadata is not None else x
        if not isinstance(source, str | Path):
            raise UsageError("group_by needs a file of ids and labels: name one as metadata.")
        groups = (group_by, *open_labels(source, group_by))
    return compare_spaces(
        *spaces,
        wanted_anchors(anchors),
        wanted,
        engine=engine or LocalEngine(workers),
        pairs=_pairs_between(*spaces, pairs) if pairs else None,
        groups=groups,
        items=None if items is None else partial(save_items, items),
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


def project(
    x: Source,
    anchors: str | Path | Iterable[Any] | AnchorList,
    *,
    output: str | Path | None = None,
    ids: str | Path | None = None,
    key: str | None = None,
    id_column: str | None = None,
    workers: int | None = None,
    engine: Engine | None = None,
    progress: Callable[[str, int], Progress] | None = None,
    **options: Any,
) -> Space:
    """
    Return a space relative to its anchors: what `relcli project` writes, as a Space whose rows are read on demand.

    `x` is a file, an array or tensor [n, d], a pair (ids, array), or a Space; `anchors` a file of ids, ids,
    or pairs of ids. `output` names a file to save it to, in the format of its suffix. Other `options` are
    the fields of `relcli.tasks.project.Options`: similarity, center, standardize, quantize, sparse, dtype,
    side, on_bad. Raises a RelcliError where no answer is possible.
    """
    wanted = _known_options(ProjectOptions, "project", options)
    if output is not None:
        check_saving(output, wanted.dtype)
    space = open_space(x, ids=ids, key=key, id_column=id_column)
    chosen = engine or LocalEngine(workers)
    relative = project_space(space, wanted_anchors(anchors), wanted, engine=chosen, progress=progress)
    if output is not None:
        save_space(relative, output, dtype=wanted.dtype, workers=workers, progress=progress)
    return relative


def save_space(
    space: Space,
    path: str | Path,
    *,
    dtype: str = "float32",
    workers: int | None = None,
    progress: Callable[[str, int], Progress] | None = None,
) -> None:
    """
    Write a space to `path`, whose suffix chooses the format: .npy, .parquet or .safetensors (which knows bfloat16).

    Rows are read, mapped and written a batch at a time, and `path` is replaced when all are there. What
    its origin says of how the vectors were made goes along, and is read back by `open_space`.
    """
    told = progress and progress(f"writing {Path(path).name}", len(space))
    made = space.origin.provenance
    save_file(
        path,
        space.ids,
        LocalEngine(workers).stream(space, told),
        space.dim,
        dtype,
        {"relcli": json.dumps(made, ensure_ascii=False)} if made else None,
    )


def inspect(
    *sources: Source,
    anchors: str | Path | Iterable[Any] | AnchorList | None = None,
    ids: str | Path | None = None,
    key: str | None = None,
    id_column: str | None = None,
    sha256: bool = False,
    workers: int | None = None,
    engine: Engine | None = None,
    progress: Callable[[str, int], Progress] | None = None,
    **options: Any,
) -> Inspection:
    """
    Return what dumps hold and how their vectors lie: what `relcli inspect` prints.

    `sources` are files, arrays or tensors [n, d], pairs (ids, array), or Spaces; `anchors` a file of ids, ids,
    or pairs of ids. Other `options` are the fields of `relcli.tasks.inspect.Options`: sample, seed.
    Raises a RelcliError where no answer is possible.
    """
    wanted = _known_options(InspectOptions, "inspect", options)
    listed = wanted_anchors(anchors) if anchors is not None else None
    if isinstance(listed, AnchorChoice):
        raise UsageError(
            f"{listed.strategy}:{listed.count} chooses anchors for a pair of spaces, and these are looked at one by "
            "one. Give a file of anchor ids."
        )
    if ids is not None and len(sources) > 1:
        raise UsageError(f"One file of ids cannot be that of {len(sources)} dumps. Inspect them one by one.")
    spaces = [open_space(source, ids=ids, key=key, id_column=id_column, sha256=sha256) for source in sources]
    return inspect_spaces(spaces, wanted, engine=engine or LocalEngine(workers), anchors=listed, progress=progress)


def _known_options(kind: Any, command: str, given: dict[str, Any]) -> Any:
    """Return a task's options from what is given and not None."""
    known = kind.__dataclass_fields__
    for name in given:
        if name not in known:
            raise UsageError(f"{command} has no option {name!r}.{did_you_mean(name, known)}")
    return kind(**{name: value for name, value in given.items() if value is not None})


def retrieve(
    x: Source,
    y: Source,
    anchors: str | Path | Iterable[Any] | AnchorList | AnchorChoice | None = None,
    *,
    queries: Any = None,
    via: str | Iterable[str] = "relative",
    truth: str | Path | Iterable[tuple[Any, Any]] | None = None,
    ids_x: str | Path | None = None,
    ids_y: str | Path | None = None,
    key_x: str | None = None,
    key_y: str | None = None,
    id_column: str | None = None,
    save_index: str | Path | None = None,
    load_index: str | Path | None = None,
    take: Callable[[Sequence[HitLists]], None] | None = None,
    workers: int | None = None,
    engine: Engine | None = None,
    progress: Callable[[str, int], Progress] | None = None,
    **options: Any,
) -> Retrieved:
    """
    Return the nearest items of y for queries of x: what `relcli retrieve` prints, with the hits as arrays.

    `x`, `y` and `anchors` are as in `compare`. `queries` are ids of x, a file of ids, or new vectors as wide as
    x (a file, an array, a pair (ids, array), a Space); all rows of x unless given. `via` names one method or
    several: "relative", "relative:euclidean", "translate:ortho", "absolute". `truth` are pairs (x_id, y_id) or a
    file of them; without it an id that both share is the truth. `save_index` and `load_index` name a folder.
    With `take` hits are handed over block by block and not kept. Other `options` are the fields of
    `relcli.tasks.retrieve.Options`: k, csls, center, include_anchors, index, seed, on_duplicate, on_bad,
    missing_anchors. Raises a RelcliError where no answer is possible.
    """
    methods = (via,) if isinstance(via, str) else tuple(via)
    wanted = _known_options(RetrieveOptions, "retrieve", {**options, "via": methods})
    store = _index_folder(wanted.index, save_index, load_index)
    spaces = (
        open_space(x, name=_name_of(x, "x"), ids=ids_x, key=key_x, id_column=id_column),
        open_space(y, name=_name_of(y, "y"), ids=ids_y, key=key_y, id_column=id_column),
    )
    kept: list[Sequence[HitLists]] = []
    found = retrieve_items(
        *spaces,
        None if anchors is None else wanted_anchors(anchors),
        wanted,
        engine=engine or LocalEngine(workers),
        queries=wanted_queries(queries),
        take=take or kept.append,
        truth=_true_pairs(truth),
        store=store,
        progress=progress,
    )
    return Retrieved(found, tuple(joined_hits(lists) for lists in zip(*kept, strict=True)))


def _name_of(source: Source, side: str) -> str | None:
    return None if isinstance(source, str | Path | Space) else side


def wanted_queries(queries: Any) -> Queries:
    """Return what is asked: ids, a file of ids, new vectors, a list of several of these, or all rows of x."""
    if isinstance(queries, Queries):
        return queries
    if queries is None:
        return Queries()
    if isinstance(queries, str | Path):
        return _queries_in(queries)
    if isinstance(queries, Space):
        return Queries(space=queries, source=queries.name)
    if isinstance(queries, tuple) or getattr(queries, "ndim", 1) == 2:
        return Queries(space=open_space(queries, name="queries"), source="new vectors")
    ids = np.asarray([str(query) for query in queries], np.str_)
    if not len(ids):
        raise UsageError("No queries are given: name some ids, or leave them out for all rows of x.")
    return Queries(ids=ids, source="given ids")


def chosen_queries(ids: Sequence[str] | None, path: str | Path | None, every: bool) -> Queries:
    """Return the queries that a command line names: ids, a file, both, or all rows of x; nothing is an error."""
    if every and (ids or path):
        raise UsageError("--all takes every row of X: leave out --query and --queries.")
    if every:
        return Queries()
    if not ids and not path:
        raise UsageError("Nothing is asked: give --query ID, --queries FILE, or --all for every row of X.")
    found = _queries_in(path) if path else None
    if not ids:
        return found or Queries()
    if found is None:
        return wanted_queries(ids)
    if found.ids is None:
        raise UsageError(f"{path} holds vectors, which cannot be mixed with --query ids. Ask for one or the other.")
    return Queries(np.concatenate([np.asarray(ids, np.str_), found.ids]), source=f"given ids and {found.source}")


def _queries_in(path: str | Path) -> Queries:
    name = Path(path).name
    if Path(path).suffix.lower() in (".txt", ".tsv", ".json"):
        ids = open_ids(path)
    else:
        try:
            return Queries(space=open_space(path), source=f"vectors of {name}")
        except FormatError as error:
            # a list of ids in a file that could have held vectors
            if not Path(path).is_file() or Path(path).suffix.lower() not in (".parquet", ".npy"):
                raise
            try:
                ids = open_ids(path)
            except RelcliError:
                raise error from None
    if not len(ids):
        raise IdError(f"{path} is empty: it holds no queries. Write one id a line.")
    return Queries(ids=ids, source=f"ids of {name}")


def _true_pairs(truth: Any) -> tuple[Ids, Ids, str] | None:
    if truth is None:
        return None
    if isinstance(truth, str | Path):
        x_ids, y_ids = open_pairs(truth)
        source = Path(truth).name
    else:
        pairs = [(str(a), str(b)) for a, b in truth]
        x_ids, y_ids = (np.asarray([pair[side] for pair in pairs], np.str_) for side in (0, 1))
        source = "given pairs"
    if not len(x_ids):
        raise IdError(f"{truth} is empty: it holds no pairs. Write one x_id<TAB>y_id a line.")
    return x_ids, y_ids, source


def _index_folder(index: str, save: str | Path | None, load: str | Path | None) -> IndexFolder | None:
    if save is not None and load is not None:
        raise UsageError(
            "--save-index and --load-index name a folder each. Give one: --save-index reads it if it is there."
        )
    place = save if save is not None else load
    if index != "exact":
        need_faiss()
    elif place is not None:
        raise UsageError(f"{place} would keep an approximate index, and --index is exact. Pass --index faiss:hnsw.")
    return None if place is None else IndexFolder(place, must_exist=load is not None)


def translate_fit(
    x: Source,
    y: Source,
    anchors: str | Path | Iterable[Any] | AnchorList | AnchorChoice,
    *,
    output: str | Path | None = None,
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
) -> Fitted:
    """
    Return a map from x to y fitted on anchors: what `relcli translate fit` does; a command's words make its name here.

    `.translation` is the map, callable on [b, dx]; `.report` holds heldout-residual, heldout-cosine and
    anchor-residual. Sources and anchors are as in `compare`; `output` names a .safetensors to save the map
    to. Other `options` are the fields of `relcli.tasks.translate.FitOptions`: method, scaling, prune, seed,
    on_duplicate, on_bad, missing_anchors, strict. Raises a RelcliError where no answer is possible.
    """
    wanted = _known_options(FitOptions, "translate fit", options)
    if output is not None:
        check_map_path(output)
    spaces = _open_both(x, y, ids_x, ids_y, key_x, key_y, id_column)
    fitted = fit_spaces(
        *spaces,
        wanted_anchors(anchors),
        wanted,
        engine=engine or LocalEngine(workers),
        pairs=_pairs_between(*spaces, pairs) if pairs else None,
        progress=progress,
    )
    if output is not None:
        save_map(output, fitted.translation, fitted.provenance)
    return fitted


def translate_apply(
    fitted: str | Path | SavedMap | Fitted | Translation,
    x: Source,
    *,
    output: str | Path | None = None,
    dtype: str = "float32",
    ids: str | Path | None = None,
    key: str | None = None,
    id_column: str | None = None,
    on_bad: str = "error",
    workers: int | None = None,
    engine: Engine | None = None,
    progress: Callable[[str, int], Progress] | None = None,
) -> Space:
    """
    Return x as a map sees it, in y's space: what `relcli translate apply` writes, as a Space read on demand.

    `fitted` is a map's file, or what `translate_fit` or `load_map` returned. `output` names a file to save
    the space to, as `dtype`, in the format of its suffix. Raises a RelcliError where no answer is possible.
    """
    if output is not None:
        check_saving(output, dtype)
    translation, known = _the_map(fitted)
    space = open_space(x, ids=ids, key=key, id_column=id_column)
    chosen = engine or LocalEngine(workers)
    moved = apply_translation(translation, space, engine=chosen, provenance=known, on_bad=on_bad, progress=progress)
    if output is not None:
        save_space(moved, output, dtype=dtype, workers=workers, progress=progress)
    return moved


def _the_map(fitted: str | Path | SavedMap | Fitted | Translation) -> tuple[Translation, dict[str, str]]:
    if isinstance(fitted, Translation):
        return fitted, {}
    if isinstance(fitted, str | Path):
        saved = load_map(fitted)
        return saved.translation, {**saved.provenance, "sha256": sha256_of([fitted])}
    return fitted.translation, fitted.provenance


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
    wanted = _known_options(ChooseOptions, "anchors choose", options)
    if output is not None:
        check_ids_path(output)
    spaces = _open_both(x, y, ids_x, ids_y, key_x, key_y, id_column)
    chosen = choose_from_spaces(
        *spaces,
        wanted,
        engine=engine or LocalEngine(workers),
        labels=_given_labels(labels, label_column),
        pairs=_pairs_between(*spaces, pairs) if pairs and spaces[1] else None,
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
) -> AnchorCheck:
    """
    Return how many anchors each space holds and how well they span it: what `relcli anchors check` prints.

    `anchors` are a file of ids, ids, or pairs of ids; `labels` as in `anchors_choose`.
    """
    spaces = _open_both(x, y, ids_x, ids_y, key_x, key_y, id_column, sha256=False)
    return check_spaces_anchors(wanted_anchors(anchors), *spaces, labels=_given_labels(labels, label_column))


def sweep(
    x: Source,
    y: Source,
    *,
    resume: str | Path | None = None,
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
) -> Sweep:
    """
    Return the scores of two spaces by number of anchors, strategy and way: what `relcli sweep` prints.

    `x` and `y` are as in `compare`. Other `options` are the fields of `relcli.tasks.sweep.Options`: grid, strategies,
    draws, measures, via, queries, center, seed, on_duplicate, on_bad, strict; lists may be texts with commas.
    `resume` names a .json where what is done is kept as it is done, and taken up from: files only, not arrays.
    """
    wanted = _known_options(SweepOptions, "sweep", _listed(options))
    spaces = _open_both(x, y, ids_x, ids_y, key_x, key_y, id_column)
    with _kept(resume, spaces, "sweep", SWEEP_VERSION) as (earlier, keep):
        return sweep_spaces(
            *spaces,
            wanted,
            engine=engine or LocalEngine(workers),
            pairs=_pairs_between(*spaces, pairs) if pairs else None,
            earlier=earlier,
            keep=keep,
            progress=progress,
        )


def matrix(
    *sources: Source,
    anchors: str | Path | Iterable[Any] | AnchorList | AnchorChoice | None = None,
    scores: str | Path | dict[str, float] | None = None,
    score_column: str | None = None,
    reference: str | None = None,
    resume: str | Path | None = None,
    ids: str | Path | None = None,
    id_column: str | None = None,
    workers: int | None = None,
    engine: Engine | None = None,
    progress: Callable[[str, int], Progress] | None = None,
    **options: Any,
) -> Matrix:
    """
    Return the scores of every pair of spaces: what `relcli matrix` prints.

    `sources` are files, globs whose files are a space each, arrays, pairs (ids, array), or Spaces; `ids` a file
    of the ids of all. `anchors` as in `compare`, but the same ids in all spaces. `scores` are a figure of each
    space by name, or a table of them with its `score_column`; `reference` the space whose similarity they are
    held against, the best-scoring one unless given. Other `options` are the fields of
    `relcli.tasks.matrix.Options`: measures, views, similarity, join ("common" or "pairwise"), order ("given" or
    "cluster"), sample, seed, on_duplicate, on_bad, missing_anchors, strict. `resume` is as in `sweep`.
    """
    wanted = _known_options(MatrixOptions, "matrix", _listed(options))
    figures = _scores_of(scores, score_column, reference)
    spaces = _open_many(sources, ids, id_column)
    with _kept(resume, spaces, "matrix", MATRIX_VERSION) as (earlier, keep):
        return matrix_of_spaces(
            spaces,
            None if anchors is None else wanted_anchors(anchors),
            wanted,
            engine=engine or LocalEngine(workers),
            scores=figures,
            earlier=earlier,
            keep=keep,
            progress=progress,
        )


def _scores_of(
    scores: str | Path | dict[str, float] | None, column: str | None, reference: str | None
) -> Scores | None:
    if scores is None:
        said = "--score-column" if column else "--reference" if reference else None
        if said:
            raise UsageError(f"{said} is about the scores of models: give them with --scores FILE.")
        return None
    if isinstance(scores, dict):
        return Scores({str(name): float(value) for name, value in scores.items()}, column or "score", reference)
    named = column or "score"
    return Scores(open_scores(scores, named), named, reference)


def _open_many(sources: Sequence[Source], ids: Any, id_column: str | None) -> list[Space]:
    spaces: list[Space] = []
    for number, source in enumerate(sources, start=1):
        if not isinstance(source, str | Path):
            spaces.append(open_space(source, name=None if isinstance(source, Space) else f"array {number}"))
            continue
        spaces += [open_space(place, ids=ids, id_column=id_column) for place in find_dumps([source])]
    places = [space.origin.path + (f"#{space.origin.member}" if "#" in space.name else "") for space in spaces]
    names = distinct_names(places)
    repeated = {name for name, times in Counter(space.name for space in spaces).items() if times > 1}
    return [
        replace(space, name=name) if space.name in repeated and space.origin.sha256 else space
        for space, name in zip(spaces, names, strict=True)
    ]


def _listed(options: dict[str, Any]) -> dict[str, Any]:
    """Return options with texts such as "mrr,cosine" taken apart, and counts as numbers."""
    found = {name: value for name, value in options.items() if value is not None}
    for name in ("grid", "strategies", "measures", "views"):
        if isinstance(found.get(name), str):
            found[name] = tuple(dict.fromkeys(part.strip() for part in found[name].split(",") if part.strip()))
    if "grid" in found:
        odd = [part for part in found["grid"] if not str(part).isdigit()]
        if odd:
            raise UsageError(f"--anchors-grid holds {odd[0]!r}, no number of anchors: write it like 10,50,300.")
        found["grid"] = tuple(sorted({int(part) for part in found["grid"]}))
    if isinstance(found.get("via"), str):
        found["via"] = (found["via"],)
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


@contextmanager
def _kept(path: str | Path | None, spaces: Sequence[Space], command: str, version: str) -> Iterator[tuple[Any, Any]]:
    """Give what an earlier run left at a path, and what keeps this one there, however it ends."""
    if path is None:
        yield None, None
        return
    arrays = [space.name for space in spaces if space.origin.sha256 is None]
    if arrays:
        raise UsageError(f"A run on arrays cannot be taken up: {first_few(arrays)} is no file. Leave out resume.")
    document = read_study(path, command, version)
    keeper = Keeper(path)
    try:
        yield (str(path), document) if document else None, keeper
    finally:
        keeper.flush()


def _open_both(
    x: Source, y: Any, ids_x: Any, ids_y: Any, key_x: Any, key_y: Any, id_column: Any, *, sha256: bool = True
) -> tuple[Space, Any]:
    """Return both spaces, None for a y that is None."""
    named = [None if isinstance(source, str | Path | Space) else side for source, side in ((x, "x"), (y, "y"))]

    def one(source: Source, name: str | None, ids: Any, key: Any, column: str | None) -> Space:
        return open_space(source, name=name, ids=ids, key=key, id_column=column, sha256=sha256)

    if y is None:
        return one(x, named[0], ids_x, key_x, id_column), None
    opened: list[Space] = []
    refused: list[UsageError] = []
    for source, name, ids, key in ((x, named[0], ids_x, key_x), (y, named[1], ids_y, key_y)):
        try:
            opened.append(one(source, name, ids, key, id_column))
        except UsageError as error:
            # the column may be there on the other side alone: an .npy has none
            if id_column is None or refused:
                raise
            refused.append(error)
            try:
                opened.append(one(source, name, ids, key, None))
            except UsageError:
                raise error from None
    if refused and not any(space.origin.ids_given for space in opened):
        raise refused[0]
    return opened[0], opened[1]


def _given_labels(
    labels: str | Path | tuple[Iterable[Any], Iterable[Any]] | None, column: str | None
) -> tuple[Ids, Ids] | None:
    if labels is None:
        if column is not None:
            raise UsageError(f"--label-column {column} names a column of no file: give --labels FILE.")
        return None
    if isinstance(labels, str | Path):
        return open_labels(labels, column)
    ids, values = (np.asarray([*map(str, part)], np.str_) for part in labels)
    if len(ids) != len(values):
        raise IdError(f"{len(values):,} labels were given for {len(ids):,} ids. Give one label an id.")
    return ids, values


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
    wanted = _known_options(StitchOptions, "stitch", _as_tuples(options, "similarity", "translate"))
    spaces = [
        open_space(
            source,
            name=_name_of(source, f"space {place}"),
            ids=ids if isinstance(source, str | Path) else None,
            id_column=id_column,
        )
        for place, source in enumerate(sources, start=1)
    ]
    if labels is not None:
        learned = Labels(*_column_of(labels, LABEL_NAMES, spaces, "labels"))
    else:
        rows = open_space(targets, name=_name_of(targets, "targets"))
        learned = Labels(rows.ids, rows, rows.origin.path)
    parts = None if split is None else Split(*_column_of(split, ("split",), spaces, "split"))
    return stitch_spaces(spaces, wanted_anchors(anchors), learned, wanted, split=parts, progress=progress)


def _as_tuples(given: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return options with those of these names as tuples: a single text stands for itself alone."""
    lists = {name: given[name] for name in names if given.get(name) is not None}
    return {**given, **{name: (some,) if isinstance(some, str) else tuple(some) for name, some in lists.items()}}


def _column_of(source: Any, names: Sequence[str], spaces: Sequence[Space], what: str) -> tuple[Ids, Ids, str]:
    """Return the ids and texts of a column, and what it is called: from FILE#column, or from two lists."""
    if isinstance(source, str | Path):
        path, column = split_member(source, None)
        ids, values = open_values(path, column, names=names, rows=spaces[0].ids if spaces else None)
        return ids, values, str(source)
    ids, values = (np.asarray([str(cell) for cell in part], np.str_) for part in source)
    if len(ids) != len(values):
        raise IdError(f"{len(ids):,} ids were given for {len(values):,} {what}. Give one each.")
    return ids, values, f"given {what}"


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
    wanted = _known_options(MatchOptions, "match", {**options, "via": methods})
    spaces = _open_both(x, y, ids_x, ids_y, key_x, key_y, id_column)
    return match_spaces(
        *spaces,
        wanted_anchors(anchors),
        wanted,
        engine=engine or LocalEngine(workers),
        pairs=_pairs_between(*spaces, pairs) if pairs else None,
        progress=progress,
    )
