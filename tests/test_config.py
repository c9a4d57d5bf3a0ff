"""What is configured: where it is found, what wins, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from relcli.cli.app import run
from relcli.errors import UsageError
from relcli.settings import KEYS, Settings, read_settings

SAMPLES = Path(__file__).parent.parent / "sample_embeddings"

Read = Callable[..., Settings]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a folder that looks like the root of a repository."""
    (tmp_path / ".git").mkdir()
    return tmp_path


def values(settings: Settings) -> dict[str, object]:
    return {key: setting.value for key, setting in settings.values.items()}


def sources(settings: Settings) -> dict[str, str]:
    return {key: setting.source for key, setting in settings.values.items()}


# --- where it is found ---


@pytest.mark.parametrize(
    ("file", "table", "source"),
    [("relcli.toml", "", "relcli.toml"), ("pyproject.toml", "[tool.relcli]", "pyproject.toml [tool.relcli]")],
)
@pytest.mark.parametrize("below", ["", "a", "a/b"])
def test_it_is_found_from_the_folder_up_to_the_root_of_the_repository(file, table, source, below, repository):
    (repository / below).mkdir(parents=True, exist_ok=True)
    (repository / file).write_text(f"{table}\nk = 7\n")
    settings = read_settings(repository / below, {})

    assert values(settings) == {"k": 7}
    assert sources(settings) == {"k": source}
    assert settings.file == (repository / file).resolve()


def test_it_is_not_looked_for_above_the_repository(repository):
    (repository / "inner" / ".git").mkdir(parents=True)
    (repository / "relcli.toml").write_text("k = 7\n")

    assert read_settings(repository / "inner", {}).file is None


def test_outside_a_repository_only_the_folder_itself_counts(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "relcli.toml").write_text("k = 7\n")

    assert read_settings(tmp_path / "inner", {}).file is None
    assert values(read_settings(tmp_path, {})) == {"k": 7}


def test_the_nearest_one_counts_alone_and_relcli_toml_before_pyproject(repository):
    (repository / "a").mkdir()
    (repository / "relcli.toml").write_text("k = 7\nseed = 1\n")
    (repository / "a" / "pyproject.toml").write_text("[tool.relcli]\nk = 8\n")

    assert values(read_settings(repository / "a", {})) == {"k": 8}

    (repository / "a" / "relcli.toml").write_text("k = 9\n")

    assert values(read_settings(repository / "a", {})) == {"k": 9}


def test_a_pyproject_of_something_else_is_passed_by(repository):
    (repository / "a").mkdir()
    (repository / "a" / "pyproject.toml").write_text("this is [no toml")
    (repository / "pyproject.toml").write_text("[tool.relcli]\nk = 8\n")

    assert values(read_settings(repository / "a", {})) == {"k": 8}


# --- what wins ---


def test_the_environment_wins_over_the_pair_and_the_pair_over_the_file(repository):
    (repository / "relcli.toml").write_text("k = 1\nseed = 1\ncenter = true\n[pairs.search]\nk = 2\nseed = 2\n")
    settings = read_settings(repository, {"RELCLI_K": "3"}, pair="search")

    assert values(settings) == {"k": 3, "seed": 2, "center": True}
    assert sources(settings) == {"k": "RELCLI_K", "seed": "relcli.toml [pairs.search]", "center": "relcli.toml"}
    assert values(read_settings(repository, {})) == {"k": 1, "seed": 1, "center": True}


def test_paths_are_relative_to_the_file(repository):
    (repository / "a" / "b").mkdir(parents=True)
    (repository / "relcli.toml").write_text('anchors = "ids.txt"\nx = "data/x.npz#b"\ny = "/data/y.npy"\n')
    settings = read_settings(repository / "a" / "b", {"RELCLI_IDS_X": "here.txt"})
    here = os.path.relpath(repository.resolve())

    assert values(settings) == {
        "x": os.path.join(here, "data/x.npz#b"),
        "y": "/data/y.npy",
        "anchors": os.path.join(here, "ids.txt"),
        "ids-x": "here.txt",
    }


def test_a_choice_of_anchors_is_no_path(repository):
    (repository / "relcli.toml").write_text('anchors = "uniform:300"\n')

    assert values(read_settings(repository, {})) == {"anchors": "uniform:300"}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('measures = ["mrr", "jaccard@5"]', "mrr,jaccard@5"),
        ('measures = "mrr,jaccard@5"', "mrr,jaccard@5"),
        ('view = "absolute"', ["absolute"]),
        ("sample = 50", "50"),
        ('sample = "all"', "all"),
        ('checks = ["mrr>=0.9"]', ["mrr>=0.9"]),
        ("include_anchors = true", True),
        ("include-anchors = false", False),
        ('pairs = "pairs.tsv"', "pairs.tsv"),
    ],
)
def test_values_are_taken_as_people_write_them(line, value, repository, monkeypatch):
    monkeypatch.chdir(repository)
    (repository / "relcli.toml").write_text(line)

    assert [*values(read_settings(Path(), {})).values()] == [value]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("RELCLI_CENTER", "yes", True),
        ("RELCLI_CENTER", "0", False),
        ("RELCLI_CHECKS", "mrr>=0.9; cosine>=0.5\nwarn:mrr>=1", ["mrr>=0.9", "cosine>=0.5", "warn:mrr>=1"]),
        ("RELCLI_VIEW", "relative, absolute", ["relative", "absolute"]),
        ("RELCLI_WORKERS", " 2 ", 2),
    ],
)
def test_the_environment_holds_any_kind_of_value(name, text, value, tmp_path):
    assert [*values(read_settings(tmp_path, {name: text})).values()] == [value]


def test_what_is_empty_or_the_tests_own_is_no_setting(tmp_path):
    assert values(read_settings(tmp_path, {"RELCLI_K": "", "RELCLI_SHARED": "x", "RELCLI_UPDATE_GOLDENS": "1"})) == {}


# --- what is refused ---


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("anchor = 'a.txt'", r"relcli.toml has no setting 'anchor'.*Did you mean 'anchors'\?"),
        ("[pairs.a]\nchecs = ['mrr>=1']", r"relcli.toml \[pairs.a\] has no setting 'checs'.*Did you mean 'checks'\?"),
        ("k = 'ten'", "relcli.toml: k is 'ten', and takes a whole number"),
        ("k = true", "takes a whole number"),
        ("k = 1.5", "takes a whole number"),
        ("center = 1", "takes true or false"),
        ("checks = [1]", "takes a list of checks"),
        ("checks = []", "takes a list of checks"),
        ("anchors = 3", "takes the name of a file"),
        ("[pairs]\na = 1", r"relcli.toml \[pairs\]: a is no table"),
        ("k = 1\nk = 2", "relcli.toml is not TOML"),
        ("k =", "relcli.toml is not TOML"),
        ("on-bad = 'drop'\non_bad = 'error'", "sets on-bad twice"),
    ],
)
def test_a_mistake_in_the_file_is_refused(text, told, repository):
    (repository / "relcli.toml").write_text(text)

    with pytest.raises(UsageError, match=told):
        read_settings(repository, {})


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("RELCLI_ANCHOR", "a", r"Did you mean 'RELCLI_ANCHORS'\?"),
        ("RELCLI_K", "ten", "RELCLI_K is 'ten', and takes a whole number"),
        ("RELCLI_CENTER", "maybe", "takes true or false"),
        ("RELCLI_CHECKS", ";", "takes a list of checks"),
    ],
)
def test_a_mistake_in_the_environment_is_refused(name, text, told, tmp_path):
    with pytest.raises(UsageError, match=told):
        read_settings(tmp_path, {name: text})


def test_a_file_that_is_not_text_is_refused(repository):
    (repository / "relcli.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(UsageError, match="is not TOML"):
        read_settings(repository, {})


def test_an_unknown_pair_is_refused_with_the_nearest(repository):
    with pytest.raises(UsageError, match="no configuration names none"):
        read_settings(repository, {}, pair="search")

    (repository / "relcli.toml").write_text("[pairs.search]\nk = 1\n")

    with pytest.raises(UsageError, match=r"there are search.*Did you mean 'search'\?"):
        read_settings(repository, {}, pair="serach")


# --- on the command line ---

CONFIG = """
anchors = "data/anchors.txt"
measures = ["cosine", "linear-cka"]
sample = 50

[pairs.search]
x = "data/digits_ae_s0.npy"
y = "data/digits_ae_s1.parquet"
checks = ["cosine>=0.9"]

[pairs.strict]
x = "data/digits_ae_s0.npy"
y = "data/digits_ae_s1.parquet"
checks = ["cosine>=0.999"]
"""


@pytest.fixture
def call(repository, monkeypatch, capfd):
    """Return a function that runs relcli below a repository with samples and a configuration."""
    shutil.copytree(SAMPLES, repository / "data")
    (repository / "relcli.toml").write_text(CONFIG)
    (repository / "below").mkdir()
    monkeypatch.chdir(repository / "below")
    for name in [name for name in os.environ if name.startswith("RELCLI_")]:
        monkeypatch.delenv(name)

    def called(*arguments: str, code: int = 0) -> tuple[str, str]:
        found = run(arguments)
        out, err = capfd.readouterr()

        assert found == code, err
        return out, err

    return called


def test_a_pair_is_run_by_its_name(call):
    document = json.loads(call("compare", "--pair", "search", "--json")[0])

    assert (document["x"]["name"], document["y"]["name"]) == ("digits_ae_s0", "digits_ae_s1")
    assert document["settings"]["measures"] == ["cosine", "linear-cka"]
    assert [check["passed"] for check in document["checks"]] == [True]
    assert "✗ cosine>=0.999: value 0.99" in call("compare", "--pair", "strict", "--json", code=1)[1]


def test_flags_win_over_the_environment(call, monkeypatch):
    monkeypatch.setenv("RELCLI_MEASURES", "mrr")
    by_environment = json.loads(call("compare", "--pair", "search", "--json", code=1)[0])
    flags = ("-m", "cosine", "--check", "cosine<2", "--sample", "20")
    by_flag = json.loads(call("compare", "--pair", "search", "--json", *flags)[0])

    assert by_environment["settings"]["measures"] == ["mrr"]
    assert by_environment["checks"][0]["reason"] == "not in this report: add cosine to --measures"
    assert by_flag["settings"] | {"measures": ["cosine"], "queries": 20} == by_flag["settings"]
    assert [check["requirement"] for check in by_flag["checks"]] == ["cosine<2"]


def test_spaces_may_be_named_beside_configured_anchors(call):
    spaces = ["../data/digits_ae_s0.npy", "../data/digits_conv.safetensors"]

    assert json.loads(call("compare", *spaces, "--json")[0])["anchors"]["count"] == 300


def test_without_a_pair_the_spaces_must_be_named(call):
    assert call("compare", code=2)[1] == "relcli: Missing argument 'X'. See relcli compare --help.\n"


def test_the_checks_of_a_pair_test_a_stored_report(call, tmp_path):
    report = str(tmp_path / "r.json")
    call("compare", "--pair", "search", "-q", "-o", report)

    assert "✓ cosine>=0.9" in call("check", report, "--pair", "search")[0]
    assert "✗ cosine>=0.999" in call("check", report, "--pair", "strict", code=1)[0]


def test_a_mistake_is_told_by_the_commands_that_read_it(call, repository):
    (repository / "relcli.toml").write_text("ancors = 'a'")

    assert "Did you mean 'anchors'?" in call("compare", "a", "b", code=2)[1]
    assert "Did you mean 'anchors'?" in call("config", code=2)[1]
    assert call("compare", "--help")[1] == ""


def test_config_prints_what_is_in_force_and_from_where(call, monkeypatch):
    monkeypatch.setenv("RELCLI_K", "12")
    table = call("config", "--pair", "search")[0]
    document = json.loads(call("config", "--pair", "search", "--json")[0])

    jsonschema.validate(document, json.loads(call("schema", "config")[0]))
    assert [*document["settings"]] == [*KEYS]
    assert document["settings"]["k"] == {"value": 12, "source": "RELCLI_K"}
    assert document["settings"]["x"] == {"value": "../data/digits_ae_s0.npy", "source": "relcli.toml [pairs.search]"}
    assert document["settings"]["seed"] == {"value": 0, "source": "default"}
    assert (document["pair"], document["pairs"]) == ("search", ["search", "strict"])
    assert [line.split() for line in table.splitlines() if line.startswith("k ")] == [["k", "12", "RELCLI_K"]]
