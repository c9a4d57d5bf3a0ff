"""Reports as people see them: tables, Markdown, CSV, and the files they are written to."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from relcli.errors import OutputError, UsageError
from relcli.reports import phrases
from relcli.reports.report import Report, Score
from relcli.reports.table import print_table, to_text
from relcli.reports.writing import FORMATS, format_for, write_text
from tests.reports_example import REPORT


def _printed(report: Report, *, width: int = 80, colour: str | None = None, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="")
    console = Console(file=file, width=width, color_system=colour, force_terminal=bool(colour))  # type: ignore[arg-type]
    print_table(report, console)
    file.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("width", [60, 70, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_console(width: int) -> None:
    assert max(map(cell_len, to_text(REPORT, width=width).splitlines())) <= width


@pytest.mark.parametrize("width", [20, 40, 60, 76, 77, 80, 120])
def test_no_name_and_no_figure_is_ever_cut(width: int) -> None:
    text = to_text(REPORT, width=width)

    assert "…" not in text
    assert "heldout-procrustes-residual ↓" in text
    assert all(figure in text for figure in ("1.3e-13", "1,204.5", "-0.091", "4,921.0", "1.0e-4"))


def test_a_pipe_gets_no_escape_codes() -> None:
    assert "\x1b" not in _printed(REPORT)


def test_colour_adds_only_escape_codes_and_its_legend() -> None:
    text = _printed(REPORT, colour="standard")

    assert "\x1b[32m" in text
    assert "interval covers chance" in text


def test_an_ascii_terminal_gets_a_table_too() -> None:
    text = _printed(REPORT, encoding="ascii")

    assert "heldout-procrustes-residual v" in text
    assert "~0.012" in text


def test_markup_in_names_is_shown_as_it_is() -> None:
    report = replace(REPORT, x=REPORT.x | {"name": "[red]x[/red]"}, notes=("see [bold]docs[/bold] :smile:",))
    text = to_text(report)

    assert "[red]x[/red]" in text
    assert "[bold]docs[/bold] :smile:" in text


def test_equal_reasons_share_a_footnote() -> None:
    text = to_text(REPORT)

    assert text.count("– (1)") == 3
    assert text.count("\n(1)") == 1


def test_a_report_without_scores_still_says_what_was_compared() -> None:
    report = Report("compare", {"name": "a"}, {"name": "b"}, {}, {}, (), {}, {})

    assert to_text(report).startswith("x  ")
    assert "### relcli compare: `a` ↔ `b`" in FORMATS["markdown"](report)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0.000"),
        (-0.0, "0.000"),
        (1.0, "1.000"),
        (-0.0012, "-0.001"),
        (1.3e-13, "1.3e-13"),
        (-4e-4, "-4.0e-4"),
        (9999.94, "9,999.9"),
        (8.7e16, "8.7e16"),
    ],
)
def test_a_number_keeps_the_digits_that_matter(value: float, shown: str) -> None:
    assert phrases.number(value) == shown


def test_markdown_escapes_what_would_break_the_table_or_call_people() -> None:
    score = Score("jaccard@10", "relative", None, undefined_because="a|b <script> @someone", section="s|t")
    text = FORMATS["markdown"](replace(REPORT, scores=(score,)))

    assert r"**s\|t**" in text
    assert r"a\|b \<script\>" in text
    assert "@someone" not in text


def test_csv_values_are_unrounded() -> None:
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](REPORT))))

    assert [float(row["value"]) if row["value"] else None for row in rows] == [s.value for s in REPORT.scores]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.json", "json"),
        ("a.MD", "markdown"),
        ("a.markdown", "markdown"),
        ("b/a.csv", "csv"),
        ("a.txt", "table"),
    ],
)
def test_the_suffix_chooses_the_format(path: str, name: str) -> None:
    assert format_for(path) == name


@pytest.mark.parametrize("path", ["a.jsn", "a", "a.json.gz"])
def test_an_unknown_suffix_is_refused_naming_the_known_ones(path: str) -> None:
    with pytest.raises(UsageError, match=r"Use one of \.json, \.md"):
        format_for(path)


def test_a_written_file_replaces_the_old_one_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")
    write_text(target, "né\n")

    assert target.read_bytes() == "né\n".encode()
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    target = tmp_path / "report.json"
    target.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        write_text(target, "new")

    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_folder_that_is_not_there_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_text(tmp_path / "missing" / "report.json", "new")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_without_permission_is_an_output_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        write_text(tmp_path / "report.json", "new")


def test_a_device_is_written_in_place() -> None:
    write_text(os.devnull, "text")

    assert not Path(os.devnull).is_file()


def test_a_name_that_is_not_unicode_is_still_written(tmp_path: Path) -> None:
    write_text(tmp_path / "report.json", '"\udc80"')

    assert (tmp_path / "report.json").read_text() == r'"\udc80"'
