"""relcli match"""

from __future__ import annotations

from typing import Annotated

import typer

from relcli.cli import discovering, gate, inputs, output

Queries = Annotated[
    int | None, typer.Option("--queries", metavar="N", help="Rows to match: 500, or all that are held out.")
]
Seeds = Annotated[int, typer.Option("--seeds", metavar="N", help="Repeat with N draws of rows, and of anchors.")]
Via = Annotated[
    list[str] | None,
    typer.Option(
        "--via", metavar="METHOD", help="relative, relative:SIMILARITY, translate:METHOD, absolute; may be repeated."
    ),
]
Center = Annotated[bool, typer.Option("--center", help="Subtract each space's mean first.")]


def match(
    x: inputs.SpaceX,
    y: inputs.SpaceY,
    anchors: discovering.AnchorsOrSeeds = None,
    queries: Queries = None,
    via: Via = None,
    center: Center = False,
    seed: inputs.Seed = 0,
    seeds: Seeds = 1,
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
    bootstrap: discovering.Bootstrap = None,
    sample: discovering.Sample = None,
    shared_only: discovering.SharedOnly = False,
    pairs_out: discovering.PairsOut = None,
    check: gate.Checks = None,
    fail_under: gate.FailUnder = None,
    fail_over: gate.FailOver = None,
    as_json: output.AsJson = False,
    format_name: output.TableFormat = None,
    files: output.TableFiles = None,
    quiet: output.Quiet = False,
    workers: output.Workers = None,
) -> None:
    """
    Give each held-out row of X one of Y, and tell how many get their own: optimal assignment, and the nearest.

    Example: relcli match digits_ae_s0.npy digits_ae_s1.parquet --anchors uniform:320 --seeds 5
    """
    chosen = output.chosen_format(as_json, format_name, files, formats=("table", "json", "markdown", "csv"))
    from relcli import api

    required = gate.parsed(check, fail_under, fail_over)
    output.refuse_overwriting(files, x, y, anchors, ids_x, ids_y, pairs, flags={"--pairs-out": pairs_out})
    reading = {"ids_x": ids_x, "ids_y": ids_y, "key_x": key_x, "key_y": key_y, "id_column": id_column, "pairs": pairs}
    policies = {"on_duplicate": on_duplicate, "on_bad": on_bad, "missing_anchors": missing_anchors, "strict": strict}
    drawing = {"queries": queries, "via": via or None, "center": center, "seed": seed, "seeds": seeds}
    finding = {"bootstrap": bootstrap, "sample": sample, "shared_only": shared_only, "pairs_out": pairs_out}
    options = {**reading, **policies, **drawing, **finding}
    with output.progress_bars(quiet) as progress:
        report = api.match(x, y, anchors, workers=workers, progress=progress, **options)  # type: ignore[arg-type]
    gate.conclude(gate.judged(report, required), chosen, files, quiet=quiet)
