"""Arguments and options that say what to read, shared by the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_READING, _POLICY, _CONVENTION, _WHERE = "Reading", "Bad rows", "Conventions", "Where they differ"

SpaceX = Annotated[str, typer.Argument(metavar="X", help="Dump of the first model: FILE, FILE#NAME, folder or glob.")]
SpaceY = Annotated[str, typer.Argument(metavar="Y", help="Dump of the second model.")]
AnchorsFrom = Annotated[
    str,
    typer.Option(
        "--anchors",
        "-a",
        metavar="FILE|HOW:N",
        help="File of anchor ids (.txt, .tsv of x_id<TAB>y_id, .json, .parquet), or N to choose: uniform:300, "
        "farthest:300, kmeans:300, first:300.",
    ),
]
IdsX = Annotated[
    Path | None, typer.Option("--ids-x", metavar="FILE", help="File of X's ids, one a row.", rich_help_panel=_READING)
]
IdsY = Annotated[
    Path | None, typer.Option("--ids-y", metavar="FILE", help="File of Y's ids, one a row.", rich_help_panel=_READING)
]
KeyX = Annotated[
    str | None,
    typer.Option("--key-x", metavar="NAME", help="Column, tensor or array of X's vectors.", rich_help_panel=_READING),
]
KeyY = Annotated[
    str | None,
    typer.Option("--key-y", metavar="NAME", help="Column, tensor or array of Y's vectors.", rich_help_panel=_READING),
]
IdColumn = Annotated[
    str | None,
    typer.Option("--id-column", metavar="NAME", help="Column or tensor of the ids.", rich_help_panel=_READING),
]
Pairs = Annotated[
    Path | None,
    typer.Option(
        "--pairs",
        metavar="FILE",
        help="Table x_id<TAB>y_id, where the two name things differently.",
        rich_help_panel=_READING,
    ),
]
OnDuplicate = Annotated[
    str,
    typer.Option("--on-duplicate", metavar="error|first|drop", help="Repeated ids.", rich_help_panel=_POLICY),
]
OnBad = Annotated[
    str,
    typer.Option("--on-bad", metavar="error|drop", help="Rows with NaN, Inf or only zeros.", rich_help_panel=_POLICY),
]
MissingAnchors = Annotated[
    str,
    typer.Option(
        "--missing-anchors", metavar="error|drop", help="Anchors that a space lacks.", rich_help_panel=_POLICY
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Never pair rows by their number.", rich_help_panel=_POLICY)]
Measures = Annotated[
    str | None,
    typer.Option(
        "--measures", "-m", metavar="A,B,…", help="Measures to report, such as mrr,jaccard@20; a wrong name lists all."
    ),
]
Depth = Annotated[int | None, typer.Option("-k", metavar="N", help="Neighbours, 10 unless given.")]
View = Annotated[list[str] | None, typer.Option("--view", metavar="VIEW", help="Only relative, or only absolute.")]
Center = Annotated[
    bool | None,
    typer.Option("--center/--no-center", help="Subtract each space's mean first.", rich_help_panel=_CONVENTION),
]
Standardize = Annotated[
    bool,
    typer.Option("--standardize", help="Give each dimension mean 0, deviation 1 first.", rich_help_panel=_CONVENTION),
]
UnitRows = Annotated[
    bool, typer.Option("--l2", help="Divide each row by its norm before all else.", rich_help_panel=_CONVENTION)
]
Quantize = Annotated[
    float | None,
    typer.Option("--quantize", metavar="STEP", help="Round similarities to multiples.", rich_help_panel=_CONVENTION),
]
Sparse = Annotated[
    str | None,
    typer.Option(
        "--sparse", metavar="K,P", help="Keep the K largest, to the power P (ASIF).", rich_help_panel=_CONVENTION
    ),
]
IncludeAnchors = Annotated[
    bool | None,
    typer.Option("--include-anchors/--exclude-anchors", help="Score the anchors too.", rich_help_panel=_CONVENTION),
]
Sample = Annotated[
    str | None, typer.Option("--sample", metavar="N|all", help="Queries; all up to 50,000, else 10,000.")
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Seed of anchor choice, query sample and bootstrap.")]
Preset = Annotated[
    str | None, typer.Option("--preset", metavar="relreps", help="A paper's settings, printed; flags win.")
]
GroupBy = Annotated[
    str | None,
    typer.Option("--group-by", metavar="COLUMN", help="Score each label of this column alone.", rich_help_panel=_WHERE),
]
Metadata = Annotated[
    Path | None,
    typer.Option("--metadata", metavar="FILE", help="Table with ids and that column; else X.", rich_help_panel=_WHERE),
]
Items = Annotated[
    Path | None,
    typer.Option(
        "--items", metavar="FILE", help="Write each query's fate (.parquet, .csv, .jsonl).", rich_help_panel=_WHERE
    ),
]
Moved = Annotated[
    int | None, typer.Option("--moved", metavar="N", help="Name the items moved most (10).", rich_help_panel=_WHERE)
]
NullDraws = Annotated[int | None, typer.Option("--null", metavar="K", help="Also score K permuted pairings: p-values.")]
AnchorDraws = Annotated[
    int | None, typer.Option("--anchor-draws", metavar="D", help="Also score D random choices of anchors.")
]
Similarity = Annotated[
    str | None,
    typer.Option(
        "--similarity",
        metavar="NAME",
        help="cosine unless given; inner, euclidean, l1, linf, angular, mahalanobis, basis, or product:A,B.",
        rich_help_panel=_CONVENTION,
    ),
]
Ids = Annotated[
    Path | None, typer.Option("--ids", metavar="FILE", help="File of the ids, one a row.", rich_help_panel=_READING)
]
Key = Annotated[
    str | None,
    typer.Option("--key", metavar="NAME", help="Column, tensor or array of the vectors.", rich_help_panel=_READING),
]
_QUERIES, _SHOWN, _INDEX = "Queries", "Output", "Index"

AnchorsIfAny = Annotated[
    str | None,
    typer.Option(
        "--anchors",
        "-a",
        metavar="FILE|uniform:N",
        help="File of anchor ids, or how many to choose; only --via absolute goes without.",
    ),
]
QueryIds = Annotated[
    list[str] | None,
    typer.Option("--query", metavar="ID", help="An id of X; may be repeated.", rich_help_panel=_QUERIES),
]
QueriesFrom = Annotated[
    str | None,
    typer.Option(
        "--queries",
        metavar="FILE",
        help="File of ids of X, or a dump of new vectors of X's model.",
        rich_help_panel=_QUERIES,
    ),
]
AllQueries = Annotated[bool, typer.Option("--all", help="Every row of X.", rich_help_panel=_QUERIES)]
ItemCount = Annotated[int, typer.Option("-k", metavar="N", help="Items for each query.")]
Via = Annotated[
    list[str] | None,
    typer.Option(
        "--via",
        metavar="METHOD",
        help="relative unless given; relative:SIMILARITY, translate:METHOD, absolute, or auto: what held-out anchors "
        "choose. May be repeated.",
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
    list[str] | None,
    typer.Option(
        "--show", metavar="COLUMN", help="Show this column of each item; may be repeated.", rich_help_panel=_SHOWN
    ),
]
ShowFrom = Annotated[
    Path | None,
    typer.Option(
        "--show-from", metavar="FILE", help="Table with a column id to show from, not Y.", rich_help_panel=_SHOWN
    ),
]
IndexKind = Annotated[
    str,
    typer.Option("--index", metavar="KIND", help="exact, faiss:flat, faiss:hnsw, faiss:ivf.", rich_help_panel=_INDEX),
]
SaveIndex = Annotated[
    Path | None,
    typer.Option(
        "--save-index", metavar="DIR", help="Keep the index here, and read it when it is there.", rich_help_panel=_INDEX
    ),
]
LoadIndex = Annotated[
    Path | None,
    typer.Option("--load-index", metavar="DIR", help="Read the index kept here.", rich_help_panel=_INDEX),
]
