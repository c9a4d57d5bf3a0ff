"""Options of the commands that train heads, and of the one that applies them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_HEADS, _METHODS, _SPLIT, _SAVING = "Heads", "Methods", "Rows", "Saving"


def _in(panel: str, *names: str, metavar: str | None = None, said: str) -> typer.models.OptionInfo:
    return typer.Option(*names, metavar=metavar, help=said, rich_help_panel=panel)


Dumps = Annotated[list[str], typer.Argument(metavar="X Y…", help="Dumps of the spaces, two or more.")]
LabelsIn = Annotated[
    str | None, _in(_HEADS, "--labels", metavar="FILE[#COLUMN]", said="Table of ids and labels, or a .npy by X's rows.")
]
Targets = Annotated[str | None, _in(_HEADS, "--targets", metavar="DUMP", said="Predict its rows; a regression.")]
SplitIn = Annotated[str | None, _in(_SPLIT, "--split", metavar="FILE[#COLUMN]", said="Table of ids: train or test.")]
TestSize = Annotated[float | None, _in(_SPLIT, "--test-size", metavar="SHARE", said="Tested on without --split: 0.3.")]
Head = Annotated[str | None, _in(_HEADS, "--head", metavar="NAME", said="svm (linear, default), logistic, ridge, mlp.")]
Scaler = Annotated[str, _in(_HEADS, "--scaler", metavar="NAME", said="Of what heads see: none or standard.")]
Regression = Annotated[bool, _in(_HEADS, "--regression", said="Labels are numbers to predict, by ridge.")]
Similarity = Annotated[
    list[str] | None, _in(_METHODS, "--similarity", metavar="NAME", said="Of relative; cosine; may be repeated.")
]
Choice = Annotated[str | None, _in(_METHODS, "--via", metavar="auto", said="Also by what held-out anchors choose.")]
Translate = Annotated[
    list[str] | None, _in(_METHODS, "--translate", metavar="METHOD", said="Fitted maps; ortho; may be repeated.")
]
Scaling = Annotated[str, _in(_METHODS, "--scaling", metavar="NAME", said="Of translations: global, standard or none.")]
Center = Annotated[bool, _in(_METHODS, "--center", said="Subtract each space's mean over the train rows first.")]
Transductive = Annotated[bool, _in(_HEADS, "--transductive", said="Standardise test rows by their own statistics.")]
Seeds = Annotated[int, typer.Option("--seeds", metavar="N", help="Repeat with N splits, anchor choices and heads.")]
Missing = Annotated[str, _in("Bad rows", "--missing-labels", metavar="error|drop", said="Rows without a label.")]
PerClass = Annotated[bool, _in("Output", "--per-class", said="Show precision, recall and F1 of each class.")]
SaveHead = Annotated[
    Path | None,
    _in(_SAVING, "--save-head", metavar="FILE", said="Write one space's heads to a .skops, for relcli stitch apply."),
]
SaveSource = Annotated[
    str | None, _in(_SAVING, "--save-source", metavar="NAME", said="The space whose heads these are; else the first.")
]

SavedHead = Annotated[Path, typer.Argument(metavar="HEAD", help="What relcli stitch --save-head wrote.")]
Dump = Annotated[str, typer.Argument(metavar="Y", help="Dump of any model that shares the head's anchors.")]
Via = Annotated[
    str | None,
    typer.Option("--via", metavar="METHOD", help="relative, relative:SIMILARITY, translate:METHOD or absolute."),
]
AnchorPairs = Annotated[
    str | None,
    typer.Option(
        "--anchors",
        "-a",
        metavar="FILE",
        help="Pairs head's id<TAB>Y's id, where the two name the anchors differently.",
    ),
]
KnownAs = Annotated[
    str | None,
    typer.Option("--known", metavar="NAME", help="Y is of this space of the file: take the anchors kept there."),
]
Truth = Annotated[
    str | None, _in(_SPLIT, "--labels", metavar="FILE[#COLUMN]", said="Table of ids and right labels: score them.")
]
Tested = Annotated[
    str | None, _in(_SPLIT, "--split", metavar="FILE[#COLUMN]", said="Score only the ids that it calls test.")
]
PredictionFiles = Annotated[
    list[Path] | None,
    _in(
        "Output", "--output", "-o", metavar="FILE", said="Predictions (.parquet, .csv, .jsonl), or report (.json, .md)."
    ),
]
