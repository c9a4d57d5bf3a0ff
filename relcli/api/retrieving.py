"""Items of one space found for rows of another: what `relcli retrieve` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from relcli.api.sources import Reading, Source, known_options, open_both, open_space, wanted_anchors
from relcli.api.tiers import tiered
from relcli.engines.engine import Engine, Progress
from relcli.engines.local import LocalEngine
from relcli.errors import (
    FormatError,
    IdError,
    RelcliError,
    UsageError,
)
from relcli.evaluation.hits import HitLists, joined_hits
from relcli.formats.columns import split_column
from relcli.formats.format import open_ids, open_pairs
from relcli.formats.index import IndexFolder
from relcli.spaces.anchors import AnchorChoice, AnchorList
from relcli.spaces.index import need_faiss
from relcli.spaces.pairing import Ids
from relcli.spaces.space import Space
from relcli.tasks.retrieve import Options as RetrieveOptions
from relcli.tasks.retrieve import Queries, Retrieved
from relcli.tasks.retrieve import retrieve as retrieve_items


@tiered
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
    id_column_x: str | None = None,
    id_column_y: str | None = None,
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
    wanted = known_options(RetrieveOptions, "retrieve", {**options, "via": methods})
    store = _index_folder(wanted.index, save_index, load_index)
    reading = Reading(ids_x, ids_y, key_x, key_y, id_column, id_column_x, id_column_y)
    spaces = open_both(x, y, reading)
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
    place, column = split_column(path)
    if place.suffix.lower() in (".txt", ".tsv", ".json", ".csv") or (column and not _holds_vectors(path)):
        ids = open_ids(path)
    else:
        try:
            return Queries(space=open_space(path), source=f"vectors of {name}")
        except FormatError as error:
            # a list of ids in a file that could have held vectors
            if not place.is_file() or place.suffix.lower() not in (".parquet", ".npy", ".jsonl", ".npz", ".feather"):
                raise
            try:
                ids = open_ids(path)
            except RelcliError:
                raise error from None
    if not len(ids):
        raise IdError(f"{path} is empty: it holds no queries. Write one id a line.")
    return Queries(ids=ids, source=f"ids of {name}")


def _holds_vectors(path: str | Path) -> bool:
    try:
        open_space(path)
    except RelcliError:
        return False
    return True


def _true_pairs(truth: Any) -> tuple[Ids, Ids, str] | None:
    if truth is None:
        return None
    if isinstance(truth, str | Path):
        x_ids, y_ids = open_pairs(truth, single=False)
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
