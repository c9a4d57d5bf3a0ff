"""relcli stitch"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from relcli.cli import inputs, output

_HEADS, _METHODS, _SPLIT = "Heads", "Methods", "Rows"


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
Translate = Annotated[
    list[str] | None, _in(_METHODS, "--translate", metavar="METHOD", said="Fitted maps; ortho; may be repeated.")
]
Scaling = Annotated[str, _in(_METHODS, "--scaling", metavar="NAME", said="Of translations: global, standard or none.")]
Center = Annotated[bool, _in(_METHODS, "--center", said="Subtract each space's mean over the train rows first.")]
Transductive = Annotated[bool, _in(_HEADS, "--transductive", said="Standardise test rows by their own statistics.")]
Seeds = Annotated[int, typer.Option("--seeds", metavar="N", help="Repeat with N splits, anchor choices and heads.")]
Missing = Annotated[str, _in("Bad rows", "--missing-labels", metavar="error|drop", said="Rows without a label.")]
PerClass = Annotated[bool, _in("Output", "--per-class", said="Show precision, recall and F1 of each class.")]


def stitch(
    spaces: Dumps, anchors: inputs.AnchorsFrom, labels: LabelsIn = None, targets: Targets = None,
    regression: Regression = False, head: Head = None, scaler: Scaler = "none", transductive: Transductive = False,
    split: SplitIn = None, test_size: TestSize = None, similarity: Similarity = None, translate: Translate = None,
    scaling: Scaling = "global", center: Center = False, seed: inputs.Seed = 0, seeds: Seeds = 1,
    ids: inputs.Ids = None, id_column: inputs.IdColumn = None,
    on_duplicate: inputs.OnDuplicate = "error", on_bad: inputs.OnBad = "error",
    missing_labels: Missing = "error", missing_anchors: inputs.MissingAnchors = "error", per_class: PerClass = False,
    as_json: output.AsJson = False, format_name: output.TableFormat = None, files: output.TableFiles = None,
    quiet: output.Quiet = False,
) -> None:  # fmt: skip
    """
    Train heads on one space and test them on another, as they are, on relative vectors, and through translations.

    Example: relcli stitch digits_ae_s0.npy digits_ae_s1.parquet --labels labels.csv --anchors anchors.txt
    """
    from relcli import api
    from relcli.reports import stitching
    from relcli.reports.writing import format_for, write_text

    chosen = output.chosen_format(as_json, format_name, files, formats=stitching.FORMATS)
    output.refuse_overwriting(files, *spaces, anchors, labels, targets, split, ids)
    rows = {"split": split, "test_size": test_size, "seed": seed, "seeds": seeds, "id_column": id_column}
    methods = {"similarity": similarity or None, "translate": translate or None, "scaling": scaling, "center": center}
    heads = {"head": head, "scaler": scaler, "regression": regression, "transductive": transductive}
    bad = {"on_duplicate": on_duplicate, "on_bad": on_bad, "missing_anchors": missing_anchors, "ids": ids}
    learned = {"labels": labels, "targets": targets, "missing_labels": missing_labels}
    with output.progress_bars(quiet) as progress:
        found = api.stitch(*spaces, anchors=anchors, progress=progress, **rows, **methods, **heads, **bad, **learned)  # type: ignore[arg-type]
    for file in files or ():
        write_text(file, stitching.FORMATS[format_for(file)](found))
    if chosen == "table":
        from rich.console import Console

        stitching.print_stitching(found, Console(), per_class=per_class)
    else:
        sys.stdout.write(stitching.FORMATS[chosen](found))
