"""relcli config"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from relcli.cli import output

Pair = Annotated[str | None, typer.Option("--pair", metavar="NAME", help="With what \\[pairs.NAME] configures.")]


def config(pair: Pair = None, as_json: output.AsJson = False) -> None:
    """
    Print the settings in force and where each comes from: environment, configuration file, default.

    Example: relcli config
    """
    from relcli.settings import KEYS, Setting, read_settings
    from relcli.tasks.compare import Options

    settings = read_settings(Path.cwd(), os.environ, pair=pair)
    defaults = {**vars(Options()), "view": list(Options().views), "measures": None}
    values = {key: settings.values.get(key, Setting(defaults.get(key.replace("-", "_")), "default")) for key in KEYS}
    if as_json:
        document: dict[str, Any] = {
            "schema_version": "1.0",
            "command": "config",
            "file": str(settings.file) if settings.file else None,
            "pair": pair,
            "pairs": list(settings.pairs),
            "settings": {key: asdict(setting) for key, setting in values.items()},
        }
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        return
    from rich.console import Console

    from relcli.reports.table import print_rows

    rows = [[key, _shown(setting.value), setting.source] for key, setting in values.items()]
    print_rows(["setting", "value", "from"], rows, Console())


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "\n".join(map(str, value))
    if value is None:
        return "–"
    return str(value).lower() if isinstance(value, bool) else str(value)
