"""What `inspect` found, as a value: an entry a space, and the JSON and the table it is shown as. It knows no spaces."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from relcli.reports.report import json_text
from relcli.reports.table import encodable, safely

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

#: major.minor of the JSON document; an added key is a minor step, anything else a major one.
INSPECTION_VERSION = "1.1"

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Inspection:
    """
    What each of some dumps holds, in the order they were named.

    `spaces` have the keys of the schema; a number that cannot be computed is None. `notes` are about all
    of them together. NaN and Inf become None.
    """

    spaces: tuple[dict[str, Any], ...]
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    command: str = "inspect"
    schema_version: str = INSPECTION_VERSION

    def __post_init__(self) -> None:
        object.__setattr__(self, "spaces", tuple(_finite(space) for space in self.spaces))

    def space(self, name: str) -> dict[str, Any]:
        """Return the entry of the space with this name."""
        return next(space for space in self.spaces if space["name"] == name)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_json(inspection: Inspection) -> str:
    """Return the JSON document."""
    return json_text(asdict(inspection))


def inspection_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an inspection; minor versions may add keys."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:relcli:inspection:{INSPECTION_VERSION}",
        **_object(
            "What relcli inspect found in some dumps of vectors.",
            {
                "command": {"const": "inspect"},
                "schema_version": {
                    "type": "string",
                    "pattern": rf"^{INSPECTION_VERSION.partition('.')[0]}\.\d+$",
                    "description": "Version of this document, major.minor; an added key is a minor step.",
                },
                "spaces": _list(_object("One space.", _SPACE), "One entry a dump, in the order they were named."),
                "settings": {"type": "object", "description": "The settings that the figures depend on."},
                "versions": {"type": "object", "description": "The versions of relcli and its libraries."},
                "notes": _list({"type": "string"}, "What concerns all spaces together."),
            },
        ),
    }


def _object(description: str, properties: dict[str, Any], *, or_null: bool = False) -> dict[str, Any]:
    return {
        "type": ["object", "null"] if or_null else "object",
        "description": description,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": True,
    }


def _list(items: dict[str, Any], description: str) -> dict[str, Any]:
    return {"type": "array", "items": items, "description": description}


def _value(kind: str, description: str) -> dict[str, Any]:
    return {"type": [kind, "null"], "description": description}


_number, _count, _text = (
    lambda description: _value("number", description),
    lambda description: _value("integer", description),
    lambda description: _value("string", description),
)

_SPACE: dict[str, Any] = {
    "name": _text("Its name in tables."),
    "path": _text("The file, folder or glob it was read from."),
    "format": _text("The file's format."),
    "member": _text("The column, tensor or array inside the file."),
    "shards": _count("Number of files."),
    "dtype": _text("Type of the stored numbers."),
    "rows": _count("Number of rows."),
    "dim": _count("Number of dimensions."),
    "id_source": _text("Where the ids came from."),
    "first_ids": _list({"type": "string"}, "The first few ids."),
    "id_columns": _list({"type": "string"}, "Other columns, tensors, keys or files that could hold the ids."),
    "sha256": _text("Digest of the files, where asked for."),
    "provenance": {"type": ["object", "null"], "description": "What the file says of how its vectors were made."},
    "bad_rows": _object(
        "Rows left out of all statistics.",
        {
            "nan": _count("Rows with NaN."),
            "inf": _count("Rows with infinite numbers, or too large to square."),
            "zero": _count("Rows with only zeros."),
        },
    ),
    "duplicate_ids": _count("Ids that stand more than once."),
    "duplicate_rows": _count("Rows equal to an earlier one, number for number."),
    "norms": _object(
        "Quantiles of the rows' Euclidean norms.",
        {
            "min": _number("Smallest."),
            "p5": _number("5 %."),
            "median": _number("50 %."),
            "p95": _number("95 %."),
            "max": _number("Largest."),
        },
        or_null=True,
    ),
    "anisotropy": _number("‖mean‖ / mean ‖x‖, in [0, 1]: 0 where the rows cancel, 1 where all are the same."),
    "mean_over_spread": _number("‖mean‖ / √(mean ‖x − mean‖²)."),
    "constant_dimensions": _count("Dimensions that never vary."),
    "participation_ratio": _number("(Σλ)² / Σλ² of the covariance's eigenvalues: directions in use."),
    "effective_rank": _number("exp of the entropy of λ / Σλ (Roy & Vetterli 2007)."),
    "intrinsic_dimension": _number("TwoNN on a sample (Facco et al. 2017)."),
    "hubness": _number("Skewness of how often a row is among the 10 nearest of another, by cosine."),
    "queries": _count("Rows sampled for the intrinsic dimension and the hubness."),
    "anchors": _object(
        "The anchors in this space, null where none were given.",
        {
            "count": _count("Anchors asked for."),
            "found": _count("Anchors that are there, with finite numbers that are not all zero."),
            "rank": _count("Rank of the Gram matrix of unit anchors."),
            "condition": _number("Its condition number."),
            "mean_cosine": _number("Mean cosine between two anchors."),
        },
        or_null=True,
    ),
    "flags": _list({"type": "string"}, "What would trip compare, and what to do about it."),
}

#: What the table shows of a space: a heading, and how its text is made.
_LINES: tuple[tuple[str, Callable[[Facts], str]], ...] = (
    ("format", lambda s: s["format"] + (f" · {s['member']}" if s["member"] else "")),
    ("files", lambda s: f"{s['shards']:,}"),
    ("dtype", lambda s: s["dtype"]),
    ("shape", lambda s: f"{s['rows']:,} × {s['dim']:,}"),
    ("ids", lambda s: s["id_source"]),
    ("first ids", lambda s: ", ".join(s["first_ids"])),
    ("other id columns", lambda s: ", ".join(s.get("id_columns", ()))),
    ("made by", lambda s: _made(s["provenance"])),
    ("sha256", lambda s: s["sha256"] or ""),
    ("NaN / Inf / zero rows", lambda s: " / ".join(f"{s['bad_rows'][kind]:,}" for kind in ("nan", "inf", "zero"))),
    ("repeated ids / rows", lambda s: f"{s['duplicate_ids']:,} / {s['duplicate_rows']:,}"),
    ("norm: least, median, most", lambda s: _norms(s["norms"], "min", "median", "max")),
    ("norm: 5 % … 95 %", lambda s: _norms(s["norms"], "p5", "p95", joint=" … ")),
    ("anisotropy ‖mean‖ / mean ‖x‖", lambda s: _shown(s["anisotropy"])),
    ("‖mean‖ / spread", lambda s: _shown(s["mean_over_spread"])),
    ("constant dimensions", lambda s: _shown(s["constant_dimensions"])),
    ("participation ratio", lambda s: _shown(s["participation_ratio"])),
    ("effective rank", lambda s: _shown(s["effective_rank"])),
    ("intrinsic dimension (TwoNN)", lambda s: _shown(s["intrinsic_dimension"])),
    ("hubness@10 (skewness)", lambda s: _shown(s["hubness"])),
    ("rows sampled for these two", lambda s: f"{s['queries']:,}"),
    ("anchors found", lambda s: _anchored(s, lambda a: f"{a['found']:,} of {a['count']:,}")),
    ("anchor rank", lambda s: _anchored(s, lambda a: _shown(a["rank"]))),
    ("anchor condition", lambda s: _anchored(s, lambda a: _shown(a["condition"]))),
    ("mean anchor cosine", lambda s: _anchored(s, lambda a: _shown(a["mean_cosine"]))),
)


def _shown(value: float | None) -> str:
    if value is None:
        return "–"
    text = f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    return text.replace("-", "−")


def _norms(norms: Facts | None, *names: str, joint: str = " · ") -> str:
    return joint.join(_shown(norms[name]) for name in names) if norms else "–"


def _made(provenance: Facts | None) -> str:
    if not provenance:
        return ""
    return f"{provenance.get('kind', 'unknown')} ({provenance.get('similarity') or provenance.get('method') or '?'})"


def _anchored(space: Facts, shown: Callable[[Facts], str]) -> str:
    return shown(space["anchors"]) if space["anchors"] else ""


def print_inspection(inspection: Inspection, console: Console) -> None:
    """Print the spaces side by side, as many as the console has room for, then what they flag."""
    with safely(console), console.capture() as captured:
        for part in _parts(inspection, console.width):
            console.print(part, highlight=False, markup=False, emoji=False)
    text = "\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n")) + "\n"
    console.file.write(encodable(text, console.encoding))


def _parts(inspection: Inspection, width: int) -> Iterator[RenderableType]:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    for spaces in _fitting(inspection.spaces, width):
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        table.add_column("")
        for space in spaces:
            table.add_column(Text(space["name"]), overflow="fold")
        for heading, shown in _LINES:
            cells = [shown(space) for space in spaces]
            if any(cells):
                table.add_row(heading, *map(Text, cells))
        yield table
        yield ""
    # lines of a grid are wrapped, those of a text alone are cut
    below = Table.grid()
    below.add_column(overflow="fold")
    for space in inspection.spaces:
        for flag in space["flags"]:
            below.add_row(Text.assemble((space["name"], "bold yellow"), f": {flag}"))
    if not any(space["flags"] for space in inspection.spaces):
        below.add_row(Text("nothing here would trip compare", style="green"))
    for note in inspection.notes:
        below.add_row(Text(f"note: {note}"))
    yield below


def _fitting(spaces: Sequence[Facts], width: int) -> list[Sequence[Facts]]:
    """Return the spaces in groups whose columns fit."""
    label = max(len(heading) for heading, _ in _LINES) + 3
    column = 3 + max(min(20, max(len(shown(space)) for _, shown in _LINES)) for space in spaces)
    beside = max(1, (width - label) // column)
    return [spaces[start : start + beside] for start in range(0, len(spaces), beside)]
