"""relcli translate fit"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from relcli.cli import groups, inputs, output

To = Annotated[Path, typer.Option("--output", "-o", metavar="MAP", help="The .safetensors to write the map to.")]
Method = Annotated[
    str, typer.Option("--method", metavar="NAME", help="ortho, linear, l-ortho, affine, ridge or inverse-relative.")
]
Scaling = Annotated[str, typer.Option("--scaling", metavar="NAME", help="global, standard (per dimension) or none.")]
Prune = Annotated[int | None, typer.Option("--prune", metavar="N", help="inverse-relative: keep N anchors far apart.")]


@groups.taking(groups.TWO_SPACES, before="on_duplicate")
def fit(
    x: inputs.SpaceX,
    y: inputs.SpaceY,
    anchors: inputs.AnchorsFrom,
    to: To,
    method: Method = "ortho",
    scaling: Scaling = "global",
    prune: Prune = None,
    seed: inputs.Seed = 0,
    on_duplicate: inputs.OnDuplicate = "error",
    on_bad: inputs.OnBad = "error",
    missing_anchors: inputs.MissingAnchors = "error",
    strict: inputs.Strict = False,
    as_json: output.AsJson = False,
    quiet: output.Quiet = False,
    workers: output.Workers = None,
    **reading: Any,
) -> None:
    """
    Fit a map from X to Y on anchors, and report what it leaves over on the other shared rows.

    Example: relcli translate fit digits_ae_s0.npy digits_ae_s1.parquet --anchors anchors.txt -o map.safetensors
    """
    from relcli import api

    output.refuse_overwriting([to], x, y, anchors, *groups.places(reading))
    how = {"method": method, "scaling": scaling, "prune": prune, "seed": seed, "strict": strict}
    policies = {"on_duplicate": on_duplicate, "on_bad": on_bad, "missing_anchors": missing_anchors}
    with output.progress_bars(quiet) as progress:
        options = {**reading, **policies, **how}
        fitted = api.translate_fit(x, y, anchors, output=to, workers=workers, progress=progress, **options)
    output.write_report(fitted.report, "json" if as_json else "table", None)
