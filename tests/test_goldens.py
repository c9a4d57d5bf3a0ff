"""What every command prints, in every form it has, is as frozen in tests/goldens, byte for byte."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest

from tests.examples.commands import (
    CASES,
    FILES,
    SUFFIXES,
    Answer,
    Case,
    answer,
    called,
    commands,
    options_of,
    rows_of_parquet,
)
from tests.frozen import GOLDENS, frozen

FORMATTED = [case for case in CASES if "--format" in options_of(case.command)]
PRINTED = [(case, key) for case in CASES for key in case.printed]


def _schema(name: str) -> Answer:
    return answer(SCHEMAS.setdefault(name, Case("schema", "schema", name, forms=("text",))), "text")


def _named(text: str, pattern: str) -> list[str]:
    """Return the names that a message lists behind "there are"."""
    found = re.search(pattern, " ".join(text.split()))
    assert found, text
    return found[1].split(", ")


SCHEMAS: dict[str, Case] = {}
DOCUMENTS = _named(_schema("none").err, r"there are ([a-z, -]+)\.")


@pytest.mark.parametrize(("case", "key"), PRINTED, ids=[f"{case.folder}/{FILES[key]}" for case, key in PRINTED])
def test_a_command_prints_what_is_frozen(case, key):
    found = answer(case, key)
    out = found.out

    # what a command refuses is no golden
    assert found.code in (0, 1), found.err
    assert out == frozen(f"{case.folder}/{FILES[key]}", out)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.folder)
def test_a_command_tells_on_stderr_what_is_frozen(case):
    told = {key: answer(case, key) for key in case.printed if key != "colour"}
    text = "".join(f"== {key}: exit {found.code}\n{found.err}" for key, found in told.items())

    assert text == frozen(f"{case.folder}/stderr.txt", text)


@pytest.mark.parametrize("case", FORMATTED, ids=lambda case: case.folder)
def test_a_file_holds_what_is_printed(case):
    data = {Path(name).suffix for one in CASES if one.command == case.command for name in one.beside}
    files = {key: f"written.{SUFFIXES[key]}" for key in case.printed if key in SUFFIXES}
    files = {key: name for key, name in files.items() if Path(name).suffix not in data}
    flags = [part for name in files.values() for part in ("-o", name)]
    written = called(case, *flags).files

    assert {key: written[name].decode() for key, name in files.items()} == {key: answer(case, key).out for key in files}


BESIDE = [(case, name) for case in CASES for name in case.beside]


@pytest.mark.parametrize(("case", "name"), BESIDE, ids=[f"{case.folder}/{name}" for case, name in BESIDE])
def test_a_file_of_data_holds_what_is_frozen(case, name):
    asked = case.asked.removesuffix(" -o found.csv")
    content = called(replace(case, asked=asked), "-o", name).files[name]
    text = rows_of_parquet(content) if name.endswith(".parquet") else content.decode()
    golden = name.replace(".parquet", ".parquet.txt")

    assert text == frozen(f"{case.folder}/{golden}", text)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_schema_is_as_frozen(name):
    found = _schema(name)

    assert found.out == frozen(f"schema/{name}.json", found.out)
    assert (found.err, found.code) == ("", 0)


#: The schema of the document that a command prints.
_SCHEMAS = {"translate fit": "translate", "anchors check": "anchors", "stitch apply": "stitch-apply"}


@pytest.mark.parametrize("case", [case for case in CASES if "json" in case.forms], ids=lambda case: case.folder)
def test_a_frozen_document_validates(case):
    name = _SCHEMAS.get(case.command, case.command)
    schema = json.loads(_schema(name).out)

    jsonschema.Draft202012Validator(schema).validate(json.loads(answer(case, "json").out))


# --- nothing is left out, and nothing is left over ---


@pytest.mark.parametrize("command", [command for command in commands() if command != "schema"])
def test_every_command_is_frozen_in_every_form(command):
    cases = [case for case in CASES if case.command == command]
    assert cases, f"relcli {command} has no golden: give it a case in tests/examples/commands.py"
    options = options_of(command)
    if "--format" in options:
        forms = _named(called(cases[0], "--format", "none").err, r"there are ([a-z, ]+)\.")
    else:
        forms = [form for form, flag in (("json", "--json"), ("jsonl", "--jsonl")) if flag in options]
        forms = ["table", *forms] if forms else ["text"]

    assert {form for case in cases for form in case.forms} == {*forms}


def test_every_documents_schema_is_named_in_its_help():
    words = " ".join(commands()["schema"].params[0].help.replace(" or ", ", ").replace(",,", ",").rstrip(".").split())

    assert sorted(words.split(", ")) == sorted(DOCUMENTS)


def test_no_golden_is_left_over():
    expected = {f"{case.folder}/{FILES[key]}" for case, key in PRINTED}
    expected |= {f"{case.folder}/stderr.txt" for case in CASES}
    expected |= {f"{case.folder}/{name}".replace(".parquet", ".parquet.txt") for case, name in BESIDE}
    expected |= {f"schema/{name}.json" for name in DOCUMENTS}
    files = (file.relative_to(GOLDENS).as_posix() for file in GOLDENS.rglob("*") if file.is_file())

    # what lies in no folder is read by other tests: words of the help, and a report of an older version
    assert {name for name in files if "/" in name} == expected


# --- pictures are drawn; their bytes are matplotlib's ---


@pytest.mark.parametrize(
    ("folder", "suffix"),
    [("sweep", "svg"), ("sweep-unfinished", "png"), ("matrix", "png"), ("matrix-unfinished", "svg")],
)
def test_a_study_is_drawn(folder, suffix):
    pytest.importorskip("matplotlib")
    case = next(case for case in CASES if case.folder == folder)
    found = called(case, "--plot", f"picture.{suffix}")
    picture = found.files[f"picture.{suffix}"]

    assert found.code == 0, found.err
    assert found.out == answer(case, "80").out
    if suffix == "png":
        assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    else:
        assert len(list(ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}path"))) > 5
