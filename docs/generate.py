"""
Write docs/measures.md from the catalog, docs/commands.md from the commands, outputs into the pages that show them,
and the report that the samples should give.

A page shows a command's output in a `text` block after the line `<!-- output -->`: it is that of the last
`$ relcli …` line above it, run in the root of the checkout at 100 columns.

    python docs/generate.py            # rewrite them
    python docs/generate.py --check    # exit 1 where one of them is stale
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent


#: What spaces with nothing in common score, in words; n is the number of gallery rows, m of scored pairs.
CHANCE = {
    "mrr": "(1 + 1/2 + … + 1/n) / n",
    "mrr@k": "(1 + 1/2 + … + 1/k) / n",
    "recall@k": "k / n",
    "median-rank": "(n + 1) / 2",
    "cosine": "measured: the mean over mismatched pairs",
    "jaccard@k": "the mean over k of n − 1 rows drawn twice: Σ Hyp(i; n − 1, k, k) · i / (2k − i)",
    "overlap@k": "k / (n − 1)",
    "cross-jaccard@k": "the mean over k of n rows drawn twice: Σ Hyp(i; n, k, k) · i / (2k − i)",
    "procrustes-residual": "1 − nuc², of the nuclear norm of unrelated spaces with these spectra",
    "procrustes-distance": "√(2 − 2 nuc), of the nuclear norm of unrelated spaces with these spectra",
    "procrustes-angle": "arccos(nuc), of the nuclear norm of unrelated spaces with these spectra",
    "heldout-procrustes-residual": "measured: the mean over mismatched pairs; 1 is the mean of y for every row",
    "heldout-aligned-cosine": "measured: the mean over mismatched pairs",
    "linear-r2": "measured: the mean over mismatched pairs; 0 is the mean of y for every row",
    "rank-overlap@k": "(k + 1) / (2 (n − 1))",
    "information-imbalance": "1",
    "debiased-cka": "0",
    "rbf-cka": "0",
    "rsa": "0",
    "distance-correlation": "0",
    "cca": "the mean over random orthogonal maps in place of the product of the two whitened spaces",
    "svcca": "the mean over random orthogonal maps in place of the product of the two whitened spaces",
    "pwcca": "the mean over random orthogonal maps in place of the product of the two whitened spaces",
    "gulp": "the root of GULP² at the exact mean, over all pairings, of what x and y share",
    "linear-cka": "the exact mean over all pairings: ‖Xc‖² ‖Yc‖² / ((m − 1) ‖XcᵀXc‖ ‖YcᵀYc‖)",
}


def measures_page() -> str:
    """Return the page of all measures, by section, in the order of the catalog."""
    from relcli.measures.catalog import DEFAULT, all_measures

    # "@k" stands for any depth, and the default list holds some of them at a depth
    default = {f"{name.partition('@')[0]}@k" if "@" in name else name for name in DEFAULT}
    blocks = [
        "# The measures",
        "<!-- Written by docs/generate.py from the catalog: change the measures, not this page. -->",
        "Names are the interface: one name, one definition. `@k` stands for a depth, as in `jaccard@10`; a bare `@k` "
        "takes the depth of `-k`. *Chance* is what spaces with nothing in common score on these very data: "
        "every report prints it beside the value. A measure is reported on the views it is defined on: *relative*, the "
        "similarities to the anchors, and *absolute*, the vectors as they were dumped. × marks those that compare "
        "coordinates of x with coordinates of y: on the absolute view they need as many dimensions in both. "
        "↑ higher is closer, ↓ lower is closer; measures in the default report are in **bold**.",
    ]
    section = None
    for measure in all_measures().values():
        if measure.section != section:
            section = measure.section
            blocks.append(f"## {section}")
        blocks.append(f"### `{measure.name}` {'↑' if measure.higher_is_closer else '↓'}")
        blocks.append("\n".join(_measure_lines(measure, measure.name in default)))
    blocks.append("[What else is printed](reading.md): intervals, p-values, draws of anchors, items that moved.")
    return "\n\n".join(blocks) + "\n"


def _measure_lines(measure: Any, default: bool) -> Iterator[str]:
    definition = measure.definition[:1].upper() + measure.definition[1:].rstrip(".")
    yield f"{'**' if default else ''}{definition}.{'**' if default else ''}"
    yield ""
    yield "| | |"
    yield "|---|---|"
    yield f"| range | {_range(*measure.range)} |"
    yield f"| closer | {'higher' if measure.higher_is_closer else 'lower'} |"
    yield f"| chance | {_chance(measure)} |"
    yield f"| x and y may be swapped | {'yes' if measure.symmetric else 'no'} |"
    yield f"| unchanged by | {', '.join(sorted(measure.invariant_to)) or 'nothing named'} |"
    yield f"| views | {', '.join(measure.views)}{' ×' if measure.same_width else ''} |"
    yield f"| source | {measure.cite} |"


def _range(low: float | None, high: float | None) -> str:
    left = "(−∞" if low is None else f"[{low:g}"
    right = "∞)" if high is None else f"{high:.4g}]"
    return f"{left}, {right}".replace("-", "−")


def _chance(measure: Any) -> str:
    doc = (measure.chance.__doc__ or "").strip().split("\n")[0]
    return CHANCE.get(measure.name) or doc.removeprefix("Return ").rstrip(".") or "told in every report"


def leaf_commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every command under its full name, as "translate fit", without the groups."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaf_commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def commands_page() -> str:
    """Return the page of all commands with their arguments, options and help texts."""
    import typer

    from relcli.cli.app import app

    root: Any = typer.main.get_command(app)
    blocks = [
        "# The commands",
        "<!-- Written by docs/generate.py from the commands: change their help texts, not this page. -->",
        root.help,
        root.epilog,
    ]
    for name, command in leaf_commands(root):
        description, _, example = command.help.partition("Example:")
        blocks += [f"## `relcli {name}`", " ".join(description.split())]
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option"]
        usage = ["relcli", name, *(p.metavar for p in arguments), *(f"{p.opts[0]} …" for p in options if p.required)]
        blocks.append(f"```\n{' '.join([*usage, '[OPTIONS]'] if options else usage)}\n```")
        if arguments:
            rows = [f"| `{p.metavar}` | {_cell(p.help)} |" for p in arguments]
            blocks.append("\n".join(["| argument | |", "|---|---|", *rows]))
        by_panel: dict[str, list[Any]] = {}
        for option in options:
            by_panel.setdefault(getattr(option, "rich_help_panel", None) or "Options", []).append(option)
        for panel, members in by_panel.items():
            rows = [f"| {_names(option)} | {_cell(option.help)}{_default(option)} |" for option in members]
            blocks.append("\n".join([f"| {panel} | |", "|---|---|", *rows]))
        if example and example.split() != usage:
            blocks.append(f"```\n{' '.join(example.split())}\n```")
    return "\n\n".join(block for block in blocks if block) + "\n"


def _names(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    return names if option.is_flag or not option.metavar else f"{names} `{_cell(option.metavar)}`"


def _default(option: Any) -> str:
    plain = option.default is None or option.is_flag or option.default == ()
    told = "" if plain else f" Default: `{option.default}`."
    return told + (" Required." if option.required else "")


def _cell(text: str) -> str:
    return " ".join(text.replace("<TAB>", "⇥").split()).replace("|", "\\|")


OUTPUT = re.compile(r"^\$ (relcli [^\n]*)$|^<!-- output -->\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def page_with_outputs(path: Path) -> str:
    """Return a page with the outputs that it shows made anew."""
    command = ""

    def shown(match: re.Match[str]) -> str:
        nonlocal command
        if match[1]:
            command = match[1]
            return match[0]
        return f"<!-- output -->\n```text\n{output_of(command)}```"

    return OUTPUT.sub(shown, path.read_text(encoding="utf-8"))


def output_of(command: str) -> str:
    """Return what a `relcli …` line prints, at 100 columns and without colour."""
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}
    words = [sys.executable, "-m", *shlex.split(command.partition(" | ")[0])]
    done = subprocess.run(words, cwd=DOCS.parent, env=environment, capture_output=True, text=True, check=True)
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()) + "\n"


PAGES = {"measures.md": measures_page, "commands.md": commands_page}
PAGES |= {
    os.path.relpath(path, DOCS): functools.partial(page_with_outputs, path)
    for path in (DOCS.parent / "README.md", *sorted(DOCS.glob("*.md")))
    if "<!-- output -->" in path.read_text(encoding="utf-8") and path.name not in PAGES
}


def expected_report() -> str:
    """Return the report of the README's comparison, without what differs from machine to machine."""
    from relcli.api import compare
    from relcli.reports.report import to_document

    samples = Path("sample_embeddings")
    with contextlib.chdir(DOCS.parent):
        report = compare(
            samples / "digits_ae_s0.npy", samples / "digits_ae_s1.parquet", anchors=samples / "anchors.txt", workers=1
        )
    document = to_document(report)
    document.pop("versions")
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


PAGES["../sample_embeddings/expected.json"] = expected_report


def main() -> int:
    """Rewrite the pages, or with --check say which are stale."""
    stale = 0
    for name, page in PAGES.items():
        path, text = DOCS / name, page()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if "--check" in sys.argv[1:]:
            print(f"docs/{name} is stale: run python docs/generate.py", file=sys.stderr)
            stale = 1
        else:
            path.write_text(text, encoding="utf-8", newline="")
            print(f"docs/{name} written")
    return stale


if __name__ == "__main__":
    sys.exit(main())
