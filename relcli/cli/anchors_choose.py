"""relcli anchors choose"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from relcli.cli import groups, inputs, output

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


@groups.taking(groups.TWO_SPACES, before="on_duplicate")
def choose(
    x: inputs.SpaceX,
    y: OtherY = None,
    count: Count = 300,
    strategy: Strategy = "uniform",
    seed: inputs.Seed = 0,
    labels: Labels = None,
    label_column: LabelColumn = None,
    to: To = None,
    on_duplicate: inputs.OnDuplicate = "error",
    quiet: output.Quiet = False,
    workers: output.Workers = None,
    **reading: Any,
) -> None:
    """
    Choose anchors among the rows of X, or those that X and Y share, and write their ids, one a line.

    Example: relcli anchors choose digits_ae_s0.npy digits_ae_s1.parquet -n 300 --strategy farthest -o chosen.txt
    """
    from relcli import api
    from relcli.formats.lists import ids_as_lines

    output.refuse_overwriting([to] if to else None, x, y, labels, *groups.places(reading))
    how = {"count": count, "strategy": strategy, "seed": seed, "on_duplicate": on_duplicate}
    labelled = {"labels": labels, "label_column": label_column}
    with output.progress_bars(quiet) as progress:
        options = {**reading, **how, **labelled}
        chosen = api.anchors_choose(x, y, output=to, workers=workers, progress=progress, **options)
    if to is None:
        ids = [chosen.anchors.x_ids.tolist(), chosen.anchors.y_ids.tolist()]
        typer.echo(ids_as_lines(*(ids if reading["pairs"] else ids[:1])), nl=False)
    if not quiet:
        unfit = f", {chosen.unfit:,} rows left out (NaN, Inf or zero)" if chosen.unfit else ""
        told = f"{len(chosen.anchors):,} anchors ({strategy}, seed {seed}) of {chosen.candidates:,} rows{unfit}"
        typer.echo(f"{to}: {told}" if to else told, err=True)
