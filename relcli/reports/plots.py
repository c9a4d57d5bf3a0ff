"""Pictures of studies, by matplotlib, which is an extra: curves with bands, heat maps with values."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from relcli.errors import MissingExtraError, UsageError, did_you_mean
from relcli.files import atomic_path
from relcli.reports.matrix import Matrix, cell, of_ranks
from relcli.reports.sweep import Sweep

SUFFIXES = (".png", ".svg")

DPI = 150

#: Okabe & Ito's eight colours, told apart by any eye, and a marker and a dash for each that print in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#A59B00")
MARKERS = "os^Dv<>P"
DASHES = ("-", "--", "-.", ":")

#: Matrices up to this many spaces have their values written into the cells, and the names on the axes.
WRITTEN, NAMED = 25, 60


def check_plot(path: str | Path) -> None:
    """Raise UsageError unless the suffix is one that is drawn, MissingExtraError without matplotlib."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path} is no picture: use one of {', '.join(SUFFIXES)}.{did_you_mean(suffix, SUFFIXES)}")
    check_matplotlib()


def check_matplotlib() -> None:
    """Raise MissingExtraError where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingExtraError(
            'Pictures need matplotlib, which is not installed. Install it: pip install "relcli[plot]".'
        ) from None


def draw(study: Sweep | Matrix, path: str | Path) -> None:
    """Draw a sweep or a matrix to a .png or .svg, whole or not at all; needs no display."""
    check_plot(path)
    with styled():
        save_figure(_curves(study) if isinstance(study, Sweep) else _heat_maps(study), path)


def save_figure(figure: Any, path: str | Path) -> None:
    """Write a figure as its suffix asks for, whole or not at all."""
    kind = Path(path).suffix.lower()[1:]
    with atomic_path(path) as place:
        # no date: the same study gives the same file
        figure.savefig(place, format=kind, dpi=DPI, metadata={"Date": None} if kind == "svg" else None)


@contextmanager
def styled() -> Iterator[None]:
    """Give figures that are made and saved inside their style: names as they are, the same bytes on every run."""
    import matplotlib

    style: Any = {"svg.hashsalt": "relcli", "svg.fonttype": "none", "text.parse_math": False}
    with matplotlib.rc_context(style), warnings.catch_warnings():
        # names may be of any script; a sign that the font lacks is drawn as a box
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def new_figure(width: float, height: float) -> Any:
    """Return an empty figure, so many inches wide and high."""
    # not pyplot, which would keep the figure and might look for a display
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _curves(sweep: Sweep) -> Any:
    """Return a panel for each measure and strategy, in it a line with its band for each way."""
    strategies = list(dict.fromkeys(point["strategy"] for point in sweep.curves))
    vias = list(dict.fromkeys(point["via"] for point in sweep.curves))
    figure = new_figure(1.2 + 3.9 * len(sweep.measures), 1.5 + 3.0 * len(strategies))
    axes = figure.subplots(len(strategies), len(sweep.measures), squeeze=False, sharey="col", sharex=True)
    best = {(found["via"], found["strategy"]): found["anchors"] for found in sweep.recommended}
    counts = sorted({point["anchors"] for point in sweep.curves})
    for row, strategy in enumerate(strategies):
        for column, measure in enumerate(sweep.measures):
            panel = axes[row][column]
            for style, via in zip(_styles(vias), vias, strict=True):
                chosen = best.get((via, strategy)) if not column else None
                _line(panel, sweep.curve(via, measure["name"], strategy), style, via, chosen)
            _chance_line(panel, counts, sweep.chances(measure["name"], strategy=strategy))
            _label_panel(panel, sweep, measure, strategy, last=row == len(strategies) - 1)
    handles, labels = axes[0][0].get_legend_handles_labels()
    for panels in axes:
        for panel in panels:
            for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
                if label not in labels:
                    handles, labels = [*handles, handle], [*labels, label]
    # a letter takes about 5 points, a line and its gaps 60
    room = int(72 * figure.get_figwidth() / (60 + 5 * max(map(len, labels), default=1)))
    columns = max(1, min(4, room, len(labels)))
    figure.legend(
        handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize="small", handlelength=3
    )
    figure.suptitle(
        f"{sweep.x['name']} ↔ {sweep.y['name']}: {sweep.join['pairs']:,} shared rows, {sweep.basis['queries']:,} "
        f"held-out queries\nmean ± sd over {sweep.settings['draws']} draws of anchors; ring: the fewest within one "
        f"standard error of the best {sweep.measures[0]['name']}",
        fontsize="medium",
    )
    return figure


def _styles(vias: list[str]) -> list[dict[str, str]]:
    """Return a colour for each way and marker and dash for what is added to it: relatives look like relatives."""
    parts = [via.partition("+")[::2] for via in vias]
    bases, added = ([*dict.fromkeys(part)] for part in zip(*parts, strict=True)) if parts else ((), ())
    places = [(bases.index(base), added.index(more)) for base, more in parts]
    return [
        {
            "color": COLOURS[base % len(COLOURS)],
            "marker": MARKERS[(base + more) % len(MARKERS)],
            "linestyle": DASHES[(more + base // len(COLOURS)) % len(DASHES)],
        }
        for base, more in places
    ]


def _line(
    panel: Any,
    curve: list[tuple[int, float | None, float | None]],
    style: dict[str, str],
    via: str,
    best: int | None,
) -> None:
    known = sorted((count, mean, sd or 0.0) for count, mean, sd in curve if mean is not None)
    if not known:
        return
    counts, means, sds = (list(part) for part in zip(*known, strict=True))
    colour = style["color"]
    panel.plot(counts, means, label=via, markersize=4, linewidth=1.5, **style)
    low, high = ([mean + sign * sd for mean, sd in zip(means, sds, strict=True)] for sign in (-1, 1))
    panel.fill_between(counts, low, high, color=colour, alpha=0.18, linewidth=0)
    for count, mean, _ in known:
        if count == best:
            panel.plot([count], [mean], marker="o", markersize=11, fillstyle="none", color=colour, linestyle="none")


def _chance_line(panel: Any, counts: list[int], chances: list[float]) -> None:
    """Draw the chance level, where one holds for every way and count."""
    if chances and max(chances) - min(chances) < 0.0005:
        ends, level = [counts[0], counts[-1]], chances[0]
        panel.plot(ends, [level, level], color="black", linestyle="--", linewidth=1, zorder=0, label="chance")


def _label_panel(panel: Any, sweep: Sweep, measure: dict[str, Any], strategy: str, *, last: bool) -> None:
    counts = sorted({point["anchors"] for point in sweep.curves})
    panel.set_xscale("log")
    panel.set_xticks(counts, [f"{count:,}" for count in counts])
    panel.minorticks_off()
    panel.grid(alpha=0.25)
    panel.set_title(f"{strategy} anchors", fontsize="small")
    panel.set_ylabel(f"{measure['name']} ({'higher' if measure['higher_is_closer'] else 'lower'} is closer)")
    if last:
        panel.set_xlabel("number of anchors (log scale)")


def _heat_maps(matrix: Matrix) -> Any:
    """Return a panel for each measure and view, with the values in its cells."""
    import math

    count = len(matrix.spaces)
    panels = len(matrix.matrices)
    columns = min(2, panels)
    rows = math.ceil(panels / columns)
    side = max(3.6, min(11.0, 0.42 * count + 1.6))
    figure = new_figure(columns * (side + 1.2), rows * side + 0.8)
    axes = figure.subplots(rows, columns, squeeze=False)
    for place, of_measure in enumerate(matrix.matrices):
        _heat_map(figure, axes[place // columns][place % columns], matrix, of_measure, side)
    for place in range(panels, rows * columns):
        axes[place // columns][place % columns].set_axis_off()
    anchors = f", {matrix.anchors['count']:,} anchors" if matrix.anchors.get("count") else ""
    rows_told = f"{matrix.join['pairs']:,} shared rows" if matrix.join["pairs"] else "rows shared pair by pair"
    measures = {each["measure"] for each in matrix.matrices}
    missing = any(value is None for each in matrix.matrices for line in each["values"] for value in line)
    told = [
        "both views of a measure have one colour scale" if len(measures) < panels else "",
        "grey: undefined" if missing else "",
    ]
    below = "; ".join(filter(None, told))
    figure.suptitle(f"{count} spaces, {rows_told}{anchors}" + (f"\n{below}" if below else ""), fontsize="medium")
    return figure


def _heat_map(figure: Any, panel: Any, matrix: Matrix, of_measure: dict[str, Any], side: float) -> None:
    values = [[_or_nan(value) for value in row] for row in of_measure["values"]]
    image = panel.imshow(
        values, cmap="cividis" if of_measure["higher_is_closer"] else "cividis_r", norm=_colours_of(matrix, of_measure)
    )
    panel.set_facecolor("0.85")
    names = [space["name"] for space in matrix.spaces]
    wide = 72 * 0.75 * side / len(names)  # points of a cell
    if len(names) <= NAMED:
        size = max(4.0, min(9.0, 0.6 * wide))
        panel.set_xticks(range(len(names)), names, rotation=90, fontsize=size)
        panel.set_yticks(range(len(names)), names, fontsize=size)
    direction = "higher" if of_measure["higher_is_closer"] else "lower"
    panel.set_title(f"{of_measure['measure']}, {of_measure['view']}", fontsize="medium")
    scale = ", log scale" if of_ranks(of_measure) else ""
    bar = figure.colorbar(
        image, ax=panel, shrink=0.8, label=f"{of_measure['measure']} ({direction} is closer{scale})",
        **_ticks(image.norm.vmin, image.norm.vmax, log=of_ranks(of_measure)),
    )  # fmt: skip
    bar.minorticks_off()
    texts = [
        (row, column, value, cell(value, rank=of_ranks(of_measure)))
        for row, line in enumerate(values)
        for column, value in enumerate(line)
        if value == value
    ]
    if len(names) > WRITTEN or not texts:
        return
    size = max(4.0, min(9.0, 1.5 * wide / max(len(text) for *_, text in texts)))
    for row, column, value, text in texts:
        ink = "black" if sum(image.cmap(image.norm(value))[:3]) > 1.5 else "white"
        panel.text(column, row, text, ha="center", va="center", fontsize=size, color=ink)


def _colours_of(matrix: Matrix, of_measure: dict[str, Any]) -> Any:
    """Return the scale of a panel's colours, that of its measure in every view: one colour is one number."""
    from matplotlib.colors import LogNorm, Normalize

    squares = [each["values"] for each in matrix.matrices if each["measure"] == of_measure["measure"]]
    known = [value for values in squares for line in values for value in line if value is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    # ranks: between 1 and 10 lies as much as between 100 and 1,000
    return LogNorm(low, high) if of_ranks(of_measure) and 0 < low < high else Normalize(low, high)


def _ticks(low: float, high: float, *, log: bool) -> dict[str, Any]:
    """Return where a colour bar has its ticks and how their numbers are written: as in the cells, or finer."""
    import math

    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

    if log:
        places = [each * 10**power for power in range(13) for each in (1, 2, 5) if low <= each * 10**power <= high]
        places = places if len(places) <= 9 else [each for each in places if math.log10(each).is_integer()]
        return {"ticks": FixedLocator(places or [low]), "format": FuncFormatter(lambda value, _: f"{value:,.0f}")}
    step = (high - low) / 6
    decimals = 0 if high >= 100 else max(2, math.ceil(-math.log10(step))) if step > 0 else 2
    return {
        "ticks": MaxNLocator(6, steps=[1, 2, 5, 10]),
        "format": FuncFormatter(lambda value, _: f"{value:,.{decimals}f}".replace("-", "−")),
    }


def _or_nan(value: float | None) -> float:
    """Return a missing value as NaN, which is drawn as nothing."""
    return float("nan") if value is None else value
