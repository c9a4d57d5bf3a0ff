"""What a command found, as values: scores, and the report that holds them. It knows no latent spaces."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from relcli.errors import FormatError, UsageError, did_you_mean

#: major.minor of the JSON documents; an added key is a minor step, anything else a major one.
SCHEMA_VERSION = "1.1"


@dataclass(frozen=True)
class Interval:
    """A confidence interval: its ends, its level in (0, 1), and how it was made."""

    low: float
    high: float
    level: float
    method: str


@dataclass(frozen=True)
class Null:
    """What the score is when the pairing is permuted `draws` times: mean, deviation, p-value, calibrated value."""

    mean: float | None
    sd: float | None
    p: float | None
    draws: int
    calibrated: float | None = None

    def __post_init__(self) -> None:
        for name in ("mean", "sd", "p", "calibrated"):
            object.__setattr__(self, name, _finite(getattr(self, name)))


@dataclass(frozen=True)
class Draws:
    """What the score is over `count` random choices of anchors: mean and deviation."""

    mean: float | None
    sd: float | None
    count: int

    def __post_init__(self) -> None:
        for name in ("mean", "sd"):
            object.__setattr__(self, name, _finite(getattr(self, name)))


@dataclass(frozen=True)
class Score:
    """
    One measure on one view.

    `value` is None exactly when `undefined_because` says why. `forward` (x to y) and `backward`
    (y to x) are given where a measure has directions; `value` is then their mean. `pairs` counts
    the pairs that were scored, `gallery` the rows that were searched (None where nothing is).
    `section` is the heading the measure stands under, as `retrieval`; `null` and `draws` are there where
    they were asked for. NaN and Inf become None.
    """

    measure: str
    view: str
    value: float | None
    forward: float | None = None
    backward: float | None = None
    interval: Interval | None = None
    chance: float | None = None
    pairs: int = 0
    gallery: int | None = None
    range: tuple[float | None, float | None] = (None, None)
    higher_is_closer: bool = True
    definition: str = ""
    cite: str = ""
    undefined_because: str | None = None
    section: str = ""
    null: Null | None = None
    draws: Draws | None = None

    def __post_init__(self) -> None:
        # guarded here once, so that no table or document ever meets a NaN
        for name in ("value", "forward", "backward", "chance"):
            object.__setattr__(self, name, _finite(getattr(self, name)))
        low, high = self.range
        object.__setattr__(self, "range", (_finite(low), _finite(high)))
        if self.interval and not (math.isfinite(self.interval.low) and math.isfinite(self.interval.high)):
            object.__setattr__(self, "interval", None)
        if self.value is None and not self.undefined_because:
            object.__setattr__(self, "undefined_because", "the value is not a finite number")


@dataclass(frozen=True)
class Group:
    """The scores of the queries that hold `value` in a column of the metadata, against the whole gallery."""

    column: str
    value: str
    pairs: int
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class Report:
    """
    What `compare` found.

    `x`, `y`, `join`, `anchors`, `settings` and `versions` are plain dictionaries of JSON values:
    x, y: name, path, member, format, rows, dim, dtype, id_source, sha256, notes.
    join: by, x_rows, y_rows, pairs, x_only, y_only, dropped (reason -> count).
    anchors: source, strategy, count, seed, sha256, rank_x, rank_y, condition_x, condition_y,
    mean_cosine_x, mean_cosine_y, scored.
    settings: k, measures, views, center, similarity, include_anchors, queries, sampled, seed, preset...
    checks: requirement, passed, value, bound, margin (positive: passed by), severity (fail or warn), reason.
    moved: the items that moved most, each with id, rank_forward, rank_backward, cosine...
    """

    command: str
    x: dict[str, Any]
    y: dict[str, Any]
    join: dict[str, Any]
    anchors: dict[str, Any]
    scores: tuple[Score, ...]
    settings: dict[str, Any]
    versions: dict[str, str]
    notes: tuple[str, ...] = ()
    checks: tuple[dict[str, Any], ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    moved: tuple[dict[str, Any], ...] = ()

    def score(self, measure: str, view: str = "relative") -> Score:
        """Return the score of `measure` on `view`; UsageError where the report does not hold it."""
        for score in self.scores:
            if score.measure == measure and score.view == view:
                return score
        held = [f"{score.view}.{score.measure}" for score in self.scores]
        raise UsageError(
            f"The report holds no {view}.{measure}; it has {', '.join(held)}.{did_you_mean(f'{view}.{measure}', held)}"
        )

    @property
    def views(self) -> tuple[str, ...]:
        """Return the views that were scored, in order of first appearance."""
        return tuple(dict.fromkeys(score.view for score in self.scores))

    def sections(self) -> dict[str, dict[str, dict[str, Score]]]:
        """Return section -> measure -> view -> score, each in order of first appearance."""
        sections: dict[str, dict[str, dict[str, Score]]] = {}
        for score in self.scores:
            sections.setdefault(score.section, {}).setdefault(score.measure, {})[score.view] = score
        return sections


def to_document(report: Report) -> dict[str, Any]:
    """Return the report as JSON values, with null for every NaN and Inf."""
    document: dict[str, Any] = json_value({"schema_version": SCHEMA_VERSION, **asdict(report)})
    return document


def from_document(document: Mapping[str, Any]) -> Report:
    """
    Return the report that a document holds.

    Keys that an older minor version lacks take their defaults, those that a newer one added are
    ignored. Another major version is a UsageError.
    """
    _refuse_other_majors(document)
    try:
        known = _known(Report, document)
        for name in ("x", "y", "join", "anchors", "settings", "versions"):
            if not isinstance(known[name], Mapping):
                raise TypeError(f"{name} is no object")
        known["scores"] = tuple(map(score_from, known["scores"]))
        known["groups"] = tuple(map(_group, known.get("groups", ())))
        for name in ("notes", "checks", "moved"):
            known[name] = tuple(known.get(name, ()))
        return Report(**known)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FormatError(
            f"not a report of relcli: {error}. Give a JSON file that `relcli compare` wrote; "
            "`relcli schema` prints what one holds."
        ) from error


def to_json(report: Report) -> str:
    """Return the report as a JSON document."""
    return json_text(to_document(report))


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def json_value(value: Any) -> Any:
    """Return a value as JSON can hold it, with None for every NaN and Inf."""
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if hasattr(value, "item"):  # a numpy or torch scalar, without importing either
        value = value.item()
    return _finite(value) if isinstance(value, float) else value


def document_of(found: Any, command: str, version: str) -> dict[str, Any]:
    """Return what a command found, a dataclass of plain values, as the JSON values of its document."""
    document: dict[str, Any] = json_value({"schema_version": version, "command": command, **asdict(found)})
    return document


def json_text(document: Any) -> str:
    """Return JSON values as the text of a document."""
    return json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _known(kind: type, document: Mapping[str, Any]) -> dict[str, Any]:
    names = {item.name for item in fields(kind)}
    return {key: value for key, value in document.items() if key in names}


def score_from(document: Mapping[str, Any]) -> Score:
    """Return the score that a part of a document holds."""
    known = _known(Score, document)
    if not (isinstance(known["measure"], str) and isinstance(known["view"], str)):
        raise TypeError("a score's measure and view are texts")
    for name, kind in _PARTS.items():
        if known.get(name) is not None:
            known[name] = kind(**_known(kind, known[name]))
    if "range" in known:
        low, high = known["range"]
        known["range"] = (low, high)
    return Score(**known)


_PARTS: dict[str, type] = {"interval": Interval, "null": Null, "draws": Draws}


def _group(document: Mapping[str, Any]) -> Group:
    known = _known(Group, document)
    known["scores"] = tuple(map(score_from, known["scores"]))
    return Group(**known)


def _refuse_other_majors(document: Mapping[str, Any]) -> None:
    written = document.get("schema_version") if isinstance(document, Mapping) else None
    if not isinstance(written, str):
        raise FormatError(
            "not a report of relcli: it has no schema_version. Give a JSON file that `relcli compare` wrote."
        )
    major = SCHEMA_VERSION.partition(".")[0]
    if written.partition(".")[0] != major:
        raise UsageError(
            f"the report is written in schema {written}, and this relcli reads {major}.x. "
            f"Install the relcli that wrote it, or compare again with this one."
        )
