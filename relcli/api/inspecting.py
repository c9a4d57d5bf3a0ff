"""Spaces looked at one by one: what `relcli inspect` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from relcli.api.sources import Source, known_options, open_space, wanted_anchors
from relcli.engines.engine import Engine, Progress
from relcli.engines.local import LocalEngine
from relcli.errors import (
    UsageError,
)
from relcli.reports.inspection import Inspection
from relcli.spaces.anchors import AnchorChoice, AnchorList
from relcli.tasks.inspect import Options as InspectOptions
from relcli.tasks.inspect import inspect as inspect_spaces


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
    wanted = known_options(InspectOptions, "inspect", options)
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
