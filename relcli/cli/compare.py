"""relcli compare"""

from __future__ import annotations

import typer

from relcli.cli import gate, inputs, output


def compare(
    x: inputs.SpaceX,
    y: inputs.SpaceY,
    anchors: inputs.AnchorsFrom,
    measures: inputs.Measures = None,
    k: inputs.Depth = None,
    view: inputs.View = None,
    similarity: inputs.Similarity = None,
    center: inputs.Center = None,
    include_anchors: inputs.IncludeAnchors = None,
    sample: inputs.Sample = None,
    seed: inputs.Seed = 0,
    preset: inputs.Preset = None,
    ids_x: inputs.IdsX = None,
    ids_y: inputs.IdsY = None,
    key_x: inputs.KeyX = None,
    key_y: inputs.KeyY = None,
    id_column: inputs.IdColumn = None,
    pairs: inputs.Pairs = None,
    on_duplicate: inputs.OnDuplicate = "error",
    on_bad: inputs.OnBad = "error",
    missing_anchors: inputs.MissingAnchors = "error",
    strict: inputs.Strict = False,
    group_by: inputs.GroupBy = None,
    metadata: inputs.Metadata = None,
    items: inputs.Items = None,
    moved: inputs.Moved = None,
    null: inputs.NullDraws = None,
    anchor_draws: inputs.AnchorDraws = None,
    pair: gate.Pair = None,
    check: gate.Checks = None,
    fail_under: gate.FailUnder = None,
    fail_over: gate.FailOver = None,
    as_json: output.AsJson = False,
    format_name: output.FormatName = None,
    files: output.OutputFiles = None,
    quiet: output.Quiet = False,
    workers: output.Workers = None,
) -> None:
    """
    Report how alike two latent spaces are: retrieval, neighbourhoods, alignment, similarity structure.

    Example: relcli compare a.npy b.parquet --anchors ids.txt --json
    """
    format_chosen = output.chosen_format(as_json, format_name, files)
    required = gate.requirements(check, fail_under, fail_over, format_name=format_chosen, files=files)
    from relcli import api
    from relcli.tasks.compare import preset_options

    written = [*(files or ()), *([items] if items else ())]
    output.refuse_overwriting(written, x, y, anchors, ids_x, ids_y, pairs, metadata)
    reading = {"ids_x": ids_x, "ids_y": ids_y, "key_x": key_x, "key_y": key_y, "id_column": id_column, "pairs": pairs}
    policies = {"on_duplicate": on_duplicate, "on_bad": on_bad, "missing_anchors": missing_anchors, "strict": strict}
    scoring = {"measures": measures, "k": k, "views": view or None, "similarity": similarity, "center": center}
    scoring["include_anchors"] = include_anchors
    drawing = {"sample": sample, "seed": seed, "preset": preset, "null": null, "anchor_draws": anchor_draws}
    telling = {"group_by": group_by, "metadata": metadata, "items": items, "moved": moved}
    if preset and not quiet:
        typer.echo(f"preset {preset}: {output.as_flags(preset_options(preset), over=scoring)}", err=True)
    with output.progress_bars(quiet) as progress:
        options = {**reading, **policies, **scoring, **drawing, **telling}
        report = api.compare(x, y, anchors, workers=workers, progress=progress, **options)  # type: ignore[arg-type]
    gate.conclude(gate.judged(report, required), format_chosen, files, quiet=quiet)
