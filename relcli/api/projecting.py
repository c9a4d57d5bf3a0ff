"""A space made relative and saved: what `relcli project` does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from relcli.api.sources import Source, known_options, open_alone, wanted_anchors
from relcli.engines.engine import Engine, Progress
from relcli.engines.local import LocalEngine
from relcli.formats.format import check_saving
from relcli.formats.format import save_space as save_file
from relcli.spaces.anchors import AnchorList
from relcli.spaces.space import Space
from relcli.tasks.project import Options as ProjectOptions
from relcli.tasks.project import project as project_space


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
    wanted = known_options(ProjectOptions, "project", options)
    if output is not None:
        check_saving(output, wanted.dtype)
    listed = wanted_anchors(anchors)
    known = listed.side(wanted.side) if isinstance(listed, AnchorList) else None
    space = open_alone(x, among=known, ids=ids, key=key, id_column=id_column)
    chosen = engine or LocalEngine(workers)
    relative = project_space(space, listed, wanted, engine=chosen, progress=progress)
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
