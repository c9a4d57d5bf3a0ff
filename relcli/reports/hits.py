"""Hits as a table for a terminal, and the JSON Schema of their document."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from relcli.reports import phrases
from relcli.reports.report import Score
from relcli.reports.retrieval import SCHEMA_VERSION, Hit, QueryHits, Retrieval
from relcli.reports.schema import (
    Schema,
    anchors_schema,
    check_schema,
    document_schema,
    free,
    list_of,
    maybe,
    object_of,
    score_schema,
    space_schema,
    text,
)
from relcli.reports.table import aligned, before_all, fact_grid, marked, print_parts

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

#: Queries that a table shows; the files hold all.
SHOWN = 10

_MATCH = "✓"
_LEAST_TEXT = 12


def print_hits(retrieval: Retrieval, found: Sequence[QueryHits], console: Console) -> None:
    """Print the first queries' hits, then the figures, as wide as the console allows; only shown texts are cut."""
    print_parts(_parts(retrieval, found, console), console)


def print_figures(retrieval: Retrieval, console: Console) -> None:
    """Print the figures and notes alone: what a document of hits leaves out."""
    intervals = True
    parts: list[RenderableType] = []
    if any(score.section == "Retrieval" for score in retrieval.scores):
        table, intervals = _figures(retrieval, console)
        parts.append(table)
    parts += _below(retrieval, intervals)
    if parts:
        print_parts(parts, console)


def to_text(retrieval: Retrieval, found: Sequence[QueryHits], *, width: int = 80) -> str:
    """Return the table without colour."""
    from rich.console import Console

    file = io.StringIO()
    print_hits(retrieval, found, Console(file=file, width=width, color_system=None, legacy_windows=False))
    return file.getvalue()


def _parts(retrieval: Retrieval, found: Sequence[QueryHits], console: Console) -> Iterator[RenderableType]:
    yield from before_all(retrieval.notes)
    yield _header(retrieval, console.width)
    vias = list(dict.fromkeys(one.via for one in found))
    for table in _tables(found, vias, console):
        yield ""
        yield table
    count = int(retrieval.queries["count"])
    shown = len(dict.fromkeys(one.query for one in found))
    if shown < count:
        yield f"… {shown:,} of {count:,} queries; -o hits.parquet writes all"
    intervals = True
    if any(score.section == "Retrieval" for score in retrieval.scores):
        table, intervals = _figures(retrieval, console)
        yield ""
        yield table
    yield from _below(retrieval, intervals)


def _header(retrieval: Retrieval, width: int) -> RenderableType:
    x, y = aligned(*([str(s.get("name", "")), *phrases.space_facts(s)] for s in (retrieval.x, retrieval.y)))
    settings, queries = retrieval.settings, retrieval.queries
    count = int(queries["count"])
    facts = [f"{count:,} {'query' if count == 1 else 'queries'} ({queries['source']})", f"k = {settings['k']}"]
    facts += [str(settings["scores"]), "centred" if settings["center"] else "", f"index {settings['index']}"]
    if settings.get("truth"):
        facts.append(f"truth: {settings['truth']}")
    rows = {
        "x": x,
        "y": y,
        "anchors": phrases.anchor_facts(retrieval.anchors),
        "asked": [fact for fact in facts if fact],
    }
    return fact_grid(rows, width)


def _tables(found: Sequence[QueryHits], vias: Sequence[str], console: Console) -> list[Table]:
    """Return one table with the methods side by side where it fits, else one for each method."""
    if len(vias) <= 1 or _width(_table(found, vias, None), console) <= console.width:
        tables = [_table(found, vias, console)]
    else:
        tables = [_table([one for one in found if one.via == via], [via], console) for via in vias]
    for table in tables:
        # on a narrower console lines wrap, but no number and no name is cut
        table.width = _width(table, console)
    return tables


def _width(table: Table, console: Console) -> int:
    return console.measure(table, options=console.options.update(width=100_000)).maximum


def _table(found: Sequence[QueryHits], vias: Sequence[str], console: Console | None) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    names = list(dict.fromkeys(name for one in found for hit in one.hits for name, _ in hit.shown))
    room = _room(found, vias, names, console)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    # a method alone stands above its table: its name may be wider than what it found
    alone = len(vias) == 1
    above = "" if alone else "\n"
    if alone:
        table.title, table.title_justify = Text(f"via {phrases.stacked(vias[0])}", "bold", no_wrap=True), "left"
    table.add_column(f"{above}query", no_wrap=True)
    table.add_column(f"{above}rank", justify="right", no_wrap=True)
    for via in vias:
        table.add_column(Text("id" if alone else f"{phrases.stacked(via)}\nid"), no_wrap=True)
        table.add_column(f"{above}score", justify="right", no_wrap=True)
        table.add_column(above, no_wrap=True)
        for name in names:
            table.add_column(f"{above}{name}", no_wrap=True)
    by_query: dict[str, dict[str, QueryHits]] = {}
    for one in found:
        by_query.setdefault(one.query, {})[one.via] = one
    for query, of_via in by_query.items():
        depth = max(len(one.hits) for one in of_via.values())
        for row in range(depth):
            cells: list[Any] = [Text(query if row == 0 else "", style="bold"), str(row + 1)]
            for via in vias:
                hits = of_via[via].hits if via in of_via else ()
                cells += _cells(hits[row] if row < len(hits) else None, names, room)
            table.add_row(*cells)
        beyond = [_beyond(of_via.get(via), names) for via in vias]
        if any(cells for cells in beyond):
            table.add_row("", "", *(cell for cells in beyond for cell in (cells or [""] * (3 + len(names)))))
        if depth > 1 and query != list(by_query)[-1]:
            table.add_row()
    return table


def _cells(hit: Hit | None, names: Sequence[str], room: int) -> list[Text | str]:
    from rich.text import Text

    if hit is None:
        return [""] * (3 + len(names))
    style = "green" if hit.match else ""
    texts = dict(hit.shown)
    return [
        Text(hit.id, style=style),
        Text(phrases.number(hit.score), style=style),
        Text(_MATCH if hit.match else "", style=style),
        *(Text(_cut(texts.get(name, ""), room), style="dim") for name in names),
    ]


def _beyond(one: QueryHits | None, names: Sequence[str]) -> list[Text | str]:
    """Return the cells that tell where the first relevant item is, where it is not among the hits."""
    from rich.text import Text

    if one is None or one.first is None or any(hit.match for hit in one.hits):
        return []
    rank = f"{one.first:,.0f}" if one.first == int(one.first) else f"{one.first:,.1f}"
    return [Text(f"{_MATCH} at rank {rank}", style="dim"), "", "", *([""] * len(names))]


def _room(found: Sequence[QueryHits], vias: Sequence[str], names: Sequence[str], console: Console | None) -> int:
    """Return how many cells each shown text may take."""
    if console is None or not names:
        return _LEAST_TEXT
    bare = [QueryHits(one.query, one.via, tuple(_bare(hit) for hit in one.hits), one.first) for one in found]
    taken = _width(_table(bare, vias, None), console)
    return max(_LEAST_TEXT, (console.width - taken) // (len(names) * len(vias)) - 2)


def _bare(hit: Hit) -> Hit:
    return Hit(hit.rank, hit.id, hit.score, hit.match)


def _cut(words: str, room: int) -> str:
    from rich.cells import cell_len, set_cell_size

    line = " ".join(words.split())
    return line if cell_len(line) <= room else set_cell_size(line, room - 1).rstrip() + "…"


#: Ways to lay the figures out, the widest first: what is before the cut of a heading, and what before an interval,
#: where None leaves it out.
_LAYOUTS: tuple[tuple[str, str | None], ...] = ((" ", " "), ("\n", " "), ("\n", "\n"), ("\n", None))


def _figures(retrieval: Retrieval, console: Console) -> tuple[Table, bool]:
    """Return the figures in the first layout that fits, a row for each method and one for chance; with intervals?"""
    for heading, joint in _LAYOUTS:
        table = _figure_table(retrieval, heading, joint)
        table.width = _width(table, console)
        if table.width <= console.width:
            break
    return table, joint is not None


def _figure_table(retrieval: Retrieval, heading: str, joint: str | None) -> Table:
    """Return the figures with this before the cut of a heading, and this before the interval of a cell."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    by_measure: dict[str, list[Score]] = {}
    for score in retrieval.scores:
        if score.section == "Retrieval":
            by_measure.setdefault(score.measure, []).append(score)
    # what no method has is told below the table
    columns = [scores for scores in by_measure.values() if any(score.value is not None for score in scores)]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("via", no_wrap=True, vertical="top")
    for scores in columns:
        label = phrases.measure_label(scores[0])
        label = label.replace("@", f"{heading}@") if heading == "\n" else label
        table.add_column(label.replace("-", heading if heading == "\n" else "-"), justify="right", no_wrap=True)
    for row, first in enumerate(columns[0]):
        table.add_row(Text(phrases.stacked(first.view)), *(_figure(scores[row], joint) for scores in columns))
    chances = (Text(_number(scores[0], scores[0].chance), style="dim") for scores in columns)
    table.add_row(Text("chance", style="dim"), *chances)
    return table


def _figure(score: Score, joint: str | None = " ") -> Text:
    from rich.text import Text

    if score.value is None:
        return Text(phrases.MISSING)
    shown = _number(score, score.value)
    if score.interval is None:
        return Text(shown)
    low, high = score.interval.low, score.interval.high
    half = (high - low) / 2
    if abs((low + high) / 2 - score.value) <= half / 4:
        spread = f"±{_number(score, half)}"
    else:
        # near 0 and 1 an interval of few queries lies on one side, which a ± would hide
        spread = f"[{_number(score, low)}–{_number(score, high)}]"
    style = ""
    if score.chance is not None:
        closer = low > score.chance if score.higher_is_closer else high < score.chance
        style = "green" if closer else "dim" if low <= score.chance <= high else "red"
    return Text(shown if joint is None else f"{shown}{joint}{spread}", style=style)


def _number(score: Score, value: float | None) -> str:
    return "" if value is None else phrases.number(value, rank=score.range[0] == 1)


def _below(retrieval: Retrieval, intervals: bool) -> Iterator[RenderableType]:
    figures = [score for score in retrieval.scores if score.section == "Retrieval"]
    if figures:
        gallery = figures[0].gallery or 0
        count = figures[0].pairs
        told = "± 95 % interval" if intervals else "95 % intervals are in the JSON"
        yield f"figures of {count:,} {'query' if count == 1 else 'queries'} among {gallery:,} items · {told}"
    lines: list[tuple[str | Text, str]] = []
    for score in retrieval.scores:
        if score.section == "Index":
            what = f"{score.view}: {retrieval.settings['index']} finds"
            lines.append(("index", f"{what} {_figure(score)} of the exact {retrieval.settings['k']} best"))
    reasons = dict.fromkeys(score.undefined_because for score in figures if score.undefined_because)
    notes = [f"{phrases.MISSING} {reason}" for reason in reasons] + phrases.calm(retrieval.notes)
    notes += [f"{side}: {note}" for side in "xy" for note in getattr(retrieval, side).get("notes") or ()]
    lines += [("note", note) for note in notes]
    if lines:
        yield marked(lines)


def retrieval_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of a retrieval; minor versions may add keys."""
    hit = object_of(
        "Hit",
        "One item found.",
        {
            "rank": {"type": "integer", "minimum": 1, "description": "Its place, from 1."},
            "id": text("Its id in y."),
            "score": maybe("number", "Its cosine or CSLS with the query."),
            "match": maybe("boolean", "Whether it is relevant to the query, null where nothing tells."),
            "shown": free("What was to be shown of it, by column."),
        },
        optional=("shown",),
    )
    query = object_of(
        "QueryHits",
        "What one query found by one method.",
        {
            "query": text("Id of the query."),
            "via": text("The method."),
            "first": maybe("number", "Rank of the first relevant item over all of y, expected over ties, if known."),
            "counted": {"type": "boolean", "description": "Whether the query is in the figures."},
            "hits": list_of(hit, "Its hits, best first."),
        },
    )
    return document_schema(
        "retrieval",
        SCHEMA_VERSION,
        "What queries of one embedding space found in another.",
        {
            "command": text("The command that wrote the document."),
            "hits": list_of(query, "One entry for each query and method, queries in the order they were asked."),
            "x": space_schema("x"),
            "y": space_schema("y"),
            "queries": free("How many queries there were, from where, and how many are in the figures."),
            "anchors": anchors_schema(),
            "scores": list_of(score_schema(), "One entry for each figure and method, empty where nothing is true."),
            "settings": free("The settings that the hits depend on."),
            "versions": free("The version of relcli and of each library that computed the scores."),
            "notes": list_of({"type": "string"}, "What a reader should know before trusting the hits."),
            "checks": list_of(check_schema(), "The requirements that were tested, empty where there were none."),
        },
        optional=("checks",),
    )
