"""What a score is worth: the same comparison over permuted pairings, and over other draws of anchors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from jsonschema import Draft202012Validator

import relcli
from relcli.errors import UsageError
from relcli.evaluation.repeats import permuted
from relcli.measures.catalog import all_measures
from relcli.reports.report import Report, Score, from_document, to_document
from relcli.reports.schema import report_schema
from relcli.reports.table import to_text
from relcli.spaces.pairing import PairedSpaces
from tests.strategies import gaussian_pair, isometry

NAMES = tuple(all_measures())
ROWS, WIDTH, ANCHORS, K = 60, 4, 12, 5
IDS = np.array([f"{i:02d}" for i in range(ROWS)])


class OneLoop:
    """An engine without threads: hundreds of passes over a few rows."""

    def reduce(self, source, empty, progress=None):
        own = empty.fresh()
        for batch in source.batches(ROWS):
            own.update(batch)
        return own

    def map(self, work, items):
        return [work(item) for item in items]


def compared(x: np.ndarray, y: np.ndarray, measures: tuple[str, ...] = NAMES, order=None, **options) -> Report:
    """Return the report of two spaces, the rows of y in another order if one is given."""
    order = np.arange(len(y)) if order is None else order
    options = {"k": K, "engine": OneLoop(), "anchors": IDS[:ANCHORS].tolist(), "moved": 0} | options
    return relcli.compare((IDS, x), (IDS[order], y[order]), measures=measures, **options)


def noisy_rotation(seed: int, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    x, other = gaussian_pair(seed, ROWS, WIDTH, WIDTH)
    return x, x @ isometry(seed, WIDTH) + noise * other


# The null


@pytest.mark.slow
def test_unrelated_spaces_have_uniform_p_values():
    seeds, draws = 40, 19
    names = ("mrr", "cosine", "jaccard@5", "procrustes-residual", "heldout-procrustes-residual", "debiased-cka")
    found: dict[str, list[float]] = {}
    for seed in range(seeds):
        x, y = gaussian_pair(seed, ROWS, WIDTH, WIDTH)
        for score in compared(x, y, names, views="absolute", null=draws, seed=seed).scores:
            found.setdefault(score.measure, []).append(score.null.p * (draws + 1))
    steps = np.arange(1, draws + 2)
    gaps = {
        name: max(abs(np.mean(np.array(values) <= step + 1e-6) - step / (draws + 1)) for step in steps)
        for name, values in found.items()
    }

    assert set(gaps) == set(names)
    # the largest gap to the uniform law on 1/20 … 20/20 is beyond 1.63/√40 once in 100 times
    assert {name: gap for name, gap in gaps.items() if gap > 1.63 / math.sqrt(seeds)} == {}


@pytest.mark.parametrize("draws", [1, 19, 30])
def test_an_isometry_has_the_smallest_p_value_there_is(draws):
    x, _ = gaussian_pair(0, ROWS, WIDTH, WIDTH)
    scores = compared(x, x @ isometry(0, WIDTH), null=draws).scores
    related = [score for score in scores if score.view == "relative" or not all_measures()[family(score)].same_width]

    assert len(related) > 20
    assert {(score.measure, score.null.p) for score in related} == {
        (score.measure, 1 / (draws + 1)) for score in related
    }
    assert {score.null.draws for score in scores} == {draws}


def family(score: Score) -> str:
    """Return the name that a score's measure is declared under."""
    stem, at, _ = score.measure.partition("@")
    return f"{stem}@k" if at else stem


@pytest.mark.parametrize("include", [False, True], ids=["anchors do not count", "anchors count"])
@pytest.mark.parametrize("made", ["unrelated", "related"])
def test_the_null_is_about_the_chance_level(made, include):
    x, y = gaussian_pair(7, ROWS, WIDTH, WIDTH) if made == "unrelated" else noisy_rotation(7)
    draws = 60
    scores = compared(x, y, null=draws, include_anchors=include).scores
    # hubs are in many lists, whoever the row: a list's chance level takes all rows to be alike
    lists = 0.02
    far = {
        (score.measure, score.view): (score.null.mean, score.chance)
        for score in scores
        if abs(score.null.mean - score.chance)
        > 4 * score.null.sd / math.sqrt(draws) + (lists if score.section == "Neighbourhood" else 0.005)
    }

    assert far == {}
    assert {family(score) for score in scores} == set(NAMES)


def pair_of(order: np.ndarray) -> PairedSpaces:
    x, y = gaussian_pair(1, ROWS, WIDTH, WIDTH)
    pair = PairedSpaces.join(relcli.open_space((IDS[order], x[order])), relcli.open_space((IDS, y)))
    return pair.with_anchors(IDS[:ANCHORS], IDS[:ANCHORS], scored=False)


def partners(pair: PairedSpaces) -> dict[str, str]:
    """Return the id in y that each id of x is paired with."""
    return dict(zip(pair.ids.tolist(), pair.y.ids[pair.rows_y].tolist(), strict=True))


def test_permuting_deals_out_the_scored_rows_and_keeps_the_anchors():
    dealt = partners(permuted(pair_of(np.arange(ROWS)), seed=1))
    moved = [x for x, y in dealt.items() if x != y]

    assert {dealt[name] for name in IDS[:ANCHORS].tolist()} == set(IDS[:ANCHORS].tolist())
    assert all(dealt[name] == name for name in IDS[:ANCHORS].tolist())
    assert sorted(dealt.values()) == IDS.tolist()
    # a random deal leaves about one row in its place
    assert len(moved) > ROWS - ANCHORS - 8


def test_permuting_goes_by_id_and_not_by_row():
    order = np.random.default_rng(0).permutation(ROWS)

    assert partners(permuted(pair_of(order), seed=1)) == partners(permuted(pair_of(np.arange(ROWS)), seed=1))


def test_permuting_leaves_the_pairs_as_they_were():
    pair = pair_of(np.arange(ROWS))
    permuted(pair, seed=1)

    assert partners(pair) == dict(zip(IDS.tolist(), IDS.tolist(), strict=True))


def test_every_deal_is_as_likely():
    # 3 scored rows have 6 deals: each is expected 100 times of 600, with a deviation of 9
    pair = pair_of(np.arange(ROWS)).with_anchors(IDS[3:], IDS[3:], scored=False)
    deals = [tuple(map(partners(permuted(pair, seed=seed)).get, IDS[:3].tolist())) for seed in range(600)]
    counts = [deals.count(deal) for deal in set(deals)]

    assert len(counts) == 6
    assert min(counts) > 60
    assert max(counts) < 140


def test_the_null_does_not_depend_on_the_order_of_the_rows():
    x, y = noisy_rotation(3)
    order = np.random.default_rng(0).permutation(ROWS)
    one, other = (compared(x, y, null=5, order=rows).scores for rows in (np.arange(ROWS), order))

    for here, there in zip(one, other, strict=True):
        assert here.null.p == there.null.p
        # sums in another order differ in their last digits
        assert here.null.mean == pytest.approx(there.null.mean, rel=1e-9, abs=1e-9)
        assert here.null.sd == pytest.approx(there.null.sd, rel=1e-6, abs=1e-9)


def test_another_seed_deals_otherwise():
    x, y = noisy_rotation(3)
    one, other = (compared(x, y, ("mrr",), null=5, seed=seed).score("mrr").null.mean for seed in (0, 1))

    assert one != other


def test_the_null_leaves_the_score_as_it_is():
    x, y = noisy_rotation(3)
    plain, judged = compared(x, y).scores, compared(x, y, null=3).scores

    assert [score.null for score in plain] == [None] * len(plain)
    assert [(s.value, s.interval, s.chance, s.pairs) for s in judged] == [
        (s.value, s.interval, s.chance, s.pairs) for s in plain
    ]


def test_the_calibrated_value_is_1_at_the_best():
    x, _ = gaussian_pair(0, ROWS, WIDTH, WIDTH)
    scores = compared(x, x, null=9).scores
    best = {score.measure: score.range[1 if score.higher_is_closer else 0] for score in scores}

    for score in scores:
        if score.value == pytest.approx(best[score.measure], abs=1e-6):
            assert score.null.calibrated == pytest.approx(1, abs=1e-5), score.measure
    assert {s.measure for s in scores if s.null.calibrated == pytest.approx(1, abs=1e-5)} >= {
        "mrr",
        "median-rank",
        "cosine",
        "procrustes-residual",
        "debiased-cka",
    }


def test_the_calibrated_value_is_0_at_the_mean_of_the_null():
    x, y = noisy_rotation(0)
    y[:] = y[0]  # level scores: every pairing has the same expected ranks
    score = compared(x, y, ("mrr",), views="absolute", null=9).score("mrr", "absolute")

    assert score.value == pytest.approx(score.null.mean, rel=1e-12)
    assert score.null.calibrated == pytest.approx(0, abs=1e-12)
    assert score.null.p == 1


def test_the_calibrated_value_lies_between_in_proportion():
    x, y = noisy_rotation(2)
    for score in compared(x, y, null=9).scores:
        best = score.range[1 if score.higher_is_closer else 0]

        assert score.null.calibrated == pytest.approx(
            (score.value - score.null.mean) / (best - score.null.mean), rel=1e-9
        )


def test_sums_that_differ_by_their_order_alone_are_level():
    # every pairing of equal rows has one mean cosine, summed in any order
    x, y = noisy_rotation(0)
    y[:] = y[0]
    score = compared(x, y, ("cosine",), views="absolute", null=19).score("cosine", "absolute")

    assert score.null.p == 1


def test_a_null_at_the_best_leaves_nothing_to_calibrate():
    # all the others are neighbours in both spaces, however they are paired
    x, y = noisy_rotation(0)
    score = compared(x, y, (f"overlap@{ROWS - 1}",), null=3).scores[0]

    assert (score.value, score.null.mean, score.null.p) == (1, 1, 1)
    assert score.null.calibrated is None


def test_one_permutation_has_no_deviation():
    x, y = noisy_rotation(0)

    assert {score.null.sd for score in compared(x, y, null=1).scores} == {None}


def test_an_undefined_score_has_no_null():
    x, y = gaussian_pair(0, ROWS, WIDTH, 3)
    scores = compared(x, y, null=2).scores

    assert any(score.value is None for score in scores)
    assert all((score.null is None) == (score.value is None) for score in scores)


# Draws of anchors


def test_draws_are_the_spread_of_separate_comparisons():
    x, y = noisy_rotation(4)
    drawn = compared(x, y, anchor_draws=4, seed=3)
    runs = [compared(x, y, anchors=f"uniform:{ANCHORS}", seed=3 + draw) for draw in range(4)]

    for score in drawn.scores:
        if score.view == "absolute":
            assert score.draws is None
            continue
        values = [run.score(score.measure, score.view).value for run in runs]
        assert score.draws.count == 4
        assert score.draws.mean == pytest.approx(np.mean(values), rel=1e-12)
        assert score.draws.sd == pytest.approx(np.std(values, ddof=1), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("include", [False, True], ids=["anchors do not count", "anchors count"])
def test_the_first_draw_is_that_of_uniform_anchors(include):
    x, y = noisy_rotation(4)
    report = compared(x, y, anchors="uniform:9", anchor_draws=1, include_anchors=include, views="relative", seed=2)

    scores = [score for score in report.scores if score.value is not None]

    assert scores
    for score in scores:
        assert score.draws.mean == pytest.approx(score.value, rel=1e-12)
        assert score.draws.sd is None


def test_draws_do_not_depend_on_the_order_of_the_rows():
    x, y = noisy_rotation(4)
    order = np.random.default_rng(0).permutation(ROWS)
    one, other = (
        compared(x, y, ("mrr", "jaccard@5"), views="relative", anchor_draws=3, order=rows).scores
        for rows in (np.arange(ROWS), order)
    )

    assert [score.draws for score in one] == [score.draws for score in other]


def test_draws_of_the_absolute_view_alone_are_none():
    x, y = noisy_rotation(4)
    scores = compared(x, y, views="absolute", anchor_draws=2).scores

    assert {score.draws for score in scores} == {None}


@pytest.mark.parametrize("options", [{}, {"null": 0, "anchor_draws": 0}], ids=["by default", "none asked for"])
def test_nothing_is_repeated_unless_asked_for(options):
    x, y = noisy_rotation(4)
    scores = compared(x, y, **options).scores

    assert {(score.null, score.draws) for score in scores} == {(None, None)}


@pytest.mark.parametrize("name", ["null", "anchor_draws"])
def test_a_negative_number_of_repeats_is_refused(name):
    x, y = noisy_rotation(4)

    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} -1 is negative"):
        compared(x, y, **{name: -1})


# In a report


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> Report:
    """Return a report with a null, draws, groups and moved items, an undefined score among them."""
    x, y = noisy_rotation(5)
    metadata = tmp_path_factory.mktemp("labels") / "meta.csv"
    labels = ["a rather long label of a group", "日本語", "c", "only one"]
    lines = [f"{name},{labels[3 if i == 59 else i % 3]}" for i, name in enumerate(IDS.tolist())]
    metadata.write_text("\n".join(["id,label", *lines]) + "\n", encoding="utf-8")
    return compared(x, y, null=3, anchor_draws=2, moved=10, group_by="label", metadata=metadata)


def test_a_report_with_everything_keeps_its_schema(full):
    document = to_document(full)
    Draft202012Validator(report_schema()).validate(document)

    assert document["scores"][0]["null"]["p"] == full.scores[0].null.p
    assert document["scores"][0]["draws"]["count"] == 2
    assert len(document["groups"]) == 4
    assert len(document["moved"]) == 10


def test_a_report_with_everything_is_read_back(full):
    assert from_document(to_document(full)) == full


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_no_line_of_the_table_is_wider_than_the_terminal(full, width):
    from rich.cells import cell_len

    text = to_text(full, width=width)

    assert max(map(cell_len, text.splitlines())) <= width
    assert "MOST MOVED" in text
    assert "BY LABEL" in text
    assert "calibrated" in text


def test_the_table_names_every_group_and_every_moved_item(full):
    words = to_text(full)

    assert all(group.value in words for group in full.groups)
    assert all(item["id"] in words for item in full.moved)
