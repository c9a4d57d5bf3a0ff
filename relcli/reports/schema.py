"""The JSON Schema of a report."""

from __future__ import annotations

from typing import Any

from relcli.reports.report import SCHEMA_VERSION

Schema = dict[str, Any]


def report_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of a report; minor versions may add keys."""
    return document_schema(
        "report",
        SCHEMA_VERSION,
        "What one run of relcli found about two embedding spaces.",
        {
            "command": text("The command that wrote the report."),
            "x": space_schema("x"),
            "y": space_schema("y"),
            "join": _join(),
            "anchors": anchors_schema(),
            "scores": list_of(score_schema(), "One entry for each measure and view."),
            "settings": free("The settings that the scores depend on."),
            "versions": {
                **free("The version of relcli and of each library that computed the scores."),
                "additionalProperties": {"type": "string"},
            },
            "notes": list_of({"type": "string"}, "What a reader should know before trusting the scores."),
            "checks": list_of(check_schema(), "The requirements that were tested, empty where there were none."),
            "extra": free("What one command alone reports."),
            "groups": list_of(_group(), "The scores of each group of queries, where groups were asked for."),
            "moved": list_of(free("An item: its id and its own figures."), "The items that moved most."),
        },
        optional=("extra", "groups", "moved"),
    )


def document_schema(
    name: str,
    version: str,
    description: str,
    properties: dict[str, Schema],
    *,
    title: str | None = None,
    optional: tuple[str, ...] = (),
) -> Schema:
    """Return the JSON Schema (draft 2020-12) of a document with a version and these properties."""
    number: Schema = {
        "type": "string",
        "pattern": rf"^{version.partition('.')[0]}\.\d+$",
        "description": "Version of this document, major.minor; an added key is a minor step.",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:relcli:{name}:{version}",
        **object_of(
            title or f"relcli {name}", description, {"schema_version": number, **properties}, optional=optional
        ),
    }


def study_schema(command: str, version: str, description: str, properties: dict[str, Schema]) -> Schema:
    """Return the JSON Schema (draft 2020-12) of a study of many comparisons; minor versions may add keys."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:relcli:{command}:{version}",
        **object_of(
            f"relcli {command}",
            description,
            {
                "command": {"const": command},
                "schema_version": {"type": "string", "pattern": rf"^{version.partition('.')[0]}\.\d+$"},
                "complete": {"type": "boolean", "description": "Whether all that was asked for is there."},
                **properties,
                "settings": free("What was asked for."),
                "basis": free("What every score depends on: an earlier run is taken up only where it agrees."),
                "versions": free("The versions of relcli and its libraries."),
                "notes": list_of({"type": "string"}, "What a reader should know."),
            },
        ),
    }


def score_schema() -> Schema:
    """Return the schema of a score."""
    return object_of(
        "Score",
        "One measure on one view.",
        {
            "measure": text("Name of the measure."),
            "view": text("The representation that was measured: relative or absolute."),
            "value": maybe("number", "The score, null where it is undefined."),
            "forward": maybe("number", "The score from x to y, where the measure has directions."),
            "backward": maybe("number", "The score from y to x, where the measure has directions."),
            "interval": {
                "anyOf": [_interval(), {"type": "null"}],
                "description": "Its uncertainty, if known.",
            },
            "chance": maybe("number", "What unrelated spaces would score, if known."),
            "pairs": count("Number of pairs that were scored."),
            "gallery": maybe("integer", "Number of rows that were searched, null where nothing is.", minimum=0),
            "range": {
                "type": "array",
                "items": {"type": ["number", "null"]},
                "minItems": 2,
                "maxItems": 2,
                "description": "Lowest and highest possible value, null where unbounded.",
            },
            "higher_is_closer": {"type": "boolean", "description": "Whether closer spaces score higher."},
            "definition": text("The measure in one line."),
            "cite": text("Where the measure is defined."),
            "undefined_because": maybe("string", "Why the value is null, null where it is not."),
            "section": text("The heading that the measure stands under."),
            "null": {
                "anyOf": [_null(), {"type": "null"}],
                "description": "The score under permuted pairings, where asked for.",
            },
            "draws": {
                "anyOf": [_draws(), {"type": "null"}],
                "description": "The score over random choices of anchors, where asked for.",
            },
        },
        optional=("null", "draws"),
    )


def _null() -> Schema:
    return object_of(
        "Null",
        "The score when the pairing is permuted.",
        {
            "mean": maybe("number", "Its mean."),
            "sd": maybe("number", "Its standard deviation."),
            "p": maybe("number", "Share of pairings at least as close, the observed one included."),
            "draws": count("Number of permutations."),
            "calibrated": maybe("number", "The score, with 0 for the null's mean and 1 for identical spaces."),
        },
        optional=("calibrated",),
    )


def _draws() -> Schema:
    return object_of(
        "Draws",
        "The score over random choices of anchors.",
        {
            "mean": maybe("number", "Its mean."),
            "sd": maybe("number", "Its standard deviation."),
            "count": count("Number of choices."),
        },
    )


def _group() -> Schema:
    return object_of(
        "Group",
        "The scores of the queries that share a value.",
        {
            "column": text("The column that was grouped by."),
            "value": text("The value of the group."),
            "pairs": count("Number of pairs in the group."),
            "scores": list_of(score_schema(), "One entry for each measure and view."),
        },
    )


def _interval() -> Schema:
    return object_of(
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
            "method": text("How it was made."),
        },
    )


def space_schema(side: str) -> Schema:
    """Return the schema of what is told of a space."""
    return object_of(
        f"Space {side}",
        f"The embedding space {side}.",
        {
            "name": text("Its name in tables."),
            "path": maybe("string", "The file or directory it was read from."),
            "member": maybe("string", "The column, tensor or array inside the file."),
            "format": maybe("string", "The file's format."),
            "rows": maybe("integer", "Number of rows.", minimum=0),
            "dim": maybe("integer", "Number of dimensions.", minimum=0),
            "dtype": maybe("string", "Type of the stored numbers."),
            "id_source": maybe("string", "Where the ids came from."),
            "sha256": maybe("string", "Digest of the data."),
            "notes": list_of({"type": "string"}, "What was assumed while reading."),
        },
        required=(),
    )


def _join() -> Schema:
    return object_of(
        "Join",
        "How the rows of x and y were matched.",
        {
            "by": maybe("string", "What the rows were matched by."),
            "x_rows": count("Rows of x."),
            "y_rows": count("Rows of y."),
            "pairs": count("Rows that both have."),
            "x_only": count("Rows that only x has."),
            "y_only": count("Rows that only y has."),
            "dropped": {
                "type": "object",
                "additionalProperties": {"type": "integer", "minimum": 0},
                "description": "Rows that were left out, counted by reason.",
            },
        },
        required=(),
    )


def anchors_schema() -> Schema:
    """Return the schema of what is told of the anchors."""
    sides = {
        f"{name}_{side}": maybe("number", f"{what} in {side}.")
        for name, what in (
            ("rank", "Rank of the anchors"),
            ("condition", "Condition number of the anchors' Gram matrix"),
            ("mean_cosine", "Mean cosine between two anchors"),
        )
        for side in ("x", "y")
    }
    return object_of(
        "Anchors",
        "The rows that relative representations are relative to; empty where none were used.",
        {
            "source": maybe("string", "Where the anchors came from."),
            "strategy": maybe("string", "How they were chosen."),
            "count": count("Number of anchors."),
            "seed": maybe("integer", "Seed of the choice."),
            "sha256": maybe("string", "Digest of the anchors' ids."),
            **sides,
            "scored": maybe("boolean", "Whether the anchors are among the scored pairs."),
        },
        required=(),
    )


def check_schema() -> Schema:
    """Return the schema of one requirement and its verdict."""
    return object_of(
        "Check",
        "One requirement and whether it held.",
        {
            "requirement": text("The requirement as it was given."),
            "passed": {"type": "boolean", "description": "Whether it held."},
            "value": maybe("number", "The unrounded value that was compared."),
            "bound": maybe("number", "What it was compared with."),
            "margin": maybe("number", "What it passed by; negative where it failed."),
            "severity": {"enum": ["fail", "warn"], "description": "Whether the command fails where it does not hold."},
            "reason": maybe("string", "Why it failed, where the numbers do not say so."),
        },
        required=("passed",),
    )


def object_of(
    title: str,
    description: str,
    properties: dict[str, Schema],
    *,
    required: tuple[str, ...] | None = None,
    optional: tuple[str, ...] = (),
) -> Schema:
    """Return the schema of an object: all its properties are required but the optional ones."""
    names = required if required is not None else tuple(name for name in properties if name not in optional)
    return {
        "title": title,
        "description": description,
        "type": "object",
        "properties": properties,
        "required": list(names),
        "additionalProperties": True,
    }


def free(description: str) -> Schema:
    """Return the schema of an object with any keys."""
    return {"type": "object", "description": description, "additionalProperties": True}


def list_of(items: Schema, description: str) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items, "description": description}


def text(description: str) -> Schema:
    """Return the schema of a text."""
    return {"type": "string", "description": description}


def count(description: str) -> Schema:
    """Return the schema of a number of things."""
    return {"type": "integer", "minimum": 0, "description": description}


def maybe(kind: str, description: str, **limits: float) -> Schema:
    """Return the schema of a value that may be null."""
    return {"type": [kind, "null"], **limits, "description": description}
