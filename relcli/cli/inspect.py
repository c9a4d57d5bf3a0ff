"""relcli inspect"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from relcli.cli import inputs, output

Files = Annotated[list[str], typer.Argument(metavar="FILE…", help="Dumps: FILE, FILE#NAME, folder or glob.")]
Anchors = Annotated[
    str | None,
    typer.Option("--anchors", "-a", metavar="FILE", help="Also look at these anchors in each."),
]
Sample = Annotated[
    str | None,
    typer.Option("--sample", metavar="N|all", help="Rows for the intrinsic dimension and hubness; 5,000 unless given."),
]
Digest = Annotated[bool, typer.Option("--sha256", help="Digest the files, too.")]


def inspect(
    files: Files,
    anchors: Anchors = None,
    sample: Sample = None,
    seed: inputs.Seed = 0,
    digest: Digest = False,
    ids: inputs.Ids = None,
    key: inputs.Key = None,
    id_column: inputs.IdColumn = None,
    as_json: output.AsJson = False,
    quiet: output.Quiet = False,
    workers: output.Workers = None,
) -> None:
    """
    Show what dumps hold, how their vectors lie, and what would trip compare.

    Example: relcli inspect digits_ae_s0.npy digits_ae_s1.parquet --anchors anchors.txt
    """
    from relcli import api
    from relcli.reports.inspection import print_inspection, to_json

    with output.progress_bars(quiet) as progress:
        found = api.inspect(
            *files,
            anchors=anchors,
            ids=ids,
            key=key,
            id_column=id_column,
            sha256=digest,
            workers=workers,
            progress=progress,
            sample=sample,
            seed=seed,
        )
    if as_json:
        sys.stdout.write(to_json(found))
        return
    from rich.console import Console

    print_inspection(found, Console(highlight=False))
