"""Options of `recommend` that say which ways are tried, and for what."""

from __future__ import annotations

from typing import Annotated

import typer

_STITCHING = "Stitching"

Purpose = Annotated[
    str | None,
    typer.Option(
        "--for",
        metavar="PURPOSE",
        help="retrieval, or stitching, which needs --labels; unless given, retrieval, and with --labels both.",
    ),
]
Candidates = Annotated[
    list[str] | None,
    typer.Option(
        "--candidates",
        metavar="WAY",
        help="Try only this way, as --via names it, such as relative+center or translate:ortho; may be repeated.",
    ),
]
Folds = Annotated[
    int, typer.Option("--folds", metavar="N", help="Parts that the anchors are dealt into; each is held out once.")
]
Products = Annotated[
    bool,
    typer.Option(
        "--products/--no-products",
        help="Try the best ways together too, as product:WAY,WAY; a product costs what its parts cost together.",
    ),
]
Direction = Annotated[
    str,
    typer.Option(
        "--direction",
        metavar="forward|both",
        help="Searches from X to Y decide; both shows those from Y to X beside them.",
    ),
]
LabelsIn = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="FILE[#COLUMN]",
        help="Classes of the rows: choose a way to stitch, to use a classifier trained on X on rows of Y.",
        rich_help_panel=_STITCHING,
    ),
]
SplitIn = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="FILE[#COLUMN]",
        help="Train classifiers only on rows that this table marks train.",
        rich_help_panel=_STITCHING,
    ),
]
