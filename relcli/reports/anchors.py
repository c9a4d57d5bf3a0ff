"""What `anchors check` found, as a value, and the JSON and the table it is shown as. It knows no spaces."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from relcli.reports.report import json_text
from relcli.reports.schema import Schema, count, document_schema, free, list_of, maybe, object_of, text

if TYPE_CHECKING:
    from rich.console import Console

#: major.minor of the JSON document; an added key is a minor step, anything else a major one.
CHECK_VERSION = "1.0"

#: Labels that the table shows, the largest first; the JSON has all.
SHOWN_LABELS = 20


@dataclass(frozen=True)
class AnchorCheck:
    """
    How well anchors serve in each of some spaces.

    anchors: source, count, duplicates, first_duplicates, in_all, used, sha256.
    spaces, one each: name, rows, dim, found, missing, first_missing, without_direction,
    first_without_direction, rank, condition, mean_cosine, near_duplicates, first_near_duplicates.
    labels: label -> rows, anchors; None where no labels were given. NaN and Inf become None.
    """

    anchors: dict[str, Any]
    spaces: tuple[dict[str, Any], ...]
    labels: dict[str, dict[str, int]] | None = None
    notes: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    command: str = "anchors check"
    schema_version: str = CHECK_VERSION

    def __post_init__(self) -> None:
        spaces = tuple({key: _finite(value) for key, value in space.items()} for space in self.spaces)
        object.__setattr__(self, "spaces", spaces)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_json(check: AnchorCheck) -> str:
    """Return the JSON document."""
    return json_text(asdict(check))


def anchor_check_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of a check of anchors; minor versions may add keys."""
    space = object_of(
        "AnchoredSpace",
        "How anchors serve in one space.",
        {
            "name": text("Its name."),
            "rows": count("Rows it holds."),
            "dim": count("Dimensions of a row."),
            "found": count("Anchors it holds."),
            "missing": count("Anchors it lacks."),
            "without_direction": count("Anchors that are zero or not finite."),
            "rank": maybe("integer", "Rank of the Gram of unit anchors."),
            "condition": maybe("number", "Its condition number, over the eigenvalues that are not 0."),
            "mean_cosine": maybe("number", "Mean cosine of two anchors."),
            "near_duplicates": maybe("integer", "Pairs of anchors that say the same."),
        },
    )
    return document_schema(
        "anchor-check",
        CHECK_VERSION,
        "How well anchors serve in one space or several.",
        {
            "command": text("The command that wrote the document."),
            "anchors": free("Source, count, duplicates, how many are in all spaces, SHA-256 of the ids."),
            "spaces": list_of(space, "One entry for each space."),
            "labels": maybe("object", "Rows and anchors of each label, null where no labels were given."),
            "notes": list_of({"type": "string"}, "What a reader should know before using the anchors."),
            "settings": free("The settings that the check depends on."),
            "versions": free("The version of relcli and of each library that took part."),
        },
        title="relcli anchors check",
    )


def print_check(check: AnchorCheck, console: Console) -> None:
    """Print the check as a table, a column a space."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    anchors = check.anchors
    again = f" · {anchors['duplicates']:,} listed again{_names(anchors['first_duplicates'])}"
    head = f"{anchors['count']:,} anchors from {anchors['source']} · {anchors['used']:,} can be used"
    console.print(Text(head + (again if anchors["duplicates"] else "")))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("")
    for space in check.spaces:
        table.add_column(Text(space["name"]), justify="right")
    for label, key in _LINES.items():
        table.add_row(label, *(Text(_shown(space[key])) for space in check.spaces))
    console.print(table)
    if check.labels is not None:
        console.print(_labels(check.labels))
    for space in check.spaces:
        for label, key in (("missing", "first_missing"), ("zero or not finite", "first_without_direction")):
            if space[key]:
                console.print(Text(f"{space['name']}: {label}{_names(space[key])}"))
        for pair in space["first_near_duplicates"]:
            one, other = pair["ids"]
            console.print(Text(f"{space['name']}: {one!r} and {other!r} have cosine {pair['cosine']:.6f}"))
    for note in check.notes:
        console.print(Text(f"note {note}"))


_LINES = {
    "rows": "rows",
    "dimensions": "dim",
    "anchors found": "found",
    "missing": "missing",
    "zero or not finite": "without_direction",
    "rank": "rank",
    "condition number": "condition",
    "mean anchor cosine": "mean_cosine",
    "near-duplicate pairs": "near_duplicates",
}


def _labels(labels: Mapping[str, Mapping[str, int]]) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("label", "rows", "anchors"):
        table.add_column(heading, justify="left" if heading == "label" else "right")
    by_rows = sorted(labels.items(), key=lambda item: -item[1]["rows"])
    for label, counts in by_rows[:SHOWN_LABELS]:
        table.add_row(Text(label or "(none)"), f"{counts['rows']:,}", f"{counts['anchors']:,}")
    if len(by_rows) > SHOWN_LABELS:
        table.add_row(f"and {len(by_rows) - SHOWN_LABELS:,} more", "", "")
    return table


def _names(names: list[str]) -> str:
    return f": {', '.join(map(repr, names))}"


def _shown(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
