"""Many comparisons in one: what `relcli sweep` and `relcli matrix` do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from relcli.api.sources import (
    Reading,
    Source,
    known_options,
    open_both,
    open_many,
    pairs_between,
    taken_apart,
    wanted_anchors,
)
from relcli.api.tiers import tiered
from relcli.engines.engine import Engine, Progress
from relcli.engines.local import LocalEngine
from relcli.errors import (
    UsageError,
    first_few,
)
from relcli.formats.lists import open_scores
from relcli.reports.matrix import MATRIX_VERSION, Matrix
from relcli.reports.study import Keeper, read_study
from relcli.reports.sweep import SWEEP_VERSION, Sweep
from relcli.spaces.anchors import AnchorChoice, AnchorList
from relcli.spaces.space import Space
from relcli.tasks.matrix import Options as MatrixOptions
from relcli.tasks.matrix import Scores
from relcli.tasks.matrix import matrix as matrix_of_spaces
from relcli.tasks.sweep import Options as SweepOptions
from relcli.tasks.sweep import sweep as sweep_spaces


@tiered
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
    id_column_x: str | None = None,
    id_column_y: str | None = None,
    pairs: str | Path | None = None,
    workers: int | None = None,
    engine: Engine | None = None,
    progress: Callable[[str, int], Progress] | None = None,
    **options: Any,
) -> Sweep:
    """
    Return the scores of two spaces by number of anchors, strategy and way: what `relcli sweep` prints.

    `x` and `y` are as in `compare`. Other `options` are the fields of `relcli.tasks.sweep.Options`: grid, strategies,
    draws, measures, via, similarities, quantize, queries, center, seed, on_duplicate, on_bad, strict; lists may be
    texts with commas.
    `resume` names a .json where what is done is kept as it is done, and taken up from: files only, not arrays.
    """
    wanted = known_options(SweepOptions, "sweep", taken_apart(options))
    reading = Reading(ids_x, ids_y, key_x, key_y, id_column, id_column_x, id_column_y, pairs)
    spaces = open_both(x, y, reading)
    with _kept(resume, spaces, "sweep", SWEEP_VERSION) as (earlier, keep):
        return sweep_spaces(
            *spaces,
            wanted,
            engine=engine or LocalEngine(workers),
            pairs=pairs_between(*spaces, pairs) if pairs else None,
            earlier=earlier,
            keep=keep,
            progress=progress,
        )


@tiered
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
    `relcli.tasks.matrix.Options`: measures, views, similarity, center, join ("common" or "pairwise"), order
    ("given" or "cluster"), sample, seed, on_duplicate, on_bad, missing_anchors, strict. `resume` is as in `sweep`.
    """
    wanted = known_options(MatrixOptions, "matrix", taken_apart(options))
    figures = _scores_of(scores, score_column, reference)
    spaces = open_many(sources, ids, id_column)
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
