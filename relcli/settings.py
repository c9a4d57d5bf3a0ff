"""What is configured: relcli.toml or [tool.relcli] in pyproject.toml, then RELCLI_* of the environment over it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relcli.errors import UsageError, did_you_mean

PREFIX = "RELCLI_"

#: Variables of this prefix that are not settings: the tests' own.
NOT_SETTINGS = ("RELCLI_SHARED", "RELCLI_UPDATE_GOLDENS")

FILE, PROJECT = "relcli.toml", "pyproject.toml"


@dataclass(frozen=True)
class Kind:
    """A kind of value: what it is called, how a TOML value and a text of the environment become one (None: refused)."""

    called: str
    of_toml: Callable[[Any], Any]
    of_text: Callable[[str], Any]
    is_path: bool = False


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _texts(value: Any) -> list[str] | None:
    values = [value] if isinstance(value, str) else value
    good = isinstance(values, list) and all(isinstance(item, str) and item for item in values)
    return values if good and values else None


def _commas(value: Any) -> str | None:
    texts = _texts(value)
    return ",".join(texts) if texts else None


def _switch(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _switch_of_text(text: str) -> bool | None:
    return {
        "true": True,
        "1": True,
        "yes": True,
        "on": True,
        "false": False,
        "0": False,
        "no": False,
        "off": False,
    }.get(text.lower())


def _whole_of_text(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else None


def _count(value: Any) -> str | None:
    return str(value) if _whole(value) is not None else _text(value)


TEXT = Kind("a text", _text, _text)
PATH = Kind("the name of a file", _text, _text, is_path=True)
WHOLE = Kind("a whole number", _whole, _whole_of_text)
SWITCH = Kind("true or false", _switch, _switch_of_text)
COUNT = Kind("a whole number or a text", _count, _text)
NAMES = Kind("a list of names", _commas, _text)
LIST = Kind("a list of texts", _texts, lambda text: _texts([part.strip() for part in text.split(",") if part.strip()]))
CHECKS = Kind(
    "a list of checks", _texts, lambda text: _texts([part.strip() for part in re.split(r"[;\n]", text) if part.strip()])
)

#: What may be set, by the name of its flag.
KEYS: dict[str, Kind] = {
    "x": PATH,
    "y": PATH,
    "anchors": PATH,
    "measures": NAMES,
    "k": WHOLE,
    "view": LIST,
    "similarity": TEXT,
    "center": SWITCH,
    "include-anchors": SWITCH,
    "sample": COUNT,
    "seed": WHOLE,
    "preset": TEXT,
    "ids-x": PATH,
    "ids-y": PATH,
    "key-x": TEXT,
    "key-y": TEXT,
    "id-column": TEXT,
    "pairs": PATH,
    "on-duplicate": TEXT,
    "on-bad": TEXT,
    "missing-anchors": TEXT,
    "strict": SWITCH,
    "checks": CHECKS,
    "group-by": TEXT,
    "metadata": PATH,
    "null": WHOLE,
    "anchor-draws": WHOLE,
    "quiet": SWITCH,
    "workers": WHOLE,
    "tier": TEXT,
}

#: Keys that the command line's functions know by another name than their flag's.
_PARAMETERS = {"checks": "check"}

# "uniform:300" chooses anchors and names no file
_CHOICE = re.compile(r"[a-z-]+:\d+")


@dataclass(frozen=True)
class Setting:
    """A value in force, and where it comes from."""

    value: Any
    source: str


@dataclass(frozen=True)
class Settings:
    """What is set: by key, from which file, and the names of its pairs."""

    values: dict[str, Setting]
    file: Path | None = None
    pairs: tuple[str, ...] = ()

    def parameters(self) -> dict[str, Any]:
        """Return the values by the names of the parameters that they are defaults of."""
        return {_PARAMETERS.get(key, key.replace("-", "_")): setting.value for key, setting in self.values.items()}


def read_settings(folder: Path, environment: Mapping[str, str], *, pair: str | None = None) -> Settings:
    """
    Return what is set for commands that run in `folder`: the environment over the pair over the file.

    Relative paths of a file are relative to its folder. An unknown key or a wrong type is a UsageError.
    """
    file, table = _find(folder)
    pairs = table.get("pairs") if isinstance(table.get("pairs"), dict) else None
    top = {key: value for key, value in table.items() if not (key == "pairs" and pairs is not None)}
    values: dict[str, Setting] = {}
    if file:
        values |= _of_table(top, file, "")
        for name, inner in (pairs or {}).items():
            if not isinstance(inner, dict):
                raise UsageError(
                    f"{_source(file, 'pairs')}: {name} is no table. Write [{_table(file, 'pairs', name)}]."
                )
            of_pair = _of_table(inner, file, f"pairs.{name}")
            values |= of_pair if name == pair else {}
    if pair is not None and pair not in (pairs or {}):
        there = f"there are {', '.join(pairs)}" if pairs else f"{file or 'no configuration'} names none"
        raise UsageError(
            f"No pair is called {pair!r}; {there}. Write [pairs.{pair}] in {FILE}, or [tool.relcli.pairs.{pair}] in "
            f"{PROJECT}.{did_you_mean(pair, pairs or ())}"
        )
    values |= _of_environment(environment)
    return Settings({key: values[key] for key in KEYS if key in values}, file, tuple(pairs or ()))


def _find(folder: Path) -> tuple[Path | None, dict[str, Any]]:
    """Return the nearest configuration, in the folder or above it up to the root of its repository, and its table."""
    folder = folder.resolve()
    above = [folder, *folder.parents]
    root = next((height for height, place in enumerate(above) if (place / ".git").exists()), 0)
    for place in above[: root + 1]:
        if (place / FILE).is_file():
            return place / FILE, _parsed(place / FILE)
        if (place / PROJECT).is_file() and b"tool.relcli" in _content(place / PROJECT):
            table = _parsed(place / PROJECT).get("tool", {}).get("relcli")
            if isinstance(table, dict):
                return place / PROJECT, table
    return None, {}


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}. Make it readable, or move it away.") from error


def _parsed(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_content(file).decode("utf-8-sig"))
    except ValueError as error:
        raise UsageError(f"{file} is not TOML: {error}. Mend it there.") from error


def _table(file: Path, *names: str) -> str:
    return ".".join([*(("tool", "relcli") if file.name == PROJECT else ()), *filter(None, names)])


def _source(file: Path, table: str) -> str:
    inside = _table(file, table)
    return f"{file.name} [{inside}]" if inside else file.name


def _of_table(table: Mapping[str, Any], file: Path, name: str) -> dict[str, Setting]:
    source = _source(file, name)
    settings: dict[str, Setting] = {}
    for written, given in table.items():
        key = _key(written, f"{source} has no setting {written!r}", KEYS)
        if key in settings:
            raise UsageError(f"{source} sets {key} twice, as {written!r} too. Keep one.")
        value = KEYS[key].of_toml(given)
        if value is None:
            raise UsageError(f"{source}: {written} is {given!r}, and takes {KEYS[key].called}.")
        settings[key] = Setting(_beside(file, value) if KEYS[key].is_path else value, source)
    return settings


def _beside(file: Path, value: str) -> str:
    """Return a path of a configuration as seen from the working folder; a choice of anchors as it is."""
    if os.path.isabs(value) or (_CHOICE.fullmatch(value) and not (file.parent / value).exists()):
        return value
    try:
        return os.path.normpath(os.path.join(os.path.relpath(file.parent), value))
    except ValueError:  # another drive
        return str(file.parent / value)


def _of_environment(environment: Mapping[str, str]) -> dict[str, Setting]:
    names = {f"{PREFIX}{key.replace('-', '_').upper()}": key for key in KEYS}
    settings = {}
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name in NOT_SETTINGS:
            continue
        if name not in names:
            raise UsageError(
                f"The environment sets {name}, which is no setting; there are {', '.join(names)}. "
                f"Unset it.{did_you_mean(name, names)}"
            )
        if not text.strip():  # a pipeline's way to leave a variable out
            continue
        kind = KEYS[names[name]]
        value = kind.of_text(text.strip())
        if value is None:
            raise UsageError(f"{name} is {text!r}, and takes {kind.called}.")
        settings[names[name]] = Setting(value, name)
    return settings


def _key(written: str, problem: str, keys: Iterable[str]) -> str:
    key = written.replace("_", "-")
    if key not in keys:
        raise UsageError(f"{problem}; there are {', '.join(keys)}.{did_you_mean(key, keys)}")
    return key


def settings_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of what `relcli config --json` prints."""
    setting = {
        "type": "object",
        "properties": {"value": {"description": "The value in force."}, "source": {"type": "string"}},
        "required": ["value", "source"],
    }
    properties = {
        "schema_version": {"type": "string", "pattern": r"^1\.\d+$"},
        "command": {"const": "config"},
        "file": {"type": ["string", "null"], "description": "The configuration file, null where there is none."},
        "pair": {"type": ["string", "null"], "description": "The pair that was asked for."},
        "pairs": {"type": "array", "items": {"type": "string"}, "description": "The pairs that the file names."},
        "settings": {"type": "object", "additionalProperties": setting, "description": "By the name of the flag."},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:relcli:config:1.0",
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }
