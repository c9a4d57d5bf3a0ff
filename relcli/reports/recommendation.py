"""Which way suits two spaces, as values: all that were tried on held-out anchors; JSON, CSV, Markdown and table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from relcli.errors import counted
from relcli.reports import phrases
from relcli.reports.delimited import csv_text
from relcli.reports.markdown import bullets, code, escape, fact_bullets, markdown_table, paragraphs, urgent_paragraph
from relcli.reports.report import document_of, json_text, json_value
from relcli.reports.schema import (
    Schema,
    anchors_schema,
    count,
    document_schema,
    free,
    list_of,
    maybe,
    object_of,
    space_schema,
    text,
)
from relcli.reports.table import as_text, before_all, fact_grid, marked, plain_table, printed

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

#: major.minor of the JSON document; an added key is a minor step, anything else a major one.
RECOMMENDATION_VERSION = "1.1"

#: From this width of the screen on the table tells what each way took.
_ROOM = 90

#: What held-out anchors are scored by for each purpose.
MEASURES = {"retrieval": "mrr", "stitching": "accuracy"}
_LABELS = {"mrr": "MRR", "accuracy": "accuracy"}

#: What ways are chosen by: the largest mean over held-out anchors.
MERITS = {"retrieval": "−log rank", "stitching": "log-likelihood"}


@dataclass(frozen=True)
class Trial:
    """
    How one way did on the held-out anchors: the mean score and its standard error over them.

    `merit` is the mean of what ways are chosen by, `behind` by how much it is less than the highest, and
    `behind_se` the standard error of that difference, taken anchor by anchor. `back` is the score from y to x, None
    where it was not asked for.
    """

    via: str
    score: float
    se: float
    merit: float
    behind: float
    behind_se: float
    lead: float
    back: float | None
    seconds: float


@dataclass(frozen=True)
class Choice:
    """
    The way chosen for a purpose, and the table it was chosen from, the highest merit first.

    `flags` is how to ask for it. `rows` tells how many rows were searched or trained on, of how many; `bytes` what
    was kept of them, read once for all ways. `chance` is the score of ranks drawn at random, or of always naming the
    class that is most frequent among the anchors.
    """

    purpose: str
    measure: str
    chance: float
    via: str
    flags: str
    anchors: int
    folds: int
    seed: int
    rows: dict[str, int]
    bytes: int
    seconds: float
    trials: tuple[Trial, ...]

    def trial(self, via: str) -> Trial:
        """Return how a way did; KeyError where it was not tried."""
        for trial in self.trials:
            if trial.via == via:
                return trial
        raise KeyError(via)


@dataclass(frozen=True)
class Recommendation:
    """What `recommend` found: a choice for each purpose; the rest are plain JSON values."""

    x: dict[str, Any]
    y: dict[str, Any]
    anchors: dict[str, Any]
    choices: tuple[Choice, ...]
    settings: dict[str, Any]
    versions: dict[str, str]
    notes: tuple[str, ...] = ()

    def via(self, purpose: str = "retrieval") -> str:
        """Return the way chosen for a purpose; KeyError where none was."""
        return self.choice(purpose).via

    def choice(self, purpose: str = "retrieval") -> Choice:
        """Return the choice for a purpose; KeyError where there is none."""
        for choice in self.choices:
            if choice.purpose == purpose:
                return choice
        raise KeyError(purpose)


def told(choice: Choice) -> str:
    """Return in a line what was chosen, and from what."""
    chosen = choice.trial(choice.via)
    label = _LABELS[choice.measure]
    level = "" if chosen == choice.trials[0] else "level with "
    return (
        f"auto is {choice.via}: {label} {phrases.number(chosen.score)} ± {phrases.number(chosen.se)} on "
        f"{choice.anchors:,} anchors held out in {choice.folds} folds, {level}the best of "
        f"{counted(len(choice.trials), 'way')}"
    )


def beyond_chance(choice: Choice) -> list[str]:
    """Return a note where no way does better than chance, by two standard errors."""
    best = max(choice.trials, key=lambda trial: trial.score - 2 * trial.se)
    if best.score - 2 * best.se > choice.chance:
        return []
    label, told = _LABELS[choice.measure], f"{phrases.number(best.score)} ± {phrases.number(best.se)}"
    return [
        f"for {choice.purpose} no way does better than chance on {choice.anchors:,} held-out anchors: {label} {told} "
        f"at best, chance {phrases.number(choice.chance)}; what is recommended is no better than another"
    ]


def to_document(found: Recommendation) -> dict[str, Any]:
    """Return the JSON values of the document."""
    return document_of(found, "recommend", RECOMMENDATION_VERSION)


def to_json(found: Recommendation) -> str:
    """Return the JSON document."""
    return json_text(to_document(found))


_COLUMNS = (
    "purpose", "measure", "chance", "via", "chosen", "score", "se",
    "merit", "behind", "behind_se", "lead", "back", "seconds",
)  # fmt: skip


def to_csv(found: Recommendation) -> str:
    """Return every way tried, unrounded, a row each."""
    rows = (
        {
            "purpose": choice.purpose,
            "measure": choice.measure,
            "chance": choice.chance,
            "chosen": "true" if trial.via == choice.via else "false",
            **json_value(asdict(trial)),
        }
        for choice in found.choices
        for trial in choice.trials
    )
    return csv_text(_COLUMNS, rows)


def to_markdown(found: Recommendation) -> str:
    """Return the tables and what they rest on."""
    blocks = [f"### relcli recommend: {code(found.x['name'])} → {code(found.y['name'])}"]
    blocks += [urgent_paragraph(found.notes), fact_bullets(_facts(found))]
    for choice in found.choices:
        headings, rows = _figures(choice)
        chance = f"chance {_LABELS[choice.measure]} {phrases.number(choice.chance)}"
        blocks.append(f"**For {choice.purpose}**: {code(choice.flags)} ({chance})")
        blocks.append(markdown_table(headings, [[*map(escape, row)] for row in rows], left=1))
    blocks.append(bullets(map(escape, phrases.calm(found.notes))))
    return paragraphs(blocks)


def to_text(found: Recommendation, *, width: int = 80) -> str:
    """Return the table without colour."""
    return as_text(lambda room: _parts(found, room), width=width)


FORMATS: dict[str, Callable[[Recommendation], str]] = {
    "table": to_text,
    "json": to_json,
    "markdown": to_markdown,
    "csv": to_csv,
}


def print_recommendation(found: Recommendation, console: Console) -> None:
    """Print what was tried, best first, and what to ask for."""
    printed(lambda width: _parts(found, width), console)


def _parts(found: Recommendation, width: int) -> Iterator[RenderableType]:
    from rich.text import Text

    yield from before_all(found.notes)
    yield fact_grid(_facts(found), width)
    for choice in found.choices:
        yield ""
        back = " from x to y" if any(trial.back is not None for trial in choice.trials) else ""
        chance = f" · chance {_LABELS[choice.measure]} {phrases.number(choice.chance)}{back}"
        yield Text.assemble((f"for {choice.purpose}", "bold"), chance)
        headings, rows = _figures(choice)
        if width < _ROOM:
            # the seconds make room for names; they are in the CSV and the JSON
            headings, rows = headings[:-1], [row[:-1] for row in rows]
        table = plain_table(headings, [], left=1, folded=True)
        for row in rows:
            table.add_row(*map(Text, (phrases.stacked(row[0]), *row[1:])), style="bold" if row[0] == choice.via else "")
        yield table
        yield Text(f"recommended: {choice.flags}")
        if why := _why(choice):
            yield Text(why)
    if phrases.calm(found.notes):
        yield ""
        yield marked(("note", note) for note in phrases.calm(found.notes))


def _why(choice: Choice) -> str:
    """Return why a way was chosen that is not the first of the table, or nothing."""
    chosen = choice.trial(choice.via)
    if chosen == choice.trials[0] or not chosen.via.startswith("product:"):
        return ""
    behind = f"{phrases.number(chosen.behind)} ± {phrases.number(chosen.behind_se)}"
    return (
        f"level with the first (behind {behind}): of ways that the anchors cannot tell apart a mean over several, "
        "which varies less, is taken (--no-products takes single ways)"
    )


def _facts(found: Recommendation) -> dict[str, list[str]]:
    spaces = {side: [str(s["name"]), *phrases.space_facts(s)] for side, s in (("x", found.x), ("y", found.y))}
    facts = {**spaces, "anchors": phrases.anchor_facts(found.anchors)}
    facts["tried"] = []
    for choice in found.choices:
        facts["tried"] += [
            f"{choice.purpose}: {counted(len(choice.trials), 'way')}",
            f"{choice.folds} folds of {choice.anchors:,} anchors",
            f"{choice.rows['used']:,} of {choice.rows['of']:,} rows",
            f"{choice.bytes / 1e6:,.1f} MB read once, {choice.seconds:,.1f} s",
        ]
    return facts


def _figures(choice: Choice) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows of texts: the way, its score, its merit and how far behind it is, the way back, time."""
    back = any(trial.back is not None for trial in choice.trials)
    headings = ["via", f"{_LABELS[choice.measure]} ± SE", MERITS[choice.purpose], "behind ± SE"]
    rows = []
    for place, trial in enumerate(choice.trials):
        behind = phrases.MISSING
        if place:
            behind = f"{phrases.number(trial.behind)} ± {phrases.number(trial.behind_se)}"
        cells = [trial.via, f"{phrases.number(trial.score)} ± {phrases.number(trial.se)}", phrases.number(trial.merit)]
        cells.append(behind)
        if back:
            cells.append(phrases.MISSING if trial.back is None else phrases.number(trial.back))
        rows.append([*cells, f"{trial.seconds:.2f}"])
    return [*headings, *(["y→x"] if back else []), "s"], rows


def choice_schema() -> Schema:
    """Return the schema of a choice and its table."""
    number: Sequence[tuple[str, str]] = (
        ("score", "Mean over the held-out anchors."),
        ("se", "Its standard error over them."),
        ("merit", "Mean of what ways are chosen by."),
        ("behind", "How much less its merit is than the highest."),
        ("behind_se", "Standard error of that difference, anchor by anchor."),
        ("lead", "What parts level scores: the own row's lead over the others, in deviations; 0 for stitching."),
        ("seconds", "What trying it took."),
    )
    fields: dict[str, Schema] = {name: maybe("number", said) for name, said in number}
    trial = object_of(
        "Trial",
        "One way, on anchors that it did not know.",
        {"via": text("The way."), **fields, "back": maybe("number", "The score from y to x, where asked for.")},
    )
    return object_of(
        "Choice",
        "The way chosen for a purpose.",
        {
            "purpose": {"enum": list(MEASURES), "description": "What it is for."},
            "measure": {"enum": list(MEASURES.values()), "description": "What anchors were scored by."},
            "chance": {"type": "number", "description": "Score of random ranks, or of the most frequent class."},
            "via": text("The way chosen."),
            "flags": text("How to ask for it."),
            "anchors": count("Anchors that were held out in turn."),
            "folds": count("In how many folds."),
            "seed": {"type": "integer", "description": "Seed of the folds."},
            "rows": free("Rows searched or trained on (used), of how many (of)."),
            "bytes": count("Bytes of vectors kept, read once for all ways."),
            "seconds": {"type": "number", "description": "What the choice took."},
            "trials": list_of(trial, "Every way tried, the highest merit first."),
        },
    )


def recommendation_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of the document; minor versions may add keys."""
    return document_schema(
        "recommendation",
        RECOMMENDATION_VERSION,
        "Which way suits two spaces, by held-out anchors.",
        {
            "command": {"const": "recommend"},
            "x": space_schema("x"),
            "y": space_schema("y"),
            "anchors": anchors_schema(),
            "choices": list_of(choice_schema(), "One for each purpose."),
            "settings": free("Every option, with defaults filled in."),
            "versions": free("Versions of relcli, Python and numpy."),
            "notes": list_of({"type": "string"}, "What a reader should know before trusting it."),
        },
    )
