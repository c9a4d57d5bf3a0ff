"""relcli classify"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relcli.cli import gate, inputs, output

_CLASSES, _METHODS, _FIGURES = "Classes", "Methods", "Figures"


def _in(panel: str, *names: str, metavar: str | None = None, said: str) -> typer.models.OptionInfo:
    return typer.Option(*names, metavar=metavar, help=said, rich_help_panel=panel)


YIfAny = Annotated[str | None, typer.Argument(metavar="Y", help="Dump of the other model; else --prototypes is.")]
Protos = Annotated[str | None, _in(_CLASSES, "--prototypes", metavar="DUMP", said="Its classes; else rows of Y.")]
Classes = Annotated[
    str | None,
    _in(_CLASSES, "--classes", metavar="FILE[#COLUMN]", said="Which rows are prototypes: id, or id<TAB>class, a line."),
]
RowsFrom = Annotated[str | None, typer.Option("--rows", metavar="FILE", help="Only these ids of X, or other rows.")]
Sparse = Annotated[str | None, _in(_METHODS, "--sparse", metavar="K,P", said="Of asif; else chosen on anchors.")]
Tune = Annotated[str, _in(_METHODS, "--tune", metavar="pairs|labels", said="What held-out anchors are to find.")]
Via = Annotated[
    list[str] | None,
    _in(_METHODS, "--via", metavar="METHOD", said="asif, relative, translate:…, absolute; the first predicts."),
]
Center = Annotated[bool, _in(_METHODS, "--center", said="Subtract the anchors' mean on either side first.")]
LabelsIn = Annotated[
    str | None, _in(_FIGURES, "--labels", metavar="FILE[#COLUMN]", said="Table of ids and right classes: score them.")
]
Missing = Annotated[str, _in("Bad rows", "--missing-labels", metavar="error|drop", said="Rows without a label.")]
PerClass = Annotated[bool, _in("Output", "--per-class", said="Show how each class fares by each method.")]
Files = Annotated[
    list[Path] | None, _in("Output", "-o", "--output", metavar="FILE", said="Predictions or report, by its suffix.")
]


def classify(
    x: inputs.SpaceX, anchors: inputs.AnchorsFrom, y: YIfAny = None, prototypes: Protos = None,
    classes: Classes = None, rows: RowsFrom = None, labels: LabelsIn = None, via: Via = None, sparse: Sparse = None,
    tune: Tune = "pairs", center: Center = False, seed: inputs.Seed = 0, ids_x: inputs.IdsX = None,
    ids_y: inputs.IdsY = None, key_x: inputs.KeyX = None, key_y: inputs.KeyY = None, id_column: inputs.IdColumn = None,
    on_duplicate: inputs.OnDuplicate = "error", on_bad: inputs.OnBad = "error",
    missing_labels: Missing = "error", missing_anchors: inputs.MissingAnchors = "error",
    check: gate.FigureChecks = None, fail_under: gate.FailUnder = None, per_class: PerClass = False,
    as_json: output.AsJson = False, format_name: output.TableFormat = None, files: Files = None,
    quiet: output.Quiet = False, workers: output.Workers = None,
) -> None:  # fmt: skip
    """
    Give each row of X the class whose prototypes, in another model's space, are nearest through coupled anchors: ASIF.

    Example: relcli classify images.npy captions.npy --prototypes prompts.parquet --anchors pairs.tsv -o found.parquet
    """
    from relcli import api
    from relcli.errors import UsageError
    from relcli.formats.predictions import split_outputs, writing_predictions
    from relcli.reports import classification

    tables, reports = split_outputs(files or ())
    chosen = output.chosen_format(as_json, format_name, reports, formats=classification.FORMATS)
    required = gate.parsed(check, fail_under, None)
    if required and labels is None:
        raise UsageError("--check asks for figures, and without labels there are none. Give --labels FILE.")
    output.refuse_overwriting(files, x, y, prototypes, classes, anchors, rows, labels, ids_x, ids_y)
    reading = {"ids_x": ids_x, "ids_y": ids_y, "key_x": key_x, "key_y": key_y, "id_column": id_column, "rows": rows}
    bad = {"on_duplicate": on_duplicate, "on_bad": on_bad, "missing_anchors": missing_anchors}
    how = {"via": via or None, "sparse": sparse, "tune": tune, "center": center, "seed": seed, "workers": workers}
    about = {"prototypes": prototypes, "classes": classes, "labels": labels, "missing_labels": missing_labels}
    with output.progress_bars(quiet) as progress, writing_predictions(tables) as write:
        options = {**reading, **bad, **how, **about, "take": lambda some: write(some.columns())}
        found = api.classify(x, y, anchors=anchors, progress=progress, **options).classification  # type: ignore[arg-type]
        found = gate.judged_hits(found, required)  # type: ignore[arg-type,assignment]
    classification.write(found, chosen, reports, per_class=per_class)
    gate.tell_and_exit(found.checks, quiet=quiet or chosen in ("table", "markdown"))
