"""What reports once cut, lost or told wrongly: at any width, in every form, by every command."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from rich.console import Console
from rich.text import Text

import relcli
from relcli.cli.app import app, run
from relcli.errors import AnchorError, UsageError
from relcli.reports import phrases
from relcli.reports.hits import print_figures

DOCS = Path(__file__).parent.parent / "docs"
MEMBERS = ["translate:ridge+center", "translate:ortho+center", "translate:ortho", "relative+center"]
PRODUCT = f"product:{','.join(MEMBERS)}"
IDS = [f"item-{row:03}" for row in range(120)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder, now the working one, of two spaces x and y, their anchors and labels."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((120, 6)) + np.repeat(np.eye(3, 6) * 4, 40, axis=0)
    y = x @ np.linalg.qr(rng.standard_normal((6, 6)))[0] + 0.1 * rng.standard_normal((120, 6))
    for name, rows in (("x", x), ("y", y)):
        pq.write_table(pa.table({"id": IDS, "emb": list(rows)}), tmp_path / f"{name}.parquet")
    (tmp_path / "anchors.txt").write_text("".join(f"{name}\n" for name in IDS[::3]))
    labels = "".join(f"{name},{['cat', 'dog', 'eel'][row // 40]}\n" for row, name in enumerate(IDS))
    (tmp_path / "labels.csv").write_text(f"id,label\n{labels}")
    (tmp_path / "classes.tsv").write_text("item-001\tcat\nitem-041\tdog\nitem-082\teel\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def told(capfd: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    """Return what a command prints to stdout and stderr."""
    found = run(words)
    captured = capfd.readouterr()

    assert found == code, captured.err
    return captured.out, captured.err


def width(text: str) -> int:
    return max(map(len, text.splitlines()))


# --- products of ways ---


def test_each_member_of_a_product_stands_on_a_line_of_its_own():
    assert phrases.stacked(f"{PRODUCT}+csls").split("\n  ") == [
        "product:",
        *(f"{name}," for name in MEMBERS[:-1]),
        "relative+center+csls",
    ]
    assert phrases.stacked("product:relative:product:cosine,l1,absolute").split("\n  ") == [
        "product:",
        "relative:product:cosine,l1,",
        "absolute",
    ]
    assert phrases.stacked("relative:product:cosine,l1") == "relative:product:cosine,l1"


@pytest.mark.parametrize("columns", [66, 80, 100])
@pytest.mark.parametrize("asked", [("--query", "item-001"), ("--all",)])
def test_hits_and_figures_of_a_product_keep_within_the_columns(columns, asked, folder, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    ask = ["retrieve", "x.parquet", "y.parquet", "-a", "anchors.txt", *asked, "-k", "2"]
    ask += ["--via", f"{PRODUCT}+csls", "--via", "relative"]
    table, _ = told(capfd, *ask)
    _, figures = told(capfd, *ask, "--jsonl")

    for text in (table, figures):
        assert re.search(r"^  translate:ridge\+center,(  |$)", text, re.MULTILINE)
        # a sentence of its own is never broken
        assert width("\n".join(line for line in text.splitlines() if not line.startswith("figures of"))) <= columns


def test_where_there_are_no_figures_and_no_notes_nothing_is_printed(folder):
    found = relcli.retrieve("x.parquet", "y.parquet", "anchors.txt", queries=["item-001"], k=1).retrieval
    console = Console(file=io.StringIO(), width=80)
    print_figures(replace(found, scores=(), notes=()), console)

    assert console.file.getvalue() == ""


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_matches_by_a_product_and_their_change_keep_within_the_columns(columns, folder, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    ask = ["match", "x.parquet", "y.parquet", "-a", "anchors.txt", "--seeds", "2", "-o", "found.json"]
    out, _ = told(capfd, *ask, "--via", PRODUCT, "--via", "relative")

    assert width(out) <= columns
    lines = [line.strip() for line in out.splitlines()]
    assert [lines.count(f"{name},") for name in MEMBERS[:2]] == [3, 3]
    if columns >= 80:
        assert width(told(capfd, "diff", "found.json", "found.json")[0]) <= columns


# --- findings ---


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_findings_are_wrapped_and_keep_their_remedy(columns, folder, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    rows = np.ones((30, 4)) + np.random.default_rng(0).standard_normal((30, 4))
    rows[[3, 4, 5, 6]] = np.nan
    names = [f"a-rather-long-name-{row}" for row in range(29)]
    pq.write_table(pa.table({"id": [*names, names[0]], "emb": list(rows)}), "bad.parquet")
    out, _ = told(capfd, "inspect", "bad.parquet", "x.parquet")
    flags = [*relcli.inspect("bad.parquet").space("bad")["flags"], "the other like 'item-000'"]

    assert width(out) <= columns
    assert any("--on-bad drop" in flag for flag in flags)
    # ids longer than a line are broken anywhere
    assert all("".join(flag.split()) in "".join(out.split()) for flag in flags)


# --- classes ---

STITCH = ("stitch", "x.parquet", "y.parquet", "-a", "anchors.txt", "--labels", "labels.csv", "--head", "ridge")
CLASSIFY = ("classify", "x.parquet", "y.parquet", "-a", "anchors.txt", "--classes", "classes.tsv", "--sparse", "10,2")
APPLY = ("stitch", "apply", "head.skops", "y.parquet", "--labels", "labels.csv")


def class_lines(text: str) -> list[str]:
    """Return the cells of the lines of classes, whatever stands between them."""
    cells = (" ".join(re.sub(r"[|]", " ", line).split()) for line in text.splitlines())
    return [line for line in cells if line.startswith(("class precision", "cat 0", "cat 1", "dog ", "eel "))]


@pytest.mark.parametrize(
    ("ask", "tables"), [(STITCH, 10), ((*CLASSIFY, "--labels", "labels.csv", "--via", "asif"), 1), (APPLY, 1)]
)
def test_every_form_tells_of_classes_where_it_is_asked_and_no_other(ask, tables, folder, capfd):
    if ask == APPLY:
        pytest.importorskip("skops.io", reason="relcli[skops] is not installed")
        told(capfd, *STITCH, "--save-head", "head.skops")
    files = ["-o", "found.md", "-o", "found.txt"]
    for flag, count in (("--per-class", tables), (None, 0)):
        words = [*ask, *([flag] if flag else [])]
        screen, _ = told(capfd, *words, *files)
        printed, _ = told(capfd, *words, "-f", "markdown")
        forms = [screen, printed, Path("found.md").read_text(), Path("found.txt").read_text()]

        assert len(class_lines(screen)) == 4 * count
        assert [class_lines(text) for text in forms[1:]] == [class_lines(screen)] * 3


def test_without_labels_every_form_tells_how_many_rows_each_class_was_given(folder, capfd):
    screen, _ = told(capfd, *CLASSIFY, "--via", "asif", "--via", "relative", "-o", "found.md")
    lines = [re.sub(r"[|\s]+", " ", line).strip() for line in Path("found.md").read_text().splitlines()]

    for line in ("class rows given it", *(line.strip() for line in screen.splitlines() if line.startswith("cat "))):
        assert lines.count(" ".join(line.split())) == 1


# --- help ---


def commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        yield f"{prefix}{name}", command
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("command", COMMANDS)
def test_no_help_text_is_eaten_as_markup(command):
    asked = COMMANDS[command]
    for text in (asked.help, *(getattr(option, "help", None) for option in asked.params)):
        assert Text.from_markup(text or "").plain == (text or "").replace("\\[", "[")


def test_the_help_of_config_names_the_table(folder, capfd):
    assert "With what [pairs.NAME] configures." in told(capfd, "config", "--help")[0]


# --- numbers of things ---


def test_one_of_something_is_told_as_one(folder, capfd):
    x = np.random.default_rng(1).standard_normal((20, 4))
    x[3] = 0

    with pytest.raises(AnchorError, match=r"^1 anchor is zero or not finite in x: '3'"):
        relcli.retrieve(x, np.ones((20, 4)), range(6), queries=["1"], k=1)
    with pytest.raises(AnchorError, match=r"^1 anchor is zero or not finite in array: '3'"):
        relcli.project(x, range(6))
    with pytest.raises(AnchorError, match=r"^1 anchor stands more than once: '2'"):
        relcli.project(x, [1, 2, 2])
    (folder / "few.txt").write_text("".join(f"{name}\n" for name in ["nobody", *IDS[:20]]))
    for command in ("compare", "retrieve"):
        asked = ["--all"] if command == "retrieve" else []
        out, _ = told(capfd, command, "x.parquet", "y.parquet", "-a", "few.txt", "--missing-anchors", "drop", *asked)
        assert "1 anchor is missing from a space and was left out" in " ".join(out.split())
    np.save("z.npy", x)
    (folder / "z.txt").write_text("2\n3\n4\n50\n")
    out, _ = told(capfd, "anchors", "check", "z.txt", "z.npy")
    assert "1 anchor is not in z" in out
    assert "1 anchor is zero or not finite in z" in out


# --- rows left out ---


@pytest.fixture
def repeating(folder: Path) -> Path:
    """Return the folder with x and y in which ids stand twice and three times."""
    for name, again in (("x", ["item-001"]), ("y", ["item-002", "item-002"])):
        table = pq.read_table(folder / f"{name}.parquet")
        extra = pa.table({"id": again, "emb": table["emb"].combine_chunks()[: len(again)]})
        pq.write_table(pa.concat_tables([table, extra.cast(table.schema)]), folder / f"{name}.parquet")
    return folder


@pytest.mark.parametrize(
    ("policy", "notes"),
    [
        ("first", ["1 row of x with repeated ids was left out", "2 rows of y with repeated ids were left out"]),
        ("drop", ["2 rows of x with repeated ids were left out", "3 rows of y with repeated ids were left out"]),
    ],
)
@pytest.mark.parametrize("command", ["retrieve", "recommend"])
def test_rows_left_out_as_their_ids_repeat_are_told(command, policy, notes, repeating, capfd):
    ask = [command, "x.parquet", "y.parquet", "-a", "anchors.txt", "--on-duplicate", policy]
    ask += ["--query", "item-004"] if command == "retrieve" else ["--candidates", "relative"]
    out, _ = told(capfd, *ask)

    assert all(f"note {note}" in " ".join(out.split()) for note in notes)


@pytest.mark.parametrize("command", ["retrieve", "recommend"])
def test_nothing_is_told_where_no_id_repeats(command, folder, capfd):
    ask = [command, "x.parquet", "y.parquet", "-a", "anchors.txt", "--on-duplicate", "drop"]
    ask += ["--query", "item-004"] if command == "retrieve" else ["--candidates", "relative"]

    assert "repeated" not in told(capfd, *ask)[0]


def test_queries_left_out_as_their_ids_repeat_are_told(folder):
    queries = ["a", "a", "b"], np.random.default_rng(2).standard_normal((3, 6))
    found = relcli.retrieve(
        "x.parquet",
        "y.parquet",
        "anchors.txt",
        queries=relcli.open_space(queries, name="new"),
        k=1,
        on_duplicate="first",
    )

    assert "1 row of new with repeated ids was left out" in found.notes


def test_classify_tells_of_rows_whose_ids_repeat(repeating, capfd):
    out, _ = told(capfd, *CLASSIFY, "--on-duplicate", "first")

    assert "1 with repeated ids left out" in " ".join(out.split())


# --- settings ---


def test_the_docs_say_which_commands_read_settings(folder, capfd, monkeypatch):
    page = " ".join((DOCS / "ci.md").read_text().partition("## Configuration")[2].partition("\n## ")[0].split())
    readers = {name for name, command in COMMANDS.items() if any(option.name == "pair" for option in command.params)}

    assert readers == {"compare", "check", "config"}
    assert "`compare` reads every key, `check` reads `checks` and `quiet`" in page
    assert "all other commands take flags alone" in page
    monkeypatch.setenv("RELCLI_NOTHING", "1")
    for command, ask in (
        ("match", ["-a", "anchors.txt"]),
        ("retrieve", ["-a", "anchors.txt", "--query", "item-004"]),
        ("inspect", []),
    ):
        told(capfd, command, "x.parquet", "y.parquet", *ask)
    told(capfd, "compare", "x.parquet", "y.parquet", "-a", "anchors.txt", code=2)


def test_check_reads_checks_and_quiet_alone(folder, capfd, monkeypatch):
    told(capfd, "compare", "x.parquet", "y.parquet", "-a", "anchors.txt", "-m", "mrr", "-o", "found.json")
    (folder / "relcli.toml").write_text('checks = ["mrr>1"]\nk = 3\n[pairs.easy]\nchecks = ["mrr>0"]\n')

    assert "✗ mrr>1" in told(capfd, "check", "found.json", code=1)[0]
    assert "✓ mrr>0" in told(capfd, "check", "found.json", "--pair", "easy")[0]
    assert told(capfd, "check", "found.json", "--json", code=1)[1] != ""
    monkeypatch.setenv("RELCLI_QUIET", "1")
    assert told(capfd, "check", "found.json", "--json", code=1)[1] == ""


# --- checks of what was never measured ---


def test_a_match_is_not_asked_for_what_it_never_measures(folder, capfd):
    ask = ["match", "x.parquet", "y.parquet", "-a", "anchors.txt", "--via", "relative", "-o", "found.json"]
    told(capfd, *ask)
    for words in (ask, ["check", "found.json"]):
        _, err = told(capfd, *words, "--check", "relative.mrr>=0.5", code=2)

        assert "'mrr'; there are matching-accuracy, recall@1, recall@5, recall@10, coverage" in err
        told(capfd, *words, "--check", "relative.recall@5>=0", "--check", "coverage==1")
        told(capfd, *words, "--check", "relative.recall@5>1", code=1)


def test_a_limit_on_the_change_of_a_match_names_what_it_measures(folder):
    from relcli.cli.gate import judged
    from relcli.reports.diff import parse_limits

    report = relcli.match("x.parquet", "y.parquet", "anchors.txt", via="relative")

    with pytest.raises(UsageError, match="matching-accuracy"):
        judged(report, (), limits=parse_limits(["mrr=1%"], None), baseline=report)
    assert judged(report, (), limits=parse_limits(["recall@1=1%"], None), baseline=report).checks[0]["passed"]
