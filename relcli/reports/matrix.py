"""What `matrix` found, as a value: scores of every pair of spaces, and the JSON, tables and CSV they are shown as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from relcli.reports.delimited import csv_text
from relcli.reports.markdown import bullets, code, escape, markdown_table, paragraphs, urgent_paragraph
from relcli.reports.phrases import MISSING, calm
from relcli.reports.schema import free, list_of, maybe, object_of, space_schema, study_schema, text
from relcli.reports.study import blocks, shown, wrapped
from relcli.reports.study import study_json as to_json
from relcli.reports.table import as_text, before_all, plain_table, printed

if TYPE_CHECKING:
    from rich.console import Console

#: major.minor of the JSON document; an added key is a minor step, anything else a major one.
MATRIX_VERSION = "1.0"

COLUMNS = ("x", "y", "measure", "view", "value", "chance", "pairs", "undefined_because")


@dataclass(frozen=True)
class Matrix:
    """
    Scores of every pair of N spaces, in the order of `spaces`.

    `cells` hold what was computed, a pair of names each; `matrices` the same by measure and view, [N][N], row x,
    column y. `correlations` say how similarity to a reference goes with each space's own score. `complete` is
    False while cells are missing.
    """

    spaces: tuple[dict[str, Any], ...]
    join: dict[str, Any]
    anchors: dict[str, Any]
    cells: tuple[dict[str, Any], ...]
    matrices: tuple[dict[str, Any], ...]
    correlations: dict[str, Any]
    settings: dict[str, Any]
    basis: dict[str, Any]
    versions: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    complete: bool = True
    command: str = "matrix"
    schema_version: str = MATRIX_VERSION

    def values(self, measure: str, view: str) -> list[list[float | None]]:
        """Return the scores [N][N] of a measure on a view."""
        found = next(m for m in self.matrices if (m["measure"], m["view"]) == (measure, view))
        return found["values"]


def to_csv(matrix: Matrix) -> str:
    """Return one row for each ordered pair, measure and view, unrounded."""
    names = [space["name"] for space in matrix.spaces]
    cells = {(cell["x"], cell["y"]): cell for cell in matrix.cells}

    def rows() -> Iterator[dict[str, Any]]:
        for of_measure in matrix.matrices:
            for x, line in zip(names, of_measure["values"], strict=True):
                for y, value in zip(names, line, strict=True):
                    cell = cells.get((x, y)) or cells.get((y, x)) or {"scores": (), "pairs": None}
                    same = (
                        s
                        for s in cell["scores"]
                        if (s["measure"], s["view"]) == (of_measure["measure"], of_measure["view"])
                    )
                    score = {**next(same, {}), "value": value, "pairs": cell["pairs"]}
                    yield {"measure": of_measure["measure"], "view": of_measure["view"], **score, "x": x, "y": y}

    return csv_text(COLUMNS, rows())


def _facts(matrix: Matrix) -> list[str]:
    join, anchors = matrix.join, matrix.anchors
    if join["mode"] == "common":
        facts = [f"joined on the {join['pairs']:,} {join['by']}s common to all"]
    else:
        facts = [f"joined pair by pair, on {join['least']:,} to {join['most']:,} shared ids"]
    if anchors.get("count"):
        facts.append(f"{anchors['count']:,} anchors ({anchors['source']}, seed {matrix.basis['seed']}), not scored")
    if not matrix.complete:
        facts.append(f"unfinished: {len(matrix.cells):,} of {matrix.settings['cells']:,} pairs")
    if matrix.settings["order"]:
        facts.append(f"ordered by {matrix.settings['order']}")
    return facts


def of_ranks(of_measure: dict[str, Any]) -> bool:
    """Return whether a square holds ranks: among the measures only a rank starts at 1."""
    return of_measure["range"][0] == 1


def cell(value: float | None, *, rank: bool) -> str:
    """Return a score as tables and pictures of a matrix show it: two decimals, one of a rank, none from 100 on."""
    if value is None:
        return MISSING
    decimals = 0 if abs(value) >= 100 else 1 if rank else 2
    return f"{value:,.{decimals}f}".replace("-", "−")


def _square(matrix: Matrix, of_measure: dict[str, Any], *, names: bool) -> tuple[list[str], list[list[str]]]:
    spaces = [space["name"] for space in matrix.spaces]
    heads = [str(number) for number in range(1, len(spaces) + 1)]
    rank = of_ranks(of_measure)
    rows = [
        [head, *([name] if names else []), *(cell(value, rank=rank) for value in line)]
        for head, name, line in zip(heads, spaces, of_measure["values"], strict=True)
    ]
    return ["", *(["space"] if names else []), *heads], rows


def _caption(matrix: Matrix, of_measure: dict[str, Any]) -> str:
    arrow = "↑" if of_measure["higher_is_closer"] else "↓"
    told = f"{of_measure['measure']} {arrow}, {of_measure['view']}"
    if of_measure["chance"] is None:
        return told
    chances = [
        score["chance"]
        for cell in matrix.cells
        for score in cell["scores"]
        if cell["x"] != cell["y"]
        and score["chance"] is not None
        and (score["measure"], score["view"]) == (of_measure["measure"], of_measure["view"])
    ]
    rank = of_ranks(of_measure)
    low, high, mean = (
        shown(value, rank=rank)
        for value in (min(chances, default=None), max(chances, default=None), of_measure["chance"])
    )
    # a pair may have a level of its own, as cosines have: one mean would be true of none
    return f"{told} (chance {low} to {high})" if low != high else f"{told} (chance {mean})"


#: What of a measure is correlated, and how that is written.
_OF = {"value": "{}", "above chance": "{} − chance", "calibrated": "{} calibrated"}

_CORRELATED = ("measure", "view", "Pearson r", "p", "Spearman ρ", "p", "n")


def _correlation_rows(matrix: Matrix) -> list[list[str]]:
    return [
        [
            _OF[found["of"]].format(found["measure"]),
            found["view"],
            *(shown(found[key]) for key in ("pearson_r", "pearson_p", "spearman_rho", "spearman_p")),
            f"{found['n']:,}",
        ]
        for found in matrix.correlations.get("found", ())
    ]


def _correlated(matrix: Matrix) -> str:
    told = matrix.correlations
    reference = f"{told['reference']} ({told['column']} {shown(told['reference_score'])})"
    return f"similarity to {reference} with each other space's {told['column']}"


def _legend(matrix: Matrix) -> list[list[str]]:
    scores = matrix.correlations.get("scores", {})
    return [
        [
            str(number),
            space["name"],
            f"{space['rows']:,} × {space['dim']:,}",
            *([shown(scores.get(space["name"]))] if scores else []),
        ]
        for number, space in enumerate(matrix.spaces, start=1)
    ]


def _parts(matrix: Matrix, width: int) -> Iterator[Any]:
    from rich.text import Text

    yield from before_all(matrix.notes)
    yield Text(f"{len(matrix.spaces)} spaces", "bold")
    for line in wrapped(_facts(matrix), width):
        yield Text(line)
    yield ""
    yield plain_table(["", "space", "rows × dim", *_score_heading(matrix)], _legend(matrix), left=2)
    for of_measure in matrix.matrices:
        headings, rows = _square(matrix, of_measure, names=False)
        yield ""
        yield Text(_caption(matrix, of_measure), "bold")
        for part, lines in blocks(headings, rows, width, left=1):
            yield plain_table(part, lines, left=0)
    if matrix.correlations:
        yield ""
        for line in wrapped([_correlated(matrix)], width):
            yield Text(line, "bold")
        yield plain_table(_CORRELATED, _correlation_rows(matrix), left=2)
    if calm(matrix.notes):
        yield ""
    for line in wrapped((f"note {note}" for note in calm(matrix.notes)), width):
        yield Text(line)


def _score_heading(matrix: Matrix) -> list[str]:
    return [matrix.correlations["column"]] if matrix.correlations else []


def print_matrix(matrix: Matrix, console: Console) -> None:
    """Print the spaces by number, then a square for each measure and view."""
    printed(lambda width: _parts(matrix, width), console)


def to_text(matrix: Matrix) -> str:
    """Return the tables without colour, 80 columns wide."""
    return as_text(lambda width: _parts(matrix, width))


def to_markdown(matrix: Matrix) -> str:
    """Return the tables in Markdown."""
    parts = [
        f"### relcli matrix: {len(matrix.spaces)} spaces",
        urgent_paragraph(matrix.notes),
        bullets(map(escape, _facts(matrix))),
    ]
    for of_measure in matrix.matrices:
        headings, rows = _square(matrix, of_measure, names=True)
        parts += [f"**{escape(_caption(matrix, of_measure))}**"]
        parts += [markdown_table(headings, [[row[0], code(row[1]), *row[2:]] for row in rows], left=2)]
    if matrix.correlations:
        rows = [[*map(escape, row)] for row in _correlation_rows(matrix)]
        parts += [f"**{escape(_correlated(matrix))}**", markdown_table(_CORRELATED, rows, left=2)]
    parts.append(bullets(map(escape, calm(matrix.notes))))
    return paragraphs(parts)


FORMS = {"table": to_text, "json": to_json, "markdown": to_markdown, "csv": to_csv}


def matrix_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a matrix; minor versions may add keys."""
    cell = {
        "x": text("Name of the first space."),
        "y": text("Name of the second space."),
        "pairs": maybe("integer", "Rows that both share."),
        "scores": list_of(free("measure, view, value, chance, undefined_because."), "The scores of this pair."),
    }
    square = {
        "measure": text("Name of the measure."),
        "view": text("relative or absolute."),
        "values": list_of(list_of({"type": ["number", "null"]}, "A row."), "Row x, column y, in the order of spaces."),
        "chance": maybe("number", "Mean chance level of the pairs."),
        "higher_is_closer": {"type": "boolean", "description": "Its direction."},
        "symmetric": {"type": "boolean", "description": "Whether x, y and y, x are one by definition."},
        "range": list_of({"type": ["number", "null"]}, "Least and most; null is unbounded."),
        "definition": text("What it is."),
        "cite": text("Where it is from."),
    }
    join = {
        "mode": {"enum": ["common", "pairwise"]},
        "by": text("What rows were matched by."),
        "pairs": maybe("integer", "Rows common to all; null where joined pair by pair."),
    }
    return study_schema(
        "matrix",
        MATRIX_VERSION,
        "Scores of every pair of many spaces.",
        {
            "spaces": list_of(space_schema("x"), "The spaces, in the order of rows and columns."),
            "join": object_of("Join", "How rows were matched.", join),
            "anchors": free("The anchors; empty where none were used."),
            "cells": list_of(object_of("Cell", "One pair.", cell), "What was computed."),
            "matrices": list_of(object_of("Square", "One measure on one view.", square), "The same, as squares."),
            "correlations": free(
                "reference, column, scores, and found: r, ρ, p and n by measure, view and what of it (value, above "
                "chance, calibrated)."
            ),
        },
    )


__all__ = [
    "FORMS",
    "MATRIX_VERSION",
    "Matrix",
    "matrix_schema",
    "print_matrix",
    "to_csv",
    "to_json",
    "to_markdown",
    "to_text",
]
