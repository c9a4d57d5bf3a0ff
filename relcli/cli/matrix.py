"""relcli matrix"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from relcli.cli import groups, inputs, output, studies

Dumps = Annotated[
    list[str], typer.Argument(metavar="FILE…", help="Dumps: files, FILE#NAME, folders; each file of a glob is a space.")
]
Anchors = Annotated[
    str | None,
    typer.Option("--anchors", "-a", metavar="FILE|uniform:N", help="The same ids in all; uniform:300 unless given."),
]
Measures = Annotated[str, typer.Option("--measures", "-m", metavar="A,B,…", help="Measures, a matrix each.")]
Pairwise = Annotated[
    bool,
    typer.Option("--common/--pairwise", help="Score rows common to all spaces, or those that each pair shares."),
]
Order = Annotated[str, typer.Option("--order", metavar="given|cluster", help="cluster puts alike spaces side by side.")]
ScoresFrom = Annotated[
    Path | None, typer.Option("--scores", metavar="FILE", help="Table of the spaces' names and a score of each.")
]
ScoreColumn = Annotated[
    str | None, typer.Option("--score-column", metavar="NAME", help="Column of the score; score unless given.")
]
Reference = Annotated[
    str | None, typer.Option("--reference", metavar="NAME", help="Space to be similar to; the best-scoring one.")
]


@groups.taking(groups.MANY_SPACES, groups.BAD_ROWS_AND_ANCHORS, studies.OUTPUT)
def matrix(
    files: Dumps,
    anchors: Anchors = None,
    measures: Measures = "debiased-cka,mrr",
    view: inputs.View = None,
    similarity: inputs.Similarity = None,
    center: inputs.Center = None,
    common: Pairwise = True,
    order: Order = "given",
    scores: ScoresFrom = None,
    score_column: ScoreColumn = None,
    reference: Reference = None,
    sample: inputs.Sample = None,
    seed: inputs.Seed = 0,
    **reading: Any,
) -> None:
    """
    Score every pair of many spaces, and how similarity goes with the models' own scores.

    Example: relcli matrix digits_*.parquet digits_ae_s0.npy --measures debiased-cka,mrr --anchors anchors.txt
    """
    from relcli import api
    from relcli.formats.shards import find_dumps
    from relcli.reports.matrix import FORMS, print_matrix

    out = studies.Output.taken_from(reading)
    state = out.place(*find_dumps(files), anchors, scores, *groups.places(reading))
    asked = {"measures": measures, "views": view, "similarity": similarity, "center": center, "order": order}
    against = {"scores": scores, "score_column": score_column, "reference": reference, "anchors": anchors}
    how = {"join": "common" if common else "pairwise", "sample": sample, "seed": seed}
    with output.progress_bars(out.quiet) as progress:
        options = {**reading, **asked, **against, **how, "resume": state, "workers": out.workers, "tier": out.tier}
        found = api.matrix(*files, progress=progress, **options)
    out.conclude(found, FORMS, print_matrix)
