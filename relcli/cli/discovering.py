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
        help="Anchors, rows known to be the same in both: file of ids (.txt, .tsv of x_id<TAB>y_id, .json, .parquet), "
        "or N to choose: uniform:300. Without it, pairs are discovered from the rows alone (experimental).",
    ),
]
Bootstrap = Annotated[
    int | None,
    _discovery(
        "--bootstrap", metavar="N", help="Take the anchors as a few seeds, and find more pairs until there are N."
    ),
]
Sample = Annotated[
    int | None,
    _discovery(
        "--sample", metavar="N", help="Rows of either side that pairs are looked for among, 5,000 unless given."
    ),
]
SharedOnly = Annotated[
    bool, _discovery("--shared-only", help="Look among the rows that both sides have, by their ids, only.")
]
PairsOut = Annotated[
    Path | None,
    _discovery(
        "--pairs-out",
        metavar="FILE",
        help="Write the pairs found, each with its confidence (.tsv, .parquet); --anchors reads the file.",
    ),
]
