"""Requirements on a report: what they say, and that the verdict is the plain comparison."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relcli.errors import UsageError
from relcli.reports.checks import (
    FIELDS,
    OPERATORS,
    Check,
    Evidence,
    as_documents,
    failed,
    judge,
    parse_requirement,
    parse_requirements,
    refuse_unknown,
)
from relcli.reports.phrases import check_line, check_mark
from relcli.reports.report import Draws, Group, Interval, Null, Score

KNOWN = {"mrr": True, "recall@k": True, "jaccard@k": True, "cosine": True, "procrustes-residual": False}
MRR = Score(
    "mrr",
    "relative",
    0.9,
    forward=0.95,
    backward=0.85,
    interval=Interval(0.88, 0.92, 0.95, "bootstrap"),
    chance=0.01,
    pairs=100,
    null=Null(0.02, 0.001, 0.005, 199, 0.898),
    draws=Draws(0.91, 0.03, 10),
)
RESIDUAL = Score("procrustes-residual", "absolute", 0.2, higher_is_closer=False)
JOIN = {"x_rows": 100, "y_rows": 80, "pairs": 76}

numbers = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters="<>=!()[].@\"'"), min_size=1)


def subject(*scores: Score, groups: tuple[Group, ...] = (), join: dict | None = None) -> SimpleNamespace:
    return SimpleNamespace(scores=scores, groups=groups, join=JOIN if join is None else join)


def verdict(text: str, found: SimpleNamespace) -> Check:
    (check,) = judge(found, [parse_requirement(text)], KNOWN)
    return check


def by_language(**values: float | None) -> tuple[Group, ...]:
    return tuple(
        Group("lang", value, 10, (replace(MRR, value=figure, undefined_because=None if figure else "no rows"),))
        for value, figure in values.items()
    )


# --- the verdict ---


@given(numbers, numbers, st.sampled_from([*OPERATORS]))
def test_the_verdict_is_the_plain_comparison(value, bound, op):
    check = verdict(f"mrr{op}{bound!r}", subject(replace(MRR, value=value)))

    assert check.passed == OPERATORS[op](value, bound)
    assert (check.value, check.bound) == (value, bound)
    # the sign tells the verdict, but for a strict comparison at the bound
    if value != bound:
        assert (check.margin > 0) == check.passed


@given(numbers, st.sampled_from([*OPERATORS]), st.sampled_from([-1e-12, 0.0, 1e-12]))
def test_a_hair_decides(value, op, hair):
    bound = value + hair
    check = verdict(f"mrr {op} {bound!r}", subject(replace(MRR, value=value)))

    assert check.passed == OPERATORS[op](value, bound)


@given(names, names, numbers, numbers)
def test_names_may_be_in_any_script(measure, value, figure, bound):
    score = Score(measure, "relative", figure)
    found = subject(score, groups=(Group("言語", value, 3, (score,)),))

    assert verdict(f"{measure}>={bound!r}", found).passed == (figure >= bound)
    assert verdict(f"{measure}[言語={value}]>={bound!r}", found).passed == (figure >= bound)
    assert verdict(f"min({measure} by 言語)>={bound!r}", found).passed == (figure >= bound)


@given(st.dictionaries(names, numbers, min_size=1, max_size=5), numbers)
def test_the_least_and_the_most_of_groups_decide(figures, bound):
    groups = tuple(Group("lang", name, 3, (replace(MRR, value=figure),)) for name, figure in figures.items())
    found = subject(MRR, groups=groups)

    assert verdict(f"min(mrr by lang)>{bound!r}", found).passed == (min(figures.values()) > bound)
    assert verdict(f"max(mrr by lang)>{bound!r}", found).passed == (max(figures.values()) > bound)


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_what_is_undefined_holds_nothing(op, value):
    check = verdict(f"mrr{op}0", subject(replace(MRR, value=value, undefined_because=None)))

    assert not check.passed
    assert check.value is None
    assert check.reason == "undefined: the value is not a finite number"


def test_what_is_missing_fails_and_says_how_to_get_it():
    check = verdict("jaccard@10>=0", subject(MRR))

    assert (check.passed, check.severity) == (False, "fail")
    assert check.reason == "not in this report: add jaccard@10 to --measures"
    assert (
        verdict("absolute.mrr>0", subject(MRR)).reason == "not in this report: it is scored on the relative view only"
    )


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("value", 0.9),
        ("low", 0.88),
        ("high", 0.92),
        ("chance", 0.01),
        ("forward", 0.95),
        ("backward", 0.85),
        ("pairs", 100),
        ("p", 0.005),
        ("null", 0.02),
        ("null.mean", 0.02),
        ("null.sd", 0.001),
        ("null.calibrated", 0.898),
        ("calibrated", 0.898),
        ("draws.mean", 0.91),
        ("draws.sd", 0.03),
    ],
)
def test_a_field_is_addressed_behind_a_dot(part, value):
    bare = Score("mrr", "relative", 0.5)

    assert part in FIELDS
    assert verdict(f"mrr.{part}>=0", subject(MRR)).value == value
    assert verdict(f"relative.mrr.{part}>=0", subject(MRR)).value == value
    if part not in ("value", "pairs"):
        assert verdict(f"mrr.{part}>=0", subject(bare)).passed is False


@pytest.mark.parametrize(("name", "value"), [("coverage", 0.76), ("coverage.x", 0.76), ("coverage.y", 0.95)])
def test_coverage_is_the_share_of_rows_that_were_matched(name, value):
    assert verdict(f"{name}>=0.9", subject()).value == value
    assert verdict(f"{name}>=0.9", subject(join={})).reason == "the report does not say how its rows were joined"
    assert not verdict(f"{name}>=0", subject(join={"x_rows": 0, "y_rows": 0, "pairs": 0})).passed


def test_the_relative_view_is_meant_where_a_measure_has_it():
    both = subject(replace(MRR, view="absolute", value=0.1), MRR, RESIDUAL)

    assert verdict("mrr>=0", both).value == 0.9
    assert verdict("absolute.mrr>=0", both).value == 0.1
    assert verdict("procrustes-residual<1", both).value == 0.2


def test_a_view_of_another_command_may_be_named():
    assert verdict("translated.mrr>0", subject(replace(MRR, view="translated"))).value == 0.9


def test_a_bare_depth_is_that_of_the_report():
    found = SimpleNamespace(scores=(replace(MRR, measure="recall@7"),), settings={"k": 7})

    assert verdict("recall@k.low>0.1", found).value == 0.88


def test_a_warning_never_fails():
    checks = as_documents(judge(subject(MRR), parse_requirements(["warn: mrr>1", "warn:cosine>0"]), KNOWN))

    assert [(check["passed"], check["severity"]) for check in checks] == [(False, "warn"), (False, "warn")]
    assert not failed(checks)
    assert failed([{"requirement": "an older report's", "passed": False}])


# --- groups ---


def test_a_group_is_addressed_by_its_value():
    found = subject(MRR, groups=by_language(de=0.7, fr=0.8))

    assert verdict("mrr[lang=de]>=0.8", found).margin == pytest.approx(-0.1)
    assert verdict("relative.mrr[lang='fr'] >= 0.8", found).passed
    assert verdict("min(mrr by lang)>=0.75", found).reason == "lang de"
    assert verdict("max(mrr by lang)>=0.75", found).reason == "lang fr"


def test_a_value_may_hold_signs():
    found = subject(MRR, groups=by_language(**{"a>=0.5]": 0.7, "x=y (z)": 0.6}))

    assert verdict("mrr[lang=a>=0.5]]>=0.1", found).value == 0.7
    assert verdict("mrr[lang=x=y (z)]>=0.1", found).value == 0.6


def test_a_group_that_is_not_there_fails_naming_the_nearest():
    check = verdict("mrr[lang=dee]>=0", subject(MRR, groups=by_language(de=0.7)))

    assert not check.passed
    assert check.reason == "no lang is 'dee'. Did you mean 'de'?"


def test_one_undefined_group_fails_the_least_and_the_most():
    found = subject(MRR, groups=by_language(de=0.7, fr=None))

    assert verdict("min(mrr by lang)>=0", found).reason == "lang fr: undefined: no rows"
    assert not verdict("max(mrr by lang)>=0", found).passed


# --- what is refused ---


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("mmr>=0.9", "Did you mean 'mrr'?"),
        ("recal@5>=0.9", "Did you mean 'recall@k'?"),
        ("relativ.mrr>=0.9", "no view is called 'relativ'; there are relative, absolute. Did you mean 'relative'?"),
        ("mrr.lo>=0.9", "no field 'lo'.*Did you mean 'low'?"),
        ("recall@0>=0.9", "No measure is called 'recall@0'"),
        ("recall@²>=0.9", "No measure is called 'recall@²'"),
        ("coverag>=0.9", "Did you mean 'coverage'?"),
        ("mrr[lang=de]>=0.9", "it has no groups. Add --group-by lang"),
        ("min(mrr by lan)>=0.9", "it has no groups"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(text, told):
    with pytest.raises(UsageError, match=told.replace("?", r"\?")):
        verdict(text, subject(MRR))


def test_an_unknown_column_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="Did you mean 'lang'"):
        verdict("mrr[lan=de]>=0.9", subject(MRR, groups=by_language(de=0.7)))


@pytest.mark.parametrize(
    "text",
    [
        *("", "mrr", "mrr>=", ">=0.9", "mrr=0.9", "mrr=>0.9", "mrr>=0,9", "mrr>=nan", "mrr>=inf", "mrr>=1e999"),
        *("mrr>=1_0", "mrr>=90%", "mrr>=٣", "mrr 0.9", "warm:mrr>=0.9", "avg(mrr by lang)>=1", "mrr[lang]>=0.9"),
        "mrr>=0.9>=0.8",
    ],
)
def test_what_is_no_check_is_refused(text):
    with pytest.raises(UsageError):
        verdict(text, subject(MRR))


@pytest.mark.parametrize("number", ["0.9", ".9", "+0.9", "9e-1", "9E-1", "0.90"])
def test_numbers_may_be_written_as_people_do(number):
    assert verdict(f"  mrr  >=  {number}  ", subject(MRR)).passed


# --- --fail-under and --fail-over ---


def test_the_flags_are_inclusive_bounds():
    required = parse_requirements(None, ["mrr=0.9", "mrr.low = 0.89"], ["procrustes-residual=0.2"])
    checks = judge(subject(MRR, RESIDUAL), required, KNOWN)

    assert [check.requirement for check in checks] == ["mrr>=0.9", "mrr.low>=0.89", "procrustes-residual<=0.2"]
    assert [check.passed for check in checks] == [True, False, True]


@pytest.mark.parametrize(
    ("under", "over", "right"),
    [
        ("procrustes-residual=0.2", None, "--fail-over procrustes-residual=0.2"),
        (None, "mrr=0.9", "--fail-under mrr=0.9"),
        (None, "coverage=0.9", "--fail-under coverage=0.9"),
        ("mrr.p=0.01", None, "--fail-over mrr.p=0.01"),
        (None, "recall@3=0.9", "--fail-under recall@3=0.9"),
        (None, "procrustes-residual.calibrated=0.9", "--fail-under procrustes-residual.calibrated=0.9"),
    ],
)
@pytest.mark.parametrize("known_only", [True, False])
def test_a_flag_in_the_wrong_direction_names_the_right_one(under, over, right, known_only):
    required = parse_requirements(None, [under] if under else None, [over] if over else None)

    found = None if known_only else Evidence.of(subject(MRR, RESIDUAL))

    with pytest.raises(UsageError, match=f"Use {right}"):
        refuse_unknown(required, KNOWN, found)


def test_a_check_may_look_either_way():
    assert verdict("mrr<=0.95", subject(MRR)).passed
    assert verdict("procrustes-residual>=0.1", subject(RESIDUAL)).passed


@pytest.mark.parametrize("text", ["mrr", "mrr>=0.9", "=0.9", "mrr=", "mrr=x", "mrr=90%"])
def test_a_flag_takes_a_name_and_a_number(text):
    with pytest.raises(UsageError):
        parse_requirements(None, [text])


# --- in words ---


@pytest.mark.parametrize(
    ("value", "bound", "shown"),
    [
        (0.5410821643286573, 0.5, "value 0.54108 · bound 0.5"),
        (0.5410821643286573, 0.541082, "value 0.5410822 · bound 0.541082"),
        (0.1 + 0.2, 0.3, "value 0.30000000000000004 · bound 0.3"),
        (1 / 3, 1 / 3, "value 0.33333 · bound 0.33333"),
        (1234567.25, 0.5, "value 1234567.0 · bound 0.5"),
        (1.23456789e-7, 1.0, "value 1.2346e-07 · bound 1.0"),
    ],
)
def test_a_line_has_as_many_digits_as_tell_value_and_bound_apart(value, bound, shown):
    assert check_line({"requirement": "mrr", "value": value, "bound": bound}) == f"mrr: {shown}"


def test_a_line_has_value_bound_and_margin():
    held, fell = as_documents(judge(subject(MRR), parse_requirements(["mrr>=0.5", "warn:mrr>=0.900000000001"]), KNOWN))

    assert f"{check_mark(held)} {check_line(held)}" == "✓ mrr>=0.5: value 0.9 · bound 0.5 · margin +0.4"
    assert f"{check_mark(fell)} {check_line(fell)}".startswith(
        "! warn:mrr>=0.900000000001: value 0.9 · bound 0.900000000001 · margin -1"
    )
