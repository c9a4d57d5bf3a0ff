"""What `stitch apply` found beside the predictions, as values: figures by way and class; JSON, CSV, Markdown, table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relcli.reports import phrases
from relcli.reports.classes import CLASS_FIGURES, SHOWN, class_blocks, class_rows, figure_rows
from relcli.reports.delimited import csv_text
from relcli.reports.markdown import bullets, code, escape, fact_bullets, markdown_table, paragraphs
from relcli.reports.report import Score, document_of, json_text
from relcli.reports.schema import (
    Schema,
    check_schema,
    count,
    document_schema,
    free,
    list_of,
    maybe,
    object_of,
    score_schema,
    space_schema,
    text,
)
from relcli.reports.stitching import LABELS
from relcli.reports.table import as_text, fact_grid, marked, plain_table, printed

if TYPE_CHECKING:
    from rich.console import Console

#: major.minor of the JSON document; an added key is a minor step, anything else a major one.
APPLICATION_VERSION = "1.0"


@dataclass(frozen=True)
class Application:
    """
    What `stitch apply` found beside the predictions.

    `x`, `head`, `anchors`, `rows`, `settings` and `versions` are plain JSON values with the keys of the schema;
    `classes` hold an entry for each class. `scores` are empty where no labels were given.
    """

    task: str
    via: str
    x: dict[str, Any]
    head: dict[str, Any]
    anchors: dict[str, Any]
    rows: dict[str, Any]
    scores: tuple[Score, ...]
    classes: tuple[dict[str, Any], ...]
    settings: dict[str, Any]
    versions: dict[str, str]
    notes: tuple[str, ...] = ()
    checks: tuple[dict[str, Any], ...] = ()

    def score(self, measure: str) -> Score:
        """Return the score of that name; KeyError where it is not there."""
        for score in self.scores:
            if score.measure == measure:
                return score
        raise KeyError(measure)


def to_document(found: Application) -> dict[str, Any]:
    """Return the JSON values of the document."""
    return document_of(found, "stitch apply", APPLICATION_VERSION)


def to_json(found: Application) -> str:
    """Return the JSON document."""
    return json_text(to_document(found))


_COLUMNS = ("via", "class", "measure", "value", "low", "high", "rows")


def to_csv(found: Application) -> str:
    """Return every figure, unrounded, a row each: of all rows where `class` is empty, else of a class."""
    rows = ({**row, "via": found.via} for row in figure_rows(found.scores, found.classes))
    return csv_text(_COLUMNS, rows)


def _facts(found: Application) -> dict[str, list[str]]:
    head, rows = found.head, found.rows
    facts = {
        "x": [str(found.x["name"]), *phrases.space_facts(found.x)],
        "head": [
            f"{head['kind']} of {head['source']}",
            f"{len(head['classes']):,} classes" if head["classes"] else "a regression",
            f"seed {head['seed']}",
        ],
        "via": [found.via],
        "anchors": [f"{found.anchors['count']:,}" if found.anchors["count"] else "", found.anchors["source"]],
        "rows": [
            f"{rows['predicted']:,} predicted",
            f"{rows['scored']:,} scored by {rows['labels']}" if rows["scored"] else "",
            f"{rows['bad']:,} bad rows left out" if rows["bad"] else "",
        ],
    }
    return {label: [fact for fact in of_label if fact] for label, of_label in facts.items()}


def _score_rows(found: Application) -> list[list[str]]:
    rows = []
    for score in found.scores:
        value = phrases.MISSING if score.value is None else phrases.number(score.value)
        rows.append([LABELS[score.measure], value, phrases.interval(score)])
    return rows


def _lines(found: Application) -> list[tuple[str, str]]:
    """Return the mark and the line of each check, then of each note."""
    return [*phrases.check_lines(found.checks), *(("note", note) for note in found.notes)]


def _class_table(found: Application, per_class: bool) -> tuple[list[str], list[list[str]], int] | None:
    """Return headings, rows, and how many classes are left out; None where no class is told."""
    if not found.classes or (found.scores and not per_class):
        return None
    return class_rows(found.classes, scored=bool(found.scores), shown=None if per_class else SHOWN)


def _parts(found: Application, width: int, per_class: bool) -> Iterator[Any]:
    yield fact_grid(_facts(found), width)
    if found.scores:
        yield ""
        yield plain_table(["", "value", "95 %"], _score_rows(found), left=1)
    if table := _class_table(found, per_class):
        headings, rows, more = table
        yield ""
        yield plain_table(headings, rows, left=1)
        if more:
            yield f"… and {more:,} classes more"
    if lines := _lines(found):
        yield ""
        yield marked(lines)


def to_text(found: Application, *, width: int = 80, per_class: bool = False) -> str:
    """Return the table without colour."""
    return as_text(lambda room: _parts(found, room, per_class), width=width)


def to_markdown(found: Application, *, per_class: bool = False) -> str:
    """Return the tables and what they rest on."""
    blocks = [
        f"### relcli stitch apply: {code(found.x['name'])} by a head of {code(found.head['source'])}",
        fact_bullets(_facts(found)),
    ]
    if found.scores:
        blocks.append(markdown_table(["", "value", "95 %"], _score_rows(found), left=1))
    if table := _class_table(found, per_class):
        blocks += class_blocks("", *table)
    blocks.append(bullets(escape(line) if mark == "note" else f"{mark} {escape(line)}" for mark, line in _lines(found)))
    return paragraphs(blocks)


def print_application(found: Application, console: Console, *, per_class: bool = False) -> None:
    """Print what was applied to what, the figures, and the classes."""
    printed(lambda width: _parts(found, width, per_class), console)


FORMATS: dict[str, Callable[[Application], str]] = {
    "table": to_text,
    "json": to_json,
    "markdown": to_markdown,
    "csv": to_csv,
}


def application_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of the document; minor versions may add keys."""
    of_class = object_of("Class", "How one class fares.", {"label": text("The class."), **CLASS_FIGURES})
    return document_schema(
        "application",
        APPLICATION_VERSION,
        "A saved head applied to the rows of a space.",
        {
            "command": {"const": "stitch apply"},
            "task": {"enum": ["classification", "regression"], "description": "What the head predicts."},
            "via": text("The way that rows took to the head."),
            "x": space_schema("x"),
            "head": object_of(
                "Head",
                "The head, as its file tells of it.",
                {
                    "kind": text("svm, logistic, ridge or mlp."),
                    "source": text("The space that it was trained on."),
                    "dim": count("The dimensions of that space."),
                    "seed": maybe("integer", "The seed that it was trained with."),
                    "sha256": maybe("string", "The SHA-256 of its file."),
                    "classes": list_of({"type": "string"}, "The classes; empty for a regression."),
                },
            ),
            "anchors": free("Count, where they are from, and the digest of the head's anchor ids."),
            "rows": object_of(
                "Rows",
                "What became of the rows.",
                {
                    "total": count("Rows there were."),
                    "predicted": count("Those that were given a prediction."),
                    "scored": count("Those with a label that counts."),
                    "bad": count("Left out: NaN, infinite numbers or only zeros."),
                    "labels": maybe("string", "Where the labels came from."),
                },
            ),
            "scores": list_of(score_schema(), "One entry for each measure; none without labels."),
            "classes": list_of(of_class, "One entry for each class; none for a regression."),
            "settings": free("The settings that the predictions depend on."),
            "versions": free("The versions of relcli and its libraries."),
            "notes": list_of({"type": "string"}, "What a reader should know before trusting the figures."),
            "checks": list_of(check_schema(), "The requirements that were tested."),
        },
    )
