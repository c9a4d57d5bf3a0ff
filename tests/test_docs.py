"""Every command and measure is documented, generated pages are fresh, and what the README shows runs."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from relcli.cli.app import app, run
from relcli.measures.catalog import all_measures

ROOT = Path(__file__).parent.parent
DOCS, README, SAMPLES = ROOT / "docs", ROOT / "README.md", ROOT / "sample_embeddings"
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
# `console` blocks: a line `$ relcli …` is run, a trailing backslash goes on with the next line
FENCE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = [
    line
    for page in [README, *sorted(DOCS.rglob("*.md"))]
    if page.exists()
    for block in FENCE.findall(page.read_text(encoding="utf-8"))
    for line in re.findall(r"^\$ (relcli .*)$", block.replace("\\\n", " "), re.MULTILINE)
]


def generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prose() -> str:
    pages = [README, *DOCS.rglob("*.md")]
    return "\n".join(page.read_text(encoding="utf-8") for page in pages if page.exists())


def test_the_generated_pages_are_fresh():
    for name, page in generator().PAGES.items():
        assert (DOCS / name).read_text(encoding="utf-8") == page(), f"docs/{name}: run python docs/generate.py"


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


@pytest.mark.skipif(not README.exists(), reason="there is no README.md")
def test_the_readme_has_examples():
    assert EXAMPLES


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(example, tmp_path, monkeypatch, capfd):
    for sample in SAMPLES.iterdir():
        (tmp_path / sample.name).symlink_to(sample)
    # the README speaks from the root of the checkout, the samples' own page from their folder
    (tmp_path / "sample_embeddings").symlink_to(SAMPLES)
    monkeypatch.chdir(tmp_path)
    words = shlex.split(example, comments=True)
    for sign in (">", "|"):
        words = words[: words.index(sign)] if sign in words else words
    code = run(words[1:])

    assert code == 0, capfd.readouterr().err
