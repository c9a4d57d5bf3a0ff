"""Every command and measure is documented, generated pages are fresh, and what the README shows runs."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from relcli.cli.app import app, run
from relcli.measures.catalog import all_measures
from tests.scripts import script

ROOT = Path(__file__).parent.parent
DOCS, README, SAMPLES = ROOT / "docs", ROOT / "README.md", ROOT / "sample_embeddings"
# `console` blocks: a line `$ relcli …` is run, a trailing backslash goes on with the next line, and `# exit 1` behind
# it tells that it ends so; the lines of a page run one after another in one folder
FENCE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
# files that a page shows and its examples read
FILES = re.compile(r"^<!-- file: (\S+) -->\n+```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands_of(page: Path) -> list[str]:
    """Return the relcli commands that a page shows."""
    blocks = FENCE.findall(page.read_text(encoding="utf-8"))
    return [
        line for block in blocks for line in re.findall(r"^\$ (relcli .*)$", block.replace("\\\n", " "), re.MULTILINE)
    ]


EXAMPLES = {
    page.relative_to(ROOT).as_posix(): lines
    for page in [README, *sorted(DOCS.rglob("*.md"))]
    if page.exists() and (lines := commands_of(page))
}


def prose() -> str:
    pages = [README, *DOCS.rglob("*.md")]
    return "\n".join(page.read_text(encoding="utf-8") for page in pages if page.exists())


PAGES = script("docs/generate.py").PAGES
COMMANDS = dict(script("docs/generate.py").leaf_commands(typer.main.get_command(app)))


def numbers_aside(document: Any) -> tuple[Any, list[float]]:
    """Return a JSON document with its floats taken out, and the floats."""
    floats: list[float] = []

    def strip(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: strip(value) for key, value in part.items()}
        if isinstance(part, list):
            return [strip(value) for value in part]
        if isinstance(part, float):
            floats.append(part)
            return "float"
        return part

    return strip(document), floats


def test_the_expected_report_of_the_samples_is_fresh():
    kept = json.loads((SAMPLES / "expected.json").read_text(encoding="utf-8"))
    words, floats = numbers_aside(kept)
    made_words, made_floats = numbers_aside(json.loads(PAGES["../sample_embeddings/expected.json"]()))

    assert made_words == words
    # the last digits of sums depend on the machine
    assert made_floats == pytest.approx(floats, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", [name for name in PAGES if name.endswith(".md")])
def test_a_generated_page_is_fresh(name):
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), f"docs/{name}: run python docs/generate.py"


def test_the_chance_of_every_measure_is_told_in_words():
    assert "told in every report" not in (DOCS / "measures.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", all_measures())
def test_a_measure_is_documented(name):
    assert f"`{name}`" in prose()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_documented_with_all_its_options(name):
    text = prose()

    assert f"relcli {name}" in text
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "option":
            assert all(f"`{flag}`" in text for flag in parameter.opts)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_gives_an_example(name):
    assert f"Example: relcli {name}" in COMMANDS[name].help


def test_the_readme_has_examples():
    assert EXAMPLES


@pytest.mark.parametrize("page", EXAMPLES)
def test_the_examples_of_a_page_run(page, tmp_path, monkeypatch, capfd):
    for sample in SAMPLES.iterdir():
        (tmp_path / sample.name).symlink_to(sample)
    # the README speaks from the root of the checkout, the samples' own page from their folder
    (tmp_path / "sample_embeddings").symlink_to(SAMPLES)
    for name, content in FILES.findall((ROOT / page).read_text(encoding="utf-8")):
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for example in EXAMPLES[page]:
        words = shlex.split(example)
        expected = int(words[-1]) if words[-3:-1] == ["#", "exit"] else 0
        for sign in ("#", ">", "|"):
            words = words[: words.index(sign)] if sign in words else words

        assert run(words[1:]) == expected, f"{example}\n{capfd.readouterr().err}"
