"""Arguments and options that say what to read, shared by the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_READING, _POLICY = "Reading", "Bad rows"

SpaceX = Annotated[str, typer.Argument(metavar="X", help="Dump of the first model: FILE, FILE#NAME, folder or glob.")]
SpaceY = Annotated[str, typer.Argument(metavar="Y", help="Dump of the second model.")]
AnchorsFrom = Annotated[
    str,
    typer.Option(
        "--anchors",
        "-a",
        metavar="FILE|uniform:N",
        help="File of anchor ids (.txt, .tsv of x_id<TAB>y_id, .json, .parquet), or how many to choose.",
    ),
]
IdsX = Annotated[
    Path | None, typer.Option("--ids-x", metavar="FILE", help="File of X's ids, one a row.", rich_help_panel=_READING)
]
IdsY = Annotated[
    Path | None, typer.Option("--ids-y", metavar="FILE", help="File of Y's ids, one a row.", rich_help_panel=_READING)
]
KeyX = Annotated[
    str | None,
    typer.Option("--key-x", metavar="NAME", help="Column, tensor or array of X's vectors.", rich_help_panel=_READING),
]
KeyY = Annotated[
    str | None,
    typer.Option("--key-y", metavar="NAME", help="Column, tensor or array of Y's vectors.", rich_help_panel=_READING),
]
IdColumn = Annotated[
    str | None,
    typer.Option("--id-column", metavar="NAME", help="Column or tensor of the ids.", rich_help_panel=_READING),
]
Pairs = Annotated[
    Path | None,
    typer.Option(
        "--pairs",
        metavar="FILE",
        help="Table x_id<TAB>y_id, where the two name things differently.",
        rich_help_panel=_READING,
    ),
]
OnDuplicate = Annotated[
    str,
    typer.Option("--on-duplicate", metavar="error|first|drop", help="Repeated ids.", rich_help_panel=_POLICY),
]
OnBad = Annotated[
    str,
    typer.Option("--on-bad", metavar="error|drop", help="Rows with NaN, Inf or only zeros.", rich_help_panel=_POLICY),
]
MissingAnchors = Annotated[
    str,
    typer.Option(
        "--missing-anchors", metavar="error|drop", help="Anchors that a space lacks.", rich_help_panel=_POLICY
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Never pair rows by their number.", rich_help_panel=_POLICY)]
Measures = Annotated[
    str | None,
    typer.Option(
        "--measures", "-m", metavar="A,B,…", help="Measures to report, such as mrr,jaccard@20; a wrong name lists all."
    ),
]
Depth = Annotated[int | None, typer.Option("-k", metavar="N", help="Neighbours, 10 unless given.")]
View = Annotated[
    list[str] | None, typer.Option("--view", metavar="relative|absolute", help="Only this view; may be repeated.")
]
Center = Annotated[bool | None, typer.Option("--center/--no-center", help="Subtract each space's mean first.")]
IncludeAnchors = Annotated[
    bool | None, typer.Option("--include-anchors/--exclude-anchors", help="Score the anchors too.")
]
Sample = Annotated[
    str | None, typer.Option("--sample", metavar="N|all", help="Queries; all up to 50,000, else 10,000.")
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Seed of anchor choice, query sample and bootstrap.")]
Preset = Annotated[
    str | None, typer.Option("--preset", metavar="relreps", help="A paper's settings, printed; flags win.")
]
