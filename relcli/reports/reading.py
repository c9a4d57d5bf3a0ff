"""Reports read back from files and pipes."""

from __future__ import annotations

import json
import sys
from typing import Any

from relcli.errors import FormatError, RelcliError
from relcli.files import existing, reading
from relcli.reports.report import Report, from_document


def read_report(place: str) -> Report:
    """
    Return the report that a JSON file holds, or stdin where `place` is "-".

    Takes what any command wrote that scores, of this major schema version.
    """
    name = "stdin" if place == "-" else place
    document = _parsed(_bytes_of(place), name)
    if isinstance(document, dict) and isinstance(document.get("scores"), list):
        # not every command that scores joins; a search tells its queries apart from its settings
        document = {"join": {}, "extra": {"queries": document.get("queries")}, **document}
    try:
        return from_document(document)
    except RelcliError as error:
        raise type(error)(f"{name}: {error}") from error


def _bytes_of(place: str) -> bytes:
    if place == "-":
        return sys.stdin.buffer.read()
    path = existing(place)
    with reading(path, "a report"):
        return path.read_bytes()


def _parsed(content: bytes, name: str) -> Any:
    if not content.strip():
        raise FormatError(f"{name} is empty: no report was written there. Look at what the command before it said.")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FormatError(
            f"{name} is not JSON: {error or 'it is nested too deeply'}. Give what `relcli compare --json` printed."
        ) from error
