"""relcli anchors check"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from relcli.cli import groups, inputs, output

AnchorFile = Annotated[
    str, typer.Argument(metavar="FILE", help="Anchor ids, one a line (.txt, .tsv of x_id<TAB>y_id, .json, .parquet).")
]
OtherY = Annotated[str | None, typer.Argument(metavar="Y", help="Dump of the second model.")]
Labels = Annotated[
    Path | None, typer.Option("--labels", metavar="FILE", help="Table of ids and labels: count anchors by label.")
]
LabelColumn = Annotated[
    str | None, typer.Option("--label-column", metavar="NAME", help="Column of the labels; label unless given.")
]


@groups.taking(groups.BOTH_READ, before="as_json")
def check(
    anchors: AnchorFile,
    x: inputs.SpaceX,
    y: OtherY = None,
    labels: Labels = None,
    label_column: LabelColumn = None,
    as_json: output.AsJson = False,
    **reading: Any,
) -> None:
    """
    Report how many anchors each space holds, how well they span it, and which say the same twice.

    Example: relcli anchors check anchors.txt digits_ae_s0.npy digits_ae_s1.parquet
    """
    from relcli import api
    from relcli.reports.anchors import print_check, to_json

    found = api.anchors_check(anchors, x, y, labels=labels, label_column=label_column, **reading)
    if as_json:
        sys.stdout.write(to_json(found))
        return
    from rich.console import Console

    print_check(found, Console(highlight=False))
