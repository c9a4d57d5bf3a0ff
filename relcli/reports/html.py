"""The report as one page of HTML that asks for nothing: tables, pictures, and its JSON inside."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from relcli.reports import phrases
from relcli.reports.report import Group, Report, Score, to_document

#: Groups that a page shows; all of them are in its JSON.
GROUPS_SHOWN = 200

#: Said where a page has no pictures and nobody gives a reason.
NOT_DRAWN = "No pictures: they are drawn where the spaces are compared, by relcli compare."

# what is neither text nor allowed in HTML, lone surrogates included
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")

_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --faint: #595959; --line: #c8c8c8; --head: #f2f2f2;
  --good: #00614a; --bad: #a33b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --paper: #16181c; --faint: #b0b0b0; --line: #4a4d52;
  --head: #24272c; --good: #5fd3ae; --bad: #ff9d66; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto;
  max-width: 76rem; padding: 1rem; }
h1 { font-size: 1.6rem; overflow-wrap: anywhere; } h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; }
nav ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; } a { color: inherit; }
.scroll { overflow-x: auto; } .scroll:focus-visible, summary:focus-visible { outline: 3px solid #0072b2; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--faint); padding: .2rem 0; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th, th[scope=rowgroup] { background: var(--head); } th[scope=row] { font-weight: 500; }
td.n, th.n { text-align: right; } td.n { white-space: nowrap; } .faint { color: var(--faint); }
.passed { color: var(--good); } .failed { color: var(--bad); font-weight: 700; }
figure { margin: 1rem 0; padding: .6rem; background: #fff; color: #1a1a1a; border: 1px solid var(--line); }
figure svg { min-width: 54rem; max-width: 100%; height: auto; display: block; margin: 0 auto; }
figcaption { font-size: .9rem; color: #444; overflow-wrap: anywhere; }
@media print { .scroll { overflow-x: visible; } figure { break-inside: avoid; } figure svg { min-width: 0; } }
pre { overflow-x: auto; background: var(--head); padding: .6rem; }
"""

# a browser that honours this refuses every request, whatever a name in the report may hold
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@dataclass(frozen=True)
class Figure:
    """A picture as a page holds it: its title, what it shows in words, and its SVG element."""

    title: str
    description: str
    svg: str


def to_html(report: Report, figures: Sequence[Figure] = (), *, without: str = NOT_DRAWN) -> str:
    """
    Return the report as a page that opens from disk and asks for nothing.

    Every number of its tables carries the unrounded one as `data-value`, and as `data-at` the JSON pointer
    (RFC 6901) to where the page's own JSON, in the element with id "report", holds it. `without` says
    why there are no figures where there are none.
    """
    document = to_document(report)
    names = " ↔ ".join(str(space.get("name", side)) for side, space in (("x", report.x), ("y", report.y)))
    title = _text(f"relcli {report.command}: {names}")
    sections = [
        ("first", "Before all else", _list(map(_text, phrases.urgent(report.notes)))),
        ("compared", "What was compared", _facts(report)),
        ("checks", "Checks", _checks(report)),
        ("notes", "Notes", _list(map(_text, phrases.note_lines(report)))),
        ("scores", "Scores", _scores(report, _MAIN, "Scores by measure and view") + _below(report)),
        ("pictures", "Pictures", "\n".join(map(_figure, figures)) or f"<p>{_text(without)}</p>"),
        ("groups", "Groups", _groups(report)),
        ("moved", "Most moved", _moved(report)),
        ("directions", "Both directions", _scores(report, _DIRECTIONS, "Scores from x to y and from y to x")),
        ("permutations", "Permuted pairings", _scores(report, _NULLS, "Scores of permuted pairings")),
        ("draws", "Draws of anchors", _scores(report, _DRAWS, "Scores over random choices of anchors")),
        ("definitions", "Definitions and citations", _definitions(report)),
        ("settings", "Settings", _plain_table("Settings that the scores depend on", report.settings, "settings")),
        ("inputs", "Inputs", _inputs(report)),
        ("versions", "Versions", _plain_table("What computed the scores", report.versions, "versions")),
    ]
    kept = [(name, heading, body) for name, heading, body in sections if body]
    contents = _list(f'<a href="#{name}">{heading}</a>' for name, heading, _ in kept)
    body = "\n".join(
        f'<section aria-labelledby="{name}">\n<h2 id="{name}">{heading}</h2>\n{body}\n</section>'
        for name, heading, body in kept
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<header><h1>{title}</h1></header>
<nav aria-label="Contents">{contents}</nav>
<main>
{body}
</main>
<script type="application/json" id="report">
{_json(document)}
</script>
</body>
</html>
"""


def _text(value: object) -> str:
    """Return text as HTML shows it, whatever a name or id may hold."""
    return html.escape(_ILLEGAL.sub("�", phrases.printable(str(value))))


def _json(document: Any) -> str:
    # escaped inside the strings of the JSON itself, where \u003c is the same text: no name can end the script
    text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return _ILLEGAL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _list(items: Iterable[str]) -> str:
    lines = "\n".join(f"<li>{item}</li>" for item in items)
    return f"<ul>\n{lines}\n</ul>" if lines else ""


def _number(value: float | None, *at: object, rank: bool = False) -> str:
    """Return a number as people read it, with the unrounded one and where the JSON holds it; "" for none."""
    if value is None:
        return ""
    shown = f"{value:,}" if isinstance(value, int) else phrases.number(value, rank=rank)
    return f'<span data-value="{json.dumps(value)}" data-at="{_pointer(*at)}">{shown}</span>'


def _pointer(*at: object) -> str:
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in at)
    return html.escape("".join(f"/{step}" for step in steps))


def _table(caption: str, head: Sequence[str], bodies: Iterable[str]) -> str:
    """Return a table that a narrow screen scrolls by itself."""
    label = _text(caption)
    thead = "".join(f"<tr>{row}</tr>\n" for row in head)
    tbody = "\n".join(f"<tbody>\n{body}\n</tbody>" for body in bodies)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">\n<table>\n<caption>{label}</caption>\n'
        f"{f'<thead>{thead}</thead>' if thead else ''}\n{tbody}\n</table>\n</div>"
    )


def _column(text: str, span: int = 1, *, numbers: bool = False) -> str:
    scope = "colgroup" if span > 1 else "col"
    wide, right = f' colspan="{span}"' if span > 1 else "", ' class="n"' if numbers else ""
    return f'<th scope="{scope}"{wide}{right}>{_text(text)}</th>'


def _row(heading: str, *cells: str, numbers: bool = True) -> str:
    kind = ' class="n"' if numbers else ""
    return f'<tr><th scope="row">{_text(heading)}</th>' + "".join(f"<td{kind}>{cell}</td>" for cell in cells) + "</tr>"


def _facts(report: Report) -> str:
    rows = {
        "x": [str(report.x.get("name", "")), *phrases.space_facts(report.x)],
        "y": [str(report.y.get("name", "")), *phrases.space_facts(report.y)],
        "join": phrases.join_facts(report.join),
        "anchors": phrases.anchor_facts(report.anchors),
        "scored": phrases.setting_facts(report.settings),
    }
    lines = [_row(name, _text(phrases.joined(facts)), numbers=False) for name, facts in rows.items() if facts]
    return _table("The two spaces, how their rows were matched, and the anchors", (), ["\n".join(lines)])


def _checks(report: Report) -> str:
    if not report.checks:
        return ""
    lines = []
    for place, check in enumerate(report.checks):
        mark = phrases.check_mark(check)
        verdict = {"✓": "passed", "✗": "failed", "!": "warning"}[mark]
        look = "passed" if mark == "✓" else "failed"
        numbers = [_number(check.get(name), "checks", place, name) for name in ("value", "bound", "margin")]
        cells = "".join(f'<td class="n">{cell}</td>' for cell in numbers)
        lines.append(
            f'<tr><th scope="row">{_text(check.get("requirement", ""))}</th>'
            f'<td class="{look}">{mark} {verdict}</td>{cells}<td>{_text(check.get("reason") or "")}</td></tr>'
        )
    head = "".join(map(_column, ("requirement", "verdict", "value", "bound", "margin", "reason")))
    return _table("Requirements and whether they held", [head], ["\n".join(lines)])


@dataclass(frozen=True)
class _Column:
    """A column of scores: its heading, and the cell of a score at a pointer ("" for none)."""

    heading: str
    cell: Callable[[Score, tuple[object, ...]], str]


def _of(*path: str) -> Callable[[Score, tuple[object, ...]], str]:
    """Return what shows the number behind names such as ("null", "mean")."""

    def cell(score: Score, at: tuple[object, ...]) -> str:
        value: Any = score
        for name in path:
            value = None if value is None else getattr(value, name)
        # among the measures only a rank starts at 1
        rank = score.range[0] == 1 and path[-1] not in ("p", "calibrated")
        return _number(value, *at, *path, rank=rank)

    return cell


def _interval(score: Score, at: tuple[object, ...]) -> str:
    ends = [_of("interval", end)(score, at) for end in ("low", "high")]
    return f"[{ends[0]}, {ends[1]}]" if all(ends) else ""


def _spread(name: str) -> Callable[[Score, tuple[object, ...]], str]:
    def cell(score: Score, at: tuple[object, ...]) -> str:
        mean, sd = (_of(name, part)(score, at) for part in ("mean", "sd"))
        return f"{mean} ± {sd or phrases.MISSING}" if mean else ""

    return cell


_VALUE = _Column("value", _of("value"))
_MAIN = (_VALUE, _Column("interval", _interval), _Column("chance", _of("chance")))
_DIRECTIONS = (_Column("x→y", _of("forward")), _Column("y→x", _of("backward")))
_NULLS = (_Column("null", _spread("null")), _Column("p", _of("null", "p")),
          _Column("calibrated", _of("null", "calibrated")))  # fmt: skip
_DRAWS = (_Column("mean ± deviation", _spread("draws")),)


def _scores(report: Report, columns: Sequence[_Column], caption: str) -> str:
    """Return a table with a row for each measure and the columns in each view; "" where all of it is empty."""
    places = {(score.measure, score.view): place for place, score in enumerate(report.scores)}
    footnotes = phrases.footnotes_of(report)

    def cell(column: _Column, score: Score | None) -> str:
        if score is None:
            return ""
        if column is _VALUE and score.undefined_because is not None:
            return f"{phrases.MISSING} ({footnotes[score.undefined_because]})"
        return column.cell(score, ("scores", places[score.measure, score.view]))

    bodies = []
    span = 1 + len(columns) * len(report.views)
    for section, measures in report.sections().items():
        lines = []
        for by_view in measures.values():
            cells = [cell(column, by_view.get(view)) for view in report.views for column in columns]
            if any(cells):
                lines.append(_row(phrases.measure_label(next(iter(by_view.values()))), *cells))
        if lines:
            heading = f'<tr><th scope="rowgroup" colspan="{span}">{_text(section)}</th></tr>\n' if section else ""
            bodies.append(heading + "\n".join(lines))
    if not bodies:
        return ""
    level = next((f"{score.interval.level:.0%} interval" for score in report.scores if score.interval), "interval")
    headings = [level if column.heading == "interval" else column.heading for column in columns]
    first = '<th scope="col" rowspan="2">measure</th>'
    head = [
        first + "".join(_column(view, len(columns)) for view in report.views),
        "".join(_column(heading, numbers=True) for _ in report.views for heading in headings),
    ]
    return _table(caption, head, bodies)


def _below(report: Report) -> str:
    """Return what a reader of the scores must know: directions, and reasons for what is undefined."""
    reasons = [f"({place}) {_text(reason)}" for reason, place in phrases.footnotes_of(report).items()]
    return "\n".join(f'<p class="faint">{line}</p>' for line in ("↑ higher is closer · ↓ lower is closer", *reasons))


def _figure(figure: Figure) -> str:
    """Return a picture that a narrow screen scrolls by itself: shrunk to it, its letters could not be read."""
    return (
        f'<figure>\n<div class="scroll" tabindex="0" role="region" aria-label="{_text(figure.title)}">\n{figure.svg}\n'
        f"</div>\n<figcaption>{_text(figure.description)}</figcaption>\n</figure>"
    )


def _groups(report: Report) -> str:
    if not report.groups:
        return ""
    first = _shown_of(report.groups[0])
    headings = [phrases.measure_label(score) for _, score in first]
    numbers = "".join(_column(heading, numbers=True) for heading in ("queries", *headings))
    head = _column(report.groups[0].column) + numbers
    lines = []
    for place, group in enumerate(report.groups[:GROUPS_SHOWN]):
        cells = [_number(group.pairs, "groups", place, "pairs")]
        for number, like in first:
            score, at = group.scores[number], ("groups", place, "scores", number)
            interval = _interval(score, at)
            value = _VALUE.cell(score, at) or phrases.MISSING
            cells.append(value + (f' <span class="faint">{interval}</span>' if interval else ""))
            assert score.measure == like.measure
        lines.append(_row(group.value, *cells))
    more = len(report.groups) - GROUPS_SHOWN
    view = first[0][1].view if first else ""
    order = phrases.group_order(report)
    caption = f"By {report.groups[0].column}{order}, {view} view" + (f"; {more:,} more in the JSON" * (more > 0))
    return _table(caption, [head], ["\n".join(lines)])


def _shown_of(group: Group) -> list[tuple[int, Score]]:
    """Return place and score of the first two measures of each section, on the first view."""
    sections: dict[str, int] = {}
    shown = []
    for number, score in enumerate(group.scores):
        if score.view == group.scores[0].view and sections.setdefault(score.section, 0) < 2:
            sections[score.section] += 1
            shown.append((number, score))
    return shown


def _moved(report: Report) -> str:
    if not report.moved:
        return ""
    headings, rows = phrases.moved_rows(report)
    keys = list(dict.fromkeys(key for item in report.moved for key in item))
    lines = []
    for place, (item, row) in enumerate(zip(report.moved, rows, strict=True)):
        cells = [
            _number(item[key], "moved", place, key, rank=key.startswith("rank"))
            if isinstance(item.get(key), int | float)
            else _text(text)
            for key, text in zip(keys[1:], row[1:], strict=True)
        ]
        lines.append(_row(row[0], *cells))
    return _table("Items that agree least, worst first", ["".join(map(_column, headings))], ["\n".join(lines)])


def _definitions(report: Report) -> str:
    lines = []
    for measures in report.sections().values():
        for measure, by_view in measures.items():
            score = next(iter(by_view.values()))
            meaning = ". ".join(text.rstrip(".") for text in (score.definition, score.cite) if text)
            if meaning:
                lines.append(f"<dt><code>{_text(measure)}</code></dt><dd>{_text(meaning)}.</dd>")
    return "<dl>\n" + "\n".join(lines) + "\n</dl>" if lines else ""


def _inputs(report: Report) -> str:
    parts = (("x", report.x), ("y", report.y), ("anchors", report.anchors), ("join", report.join))
    tables = (_plain_table(f"All that is known of {name}", facts, name) for name, facts in parts)
    body = "\n".join(filter(None, tables))
    return f"<details><summary>Files, digests and counts</summary>\n{body}\n</details>" if body else ""


def _plain_table(caption: str, facts: Mapping[str, Any], name: str) -> str:
    lines = []
    for key, value in facts.items():
        if value is None or value in ([], {}):
            continue
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        cell = _number(value, name, key) if is_number else _text(_said(value))
        lines.append(_row(key.replace("_", " "), cell, numbers=False))
    return _table(caption, (), ["\n".join(lines)]) if lines else ""


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_said(item)}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
