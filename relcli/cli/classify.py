"""relcli classify"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from relcli.cli import gate, groups, inputs, output
from relcli.cli.classifying import Center, Classes, LabelsIn, Protos, RowsFrom, Sparse, Tune, Via

_output = inputs.in_panel("Output")

YIfAny = Annotated[
    str | None,
    typer.Argument(
        metavar="Y",
        help="Dump of the second model, with the anchors' other sides; without it these are in --prototypes.",
    ),
]
PerClass = Annotated[bool, _output("--per-class", help="Show precision, recall and F1 of each class by each method.")]
Files = Annotated[
    list[Path] | None,
    _output(
        "-o",
        "--output",
        metavar="FILE",
        help="Write predictions (.parquet, .csv, .jsonl) or the report (.json, .md, .txt); may be repeated.",
    ),
]


@groups.taking(groups.BOTH_READ, before="on_duplicate")
def classify(
    x: inputs.SpaceX, anchors: inputs.AnchorsFrom, y: YIfAny = None, prototypes: Protos = None,
    classes: Classes = None, rows: RowsFrom = None, labels: LabelsIn = None, via: Via = None, sparse: Sparse = None,
    tune: Tune = "pairs", center: Center = False, seed: inputs.Seed = 0,
    on_duplicate: inputs.OnDuplicate = "error", on_bad: inputs.OnBad = "error",
    missing_labels: inputs.MissingLabels = "error", missing_anchors: inputs.MissingAnchors = "error",
    check: gate.FigureChecks = None, fail_under: gate.FailUnder = None, per_class: PerClass = False,
    as_json: output.AsJson = False, format_name: output.TableFormat = None, files: Files = None,
    quiet: output.Quiet = False, workers: output.Workers = None,
    **reading: Any,
) -> None:  # fmt: skip
    """
    Classify rows of X zero-shot, by another model's embeddings of the classes, through anchors both have: ASIF.

    Example: relcli classify images.npy captions.npy --prototypes prompts.parquet --anchors pairs.tsv -o found.parquet
    """
    from relcli import api
    from relcli.errors import UsageError
    from relcli.formats.predictions import split_outputs, writing_predictions
    from relcli.reports import classification
    from relcli.reports.classes import forms_with

    tables, reports = split_outputs(files or ())
    chosen = output.chosen_format(as_json, format_name, reports, formats=classification.FORMATS)
    required = gate.parsed(check, fail_under, None)
    if required and labels is None:
        raise UsageError("--check asks for figures, and without labels there are none. Give --labels FILE.")
    output.refuse_overwriting(files, x, y, prototypes, classes, anchors, rows, labels, *groups.places(reading))
    reading["rows"] = rows
    bad = {"on_duplicate": on_duplicate, "on_bad": on_bad, "missing_anchors": missing_anchors}
    how = {"via": via or None, "sparse": sparse, "tune": tune, "center": center, "seed": seed, "workers": workers}
    about = {"prototypes": prototypes, "classes": classes, "labels": labels, "missing_labels": missing_labels}
    with output.progress_bars(quiet) as progress, writing_predictions(tables) as write:
        options = {**reading, **bad, **how, **about, "take": lambda some: write(some.columns())}
        found = api.classify(x, y, anchors=anchors, progress=progress, **options).classification
        found = gate.judged_hits(found, required)  # type: ignore[arg-type,assignment]
    table = partial(classification.print_classification, per_class=per_class)
    forms = forms_with(classification.FORMATS, per_class=per_class)
    output.write_found(found, chosen, reports, table=table, forms=forms)
    gate.tell_and_exit(found.checks, quiet=quiet or chosen in ("table", "markdown"))
