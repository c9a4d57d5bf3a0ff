"""relcli match"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from relcli.cli import discovering, gate, groups, inputs, output

Queries = Annotated[
    int | None, typer.Option("--queries", metavar="N", help="Rows to match that are no anchors: 500, or all there are.")
]
Seeds = Annotated[
    int,
    typer.Option(
        "--seeds",
        metavar="N",
        help="Repeat with N draws of rows, and of anchors that are chosen, for mean ± deviation.",
    ),
]
Via = Annotated[
    list[str] | None,
    typer.Option(
        "--via",
        metavar="METHOD",
        help="How rows are compared: relative (by similarities to the anchors), relative:SIMILARITY, translate:METHOD "
        "(by a map fitted on them), absolute, product:WAY,WAY (by several at once); may be repeated.",
    ),
]
Center = Annotated[
    bool, typer.Option("--center", help="Subtract each space's mean first; helps where all vectors point one way.")
]


@groups.taking(groups.TWO_SPACES, before="on_duplicate")
def match(
    x: inputs.SpaceX, y: inputs.SpaceY, anchors: discovering.AnchorsOrSeeds = None, queries: Queries = None,
    via: Via = None, center: Center = False, seed: inputs.Seed = 0, seeds: Seeds = 1,
    on_duplicate: inputs.OnDuplicate = "error", on_bad: inputs.OnBad = "error",
    missing_anchors: inputs.MissingAnchors = "error", strict: inputs.Strict = False,
    bootstrap: discovering.Bootstrap = None, sample: discovering.Sample = None,
    shared_only: discovering.SharedOnly = False, pairs_out: discovering.PairsOut = None, check: gate.Checks = None,
    fail_under: gate.FailUnder = None, fail_over: gate.FailOver = None, as_json: output.AsJson = False,
    format_name: output.TableFormat = None, files: output.TableFiles = None, quiet: output.Quiet = False,
    workers: output.Workers = None, tier: output.Tier = None,
    **reading: Any,
) -> None:  # fmt: skip
    """
    Pair held-out rows of X with rows of Y one to one, and tell how many get their own; beside it, plain search.

    Example: relcli match digits_ae_s0.npy digits_ae_s1.parquet --anchors uniform:320 --seeds 5
    """
    chosen = output.chosen_format(as_json, format_name, files, formats=("table", "json", "markdown", "csv"))
    from relcli import api

    required = gate.parsed(check, fail_under, fail_over)
    output.refuse_overwriting(files, x, y, anchors, *groups.places(reading), flags={"--pairs-out": pairs_out})
    policies = {"on_duplicate": on_duplicate, "on_bad": on_bad, "missing_anchors": missing_anchors, "strict": strict}
    drawing = {"queries": queries, "via": via or None, "center": center, "seed": seed, "seeds": seeds}
    finding = {"bootstrap": bootstrap, "sample": sample, "shared_only": shared_only, "pairs_out": pairs_out}
    options = {**reading, **policies, **drawing, **finding}
    with output.progress_bars(quiet) as progress:
        report = api.match(x, y, anchors, workers=workers, tier=tier, progress=progress, **options)
    gate.conclude(gate.judged(report, required), chosen, files, quiet=quiet)
