"""
Measures all rows, or some, and writes RESULTS.md and results.json after each: `python -m benchmarks.run`.

A row that fails leaves the others as they are; rows that were not asked for stay as they were measured before.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from benchmarks.machine import commit, missing, this_machine
from benchmarks.measuring import Failed, interleave
from benchmarks.results import HERE, entry, load, page, save
from benchmarks.rows.catalog import ROWS, find_rows
from benchmarks.rows.row import FAISS_BEST, Row
from benchmarks.workshop import Workshop


def _told(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def measure(row: Row, shop: Workshop, *, rounds: int | None, made: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of one row, measured now; contenders that are not installed or fail are named in it."""
    why = row.needs()
    if why:
        return entry(row, {}, figures={}, left_out={bar.ours: why for bar in row.bars}, made=made)
    contest = row.prepare(shop)
    left_out = dict(contest.absent)
    contenders = {}
    for name, contender in contest.contenders.items():
        absent = missing(contender.needs)
        if absent:
            left_out[name] = f"{', '.join(absent)} is not installed"
        else:
            contenders[name] = contender
    runs, failures = interleave(contenders, shop.folder, rounds=rounds or row.rounds, told=_told)
    try:
        figures = dict(contest.figures(runs))
    except (Failed, KeyError, ValueError, OSError) as failure:
        figures = {"not compared": str(failure)}
    tuned = {"best_settings": shop.best_in_words()} if FAISS_BEST in contenders else {}
    return entry(row, runs, figures=figures, left_out=left_out | failures, made=made | tuned)


def main() -> None:
    """Measure, and write after each row."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--only", nargs="+", default=[], metavar="NAME", help="rows whose names begin so")
    asked.add_argument("--list", action="store_true", help="name the rows, and measure nothing")
    asked.add_argument(
        "--quick", action="store_true", help="small sizes, one round: tells whether all runs, not how fast"
    )
    asked.add_argument("--rounds", type=int, help="rounds of each row, in place of its own number")
    asked.add_argument("--resume", action="store_true", help="leave out rows that this commit measured on this machine")
    asked.add_argument("--pages", action="store_true", help="write RESULTS.md from results.json, and measure nothing")
    asked.add_argument("--output", type=Path, metavar="DIR", help="where to write; with --quick only if named")
    given = asked.parse_args()
    try:
        rows = find_rows(given.only)
    except KeyError as word:
        asked.error(f"no row's name begins with {word}; there are {', '.join(ROWS)}")
    folder = given.output or (None if given.quick else HERE)
    found = load(folder) if folder else {}
    if given.list:
        print("\n".join(f"{row.name:24}{row.title}" for row in rows))
        return
    if given.pages:
        save(folder or HERE, found)
        return
    made: dict[str, Any] = {"machine": this_machine(), "commit": commit(), "quick": given.quick}
    if given.resume and not made["commit"].endswith("+"):
        rows = [row for row in rows if not made.items() <= found.get(row.name, {}).items()]
    rounds = given.rounds or (1 if given.quick else None)
    failed = []
    with tempfile.TemporaryDirectory() as place:
        shop = Workshop(Path(place), quick=given.quick, told=_told)
        for row in rows:
            _told(f"== {row.name}: {row.title}")
            made["day"] = f"{datetime.date.today():%Y-%m-%d}"
            try:
                found[row.name] = measure(row, shop, rounds=rounds, made=made)
            except Exception:
                # one row is not worth the others
                failed.append(row.name)
                traceback.print_exc()
                continue
            finally:
                shop.forget()
            if folder:
                save(folder, found)
    if not folder:
        print(page(found))
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
