"""relcli compare"""

from __future__ import annotations

import typer

from relcli.cli import inputs, output


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
    from relcli import api
    from relcli.tasks.compare import preset_options

    output.refuse_overwriting(files, x, y, anchors, ids_x, ids_y, pairs)
    reading = {"ids_x": ids_x, "ids_y": ids_y, "key_x": key_x, "key_y": key_y, "id_column": id_column, "pairs": pairs}
    policies = {"on_duplicate": on_duplicate, "on_bad": on_bad, "missing_anchors": missing_anchors, "strict": strict}
    scoring = {
        "measures": measures,
        "k": k,
        "views": view or None,
        "similarity": similarity,
        "center": center,
        "include_anchors": include_anchors,
    }
    drawing = {"sample": sample, "seed": seed, "preset": preset}
    if preset and not quiet:
        typer.echo(f"preset {preset}: {output.as_flags(preset_options(preset), over=scoring)}", err=True)
    with output.progress_bars(quiet) as progress:
        options = {**reading, **policies, **scoring, **drawing}
        report = api.compare(x, y, anchors, workers=workers, progress=progress, **options)  # type: ignore[arg-type]
    output.write_report(report, format_chosen, files)
