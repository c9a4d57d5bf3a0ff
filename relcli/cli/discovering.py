"""Options of the discovery of pairs, which `match` does without anchors or from seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_PANEL = "Discovery (experimental)"

AnchorsOrSeeds = Annotated[
    str | None,
    typer.Option(
        "--anchors",
        "-a",
        metavar="FILE|HOW:N",
        help="File of anchor ids (.txt, .tsv of x_id<TAB>y_id, .json, .parquet), or N to choose, as uniform:300. "
        "Without it, pairs are discovered from the rows alone (experimental).",
    ),
]
Bootstrap = Annotated[
    int | None,
    typer.Option(
        "--bootstrap", metavar="N", help="Grow the anchors, a handful of seeds, to N pairs.", rich_help_panel=_PANEL
    ),
]
Sample = Annotated[
    int | None,
    typer.Option("--sample", metavar="N", help="Rows of a side to search, 5,000 unless given.", rich_help_panel=_PANEL),
]
SharedOnly = Annotated[
    bool, typer.Option("--shared-only", help="Leave out rows that the other side lacks.", rich_help_panel=_PANEL)
]
PairsOut = Annotated[
    Path | None,
    typer.Option(
        "--pairs-out",
        metavar="FILE",
        help="Write the pairs with their confidence (.tsv, .parquet), as --anchors reads them.",
        rich_help_panel=_PANEL,
    ),
]
