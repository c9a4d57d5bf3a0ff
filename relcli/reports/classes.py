"""How predictions fare, in all and class by class: the rows, the table and the schema of every report that tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from relcli.reports import phrases
from relcli.reports.markdown import escape, markdown_table
from relcli.reports.report import Score
from relcli.reports.schema import Schema, count, maybe

#: Classes that a table shows where it is not asked for all of them; the JSON holds all.
SHOWN = 20

_FIGURES = ("precision", "recall", "f1")

#: What the schemas say of them.
CLASS_FIGURES: dict[str, Schema] = {
    "predicted": count("Rows that are given it."),
    "precision": maybe("number", "Share of the scored rows given it that are of it."),
    "recall": maybe("number", "Share of its rows that are given it."),
    "f1": maybe("number", "Harmonic mean of both."),
    "support": maybe("integer", "Its scored rows.", minimum=0),
}


def figure_rows(scores: Iterable[Score], classes: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield every figure, unrounded: of all rows where there is no `class`, then of each class."""
    for score in scores:
        ends = {"low": score.interval.low, "high": score.interval.high} if score.interval else {}
        of_score = {"via": score.view, "measure": score.measure, "value": score.value, "chance": score.chance}
        yield {**of_score, **ends, "rows": score.pairs}
    for entry in classes:
        of_class = {"via": entry.get("via"), "class": entry["label"], "rows": entry["support"]}
        for name in ("predicted", *_FIGURES):
            if entry[name] is not None:
                yield {**of_class, "measure": name, "value": entry[name]}


def forms_with(forms: Mapping[str, Callable[..., str]], *, per_class: bool) -> dict[str, Callable[[Any], str]]:
    """Return what writes a report, with a table of each class in those that people read where it is asked for."""
    read = {name: partial(forms[name], per_class=per_class) for name in ("table", "markdown")}
    return {**forms, **read}


def class_blocks(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]], more: int = 0) -> list[str]:
    """Return a table of classes in Markdown under its title, and how many are left out."""
    cells = [[*map(escape, row)] for row in rows]
    table = markdown_table(headings, cells, left=1)
    return [f"**{escape(title)}**" if title else "", table, f"… and {more:,} classes more" if more else ""]


def class_rows(
    entries: Sequence[Mapping[str, Any]], *, scored: bool, shown: int | None = None
) -> tuple[list[str], list[list[str]], int]:
    """Return headings, rows, and how many are left out: the `shown` classes that most rows were given, else all."""
    kept = entries if shown is None else sorted(entries, key=lambda entry: -entry["predicted"])[:shown]
    headings = ["class", *(["precision", "recall", "F1", "rows"] if scored else []), "rows given it"]
    rows = [
        [
            entry["label"],
            *([*(phrases.number(entry[name]) for name in _FIGURES), f"{entry['support']:,}"] if scored else []),
            f"{entry['predicted']:,}",
        ]
        for entry in kept
    ]
    return headings, rows, len(entries) - len(kept)
