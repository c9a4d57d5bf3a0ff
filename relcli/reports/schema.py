"""The JSON Schema of a report."""

from __future__ import annotations

from typing import Any

from relcli.reports.report import SCHEMA_VERSION

Schema = dict[str, Any]


def report_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of a report; minor versions may add keys."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:relcli:report:{SCHEMA_VERSION}",
        **_object(
            "relcli report",
            "What one run of relcli found about two embedding spaces.",
            {
                "schema_version": {
                    "type": "string",
                    "pattern": rf"^{SCHEMA_VERSION.partition('.')[0]}\.\d+$",
                    "description": "Version of this document, major.minor; an added key is a minor step.",
                },
                "command": _text("The command that wrote the report."),
                "x": _space("x"),
                "y": _space("y"),
                "join": _join(),
                "anchors": _anchors(),
                "scores": _list(_score(), "One entry for each measure and view."),
                "settings": _free("The settings that the scores depend on."),
                "versions": {
                    **_free("The version of relcli and of each library that computed the scores."),
                    "additionalProperties": {"type": "string"},
                },
                "notes": _list({"type": "string"}, "What a reader should know before trusting the scores."),
                "checks": _list(_check(), "The requirements that were tested, empty where there were none."),
                "extra": _free("What one command alone reports."),
            },
            optional=("extra",),
        ),
    }


def _score() -> Schema:
    return _object(
        "Score",
        "One measure on one view.",
        {
            "measure": _text("Name of the measure."),
            "view": _text("The representation that was measured: relative or absolute."),
            "value": _maybe("number", "The score, null where it is undefined."),
            "forward": _maybe("number", "The score from x to y, where the measure has directions."),
            "backward": _maybe("number", "The score from y to x, where the measure has directions."),
            "interval": {
                "anyOf": [_interval(), {"type": "null"}],
                "description": "Its uncertainty, if known.",
            },
            "chance": _maybe("number", "What unrelated spaces would score, if known."),
            "pairs": _count("Number of pairs that were scored."),
            "gallery": _maybe("integer", "Number of rows that were searched, null where nothing is.", minimum=0),
            "range": {
                "type": "array",
                "items": {"type": ["number", "null"]},
                "minItems": 2,
                "maxItems": 2,
                "description": "Lowest and highest possible value, null where unbounded.",
            },
            "higher_is_closer": {"type": "boolean", "description": "Whether closer spaces score higher."},
            "definition": _text("The measure in one line."),
            "cite": _text("Where the measure is defined."),
            "undefined_because": _maybe("string", "Why the value is null, null where it is not."),
            "section": _text("The heading that the measure stands under."),
        },
    )


def _interval() -> Schema:
    return _object(
        "Interval",
        "A confidence interval.",
        {
            "low": {"type": "number", "description": "Its lower end."},
            "high": {"type": "number", "description": "Its upper end."},
            "level": {
                "type": "number",
                "exclusiveMinimum": 0,
                "exclusiveMaximum": 1,
                "description": "Its coverage, as 0.95.",
            },
            "method": _text("How it was made."),
        },
    )


def _space(side: str) -> Schema:
    return _object(
        f"Space {side}",
        f"The embedding space {side}.",
        {
            "name": _text("Its name in tables."),
            "path": _maybe("string", "The file or directory it was read from."),
            "member": _maybe("string", "The column, tensor or array inside the file."),
            "format": _maybe("string", "The file's format."),
            "rows": _maybe("integer", "Number of rows.", minimum=0),
            "dim": _maybe("integer", "Number of dimensions.", minimum=0),
            "dtype": _maybe("string", "Type of the stored numbers."),
            "id_source": _maybe("string", "Where the ids came from."),
            "sha256": _maybe("string", "Digest of the data."),
            "notes": _list({"type": "string"}, "What was assumed while reading."),
        },
        required=(),
    )


def _join() -> Schema:
    return _object(
        "Join",
        "How the rows of x and y were matched.",
        {
            "by": _maybe("string", "What the rows were matched by."),
            "x_rows": _count("Rows of x."),
            "y_rows": _count("Rows of y."),
            "pairs": _count("Rows that both have."),
            "x_only": _count("Rows that only x has."),
            "y_only": _count("Rows that only y has."),
            "dropped": {
                "type": "object",
                "additionalProperties": {"type": "integer", "minimum": 0},
                "description": "Rows that were left out, counted by reason.",
            },
        },
        required=(),
    )


def _anchors() -> Schema:
    sides = {
        f"{name}_{side}": _maybe("number", f"{what} in {side}.")
        for name, what in (
            ("rank", "Rank of the anchors"),
            ("condition", "Condition number of the anchors' Gram matrix"),
            ("mean_cosine", "Mean cosine between two anchors"),
        )
        for side in ("x", "y")
    }
    return _object(
        "Anchors",
        "The rows that relative representations are relative to; empty where none were used.",
        {
            "source": _maybe("string", "Where the anchors came from."),
            "strategy": _maybe("string", "How they were chosen."),
            "count": _count("Number of anchors."),
            "seed": _maybe("integer", "Seed of the choice."),
            "sha256": _maybe("string", "Digest of the anchors' ids."),
            **sides,
            "scored": _maybe("boolean", "Whether the anchors are among the scored pairs."),
        },
        required=(),
    )


def _check() -> Schema:
    return _object(
        "Check",
        "One requirement and whether it held.",
        {
            "requirement": _text("The requirement as it was given."),
            "passed": {"type": "boolean", "description": "Whether it held."},
            "value": _maybe("number", "The unrounded value it was compared with."),
            "reason": _maybe("string", "Why it failed, where the numbers do not say so."),
        },
        required=("passed",),
    )


def _object(
    title: str,
    description: str,
    properties: dict[str, Schema],
    *,
    required: tuple[str, ...] | None = None,
    optional: tuple[str, ...] = (),
) -> Schema:
    names = required if required is not None else tuple(name for name in properties if name not in optional)
    return {
        "title": title,
        "description": description,
        "type": "object",
        "properties": properties,
        "required": list(names),
        "additionalProperties": True,
    }


def _free(description: str) -> Schema:
    return {"type": "object", "description": description, "additionalProperties": True}


def _list(items: Schema, description: str) -> Schema:
    return {"type": "array", "items": items, "description": description}


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


def _count(description: str) -> Schema:
    return {"type": "integer", "minimum": 0, "description": description}


def _maybe(kind: str, description: str, **limits: float) -> Schema:
    return {"type": [kind, "null"], **limits, "description": description}
