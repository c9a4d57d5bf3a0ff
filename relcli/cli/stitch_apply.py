"""relcli stitch apply"""

from __future__ import annotations

from functools import partial

from relcli.cli import gate, heads, inputs, output


def apply(
    head: heads.SavedHead, y: heads.Dump, via: heads.Via = None, anchors: heads.AnchorPairs = None,
    known: heads.KnownAs = None, labels: heads.Truth = None, split: heads.Tested = None,
    ids: inputs.Ids = None, key: inputs.Key = None, id_column: inputs.IdColumn = None,
    on_bad: inputs.OnBad = "error", missing_labels: inputs.MissingLabels = "drop", check: gate.FigureChecks = None,
    fail_under: gate.FailUnder = None, fail_over: gate.FailOver = None, per_class: heads.PerClass = False,
    as_json: output.AsJson = False, format_name: output.TableFormat = None, files: heads.PredictionFiles = None,
    quiet: output.Quiet = False, workers: output.Workers = None,
) -> None:  # fmt: skip
    """
    Predict the label of every row of Y by a head that stitch saved, which has never met Y's model.

    Example: relcli stitch apply head.skops digits_ae_s1.parquet -o found.parquet
    """
    from relcli import api
    from relcli.errors import UsageError
    from relcli.formats.predictions import split_outputs, writing_predictions
    from relcli.reports import application
    from relcli.reports.classes import forms_with

    tables, reports = split_outputs(files or ())
    chosen = output.chosen_format(as_json, format_name, reports, formats=application.FORMATS)
    required = gate.parsed(check, fail_under, fail_over)
    if required and labels is None:
        raise UsageError(f"{required[0].text!r} is about labels, and none were given: add --labels FILE.")
    output.refuse_overwriting(files, head, y, anchors, labels, split, ids)
    reading = {"ids": ids, "key": key, "id_column": id_column, "anchors": anchors, "labels": labels, "split": split}
    how = {"via": via, "known": known, "on_bad": on_bad, "missing_labels": missing_labels, "workers": workers}
    with output.progress_bars(quiet) as progress, writing_predictions(tables) as write:
        options = {**reading, **how, "take": lambda some: write(some.columns())}
        found = api.stitch_apply(head, y, progress=progress, **options).application  # type: ignore[arg-type]
        found = gate.judged_hits(found, required)  # type: ignore[arg-type,assignment]
    table = partial(application.print_application, per_class=per_class)
    forms = forms_with(application.FORMATS, per_class=per_class)
    output.write_found(found, chosen, reports, table=table, forms=forms)
    gate.tell_and_exit(found.checks, quiet=quiet or chosen in ("table", "markdown"))
