"""Options of the discovery of pairs, which `match` does without anchors or from seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relcli.cli.inputs import in_panel

_discovery = in_panel("Discovery (experimental)")

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
    int | None, _discovery("--bootstrap", metavar="N", help="Grow the anchors, a handful of seeds, to N pairs.")
]
Sample = Annotated[
    int | None, _discovery("--sample", metavar="N", help="Rows of a side to search, 5,000 unless given.")
]
SharedOnly = Annotated[bool, _discovery("--shared-only", help="Leave out rows that the other side lacks.")]
PairsOut = Annotated[
    Path | None,
    _discovery(
        "--pairs-out",
        metavar="FILE",
        help="Write the pairs with their confidence (.tsv, .parquet), as --anchors reads them.",
    ),
]
