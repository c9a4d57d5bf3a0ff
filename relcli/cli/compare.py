"""relcli compare"""

from __future__ import annotations

from typing import Any

import typer

from relcli.cli import gate, groups, inputs, output, pictures


@groups.taking(groups.TWO_SPACES, groups.BAD_ROWS_AND_ANCHORS, before="group_by")
def compare(
    x: inputs.SpaceX,
    y: inputs.SpaceY,
    anchors: inputs.AnchorsFrom,
    measures: inputs.Measures = None,
    k: inputs.Depth = None,
    view: inputs.View = None,
    similarity: inputs.Similarity = None,
    quantize: inputs.Quantize = None,
    sparse: inputs.Sparse = None,
    center: inputs.Center = None,
    standardize: inputs.Standardize = False,
    l2: inputs.UnitRows = False,
    include_anchors: inputs.IncludeAnchors = None,
    sample: inputs.Sample = None,
    seed: inputs.Seed = 0,
    preset: inputs.Preset = None,
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
    plots: pictures.Plots = None,
    html: pictures.Html = None,
    points: pictures.Points = None,
    projection: pictures.Projection = None,
    plot_sample: pictures.PlotSample = None,
    as_json: output.AsJson = False,
    format_name: output.FormatName = None,
    files: output.OutputFiles = None,
    quiet: output.Quiet = False,
    workers: output.Workers = None,
    tier: output.Tier = None,
    **reading: Any,
) -> None:
    """
    Report how alike two latent spaces are: retrieval, neighbourhoods, alignment, similarity structure.

    Example: relcli compare a.npy b.parquet --anchors ids.txt --json
    """
    files = pictures.with_page(files, html)
    format_chosen = output.chosen_format(as_json, format_name, files)
    required = gate.requirements(check, fail_under, fail_over, format_name=format_chosen, files=files)
    from relcli import api
    from relcli.tasks.compare import preset_options

    page = pictures.Page(format_chosen, files)
    flags = {"--items": items, "--points": points}
    output.refuse_overwriting(files, x, y, anchors, *groups.places(reading), metadata, flags=flags)
    scoring: dict[str, Any] = {"measures": measures, "k": k, "views": view or None, "include_anchors": include_anchors}
    scoring |= {"similarity": similarity, "quantize": quantize, "sparse": sparse}
    scoring |= {"center": center, "standardize": standardize, "l2": l2}
    drawing = {"sample": sample, "seed": seed, "preset": preset, "null": null, "anchor_draws": anchor_draws}
    telling = {"group_by": group_by, "metadata": metadata, "items": items, "moved": moved}
    shown = {"plots": plots, "points": points, "projection": projection, "plot_sample": plot_sample}
    if preset and not quiet:
        typer.echo(f"preset {preset}: {output.as_flags(preset_options(preset), over=scoring)}", err=True)
    with output.progress_bars(quiet) as progress:
        options = {**reading, **scoring, **drawing, **telling, **shown, "pictures": page.keep}
        report = api.compare(x, y, anchors, workers=workers, tier=tier, progress=progress, **options)
    gate.conclude(gate.judged(report, required), format_chosen, files, quiet=quiet, forms=page.forms())
