"""What `sweep` found, as a value: scores by number of anchors, and the JSON, tables and CSV they are shown as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from relcli.reports.delimited import csv_text
from relcli.reports.markdown import bullets, code, escape, markdown_table, paragraphs, urgent_paragraph
from relcli.reports.phrases import calm
from relcli.reports.schema import count, free, list_of, maybe, object_of, space_schema, study_schema, text
from relcli.reports.study import blocks, shown, spread, wrapped
from relcli.reports.study import study_json as to_json
from relcli.reports.table import as_text, before_all, plain_table, printed

if TYPE_CHECKING:
    from rich.console import Console

#: major.minor of the JSON document; an added key is a minor step, anything else a major one.
SWEEP_VERSION = "1.0"

COLUMNS = (
    "x", "y", "via", "strategy", "anchors", "measure", "mean", "sd", "draws", "chance", "recommended",
    "condition_x", "condition_y", "mean_cosine_x", "mean_cosine_y",
)  # fmt: skip


@dataclass(frozen=True)
class Sweep:
    """
    Scores of two spaces by way, strategy and number of anchors.

    `points` hold one draw each, `curves` the mean over the draws of a count, `recommended` a count for each
    way and strategy. `complete` is False while points are missing.
    """

    x: dict[str, Any]
    y: dict[str, Any]
    join: dict[str, Any]
    measures: tuple[dict[str, Any], ...]
    points: tuple[dict[str, Any], ...]
    curves: tuple[dict[str, Any], ...]
    recommended: tuple[dict[str, Any], ...]
    settings: dict[str, Any]
    basis: dict[str, Any]
    versions: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    complete: bool = True
    command: str = "sweep"
    schema_version: str = SWEEP_VERSION

    def curve(self, via: str, measure: str, strategy: str = "uniform") -> list[tuple[int, float | None, float | None]]:
        """Return (anchors, mean, sd) of a measure, by growing number of anchors."""
        return [
            (point["anchors"], *(point["scores"].get(measure, {}).get(key) for key in ("mean", "sd")))
            for point in self.curves
            if (point["via"], point["strategy"]) == (via, strategy)
        ]

    def chances(self, measure: str, *, via: str | None = None, strategy: str | None = None) -> list[float]:
        """Return the chance level of a measure at every count where it has one, of one way and strategy or all."""
        levels = (
            point["scores"].get(measure, {}).get("chance")
            for point in self.curves
            if via in (None, point["via"]) and strategy in (None, point["strategy"])
        )
        return [level for level in levels if level is not None]


def _rows(sweep: Sweep) -> Iterator[dict[str, Any]]:
    best = {(r["via"], r["strategy"]): r["anchors"] for r in sweep.recommended}
    for point in sweep.curves:
        for name, score in point["scores"].items():
            recommended = best.get((point["via"], point["strategy"])) == point["anchors"]
            names = {"x": sweep.x.get("name"), "y": sweep.y.get("name"), "measure": name}
            yield {**point, **names, **score, "recommended": "true" if recommended else "false"}


def to_csv(sweep: Sweep) -> str:
    """Return one row for each way, strategy, number of anchors and measure, unrounded."""
    return csv_text(COLUMNS, _rows(sweep))


def _facts(sweep: Sweep) -> list[str]:
    basis, settings = sweep.basis, sweep.settings
    done = "" if sweep.complete else f" · unfinished: {len(sweep.points):,} of {settings['points']:,} points"
    return [
        f"{sweep.join['pairs']:,} shared pairs · {basis['queries']:,} of them queries, the same at every point "
        f"and never anchors · the gallery is all{done}",
        f"mean ± sd over {settings['draws']} draws of anchors"
        + (" (first: the same each time)" if "first" in settings["strategies"] else "")
        + f" · seed {basis['seed']}"
        + (" · centred" if basis["center"] else ""),
    ]


def _chance_cell(chances: list[float]) -> str:
    """Return the chance of a measure, the least and the most where counts differ by more than rounding."""
    ends = dict.fromkeys(shown(of(chances)) for of in (min, max)) if chances else {}
    return " to ".join(ends)


def _score_rows(sweep: Sweep, via: str) -> tuple[list[str], list[list[str]]]:
    names = [m["name"] for m in sweep.measures]
    arrows = ["↑" if m["higher_is_closer"] else "↓" for m in sweep.measures]
    best = {(r["via"], r["strategy"]): r["anchors"] for r in sweep.recommended}
    rows = []
    for point in (point for point in sweep.curves if point["via"] == via):
        scores = [point["scores"].get(name, {}) for name in names]
        mark = "*" if best.get((via, point["strategy"])) == point["anchors"] else ""
        cells = [spread(score.get("mean"), score.get("sd")) for score in scores]
        rows.append([point["strategy"], f"{point['anchors']:,}{mark}", *cells])
    chances = [_chance_cell(sweep.chances(name, via=via)) for name in names]
    if any(chances):
        rows.append(["chance", "", *chances])
    return ["strategy", "anchors", *(f"{name} {arrow}" for name, arrow in zip(names, arrows, strict=True))], rows


_ANCHORS = ("strategy", "anchors", "condition x", "condition y", "mean cosine x", "mean cosine y")


def _anchor_rows(sweep: Sweep) -> list[list[str]]:
    first: dict[tuple[str, int], dict[str, Any]] = {}
    for point in sweep.curves:
        first.setdefault((point["strategy"], point["anchors"]), point)
    keys = ("condition_x", "condition_y", "mean_cosine_x", "mean_cosine_y")
    return [
        [strategy, f"{anchors:,}", *(shown(point[key]) for key in keys)] for (strategy, anchors), point in first.items()
    ]


def _advice(sweep: Sweep) -> Iterator[str]:
    for found in sweep.recommended:
        yield (
            f"{found['via']}, {found['strategy']}: {found['anchors']:,} anchors ({found['measure']} "
            f"{shown(found['value'])}); the best is {shown(found['best'])} with {found['best_anchors']:,}"
            + _at_the_end(sweep, found)
        )


def _at_the_end(sweep: Sweep, found: dict[str, Any]) -> str:
    """Return a warning where the largest count is recommended, and the one before is over one error from it."""
    means = [item for item in sweep.curve(found["via"], found["measure"], found["strategy"]) if item[1] is not None]
    counts = sorted(item[0] for item in means)
    if len(counts) < 2 or not found["anchors"] == counts[-1] == max(sweep.settings["grid"]):
        return ""
    before = next(mean for count, mean, _ in means if count == counts[-2])
    rises = sweep.measures[0]["higher_is_closer"]
    gained = (found["value"] - before) * (1 if rises else -1)
    if gained <= (found["standard_error"] or 0.0):
        return ""
    return f", still {'rising' if rises else 'falling'} at the end of the grid"


def _vias(sweep: Sweep) -> list[str]:
    return list(dict.fromkeys(point["via"] for point in sweep.curves))


def _parts(sweep: Sweep, width: int) -> Iterator[Any]:
    from rich.text import Text

    yield from before_all(sweep.notes)
    yield Text(f"{sweep.x.get('name')} ↔ {sweep.y.get('name')}", "bold")
    for line in wrapped(_facts(sweep), width):
        yield Text(line)
    for via in _vias(sweep):
        for headings, rows in blocks(*_score_rows(sweep, via), width, left=2):
            yield ""
            yield Text(via.upper(), "bold")
            yield plain_table(headings, rows, left=1)
    if sweep.curves:
        yield ""
        yield Text("THE ANCHORS (medians over draws)", "bold")
        yield plain_table(_ANCHORS, _anchor_rows(sweep), left=1)
        yield ""
    if sweep.recommended:
        yield Text("* the fewest anchors within one standard error of the best:")
        for line in wrapped(_advice(sweep), width, indent="  "):
            yield Text(line)
    for line in wrapped((f"note {note}" for note in calm(sweep.notes)), width):
        yield Text(line)


def print_sweep(sweep: Sweep, console: Console) -> None:
    """Print a table for each way, the anchors, and the recommended numbers."""
    printed(lambda width: _parts(sweep, width), console)


def to_text(sweep: Sweep) -> str:
    """Return the tables without colour, 80 columns wide."""
    return as_text(lambda width: _parts(sweep, width))


def to_markdown(sweep: Sweep) -> str:
    """Return the tables in Markdown."""
    names = " ↔ ".join(code(space.get("name")) for space in (sweep.x, sweep.y))
    parts = [f"### relcli sweep: {names}", urgent_paragraph(sweep.notes), bullets(map(escape, _facts(sweep)))]
    for via in _vias(sweep):
        headings, rows = _score_rows(sweep, via)
        cells = [[escape(cell) for cell in row] for row in rows]
        parts += [f"**{escape(via)}**", markdown_table([*map(escape, headings)], cells, left=1)]
    parts += ["**The anchors** (medians over draws)", markdown_table(_ANCHORS, _anchor_rows(sweep), left=1)]
    if sweep.recommended:
        parts.append("\\* the fewest anchors within one standard error of the best:")
        parts.append(bullets(map(escape, _advice(sweep))))
    parts.append(bullets(map(escape, calm(sweep.notes))))
    return paragraphs(parts)


FORMS = {"table": to_text, "json": to_json, "markdown": to_markdown, "csv": to_csv}


def sweep_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a sweep; minor versions may add keys."""
    where = {
        "via": text("The way, such as relative, relative:euclidean+quantize=0.1 or translate:ortho+center."),
        "strategy": text("How the anchors were chosen."),
        "anchors": count("Number of anchors."),
    }
    quality = {
        "condition_x": maybe("number", "Condition number of the Gram matrix of x's unit anchors."),
        "condition_y": maybe("number", "The same in y."),
        "mean_cosine_x": maybe("number", "Mean cosine between two anchors in x."),
        "mean_cosine_y": maybe("number", "The same in y."),
    }
    point = {
        **where,
        "draw": count("Number of the draw, from 0."),
        "seed": count("Seed of the draw."),
        "sha256": text("Digest of the anchors' ids."),
        **quality,
        "scores": free("By measure: value, forward, backward, chance and undefined_because."),
    }
    curve = {
        **where,
        "draws": count("Draws there are."),
        **quality,
        "scores": free("By measure: mean, sd, draws, chance."),
    }
    found = {
        **where,
        "measure": text("The measure that decides: the first one."),
        "value": maybe("number", "Its mean with that many anchors."),
        "best": maybe("number", "Its best mean."),
        "best_anchors": count("The number of anchors of the best mean."),
        "standard_error": maybe("number", "sd / √draws at the best; null with one draw."),
    }
    return study_schema(
        "sweep",
        SWEEP_VERSION,
        "Scores of two spaces by way, strategy and number of anchors.",
        {
            "x": space_schema("x"),
            "y": space_schema("y"),
            "join": free("How the rows were matched."),
            "measures": list_of(free("Name, range, direction, definition and source."), "The measures."),
            "points": list_of(object_of("Point", "One draw of anchors, one way.", point), "Every draw."),
            "curves": list_of(object_of("Curve", "The draws of one count.", curve), "Means over draws."),
            "recommended": list_of(object_of("Count", "A recommended count.", found), "One a way and strategy."),
        },
    )


__all__ = [
    "FORMS",
    "SWEEP_VERSION",
    "Sweep",
    "print_sweep",
    "sweep_schema",
    "to_csv",
    "to_json",
    "to_markdown",
    "to_text",
]
