"""Every command with what stands in for its work, and how it is run: what the goldens are made from."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import typer

from relcli.cli.app import app, run
from relcli.reports.html import Figure
from relcli.reports.report import to_json
from tests.examples import (
    anchors,
    application,
    changes,
    classification,
    comparison,
    inspection,
    matching,
    matrix,
    recommendation,
    retrieval,
    stitching,
    sweep,
    translation,
)
from tests.examples.parts import PLAIN
from tests.reports_example import REPORT

#: What a command prints -> the file that it is frozen in; tables have one for each width, and one in colour.
FILES = {
    "json": "report.json",
    "jsonl": "report.jsonl",
    "markdown": "report.md",
    "csv": "report.csv",
    "html": "report.html",
    "junit": "report.xml",
    "github": "github.txt",
    "text": "text.txt",
    "80": "80.txt",
    "120": "120.txt",
    "colour": "colour.txt",
}

#: How forms are asked for where the command has no --format.
_FLAGS = {"json": ("--json",), "jsonl": ("--jsonl",)}

#: What is written into a file beside the printed document, by the suffix that asks for it.
SUFFIXES = {"80": "txt", "json": "json", "markdown": "md", "csv": "csv", "html": "html", "junit": "xml"}

REPORT_FORMS = ("table", "json", "markdown", "csv")


@dataclass(frozen=True, eq=False)
class Case:
    """
    A command as it is frozen: the folder of its goldens, what it is asked, and what stands in for its work.

    `stands` names what is replaced, and by what. `forms` are the forms that it is printed in, `beside` the files of
    -o that hold something else. `writes` fills the folder that it runs in.
    """

    folder: str
    command: str
    asked: str
    stands: Mapping[str, Any] = field(default_factory=dict)
    forms: tuple[str, ...] = REPORT_FORMS
    beside: tuple[str, ...] = ()
    writes: Callable[[Path], None] = lambda folder: None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def printed(self) -> tuple[str, ...]:
        """The keys of FILES that hold what it prints."""
        return tuple(key for form in self.forms for key in (("80", "120", "colour") if form == "table" else (form,)))


@dataclass(frozen=True)
class Answer:
    """What a command printed, told on stderr and wrote into files, and its exit code."""

    out: str
    err: str
    code: int
    files: Mapping[str, bytes]


def _gives(**found: Any) -> dict[str, Any]:
    """Return what stands in for functions of the API that return these."""
    return {f"relcli.api.{name}": lambda *_, value=value, **__: value for name, value in found.items()}


def _hands(name: str, batches: Sequence[Any], found: Any) -> dict[str, Any]:
    """Return what stands in for a function of the API that hands over batches, then returns what it found."""

    def answer(*_: Any, take: Callable[[Any], None], **__: Any) -> Any:
        for batch in batches:
            take(batch)
        return found

    return {f"relcli.api.{name}": answer}


#: What stands in for the two spaces that a search opens.
_OPENED = {"relcli.api.open_both": lambda *_: [SimpleNamespace(ids=np.array([*retrieval.SHOWN["title"]]))] * 2}


def _predicted(name: str, attribute: str, columns: Sequence[dict[str, list[Any]]], found: Any) -> dict[str, Any]:
    batches = [SimpleNamespace(columns=lambda some=some: some) for some in columns]
    return _hands(name, batches, SimpleNamespace(**{attribute: found}))


_FIGURES = [
    Figure("Projections", "Where <queries> lie | in two dimensions.", '<svg role="img"><title>P</title></svg>'),
    Figure("Agreement", "How queries agree.", '<svg role="img"><title>A</title></svg>'),
]
_DRAWN = {
    "relcli.reports.pictures.figures_of": lambda *_: _FIGURES,
    "relcli.reports.plots.check_matplotlib": lambda: None,
}


def _without_matplotlib() -> None:
    from relcli.errors import MissingExtraError

    raise MissingExtraError("Pictures need what is not installed. Install it.")


@cache
def _documents() -> dict[str, str]:
    return {name: to_json(report) for name, report in _REPORTS.items()}


_REPORTS = {"old.json": changes.OLD, "new.json": changes.NEW, "full.json": comparison.FULL}


def _reports(folder: Path) -> None:
    for name, text in _documents().items():
        (folder / name).write_text(text, "utf-8")


def _titles(folder: Path) -> None:
    with open(folder / "titles.csv", "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", *retrieval.SHOWN])
        rows.writerows([id, *(texts[id] for texts in retrieval.SHOWN.values())] for id in retrieval.SHOWN["title"])


_SETTINGS = """
x = "dumps/bert.parquet"
k = 5
center = true
checks = ["mrr>=0.4", "warn:cosine>=0.8"]
[pairs.nightly]
y = "dumps/多言語-e5.npy"
measures = ["recall", "jaccard@10"]
[pairs."a long name"]
sample = 2000
"""


def _settings(folder: Path) -> None:
    (folder / "relcli.toml").write_text(_SETTINGS, "utf-8")


def _version(name: str) -> str:
    if name == "torch":
        raise PackageNotFoundError(name)
    return f"1.{len(name)}"


_MACHINE = {
    "importlib.metadata.version": _version,
    "platform.platform": lambda: "Linux-6.1-x86_64",
    "platform.python_version": lambda: "3.11.7",
    "relcli._version.VERSION": "0.1.0",
    "relcli.arrays.product_rate": lambda: 1234.5,
    "relcli.kernels.tiers.explained": lambda: "int8 (fp32 95 GF/s, int8 442 GF/s, bf16 217 GF/s on one core)",
    "relcli.engines.local.available_cores": lambda: 8,
    "relcli.cli.environment._has_avx512": lambda: True,
    "threadpoolctl.threadpool_info": lambda: [
        {"user_api": "blas", "internal_api": "openblas", "version": "0.3.31", "architecture": "Haswell"},
        {"user_api": "openmp", "internal_api": "openmp", "version": None},
    ],
}

_XY = "x.npy y.npy"
_PAIR = f"{_XY} -a anchors.txt"
_CHECKS = (
    "--check recall@10>=0.8 --check 'warn:relative.jaccard@10 >= 0.3' --check absolute.recall@1>=0.5 "
    "--check 'median-rank.high < 1e3' --check coverage.y>=0.99 --fail-under jaccard@10=0.2070999 --fail-over "
    "information-imbalance=1"
)
_OF_GROUPS = (
    "--check 'min(relative.recall@10 by language)>=0.7' --check 'relative.jaccard@10[language=lang-03]>0' "
    "--check 'relative.recall@1.p<=0.01' --check 'relative.recall@10[language=none]>=0.1'"
)
_HEADS = "--check translate:ortho.accuracy>=0.2 --check 'warn:relative.weighted-f1>0.99' --check of-ceiling>=0.1"
_DATA = ("found.csv", "found.jsonl", "found.parquet")
_ALL = ("table", "json", "markdown", "html", "csv", "junit", "github")

CASES = (
    Case(
        "compare",
        "compare",
        _PAIR,
        _gives(compare=REPORT) | {"relcli.reports.plots.check_matplotlib": _without_matplotlib},
        forms=tuple(form for form in _ALL if form != "junit"),
    ),
    Case("compare-checked", "compare", f"{_PAIR} {_CHECKS}", _gives(compare=REPORT) | _DRAWN, forms=_ALL),
    Case("compare-full", "compare", f"{_PAIR} {_OF_GROUPS}", _gives(compare=comparison.FULL) | _DRAWN, forms=_ALL),
    Case(
        "compare-bare",
        "compare",
        f"{_PAIR} --preset relreps -k 3",
        _gives(compare=comparison.BARE) | _DRAWN,
        forms=tuple(form for form in _ALL if form != "junit"),
    ),
    Case(
        "check",
        "check",
        "new.json --check recall@10>=0.8 --check warn:cosine>0 --check absolute.recall@1>=0.5 --baseline old.json "
        "--max-drop recall@10=1% --max-drop jaccard@10=0.5 --max-rise median-rank=5% --max-drop mrr=1 --significant "
        "--force",
        forms=_ALL,
        beside=("file.txt",),
        writes=_reports,
    ),
    Case("check-groups", "check", f"full.json {_OF_GROUPS}", forms=_ALL, writes=_reports),
    Case("diff", "diff", "old.json new.json --force", forms=("table", "json", "markdown"), writes=_reports),
    Case("diff-same", "diff", "old.json old.json", forms=("table", "json", "markdown"), writes=_reports),
    Case(
        "retrieve",
        "retrieve",
        f"{_PAIR} --query {PLAIN} --show title --show lang --show-from titles.csv --check relative.mrr@10>=0.5 "
        "--check relative.recall@10>=0.9 --check warn:relative.ndcg@10>0",
        _hands("retrieve", [retrieval.LISTS], SimpleNamespace(retrieval=retrieval.RETRIEVAL)) | _OPENED,
        forms=("table", "json", "jsonl"),
        beside=("hits.csv", "hits.jsonl", "hits.json", "hits.parquet"),
        writes=_titles,
    ),
    Case(
        "retrieve-plain",
        "retrieve",
        f"{_PAIR} --query {PLAIN}",
        _hands("retrieve", [retrieval.PLAIN_LISTS], SimpleNamespace(retrieval=retrieval.PLAIN_RETRIEVAL)) | _OPENED,
        forms=("table", "json", "jsonl"),
        beside=("hits.csv", "hits.parquet"),
    ),
    Case(
        "match",
        "match",
        f"{_PAIR} --check relative.matching-accuracy>=0.8 --check warn:relative.search-accuracy.draws.sd<1",
        _gives(match=matching.WITH_ANCHORS),
    ),
    Case("match-discovered", "match", _XY, _gives(match=matching.WITHOUT_ANCHORS)),
    Case("match-bootstrapped", "match", f"{_PAIR} --bootstrap 100", _gives(match=matching.FROM_SEEDS)),
    Case("stitch", "stitch", f"{_PAIR} --labels labels.csv {_HEADS}", _gives(stitch=stitching.STITCHING)),
    Case(
        "stitch-per-class",
        "stitch",
        f"{_PAIR} --labels labels.csv --per-class",
        _gives(stitch=stitching.STITCHING),
        forms=("table", "markdown"),
    ),
    Case(
        "stitch-regression",
        "stitch",
        f"{_PAIR} --targets targets.npy --check relative.mse<=1",
        _gives(stitch=stitching.REGRESSION),
    ),
    Case(
        "stitch-apply",
        "stitch apply",
        "head.skops y.npy --labels labels.csv --check accuracy>=0.9 --fail-under weighted-f1=0 -o found.csv",
        _predicted("stitch_apply", "application", application.PREDICTIONS, application.APPLICATION),
        beside=_DATA,
    ),
    Case(
        "stitch-apply-per-class",
        "stitch apply",
        "head.skops y.npy --labels labels.csv --per-class",
        _predicted("stitch_apply", "application", (), application.APPLICATION),
        forms=("table", "markdown"),
    ),
    Case(
        "stitch-apply-unlabelled",
        "stitch apply",
        "head.skops y.npy",
        _predicted("stitch_apply", "application", (), application.UNLABELLED),
    ),
    Case(
        "stitch-apply-regression",
        "stitch apply",
        "head.skops y.npy --labels labels.csv",
        _predicted("stitch_apply", "application", (), application.REGRESSION),
    ),
    Case(
        "classify",
        "classify",
        f"{_PAIR} --labels labels.csv --check asif.accuracy>=0.9 --check warn:relative.macro-f1>0",
        _predicted("classify", "classification", classification.PREDICTIONS, classification.CLASSIFICATION),
        beside=_DATA,
    ),
    Case(
        "classify-per-class",
        "classify",
        f"{_PAIR} --per-class",
        _predicted("classify", "classification", (), classification.CLASSIFICATION),
        forms=("table", "markdown"),
    ),
    Case(
        "classify-unlabelled",
        "classify",
        _PAIR,
        _predicted("classify", "classification", (), classification.UNLABELLED),
    ),
    Case("recommend", "recommend", _PAIR, _gives(recommend=recommendation.RECOMMENDATION)),
    Case("sweep", "sweep", _XY, _gives(sweep=sweep.SWEEP)),
    Case("sweep-unfinished", "sweep", _XY, _gives(sweep=sweep.UNFINISHED)),
    Case("matrix", "matrix", _XY, _gives(matrix=matrix.MATRIX)),
    Case("matrix-unfinished", "matrix", _XY, _gives(matrix=matrix.UNFINISHED)),
    Case("inspect", "inspect", _XY, _gives(inspect=inspection.INSPECTION), forms=("table", "json")),
    Case("inspect-sound", "inspect", "x.npy", _gives(inspect=inspection.SOUND), forms=("table", "json")),
    Case(
        "anchors-check",
        "anchors check",
        "anchors.txt x.npy y.npy --labels labels.csv",
        _gives(anchors_check=anchors.CHECK),
        forms=("table", "json"),
    ),
    Case(
        "anchors-check-sound",
        "anchors check",
        "anchors.txt x.npy",
        _gives(anchors_check=anchors.SOUND),
        forms=("table", "json"),
    ),
    Case("anchors-choose", "anchors choose", "x.npy", _gives(anchors_choose=anchors.CHOSEN), forms=("text",)),
    Case(
        "anchors-choose-pairs",
        "anchors choose",
        f"{_XY} --pairs pairs.tsv --strategy farthest --seed 7",
        _gives(anchors_choose=anchors.CHOSEN),
        forms=("text",),
    ),
    Case(
        "anchors-choose-file",
        "anchors choose",
        "x.npy -o chosen.txt",
        _gives(anchors_choose=anchors.CHOSEN),
        forms=("text",),
    ),
    Case(
        "translate-fit",
        "translate fit",
        f"{_PAIR} -o map.safetensors",
        _gives(translate_fit=SimpleNamespace(report=translation.FIT)),
        forms=("table", "json"),
    ),
    Case(
        "translate-apply",
        "translate apply",
        "map.safetensors x.npy -o moved.parquet",
        _gives(translate_apply=translation.MOVED),
        forms=("text",),
    ),
    Case(
        "project",
        "project",
        "x.npy -a anchors.txt -o relative.parquet --dtype float16",
        _gives(project=translation.RELATIVE),
        forms=("text",),
    ),
    Case(
        "project-whole",
        "project",
        "x.npy -a anchors.txt -o relative.npy",
        _gives(project=translation.WHOLE),
        forms=("text",),
    ),
    Case(
        "config",
        "config",
        "--pair nightly",
        forms=("table", "json"),
        writes=_settings,
        environment={"RELCLI_SEED": "7", "RELCLI_STRICT": "yes"},
    ),
    Case("env", "env", "", _MACHINE, forms=("text",)),
)


@cache
def answer(case: Case, key: str) -> Answer:
    """Return what the command answers where it prints what FILES calls `key`."""
    return called(case, *_form_flags(case, key), columns=120 if key == "120" else 80, colour=key == "colour")


def _form_flags(case: Case, key: str) -> tuple[str, ...]:
    if key in ("80", "120", "colour", "text"):
        return ()
    return ("--format", key) if "--format" in options_of(case.command) else _FLAGS[key]


#: All commands, made once: they are the same each time.
_ROOT = typer.main.get_command(app)


def called(case: Case, *flags: str, columns: int = 80, colour: bool = False) -> Answer:
    """Return what the command answers in a folder of its own, as wide as this, with or without colour."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("RELCLI_", "GITHUB_"))}
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "JUPYTER_COLUMNS"):
        clean.pop(name, None)
    clean |= {"COLUMNS": str(columns), "TERM": "xterm", **case.environment, **({"FORCE_COLOR": "1"} if colour else {})}
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True) for _ in range(2)]
    before = os.getcwd()
    with TemporaryDirectory() as place, patch.dict(os.environ, clean, clear=True):
        folder = Path(place).resolve()
        case.writes(folder)
        there = {*folder.iterdir()}
        os.chdir(folder)
        patches = [patch(name, stand) for name, stand in case.stands.items()]
        patches += [patch("typer.main.get_command", lambda _: _ROOT)]
        patches += [patch.object(sys, "stdout", streams[0]), patch.object(sys, "stderr", streams[1])]
        try:
            for one in patches:
                one.start()
            code = run([*case.command.split(), *shlex.split(case.asked), *flags])
        finally:
            for one in reversed(patches):
                one.stop()
            os.chdir(before)
        written = {file.name: file.read_bytes() for file in sorted({*folder.iterdir()} - there)}
        out, err = (stream.buffer.getvalue().decode("utf-8") for stream in streams)  # type: ignore[attr-defined]
    # the folder is another one each time
    return Answer(*(text.replace(str(folder), "FOLDER") for text in (out, err)), code, written)


def rows_of_parquet(content: bytes) -> str:
    """Return a Parquet file as text: its columns and their types, its rows, and what relcli keeps beside them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(pa.BufferReader(content))
    kept = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    lines = [
        *(f"{one.name}: {one.type}" for one in table.schema),
        *(json.dumps(row, ensure_ascii=False) for row in table.to_pylist()),
        *(f"{key}: {value}" for key, value in sorted(kept.items()) if key == "relcli"),
    ]
    return "".join(f"{line}\n" for line in lines)


def commands() -> dict[str, Any]:
    """Return every command that does something, by the words that call it."""
    return dict(_leaves(_ROOT, ()))


def _leaves(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if not below:
        yield " ".join(words), command
    for name, one in (below or {}).items():
        yield from _leaves(one, (*words, name))


@cache
def options_of(command: str) -> frozenset[str]:
    """Return the options that a command takes."""
    return frozenset(name for parameter in commands()[command].params for name in parameter.opts)
