"""What `classify` found, as values: figures of each method and class; their JSON, CSV, Markdown and table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relcli.errors import UsageError
from relcli.reports import phrases
from relcli.reports.classes import CLASS_FIGURES, SHOWN, class_blocks, class_rows, figure_rows
from relcli.reports.delimited import csv_text
from relcli.reports.markdown import bullets, code, escape, fact_bullets, markdown_table, paragraphs
from relcli.reports.report import Score, document_of, json_text
from relcli.reports.schema import (
    Schema,
    anchors_schema,
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
from relcli.reports.table import as_text, fact_grid, marked, plain_table, printed

if TYPE_CHECKING:
    from rich.console import Console

#: major.minor of the JSON document; an added key is a minor step, anything else a major one.
CLASSIFICATION_VERSION = "1.0"

#: How the measures are called to a reader.
LABELS = {"accuracy": "accuracy", "accuracy@5": "top 5", "weighted-f1": "weighted F1", "macro-f1": "macro F1"}


@dataclass(frozen=True)
class Classification:
    """
    What `classify` found beside the predictions.

    `x`, `y`, `anchors`, `settings` and `versions` are plain JSON values, as in a Report. `prototypes` tells of the
    class vectors, `rows` what became of the rows of x, `sparse` the k and p of `asif` and the grid that they were
    chosen from. `classes` hold an entry for each method and class. `scores` are empty where no labels were given;
    `chance` is what guessing reaches, without looking.
    """

    x: dict[str, Any]
    y: dict[str, Any]
    prototypes: dict[str, Any]
    anchors: dict[str, Any]
    rows: dict[str, Any]
    sparse: dict[str, Any]
    scores: tuple[Score, ...]
    classes: tuple[dict[str, Any], ...]
    chance: dict[str, Any]
    settings: dict[str, Any]
    versions: dict[str, str]
    notes: tuple[str, ...] = ()
    checks: tuple[dict[str, Any], ...] = ()

    def score(self, measure: str, via: str = "asif") -> Score:
        """Return the score of a method; UsageError where it is not there."""
        for score in self.scores:
            if (score.measure, score.view) == (measure, via):
                return score
        held = ", ".join(f"{score.view}.{score.measure}" for score in self.scores)
        raise UsageError(f"There is no {via}.{measure}: {f'there are {held}' if held else 'no labels were given'}.")


def to_document(found: Classification) -> dict[str, Any]:
    """Return the JSON values of the document."""
    return document_of(found, "classify", CLASSIFICATION_VERSION)


def to_json(found: Classification) -> str:
    """Return the JSON document."""
    return json_text(to_document(found))


_COLUMNS = ("via", "class", "measure", "value", "low", "high", "chance", "rows")


def to_csv(found: Classification) -> str:
    """Return every figure, unrounded, a row each: of a method where `class` is empty, else of a class by it."""
    return csv_text(_COLUMNS, figure_rows(found.scores, found.classes))


def _facts(found: Classification) -> dict[str, list[str]]:
    prototypes, rows, sparse = found.prototypes, found.rows, found.sparse
    facts = {
        "x": [str(found.x["name"]), *phrases.space_facts(found.x)],
        "y": [str(found.y["name"]), *phrases.space_facts(found.y)],
        "classes": [
            f"{prototypes['classes']:,} of {prototypes['count']:,} prototypes",
            f"{prototypes['space']['name']} ({prototypes['source']})",
        ],
        "anchors": phrases.anchor_facts(found.anchors),
        "rows": [
            f"{rows['classified']:,} classified",
            f"{rows['scored']:,} with a label" if found.scores else "",
            f"{rows['anchors']:,} anchors left out" if rows["anchors"] else "",
            f"{rows['prototypes']:,} prototypes left out" if rows["prototypes"] else "",
            f"{rows['duplicates']:,} with repeated ids left out" if rows["duplicates"] else "",
            f"{rows['bad']:,} bad rows left out" if rows["bad"] else "",
        ],
        "asif": _sparse_facts(sparse) if sparse else [],
    }
    return {label: [fact for fact in of_label if fact] for label, of_label in facts.items() if of_label}


def _sparse_facts(sparse: dict[str, Any]) -> list[str]:
    facts = [f"k = {sparse['k']:,}, p = {sparse['p']:g}"]
    if not sparse["grid"]:
        return [*facts, "as given"]
    measure = "MRR" if sparse["measure"] == "mrr" else "accuracy"
    by = {(entry["k"], entry["p"]): entry["value"] for entry in sparse["grid"]}
    plain = by[(max(k for k, _ in by), 1)]
    best = by[(sparse["k"], sparse["p"])]
    return [
        *facts,
        f"chosen on {sparse['queries']:,} held-out anchors: {measure} {phrases.number(best)}, "
        f"{phrases.number(plain)} with all k and p = 1",
    ]


def _vias(found: Classification) -> list[str]:
    return list(dict.fromkeys(entry["via"] for entry in found.classes))


def _score_rows(found: Classification) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows of texts: the methods, then what guessing reaches."""
    names = list(dict.fromkeys(score.measure for score in found.scores))
    by = {(score.view, score.measure): score for score in found.scores}
    rows = []
    for via in _vias(found):
        cells = [phrases.number(by[via, name].value or 0.0) for name in names]
        rows.append([via, cells[0], phrases.interval(by[via, "accuracy"]), *cells[1:]])
    for guess, called in (("majority", "commonest class"), ("uniform", "any class")):
        values = found.chance[guess]
        cells = [phrases.MISSING if values.get(name) is None else phrases.number(values[name]) for name in names]
        rows.append([called, cells[0], "", *cells[1:]])
    return ["by", "accuracy", "95 %", *(LABELS[name] for name in names[1:])], rows


def _class_tables(
    found: Classification, per_class: bool
) -> Iterator[tuple[str, tuple[list[str], list[list[str]], int]]]:
    """
    Yield each method whose classes are told, with headings, rows, and how many classes are left out.

    All of them where that is asked for; else, without figures, those that the first method gave most rows.
    """
    if not per_class and found.scores:
        return
    for via in _vias(found) if per_class else _vias(found)[:1]:
        entries = [entry for entry in found.classes if entry["via"] == via]
        yield via, class_rows(entries, scored=bool(found.scores), shown=None if per_class else SHOWN)


def _parts(found: Classification, width: int, per_class: bool) -> Iterator[Any]:
    from rich.text import Text

    yield fact_grid(_facts(found), width)
    if found.scores:
        yield ""
        yield plain_table(*_score_rows(found), left=1)
    for via, (headings, rows, more) in _class_tables(found, per_class):
        yield ""
        yield Text(via, style="bold")
        yield plain_table(headings, rows, left=1)
        if more:
            yield f"… and {more:,} classes more"
    if found.checks or found.notes:
        yield ""
        yield marked([*phrases.check_lines(found.checks), *(("note", note) for note in found.notes)])


def print_classification(found: Classification, console: Console, *, per_class: bool = False) -> None:
    """Print what was classified, a line for each method, and the classes where they are asked for."""
    printed(lambda width: _parts(found, width, per_class), console)


def to_text(found: Classification, *, width: int = 80, per_class: bool = False) -> str:
    """Return the table without colour."""
    return as_text(lambda width: _parts(found, width, per_class), width=width)


def to_markdown(found: Classification, *, per_class: bool = False) -> str:
    """Return the tables and what they rest on."""
    blocks = [
        f"### relcli classify: {code(found.x['name'])} by prototypes of {code(found.prototypes['space']['name'])}",
        bullets(f"{mark} {escape(line)}" for mark, line in phrases.check_lines(found.checks)),
        fact_bullets(_facts(found)),
    ]
    if found.scores:
        headings, rows = _score_rows(found)
        blocks.append(markdown_table(headings, [[*map(escape, row)] for row in rows], left=1))
    for via, (headings, rows, more) in _class_tables(found, per_class):
        blocks += class_blocks(via, headings, rows, more)
    blocks.append(bullets(map(escape, found.notes)))
    return paragraphs(blocks)


FORMATS: dict[str, Callable[[Classification], str]] = {
    "table": to_text,
    "json": to_json,
    "markdown": to_markdown,
    "csv": to_csv,
}


def classification_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of the document; minor versions may add keys."""
    of_class = object_of(
        "Class",
        "How one class fares by one method.",
        {
            "via": text("The method."),
            "label": text("The class."),
            "prototypes": count("Its prototypes."),
            **CLASS_FIGURES,
        },
    )
    cell = object_of(
        "Cell",
        "One k and p.",
        {
            "k": count("Similarities kept."),
            "p": {"type": "number", "description": "Their power."},
            "value": {"type": "number", "description": "How held-out anchors did."},
        },
    )
    sparse = object_of(
        "Sparse",
        "What `asif` makes of relative vectors; empty where it was not asked for.",
        {
            "k": count("Similarities kept."),
            "p": {"type": "number", "description": "Their power."},
            "source": {"enum": ["given", "held-out anchors"], "description": "Where k and p came from."},
            "measure": maybe("string", "What was largest: mrr among held-out anchors, or accuracy on their labels."),
            "queries": count("Anchors that were held out in turn."),
            "folds": count("In so many parts."),
            "grid": list_of(cell, "Every k and p that was tried; empty where they were given."),
        },
        required=(),
    )
    guess: Schema = {
        "type": "object",
        "description": "By measure.",
        "additionalProperties": {"type": ["number", "null"]},
    }
    return document_schema(
        "classification",
        CLASSIFICATION_VERSION,
        "Rows of one model classified by another model's prototypes.",
        {
            "command": {"const": "classify"},
            "x": space_schema("x"),
            "y": space_schema("y"),
            "prototypes": object_of(
                "Prototypes",
                "The vectors of the classes, in y's space.",
                {
                    "space": space_schema("prototypes"),
                    "source": text("What says which rows they are, and of which classes."),
                    "count": count("Prototypes."),
                    "classes": count("Classes."),
                },
            ),
            "anchors": anchors_schema(),
            "rows": object_of(
                "Rows",
                "What became of the rows to classify.",
                {
                    "source": text("Where they came from."),
                    "total": count("Rows there were."),
                    "classified": count("Those that were given a class."),
                    "scored": count("Those with a label that counts."),
                    "anchors": count("Left out: anchors."),
                    "prototypes": count("Left out: rows whose other side is a prototype."),
                    "duplicates": count("Left out: repeated ids."),
                    "bad": count("Left out: NaN, infinite numbers or only zeros."),
                },
            ),
            "sparse": sparse,
            "scores": list_of(score_schema(), "One entry for each measure and method; none without labels."),
            "classes": list_of(of_class, "One entry for each method and class."),
            "chance": {
                "type": "object",
                "description": "Majority: always the commonest label. Uniform: any class alike.",
                "additionalProperties": guess,
            },
            "settings": free("The settings that the figures depend on."),
            "versions": free("The versions of relcli and its libraries."),
            "notes": list_of({"type": "string"}, "What a reader should know before trusting the figures."),
            "checks": list_of(check_schema(), "The requirements that were tested."),
        },
    )
