"""What was measured, as `results.json` keeps it and as `RESULTS.md` shows it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measuring import Run
from benchmarks.rows.catalog import ROWS, UNMEASURED
from benchmarks.rows.row import Bar, Row

#: All rows measured, by name: documents as `entry` makes them.
Results = dict[str, dict[str, Any]]

HERE = Path(__file__).parent
JSON, PAGE = "results.json", "RESULTS.md"

_HEAD = """\
# Benchmarks

`make bench` measures all of this and writes this page and [results.json](results.json); `python -m benchmarks.run
--list` names the rows, `--only` takes some. Peers come with `python -m pip install -e ".[peers]"`.

Each contender is a process of its own. They take turns, so that a slow minute hits all alike; a ratio is that of one
round, and figures are medians with the least and the most in brackets. CPU seconds are user and system time of all
threads. Faiss-cpu runs twice: as shipped, and at its best, with the kernels and blocks that were fastest in a trial.
Work leaves out the start of Python, imports and checks; private memory is what no file backs.
"""

_QUICK = "**Sizes are small here (--quick): figures and verdicts mean nothing.**\n"


def entry(
    row: Row,
    runs: Mapping[str, Sequence[Run]],
    *,
    figures: Mapping[str, str],
    left_out: Mapping[str, str],
    made: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what is kept of a row: every run, the verdicts, who is missing and why, and by what it was made."""
    return {
        "title": row.title,
        "says": row.says,
        "main": row.main,
        **made,
        "contenders": {
            name: {"ran_on": list(some[-1].ran_on), "runs": [_rounded(run.measured()) for run in some]}
            for name, some in runs.items()
        },
        "left_out": dict(left_out),
        "figures": dict(figures),
        "bars": [_judged(bar, runs, left_out) for bar in row.bars],
    }


def _judged(bar: Bar, runs: Mapping[str, Sequence[Run]], left_out: Mapping[str, str]) -> dict[str, Any]:
    values = bar.values(runs)
    why = next((f"{name}: {left_out[name]}" for name in (bar.ours, bar.peer) if name in left_out), "nothing was told")
    return {
        "claim": bar.claim,
        "bar": f"{'≥' if bar.at_least else '≤'} {bar.bound:g} {bar.unit}",
        "unit": bar.unit,
        "values": _rounded(values),
        "cpu_values": _rounded(bar.by_cpu(runs)),
        "verdict": _verdict(bar, values, bar.by_cpu(runs)) if values else f"not measured ({why})",
    }


def _verdict(bar: Bar, values: list[float], by_cpu: list[float] | None) -> str:
    """Return the verdict, and that by CPU seconds where it is another: then something else kept the machine busy."""
    differs = by_cpu and bar.passed(by_cpu) != bar.passed(values)
    return bar.verdict(values) + (f"; by CPU seconds {bar.verdict(by_cpu)}" if by_cpu and differs else "")


def _rounded(value: Any) -> Any:
    """Return a document whose numbers have five significant digits."""
    if isinstance(value, Mapping):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def load(folder: Path) -> Results:
    """Return what has been measured so far."""
    file = folder / JSON
    found: Results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def save(folder: Path, found: Results) -> None:
    """Write both files, each beside its place and then into it."""
    ordered = {name: found[name] for name in ROWS if name in found}
    document = json.dumps(ordered, ensure_ascii=False, indent=1) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in ((JSON, document), (PAGE, page(ordered))):
        beside = folder / f"{name}.part"
        beside.write_text(text, encoding="utf-8")
        beside.replace(folder / name)


def page(found: Results) -> str:
    """Return the page: what it was measured on, all bars in one table, then each row."""
    quick = _QUICK if any(one["quick"] for one in found.values()) else ""
    parts = [_HEAD, quick, _machines(found), "## All bars\n", _bars(found), _absent(found)]
    parts += [_section(name, one) for name, one in found.items()]
    return "\n".join(part for part in parts if part)


def _machines(found: Results) -> str:
    """Return a line for each machine and commit, with the rows that were measured there where there are several."""
    places: dict[str, list[str]] = {}
    for name, one in found.items():
        machine = one["machine"]
        text = (
            f"{machine['processor']} ({machine['instructions']}); {machine['system']}; {machine['libraries']}; "
            f"{machine['words']}; commit {one['commit'] or 'unknown'}"
        )
        places.setdefault(text, []).append(name)
    lines = []
    for text, names in places.items():
        here = f" Rows: {', '.join(names)}." if len(places) > 1 else ""
        lines.append(f"Measured on {_days(found[name]['day'] for name in names)}: {text}.{here}\n")
    return "".join(lines)


def _days(days: Iterable[str]) -> str:
    ordered = sorted(set(days))
    return ordered[0] if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"


def _bars(found: Results) -> str:
    lines = ["| row | claim | bar | measured | by CPU | verdict |", "|---|---|--:|--:|--:|---|"]
    for name, one in found.items():
        for bar in one["bars"]:
            measured, cpu = (_spread(bar[key], bar["unit"]) for key in ("values", "cpu_values"))
            told = bar["claim"], bar["bar"], measured, cpu, bar["verdict"]
            lines.append(f"| [{name}](#{name}) | {' | '.join(told)} |")
    lines += [f"| – | {claim} | {bar} | – | – | not measured: no row yet |" for claim, bar in UNMEASURED.items()]
    return "\n".join(lines) + "\n"


def _absent(found: Results) -> str:
    """Return which rows have not been measured."""
    names = [name for name in ROWS if name not in found]
    return f"Not measured yet: {', '.join(names)}.\n" if names else ""


def _section(name: str, one: dict[str, Any]) -> str:
    """Return the table of a row, what its contenders ran on, and what they are held to have computed."""
    lines = [f"## {name}", "", f"**{one['title']}**. {one['says']}", ""]
    contenders = one["contenders"]
    if contenders:
        lines += _table(contenders, one["main"])
    lines += [f"- {title}: {text}" for title, text in one["figures"].items()]
    lines += [f"- Left out: {who} ({why})" for who, why in one["left_out"].items()]
    if "best_settings" in one:
        lines.append(f"- Faiss-cpu at its best: {one['best_settings']}")
    places: dict[str, list[str]] = {}
    for who, told in contenders.items():
        places.setdefault("; ".join(told["ran_on"]), []).append(who)
    lines += [f"- {' · '.join(who)} ran on {text}" for text, who in places.items() if text]
    return "\n".join(lines) + "\n"


def _table(contenders: Mapping[str, Any], main: str) -> list[str]:
    base = contenders.get(main)
    lines = [
        f"| {_rounds(contenders)} | wall, s | CPU, s | work, s | peak, MB | private, MB | wall ÷ ours | CPU ÷ ours |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, told in contenders.items():
        cells = [_spread(_column(told, quantity)) for quantity in ("wall", "cpu", "work", "peak", "private")]
        cells += [_over(told, base, quantity) for quantity in ("wall", "cpu")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, ""]


def _rounds(contenders: Mapping[str, Any]) -> str:
    rounds = max(len(told["runs"]) for told in contenders.values())
    return f"{rounds} round{'' if rounds == 1 else 's'}"


def _column(told: Mapping[str, Any], quantity: str) -> list[float] | None:
    values = [run[quantity] for run in told["runs"]]
    return None if None in values else values


def _over(told: Mapping[str, Any], base: Mapping[str, Any] | None, quantity: str) -> str:
    if base is None:
        return "–"
    pairs = zip(_column(told, quantity) or [], _column(base, quantity) or [], strict=True)
    return f"{statistics.median(them / us for them, us in pairs):.2f}"


def _spread(values: Sequence[float] | None, unit: str = "") -> str:
    """Return the median with the least and the most in brackets, where there are several."""
    if not values:
        return "–"
    digits = 0 if min(values) >= 100 else 2
    middle, least, most = (f"{value:,.{digits}f}" for value in (statistics.median(values), min(values), max(values)))
    shown = f"{middle} {unit}".strip()
    return shown if len(values) == 1 else f"{shown} ({least}–{most})"
