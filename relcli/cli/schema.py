"""relcli schema"""

from __future__ import annotations

import json
import sys


def schema() -> None:
    """
    Print the JSON Schema that every JSON report validates against.

    Example: relcli schema > report.schema.json
    """
    from relcli.reports.schema import report_schema

    sys.stdout.write(json.dumps(report_schema(), indent=2, ensure_ascii=False) + "\n")
