"""Pictures of a comparison: its points in two dimensions, how its queries agree, and its groups."""

from __future__ import annotations

import math
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from relcli.errors import OutputError
from relcli.files import atomic_path
from relcli.reports import phrases
from relcli.reports.html import Figure
from relcli.reports.plots import COLOURS, DPI, check_matplotlib, new_figure, save_figure, styled
from relcli.reports.report import Report, Score

#: Labels that get a look of their own, the most frequent ones; the others share one.
LABELS_SHOWN = 10

#: Without black, which anchors have: ten looks are seven colours as dots, and three of them as triangles.
_COLOURS = tuple(colour for colour in COLOURS if colour != "#000000")
_REST = "#999999"

#: Where points lie farther out than the middle 99 %, by so many times their width, the panel leaves such out.
_STRETCH = 0.5

#: Inches that a picture is wide, where its panels need no other: on a page its letters stay as large as the text's.
_WIDTH = 10.0

#: Letters of a name that a picture shows.
_LETTERS = 32

_METHODS = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
_AXES = {"pca": "PC", "tsne": "t-SNE", "umap": "UMAP"}


@dataclass(frozen=True)
class Plane:
    """
    Where one side of one view lies in two dimensions: `first` [p] and `second` [p] coordinate of each point.

    `fitted_on` is the side that the plane was found from, "x", "y" or "x and y"; `shares` are the shares
    of this side's variance along the two coordinates, None where the method has no such thing.
    """

    view: str
    side: str
    first: tuple[float, ...]
    second: tuple[float, ...]
    fitted_on: str
    shares: tuple[float, float] | None = None


@dataclass(frozen=True)
class Distribution:
    """How a figure of the queries spreads: bars of one width at `centres`, of `counts` queries, and the mean."""

    name: str
    centres: tuple[float, ...]
    width: float
    counts: tuple[int, ...]
    mean: float


@dataclass(frozen=True)
class Pictures:
    """
    What pictures of a comparison show.

    `ids`, `is_anchor`, `agreement` (Jaccard of the k neighbours on `view`, None where it was not scored)
    and `labels` (() where none were asked for) are of the p points; `queries` of them could have been drawn.
    """

    projection: str
    view: str
    k: int
    queries: int
    ids: tuple[str, ...]
    is_anchor: tuple[bool, ...]
    agreement: tuple[float | None, ...]
    planes: tuple[Plane, ...]
    distributions: tuple[Distribution, ...]
    column: str | None = None
    labels: tuple[str | None, ...] = ()

    @property
    def drawn(self) -> int:
        """The number of queries among the points."""
        return sum(value is not None for value in self.agreement)

    def table(self) -> dict[str, list[Any]]:
        """Return the columns of a table of the points: a row for each on side x, then one for each on side y."""
        columns: dict[str, list[Any]] = {"id": [*self.ids] * 2}
        columns["side"] = [side for side in "xy" for _ in self.ids]
        for view in ("absolute", "relative"):
            planes = {plane.side: plane for plane in self.planes if plane.view == view}
            columns[f"{view}_1"] = [value for side in "xy" for value in planes[side].first]
            columns[f"{view}_2"] = [value for side in "xy" for value in planes[side].second]
        if self.labels:
            columns["label"] = [*self.labels] * 2
        return columns | {"is_anchor": [*self.is_anchor] * 2, "agreement": [*self.agreement] * 2}


@dataclass(frozen=True)
class Drawing:
    """A picture: its name in files, its title, what it shows in words, and its figure."""

    name: str
    title: str
    description: str
    figure: Any = field(repr=False)


def drawings(report: Report, pictures: Pictures | None) -> list[Drawing]:
    """Return every picture there is of a report, its figures made; those of points need `pictures`."""
    check_matplotlib()
    with styled():
        found = [_projections(report, pictures), _agreement(report, pictures)] if pictures else []
        return [*found, *_groups(report)]


def check_folder(folder: Path) -> None:
    """Raise a RelcliError unless pictures can be drawn into a folder, which need not be there yet."""
    check_matplotlib()
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} cannot be written: it is no folder. Name a folder for the pictures.")
    if not folder.parent.is_dir():
        raise OutputError(f"{folder} cannot be written: there is no folder {folder.parent}. Make it first.")


def write_plots(report: Report, pictures: Pictures | None, folder: str | Path) -> list[Path]:
    """Draw every picture into a folder as .png and .svg, and return the files."""
    folder = Path(folder)
    check_folder(folder)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}. Choose another folder.") from error
    files = []
    for drawing in drawings(report, pictures):
        png, svg = (folder / f"{drawing.name}.{suffix}" for suffix in ("png", "svg"))
        with styled():
            save_figure(drawing.figure, png)
        with atomic_path(svg) as place:
            place.write_text('<?xml version="1.0" encoding="utf-8"?>\n' + svg_of(drawing), encoding="utf-8")
        files += [png, svg]
    return files


def figures_of(report: Report, pictures: Pictures | None) -> list[Figure]:
    """Return every picture there is of a report, as a page holds them."""
    return [Figure(each.title, each.description, svg_of(each)) for each in drawings(report, pictures)]


def svg_of(drawing: Drawing) -> str:
    """Return a drawing as an SVG element that is named and described, and shares no id with another drawing."""
    text = StringIO()
    with styled():
        drawing.figure.savefig(text, format="svg", dpi=DPI, metadata={"Date": None})
    svg = re.sub(r"<metadata>.*?</metadata>", "", text.getvalue(), flags=re.DOTALL)
    svg = svg[svg.index("<svg") :]
    # in a page a style sheet would be the whole page's, and lengths are numbers
    svg = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'(width|height)="([\d.]+)pt"', lambda size: f'{size[1]}="{float(size[2]) * 4 / 3:g}"', svg, count=2)
    svg = svg.replace("<svg", '<svg stroke-linejoin="round" stroke-linecap="butt"', 1)

    def own(tag: re.Match[str]) -> str:
        return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{drawing.name}-", tag[0])

    # inside tags alone: a label may hold anything
    svg = re.sub(r"<[^>]*>", own, svg)
    title, description = f"{drawing.name}-title", f"{drawing.name}-description"
    named = f'role="img" aria-labelledby="{title} {description}"'
    parts = (
        f'<title id="{title}">{_xml(drawing.title)}</title><desc id="{description}">{_xml(drawing.description)}</desc>'
    )
    return re.sub(r"<svg([^>]*)>", lambda tag: f"<svg {named}{tag[1]}>\n {parts}", svg, count=1)


def _xml(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _shown(name: object, letters: int = _LETTERS) -> str:
    """Return a name as a picture shows it: on one line, no longer than `letters`."""
    text = phrases.printable(" ".join(str(name).split())).encode("utf-8", "replace").decode()
    text = text if len(text) <= letters else f"{text[: letters - 1]}…"
    # matplotlib leaves names with a leading underscore out of legends
    return f" {text}" if text.startswith("_") else text


def _pair(report: Report) -> str:
    return " ↔ ".join(_shown(space.get("name", side)) for side, space in (("x", report.x), ("y", report.y)))


def _basis(report: Report, *facts: str) -> str:
    """Return what was scored: n, anchors, k, similarity."""
    settings, count = report.settings, report.anchors.get("count")
    told = [
        *facts,
        f"{count:,} anchors" if count else "",
        f"k = {settings['k']}" if settings.get("k") else "",
        f"{settings['similarity']} similarity" if settings.get("similarity") else "",
        "centred" if settings.get("center") else "",
    ]
    return " · ".join(filter(None, told))


def _head(figure: Any, title: str, basis: str) -> None:
    """Write the title and what it is based on above a picture, on as many lines as its width asks for."""
    # a letter of this size takes about a tenth of an inch
    lines = textwrap.wrap(title, int(9.5 * figure.get_figwidth()))
    figure.suptitle("\n".join((*lines, basis)), fontsize="large")


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %") if share >= 0.01 or share == 0 else f"{100 * share:.1g} %"


def _projections(report: Report, pictures: Pictures) -> Drawing:
    """Return both sides of both views in two dimensions: absolute above relative, X beside Y."""
    figure = new_figure(10, 10.6)
    axes = figure.subplots(2, 2)
    names = {"x": _shown(report.x.get("name", "x"), 24), "y": _shown(report.y.get("name", "y"), 24)}
    looks = _looks(pictures)
    handles: list[Any] = []
    views = dict.fromkeys(plane.view for plane in pictures.planes)
    frames = [frame for view in views for frame in _frames([plane for plane in pictures.planes if plane.view == view])]
    for panel, plane, frame in zip(axes.flat, pictures.planes, frames, strict=True):
        handles = []
        for _, colour, marker, rows in looks:
            points = [[axis[row] for row in rows] for axis in (plane.first, plane.second)]
            anchors = marker == "x"
            size = 13 if anchors else 9 if pictures.drawn > 1000 else 16
            dots = panel.scatter(
                *points, s=size, c=colour, marker=marker, linewidths=0.6 if anchors else 0,
                alpha=0.75, rasterized=True,
            )  # fmt: skip
            handles.append(dots)
        _label_plane(panel, plane, pictures, names, frame)
    n = f"n = {pictures.drawn:,} of {pictures.queries:,} queries"
    title = f"{_pair(report)}: absolute and relative, by {_METHODS[pictures.projection]}"
    basis = _basis(report, n)
    _head(figure, title, basis)
    _legend(figure, handles, [label for label, *_ in looks], pictures)
    by = f" Points are coloured by {_shown(pictures.column)}." if pictures.column else ""
    panels = "; ".join(
        f"{plane.view} {plane.side.upper()}: {_told(plane, pictures)}{frame.axes}{frame.told and f' · {frame.told}'}"
        for plane, frame in zip(pictures.planes, frames, strict=True)
    )
    return Drawing(
        "projections", title, f"Four scatter plots, {basis}. {panels}.{by} Anchors are black crosses.", figure
    )


def _looks(pictures: Pictures) -> list[tuple[str, str, str, list[int]]]:
    """Return label, colour, marker and rows of each kind of point, anchors last so that they lie on top."""
    rows: dict[str | None, list[int]] = {}
    labels = pictures.labels or [None] * len(pictures.ids)
    counts = Counter(label for label, value in zip(labels, pictures.agreement, strict=True) if value is not None)
    first = [label for label, _ in counts.most_common() if label is not None][:LABELS_SHOWN]
    anchors = [row for row, is_anchor in enumerate(pictures.is_anchor) if is_anchor]
    for row, (label, is_anchor) in enumerate(zip(labels, pictures.is_anchor, strict=True)):
        if not is_anchor:
            rows.setdefault(label if label is None or label in first else "", []).append(row)
    looks = []
    if not pictures.labels:
        looks.append(("queries", _COLOURS[0], "o", rows.get(None, [])))
    elif None in rows:
        looks.append((f"no {_shown(pictures.column, 16)}", "#CCCCCC", "o", rows[None]))
    if "" in rows:
        more = len(counts.keys() - {None}) - len(first)
        looks.append((f"{more:,} others", _REST, "s", rows[""]))
    for place, label in enumerate(sorted(first, key=_natural)):
        look = _COLOURS[place % len(_COLOURS)], "o^"[place // len(_COLOURS)]
        looks.append((_shown(label, 20), *look, rows.get(label, [])))
    return [*looks, ("anchors", "#000000", "x", anchors)]


def _natural(label: str) -> tuple[Any, ...]:
    """Return what sorts labels so that 9 comes before 10."""
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", label) if part)


def _told(plane: Plane, pictures: Pictures) -> str:
    """Return what a plane was found from."""
    method, own = _METHODS[pictures.projection], plane.fitted_on == plane.side
    if plane.fitted_on == "x and y":
        return f"{method} of X and Y together"
    differ = own and any(p.view == plane.view and p.fitted_on == "y" for p in pictures.planes)
    if differ:
        return f"{method} of its own: the widths differ"
    return f"{method} fitted on {plane.fitted_on.upper()}"


def _label_plane(panel: Any, plane: Plane, pictures: Pictures, names: dict[str, str], frame: Frame) -> None:
    side = plane.side.upper()
    heading = f"{plane.view} · {side}: {names[plane.side]}"
    lines = (heading, f"{_told(plane, pictures)}{frame.axes}", frame.told)
    panel.set_title("\n".join(filter(None, lines)), fontsize="medium")
    axis, of = _AXES[pictures.projection], "" if plane.fitted_on == plane.side else f" of {plane.fitted_on.upper()}"
    for place, label in enumerate((panel.set_xlabel, panel.set_ylabel)):
        if plane.shares:
            whose = f" of {side}'s variance" if of else " of variance"
            label(f"{axis} {place + 1}{of} ({_percent(plane.shares[place])}{whose})")
        else:
            label(f"{axis} {place + 1} (no unit)")
    panel.grid(alpha=0.25)
    panel.set_xlim(frame.centre[0] - frame.half, frame.centre[0] + frame.half)
    panel.set_ylim(frame.centre[1] - frame.half, frame.centre[1] + frame.half)
    panel.set_aspect("equal")
    panel.locator_params(nbins=7)


@dataclass(frozen=True)
class Frame:
    """
    The square that a panel shows: its centre, and `half` of its side.

    `axes` says whether the other side has the same one, `told` how much larger its points are drawn and how many
    points lie outside.
    """

    centre: tuple[float, float]
    half: float
    axes: str = ""
    told: str = ""


def _frames(planes: Sequence[Plane]) -> list[Frame]:
    """
    Return what the panels of both sides of one view show.

    They have one frame where either side fills half of it at least. Else each has its own, as a side that hardly
    extends along the axes of the other would be a dot, and the panel of y tells how much it is enlarged.
    """
    spans = [_spans(plane) for plane in planes]
    own = [_square(*each) for each in spans]
    if len({plane.fitted_on for plane in planes}) > 1:
        return [_telling(frame, plane) for frame, plane in zip(own, planes, strict=True)]
    both = _square(*((min(x[0], y[0]), max(x[1], y[1])) for x, y in zip(*spans, strict=True)))
    if min(frame.half for frame in own) >= both.half / 2:
        return [_telling(both, plane, " · axes shared by X and Y") for plane in planes]
    ratio = own[0].half / own[1].half
    scale = f"enlarged {ratio:,.1f} times" if ratio >= 1 else f"reduced {1 / ratio:,.1f} times"
    return [
        _telling(frame, plane, " · axes of its own", said)
        for frame, plane, said in zip(own, planes, ("", f"{scale} beside X"), strict=True)
    ]


def _square(first: tuple[float, float], second: tuple[float, float]) -> Frame:
    half = 0.53 * max(high - low for low, high in (first, second)) or 1.0
    return Frame((sum(first) / 2, sum(second) / 2), half)


def _spans(plane: Plane) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return from where to where the points lie on either axis, without the few that would make dots of the others."""
    found = []
    for axis in (plane.first, plane.second):
        ordered = sorted(axis)
        cut = len(ordered) // 200
        low, high = ordered[cut], ordered[-1 - cut]
        margin = _STRETCH * (high - low)
        far = high > low and (ordered[0] < low - margin or ordered[-1] > high + margin)
        found.append((low - 0.1 * (high - low), high + 0.1 * (high - low)) if far else (ordered[0], ordered[-1]))
    return found[0], found[1]


def _telling(frame: Frame, plane: Plane, axes: str = "", scale: str = "") -> Frame:
    """Return a frame that tells of its axes and scale, and how many of the plane's points lie outside."""
    outside = sum(
        max(abs(first - frame.centre[0]), abs(second - frame.centre[1])) > frame.half
        for first, second in zip(plane.first, plane.second, strict=True)
    )
    cut = f"{outside:,} of {len(plane.first):,} points outside" if outside else ""
    return Frame(frame.centre, frame.half, axes, " · ".join(filter(None, (scale, cut))))


def _legend(figure: Any, handles: Sequence[Any], labels: Sequence[str], pictures: Pictures) -> None:
    title = _shown(pictures.column) if pictures.column else None
    # a letter takes about 6.5 points, a sign and its gaps 50
    room = int(72 * figure.get_figwidth() / (50 + 6.5 * max(map(len, labels))))
    columns = max(1, min(7, room, len(handles)))
    legend = figure.legend(
        handles, labels, loc="outside lower center", ncols=columns, frameon=False, markerscale=2, title=title
    )
    for handle in legend.legend_handles:
        handle.set_alpha(1)


_FIGURES = {
    "jaccard": ("Jaccard of the {k} nearest neighbours", "jaccard@{k}", "Jaccard, 0 to 1"),
    "cosine": ("cosine with the counterpart", "cosine", "cosine, −1 to 1"),
    "reciprocal_rank": ("reciprocal rank of the counterpart", "mrr", "1 / rank, 0 to 1"),
}


def _agreement(report: Report, pictures: Pictures) -> Drawing:
    """Return how the queries' agreement spreads: a histogram each, with mean and chance."""
    figure = new_figure(_WIDTH, 4.2)
    axes = figure.subplots(1, len(pictures.distributions), squeeze=False)[0]
    told = []
    for panel, spread in zip(axes, pictures.distributions, strict=True):
        what, measure, unit = (text.format(k=pictures.k) for text in _FIGURES[spread.name])
        panel.bar(spread.centres, spread.counts, width=spread.width, color=COLOURS[5], edgecolor=COLOURS[0], lw=0.4)
        mean = f"mean {phrases.number(spread.mean)}"
        panel.axvline(spread.mean, color=COLOURS[1], linewidth=2, label=mean)
        score = next((s for s in report.scores if (s.measure, s.view) == (measure, pictures.view)), None)
        chance = score.chance if score else None
        if chance is not None:
            panel.axvline(chance, color="black", linestyle="--", linewidth=1.5, label=f"chance {_figure(chance)}")
        panel.set_title(what, fontsize="medium")
        panel.set_xlabel(f"{unit} (higher is closer)")
        panel.set_ylabel("queries (count)")
        panel.margins(y=0.3)
        panel.locator_params(axis="x", nbins=6)
        panel.grid(alpha=0.25, axis="y")
        panel.set_axisbelow(True)
        panel.legend(fontsize="small", loc="best", framealpha=0.9)
        told.append(f"{what}: {mean}" + (f", chance {_figure(chance)}" if chance is not None else ""))
    title = f"{_pair(report)}: agreement query by query, {pictures.view} view"
    basis = _basis(report, f"n = {pictures.queries:,} queries")
    _head(figure, title, basis)
    return Drawing("agreement", title, f"Histograms, {basis}. {'; '.join(told)}.", figure)


def _figure(value: float) -> str:
    return phrases.number(value)


def _groups(report: Report) -> Iterator[Drawing]:
    """Yield the picture of the groups' scores where there are groups: a bar each, with interval and chance."""
    groups = report.groups[: phrases.GROUPS_SHOWN]
    measures = _measures_of(report)
    if not groups or not measures:
        return
    columns = min(2, len(measures))
    rows = math.ceil(len(measures) / columns)
    figure = new_figure(_WIDTH, 1.3 + rows * (0.9 + 0.26 * len(groups)))
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    names = [f"{_shown(group.value, 24)} (n = {group.pairs:,})" for group in groups]
    handles: dict[str, Any] = {}
    for panel, overall in zip(axes.flat, measures, strict=False):
        scores = [_held(group.scores, overall) for group in groups]
        handles |= _bars(panel, scores, overall)
        panel.set_xlabel(f"{overall.measure} ({'higher' if overall.higher_is_closer else 'lower'} is closer)")
        panel.set_title(f"{overall.measure}, {overall.view}", fontsize="medium")
        panel.grid(alpha=0.25, axis="x")
        panel.set_axisbelow(True)
        panel.locator_params(axis="x", nbins=7)
    for panel in axes.flat[len(measures) :]:
        panel.set_axis_off()
    axes[0][0].set_yticks(range(len(groups)), names)
    axes[0][0].set_ylim(len(groups) - 0.4, -0.6)
    column = _shown(report.groups[0].column)
    for line in axes:
        line[0].set_ylabel(f"{column} (n: queries)")
    more = len(report.groups) - len(groups)
    title = f"{_pair(report)}: by {column}{phrases.group_order(report)}" + (
        f", and {more:,} more in the JSON" if more else ""
    )
    basis = _basis(report, f"n = {sum(group.pairs for group in report.groups):,} queries")
    _head(figure, title, basis)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False)
    worst = "; ".join(_worst([_held(group.scores, measure) for group in groups], names) for measure in measures)
    yield Drawing("groups", title, f"Bars of {len(groups):,} groups, {basis}. Worst: {worst}.", figure)


def _worst(scores: Sequence[Score], names: Sequence[str]) -> str:
    """Return in words which group a measure is worst for, of those drawn."""
    known = [(score, name) for score, name in zip(scores, names, strict=True) if score.value is not None]
    if not known:
        return f"{scores[0].measure} {phrases.MISSING}"
    score, name = min(known, key=lambda one: (one[0].value or 0.0) * (1 if one[0].higher_is_closer else -1))
    return f"{score.measure} {_value(score)} for {name}"


def _value(score: Score | None) -> str:
    return phrases.MISSING if score is None or score.value is None else _figure(score.value)


def _held(scores: Iterable[Score], like: Score) -> Score:
    return next(score for score in scores if (score.measure, score.view) == (like.measure, like.view))


def _measures_of(report: Report) -> list[Score]:
    """Return the first score of each section that all the report and some group have, at most four."""
    found: dict[str, Score] = {}
    for score in report.scores:
        defined = [g for g in report.groups for s in g.scores if (s.measure, s.view) == (score.measure, score.view)
                   and s.value is not None]  # fmt: skip
        if score.value is not None and defined:
            found.setdefault(score.section, score)
    return list(found.values())[:4]


def _bars(panel: Any, scores: Sequence[Score], overall: Score) -> dict[str, Any]:
    """Draw the groups' scores and return what the legend tells."""
    handles: dict[str, Any] = {}
    known = [(place, score) for place, score in enumerate(scores) if score.value is not None]
    bars = panel.barh([p for p, _ in known], [s.value for _, s in known], height=0.7, color=COLOURS[5])
    handles["group"] = bars
    held = [(place, score.interval) for place, score in known if score.interval]
    if held:
        level = _percent(held[0][1].level)
        lows, highs = ([getattr(interval, end) for _, interval in held] for end in ("low", "high"))
        rows = [place for place, _ in held]
        panel.hlines(rows, lows, highs, color=COLOURS[0], linewidth=1.8)
        panel.plot([*lows, *highs], rows * 2, linestyle="none", marker="|", markersize=7, color=COLOURS[0])
        handles[f"{level} interval"] = panel.plot([], [], color=COLOURS[0], linewidth=1.8)[0]
    chances = [(place, score.chance) for place, score in known if score.chance is not None]
    if chances:
        panel.vlines([c for _, c in chances], [p - 0.5 for p, _ in chances], [p + 0.5 for p, _ in chances],
                     color="black", linestyle="--", linewidth=1.3)  # fmt: skip
        handles["chance"] = panel.plot([], [], color="black", linestyle="--")[0]
    panel.axvline(overall.value, color=COLOURS[1], linestyle="-.", linewidth=1.3)
    handles["all queries"] = panel.plot([], [], color=COLOURS[1], linestyle="-.")[0]
    return handles
