"""relcli translate fit"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relcli.cli import inputs, output

To = Annotated[Path, typer.Option("--output", "-o", metavar="MAP", help="The .safetensors to write the map to.")]
Method = Annotated[
    str, typer.Option("--method", metavar="NAME", help="ortho, linear, l-ortho, affine, ridge or inverse-relative.")
]
Scaling = Annotated[str, typer.Option("--scaling", metavar="NAME", help="global, standard (per dimension) or none.")]
Prune = Annotated[int | None, typer.Option("--prune", metavar="N", help="inverse-relative: keep N anchors far apart.")]


def fit(
    x: inputs.SpaceX,
    y: inputs.SpaceY,
    anchors: inputs.AnchorsFrom,
    to: To,
    method: Method = "ortho",
    scaling: Scaling = "global",
    prune: Prune = None,
    seed: inputs.Seed = 0,
    ids_x: inputs.IdsX = None,
    ids_y: inputs.IdsY = None,
    key_x: inputs.KeyX = None,
    key_y: inputs.KeyY = None,
    id_column: inputs.IdColumn = None,
    pairs: inputs.Pairs = None,
    on_duplicate: inputs.OnDuplicate = "error",
    on_bad: inputs.OnBad = "error",
    missing_anchors: inputs.MissingAnchors = "error",
    strict: inputs.Strict = False,
    as_json: output.AsJson = False,
    quiet: output.Quiet = False,
    workers: output.Workers = None,
) -> None:
    """
    Fit a map from X to Y on anchors, and report what it leaves over on the other shared rows.

    Example: relcli translate fit digits_ae_s0.npy digits_ae_s1.parquet --anchors anchors.txt -o map.safetensors
    """
    from relcli import api

    output.refuse_overwriting([to], x, y, anchors, ids_x, ids_y, pairs)
    how = {"method": method, "scaling": scaling, "prune": prune, "seed": seed, "strict": strict}
    reading = {"ids_x": ids_x, "ids_y": ids_y, "key_x": key_x, "key_y": key_y, "id_column": id_column, "pairs": pairs}
    policies = {"on_duplicate": on_duplicate, "on_bad": on_bad, "missing_anchors": missing_anchors}
    with output.progress_bars(quiet) as progress:
        options = {**reading, **policies, **how}
        fitted = api.translate_fit(x, y, anchors, output=to, workers=workers, progress=progress, **options)  # type: ignore[arg-type]
    output.write_report(fitted.report, "json" if as_json else "table", None)
