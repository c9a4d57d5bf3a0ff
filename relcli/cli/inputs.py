"""Arguments and options that say what to read, shared by the commands."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer


def in_panel(heading: str) -> Callable[..., Any]:
    """Return what makes options that `--help` shows under a heading."""
    return partial(typer.Option, rich_help_panel=heading)


_reading, _policy, _convention = in_panel("Reading"), in_panel("Bad rows"), in_panel("Conventions")
_where, _queries, _shown, _index = map(in_panel, ("Where they differ", "Queries", "Output", "Index"))

SpaceX = Annotated[
    str,
    typer.Argument(metavar="X", help="Dump (saved embeddings) of the first model: FILE, FILE#NAME, folder or glob."),
]
SpaceY = Annotated[str, typer.Argument(metavar="Y", help="Dump of the second model.")]
AnchorsFrom = Annotated[
    str,
    typer.Option(
        "--anchors",
        "-a",
        metavar="FILE|HOW:N",
        help="Anchors, rows known to be the same in both: file of ids (.txt, .tsv of x_id<TAB>y_id, .json, .parquet), "
        "or N to choose: uniform:300, farthest:300, kmeans:300, first:300.",
    ),
]
IdsX = Annotated[
    Path | None, _reading("--ids-x", metavar="FILE", help="File of X's ids, one a row, or FILE#COLUMN of a table.")
]
IdsY = Annotated[
    Path | None, _reading("--ids-y", metavar="FILE", help="File of Y's ids, one a row, or FILE#COLUMN of a table.")
]
KeyX = Annotated[
    str | None,
    _reading("--key-x", metavar="NAME", help="Column, tensor or array of X's vectors, where it holds several."),
]
KeyY = Annotated[
    str | None,
    _reading("--key-y", metavar="NAME", help="Column, tensor or array of Y's vectors, where it holds several."),
]
IdColumn = Annotated[
    str | None,
    _reading("--id-column", metavar="NAME", help="Column or tensor of the ids; row-number says there are none."),
]
IdColumnX = Annotated[str | None, _reading("--id-column-x", metavar="NAME", help="The same of X alone.")]
IdColumnY = Annotated[str | None, _reading("--id-column-y", metavar="NAME", help="The same of Y alone.")]
Pairs = Annotated[
    Path | None, _reading("--pairs", metavar="FILE", help="Table x_id<TAB>y_id, where the two name things differently.")
]
OnDuplicate = Annotated[
    str,
    _policy(
        "--on-duplicate", metavar="error|first|drop", help="Repeated ids: stop, keep the first row of each, or none."
    ),
]
OnBad = Annotated[
    str, _policy("--on-bad", metavar="error|drop", help="Rows with NaN, Inf or only zeros: stop, or leave them out.")
]
MissingAnchors = Annotated[
    str, _policy("--missing-anchors", metavar="error|drop", help="Anchors that a space lacks: stop, or do without.")
]
MissingLabels = Annotated[
    str, _policy("--missing-labels", metavar="error|drop", help="Rows without a label: stop, or leave them out.")
]
Strict = Annotated[
    bool, _policy("--strict", help="Stop where there are no ids, rather than pair rows by their number.")
]
Measures = Annotated[
    str | None,
    typer.Option(
        "--measures", "-m", metavar="A,B,…", help="Measures to report, such as mrr,jaccard@20; a wrong name lists all."
    ),
]
Depth = Annotated[int | None, typer.Option("-k", metavar="N", help="Neighbours, 10 unless given.")]
View = Annotated[list[str] | None, typer.Option("--view", metavar="VIEW", help="Only relative, or only absolute.")]
Center = Annotated[bool | None, _convention("--center/--no-center", help="Subtract each space's mean first.")]
Standardize = Annotated[bool, _convention("--standardize", help="Give each dimension mean 0, deviation 1 first.")]
UnitRows = Annotated[bool, _convention("--l2", help="Divide each row by its norm before all else.")]
Quantize = Annotated[float | None, _convention("--quantize", metavar="STEP", help="Round similarities to multiples.")]
Sparse = Annotated[
    str | None, _convention("--sparse", metavar="K,P", help="Keep the K largest, to the power P (ASIF).")
]
IncludeAnchors = Annotated[
    bool | None, _convention("--include-anchors/--exclude-anchors", help="Score the anchors too.")
]
Sample = Annotated[
    str | None, typer.Option("--sample", metavar="N|all", help="Queries; all up to 50,000, else 10,000.")
]
Seed = Annotated[
    int, typer.Option("--seed", metavar="N", help="Seed of all that is drawn: anchors, queries, folds, bootstrap.")
]
Preset = Annotated[
    str | None, typer.Option("--preset", metavar="relreps", help="A paper's settings, printed; flags win.")
]
GroupBy = Annotated[str | None, _where("--group-by", metavar="COLUMN", help="Score each label of this column alone.")]
Metadata = Annotated[Path | None, _where("--metadata", metavar="FILE", help="Table with ids and that column; else X.")]
Items = Annotated[
    Path | None, _where("--items", metavar="FILE", help="Write each query's fate (.parquet, .csv, .jsonl).")
]
Moved = Annotated[int | None, _where("--moved", metavar="N", help="Name the items moved most (10).")]
NullDraws = Annotated[int | None, typer.Option("--null", metavar="K", help="Also score K permuted pairings: p-values.")]
AnchorDraws = Annotated[
    int | None, typer.Option("--anchor-draws", metavar="D", help="Also score D random choices of anchors.")
]
Similarity = Annotated[
    str | None,
    _convention(
        "--similarity",
        metavar="NAME",
        help="cosine unless given; inner, euclidean, l1, linf, angular, mahalanobis, basis, or product:A,B.",
    ),
]
Ids = Annotated[Path | None, _reading("--ids", metavar="FILE", help="File of the ids, one a row.")]
Key = Annotated[str | None, _reading("--key", metavar="NAME", help="Column, tensor or array of the vectors.")]
AnchorsIfAny = Annotated[
    str | None,
    typer.Option(
        "--anchors",
        "-a",
        metavar="FILE|uniform:N",
        help="File of anchor ids, or how many to choose; only --via absolute goes without.",
    ),
]
QueryIds = Annotated[list[str] | None, _queries("--query", metavar="ID", help="An id of X; may be repeated.")]
QueriesFrom = Annotated[
    str | None, _queries("--queries", metavar="FILE", help="File of ids of X, or a dump of new vectors of X's model.")
]
AllQueries = Annotated[bool, _queries("--all", help="Every row of X.")]
ItemCount = Annotated[int, typer.Option("-k", metavar="N", help="Items for each query.")]
Via = Annotated[
    list[str] | None,
    typer.Option(
        "--via",
        metavar="METHOD",
        help="relative unless given; relative:SIMILARITY, translate:METHOD, absolute, product:WAY,WAY, or auto: what "
        "held-out anchors choose. May be repeated.",
    ),
]
Csls = Annotated[bool, typer.Option("--csls", help="Score by CSLS(10), which holds hubs back.")]
Truth = Annotated[
    Path | None,
    typer.Option(
        "--truth", metavar="FILE", help="Table x_id<TAB>y_id of right answers, several a query; else shared ids."
    ),
]
Show = Annotated[
    list[str] | None, _shown("--show", metavar="COLUMN", help="Show this column of each item; may be repeated.")
]
ShowFrom = Annotated[
    Path | None, _shown("--show-from", metavar="FILE", help="Table with a column id to show from, not Y.")
]
IndexKind = Annotated[str, _index("--index", metavar="KIND", help="exact, faiss:flat, faiss:hnsw, faiss:ivf.")]
SaveIndex = Annotated[
    Path | None, _index("--save-index", metavar="DIR", help="Keep the index here, and read it when it is there.")
]
LoadIndex = Annotated[Path | None, _index("--load-index", metavar="DIR", help="Read the index kept here.")]
