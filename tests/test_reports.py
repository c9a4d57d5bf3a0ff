"""The report as a value and as a JSON document."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import fields, replace
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relcli.errors import FormatError, UsageError
from relcli.reports.delimited import COLUMNS
from relcli.reports.report import Draws, Group, Interval, Null, Report, Score, from_document, to_document, to_json
from relcli.reports.schema import report_schema
from tests.reports_example import REPORT

numbers = st.floats(allow_nan=False, allow_infinity=False)
maybe_numbers = st.none() | numbers
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
json_objects = st.dictionaries(st.text(), json_values, max_size=4)
scores = st.builds(
    Score,
    measure=st.text(),
    view=st.sampled_from(["relative", "absolute"]),
    value=st.floats(),
    forward=st.none() | st.floats(),
    backward=st.none() | st.floats(),
    interval=st.none() | st.builds(Interval, st.floats(), st.floats(), st.just(0.95), st.text()),
    chance=st.none() | st.floats(),
    pairs=st.integers(0),
    gallery=st.none() | st.integers(0),
    range=st.tuples(maybe_numbers, maybe_numbers),
    higher_is_closer=st.booleans(),
    definition=st.text(),
    cite=st.text(),
    section=st.text(),
    null=st.none() | st.builds(Null, st.floats(), st.floats(), st.floats(), st.integers(1), st.none() | st.floats()),
    draws=st.none() | st.builds(Draws, st.floats(), st.floats(), st.integers(1)),
)
groups = st.builds(Group, st.text(), st.text(), st.integers(0), st.lists(scores, max_size=2).map(tuple))
reports = st.builds(
    Report,
    command=st.text(),
    x=json_objects,
    y=json_objects,
    join=json_objects,
    anchors=json_objects,
    scores=st.lists(scores, max_size=3).map(tuple),
    settings=json_objects,
    versions=st.dictionaries(st.text(), st.text(), max_size=3),
    notes=st.lists(st.text(), max_size=3).map(tuple),
    checks=st.lists(json_objects, max_size=2).map(tuple),
    extra=json_objects,
    groups=st.lists(groups, max_size=2).map(tuple),
    moved=st.lists(json_objects, max_size=2).map(tuple),
)


def _without(document: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in keys}


@given(reports)
def test_a_report_survives_json(report: Report) -> None:
    assert from_document(json.loads(to_json(report))) == report


def test_the_document_satisfies_the_schema() -> None:
    schema = report_schema()

    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(to_document(REPORT))


def test_the_schema_describes_every_key_of_the_document() -> None:
    schema = report_schema()
    document = to_document(REPORT)

    assert list(document) == [*schema["properties"]]
    assert [field.name for field in fields(Score)] == [*schema["properties"]["scores"]["items"]["properties"]]
    for part in ("x", "y", "join", "anchors"):
        assert [*document[part]] == [*schema["properties"][part]["properties"]]


@pytest.mark.parametrize("key", ["schema_version", "scores", "join", "versions"])
def test_the_schema_refuses_a_document_without(key: str) -> None:
    validator = jsonschema.Draft202012Validator(report_schema())

    assert not validator.is_valid(_without(to_document(REPORT), key))


def test_nan_and_infinity_become_null() -> None:
    report = replace(REPORT, extra={"spectrum": [math.nan, math.inf, 1.0], "nested": {"a": np.float32("nan")}})
    document = json.loads(to_json(report))

    assert document["extra"] == {"spectrum": [None, None, 1.0], "nested": {"a": None}}


def test_a_score_that_is_not_finite_is_undefined_with_a_reason() -> None:
    score = Score("cca", "relative", math.nan, interval=Interval(math.nan, 1, 0.95, "bootstrap"), range=(0, math.inf))

    assert score.value is None
    assert score.undefined_because == "the value is not a finite number"
    assert score.interval is None
    assert score.range == (0, None)


def test_numpy_scalars_are_written_as_numbers() -> None:
    report = replace(REPORT, extra={"rank": np.int64(3), "scored": np.bool_(True), "norm": np.float32(0.5)})

    assert json.loads(to_json(report))["extra"] == {"rank": 3, "scored": True, "norm": 0.5}


def test_an_older_minor_version_reads_with_defaults() -> None:
    document = _without(to_document(REPORT), "notes", "checks", "extra")
    document["scores"] = [_without(score, "section", "gallery", "range") for score in document["scores"]]

    assert from_document(document).scores[0].section == ""


def test_keys_of_a_newer_minor_version_are_ignored() -> None:
    document = to_document(REPORT) | {"schema_version": "1.9", "weather": "fine"}
    document["scores"][0] |= {"colour": "blue"}
    document["scores"][0]["interval"] |= {"draws": 1000}

    assert from_document(document) == REPORT


def test_another_major_version_is_refused_naming_both() -> None:
    with pytest.raises(UsageError, match=r"schema 2\.0.*reads 1\.x"):
        from_document(to_document(REPORT) | {"schema_version": "2.0"})


@pytest.mark.parametrize("document", [{}, [], {"schema_version": 1}, {"schema_version": "1.0"}])
def test_something_else_is_refused(document: Any) -> None:
    with pytest.raises(FormatError, match="not a report of relcli"):
        from_document(document)


def test_a_broken_score_is_refused() -> None:
    with pytest.raises(FormatError, match="not a report of relcli"):
        from_document(to_document(REPORT) | {"scores": [{"value": 1}]})


def test_sections_and_views_keep_the_order_of_first_appearance() -> None:
    assert list(REPORT.sections()) == ["retrieval", "neighbourhood", "alignment", "similarity structure"]
    assert REPORT.views == ("relative", "absolute")


def test_the_csv_has_every_field_of_a_score() -> None:
    flattened = {"interval", "range", "null", "draws"}

    assert {field.name for field in fields(Score)} - flattened <= set(COLUMNS)
    for part, kind in (("interval", Interval), ("null", Null), ("draws", Draws)):
        assert {f"{part}_{field.name}" for field in fields(kind)} <= set(COLUMNS)


@pytest.mark.parametrize("module", ["report", "schema", "writing"])
def test_importing_loads_neither_rich_nor_numpy(module: str) -> None:
    code = f"import sys, relcli.reports.{module}; print({{'rich', 'numpy'}} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "set()"
