"""How a report is put in words: its numbers, cells and facts, for every format that people read."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from relcli.reports.report import Draws, Null, Report, Score

MISSING = "–"

#: What a terminal would obey rather than show: controls, and signs that turn the direction of text.
_UNSHOWN = dict.fromkeys((*range(32), *range(127, 160), *range(8234, 8239), *range(8294, 8298)), "�")
del _UNSHOWN[ord("\n")]


def printable(text: str) -> str:
    """Return text of the user's files with what a terminal would obey replaced."""
    return text.translate(_UNSHOWN)


def number(value: float, *, rank: bool = False, decimals: int = 3) -> str:
    """Return a number in three decimals, with an exponent where those would hide it; a rank in one."""
    size = abs(value)
    if rank or 1000 <= size < 1e6:
        return f"{value:,.1f}"
    if size >= 1e6 or 0 < size < 0.0005:
        mantissa, exponent = f"{value:.{min(decimals, 1)}e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{value or 0.0:.{decimals}f}"  # `or`: no "-0.000"


def stacked(view: str) -> str:
    """Return the name of a view, members of a product of ways on lines of their own, as what is added to a long one."""
    if not view.startswith("product:"):
        return view if len(view) <= 32 else view.replace("+", "\n  +")
    return re.sub(r"^product:|,(?=relative|translate|absolute)", lambda found: f"{found[0]}\n  ", view)


@dataclass(frozen=True)
class Column:
    """A column of every view: its heading, and what it shows of a score ("" for nothing)."""

    heading: str
    cell: Callable[[Score], str]


class Cell(NamedTuple):
    """What one column shows of one score; no score, no text."""

    text: str
    column: Column
    score: Score | None


def rows_of(report: Report, columns: Sequence[Column], views: Sequence[str]) -> dict[str, dict[str, list[list[Cell]]]]:
    """Return section -> measure's label -> its cells in each view, without the rows that show nothing."""
    sections: dict[str, dict[str, list[list[Cell]]]] = {}
    for section, measures in report.sections().items():
        for by_view in measures.values():
            cells = [
                [Cell(column.cell(score) if score else "", column, score) for column in columns]
                for score in map(by_view.get, views)
            ]
            if any(cell.text for of_view in cells for cell in of_view):
                label = measure_label(next(iter(by_view.values())))
                sections.setdefault(section, {})[label] = cells
    return sections


def columns_for(report: Report, *names: str) -> list[Column]:
    """
    Return the named columns that are not empty.

    value, interval, half-width, chance, x→y, y→x, null (mean ± deviation), p, calibrated, draws (mean ± deviation).
    """
    footnotes = footnotes_of(report)

    def value(score: Score) -> str:
        if score.undefined_because is not None:
            return f"{MISSING} ({footnotes[score.undefined_because]})"
        return _figure(score, score.value)

    level = next((f"{s.interval.level:.0%}".replace("%", " %") for s in report.scores if s.interval), "95 %")
    columns = {
        "value": Column("value", value),
        "interval": Column(level, interval),
        "half-width": Column(f"± {level}", _half_width),
        "chance": Column("chance", lambda score: _figure(score, score.chance)),
        "x→y": Column("x→y", lambda score: _figure(score, score.forward)),
        "y→x": Column("y→x", lambda score: _figure(score, score.backward)),
        "null": Column("null", lambda score: _spread(score, score.null)),
        "p": Column("p", lambda score: "" if score.null is None or score.null.p is None else number(score.null.p)),
        "calibrated": Column("calibrated", lambda score: _calibrated(score)),
        "draws": Column("draws", lambda score: _spread(score, score.draws)),
    }
    return [columns[name] for name in names if any(map(columns[name].cell, report.scores))]


def footnotes_of(report: Report) -> dict[str, int]:
    """Return each reason for an undefined score with its footnote number, in reading order."""
    reasons = (
        by_view[view].undefined_because
        for measures in report.sections().values()
        for by_view in measures.values()
        for view in report.views
        if view in by_view
    )
    return {reason: place for place, reason in enumerate(dict.fromkeys(filter(None, reasons)), start=1)}


def measure_label(score: Score) -> str:
    """Return the measure's name with the direction in which spaces are closer."""
    return f"{score.measure} {'↑' if score.higher_is_closer else '↓'}"


def space_facts(space: Mapping[str, Any]) -> list[str]:
    """Return what a reader should know of a space beside its name."""
    size = " × ".join(_count(space[key]) for key in ("rows", "dim") if space.get(key) is not None)
    ids = space.get("id_source")
    return _present(size, space.get("dtype"), space.get("format"), f"ids: {ids}" if ids else None)


def join_facts(join: Mapping[str, Any]) -> list[str]:
    """Return how many rows were matched, and what became of the others."""
    by = f" by {join['by']}" if join.get("by") else ""
    return _present(
        f"{_count(join['pairs'])} pairs{by}" if "pairs" in join else None,
        *(f"{_count(join[f'{side}_only'])} only in {side}" for side in "xy" if join.get(f"{side}_only")),
        *(f"{_count(count)} dropped ({reason})" for reason, count in join.get("dropped", {}).items() if count),
    )


def anchor_facts(anchors: Mapping[str, Any]) -> list[str]:
    """Return how many anchors there are, where they came from and how well they span each space."""
    if not anchors:
        return []
    source, strategy, seed = (anchors.get(key) for key in ("source", "strategy", "seed"))
    count, scored = _count(anchors.get("count")), anchors.get("scored")
    # a seed tells that they were drawn; the path is in the JSON
    origin = f"{strategy or ''} from {os.path.basename(str(source))}" if source and seed is None else strategy
    return _present(
        " ".join(_present(count, origin and origin.removeprefix("listed").strip())),
        f"{_count(anchors['missing'])} missing" if anchors.get("missing") else None,
        f"seed {seed}" if seed is not None else None,
        _both("rank", anchors, "rank", _count),
        _both("condition", anchors, "condition", lambda v: f"{v:,.0f}" if 1 <= v < 1e6 else number(v, decimals=1)),
        _both("mean cosine", anchors, "mean_cosine", number),
        None if scored is None else "scored" if scored else "not scored",
    )


def setting_facts(settings: Mapping[str, Any]) -> list[str]:
    """Return the settings that the scores depend on most."""
    queries = settings.get("queries")
    return _present(
        f"{_count(queries)} queries{' (sampled)' if settings.get('sampled') else ''}" if queries else None,
        f"k = {settings['k']}" if settings.get("k") else None,
        f"{settings['similarity']} similarity" if settings.get("similarity") else None,
        f"rounded to {settings['quantize']:g}" if settings.get("quantize") else None,
        "the {} largest, to the power {:g}".format(*settings["sparse"]) if settings.get("sparse") else None,
        "unit rows" if settings.get("l2") else None,
        "standardised" if settings.get("standardize") else "centred" if settings.get("center") else None,
        f"preset {settings['preset']}" if settings.get("preset") else None,
    )


def check_lines(checks: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return for each check ✓, ✗ or ! (a warning), and its requirement with value, bound and margin."""
    return [(check_mark(check), check_line(check)) for check in checks]


def check_mark(check: Mapping[str, Any]) -> str:
    """Return ✓ where a check held, ! where only a warning did not, else ✗."""
    return "✓" if check["passed"] else "!" if check.get("severity") == "warn" else "✗"


def check_line(check: Mapping[str, Any]) -> str:
    """Return the requirement, then value and bound, in as many digits as tell them apart, margin and reason."""
    known = [name for name in ("value", "bound") if check.get(name) is not None]
    facts = [f"{name} {text}" for name, text in zip(known, apart([check[name] for name in known]), strict=True)]
    if check.get("margin") is not None:
        facts.append(f"margin {check['margin']:+.4g}")
    told = f": {joined(facts)}" if facts else ""
    reason = f" ({check['reason']})" if check.get("reason") else ""
    return f"{check.get('requirement', '')}{told}{reason}"


def apart(values: Sequence[float]) -> list[str]:
    """Return numbers in five significant digits, or in as many more as tell those apart that are not equal."""
    for digits in range(5, 18):
        texts = [_significant(value, digits) for value in values]
        if len(set(texts)) >= len(set(values)):
            break
    return texts


def _significant(value: float, digits: int) -> str:
    """Return a number as Python writes it, in so many significant digits; all before its point stand."""
    if isinstance(value, int) or not math.isfinite(value):
        return f"{value!r}"
    whole = len(f"{abs(value):.0f}")
    return f"{float(f'{value:.{max(digits, whole)}g}')!r}"


def is_urgent(note: str) -> bool:
    """Return whether a note begins in capitals: it says that the comparison may not be what it seems."""
    return note.partition(":")[0].isupper() and note.partition(":")[0].count(" ") > 0


def urgent(notes: Iterable[str]) -> list[str]:
    """Return the notes that stand before everything else."""
    return [note for note in notes if is_urgent(note)]


def calm(notes: Iterable[str]) -> list[str]:
    """Return the notes that stand below the figures."""
    return [note for note in notes if not is_urgent(note)]


def note_lines(report: Report) -> list[str]:
    """Return the notes on the report that are not urgent, then those on each space."""
    spaces = (("x", report.x), ("y", report.y))
    return [
        *calm(report.notes),
        *(f"{side}: {note}" for side, space in spaces for note in space.get("notes") or ()),
    ]


def joined(facts: Iterable[str]) -> str:
    """Return facts on one line."""
    return " · ".join(facts)


def _figure(score: Score, value: float | None) -> str:
    # among the measures only a rank starts at 1
    return "" if value is None else number(value, rank=score.range[0] == 1)


def _spread(score: Score, of: Null | Draws | None) -> str:
    return "" if of is None or of.mean is None else f"{_figure(score, of.mean)} ± {_figure(score, of.sd) or MISSING}"


def _calibrated(score: Score) -> str:
    return "" if score.null is None or score.null.calibrated is None else number(score.null.calibrated)


def moved_rows(report: Report) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows of the items that moved most."""
    keys = list(dict.fromkeys(key for item in report.moved for key in item))
    headings = [_MOVED.get(key, key.replace("_", " ")) for key in keys]
    return headings, [[_plain(key, item.get(key)) for key in keys] for item in report.moved]


_MOVED = {"rank_forward": "rank x→y", "rank_backward": "rank y→x", "reciprocal_rank": "1/rank"}


def _plain(key: str, value: Any) -> str:
    if isinstance(value, float | int) and not isinstance(value, bool):
        return number(value, rank=key.startswith("rank"))
    return "" if value is None else str(value)


#: Groups that people are shown; all of them are in the JSON.
GROUPS_SHOWN = 20


def group_order(report: Report) -> str:
    """Return in what order groups are: by the first score that any of them has."""
    by_score = zip(*(group.scores for group in report.groups), strict=True)
    deciding = next((of_all[0] for of_all in by_score if any(score.value is not None for score in of_all)), None)
    return f", worst {deciding.measure} ({deciding.view}) first" if deciding else ""


def group_title(report: Report) -> str:
    """Return what the groups are by, and how many are not shown."""
    more = len(report.groups) - GROUPS_SHOWN
    order = group_order(report)
    return f"by {report.groups[0].column}{order}" + (f", and {more:,} more in the JSON" if more > 0 else "")


def group_rows(report: Report) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows of the groups: label, queries, and the first two measures of each section."""
    first = report.groups[0].scores
    view = first[0].view if first else None
    shown: list[str] = []
    sections: dict[str, int] = {}
    for score in first:
        if score.view == view and sections.setdefault(score.section, 0) < 2:
            sections[score.section] += 1
            shown.append(score.measure)
    labels = {score.measure: measure_label(score) for score in first}
    rows = []
    for group in report.groups[:GROUPS_SHOWN]:
        of_view = {score.measure: score for score in group.scores if score.view == view}
        rows.append(
            [
                group.value,
                _count(group.pairs),
                *(_figure(of_view[name], of_view[name].value) or MISSING for name in shown),
            ]
        )
    return [f"{report.groups[0].column}", "queries", *(labels[name] for name in shown)], rows


def interval(score: Score) -> str:
    """Return the ends of a score's interval, "" where it has none."""
    if score.interval is None:
        return ""
    return f"[{_figure(score, score.interval.low)}, {_figure(score, score.interval.high)}]"


def _half_width(score: Score) -> str:
    if score.interval is None:
        return ""
    half = (score.interval.high - score.interval.low) / 2
    rank = score.range[0] == 1
    # one digit of an error is enough once it needs an exponent
    return "±" + number(half, rank=rank, decimals=0 if 0 < half < 0.0005 else 3)


def _both(label: str, anchors: Mapping[str, Any], key: str, form: Callable[[Any], str]) -> str | None:
    values = [anchors.get(f"{key}_{side}") for side in "xy"]
    if all(value is None for value in values):
        return None
    return f"{label} " + " / ".join(MISSING if value is None else form(value) for value in values)


def _count(value: int | str | None) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value or "")


def _present(*facts: str | None) -> list[str]:
    return [fact for fact in facts if fact]
