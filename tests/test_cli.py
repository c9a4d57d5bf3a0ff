"""The command line on the sample embeddings: what it prints, where, and with which exit code."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer

import relcli
from relcli._version import VERSION
from relcli.cli.app import app, run
from relcli.formats.format import open_space
from relcli.reports.report import to_json
from tests.frozen import frozen

SAMPLES = Path(__file__).parent.parent / "sample_embeddings"
NPY, PARQUET, SAFETENSORS = "digits_ae_s0.npy", "digits_ae_s1.parquet", "digits_conv.safetensors"
FAST = ["-m", "cosine,jaccard@5,linear-cka", "--sample", "100"]

Call = Callable[..., tuple[str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Return a function that runs relcli among the samples and gives stdout and stderr."""
    monkeypatch.chdir(SAMPLES)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "80")

    def called(*arguments: str, code: int = 0) -> tuple[str, str]:
        found = run(arguments)
        out, err = capfd.readouterr()

        assert found == code, err
        return out, err

    return called


@pytest.fixture
def compare(call: Call) -> Callable[..., dict]:
    """Return a function that compares two samples and gives the JSON."""

    def compared(*arguments: str, x: str = NPY, y: str = PARQUET, anchors: str = "anchors.txt") -> dict:
        out, _ = call("compare", x, y, "--anchors", anchors, "--json", *arguments)
        return json.loads(out)

    return compared


def names(document: dict) -> list[str]:
    return [f"{score['view']}.{score['measure']}" for score in document["scores"]]


# --- what is printed ---


@pytest.mark.parametrize("x", [NPY, PARQUET, SAFETENSORS])
@pytest.mark.parametrize("y", [NPY, PARQUET, SAFETENSORS])
def test_every_pair_of_formats_is_compared(x, y, call, compare):
    schema = json.loads(call("schema")[0])
    document = compare(*FAST, x=x, y=y)

    jsonschema.validate(document, schema)
    assert [document[side]["format"] for side in "xy"] == [Path(name).suffix[1:] for name in (x, y)]
    assert document["join"]["pairs"] == 1797
    assert (document["scores"][0]["value"] == 1) == (x == y)


def test_the_whole_report_validates_and_is_the_same_twice_and_in_python(call):
    arguments = ["compare", NPY, PARQUET, "-a", "anchors.txt", "--json", "--sample", "300"]
    first, err = call(*arguments)
    second, _ = call(*arguments)
    report = relcli.compare(NPY, PARQUET, "anchors.txt", sample=300)

    jsonschema.validate(json.loads(first), json.loads(call("schema")[0]))
    assert err == ""
    assert second == first
    assert to_json(report) == first


def test_workers_change_nothing_but_rounding(compare):
    one, three = (compare(*FAST, "--workers", count)["scores"] for count in "13")

    assert [score["value"] for score in one] == pytest.approx([score["value"] for score in three], rel=1e-9)


def test_nothing_but_the_format_differs_between_formats(call, compare):
    document = compare(*FAST)
    markdown, _ = call("compare", NPY, PARQUET, "-a", "anchors.txt", *FAST, "--format", "markdown")
    rows = list(csv.DictReader(io.StringIO(call("compare", NPY, PARQUET, "-a", "anchors.txt", *FAST, "-f", "csv")[0])))
    table, _ = call("compare", NPY, PARQUET, "-a", "anchors.txt", *FAST)

    assert [float(row["value"]) for row in rows] == [score["value"] for score in document["scores"]]
    for score in document["scores"]:
        assert f"{score['value']:.3f}" in table
        assert f"{score['value']:.3f}" in markdown


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_keeps_within_the_columns(columns, call, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    table, err = call("compare", NPY, SAFETENSORS, "-a", "anchors.txt", "--sample", "200")

    assert max(map(len, table.splitlines())) <= columns
    assert err == ""
    assert "\x1b" not in table


def test_the_header_says_what_was_compared(call):
    table, _ = call("compare", NPY, SAFETENSORS, "-a", "anchors.txt", *FAST)

    assert "digits_ae_s0 · 1,797 × 32 · float32 · npy" in table
    assert "digits_conv  · 1,797 × 48 · float16 · safetensors · ids: metadata 'ids'" in table
    assert "1,797 pairs by id" in table
    assert "300 from anchors.txt · rank 32 / 48" in table
    assert "100 queries (sampled) · k = 10 · cosine similarity" in table


# --- where it goes ---


def test_files_are_written_by_suffix_beside_one_document_on_stdout(tmp_path, call):
    places = [tmp_path / name for name in ("r.json", "r.md", "r.csv", "r.txt")]
    options = [part for place in places for part in ("-o", str(place))]
    out, err = call("compare", NPY, PARQUET, "-a", "anchors.txt", *FAST, "--json", *options)

    assert places[0].read_text() == out
    assert places[1].read_text().startswith("### relcli compare")
    assert places[2].read_text().startswith("x,y,section,measure")
    assert places[3].read_text().startswith("x        digits_ae_s0")
    assert sorted(tmp_path.iterdir()) == sorted(places)
    assert err == ""


def test_the_presets_settings_go_to_stderr_and_flags_win(call, compare):
    out, err = call("compare", NPY, PARQUET, "-a", "anchors.txt", "--preset", "relreps", "--sample", "99", "--json")
    document = json.loads(out)
    mine = compare("--preset", "relreps", "-k", "3", "--exclude-anchors", "--center")
    silent = call("compare", NPY, PARQUET, "-a", "anchors.txt", "--preset", "relreps", *FAST, "--quiet")[1]

    assert err == "preset relreps: --measures cross-jaccard@k,mrr@k,cosine -k 10 --include-anchors --no-center\n"
    assert document["settings"]["measures"] == ["cross-jaccard@10", "mrr@10", "cosine"]
    assert document["settings"]["include_anchors"] is True
    assert mine["settings"]["measures"] == ["cross-jaccard@3", "mrr@3", "cosine"]
    assert (mine["settings"]["include_anchors"], mine["settings"]["center"]) == (False, True)
    assert silent == ""


def test_a_presets_flag_that_was_overruled_is_told(call):
    _, err = call("compare", NPY, PARQUET, "-a", "anchors.txt", "--preset", "relreps", *FAST, "-k", "3", "--json")

    assert err == (
        "preset relreps: --include-anchors --no-center (but --measures cosine,jaccard@5,linear-cka -k 3, as you say)\n"
    )


# --- what is compared ---


def test_measures_are_reported_as_asked(compare):
    document = compare("--measures", "jaccard@3, mrr ,jaccard@k,linear-cka", "-k", "7", "--sample", "50")

    assert names(document)[::2] == [f"relative.{name}" for name in ("jaccard@3", "mrr", "jaccard@7", "linear-cka")]
    assert document["settings"]["k"] == 7


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("jacard@10", "jaccard@k"), ("linearcka", "linear-cka"), ("mmr", "mrr"), ("recal@1", "recall@k")],
)
def test_a_wrong_measure_gets_the_nearest_right_one(wrong, right, call):
    out, err = call("compare", NPY, PARQUET, "-a", "anchors.txt", "-m", wrong, code=2)

    assert out == ""
    assert f"No measure is called {wrong!r}" in err
    assert err.endswith(f"Did you mean {right!r}?\n")


def test_one_view_may_be_asked_for(compare):
    document = compare(*FAST, "--view", "absolute", "--view", "absolute")

    assert names(document) == ["absolute.cosine", "absolute.jaccard@5", "absolute.linear-cka"]


def test_centring_and_anchors_change_what_is_scored(compare):
    plain, centred, all_rows = compare(*FAST), compare(*FAST, "--center"), compare("-m", "cosine", "--include-anchors")

    assert plain["scores"][0]["value"] != centred["scores"][0]["value"]
    assert (plain["settings"]["center"], centred["settings"]["center"]) == (False, True)
    assert all_rows["settings"]["queries"] == 1797
    assert compare("-m", "cosine")["settings"]["queries"] == 1497


def test_queries_are_sampled_and_the_gallery_is_not(compare):
    document = compare("-m", "mrr", "--sample", "50")

    assert document["settings"]["queries"] == 50
    assert (document["scores"][0]["pairs"], document["scores"][0]["gallery"]) == (50, 1797)
    assert any("50 of 1,497 scored pairs are queries" in note for note in document["notes"])


def test_anchors_are_drawn_by_the_seed(compare):
    first, again, other = (compare(*FAST, "--seed", seed, anchors="uniform:50")["anchors"] for seed in "774")

    assert (first["count"], first["strategy"], first["seed"]) == (50, "uniform", 7)
    assert first == again
    assert first["sha256"] != other["sha256"]


def test_the_vectors_are_named_behind_a_hash_or_by_key(compare):
    by_hash = compare(*FAST, y=f"{PARQUET}#vector")
    by_key = compare(*FAST, "--key-y", "vector")

    assert by_hash["y"]["name"] == "digits_ae_s1#vector"
    assert by_hash["scores"] == by_key["scores"] == compare(*FAST)["scores"]


def test_two_models_may_sit_in_one_file(tmp_path, compare):
    space = open_space(SAMPLES / PARQUET)
    vectors = list(space.read(slice(None)))
    pq.write_table(pa.table({"id": space.ids, "a": vectors, "b": vectors[::-1]}), tmp_path / "two.parquet")
    document = compare(*FAST, x=f"{tmp_path}/two.parquet#a", y=f"{tmp_path}/two.parquet#b")

    assert (document["x"]["name"], document["y"]["name"]) == ("two#a", "two#b")
    assert document["scores"][0]["value"] < 1


def test_ids_may_come_from_files_and_pairs_from_a_table(tmp_path, compare):
    ids = open_space(SAMPLES / NPY).ids
    (tmp_path / "x.txt").write_text("".join(f"x-{i}\n" for i in ids))
    (tmp_path / "pairs.tsv").write_text("".join(f"x-{i}\t{i}\n" for i in ids))
    (tmp_path / "anchors.tsv").write_text("".join(f"x-{i}\t{i}\n" for i in ids[:100]))
    document = compare(
        *("-m", "linear-cka", "--ids-x", f"{tmp_path}/x.txt", "--pairs", f"{tmp_path}/pairs.tsv"),
        anchors=f"{tmp_path}/anchors.tsv",
    )
    (tmp_path / "plain.txt").write_text("".join(f"{i}\n" for i in ids[:100]))
    plain = compare("-m", "linear-cka", "--ids-x", "digits_ae_s0.ids.txt", anchors=f"{tmp_path}/plain.txt")

    assert document["x"]["id_source"] == "file x.txt"
    assert document["join"]["pairs"] == 1797
    assert plain["x"]["id_source"] == "file digits_ae_s0.ids.txt"
    for score, same in zip(document["scores"], plain["scores"], strict=True):
        assert score["value"] == pytest.approx(same["value"])


# --- around it ---


def test_the_version_is_printed(call):
    assert call("--version") == (f"relcli {VERSION}\n", "")


def test_the_environment_is_printed(call):
    out, err = call("env")

    assert out.startswith(f"relcli {VERSION} · python 3.")
    assert re.search(r"^numpy \d", out, re.MULTILINE)
    assert "cores, one worker each" in out
    assert err == ""


def test_no_command_is_answered_with_help_on_stderr(call):
    out, err = call(code=2)

    assert out == ""
    assert "compare" in err


def test_a_wrong_command_gets_the_nearest_right_one(call):
    out, err = call("comapre", code=2)

    assert out == ""
    assert err.startswith("relcli: No such command 'comapre'")


def test_anchors_must_be_named(call):
    _, err = call("compare", NPY, PARQUET, code=2)

    assert err == "relcli: Missing option '--anchors' / '-a'. See relcli compare --help.\n"


def test_a_fault_of_relcli_is_told_apart(call, monkeypatch):
    monkeypatch.setattr("relcli.api.compare", lambda *_, **__: 1 / 0)
    out, err = call("compare", NPY, PARQUET, "-a", "anchors.txt", code=3)

    assert out == ""
    assert "ZeroDivisionError" in err
    assert "please report it" in err


def commands_of(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command, groups and the whole included, and the words that call it."""
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands_of(command, (*path, *name.split()))


COMMANDS = dict(commands_of(typer.main.get_command(app)))
#: What typer calls the types of arguments and of flags, in some of its versions.
TYPES = re.compile(r" <(?:bool|str|path|list\[str\])>")


def words_of(help_text: str, arguments: Iterable[Any]) -> str:
    """
    Return the rows of a help drawn wide enough to break none, without what depends on typer's and rich's versions.

    That is the frames, the names of types, and how an argument is written: `x TEXT` or `X <str>`, `{X}` or `X`.
    """
    rows = []
    for line in help_text.splitlines():
        row = TYPES.sub("", " ".join(re.sub("[\u2500-\u257f]", " ", line).split()))
        if row.startswith("Usage: "):
            row = re.sub(r"\{([^{}]*)\}(?:\.\.\.)?", r"\1", row)
        for argument in arguments:
            name, metavar = re.escape(argument.name), re.escape(argument.metavar)
            told = rf"{name} (?:TEXT|PATH|{metavar}|\[{metavar}\])|{metavar}"
            row = re.sub(rf"^(\* )?(?:{told}) ", rf"\1{argument.metavar} ", row)
        rows.append(row)
    return "".join(f"{row}\n" for row in rows if row)


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "relcli")
def test_help_says_what_is_frozen(path, call, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    text, err = call(*path, "--help")
    parameters = [each for each in COMMANDS[path].params if not getattr(each, "hidden", False)]
    found = words_of(text, [each for each in parameters if each.param_type_name == "argument"])
    golden = f"{'-'.join(('help', *path))}.txt"

    assert err == ""
    assert found == frozen(golden, found)
    # nothing that is declared is lost on the way to the golden
    for parameter in parameters:
        told = [(parameter.help or "").replace("\\[", "["), parameter.metavar]
        told += [*parameter.opts, *parameter.secondary_opts] if parameter.param_type_name == "option" else []
        assert [words for words in told if words and words not in found] == []


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "relcli")
def test_help_keeps_within_the_columns_and_names_every_option(path, call):
    text, err = call(*path, "--help")
    options = [each for each in COMMANDS[path].params if each.param_type_name == "option"]

    assert err == ""
    assert max(map(len, text.splitlines())) <= 80
    for option in options:
        for name in (*option.opts, *option.secondary_opts):
            # long names are cut where two of them share a line
            assert name[:14] in text
