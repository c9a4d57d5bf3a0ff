"""relcli project"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relcli.cli import inputs, output

Anchors = Annotated[
    str, typer.Option("--anchors", "-a", metavar="FILE", help="Anchor ids, one a line, or pairs x_id<TAB>y_id.")
]
To = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="A .parquet, .npy or .safetensors to write.")]
Side = Annotated[str, typer.Option("--side", metavar="x|y", help="The column of anchor pairs that names X's ids.")]
Dtype = Annotated[
    str, typer.Option("--dtype", metavar="TYPE", help="float32, float16, float64, or bfloat16 (.safetensors only).")
]


def project(
    x: inputs.SpaceX,
    anchors: Anchors,
    to: To,
    similarity: inputs.Similarity = None,
    center: inputs.Center = None,
    standardize: inputs.Standardize = False,
    quantize: inputs.Quantize = None,
    sparse: inputs.Sparse = None,
    dtype: Dtype = "float32",
    side: Side = "x",
    ids: inputs.Ids = None,
    key: inputs.Key = None,
    id_column: inputs.IdColumn = None,
    on_bad: inputs.OnBad = "error",
    quiet: output.Quiet = False,
    workers: output.Workers = None,
) -> None:
    """
    Write the relative vectors of a space, its rows' similarities to anchors, to a file other tools can read.

    Example: relcli project digits_ae_s0.npy --anchors anchors.txt -o relative.parquet
    """
    from relcli import api
    from relcli.formats.npy import sidecars_of
    from relcli.spaces.similarity import parse_sparse

    output.refuse_overwriting([to, *sidecars_of(to)], x, anchors, ids)
    kept = parse_sparse(sparse) if sparse else None
    how = {"similarity": similarity, "center": center, "standardize": standardize, "quantize": quantize, "sparse": kept}
    where = {"ids": ids, "key": key, "id_column": id_column, "side": side, "on_bad": on_bad, "dtype": dtype}
    with output.progress_bars(quiet) as progress:
        relative = api.project(x, anchors, output=to, workers=workers, progress=progress, **how, **where)  # type: ignore[arg-type]
    if not quiet:
        left_out = (relative.origin.provenance or {})["rows_left_out"]
        told = f", {left_out:,} left out" if left_out else ""
        typer.echo(f"{to}: {len(relative):,} × {relative.dim:,} {dtype}{told}", err=True)
