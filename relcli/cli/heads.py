"""Options of the commands that train heads, and of the one that applies them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relcli.cli.inputs import in_panel

_heads, _methods, _rows, _saving, _output = map(in_panel, ("Heads", "Methods", "Rows", "Saving", "Output"))

Dumps = Annotated[list[str], typer.Argument(metavar="X Y…", help="Dumps of the spaces, two or more.")]
LabelsIn = Annotated[
    str | None, _heads("--labels", metavar="FILE[#COLUMN]", help="Table of ids and labels, or a .npy by X's rows.")
]
Targets = Annotated[str | None, _heads("--targets", metavar="DUMP", help="Predict its rows; a regression.")]
SplitIn = Annotated[str | None, _rows("--split", metavar="FILE[#COLUMN]", help="Table of ids: train or test.")]
TestSize = Annotated[float | None, _rows("--test-size", metavar="SHARE", help="Tested on without --split: 0.3.")]
Head = Annotated[str | None, _heads("--head", metavar="NAME", help="svm (linear, default), logistic, ridge, mlp.")]
Scaler = Annotated[str, _heads("--scaler", metavar="NAME", help="Of what heads see: none or standard.")]
Regression = Annotated[bool, _heads("--regression", help="Labels are numbers to predict, by ridge.")]
Similarity = Annotated[
    list[str] | None, _methods("--similarity", metavar="NAME", help="Of relative; cosine; may be repeated.")
]
Choice = Annotated[str | None, _methods("--via", metavar="auto", help="Also by what held-out anchors choose.")]
Translate = Annotated[
    list[str] | None, _methods("--translate", metavar="METHOD", help="Fitted maps; ortho; may be repeated.")
]
Scaling = Annotated[str, _methods("--scaling", metavar="NAME", help="Of translations: global, standard or none.")]
Center = Annotated[bool, _methods("--center", help="Subtract each space's mean over the train rows first.")]
Transductive = Annotated[bool, _heads("--transductive", help="Standardise test rows by their own statistics.")]
Seeds = Annotated[int, typer.Option("--seeds", metavar="N", help="Repeat with N splits, anchor choices and heads.")]
PerClass = Annotated[bool, _output("--per-class", help="Show precision, recall and F1 of each class.")]
SaveHead = Annotated[
    Path | None,
    _saving("--save-head", metavar="FILE", help="Write one space's heads to a .skops, for relcli stitch apply."),
]
SaveSource = Annotated[
    str | None, _saving("--save-source", metavar="NAME", help="The space whose heads these are; else the first.")
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
    str | None, _rows("--labels", metavar="FILE[#COLUMN]", help="Table of ids and right labels: score them.")
]
Tested = Annotated[str | None, _rows("--split", metavar="FILE[#COLUMN]", help="Score only the ids that it calls test.")]
PredictionFiles = Annotated[
    list[Path] | None,
    _output("--output", "-o", metavar="FILE", help="Predictions (.parquet, .csv, .jsonl), or report (.json, .md)."),
]
