"""Scores by group are those of a comparison with the group's queries alone against the whole gallery."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import relcli
from relcli.engines.local import LocalEngine
from relcli.errors import IdError, UsageError
from relcli.evaluation import views as views_module
from relcli.evaluation.scoring import Intervals, score_all
from relcli.evaluation.views import VIEWS, fill, make_views
from relcli.measures.catalog import all_measures, find_measures
from relcli.reports.report import Group, Report, Score
from relcli.reports.table import to_text
from relcli.spaces.anchors import find_anchors
from relcli.spaces.pairing import PairedSpaces
from relcli.tasks.compare import Options
from relcli.tasks.compare import compare as compare_spaces
from tests import oracles
from tests.oracles import ORACLES, Case, clear_cut
from tests.strategies import cases, determined, gaussian_pair, isometry

NAMES = tuple(all_measures())
BY_COUNTS = {n for n, m in all_measures().items() if m.section in ("Retrieval", "Neighbourhood")}
HELD_OUT = tuple(name for name in NAMES if name.startswith("heldout-") or name == "linear-r2")
#: These need more pairs in a group than dimensions.
CANONICAL = ("cca", "svcca", "pwcca")
FIGURES = ("value", "forward", "backward", "chance")

# roots of a difference: where nuc is 1 but for 1e-13, they are 1e-6 apart
ROOTS = {"procrustes-distance", "procrustes-angle", "gulp"}


@pytest.fixture(autouse=True)
def without_jackknife(monkeypatch):
    """Leave out the intervals of moments: they take most of the time, and have tests of their own."""
    monkeypatch.setattr("relcli.tasks.compare.fill", partial(fill, folds=0))


def tolerance(name: str) -> float:
    """Return how far, beside 1, two right computations of a measure may be apart."""
    if name in BY_COUNTS:
        return 1e-12
    return 1e-6 if name in ROOTS else 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class GroupCase(Case):
    """A case whose queries are those of a group: the gallery and the anchors are all there."""

    group: tuple[int, ...] = ()

    @property
    def rest(self) -> list[int]:
        return [i for i in super().rest if i in self.group]

    @property
    def scored(self) -> list[int]:
        return [i for i in super().scored if i in self.group]


def compared(case: Case, labels: dict[str, str], names: tuple[str, ...] = NAMES, **options) -> Report:
    """Return the report of a case, grouped by labels of its ids."""
    anchors = [case.ids[i] for i in case.anchors]
    return compare_spaces(
        relcli.open_space((case.ids, case.x)),
        relcli.open_space((case.ids, case.y)),
        relcli.api.wanted_anchors(anchors),
        Options(measures=names, k=case.k, include_anchors=case.include_anchors, **options),
        engine=LocalEngine(2, batch_rows=5),
        groups=("kind", np.array(list(labels), np.str_), np.array(list(labels.values()), np.str_)),
    )


def by_name(scores: tuple[Score, ...] | list[Score]) -> dict[tuple[str, str], Score]:
    """Return scores by declared measure and view."""
    stems = ((score.measure.partition("@"), score) for score in scores)
    return {(f"{stem}@k" if at else stem, score.view): score for (stem, at, _), score in stems}


def alone(case: Case, rows: list[int]) -> dict[tuple[str, str], Score]:
    """Return the scores of a comparison in which these rows are the only ones that count."""
    ids = np.array(case.ids)
    anchors = ids[list(case.anchors)]
    pair = PairedSpaces.join(relcli.open_space((ids, case.x)), relcli.open_space((ids, case.y)))
    frame = find_anchors(pair, anchors, anchors)
    pair = pair.with_anchors(anchors, anchors, scored=case.include_anchors)
    pair = replace(pair, scored=pair.scored & np.isin(pair.ids, ids[rows]))
    measures = find_measures(NAMES, k=case.k)
    views = make_views(pair, frame, measures)
    fill(pair, views, measures, LocalEngine(1))
    return by_name(score_all(measures, views, Intervals(0), int(pair.scored.sum())))


@st.composite
def grouped(draw: st.DrawFn) -> tuple[Case, dict[str, str]]:
    """Return a case that `compare` answers, and labels for most of its ids, one scored one at least."""
    case = draw(cases())
    assume(len(case.anchors) >= 2 and case.scored and case.k < case.m)
    drawn = draw(st.lists(st.sampled_from(["a", "a", "b", "ß c", None]), min_size=case.m, max_size=case.m))
    labels = {name: label for name, label in zip(case.ids, drawn, strict=True) if label is not None}
    assume(any(case.ids[i] in labels for i in case.scored))
    return case, labels | {"of no row": "nobody's"}


def members(case: Case, labels: dict[str, str], label: str) -> list[int]:
    return [i for i, name in enumerate(case.ids) if labels.get(name) == label]


def test_every_figure_is_that_of_the_groups_queries_alone():
    counted: Counter[str] = Counter()
    names = [name for name in NAMES if name not in HELD_OUT]

    @settings(max_examples=20)
    @given(grouped())
    def on_each(given_case: tuple[Case, dict[str, str]]) -> None:
        case, labels = given_case
        for group in compared(case, labels).groups:
            found, expected = by_name(group.scores), alone(case, members(case, labels, group.value))
            assert list(found) == list(expected)
            for (name, view), score in found.items():
                if name in names and clear_cut(name, of_group(case, labels, group), view):
                    check_same(score, expected[name, view], name, counted)

    on_each()

    assert {name for name in names if counted[name] < 5} <= set(CANONICAL)


def check_same(score: Score, expected: Score, name: str, counted: Counter) -> None:
    """Fail where two scores differ: those of counts in any bit."""
    # an overflowing sum of moments, or a spread of nothing but rounding, may leave either without a value
    assert (score.value is None) == (expected.value is None), (name, score, expected)
    for figure in FIGURES if score.value is not None else ():
        one, other = getattr(score, figure), getattr(expected, figure)
        if name in BY_COUNTS and figure != "chance":
            assert one == other, (name, figure)
        else:
            assert one == (None if other is None else pytest.approx(other, rel=tolerance(name), abs=tolerance(name)))
    counted[name] += score.value is not None
    assert score.pairs == expected.pairs
    assert score.gallery == expected.gallery


def of_group(case: Case, labels: dict[str, str], group: Group) -> GroupCase:
    """Return the case with the group's rows as its queries."""
    rows = tuple(members(case, labels, group.value))
    return GroupCase(case.x, case.y, case.ids, case.anchors, case.include_anchors, case.k, group=rows)


def test_every_figure_equals_the_plain_twins_of_the_group():
    counted: Counter[str] = Counter()

    @settings(max_examples=30)
    @given(grouped())
    def on_each(given_case: tuple[Case, dict[str, str]]) -> None:
        case, labels = given_case
        for group in compared(case, labels).groups:
            part = of_group(case, labels, group)
            assert group.pairs == len(part.scored)
            for (name, view), score in by_name(group.scores).items():
                if clear_cut(name, part, view):
                    check_twin(score, part, name, view, counted)

    on_each()

    assert {name for name in NAMES if counted[name] < 5} <= {*HELD_OUT, *CANONICAL}


def test_a_held_out_figure_equals_the_twin_where_the_anchors_determine_the_map():
    counted: Counter[str] = Counter()

    @settings(max_examples=50)
    @given(determined())
    def on_each(case: Case) -> None:
        labels = {name: "ab"[i % 2] for i, name in enumerate(case.ids)}
        for group in compared(case, labels, HELD_OUT).groups:
            part = of_group(case, labels, group)
            for (name, view), score in by_name(group.scores).items():
                if clear_cut(name, part, view):
                    check_twin(score, part, name, view, counted)

    on_each()

    # an exact rotation leaves ridge several penalties that are as good
    assert counted["linear-r2"] >= 10
    assert min(counted[name] for name in HELD_OUT if name != "linear-r2") >= 30


def check_twin(score: Score, part: GroupCase, name: str, view: str, counted: Counter) -> None:
    """Fail where a group's score differs from its plain twin."""
    try:
        expected = ORACLES[name](part, view)
    except oracles.Undefined:
        assert score.value is None, name
        assert score.undefined_because
        return
    assert score.value is not None, (name, score.undefined_because)
    for figure in FIGURES:
        if expected[figure] is not None:
            near = pytest.approx(expected[figure], rel=tolerance(name), abs=tolerance(name))
            assert getattr(score, figure) == near, (name, view, figure)
    counted[name] += 1


@given(grouped())
@settings(max_examples=40)
def test_groups_hold_each_labelled_query_once_and_nothing_else(given_case):
    case, labels = given_case
    report = compared(case, labels, ("mrr",))
    queries = Counter(labels[case.ids[i]] for i in case.scored if case.ids[i] in labels)

    assert {group.value: group.pairs for group in report.groups} == dict(queries)
    assert {group.column for group in report.groups} == {"kind"}


ROWS = 60


def spaces(seed: int = 0, dy: int = 5) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return ids, and a space with its rotation, or another width: each third of the rows has far more noise."""
    x, noise = gaussian_pair(seed, ROWS, 5, dy)
    y = noise if dy != 5 else x @ isometry(seed, 5) + np.repeat([0.0, 0.5, 5.0], ROWS // 3)[:, None] * noise
    return [f"{i:02d}" for i in range(ROWS)], x, y


def case_of(include_anchors: bool = True, dy: int = 5) -> Case:
    ids, x, y = spaces(dy=dy)
    return Case(x, y, ids, range(0, ROWS, 6), include_anchors, 4)


THIRDS = {f"{i:02d}": ["near", "mid", "far"][i // 20] for i in range(ROWS)}


@pytest.mark.parametrize("name", ["mrr", "median-rank", "procrustes-residual"])
def test_the_worst_group_stands_first(name):
    report = compared(case_of(), THIRDS, (name, "cosine"))

    assert [group.value for group in report.groups] == ["far", "mid", "near"]


def test_a_group_without_the_deciding_score_stands_last():
    # one row has ranks but no spread, so the first measure is undefined for it alone
    labels = THIRDS | {"59": "a single one"}
    report = compared(case_of(), labels, ("linear-cka", "mrr"))

    assert [group.value for group in report.groups] == ["far", "mid", "near", "a single one"]


def test_level_groups_go_by_label():
    ids, x, _ = spaces()
    labels = {name: "zyx"[i % 3] for i, name in enumerate(ids)}
    report = compared(Case(x, x, ids, range(6), True, 4), labels, ("mrr",))

    assert [group.value for group in report.groups] == ["x", "y", "z"]


@pytest.mark.parametrize("include", [True, False], ids=["anchors count", "anchors do not count"])
def test_one_group_of_all_scores_what_the_report_does(include):
    case = case_of(include)
    report = compared(case, dict.fromkeys(case.ids, "all"))
    (group,) = report.groups

    for whole, part in zip(report.scores, group.scores, strict=True):
        assert (part.measure, part.view, part.pairs) == (whole.measure, whole.view, whole.pairs)
        assert part.value == pytest.approx(whole.value, rel=1e-12)
        assert part.chance == pytest.approx(whole.chance, rel=1e-12)
        if whole.section in ("Retrieval", "Neighbourhood"):
            assert part.interval == whole.interval


@pytest.mark.parametrize("include", [True, False], ids=["anchors count", "anchors do not count"])
def test_groups_of_one_row_score_what_one_row_can(include):
    case = case_of(include)
    report = compared(case, {name: f"only {name}" for name in case.ids})
    scores = [score for group in report.groups for score in group.scores]
    undefined = {score.measure for score in scores if score.value is None}

    assert {group.pairs for group in report.groups} == {1}
    assert len(report.groups) == len(case.scored)
    assert all(score.undefined_because for score in scores if score.value is None)
    assert {"linear-cka", "debiased-cka", "procrustes-residual"} <= undefined
    # an anchor alone holds nothing out, any other row has no mean to differ from
    assert {"heldout-procrustes-residual", "heldout-aligned-cosine"} <= undefined
    assert undefined.isdisjoint({"mrr", "cosine", "jaccard@4", "cross-jaccard@4"})


def test_a_group_that_no_sampled_query_is_in_says_so():
    case = case_of()
    report = compared(case, {name: f"only {name}" for name in case.ids}, sample=20)
    empty = [group for group in report.groups if not group.pairs]
    reasons = {score.undefined_because for score in empty[0].scores if score.measure in {"mrr", "cosine", "jaccard@4"}}

    assert len(empty) == ROWS - 20
    assert reasons == {"there is no query"}
    held = {score.undefined_because for score in empty[0].scores if score.measure == "heldout-aligned-cosine"}
    assert held == {"there is no query"}


def test_moments_of_a_group_are_over_all_its_rows_though_queries_are_sampled():
    case = case_of()
    report = compared(case, THIRDS, ("mrr", "linear-cka"), sample=20)
    whole = compared(case, THIRDS, ("mrr", "linear-cka"))
    sampled, full = ({g.value: by_name(g.scores)["linear-cka", "absolute"] for g in r.groups} for r in (report, whole))

    assert sum(group.pairs for group in report.groups) == 20
    assert {score.pairs for score in sampled.values()} == {20}
    for label, score in sampled.items():
        assert score.value == pytest.approx(full[label].value, rel=1e-9)


def test_too_many_groups_leave_out_the_moments_and_say_so(monkeypatch):
    monkeypatch.setattr(views_module, "GROUP_NUMBERS", 3 * 75)  # three groups of 5 × 5 moments, and no relative ones
    report = compared(case_of(), THIRDS)

    for group in report.groups:
        scores = by_name(group.scores)
        reasons = {view: scores["linear-cka", view].undefined_because for view in VIEWS}
        assert reasons == {"absolute": None, "relative": "there are too many groups to keep its moments"}
        assert scores["mrr", "relative"].value is not None
    assert report.score("linear-cka").value is not None


def test_a_tight_group_far_from_the_others_keeps_its_digits():
    case = case_of()
    rows = members(case, THIRDS, "near")
    x, y = case.x.copy(), case.y.copy()
    for v in (x, y):
        v[rows] = 1e4 + v[rows]
    part = replace(case, x=x, y=y)
    (found,) = [group for group in compared(part, THIRDS, ("debiased-cka",)).groups if group.value == "near"]
    expected = ORACLES["debiased-cka"](of_group(part, THIRDS, found), "absolute")["value"]

    # sums about the mean of all rows would be 2e-3 off
    assert by_name(found.scores)["debiased-cka", "absolute"].value == pytest.approx(expected, abs=1e-9)


def test_widths_that_differ_leave_each_group_with_the_reason():
    report = compared(case_of(dy=3), THIRDS)

    for group in report.groups:
        score = by_name(group.scores)["mrr", "absolute"]
        assert score.undefined_because == "x has 5 dimensions and y 3: their coordinates cannot be compared"


# Labels


def test_rows_without_a_label_are_in_no_group_and_are_told_of():
    case = case_of()
    labels = {name: label for name, label in THIRDS.items() if name not in ("01", "30", "59")}
    report = compared(case, labels | {"31": "", "32": "  "}, ("mrr",))

    assert {group.value: group.pairs for group in report.groups} == {"near": 19, "mid": 17, "far": 19}
    assert report.score("mrr").pairs == ROWS
    assert [note for note in report.notes if "group" in note] == [
        "5 scored pairs have no label in 'kind' and are in no group: '01', '30', '31', '32', '59'"
    ]


def test_anchors_that_do_not_count_need_no_label():
    case = case_of(include_anchors=False)
    report = compared(case, {case.ids[i]: "one" for i in case.scored}, ("mrr",))

    assert [(group.value, group.pairs) for group in report.groups] == [("one", 50)]
    assert not [note for note in report.notes if "group" in note]


@pytest.mark.parametrize("labels", [{}, {"17x": "a", "18x": "b"}, {"00": "a"}], ids=["none", "other ids", "an anchor"])
def test_metadata_that_labels_no_scored_row_is_refused(labels):
    with pytest.raises(IdError, match=r"None of the 50 scored pairs has a label in 'kind': '01', '02'"):
        compared(case_of(include_anchors=False), labels, ("mrr",))


def test_an_id_with_two_labels_is_refused(tmp_path):
    ids, x, y = spaces()
    lines = [f"{name},{THIRDS[name]}" for name in [*ids, "07", "08", "07"]]
    (tmp_path / "meta.csv").write_text("\n".join(["id,kind", *lines]) + "\n")

    with pytest.raises(IdError, match="2 ids have several labels: '07', '08'"):
        relcli.compare((ids, x), (ids, y), ids[:8], group_by="kind", metadata=tmp_path / "meta.csv")


def test_the_labels_may_stand_in_a_metadata_file(tmp_path):
    case = case_of()
    shuffled = [case.ids[i] for i in np.random.default_rng(0).permutation(ROWS)]
    lines = [f"{name},{len(name)},{THIRDS[name]}" for name in shuffled]
    (tmp_path / "meta.csv").write_text("\n".join(["id,other,kind", *lines, "unknown,0,far"]) + "\n")
    report = relcli.compare(
        (case.ids, case.x),
        (case.ids, case.y),
        [case.ids[i] for i in case.anchors],
        measures=NAMES,
        k=4,
        include_anchors=True,
        group_by="kind",
        metadata=tmp_path / "meta.csv",
        engine=LocalEngine(2, batch_rows=5),
    )

    assert report.groups == compared(case, THIRDS).groups


def test_labels_of_arrays_need_a_file():
    ids, x, y = spaces()

    with pytest.raises(UsageError, match="name one as metadata"):
        relcli.compare((ids, x), (ids, y), ids[:8], group_by="kind")


SAMPLES = Path(__file__).resolve().parent.parent / "sample_embeddings"


def test_the_samples_are_grouped_by_a_column_of_their_own_file():
    report = relcli.compare(
        SAMPLES / "digits_ae_s1.parquet",
        SAMPLES / "digits_ae_s0.npy",
        SAMPLES / "anchors.txt",
        measures=["mrr", "linear-cka"],
        group_by="label",
    )
    weights = [group.pairs for group in report.groups]
    values = [by_name(group.scores)["mrr", "relative"].value for group in report.groups]

    assert sorted(group.value for group in report.groups) == list("0123456789")
    assert sum(weights) == 1797 - 300
    assert values == sorted(values)
    assert np.average(values, weights=weights) == pytest.approx(report.score("mrr").value, rel=1e-12)


def test_a_report_whose_groups_have_no_score_is_still_a_table():
    report = compared(case_of(), THIRDS, ("heldout-procrustes-residual",), views=("relative",))

    assert {group.scores for group in report.groups} == {()}
    assert "near" in to_text(report)
    assert all(len(line) <= 80 for line in to_text(report).splitlines())


def test_no_figure_of_a_group_is_nan():
    case = case_of()
    report = compared(case, {name: f"{i % 25}" for i, name in enumerate(case.ids)})
    figures = [getattr(score, figure) for group in report.groups for score in group.scores for figure in FIGURES]

    assert all(value is None or math.isfinite(value) for value in figures)
