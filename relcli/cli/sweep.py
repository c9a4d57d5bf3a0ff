"""relcli sweep"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from relcli.cli import groups, inputs, output, studies

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
        help="relative[:SIMILARITY] or translate:METHOD, then +center, +quantize=STEP, +sparse=K,P; may be repeated. "
        "relative, translate:ortho and translate:linear unless given.",
    ),
]
Similarities = Annotated[
    str | None,
    typer.Option("--similarities", metavar="A,B,…", help="Each relative way by each of these, such as cosine,l1."),
]
Steps = Annotated[
    str | None,
    typer.Option("--quantize", metavar="A,B,…", help="Each relative way rounded to each of these: none,0.05,0.1."),
]
Queries = Annotated[
    int | None,
    typer.Option("--queries", metavar="N", help="Rows held out as queries; half of them, up to 1,000, unless given."),
]
Center = Annotated[bool, typer.Option("--center", help="Subtract each space's mean first.")]


@groups.taking(groups.TWO_SPACES, groups.BAD_ROWS, studies.OUTPUT)
def sweep(
    x: inputs.SpaceX,
    y: inputs.SpaceY,
    grid: Grid = "10,25,50,100,200,300",
    strategies: Strategies = "uniform",
    draws: Draws = 10,
    measures: Measures = "mrr,jaccard@10,cosine",
    via: Via = None,
    similarities: Similarities = None,
    quantize: Steps = None,
    queries: Queries = None,
    center: Center = False,
    seed: inputs.Seed = 0,
    **reading: Any,
) -> None:
    """
    Score two spaces with more and more anchors, and tell how many are enough.

    Example: relcli sweep digits_ae_s0.npy digits_ae_s1.parquet --anchors-grid 10,50,200 --draws 3
    """
    from relcli import api
    from relcli.reports.sweep import FORMS, print_sweep

    out = studies.Output.taken_from(reading)
    state = out.place(x, y, *groups.places(reading))
    asked = {"grid": grid, "strategies": strategies, "draws": draws, "measures": measures, "via": via}
    ways = {"similarities": similarities, "quantize": quantize, "center": center}
    scoring = {"queries": queries, "seed": seed, "resume": state, "workers": out.workers, "tier": out.tier}
    with output.progress_bars(out.quiet) as progress:
        found = api.sweep(x, y, progress=progress, **reading, **asked, **ways, **scoring)
    out.conclude(found, FORMS, print_sweep)
