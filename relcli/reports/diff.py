"""Two reports side by side: what changed, whether they may be compared at all, and how far a score may fall."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from relcli.errors import UsageError
from relcli.reports import phrases
from relcli.reports.checks import (
    Check,
    Evidence,
    Known,
    Reading,
    Requirement,
    Target,
    higher_is_better,
    parse_limit,
    parse_number,
    read,
    refuse_unknown,
    split_name,
)
from relcli.reports.reading import read_report
from relcli.reports.report import Report, Score, document_of, json_text
from relcli.reports.schema import Schema, list_of, maybe, object_of, text

if TYPE_CHECKING:
    from rich.console import Console

#: major.minor of the JSON document; an added key is a minor step, anything else a major one.
DIFF_VERSION = "1.0"

#: Settings that a score depends on: two reports that differ in one of them measure different things.
_SETTINGS = (
    "views",
    "k",
    "similarity",
    "center",
    "standardize",
    "l2",
    "quantize",
    "sparse",
    "include_anchors",
    "preset",
    # of a search
    "via",
    "scores",
    "csls",
    "index",
)


@dataclass(frozen=True)
class Limit:
    """How far a score may move from a baseline: down for --max-drop, up for --max-rise. `share` is of its old value."""

    text: str
    target: Target
    amount: float
    share: bool
    flag: str


@dataclass(frozen=True)
class Change:
    """
    One score in both reports.

    `interval` is the half-width √(old² + new²) of the two intervals; `verdict` is better, worse, same
    (the change is within it), undefined, added or removed.
    """

    measure: str
    view: str
    old: float | None
    new: float | None
    delta: float | None
    interval: float | None
    verdict: str
    higher_is_closer: bool


@dataclass(frozen=True)
class Diff:
    """What changed from an old report to a new one; `differences` names the conventions that are not the same."""

    old: dict[str, Any]
    new: dict[str, Any]
    changes: tuple[Change, ...]
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


# --- may the two be compared? ---


def differences(old: Report, new: Report) -> list[str]:
    """Return the conventions in which two reports differ, so that their scores do not compare."""
    found = [f"command ({old.command} and {new.command})"] if old.command != new.command else []
    if old.anchors.get("sha256") != new.anchors.get("sha256"):
        found.append(f"anchors ({_anchors(old)} and {_anchors(new)})")
    if old.join.get("by") != new.join.get("by"):
        found.append(f"how rows are paired (by {old.join.get('by')} and by {new.join.get('by')})")
    for name in _SETTINGS:
        before, after = old.settings.get(name), new.settings.get(name)
        # a setting that an older version lacks was off
        if (before or None) != (after or None):
            found.append(f"{name.replace('_', '-')} ({_shown(before)} and {_shown(after)})")
    return found


def refuse_different(old: Report, new: Report) -> None:
    """Raise UsageError, naming the difference, where two reports' scores do not compare."""
    found = differences(old, new)
    if found:
        raise UsageError(
            f"The two reports do not compare: they differ in {'; '.join(found)}. "
            "Compare again with the same, or pass --force."
        )


def cautions(old: Report, new: Report) -> list[str]:
    """Return what a reader should know before trusting a change: other galleries, queries or versions."""
    facts = {
        "pairs": (old.join.get("pairs"), new.join.get("pairs")),
        "queries": (_queries(old), _queries(new)),
        "versions of relcli": (old.versions.get("relcli"), new.versions.get("relcli")),
    }
    return [
        f"{name}: {_shown(before)} in the old report, {_shown(after)} in the new one"
        for name, (before, after) in facts.items()
        if before != after
    ]


def _queries(report: Report) -> Any:
    asked = report.settings.get("queries") or report.extra.get("queries")
    return asked.get("counted", asked.get("count")) if isinstance(asked, Mapping) else asked


def _anchors(report: Report) -> str:
    digest = report.anchors.get("sha256")
    return f"{report.anchors.get('count', 'no')}, {str(digest)[:8]}…" if digest else "none"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def warnings(old: Report | None, new: Report) -> list[str]:
    """Return what a verdict on the change from an old report should be read with, nothing where there is none."""
    if old is None:
        return []
    return [*(f"the reports differ in {difference}" for difference in differences(old, new)), *cautions(old, new)]


def read_both(new: str, old: str | None) -> tuple[Report, Report | None]:
    """Return a report and an older one, where there is one; only one of them may come from stdin."""
    if new == old == "-":
        raise UsageError("Both reports cannot come from stdin. Name a file for one of them.")
    return read_report(new), read_report(old) if old is not None else None


def refuse_idle(
    required: Sequence[Requirement], limits: Sequence[Limit], baseline: str | None, *, significant: bool, force: bool
) -> None:
    """Raise UsageError where nothing would be tested, or a flag says nothing without another."""
    if limits and baseline is None:
        raise UsageError(f"--{limits[0].text}: fallen from what? Name an older report with --baseline.")
    if baseline is not None and not limits:
        raise UsageError("--baseline alone tests nothing. Say how far a score may move: --max-drop mrr=1%.")
    for flag, given in (("--significant", significant), ("--force", force)):
        if given and baseline is None:
            raise UsageError(f"{flag} is about a baseline. Name an older report with --baseline.")
    if not required and not limits:
        raise UsageError(
            "Nothing to test. Add --check 'mrr>=0.9', or checks = [\"mrr>=0.9\"] in relcli.toml, or --baseline and "
            "--max-drop mrr=1%."
        )


# --- a gate against a baseline ---


def parse_limits(drops: Iterable[str] | None, rises: Iterable[str] | None) -> tuple[Limit, ...]:
    """Return what --max-drop and --max-rise allow; "mrr=1%" is a share of the old value, "mrr=0.01" absolute."""
    flags = (("--max-drop", drops), ("--max-rise", rises))
    return tuple(_parse_limit(text, flag) for flag, texts in flags for text in texts or ())


def _parse_limit(text: str, flag: str) -> Limit:
    target, written = parse_limit(text, flag)
    share = written.endswith("%")
    amount = parse_number(written.removesuffix("%"), f"{flag} {text}")
    if amount < 0:
        raise UsageError(f"{flag} {text}: {written} is negative. Give how far it may move, 0 or more.")
    return Limit(
        f"{flag.removeprefix('--')} {target}={written}", target, amount / 100 if share else amount, share, flag
    )


def against_baseline(
    new: Report, old: Report, limits: Iterable[Limit], known: Known, *, significant: bool = False
) -> tuple[Check, ...]:
    """
    Return whether each score keeps within its limit of the old report's value.

    With `significant`, a change no larger than the combined interval passes, too; where a score has no
    interval it is held to its limit alone.
    """
    evidence = Evidence.of(new), Evidence.of(old)
    return tuple(_hold(limit, *evidence, known, significant=significant) for limit in limits)


def _hold(limit: Limit, new: Evidence, old: Evidence, known: Known, *, significant: bool) -> Check:
    _refuse_wrong_way(limit, new, known)
    after = read(limit.target, new, known)
    # the same view in both, whichever the new report was read on
    before = read(limit.target, old, known, view=after.view)
    if after.value is None:
        return Check(limit.text, False, reason=after.reason)
    gone = _groups(limit.target, old) - _groups(limit.target, new)
    if limit.target.fold and gone:
        # a group that is no longer there cannot be said not to have dropped
        return Check(limit.text, False, reason=f"no {limit.target.column} is {', '.join(sorted(gone))} any more")
    if before.value is None:
        return Check(limit.text, False, value=after.value, reason=f"in the baseline, {before.reason}")
    allowed = limit.amount * abs(before.value) if limit.share else limit.amount
    reason = f"was {before.value!r}"
    noise = _combined(before, after) if significant and _is_value(limit.target, new, known) else None
    if noise is not None and noise > allowed:
        allowed, reason = noise, f"{reason}; combined interval ±{noise:.4g}"
    if limit.flag == "--max-drop":
        bound = before.value - allowed
        return Check(limit.text, after.value >= bound, after.value, bound, after.value - bound, reason=reason)
    bound = before.value + allowed
    return Check(limit.text, after.value <= bound, after.value, bound, bound - after.value, reason=reason)


def _groups(target: Target, evidence: Evidence) -> set[str]:
    return {group.value for group in evidence.groups if group.column == target.column}


def _refuse_wrong_way(limit: Limit, evidence: Evidence, known: Known) -> None:
    refuse_unknown([Requirement(limit.text, limit.target, ">=", 0)], known, evidence)
    _, measure, part = split_name(limit.target.name, known, evidence)
    higher = higher_is_better(measure, part, known, evidence)
    if higher != (limit.flag == "--max-drop"):
        closer, right = ("higher", "--max-drop") if higher else ("lower", "--max-rise")
        raise UsageError(
            f"--{limit.text} would fail the closer spaces: of {limit.target}, {closer} is closer. "
            f"Use {right} {limit.text.partition(' ')[2]}."
        )


def _is_value(target: Target, evidence: Evidence, known: Known) -> bool:
    return split_name(target.name, known, evidence)[2] == "value"


def _combined(old: Reading, new: Reading) -> float | None:
    return combined_interval(old.score, new.score) if old.score and new.score else None


def combined_interval(old: Score, new: Score) -> float | None:
    """Return √(old half-width² + new half-width²), None where one of them has no interval."""
    if old.interval is None or new.interval is None:
        return None
    return math.hypot((old.interval.high - old.interval.low) / 2, (new.interval.high - new.interval.low) / 2)


# --- the change table ---


def diff(old: Report, new: Report) -> Diff:
    """Return what changed in every score that one of two reports holds, in the order of the new one."""
    before = {(score.view, score.measure): score for score in old.scores}
    after = {(score.view, score.measure): score for score in new.scores}
    changes = (_change(before.get(key), after.get(key)) for key in dict.fromkeys([*after, *before]))
    return Diff(_facts(old), _facts(new), tuple(changes), tuple(differences(old, new)), tuple(cautions(old, new)))


def _facts(report: Report) -> dict[str, Any]:
    return {"command": report.command, "x": report.x, "y": report.y, "anchors": report.anchors}


def _change(old: Score | None, new: Score | None) -> Change:
    score = new or old
    assert score is not None
    before, after = (side.value if side else None for side in (old, new))
    change = Change(score.measure, score.view, before, after, None, None, "undefined", score.higher_is_closer)
    if old is None or new is None:
        return replace(change, verdict="removed" if new is None else "added")
    if before is None or after is None:
        return change
    delta, noise = after - before, combined_interval(old, new)
    same = abs(delta) <= (noise or 0)
    verdict = "same" if same else "better" if (delta > 0) == score.higher_is_closer else "worse"
    return replace(change, delta=delta, interval=noise, verdict=verdict)


def to_json(found: Diff) -> str:
    """Return the JSON document."""
    return json_text(document_of(found, "diff", DIFF_VERSION))


def diff_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of a diff; minor versions may add keys."""
    change = {
        "measure": text("Name of the measure."),
        "view": text("The representation that was measured."),
        "old": maybe("number", "The old score, null where there is none."),
        "new": maybe("number", "The new score, null where there is none."),
        "delta": maybe("number", "New minus old."),
        "interval": maybe("number", "Half-width of the combined interval of both."),
        "verdict": {
            "enum": ["better", "worse", "same", "undefined", "added", "removed"],
            "description": "What it means.",
        },
        "higher_is_closer": {"type": "boolean", "description": "Whether closer spaces score higher."},
    }
    version = {"type": "string", "pattern": rf"^{DIFF_VERSION.partition('.')[0]}\.\d+$"}
    sides = {side: _side(side) for side in ("old", "new")}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:relcli:diff:{DIFF_VERSION}",
        **object_of(
            "relcli diff",
            "What changed from one report to another.",
            {
                "schema_version": version | {"description": "Version of this document; an added key is a minor step."},
                "command": {"const": "diff"},
                **sides,
                "changes": list_of(object_of("Change", "One score in both.", change), "One entry a score."),
                "differences": list_of({"type": "string"}, "Conventions in which the reports differ."),
                "notes": list_of({"type": "string"}, "What a reader should know before trusting a change."),
            },
        ),
    }


def _side(side: str) -> Schema:
    parts = {name: {"type": "object", "description": f"As in the {side} report."} for name in ("x", "y", "anchors")}
    return object_of(side, f"What the {side} report was about.", {"command": text("Its command."), **parts})


def to_markdown(found: Diff) -> str:
    """Return the change table in Markdown, fit for a comment on a pull request."""
    from relcli.reports.markdown import bullets, code, escape, paragraphs

    rows = [["measure", "view", "old", "new", "Δ", "±", ""], [":--", ":--", "--:", "--:", "--:", "--:", ":--"]]
    rows += [[escape(cell) for cell in row] for row in _rows(found)]
    names = (" ↔ ".join(code(side[space].get("name")) for space in ("x", "y")) for side in (found.old, found.new))
    blocks = [
        "### relcli diff: " + " → ".join(names),
        "\n".join(f"| {' | '.join(row)} |" for row in rows),
        bullets(map(escape, _notes(found))),
    ]
    return paragraphs(blocks)


def to_text(found: Diff, *, width: int = 80) -> str:
    """Return the change table without colour."""
    import io

    from rich.console import Console

    file = io.StringIO()
    print_diff(found, Console(file=file, width=width, color_system=None, legacy_windows=False))
    return file.getvalue()


def print_diff(found: Diff, console: Console) -> None:
    """Print the change table; no number and no name is ever cut."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from relcli.reports.table import print_parts

    header = Table.grid(padding=(0, 2, 0, 0))
    for label, side in (("old", found.old), ("new", found.new)):
        header.add_row(Text(label, style="bold"), Text(" ↔ ".join(str(side[name].get("name")) for name in "xy")))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("measure", "view"):
        table.add_column(heading, no_wrap=True)
    for heading in ("old", "new", "Δ", "±"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for row in _rows(found):
        row[1] = phrases.stacked(row[1])
        table.add_row(
            *map(Text, row[:-1]), Text(row[-1], style={"better": "green", "worse": "bold red"}.get(row[-1], "dim"))
        )
    table.width = console.measure(table, options=console.options.update(width=100_000)).maximum
    notes = [Text(f"note {note}") for note in _notes(found)]
    print_parts([header, "", table, "", *notes] if notes else [header, "", table], console)


def _notes(found: Diff) -> Iterator[str]:
    yield from (f"the reports differ in {difference}" for difference in found.differences)
    yield from found.notes


def _rows(found: Diff) -> Iterator[list[str]]:
    for change in found.changes:
        arrow = "↑" if change.higher_is_closer else "↓"
        figures = [_figure(change.old), _figure(change.new), _signed(change.delta), _figure(change.interval)]
        yield [f"{change.measure} {arrow}", change.view, *figures, change.verdict]


def _figure(value: float | None) -> str:
    return phrases.MISSING if value is None else phrases.number(value)


def _signed(value: float | None) -> str:
    if value is None:
        return phrases.MISSING
    return f"+{phrases.number(value)}" if value > 0 else phrases.number(value)


FORMATS: dict[str, Callable[[Diff], str]] = {"table": to_text, "json": to_json, "markdown": to_markdown}
