"""Pictures of a comparison: what they show equals its plain twin, and what is drawn says what it shows."""

from __future__ import annotations

import csv
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow.parquet as pq
import pytest

import relcli
from relcli.cli.app import run
from relcli.evaluation.pictures import distribution
from relcli.evaluation.planes import Components, lay_out
from relcli.reports.pictures import Pictures, drawings, write_plots
from relcli.spaces.pairing import hash_ids
from tests import oracles
from tests.oracles_pictures import principal_axes, share_along, spread
from tests.strategies import isometry

N, K = 90, 5
IDS = [f"item-{place:02d}" for place in range(N)]
ANCHORS = IDS[::9]
QUERIES = [name for name in IDS if name not in ANCHORS]
LABELS = {name: f"kind-{place % 12}" for place, name in enumerate(IDS)}
SVG = "{http://www.w3.org/2000/svg}"


def space(seed: int, d: int) -> np.ndarray:
    """Return N rows that spread unevenly over d dimensions, as a turned and noisy copy of the same ones."""
    rng = np.random.default_rng(7)
    rows = rng.standard_normal((N, 8)) * np.arange(8, 0, -1) + rng.standard_normal(8)
    noise = 0.2 * np.random.default_rng(seed).standard_normal((N, 8))
    return ((rows @ isometry(seed, 8) if seed else rows) + noise)[:, :d]


X, Y, NARROW = space(0, 8), space(3, 8), space(4, 5)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder, with three dumps, anchors and labels."""
    monkeypatch.chdir(tmp_path)
    for name, rows in (("x", X), ("y", Y), ("narrow", NARROW)):
        np.save(f"{name}.npy", rows)
        Path(f"{name}.ids.txt").write_text("\n".join(IDS))
    Path("anchors.txt").write_text("\n".join(ANCHORS))
    Path("labels.csv").write_text("id,kind\n" + "\n".join(f"{name},{kind}" for name, kind in LABELS.items()))
    return tmp_path


@pytest.fixture
def matplotlib() -> None:
    """Skip where nothing can be drawn."""
    pytest.importorskip("matplotlib", reason="needs matplotlib, which the extra `plot` brings")


def compare(*words: str, y: str = "y.npy") -> int:
    return run(["compare", "x.npy", y, "--anchors", "anchors.txt", "-k", str(K), "-q", *words])


def shown(y: np.ndarray = Y, **options: object) -> Pictures:
    """Return what the pictures of a comparison with x show."""
    found: list[Pictures] = []
    relcli.compare((IDS, X), (IDS, y), ANCHORS, k=K, pictures=found.append, **options)
    return found[0]


def points(path: str) -> dict[tuple[str, str], dict[str, str]]:
    """Return the rows of a CSV of points by id and side."""
    with open(path, newline="", encoding="utf-8") as file:
        return {(row["id"], row["side"]): row for row in csv.DictReader(file)}


def words_of(path: Path) -> str:
    """Return all text of an SVG."""
    return "\n".join("".join(node.itertext()) for node in ElementTree.parse(path).iter(f"{SVG}text"))


def rows_of(view: str, y: np.ndarray = Y) -> tuple[np.ndarray, np.ndarray]:
    at = [IDS.index(name) for name in ANCHORS]
    return (X, y) if view == "absolute" else (oracles.relative(X, X[at]), oracles.relative(y, y[at]))


@pytest.mark.parametrize("view", ["absolute", "relative"])
def test_the_points_lie_where_a_plain_pca_puts_them(view, folder):
    assert compare("--points", "points.csv") == 0
    found, sides = points("points.csv"), rows_of(view)
    fitted = [IDS.index(name) for name in QUERIES]
    mean, axes = principal_axes(sides[0][fitted])

    for side, rows in zip("xy", sides, strict=True):
        there = np.array([[float(found[name, side][f"{view}_{axis}"]) for axis in (1, 2)] for name in IDS])
        assert there == pytest.approx((rows - mean) @ axes.T, abs=1e-8)


@pytest.mark.parametrize("view", ["absolute", "relative"])
def test_the_shares_of_variance_equal_their_twin(view):
    fitted = [IDS.index(name) for name in QUERIES]
    sides = [rows[fitted] for rows in rows_of(view)]
    _, axes = principal_axes(sides[0])
    planes = [plane for plane in shown().planes if plane.view == view]

    for plane, rows in zip(planes, sides, strict=True):
        assert plane.shares == pytest.approx([share_along(rows, axis) for axis in axes])


@pytest.mark.usefixtures("matplotlib")
def test_spaces_of_other_widths_have_planes_of_their_own(folder):
    assert compare("--points", "points.csv", "--plots", "plots", y="narrow.npy") == 0
    found = points("points.csv")
    fitted = [IDS.index(name) for name in QUERIES]

    for side, rows in (("x", X), ("y", NARROW)):
        mean, axes = principal_axes(rows[fitted])
        there = np.array([[float(found[name, side][f"absolute_{axis}"]) for axis in (1, 2)] for name in IDS])
        assert there == pytest.approx((rows - mean) @ axes.T, abs=1e-8)
    assert words_of(folder / "plots/projections.svg").count("PCA of its own: the widths differ") == 2


@pytest.mark.parametrize("n", [4, 60])
def test_components_are_the_same_by_rows_and_by_columns(n):
    v = np.random.default_rng(1).standard_normal((n, 20)) * np.arange(20, 0, -1)
    mean, axes = principal_axes(v)
    found = Components.of(v)

    assert found.axes == pytest.approx(axes, abs=1e-8)
    assert found(v) == pytest.approx((v - mean) @ axes.T, abs=1e-8)


@pytest.mark.parametrize("v", [np.ones((6, 3)), np.arange(6.0)[:, None], np.eye(2)[[0, 0, 1]]])
def test_what_varies_in_one_direction_or_none_is_laid_out_flat(v):
    (layout,) = lay_out("pca", [v], len(v))

    assert np.isfinite(layout.coordinates).all()
    assert layout.coordinates[:, 1] == pytest.approx(np.zeros(len(v)), abs=1e-12)


def test_the_sample_is_that_of_the_smallest_hashed_ids_in_any_order():
    order = np.random.default_rng(0).permutation(N)
    ids = [IDS[place] for place in order]
    found: list[Pictures] = []
    relcli.compare((ids, X[order]), (IDS, Y), ANCHORS, k=K, plot_sample=20, pictures=found.append)
    hashes = dict(zip(QUERIES, hash_ids(np.array(QUERIES)).tolist(), strict=True))
    of_queries = [name for name, anchor in zip(found[0].ids, found[0].is_anchor, strict=True) if not anchor]

    assert of_queries == sorted(sorted(QUERIES, key=hashes.__getitem__)[:20])
    assert found[0].planes[3].first == pytest.approx(shown(plot_sample=20).planes[3].first)


def test_only_the_rows_drawn_are_read(monkeypatch):
    from relcli.evaluation import pictures
    from relcli.spaces.anchors import find_anchors
    from relcli.spaces.pairing import PairedSpaces
    from relcli.spaces.space import Space

    read: list[int] = []
    pair = PairedSpaces.join(relcli.open_space((IDS, X)), relcli.open_space((IDS, Y)))
    frame = find_anchors(pair, np.array(ANCHORS), np.array(ANCHORS))
    pair = pair.with_anchors(frame.x_ids, frame.y_ids, scored=False)
    table = {"id": np.array(QUERIES), "jaccard": np.linspace(0, 1, len(QUERIES))}
    compute = Space.compute
    monkeypatch.setattr(
        Space, "compute", lambda self, rows: read.append(len(compute(self, rows))) or compute(self, rows)
    )
    pictures.pictures_of(pair, frame, table, view="relative", k=K, size=15)

    assert read == [15, 15]


def test_agreement_is_that_of_the_items_and_anchors_have_none(folder):
    words = ("--items", "items.csv", "--group-by", "kind", "--metadata", "labels.csv", "--plot-sample", "30")
    assert compare("--points", "points.parquet", *words) == 0
    rows = pq.read_table("points.parquet").to_pylist()
    with open("items.csv", newline="") as file:
        jaccard = {row["id"]: float(row["jaccard"]) for row in csv.DictReader(file)}

    assert len({(row["id"], row["side"]) for row in rows}) == len(rows) == 2 * (30 + len(ANCHORS))
    for row in rows:
        assert row["agreement"] == jaccard.get(row["id"])
        assert row["is_anchor"] == (row["id"] in ANCHORS)
        assert row["label"] == LABELS[row["id"]]


def test_scored_anchors_are_drawn_once_as_anchors():
    found = shown(include_anchors=True)

    assert sorted(found.ids) == IDS
    assert sorted(name for name, anchor in zip(found.ids, found.is_anchor, strict=True) if anchor) == ANCHORS


@pytest.mark.parametrize("values", [[0.0, 0.25, 0.25, 1.0], [0.5, 0.5], list(np.random.default_rng(0).random(300))])
def test_bars_count_every_query_once(values):
    found = distribution("cosine", np.array(values))

    assert list(found.counts) == spread(values, list(found.centres), found.width)
    assert sum(found.counts) == len(values)
    assert found.mean == pytest.approx(sum(values) / len(values))


@pytest.mark.usefixtures("matplotlib")
def test_pictures_leave_the_report_as_it_is(folder):
    assert compare("--plots", "plots", "-o", "with.json") == 0
    assert compare("-o", "without.json") == 0

    assert json.loads(Path("with.json").read_text()) == json.loads(Path("without.json").read_text())


@pytest.mark.usefixtures("matplotlib")
def test_every_picture_says_what_it_shows(folder):
    assert compare("--plots", "plots", "--group-by", "kind", "--metadata", "labels.csv", "--plot-sample", "30") == 0
    names = ("agreement", "groups", "projections")

    assert sorted(path.name for path in (folder / "plots").iterdir()) == [
        f"{name}.{suffix}" for name in names for suffix in ("png", "svg")
    ]
    for name in names:
        assert (folder / f"plots/{name}.png").read_bytes().startswith(b"\x89PNG")
        root = ElementTree.parse(folder / f"plots/{name}.svg").getroot()
        text = words_of(folder / f"plots/{name}.svg")
        assert root.get("role") == "img"
        ids = [node.get("id") for node in root.iter() if node.get("id")]
        assert len(ids) == len(set(ids))
        assert set((root.get("aria-labelledby") or "").split()) <= set(ids)
        assert root.findtext(f"{SVG}title")
        n = "n = 30 of 80 queries" if name == "projections" else "n = 80 queries"
        assert all(said in text for said in ("x ↔ y", n, "10 anchors", f"k = {K}")), text
    projections = words_of(folder / "plots/projections.svg")
    assert projections.count("PCA fitted on X") == 4
    assert all(said in projections for said in ("absolute · X: x", "relative · Y: y", "2 others", "kind-3", "anchors"))
    assert projections.count("% of variance)") == 4
    assert projections.count("% of Y's variance)") == 4
    agreement = words_of(folder / "plots/agreement.svg")
    assert all(said in agreement for said in ("queries (count)", "mean 0.", "chance 0.", "1 / rank, 0 to 1"))
    groups = words_of(folder / "plots/groups.svg")
    assert all(said in groups for said in ("kind-3 (n = ", "95 % interval", "chance", "mrr (higher is closer)"))


@pytest.mark.usefixtures("matplotlib")
@pytest.mark.slow
def test_the_same_comparison_draws_the_same_files(folder):
    for place in ("one", "two"):
        assert compare("--plots", place) == 0

    for path in (folder / "one").iterdir():
        assert path.read_bytes() == (folder / "two" / path.name).read_bytes()


@pytest.mark.usefixtures("matplotlib")
def test_bars_are_as_long_as_the_scores_and_lines_stand_at_chance(folder):
    report = relcli.compare("x.npy", "y.npy", "anchors.txt", k=K, group_by="kind", metadata="labels.csv")
    panel = drawings(report, None)[0].figure.axes[0]
    scores = [next(score for score in group.scores if score.measure == "mrr") for group in report.groups]
    intervals, chances = (each.get_segments() for each in panel.collections)

    assert [bar.get_width() for bar in panel.patches] == [score.value for score in scores]
    assert [segment[0][0] for segment in chances] == [score.chance for score in scores]
    assert [(a[0], b[0]) for a, b in intervals] == [(s.interval.low, s.interval.high) for s in scores if s.interval]


@pytest.mark.usefixtures("matplotlib")
def test_sides_that_extend_alike_share_their_axes():
    absolute, other, *relative = projections_of(Y)

    assert "axes shared by X and Y" in absolute.get_title()
    assert limits_of(absolute) == limits_of(other)
    assert limits_of(relative[0]) == limits_of(relative[1])


@pytest.mark.usefixtures("matplotlib")
@pytest.mark.parametrize(("scale", "said"), [(0.05, "enlarged"), (8, "reduced")])
def test_a_side_that_would_be_a_dot_has_axes_of_its_own_and_tells_its_scale(scale, said):
    absolute, other, *relative = projections_of(scale * Y)
    spans = [np.ptp(limits) for panel in (absolute, other) for limits in limits_of(panel)]
    ratio = max(spans[0] / spans[2], spans[2] / spans[0])

    assert spans[::2] == pytest.approx(spans[1::2])
    assert "axes of its own" in absolute.get_title()
    assert f"{said} {ratio:.1f} times beside X" in other.get_title()
    assert limits_of(relative[0]) == limits_of(relative[1])
    for panel in (absolute, other):
        assert fits(panel)


@pytest.mark.usefixtures("matplotlib")
def test_a_few_far_points_are_left_outside_and_counted():
    rng = np.random.default_rng(2)
    ids = [f"{place}" for place in range(600)]
    x = rng.standard_normal((600, 4)) * [4, 3, 1, 1]
    y = x + 0.1 * rng.standard_normal((600, 4))
    y[:2] *= 300
    found: list[Pictures] = []
    report = relcli.compare((ids, x), (ids, y), ids[2::10], k=K, pictures=found.append)
    absolute, other, *_ = drawings(report, found[0])[0].figure.axes
    points = np.array([found[0].planes[1].first, found[0].planes[1].second]).T
    (left, right), (bottom, top) = limits_of(other)
    outside = sum(not (left <= first <= right and bottom <= second <= top) for first, second in points)

    assert outside == 2
    assert f"2 of {len(points)} points outside" in other.get_title()
    assert "outside" not in absolute.get_title()
    assert right - left < 60


@pytest.mark.usefixtures("matplotlib")
def test_long_names_stay_within_the_pictures(folder):
    long = "a long name as checkpoints and columns often have one"
    rows = "".join(f"{name},{long} {place % 12}\n" for place, name in enumerate(IDS))
    Path("long.csv").write_text(f"id,a_long_name_of_a_column_of_labels\n{rows}")
    found: list[Pictures] = []
    report = relcli.compare(
        "x.npy", "y.npy", "anchors.txt", k=K, group_by="a_long_name_of_a_column_of_labels", metadata="long.csv",
        pictures=found.append,
    )  # fmt: skip
    report = replace(report, x={**report.x, "name": long}, y={**report.y, "name": long})
    for drawing in drawings(report, found[0]):
        drawing.figure.draw_without_rendering()
        width, height = drawing.figure.bbox.size
        texts = [drawing.figure._suptitle, *drawing.figure.legends, *(panel.title for panel in drawing.figure.axes)]
        for text in texts:
            box = text.get_window_extent()
            assert box.x0 >= 0, text
            assert box.x1 <= width, text
            assert box.y1 <= height + 1, text


def projections_of(y: np.ndarray) -> list[Any]:
    """Return the panels of the projections of x and y: absolute X, Y, relative X, Y."""
    return list(drawings(relcli.compare((IDS, X), (IDS, y), ANCHORS, k=K), shown(y))[0].figure.axes)


def limits_of(panel: Any) -> list[tuple[float, float]]:
    return [panel.get_xlim(), panel.get_ylim()]


def fits(panel: Any) -> bool:
    """Return whether all points of a panel lie inside it."""
    drawn = np.concatenate([dots.get_offsets() for dots in panel.collections])
    low, high = np.array(limits_of(panel)).T
    return bool((drawn >= low).all() and (drawn <= high).all())


@pytest.mark.usefixtures("matplotlib")
def test_measures_of_groups_stand_two_a_row_and_rows_are_as_high_as_the_groups_are_many(folder):
    rows = "".join(f"{name},{place % 2}\n" for place, name in enumerate(IDS))
    Path("two.csv").write_text(f"id,kind\n{rows}")

    def groups(measures: str, labels: str) -> Any:
        report = relcli.compare(
            "x.npy", "y.npy", "anchors.txt", k=K, measures=measures, group_by="kind", metadata=labels
        )
        return drawings(report, None)[0].figure

    wide, one, many = (
        groups("mrr,jaccard@5,debiased-cka", "two.csv"),
        groups("mrr", "two.csv"),
        groups("mrr", "labels.csv"),
    )

    assert [panel.axison for panel in wide.axes] == [True, True, True, False]
    assert wide.get_figwidth() == one.get_figwidth() == many.get_figwidth()
    assert wide.get_figheight() > one.get_figheight()
    assert many.get_figheight() - one.get_figheight() == pytest.approx(10 * 0.26)


@pytest.mark.usefixtures("matplotlib")
def test_the_group_that_is_worst_is_told_for_each_measure(folder):
    measures = ("mrr", "jaccard@5", "debiased-cka", "heldout-procrustes-residual")
    report = relcli.compare(
        "x.npy", "y.npy", "anchors.txt", k=K, measures=",".join(measures), group_by="kind", metadata="labels.csv"
    )
    drawing = drawings(report, None)[0]
    named = dict(re.findall(r"([\w@-]+) \S+ for ([^;.]+?) \(n", drawing.description.partition("Worst: ")[2]))

    assert "by kind, worst mrr (relative) first" in drawing.title
    for measure in measures:
        scores = {
            group.value: (score.value, score.higher_is_closer)
            for group in report.groups
            for score in group.scores
            if score.measure == measure
            and score.value is not None
            and score.view == ("absolute" if measure.startswith("heldout") else "relative")
        }
        worst = min(scores, key=lambda name: scores[name][0] * (1 if scores[name][1] else -1))
        assert named[measure] == worst
    assert len(set(named.values())) > 1


@pytest.mark.usefixtures("matplotlib")
@pytest.mark.parametrize("name", ["$x_{$ a<b>&\"c' 多言語", "_under" + "l" * 200, "bad\x07\x1b[31m\udc80"])
def test_names_of_any_kind_are_drawn(name, tmp_path):
    report = relcli.compare((IDS, X), (IDS, Y), ANCHORS, k=K)
    named = replace(shown(), column=name, labels=tuple([name] * N))
    write_plots(replace(report, x={**report.x, "name": name}), named, tmp_path / "plots")

    assert name.isprintable() is False or name[:20].strip("_") in words_of(tmp_path / "plots/projections.svg")


@pytest.mark.usefixtures("matplotlib")
@pytest.mark.slow
def test_tsne_lays_both_sides_out_together_and_says_so(folder):
    assert compare("--projection", "tsne", "--plots", "plots", "--points", "points.csv") == 0

    assert words_of(folder / "plots/projections.svg").count("t-SNE of X and Y together") == 4
    found = points("points.csv")
    assert np.isfinite([float(row["relative_1"]) for row in found.values()]).all()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--projection", "tsn"), "Did you mean 'tsne'?"),
        (("--projection", "umap"), "umap-learn, which is not installed"),
        (("--plot-sample", "1"), "draws nothing"),
        (("--plots", "x.npy"), "it is no folder"),
        (("--plots", "no/where"), "there is no folder no"),
        (("--points", "points.txt"), "does not tell how to write"),
        (("--points", "x.npy"), "x.npy"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_any_work(words, said, folder, monkeypatch, capfd):
    if "--plots" in words:
        pytest.importorskip("matplotlib", reason="relcli[plot] is not installed")
    monkeypatch.setitem(sys.modules, "umap", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)

    assert compare(*words) == 2
    assert said in " ".join(capfd.readouterr().err.split())
    assert not (folder / "plots").exists()


def test_without_matplotlib_the_extra_is_named(folder, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    assert compare("--plots", "plots") == 2
    assert "relcli[plot]" in capfd.readouterr().err
    assert compare("--points", "points.csv") == 0
