"""relcli schema"""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

Command = Annotated[
    str,
    typer.Argument(
        metavar="command",
        help="compare, check, retrieve, translate, inspect, anchors, stitch, stitch-apply, classify, match, recommend, "
        "sweep, matrix, diff or config.",
    ),
]


def schema(command: Command = "compare") -> None:
    """
    Print the JSON Schema that every JSON report validates against.

    Example: relcli schema > report.schema.json
    """
    from relcli.errors import UsageError, did_you_mean
    from relcli.reports.anchors import anchor_check_schema
    from relcli.reports.application import application_schema
    from relcli.reports.classification import classification_schema
    from relcli.reports.diff import diff_schema
    from relcli.reports.hits import retrieval_schema
    from relcli.reports.inspection import inspection_schema
    from relcli.reports.matching import matching_schema
    from relcli.reports.matrix import matrix_schema
    from relcli.reports.recommendation import recommendation_schema
    from relcli.reports.schema import report_schema
    from relcli.reports.stitching import stitching_schema
    from relcli.reports.sweep import sweep_schema
    from relcli.settings import settings_schema

    schemas = {"compare": report_schema, "inspect": inspection_schema, "retrieve": retrieval_schema}
    schemas |= {"check": report_schema, "translate": report_schema, "anchors": anchor_check_schema}
    schemas |= {"sweep": sweep_schema, "matrix": matrix_schema, "classify": classification_schema}
    schemas |= {"diff": diff_schema, "config": settings_schema, "stitch": stitching_schema, "match": matching_schema}
    schemas |= {"stitch-apply": application_schema}
    schemas |= {"recommend": recommendation_schema}
    if command not in schemas:
        raise UsageError(f"No schema for {command!r}; there are {', '.join(schemas)}.{did_you_mean(command, schemas)}")
    sys.stdout.write(json.dumps(schemas[command](), indent=2, ensure_ascii=False) + "\n")
