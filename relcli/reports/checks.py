"""Requirements on a report, such as `mrr>=0.9`: read, tested without rounding, and said in words."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from relcli.errors import UsageError, did_you_mean
from relcli.reports.report import Group, Score

#: Name of a measure -> whether higher is closer: what a report might hold.
Known = Mapping[str, bool]

VIEWS = ("relative", "absolute")

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}

#: What may be asked of a score behind a dot: where it stands, and what gives it.
FIELDS: dict[str, tuple[tuple[str, ...], str]] = {
    "value": (("value",), "it is undefined"),
    "low": (("interval", "low"), "it has no interval"),
    "high": (("interval", "high"), "it has no interval"),
    "chance": (("chance",), "its chance level is not known"),
    "forward": (("forward",), "it has no directions"),
    "backward": (("backward",), "it has no directions"),
    "pairs": (("pairs",), "its pairs were not counted"),
    "p": (("null", "p"), "it has no null distribution; add --null 100"),
    "null": (("null", "mean"), "it has no null distribution; add --null 100"),
    "null.mean": (("null", "mean"), "it has no null distribution; add --null 100"),
    "null.sd": (("null", "sd"), "it has no null distribution; add --null 100"),
    "null.calibrated": (("null", "calibrated"), "it has no calibrated value; add --null 100"),
    "calibrated": (("null", "calibrated"), "it has no calibrated value; add --null 100"),
    "draws.mean": (("draws", "mean"), "its anchors were drawn once; add --anchor-draws 10"),
    "draws.sd": (("draws", "sd"), "its anchors were drawn once; add --anchor-draws 10"),
}

#: Fields whose direction is not that of their score: those that are better low, and better high.
_BETTER_LOW, _BETTER_HIGH = ("p", "null.sd", "draws.sd"), ("pairs", "calibrated", "null.calibrated")

#: Share of the rows that were matched: of the larger space, of x, of y.
_COVERAGE = ("coverage", "coverage.x", "coverage.y")

# a view may say +quantize=0.1 or +sparse=100,8
_NAME = r"(?:[^\s<>=!\[\]()]|(?<=\+quantize)=|(?<=\+sparse)=)+"
_OVER_GROUPS = rf"(?P<fold>min|max)\s*\(\s*(?P<folded>{_NAME})\s+by\s+(?P<by>.+?)\s*\)"
_OF_GROUP = rf"(?P<name>{_NAME})\s*(?:\[(?P<column>[^=\]]+)=(?P<value>.*)\])?"
_TARGET = rf"(?:{_OVER_GROUPS}|{_OF_GROUP})"
_REQUIREMENT = re.compile(
    rf"\s*(?:(?P<warn>warn)\s*:)?\s*{_TARGET}\s*(?P<op>>=|<=|==|!=|>|<)\s*(?P<bound>\S+)\s*", re.DOTALL
)
_LIMIT = re.compile(rf"\s*{_TARGET}\s*=\s*(?P<bound>\S+)\s*", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

_EXAMPLES = "such as 'mrr>=0.9', 'relative.jaccard@10>=0.3', 'warn:cosine>=0.8', 'mrr.low>=0.85' or 'mrr[lang=de]>=0.8'"


@dataclass(frozen=True)
class Target:
    """
    What a requirement is about, as written.

    `name` is [view.]measure[.field] or coverage. With `column`, it is that of the group whose `value` this
    is, or with `fold` (min or max) that over all groups.
    """

    name: str
    column: str | None = None
    value: str | None = None
    fold: str | None = None

    def __str__(self) -> str:
        if self.fold:
            return f"{self.fold}({self.name} by {self.column})"
        return self.name if self.column is None else f"{self.name}[{self.column}={self.value}]"


@dataclass(frozen=True)
class Requirement:
    """One requirement: its text, what it is about, an operator and a bound. `flag` names its sugar."""

    text: str
    target: Target
    op: str
    bound: float
    severity: str = "fail"
    flag: str = ""


@dataclass(frozen=True)
class Check:
    """
    One requirement and whether it held.

    `margin` is what it passed by, negative where it failed; `reason` says what the numbers do not.
    A failed one of `severity` "warn" fails no command.
    """

    requirement: str
    passed: bool
    value: float | None = None
    bound: float | None = None
    margin: float | None = None
    severity: str = "fail"
    reason: str | None = None


@dataclass(frozen=True)
class Evidence:
    """What requirements are tested against: scores, and what else of a report they may name."""

    scores: Sequence[Score]
    join: Mapping[str, Any] = field(default_factory=dict)
    groups: Sequence[Group] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    default_view: str | None = None

    @classmethod
    def of(cls, found: Any) -> Evidence:
        """Return the evidence in a Report, or in anything else that has `scores`."""
        parts = {
            name: getattr(found, name)
            for name in ("join", "groups", "settings", "default_view")
            if hasattr(found, name)
        }
        return cls(found.scores, **parts)

    @property
    def views(self) -> tuple[str, ...]:
        """The views that were scored, the usual ones first."""
        scored = dict.fromkeys(score.view for score in _all_scores(self))
        return tuple(dict.fromkeys([*(view for view in VIEWS if view in scored), *scored]))


@dataclass(frozen=True)
class Reading:
    """What a report says of a target: a value or the reason why there is none, and the score it is of."""

    value: float | None
    reason: str | None = None
    score: Score | None = None
    view: str | None = None


def parse_requirements(
    checks: Iterable[str] | None = None, under: Iterable[str] | None = None, over: Iterable[str] | None = None
) -> tuple[Requirement, ...]:
    """Return the requirements that --check, --fail-under and --fail-over name, in this order."""
    return (
        *map(parse_requirement, checks or ()),
        *(_parse_sugar(text, "--fail-under", ">=") for text in under or ()),
        *(_parse_sugar(text, "--fail-over", "<=") for text in over or ()),
    )


def parse_requirement(text: str) -> Requirement:
    """Return what a text such as "warn:relative.jaccard@10>=0.3" requires."""
    match = _REQUIREMENT.fullmatch(text)
    if not match:
        stray = " Write == for equality." if re.search(r"[^<>=!]=[^=]", re.sub(r"\[.*\]", "", text)) else ""
        raise UsageError(f"{text!r} is no check. Write a measure, a comparison and a number, {_EXAMPLES}.{stray}")
    bound = parse_number(match["bound"], text)
    return Requirement(text.strip(), _target(match), match["op"], bound, "warn" if match["warn"] else "fail")


def _parse_sugar(text: str, flag: str, op: str) -> Requirement:
    target, bound = parse_limit(text, flag)
    number = parse_number(bound, f"{flag} {text}")
    return Requirement(f"{target}{op}{bound}", target, op, number, flag=flag)


def parse_limit(text: str, flag: str) -> tuple[Target, str]:
    """Return what NAME=NUMBER is about, and the number as written."""
    match = _LIMIT.fullmatch(text)
    if not match:
        raise UsageError(f"{flag} {text!r} is not NAME=NUMBER, such as {flag} mrr=0.9.")
    return _target(match), match["bound"]


def _target(match: re.Match[str]) -> Target:
    if match["fold"]:
        return Target(match["folded"], _bare(match["by"]), fold=match["fold"])
    if match["column"] is None:
        return Target(match["name"])
    return Target(match["name"], _bare(match["column"]), _bare(match["value"]))


def _bare(text: str) -> str:
    text = text.strip()
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def parse_number(written: str, text: str) -> float:
    if written.endswith("%"):
        raise UsageError(
            f"{text!r}: {written} is a percentage. Write a fraction, as 0.9; only --max-drop takes percent."
        )
    if not _NUMBER.fullmatch(written) or not math.isfinite(float(written)):
        raise UsageError(f"{text!r}: {written!r} is not a number. Write it like 0.9 or 1e-3.")
    return float(written)


def refuse_unknown(requirements: Iterable[Requirement], known: Known, evidence: Evidence | None = None) -> None:
    """
    Raise UsageError where a requirement names what does not exist, or --fail-under stands for --fail-over.

    Without evidence, before anything is computed, columns are not looked at.
    """
    for required in requirements:
        if evidence is not None and required.target.column is not None:
            _members(required.target, evidence)
        _, measure, part = split_name(required.target.name, known, evidence)
        if required.flag:
            _refuse_wrong_way(required, higher_is_better(measure, part, known, evidence))


def _refuse_wrong_way(required: Requirement, higher: bool) -> None:
    if higher == (required.flag == "--fail-under"):
        return
    right = "--fail-under" if higher else "--fail-over"
    raise UsageError(
        f"{required.flag} {required.target}={required.bound:g} would fail the closer spaces: of {required.target}, "
        f"{'higher' if higher else 'lower'} is closer. Use {right} {required.target}={required.bound:g}."
    )


def higher_is_better(measure: str, part: str, known: Known, evidence: Evidence | None) -> bool:
    """Return whether closer spaces have a higher value of this field of a measure."""
    if part in _BETTER_LOW:
        return False
    if part in _BETTER_HIGH or measure in _COVERAGE:
        return True
    for score in _all_scores(evidence):
        if score.measure == measure:
            return score.higher_is_closer
    return known.get(measure, known.get(_family(measure), True))


def judge(found: Any, requirements: Iterable[Requirement], known: Known) -> tuple[Check, ...]:
    """
    Return whether each requirement holds of a Report, or of anything else that has `scores`.

    Values are compared unrounded. What is undefined or missing does not hold. A name that neither the
    report nor `known` has is a UsageError.
    """
    evidence = Evidence.of(found)
    requirements = tuple(requirements)
    refuse_unknown(requirements, known, evidence)
    return tuple(_check(required, read(required.target, evidence, known)) for required in requirements)


def judge_each(found: Any, requirements: Iterable[Requirement], known: Known, *, column: str) -> tuple[Check, ...]:
    """
    Return whether each requirement holds in every group by `column` of anything that has `scores` and `groups`.

    The verdict is that of the worst group, which the reason names; a requirement that names groups itself is
    judged as it says.
    """
    evidence = Evidence.of(found)
    requirements = tuple(requirements)
    refuse_unknown(requirements, known, evidence)
    return tuple(_worst(required, evidence, known, column) for required in requirements)


def _worst(required: Requirement, evidence: Evidence, known: Known, column: str) -> Check:
    if required.target.column is not None:
        return _check(required, read(required.target, evidence, known))
    members = _members(Target(required.target.name, column), evidence)
    checks = []
    for group in members:
        check = _check(required, read(Target(required.target.name, column, group.value), evidence, known))
        reason = f"{column} {group.value}" + (f": {check.reason}" if check.reason else "")
        checks.append(replace(check, reason=reason))
    return min(checks, key=lambda check: (check.passed, check.margin if check.margin is not None else -math.inf))


def _check(required: Requirement, reading: Reading) -> Check:
    check = Check(required.text, False, bound=required.bound, severity=required.severity, reason=reading.reason)
    if reading.value is None:
        return check
    passed = OPERATORS[required.op](reading.value, required.bound)
    return replace(check, passed=passed, value=reading.value, margin=_margin(reading.value, required))


def _margin(value: float, required: Requirement) -> float:
    over = value - required.bound
    return {">": over, "<": -over, "!": abs(over), "=": -abs(over)}[required.op[0]]


def failed(checks: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether one of a report's checks fails the command."""
    return any(not check["passed"] and check.get("severity") != "warn" for check in checks)


def as_documents(checks: Iterable[Check]) -> tuple[dict[str, Any], ...]:
    """Return checks as a Report holds them."""
    return tuple({key: _plain(value) for key, value in asdict(check).items()} for check in checks)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read(target: Target, evidence: Evidence, known: Known, *, view: str | None = None) -> Reading:
    """Return what the evidence says of a target, in `view` where it names none."""
    named, measure, part = split_name(target.name, known, evidence)
    if measure in _COVERAGE:
        return _coverage(measure, evidence.join)
    view = named or view or _default_view(measure, evidence)
    if target.column is None:
        return _field(_find(evidence.scores, measure, view), measure, part, view, evidence)
    members = _members(target, evidence)
    if target.fold is None:
        group = next((group for group in members if group.value == target.value), None)
        if group is None:
            values = [group.value for group in members]
            return Reading(None, f"no {target.column} is {target.value!r}.{did_you_mean(str(target.value), values)}")
        return _field(_find(group.scores, measure, view), measure, part, view, evidence)
    return _folded(target, members, measure, part, view, evidence)


def _folded(
    target: Target, members: Sequence[Group], measure: str, part: str, view: str, evidence: Evidence
) -> Reading:
    readings = []
    for group in members:
        reading = _field(_find(group.scores, measure, view), measure, part, view, evidence)
        if reading.value is None:
            return replace(reading, reason=f"{target.column} {group.value}: {reading.reason}")
        readings.append((reading.value, group.value, reading))
    pick = min if target.fold == "min" else max
    _, value, reading = pick(readings, key=lambda item: item[0])
    return replace(reading, reason=f"{target.column} {value}")


def _members(target: Target, evidence: Evidence) -> list[Group]:
    columns = dict.fromkeys(group.column for group in evidence.groups)
    if target.column not in columns:
        there = f"its groups are by {', '.join(columns)}" if columns else "it has no groups"
        raise UsageError(
            f"{str(target)!r}: the report has no groups by {target.column!r}: {there}. "
            f"Add --group-by {target.column}.{did_you_mean(str(target.column), columns)}"
        )
    return [group for group in evidence.groups if group.column == target.column]


def _find(scores: Iterable[Score], measure: str, view: str) -> Score | None:
    return next((score for score in scores if score.measure == measure and score.view == view), None)


def _default_view(measure: str, evidence: Evidence) -> str:
    """
    Return the relative view where the measure was scored there, else the one where it was.

    Between several methods of a search there is none that is meant: a UsageError, unless the document says which.
    """
    scored = {score.view for score in _all_scores(evidence) if score.measure == measure}
    views = [view for view in evidence.views if view in scored]
    if evidence.default_view in views:
        return str(evidence.default_view)
    if len(views) > 1 and not set(views) <= set(VIEWS):
        raise UsageError(f"{measure!r} was scored by {', '.join(views)}: say which, as in '{views[0]}.{measure}>=…'.")
    return views[0] if views else VIEWS[0]


def _field(score: Score | None, measure: str, part: str, view: str, evidence: Evidence) -> Reading:
    if score is None:
        elsewhere = [other.view for other in evidence.scores if other.measure == measure]
        where = f"it is scored on the {elsewhere[0]} view only" if elsewhere else f"add {measure} to --measures"
        return Reading(None, f"not in this report: {where}", view=view)
    if score.undefined_because is not None:
        return Reading(None, f"undefined: {score.undefined_because}", score, view)
    path, missing = FIELDS[part]
    value: Any = score
    for name in path:
        value = getattr(value, name, None)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Reading(None, missing, score, view)
    return Reading(value, None, score, view) if math.isfinite(value) else Reading(None, "not a number", score, view)


def _coverage(name: str, join: Mapping[str, Any]) -> Reading:
    pairs, x_rows, y_rows = (join.get(key) for key in ("pairs", "x_rows", "y_rows"))
    if not (isinstance(pairs, int) and isinstance(x_rows, int) and isinstance(y_rows, int)) or 0 in (x_rows, y_rows):
        return Reading(None, "the report does not say how its rows were joined")
    if join.get("by") == "row number":
        return Reading(None, "rows were paired by their number, since neither side has ids")
    out_of = {"coverage": max(x_rows, y_rows), "coverage.x": x_rows, "coverage.y": y_rows}[name]
    return Reading(pairs / out_of)


def split_name(name: str, known: Known, evidence: Evidence | None = None) -> tuple[str | None, str, str]:
    """Return the view (None where none is named), the measure and the field that a name stands for."""
    if name in _COVERAGE:
        return None, name, "value"
    names = dict.fromkeys(score.measure for score in _all_scores(evidence))
    views = dict.fromkeys([*VIEWS, *(evidence.views if evidence else ())])
    if evidence and evidence.settings.get("k"):
        name = re.sub(r"@k(?=\.|$)", f"@{evidence.settings['k']}", name)

    def exists(measure: str) -> bool:
        return measure in names or measure in known or (_family(measure) in known and "@" in measure)

    splits = list(_splits(name))
    for view, measure, part in splits:
        if exists(measure) and (view is None or view in views) and part in FIELDS:
            return view, measure, part
    for view, measure, part in splits:
        if exists(measure):
            _refuse_part(name, view, part, views)
    _refuse_measure(name, [*names, *known], views)
    raise AssertionError


def _splits(name: str) -> Iterator[tuple[str | None, str, str]]:
    """Yield view, measure, field for each way to read the dots, the longest measure first; a view may hold dots too."""
    parts = name.split(".")
    ways = [(start, end) for start in range(len(parts)) for end in range(len(parts), start, -1)]
    for start, end in sorted(ways, key=lambda way: way[0] - way[1]):
        yield ".".join(parts[:start]) or None, ".".join(parts[start:end]), ".".join(parts[end:]) or "value"


def _refuse_part(name: str, view: str | None, part: str, views: Iterable[str]) -> None:
    if view is not None and view not in views:
        raise UsageError(
            f"{name!r}: no view is called {view!r}; there are {', '.join(views)}.{did_you_mean(view, views)}"
        )
    raise UsageError(
        f"{name!r}: a score has no field {part!r}; there are {', '.join(FIELDS)}.{did_you_mean(part, FIELDS)}"
    )


def _refuse_measure(name: str, names: Sequence[str], views: Iterable[str]) -> None:
    inner = next((name.removeprefix(f"{view}.") for view in views if name.startswith(f"{view}.")), name)
    for part in FIELDS:
        inner = inner.removesuffix(f".{part}")
    names = list(dict.fromkeys([*names, *_COVERAGE]))
    hint = did_you_mean(inner, names) or did_you_mean(_family(inner), names)
    raise UsageError(f"No measure is called {inner!r}; there are {', '.join(names)}.{hint}")


def _family(measure: str) -> str:
    """Return "jaccard@k" for "jaccard@10", and any other name as it is."""
    stem, at, depth = measure.partition("@")
    return f"{stem}@k" if at and (depth == "k" or (depth.isascii() and depth.isdigit() and int(depth) > 0)) else measure


def _all_scores(evidence: Evidence | None) -> Iterator[Score]:
    if evidence is not None:
        yield from evidence.scores
        for group in evidence.groups:
            yield from group.scores
