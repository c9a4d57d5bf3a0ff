"""relcli stitch"""

from __future__ import annotations

from functools import partial

from relcli.cli import gate, heads, inputs, output


def stitch(
    spaces: heads.Dumps, anchors: inputs.AnchorsFrom, labels: heads.LabelsIn = None, targets: heads.Targets = None,
    regression: heads.Regression = False, head: heads.Head = None, scaler: heads.Scaler = "none",
    transductive: heads.Transductive = False, split: heads.SplitIn = None, test_size: heads.TestSize = None,
    similarity: heads.Similarity = None, translate: heads.Translate = None, via: heads.Choice = None,
    scaling: heads.Scaling = "global", center: heads.Center = False, seed: inputs.Seed = 0, seeds: heads.Seeds = 1,
    save_head: heads.SaveHead = None, save_source: heads.SaveSource = None,
    ids: inputs.Ids = None, id_column: inputs.IdColumn = None,
    on_duplicate: inputs.OnDuplicate = "error", on_bad: inputs.OnBad = "error",
    missing_labels: inputs.MissingLabels = "error", missing_anchors: inputs.MissingAnchors = "error",
    check: gate.FigureChecks = None, fail_under: gate.FailUnder = None, fail_over: gate.FailOver = None,
    per_class: heads.PerClass = False, as_json: output.AsJson = False, format_name: output.TableFormat = None,
    files: output.TableFiles = None, quiet: output.Quiet = False,
) -> None:  # fmt: skip
    """
    Train heads on one space and test them on another, as they are, on relative vectors, and through translations.

    Example: relcli stitch digits_ae_s0.npy digits_ae_s1.parquet --labels labels.csv --anchors anchors.txt
    """
    from relcli import api
    from relcli.reports import stitching
    from relcli.reports.classes import forms_with

    chosen = output.chosen_format(as_json, format_name, files, formats=stitching.FORMATS)
    required = gate.parsed_pairs(check, fail_under, fail_over)
    output.refuse_overwriting(files, *spaces, anchors, labels, targets, split, ids, flags={"--save-head": save_head})
    rows = {"split": split, "test_size": test_size, "seed": seed, "seeds": seeds, "id_column": id_column}
    methods = {"similarity": similarity or None, "translate": translate or None, "scaling": scaling, "center": center}
    methods["via"] = via
    trained = {"head": head, "scaler": scaler, "regression": regression, "transductive": transductive}
    bad = {"on_duplicate": on_duplicate, "on_bad": on_bad, "missing_anchors": missing_anchors, "ids": ids}
    learned = {"labels": labels, "targets": targets, "missing_labels": missing_labels}
    saved = {"save_head": save_head, "save_source": save_source}
    with output.progress_bars(quiet) as progress:
        options = {**rows, **methods, **trained, **bad, **learned, **saved}
        found = api.stitch(*spaces, anchors=anchors, progress=progress, **options)  # type: ignore[arg-type]
    found = gate.judged_pairs(found, required)
    table = partial(stitching.print_stitching, per_class=per_class)
    forms = forms_with(stitching.FORMATS, per_class=per_class)
    output.write_found(found, chosen, files, table=table, forms=forms)
    gate.tell_and_exit(found.checks, quiet=quiet or chosen in ("table", "markdown"))
