"""relcli recommend"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from relcli.cli import inputs, output

_STITCHING = "Stitching"

Purpose = Annotated[
    str | None, typer.Option("--for", metavar="PURPOSE", help="retrieval or stitching; with --labels both.")
]
Candidates = Annotated[
    list[str] | None,
    typer.Option("--candidates", metavar="WAY", help="Ways to try, as --via names them; may be repeated."),
]
Folds = Annotated[int, typer.Option("--folds", metavar="N", help="Folds that anchors are held out in.")]
Direction = Annotated[str, typer.Option("--direction", metavar="forward|both", help="Show y to x too; x to y decides.")]
LabelsIn = Annotated[
    str | None,
    typer.Option("--labels", metavar="FILE[#COLUMN]", help="Table of ids and classes.", rich_help_panel=_STITCHING),
]
SplitIn = Annotated[
    str | None,
    typer.Option("--split", metavar="FILE[#COLUMN]", help="Heads see its train rows.", rich_help_panel=_STITCHING),
]


def recommend(
    x: inputs.SpaceX, y: inputs.SpaceY, anchors: inputs.AnchorsFrom, purpose: Purpose = None,
    candidates: Candidates = None, folds: Folds = 10, direction: Direction = "both", labels: LabelsIn = None,
    split: SplitIn = None, seed: inputs.Seed = 0, ids_x: inputs.IdsX = None, ids_y: inputs.IdsY = None,
    key_x: inputs.KeyX = None, key_y: inputs.KeyY = None, id_column: inputs.IdColumn = None,
    on_duplicate: inputs.OnDuplicate = "error", on_bad: inputs.OnBad = "error",
    missing_anchors: inputs.MissingAnchors = "error", as_json: output.AsJson = False,
    format_name: output.TableFormat = None, files: output.TableFiles = None, quiet: output.Quiet = False,
    workers: output.Workers = None,
) -> None:  # fmt: skip
    """
    Tell which way of comparing suits two spaces, by cross-validation on the anchors alone.

    Example: relcli recommend digits_ae_s0.npy digits_ae_s1.parquet --anchors anchors.txt
    """
    from relcli import api
    from relcli.reports import recommendation
    from relcli.reports.writing import format_for, write_text

    chosen = output.chosen_format(as_json, format_name, files, formats=recommendation.FORMATS)
    output.refuse_overwriting(files, x, y, anchors, labels, split, ids_x, ids_y)
    reading = {"ids_x": ids_x, "ids_y": ids_y, "key_x": key_x, "key_y": key_y, "id_column": id_column}
    policies = {"on_duplicate": on_duplicate, "on_bad": on_bad, "missing_anchors": missing_anchors}
    trying = {"purpose": purpose, "candidates": candidates or None, "folds": folds, "direction": direction}
    options = {**reading, **policies, **trying, "seed": seed, "labels": labels, "split": split, "workers": workers}
    with output.progress_bars(quiet) as progress:
        found = api.recommend(x, y, anchors, progress=progress, **options)  # type: ignore[arg-type]
    for file in files or ():
        write_text(file, recommendation.FORMATS[format_for(file)](found))
    if chosen == "table":
        from rich.console import Console

        recommendation.print_recommendation(found, Console())
    else:
        sys.stdout.write(recommendation.FORMATS[chosen](found))
