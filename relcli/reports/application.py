"""What `stitch apply` found beside the predictions, as values: figures by way and class; JSON, CSV, Markdown, table."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relcli.reports import phrases
from relcli.reports.markdown import code, escape
from relcli.reports.report import Score, json_value
from relcli.reports.schema import (
    Schema,
    check_schema,
    count,
    free,
    list_of,
    maybe,
    object_of,
    score_schema,
    space_schema,
    text,
)
from relcli.reports.study import as_text, markdown_table, plain_table, printed, study_csv
from relcli.reports.table import fact_lines
from relcli.reports.writing import format_for, write_text

if TYPE_CHECKING:
    from rich.console import Console

#: major.minor of the JSON document; an added key is a minor step, anything else a major one.
APPLICATION_VERSION = "1.0"

#: How the measures are called to a reader.
LABELS = {"accuracy": "accuracy", "weighted-f1": "weighted F1", "r2": "R²", "mse": "MSE"}

#: Classes that a table shows where it is not asked for all of them; the JSON holds all.
SHOWN = 20


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
    values: dict[str, Any] = json_value(
        {"schema_version": APPLICATION_VERSION, "command": "stitch apply", **asdict(found)}
    )
    return values


def to_json(found: Application) -> str:
    """Return the JSON document."""
    return json.dumps(to_document(found), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


_COLUMNS = ("via", "class", "measure", "value", "low", "high", "rows")


def to_csv(found: Application) -> str:
    """Return every figure, unrounded, a row each: of all rows where `class` is empty, else of a class."""

    def rows() -> Iterator[dict[str, Any]]:
        for score in found.scores:
            ends = {"low": score.interval.low, "high": score.interval.high} if score.interval else {}
            yield {"via": found.via, "measure": score.measure, "value": score.value, **ends, "rows": score.pairs}
        for entry in found.classes:
            for name in ("predicted", "precision", "recall", "f1"):
                if entry[name] is not None:
                    of_class = {"via": found.via, "class": entry["label"], "rows": entry["support"]}
                    yield {**of_class, "measure": name, "value": entry[name]}

    return study_csv(_COLUMNS, rows())


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
        ends = score.interval
        interval = f"[{phrases.number(ends.low)}, {phrases.number(ends.high)}]" if ends else ""
        value = phrases.MISSING if score.value is None else phrases.number(score.value)
        rows.append([LABELS[score.measure], value, interval])
    return rows


def _class_rows(found: Application, shown: int | None) -> tuple[list[str], list[list[str]], int]:
    """Return headings, rows, and how many are left out: the classes that most rows were given."""
    entries = sorted(found.classes, key=lambda entry: -entry["predicted"]) if shown else list(found.classes)
    kept = entries[:shown]
    if not found.scores:
        rows = [[entry["label"], f"{entry['predicted']:,}"] for entry in kept]
        return ["class", "rows given it"], rows, len(entries) - len(kept)
    headings = ["class", "precision", "recall", "F1", "rows", "rows given it"]
    rows = [
        [
            entry["label"],
            *(phrases.number(entry[name]) for name in ("precision", "recall", "f1")),
            f"{entry['support']:,}",
            f"{entry['predicted']:,}",
        ]
        for entry in kept
    ]
    return headings, rows, len(entries) - len(kept)


def _lines(found: Application) -> list[tuple[str, str]]:
    """Return the mark and the line of each check, then of each note."""
    checks = [(phrases.check_mark(check), phrases.check_line(check)) for check in found.checks]
    return [*checks, *(("note", note) for note in found.notes)]


def _grid(rows: Iterable[tuple[str, str]], *, gap: int, style: str = "") -> Any:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, gap, 0, 0))
    grid.add_column(style=style, no_wrap=True)
    grid.add_column(overflow="fold")
    for label, line in rows:
        grid.add_row(label, Text(line))
    return grid


def _parts(found: Application, width: int, per_class: bool) -> Iterator[Any]:
    facts = _facts(found)
    room = width - max(map(len, facts)) - 2
    yield _grid(((label, "\n".join(fact_lines(some, room))) for label, some in facts.items()), gap=2, style="bold")
    if found.scores:
        yield ""
        yield plain_table(["", "value", "95 %"], _score_rows(found), left=1)
    if found.classes and (per_class or not found.scores):
        headings, rows, more = _class_rows(found, None if per_class else SHOWN)
        yield ""
        yield plain_table(headings, rows, left=1)
        if more:
            yield f"… and {more:,} classes more"
    if lines := _lines(found):
        yield ""
        yield _grid(lines, gap=1)


def to_text(found: Application, *, width: int = 80, per_class: bool = False) -> str:
    """Return the table without colour."""
    return as_text(lambda room: _parts(found, room, per_class), width=width)


def to_markdown(found: Application) -> str:
    """Return the tables and what they rest on."""
    blocks = [
        f"### relcli stitch apply: {code(found.x['name'])} by a head of {code(found.head['source'])}",
        "\n".join(f"- **{label}** {escape(phrases.joined(facts))}" for label, facts in _facts(found).items()),
    ]
    if found.scores:
        blocks.append(markdown_table(["", "value", "95 %"], _score_rows(found), left=1))
    if found.classes:
        headings, rows, _ = _class_rows(found, None)
        blocks.append(markdown_table(headings, [[*map(escape, row)] for row in rows], left=1))
    marked = [escape(line) if mark == "note" else f"{mark} {escape(line)}" for mark, line in _lines(found)]
    blocks.append("\n".join(f"- {line}" for line in marked))
    return "\n\n".join(block for block in blocks if block) + "\n"


def write(found: Application, format_name: str, files: Iterable[str | Path], *, per_class: bool = False) -> None:
    """Write each file in the form of its suffix, then print one document on stdout."""
    for file in files:
        write_text(file, FORMATS[format_for(file)](found))
    if format_name == "table":
        from rich.console import Console

        print_application(found, Console(), per_class=per_class)
    else:
        sys.stdout.write(FORMATS[format_name](found))


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
    of_class = object_of(
        "Class",
        "How one class fares.",
        {
            "label": text("The class."),
            "predicted": count("Rows that are given it."),
            "precision": maybe("number", "Share of the scored rows given it that are of it."),
            "recall": maybe("number", "Share of its rows that are given it."),
            "f1": maybe("number", "Harmonic mean of both."),
            "support": maybe("integer", "Its scored rows.", minimum=0),
        },
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:relcli:application:{APPLICATION_VERSION}",
        **object_of(
            "relcli application",
            "A saved head applied to the rows of a space.",
            {
                "schema_version": {
                    "type": "string",
                    "pattern": rf"^{APPLICATION_VERSION.partition('.')[0]}\.\d+$",
                    "description": "Version of this document, major.minor; an added key is a minor step.",
                },
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
        ),
    }
