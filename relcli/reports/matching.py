"""The JSON Schema of what `match` reports: a report, with what was told of pairs that were found without anchors."""

from __future__ import annotations

from relcli.reports.report import SCHEMA_VERSION
from relcli.reports.schema import Schema, count, list_of, maybe, object_of, report_schema, text


def matching_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of the report of `match`; minor versions may add keys."""
    schema = report_schema()
    extra = object_of(
        "Extra",
        "What one command alone reports: `discovery` where pairs were looked for.",
        {"discovery": _discovery()},
        required=(),
    )
    return {
        **schema,
        "$id": f"urn:relcli:match:{SCHEMA_VERSION}",
        "properties": {**schema["properties"], "extra": extra},
    }


def _discovery() -> Schema:
    sides = {
        f"{name}_{side}": count(f"{what} of {side} {told}.")
        for name, what, told in (
            ("rows", "Rows", "that were searched"),
            ("copies", "Rows", "left out as copies of others"),
        )
        for side in ("x", "y")
    }
    return object_of(
        "Discovery",
        "How pairs of rows were found without anchors, or grown from seeds, and how far they can be trusted.",
        {
            "status": {"const": "experimental", "description": "What may change, and may be wrong."},
            "start": text("What the pairs were started from: profiles, or seeds."),
            "starts": list_of(_search(), "One entry for each search without anchors; empty with seeds."),
            "rounds": count("Rounds of the search that the pairs are from."),
            "pairs": count("Pairs, seeds included."),
            "seeds": count("Pairs that were given."),
            "seeds_found": maybe("integer", "Seeds that the pairs found find again, null without seeds.", minimum=0),
            "confirmed": _share("Sum of the confidences, seeds aside, over the rows of the smaller side."),
            **sides,
            "measured": {"type": "boolean", "description": "Whether it is known which pairs are right."},
            "stages": list_of(_stage(), "The anchors of each stage; empty without seeds."),
            "calibration": list_of(_level(), "One entry for each confidence that pairs have, highest first."),
        },
    )


def _search() -> Schema:
    return object_of(
        "Search",
        "One search without anchors.",
        {
            "power": {"type": "number", "description": "Power of the Gram matrix that profiles were read from."},
            "pairs": count("Pairs that it found."),
            "rounds": count("Rounds that it took."),
            "confirmed": _share("Its pairs' confidences over the rows of the smaller side."),
            "agreed": _share("The same of the pairs alone that another search found too."),
        },
    )


def _stage() -> Schema:
    return object_of(
        "Stage",
        "One stage of growth.",
        {"anchors": count("Anchors, seeds included."), "right": _right("Share of them, seeds aside, that is right")},
    )


def _level() -> Schema:
    return object_of(
        "Level",
        "Pairs of one confidence, seeds aside.",
        {
            "confidence": _share("Share of the maps fitted without a pair that find it again."),
            "pairs": count("Pairs of this confidence."),
            "right": _right("Share of them that is right"),
        },
    )


def _right(told: str) -> Schema:
    return maybe("number", f"{told}, null where that is not known.", minimum=0, maximum=1)


def _share(description: str) -> Schema:
    """Return the schema of a share of a whole."""
    return {"type": "number", "minimum": 0, "maximum": 1, "description": description}
