"""The report as a table for a terminal, and the pieces that all tables there are made of."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from relcli.reports import phrases
from relcli.reports.phrases import Cell, Column
from relcli.reports.report import Report

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

#: stand-ins of the same width for terminals that cannot show the sign
STAND_INS = {"↑": "^", "↓": "v", "→": ">", "×": "x", "±": "~", "–": "-", "·": ";", "─": "-", "✓": "+", "✗": "x"}

#: how the marks of checks are shown
MARKS = {"✓": "green", "✗": "bold red", "!": "yellow"}


def print_table(report: Report, console: Console) -> None:
    """Print the report as wide as the console allows; no number and no name is ever cut."""
    print_parts(_parts(report, console), console)


def print_checks(report: Report, console: Console) -> None:
    """Print the names of the two spaces, and each check with its verdict, value, bound and margin."""
    names = " ↔ ".join(str(space.get("name", "")) for space in (report.x, report.y))
    print_parts([names, _block(report, notes=[])], console)


@contextmanager
def safely(console: Console) -> Iterator[None]:
    """Let nothing that a file holds reach the terminal as a command: ids may be anything."""
    from rich.console import ConsoleRenderable, RenderHook
    from rich.segment import Segment, Segments

    class Printable(RenderHook):
        def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
            return [
                Segments(
                    part if part.control else Segment(phrases.printable(part.text), part.style)
                    for part in console.render(one, console.options.update(overflow="ignore"))
                )
                for one in renderables
            ]

    console.push_render_hook(Printable())
    try:
        yield
    finally:
        console.pop_render_hook()


def print_parts(parts: Iterable[RenderableType], console: Console) -> None:
    """Print parts one below another with nothing cut, in signs that the console's encoding has."""
    with safely(console), console.capture() as captured:
        for part in parts:
            console.print(part, highlight=False, markup=False, emoji=False, overflow="ignore", crop=False)
    lines = (line.rstrip() for line in captured.get().rstrip("\n").split("\n"))
    console.file.write(encodable("\n".join(lines) + "\n", console.encoding))


def printed(parts: Callable[[int], Iterable[RenderableType]], console: Console) -> None:
    """Print the parts that are made for the console's width."""
    print_parts(parts(console.width), console)


def as_text(parts: Callable[[int], Iterable[RenderableType]], *, width: int = 80) -> str:
    """Return what would be printed, without colour."""
    from rich.console import Console

    file = io.StringIO()
    printed(parts, Console(file=file, width=width, color_system=None, legacy_windows=False))
    return file.getvalue()


def to_text(report: Report, *, width: int = 80) -> str:
    """Return the table without colour."""
    from rich.console import Console

    file = io.StringIO()
    print_table(report, Console(file=file, width=width, color_system=None, legacy_windows=False))
    return file.getvalue()


def _parts(report: Report, console: Console) -> Iterator[RenderableType]:
    yield from before_all(report.notes)
    yield _header(report, console.width)
    for table in _score_tables(report, console):
        yield ""
        yield table
    yield ""
    yield from _below(report, coloured=console.color_system is not None)


def _header(report: Report, width: int) -> RenderableType:
    """Return what was compared: the spaces, how they were joined, the anchors, and what was scored."""
    x, y = aligned(_named_facts(report.x), _named_facts(report.y))
    rows = {
        "x": x,
        "y": y,
        "join": phrases.join_facts(report.join),
        "anchors": phrases.anchor_facts(report.anchors),
        "scored": phrases.setting_facts(report.settings),
    }
    return fact_grid(rows, width)


def _named_facts(space: Mapping[str, Any]) -> list[str]:
    return [str(space.get("name", "")), *phrases.space_facts(space)]


def aligned(*lists: list[str]) -> Sequence[list[str]]:
    """Return the lists with each fact as wide as its counterparts, so that the spaces read as columns."""
    from rich.cells import cell_len, set_cell_size

    if len(set(map(len, lists))) > 1:
        return lists
    columns = [(facts, max(map(cell_len, facts))) for facts in zip(*lists, strict=True)]
    padded = ([set_cell_size(fact, width) for fact in facts] for facts, width in columns)
    return [list(facts) for facts in zip(*padded, strict=True)]


def fact_lines(facts: Sequence[str], width: int) -> Iterator[str]:
    """Yield the facts on as few lines as they fit, breaking only between facts."""
    from rich.cells import cell_len

    line: list[str] = []
    for fact in facts:
        if line and cell_len(phrases.joined([*line, fact]).rstrip()) > width:
            yield phrases.joined(line).rstrip()
            line = []
        line.append(fact)
    yield phrases.joined(line).rstrip()


def fact_grid(facts: Mapping[str, Sequence[str]], width: int) -> Table:
    """Return labels, each beside its facts on as few lines as they fit, without those that have none."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    room = width - max(map(len, facts)) - 2
    for label, some in facts.items():
        if some:
            grid.add_row(label, Text("\n".join(fact_lines(some, room))))
    return grid


def marked(lines: Iterable[tuple[str | Text, str]]) -> Table:
    """Return lines behind their marks."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for mark, line in lines:
        grid.add_row(mark, Text(line))
    return grid


def before_all(notes: Iterable[str]) -> Iterator[RenderableType]:
    """Yield the urgent ones of some notes, and an empty line below them; nothing where none is."""
    from rich.text import Text

    lines = phrases.urgent(notes)
    if lines:
        yield marked((Text("!", style=MARKS["!"]), line) for line in lines)
        yield ""


def plain_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, left: int, folded: bool = False) -> Table:
    """
    Return rows of texts under headings, the first `left` columns to the left, the others to the right.

    No cell is wrapped, unless those of the first column are `folded`.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for place, heading in enumerate(headings):
        whole = place > 0 or not folded
        justify: Literal["left", "right"] = "left" if place < left else "right"
        table.add_column(Text(heading), justify=justify, no_wrap=whole, overflow="ellipsis" if whole else "fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _score_tables(report: Report, console: Console) -> Iterator[Table]:
    yield from _fitting(report, console, ("value", "interval", "chance"), ("value", "half-width", "chance"))
    yield from _fitting(report, console, ("x→y", "y→x"))
    yield from _fitting(report, console, ("null", "p", "calibrated"))
    yield from _fitting(report, console, ("draws",))
    if report.groups:
        yield _listing(phrases.group_title(report), *phrases.group_rows(report), console)
    if report.moved:
        yield _listing("most moved, worst first", *phrases.moved_rows(report), console)


def _listing(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], console: Console) -> Table:
    """Return rows under headings, as many columns from the left as the console has room for."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    for count in range(len(headings), 0, -1):
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), title_justify="left")
        table.title = Text(title.upper(), "bold")
        for place, heading in enumerate(headings[:count]):
            numbers = place and all(row[place][:1] in "0123456789-–" for row in rows)
            table.add_column(heading, justify="right" if numbers else "left", no_wrap=True)
        for row in rows:
            table.add_row(*map(Text, row[:count]))
        if (_whole(table, console).width or 0) <= console.width:
            break
    return table


def _fitting(report: Report, console: Console, *layouts: tuple[str, ...]) -> list[Table]:
    """Return the first of the layouts that the console has room for, else the last one view at a time."""
    for names in layouts:
        columns = phrases.columns_for(report, *names)
        if not columns:
            return []
        views = [v for v in report.views if any(c.cell(s) for c in columns for s in report.scores if s.view == v)]
        for gap in (2, 1):
            table = _whole(_table(report, columns, views, gap=gap), console)
            if table.width is not None and table.width <= console.width:
                return [table]
    return [_whole(_table(report, columns, [view], gap=1), console) for view in views]


def _whole(table: Table, console: Console) -> Table:
    """Return the table at its natural width: on a narrower console its lines wrap, but no cell is cut."""
    table.width = console.measure(table, options=console.options.update(width=100_000)).maximum
    return table


def _table(report: Report, columns: Sequence[Column], views: Sequence[str], *, gap: int) -> Table:
    """Return the measures under their sections, with the columns of each view side by side."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, gap - 1, 0, 0))
    # headings stand at the bottom, whatever is above them
    table.add_column("\nmeasure", no_wrap=True)
    for view in views:
        if view != views[0]:
            table.add_column()  # keeps the views apart
        name = phrases.stacked(view)
        # members of a product begin below one another
        above = Text(name, justify="left" if "\n" in name else "right")
        for place, column in enumerate(columns):
            heading = Text(column.heading) if place else Group(above, Text(column.heading, justify="right"))
            table.add_column(heading, justify="right", no_wrap=True)
    for section, rows in phrases.rows_of(report, columns, views).items():
        if table.row_count:
            table.add_row()
        if section:
            table.add_row(Text(section.upper(), style="bold"))
        for label, cells in rows.items():
            texts = [[Text(cell.text, style=_style(cell)) for cell in of_view] for of_view in cells]
            table.add_row(label, *texts[0], *(text for of_view in texts[1:] for text in (Text(), *of_view)))
    return table


def _style(cell: Cell) -> str:
    """Return green for an interval wholly closer than chance, red for farther, dim where it covers chance."""
    score = cell.score
    if cell.column.heading == "chance":
        return "dim"
    # the interval is that of the mean of both directions, and says nothing about either alone
    one_direction = cell.column.heading in ("x→y", "y→x")
    if one_direction or score is None or score.interval is None or score.chance is None:
        return ""
    if score.interval.low <= score.chance <= score.interval.high:
        return "dim"
    return "green" if (score.interval.low > score.chance) == score.higher_is_closer else "red"


def _below(report: Report, *, coloured: bool) -> Iterator[RenderableType]:
    from rich.text import Text

    yield "↑ higher is closer · ↓ lower is closer"
    if coloured:
        yield Text.assemble(
            ("closer than chance", "green"),
            " · ",
            ("farther", "red"),
            " · ",
            ("interval covers chance", "dim"),
        )
    block = _block(report, notes=phrases.note_lines(report), footnotes=phrases.footnotes_of(report))
    if block.row_count:
        yield block


def _block(report: Report, *, notes: Iterable[str], footnotes: Mapping[str, int] | None = None) -> Table:
    """Return footnotes, checks and notes behind their marks."""
    from rich.text import Text

    coloured = ((Text(mark, style=MARKS.get(mark, "")), line) for mark, line in phrases.check_lines(report.checks))
    reasons = ((f"({place})", reason) for reason, place in (footnotes or {}).items())
    return marked([*reasons, *coloured, *(("note", note) for note in notes)])


def encodable(text: str, encoding: str) -> str:
    """Return the text with stand-ins for the signs that an encoding lacks."""
    try:
        text.encode(encoding)
        return text
    except UnicodeEncodeError:
        plain = "".join(STAND_INS.get(sign, sign) for sign in text)
        return plain.encode(encoding, "replace").decode(encoding)


def print_rows(headings: Sequence[str], rows: Iterable[Sequence[str]], console: Console) -> None:
    """Print rows of texts under their headings; the last column wraps, the others are whole."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    print_parts([table], console)
