"""Maps between spaces fitted and applied: what `relcli translate` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from relcli.api.projecting import save_space
from relcli.api.sources import Reading, Source, known_options, open_alone, open_both, pairs_between, wanted_anchors
from relcli.engines.engine import Engine, Progress
from relcli.engines.local import LocalEngine
from relcli.files import sha256_of
from relcli.formats.format import check_saving
from relcli.formats.maps import SavedMap, check_map_path, load_map, save_map
from relcli.spaces.anchors import AnchorChoice, AnchorList
from relcli.spaces.space import Space
from relcli.spaces.translation import Translation
from relcli.tasks.translate import FitOptions, Fitted
from relcli.tasks.translate import apply as apply_translation
from relcli.tasks.translate import fit as fit_spaces


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
    id_column_x: str | None = None,
    id_column_y: str | None = None,
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
    wanted = known_options(FitOptions, "translate fit", options)
    if output is not None:
        check_map_path(output)
    reading = Reading(ids_x, ids_y, key_x, key_y, id_column, id_column_x, id_column_y, pairs)
    spaces = open_both(x, y, reading)
    fitted = fit_spaces(
        *spaces,
        wanted_anchors(anchors),
        wanted,
        engine=engine or LocalEngine(workers),
        pairs=pairs_between(*spaces, pairs) if pairs else None,
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
    space = open_alone(x, ids=ids, key=key, id_column=id_column)
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
