"""What `stitch` found, as values: figures of heads across spaces; their JSON, CSV, Markdown and table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from relcli.reports import phrases
from relcli.reports.classes import class_blocks
from relcli.reports.delimited import csv_text
from relcli.reports.markdown import bullets, code, escape, fact_bullets, markdown_table, paragraphs, urgent_paragraph
from relcli.reports.report import Group, Score, document_of, json_text, json_value
from relcli.reports.schema import (
    Schema,
    check_schema,
    count,
    document_schema,
    free,
    list_of,
    maybe,
    object_of,
    space_schema,
    text,
)
from relcli.reports.table import as_text, before_all, fact_grid, marked, plain_table, printed

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

#: major.minor of the JSON document; an added key is a minor step, anything else a major one.
STITCHING_VERSION = "1.1"

#: How the figures are called to a reader; those of a classification, then those of a regression.
LABELS = {"accuracy": "accuracy", "weighted-f1": "weighted F1", "r2": "R²", "mse": "MSE"}

#: What requirements may name, by the task; and whether higher is closer.
MEASURES = {"classification": ("accuracy", "weighted-f1", "of-ceiling"), "regression": ("r2", "mse")}
KNOWN = {name: name != "mse" for names in MEASURES.values() for name in names}

#: What stands for the other space where heads are tested in their own.
NO_STITCH = "(no stitch)"


@dataclass(frozen=True)
class Figure:
    """A figure over the seeds: mean, deviation (None for one seed), and the value of each."""

    mean: float | None
    sd: float | None
    values: tuple[float | None, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """Return the figure of some values; NaN among them makes the mean None."""
        mean = sum(values) / len(values)
        spread = sum((value - mean) ** 2 for value in values)
        sd = (spread / (len(values) - 1)) ** 0.5 if len(values) > 1 else None
        return cls(json_value(mean), json_value(sd), tuple(map(json_value, values)))


@dataclass(frozen=True)
class Stitch:
    """
    How heads trained on `source` do on `target`, `via` a method; where both are one there is no stitch.

    `of_ceiling` is the share of what the head on absolute vectors reaches in its own space. `figures` are
    empty exactly when `undefined_because` says why.
    """

    source: str
    target: str
    via: str
    figures: dict[str, Figure] = field(default_factory=dict)
    of_ceiling: float | None = None
    classes: tuple[dict[str, Any], ...] = ()
    undefined_because: str | None = None

    @property
    def stitched(self) -> bool:
        """Whether the head was trained in another space."""
        return self.source != self.target


@dataclass(frozen=True)
class Stitching:
    """
    What `stitch` found.

    `spaces`, `rows`, `labels`, `anchors`, `settings` and `versions` are plain JSON values with the keys of the
    schema; `chance` is what a head that knows only the training labels reaches.
    """

    task: str
    head: str
    spaces: tuple[dict[str, Any], ...]
    rows: dict[str, Any]
    labels: dict[str, Any]
    anchors: dict[str, Any]
    stitches: tuple[Stitch, ...]
    chance: dict[str, Figure]
    settings: dict[str, Any]
    versions: dict[str, str]
    notes: tuple[str, ...] = ()
    checks: tuple[dict[str, Any], ...] = ()

    @property
    def groups(self) -> tuple[Group, ...]:
        """The figures of every stitched pair as scores, by "pair": what requirements are tested against."""
        pairs: dict[str, list[Score]] = {}
        for stitch in self.stitches:
            if stitch.stitched:
                pairs.setdefault(f"{stitch.source}->{stitch.target}", []).extend(self._scores(stitch))
        return tuple(Group("pair", pair, self.rows["test"], tuple(scores)) for pair, scores in pairs.items())

    @property
    def scores(self) -> tuple[Score, ...]:
        """No figure is one of all pairs."""
        return ()

    @property
    def default_view(self) -> str | None:
        """The one relative method, which a requirement means that names none; None where there are several."""
        relative = {stitch.via for stitch in self.stitches if stitch.via.startswith("relative")}
        return relative.pop() if len(relative) == 1 else None

    def _scores(self, stitch: Stitch) -> Iterator[Score]:
        for name in MEASURES[self.task]:
            mean = (
                stitch.of_ceiling if name == "of-ceiling" else (stitch.figures[name].mean if stitch.figures else None)
            )
            yield Score(
                measure=name,
                view=stitch.via,
                value=mean,
                pairs=self.rows["test"],
                higher_is_closer=name != "mse",
                undefined_because=None if mean is not None else stitch.undefined_because,
            )

    def stitch(self, source: str, target: str, via: str = "relative") -> Stitch:
        """Return how heads of `source` do on `target`; KeyError where that was not asked."""
        for stitch in self.stitches:
            if (stitch.source, stitch.target, stitch.via) == (source, target, via):
                return stitch
        raise KeyError(f"{source} → {target} via {via}")


def to_document(found: Stitching) -> dict[str, Any]:
    """Return the JSON values of the document."""
    document = document_of(found, "stitch", STITCHING_VERSION)
    for values, stitch in zip(document["stitches"], found.stitches, strict=True):
        values["stitched"] = stitch.stitched
    return document


def to_json(found: Stitching) -> str:
    """Return the JSON document."""
    return json_text(to_document(found))


_COLUMNS = ("source", "target", "via", "stitched", "measure", "mean", "sd", "seeds", "of_ceiling", "undefined_because")


def to_csv(found: Stitching) -> str:
    """Return every figure, unrounded, a row each; an undefined stitch has one row that says why."""

    def rows() -> Iterator[dict[str, Any]]:
        for s in found.stitches:
            row = {"source": s.source, "target": s.target, "via": s.via, "stitched": "true" if s.stitched else "false"}
            for name, figure in s.figures.items():
                share = s.of_ceiling if name == "accuracy" else None
                of_figure = {"mean": figure.mean, "sd": figure.sd, "seeds": len(figure.values), "of_ceiling": share}
                yield {**row, "measure": name, **of_figure}
            if not s.figures:
                yield {**row, "undefined_because": s.undefined_because}

    return csv_text(_COLUMNS, rows())


def to_markdown(found: Stitching, *, per_class: bool = False) -> str:
    """Return the table and what it rests on."""
    headings, rows = _figures(found)
    blocks = [
        "### relcli stitch: " + ", ".join(code(space["name"]) for space in found.spaces),
        urgent_paragraph(found.notes),
        fact_bullets(_facts(found)),
        markdown_table(headings, [[*map(escape, row)] for row in rows], left=3),
        *(block for title, classes in _class_tables(found, per_class) for block in class_blocks(title, *classes)),
        bullets(f"{mark} {escape(line)}" for mark, line in phrases.check_lines(found.checks)),
        bullets(map(escape, (*_reasons(found), *phrases.calm(found.notes)))),
    ]
    return paragraphs(blocks)


def to_text(found: Stitching, *, width: int = 80, per_class: bool = False) -> str:
    """Return the table without colour."""
    return as_text(lambda room: _parts(found, room, per_class), width=width)


FORMATS: dict[str, Callable[[Stitching], str]] = {
    "table": to_text,
    "json": to_json,
    "markdown": to_markdown,
    "csv": to_csv,
}


def print_stitching(found: Stitching, console: Console, *, per_class: bool = False) -> None:
    """Print what was done, a line for each pair and method, and the classes where they are asked for."""
    printed(lambda width: _parts(found, width, per_class), console)


def _parts(found: Stitching, width: int, per_class: bool) -> Iterator[RenderableType]:
    from rich.text import Text

    yield from before_all(found.notes)
    yield fact_grid(_facts(found), width)
    yield ""
    yield _by_pair(found)
    for title, (headings, rows) in _class_tables(found, per_class):
        yield ""
        yield Text(title, style="bold")
        yield plain_table(headings, rows, left=1, folded=True)
    notes = (("note", line) for line in (*_reasons(found), *phrases.calm(found.notes)))
    lines = [*phrases.check_lines(found.checks), *notes]
    if lines:
        yield ""
        yield marked(lines)


_CLASS_HEADINGS = ("class", "precision", "recall", "F1", "rows")


def _class_tables(found: Stitching, per_class: bool) -> Iterator[tuple[str, tuple[Sequence[str], list[list[str]]]]]:
    """Yield for each pair and method its title, headings and rows of classes, where these are asked for."""
    for stitch in found.stitches if per_class else ():
        if stitch.classes:
            title = f"{stitch.source} → {stitch.target} · {stitch.via}"
            yield title, (_CLASS_HEADINGS, [*map(_class_row, stitch.classes)])


def _class_row(entry: Mapping[str, Any]) -> list[str]:
    return [entry["label"], *(phrases.number(entry[name]) for name in ("precision", "recall", "f1")), _rows(entry)]


def _rows(entry: Mapping[str, Any]) -> str:
    return f"{entry['support']:,.0f}" if float(entry["support"]).is_integer() else f"{entry['support']:,.1f}"


def _by_pair(found: Stitching) -> Table:
    """Return the figures below a line for each pair of spaces, which has room for long names."""
    from rich.text import Text

    headings, rows = _figures(found)
    table = plain_table(["trained on → tested on", *headings[3:]], [], left=1, folded=True)
    before = ("", "")
    for source, target, *cells in rows:
        if (source, target) != before:
            if table.row_count:
                table.add_row()
            table.add_row(Text(f"{source} {target}" if target == NO_STITCH else f"{source} → {target}", style="bold"))
        before = (source, target)
        table.add_row(*map(Text, (f"  {cells[0]}", *cells[1:])))
    return table


def _facts(found: Stitching) -> dict[str, list[str]]:
    rows, labels, anchors, settings = found.rows, found.labels, found.anchors, found.settings
    facts = {
        "spaces": [f"{s['name']} {s['rows']:,} × {s['dim']:,}" for s in found.spaces],
        "rows": [
            f"{rows['used']:,} used of {rows['shared']:,} shared",
            f"{rows['train']:,} train, {rows['test']:,} test",
            f"split: {rows['split']}",
        ],
        "labels": [f"{labels['source']}", _labelled(found)],
        "anchors": [f"{anchors['count']:,} ({anchors['source']})"],
        "head": [
            found.head,
            "standardised" if settings["scaler"] == "standard" else "",
            "transductive: test rows by their own statistics" if settings["transductive"] else "inductive",
            "centred" if settings["center"] else "",
            f"{settings['seeds']} seeds, mean ± sd" if settings["seeds"] > 1 else "",
        ],
        "chance": [f"{LABELS[name]} {_spread(figure)}" for name, figure in found.chance.items()],
    }
    facts["chance"].append("majority class" if found.task == "classification" else "mean of the training targets")
    return {label: [fact for fact in of_label if fact] for label, of_label in facts.items()}


def _labelled(found: Stitching) -> str:
    classes = found.labels["classes"]
    return f"{len(classes):,} classes" if classes else f"{found.labels['dim']:,} numbers a row"


def _figures(found: Stitching) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows of texts: trained on, tested on, via, and the figures."""
    names = list(found.chance)
    shares = found.task == "classification"
    headings = ["trained on", "tested on", "via", *(LABELS[name] for name in names)]
    headings += ["of ceiling"] if shares else []
    rows = []
    for s in found.stitches:
        cells = [_spread(s.figures[name]) if s.figures else phrases.MISSING for name in names]
        ceiling = phrases.MISSING if s.of_ceiling is None else f"{s.of_ceiling:.2f}"
        rows.append([s.source, s.target if s.stitched else NO_STITCH, s.via, *cells, *([ceiling] if shares else [])])
    return headings, rows


def _spread(figure: Figure) -> str:
    if figure.mean is None:
        return phrases.MISSING
    return phrases.number(figure.mean) + (f" ± {phrases.number(figure.sd)}" if figure.sd is not None else "")


def _reasons(found: Stitching) -> list[str]:
    reasons = (s.undefined_because for s in found.stitches if s.undefined_because)
    return list(dict.fromkeys(reasons))


def stitching_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of the document; minor versions may add keys."""
    figure = object_of(
        "Figure",
        "One figure over the seeds.",
        {
            "mean": maybe("number", "Mean over the seeds."),
            "sd": maybe("number", "Standard deviation over the seeds, null for one."),
            "values": list_of({"type": ["number", "null"]}, "The value of each seed."),
        },
    )
    figures: Schema = {
        "type": "object",
        "description": "By name: accuracy and weighted-f1, or r2 and mse.",
        "additionalProperties": figure,
    }
    of_class = object_of(
        "Class",
        "How one class fares, over the seeds.",
        {
            "label": text("The class."),
            "precision": maybe("number", "Share of its predictions that are right."),
            "recall": maybe("number", "Share of its rows that are found."),
            "f1": maybe("number", "Harmonic mean of both."),
            "support": maybe("number", "Its test rows."),
        },
    )
    stitch = object_of(
        "Stitch",
        "Heads trained on one space and tested on another, or on the same one.",
        {
            "source": text("The space that the head was trained on."),
            "target": text("The space that it was tested on."),
            "via": text("absolute, relative, relative:SIMILARITY or translate:METHOD."),
            "stitched": {"type": "boolean", "description": "Whether the two differ."},
            "figures": figures,
            "of_ceiling": maybe("number", "Accuracy over that of the absolute head in its own space."),
            "classes": list_of(of_class, "One entry a class; empty for a regression."),
            "undefined_because": maybe("string", "Why there are no figures."),
        },
    )
    return document_schema(
        "stitching",
        STITCHING_VERSION,
        "How heads trained on one space do on others.",
        {
            "command": {"const": "stitch"},
            "task": {"enum": ["classification", "regression"], "description": "What the heads predict."},
            "head": text("The head: svm, logistic, ridge or mlp."),
            "spaces": list_of(space_schema("space"), "The spaces, in the order they were named."),
            "rows": object_of(
                "Rows",
                "The rows that all spaces share.",
                {
                    "shared": count("Ids that every space holds."),
                    "used": count("Those with a label, a split and good numbers."),
                    "train": count("Rows that heads are trained on."),
                    "test": count("Rows that they are tested on, those of the first seed; anchors are not."),
                    "split": text("Where the split came from."),
                },
            ),
            "labels": object_of(
                "Labels",
                "What is predicted.",
                {
                    "source": text("Where it came from."),
                    "classes": list_of({"type": "string"}, "The classes; empty for a regression."),
                    "dim": count("Numbers of a target."),
                },
            ),
            "anchors": free("Count, source, and the digest of the first seed's ids."),
            "stitches": list_of(stitch, "One entry for each pair of spaces and method."),
            "chance": figures,
            "settings": free("The settings that the figures depend on."),
            "versions": free("The versions of relcli and its libraries."),
            "notes": list_of({"type": "string"}, "What a reader should know before trusting the figures."),
            "checks": list_of(check_schema(), "The requirements that were tested, empty where there were none."),
        },
    )
