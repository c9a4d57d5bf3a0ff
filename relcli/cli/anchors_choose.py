"""relcli anchors choose"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relcli.cli import inputs, output

OtherY = Annotated[str | None, typer.Argument(metavar="Y", help="Dump of the second model: both must hold them.")]
Count = Annotated[int, typer.Option("--count", "-n", metavar="N", help="How many.")]
Strategy = Annotated[
    str, typer.Option("--strategy", metavar="NAME", help="uniform, farthest, kmeans, first or stratified.")
]
Labels = Annotated[
    Path | None, typer.Option("--labels", metavar="FILE", help="Table of ids and labels, for stratified.")
]
LabelColumn = Annotated[
    str | None, typer.Option("--label-column", metavar="NAME", help="Column of the labels; label unless given.")
]
To = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="A .txt or .json to write; stdout without it.")
]


def choose(
    x: inputs.SpaceX,
    y: OtherY = None,
    count: Count = 300,
    strategy: Strategy = "uniform",
    seed: inputs.Seed = 0,
    labels: Labels = None,
    label_column: LabelColumn = None,
    to: To = None,
    ids_x: inputs.IdsX = None,
    ids_y: inputs.IdsY = None,
    key_x: inputs.KeyX = None,
    key_y: inputs.KeyY = None,
    id_column: inputs.IdColumn = None,
    pairs: inputs.Pairs = None,
    on_duplicate: inputs.OnDuplicate = "error",
    quiet: output.Quiet = False,
    workers: output.Workers = None,
) -> None:
    """
    Choose anchors among the rows of X, or those that X and Y share, and write their ids, one a line.

    Example: relcli anchors choose digits_ae_s0.npy digits_ae_s1.parquet -n 300 --strategy farthest -o chosen.txt
    """
    from relcli import api
    from relcli.formats.ids import ids_as_lines

    output.refuse_overwriting([to] if to else None, x, y, labels, ids_x, ids_y, pairs)
    reading = {"ids_x": ids_x, "ids_y": ids_y, "key_x": key_x, "key_y": key_y, "id_column": id_column, "pairs": pairs}
    how = {"count": count, "strategy": strategy, "seed": seed, "on_duplicate": on_duplicate}
    labelled = {"labels": labels, "label_column": label_column}
    with output.progress_bars(quiet) as progress:
        options = {**reading, **how, **labelled}
        chosen = api.anchors_choose(x, y, output=to, workers=workers, progress=progress, **options)  # type: ignore[arg-type]
    if to is None:
        ids = [chosen.anchors.x_ids.tolist(), chosen.anchors.y_ids.tolist()]
        typer.echo(ids_as_lines(*(ids if pairs else ids[:1])), nl=False)
    if not quiet:
        unfit = f", {chosen.unfit:,} rows left out (NaN, Inf or zero)" if chosen.unfit else ""
        told = f"{len(chosen.anchors):,} anchors ({strategy}, seed {seed}) of {chosen.candidates:,} rows{unfit}"
        typer.echo(f"{to}: {told}" if to else told, err=True)
