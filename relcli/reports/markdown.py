"""The report in Markdown, fit for a comment on a pull request, and the pieces that all Markdown is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from relcli.reports import phrases
from relcli.reports.phrases import Column
from relcli.reports.report import Report


def to_markdown(report: Report) -> str:
    """Return the report with its scores in one table, and the definitions folded away."""
    x, y = (code(space.get("name")) for space in (report.x, report.y))
    blocks = [
        f"### relcli {report.command}: {x} ↔ {y}",
        urgent_paragraph(report.notes),
        bullets(f"{mark} {escape(line)}" for mark, line in phrases.check_lines(report.checks)),
        fact_bullets(_facts(report)),
        _table(report, phrases.columns_for(report, "value", "interval", "chance")),
        "↑ higher is closer · ↓ lower is closer",
        bullets(f"({place}) {escape(reason)}" for reason, place in phrases.footnotes_of(report).items()),
        bullets(map(escape, phrases.note_lines(report))),
        _table(report, phrases.columns_for(report, "null", "p", "calibrated")),
        _table(report, phrases.columns_for(report, "draws")),
        _listing(phrases.group_title(report).capitalize(), *phrases.group_rows(report)) if report.groups else "",
        _listing("Most moved, worst first", *phrases.moved_rows(report)) if report.moved else "",
        _folded("Both directions", _table(report, phrases.columns_for(report, "x→y", "y→x"))),
        _folded("Definitions and citations", bullets(_definitions(report))),
    ]
    return paragraphs(blocks)


def urgent_paragraph(notes: Iterable[str]) -> str:
    """Return the urgent ones of some notes, in bold; nothing where none is."""
    return bullets(f"**{escape(note)}**" for note in phrases.urgent(notes))


def _facts(report: Report) -> dict[str, list[str]]:
    return {
        "x": phrases.space_facts(report.x),
        "y": phrases.space_facts(report.y),
        "join": phrases.join_facts(report.join),
        "anchors": phrases.anchor_facts(report.anchors),
        "scored": phrases.setting_facts(report.settings),
    }


def _table(report: Report, columns: Sequence[Column]) -> str:
    if not columns:
        return ""
    headings = [
        column.heading if place else f"{view} {column.heading}"
        for view in report.views
        for place, column in enumerate(columns)
    ]
    lines: list[list[str]] = []
    for section, rows in phrases.rows_of(report, columns, report.views).items():
        if section:
            lines.append([f"**{escape(section)}**", *("" for _ in headings)])
        lines += [
            [escape(label), *(cell.text for of_view in cells for cell in of_view)] for label, cells in rows.items()
        ]
    return markdown_table(["measure", *headings], lines, left=1)


def _listing(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [[*map(escape, row)] for row in rows]
    return f"**{escape(title)}**\n\n" + markdown_table([*map(escape, headings)], cells, left=len(headings))


def _definitions(report: Report) -> Iterator[str]:
    for measures in report.sections().values():
        for measure, by_view in measures.items():
            score = next(iter(by_view.values()))
            meaning = ". ".join(text.rstrip(".") for text in (score.definition, score.cite) if text)
            if meaning:
                yield f"{code(measure)}: {escape(meaning)}."


def _folded(summary: str, body: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>" if body else ""


def paragraphs(blocks: Iterable[str]) -> str:
    """Return the blocks that are not empty, each a paragraph."""
    return "\n\n".join(block for block in blocks if block) + "\n"


def bullets(lines: Iterable[str]) -> str:
    """Return lines as a list."""
    return "\n".join(f"- {line}" for line in lines)


def fact_bullets(facts: Mapping[str, Sequence[str]]) -> str:
    """Return a list of labels, each before its facts, without those that have none."""
    return bullets(f"**{label}** {escape(phrases.joined(some))}" for label, some in facts.items() if some)


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: int) -> str:
    """Return rows of texts as a table, the first `left` columns to the left, the others to the right."""
    marks = [":--" if place < left else "--:" for place in range(len(headings))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (headings, marks, *rows))


def code(name: object) -> str:
    """Return a name as Markdown shows code."""
    return f"`{_one_line(name).replace('`', chr(39))}`"


def escape(text: object) -> str:
    """Return text that Markdown shows as it is, and that notifies nobody."""
    escaped = re.sub(r"([\\`*_\[\]<>|~#])", r"\\\1", _one_line(text))
    # a zero-width space after the sign: a bare @name would call a person
    return re.sub(r"(?<!\w)@(?=\w)", "@\u200b", escaped)


def _one_line(text: object) -> str:
    return phrases.printable(" ".join(str(text).split()))
