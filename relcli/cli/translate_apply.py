"""relcli translate apply"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relcli.cli import inputs, output

Map = Annotated[Path, typer.Argument(metavar="MAP", help="What relcli translate fit wrote.")]
Dump = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="A .parquet, .npy or .safetensors to write.")
]
Dtype = Annotated[str, typer.Option("--dtype", metavar="TYPE", help="float32, float16, float64, or bfloat16.")]


def apply(
    fitted: Map,
    x: inputs.SpaceX,
    to: Dump,
    dtype: Dtype = "float32",
    ids: inputs.Ids = None,
    key: inputs.Key = None,
    id_column: inputs.IdColumn = None,
    on_bad: inputs.OnBad = "error",
    quiet: output.Quiet = False,
    workers: output.Workers = None,
) -> None:
    """
    Write X's vectors as the map puts them in Y's space, ids kept.

    Example: relcli translate apply map.safetensors digits_ae_s0.npy -o y_like.parquet
    """
    from relcli import api
    from relcli.formats.npy import sidecars_of

    output.refuse_overwriting([to, *sidecars_of(to)], fitted, x, ids)
    reading = {"ids": ids, "key": key, "id_column": id_column, "on_bad": on_bad, "dtype": dtype}
    with output.progress_bars(quiet) as progress:
        moved = api.translate_apply(fitted, x, output=to, workers=workers, progress=progress, **reading)  # type: ignore[arg-type]
    if not quiet:
        typer.echo(f"{to}: {len(moved):,} × {moved.dim:,} {dtype}", err=True)
