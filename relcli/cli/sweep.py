"""relcli sweep"""

from __future__ import annotations

from typing import Annotated

import typer

from relcli.cli import inputs, output, studies

Grid = Annotated[str, typer.Option("--anchors-grid", metavar="N,N,…", help="Numbers of anchors.")]
Strategies = Annotated[
    str, typer.Option("--strategies", metavar="A,B,…", help="How to choose them: uniform, farthest, kmeans, first.")
]
Draws = Annotated[int, typer.Option("--draws", metavar="N", help="Draws of anchors for each number.")]
Measures = Annotated[str, typer.Option("--measures", "-m", metavar="A,B,…", help="Measures; the first one decides.")]
Via = Annotated[
    list[str] | None,
    typer.Option(
        "--via",
        metavar="METHOD",
        help="relative[:SIMILARITY] or translate:METHOD, may be repeated; relative, translate:ortho and "
        "translate:linear unless given.",
    ),
]
Queries = Annotated[
    int | None,
    typer.Option("--queries", metavar="N", help="Rows held out as queries; half of them, up to 1,000, unless given."),
]
Center = Annotated[bool, typer.Option("--center", help="Subtract each space's mean first.")]


def sweep(
    x: inputs.SpaceX,
    y: inputs.SpaceY,
    grid: Grid = "10,25,50,100,200,300",
    strategies: Strategies = "uniform",
    draws: Draws = 10,
    measures: Measures = "mrr,jaccard@10,cosine",
    via: Via = None,
    queries: Queries = None,
    center: Center = False,
    seed: inputs.Seed = 0,
    ids_x: inputs.IdsX = None,
    ids_y: inputs.IdsY = None,
    key_x: inputs.KeyX = None,
    key_y: inputs.KeyY = None,
    id_column: inputs.IdColumn = None,
    pairs: inputs.Pairs = None,
    on_duplicate: inputs.OnDuplicate = "error",
    on_bad: inputs.OnBad = "error",
    strict: inputs.Strict = False,
    resume: studies.Resume = None,
    plot: studies.Plot = None,
    as_json: output.AsJson = False,
    files: studies.Files = None,
    quiet: output.Quiet = False,
    workers: output.Workers = None,
) -> None:
    """
    Score two spaces with more and more anchors, and tell how many are enough.

    Example: relcli sweep digits_ae_s0.npy digits_ae_s1.parquet --anchors-grid 10,50,200 --draws 3
    """
    from relcli import api
    from relcli.reports.sweep import FORMS, print_sweep

    state = studies.checked(as_json, files, resume, plot, x, y, ids_x, ids_y, pairs)
    reading = {"ids_x": ids_x, "ids_y": ids_y, "key_x": key_x, "key_y": key_y, "id_column": id_column, "pairs": pairs}
    policies = {"on_duplicate": on_duplicate, "on_bad": on_bad, "strict": strict}
    asked = {"grid": grid, "strategies": strategies, "draws": draws, "measures": measures, "via": via}
    scoring = {"queries": queries, "center": center, "seed": seed, "resume": state, "workers": workers}
    with output.progress_bars(quiet) as progress:
        found = api.sweep(x, y, progress=progress, **reading, **policies, **asked, **scoring)  # type: ignore[arg-type]
    studies.conclude(found, FORMS, print_sweep, as_json, files, plot)
