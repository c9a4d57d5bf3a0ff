"""What studies of many comparisons share: kept as they grow, taken up again, put in words."""

from __future__ import annotations

import json
import math
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from relcli.errors import FormatError, UsageError
from relcli.files import existing, reading
from relcli.reports.phrases import MISSING, number
from relcli.reports.writing import write_text

#: What a study can be printed as, and by the suffix of a file written as.
FORMS = ("table", "json", "markdown", "csv")

#: Seconds between two writings of a study that is still growing.
PAUSE = 2.0

Rows = Sequence[Sequence[str]]


def finite(value: Any) -> Any:
    """Return the value with NaN and Inf as None, however deep they stand."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def study_json(study: Any) -> str:
    """Return a study, a dataclass of plain values, as its JSON document."""
    return json.dumps(finite(asdict(study)), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


class Keeper:
    """Writes a growing study to a JSON file, at most once in PAUSE seconds; `flush` writes the latest."""

    def __init__(self, path: str | Path) -> None:
        self._path, self._written = path, time.monotonic()
        self._latest: Callable[[], Any] | None = None

    def __call__(self, make: Callable[[], Any]) -> None:
        """Take a study as what makes it; it is made when it is written."""
        self._latest = make
        if time.monotonic() - self._written > PAUSE:
            self.flush()

    def flush(self) -> None:
        """Write what was taken last."""
        if self._latest:
            write_text(self._path, study_json(self._latest()))
            self._latest, self._written = None, time.monotonic()


def read_study(path: str | Path, command: str, version: str) -> dict[str, Any] | None:
    """Return the document that an earlier run of `command` left at a path, None where there is no file."""
    if not Path(path).exists():
        return None
    advice = f"Name another file, or remove it: relcli {command} takes up only what it wrote."
    with reading(existing(path), "JSON"):
        text = Path(path).read_text("utf-8")
    try:
        document = json.loads(text)
    except ValueError as error:
        raise FormatError(f"{path} is not JSON ({error}). {advice}") from error
    if not isinstance(document, dict) or document.get("command") != command:
        raise FormatError(f"{path} holds no {command}. {advice}")
    if str(document.get("schema_version", "")).partition(".")[0] != version.partition(".")[0]:
        raise FormatError(f"{path} was written by another version of relcli {command}. {advice}")
    return document


def check_same(path: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise UsageError naming what differs, unless an earlier run began as this one does."""
    differing = [
        f"{name} was {_said(then.get(name))} and is {_said(now.get(name))}"
        for name in now
        if finite(then.get(name)) != finite(now.get(name))
    ]
    if differing:
        raise UsageError(
            f"{path} holds another run, which cannot be taken up: {'; '.join(differing)}. Name another file, or "
            "remove it."
        )


def _said(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{text[:12]}…" if len(text) == 64 and " " not in text else text


def shown(value: float | None, *, rank: bool = False) -> str:
    """Return a number for a table."""
    return MISSING if value is None else number(value, rank=rank).replace("-", "−")


def spread(mean: float | None, sd: float | None) -> str:
    """Return a mean and its deviation for a table."""
    if mean is None or sd is None or abs(mean) >= 1000:
        return shown(mean) if sd is None else f"{shown(mean)} ± {shown(sd)}"
    return f"{mean:.3f} ± {sd:.3f}".replace("-", "−")


def wrapped(lines: Iterable[str], width: int, *, indent: str = "") -> Iterator[str]:
    """Yield lines that a width has room for; those that go on stand two further in."""
    for line in lines:
        yield from textwrap.wrap(
            line, width, initial_indent=indent, subsequent_indent=f"{indent}  ", break_long_words=False
        )


def blocks(
    headings: Sequence[str], rows: Rows, width: int, *, left: int
) -> Iterable[tuple[list[str], list[list[str]]]]:
    """Yield headings and rows in parts that a width has room for, the first `left` columns in each of them."""
    widths = [max(map(len, column)) + 2 for column in zip(headings, *rows, strict=True)]
    start = left
    while start < len(headings):
        stop = start + 1
        while stop < len(headings) and sum(widths[:left]) + sum(widths[start : stop + 1]) - 2 <= width:
            stop += 1
        yield (
            [*headings[:left], *headings[start:stop]],
            [[*row[:left], *row[start:stop]] for row in rows],
        )
        start = stop
