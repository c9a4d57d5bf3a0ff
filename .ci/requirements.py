#!/usr/bin/env python3
"""
Print what relcli needs, a requirement a line, as pyproject.toml declares it: the only place that says so.

    python .ci/requirements.py test             # the core and what the tests need
    python .ci/requirements.py --lowest test    # the same, each at the lowest version that is declared

torch comes as builds, on Linux from most indexes as one for CUDA of several gigabytes. So it is never pinned to its
lowest version: what is named is the build at hand, which pip finds without an index (PIP_FIND_LINKS), or no torch.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[(?P<extras>[^\]]*)\])?(?P<versions>[^;@]*)$")


def declared(project: dict[str, Any], extras: Iterable[str]) -> dict[str, str]:
    """Return the versions of each package that the core and extras name, extras within extras included."""
    found: dict[str, str] = {}
    for name, versions in _named(project, extras, project["dependencies"]):
        if found.setdefault(name, versions) != versions:
            raise SystemExit(f"pyproject.toml names {name}{found[name]} and {name}{versions}: name one of them twice.")
    return found


def _named(project: dict[str, Any], extras: Iterable[str], core: Iterable[str]) -> Iterator[tuple[str, str]]:
    optional = project["optional-dependencies"]
    for requirement in [*core, *(each for extra in extras for each in optional[extra])]:
        parts = REQUIREMENT.match(requirement)
        if not parts:
            raise SystemExit(f"pyproject.toml: {requirement!r} is not NAME[EXTRAS]VERSIONS.")
        if parts["name"] == project["name"]:
            yield from _named(project, re.split(r"\s*,\s*", parts["extras"].strip()), ())
        else:
            yield parts["name"], parts["versions"].replace(" ", "")


def lowest(name: str, versions: str) -> str:
    """Return the lowest of versions such as ">=2.4,<2.14"."""
    floors = re.findall(r">=([0-9][0-9A-Za-z.]*)", versions)
    if len(floors) != 1:
        raise SystemExit(f"pyproject.toml: {name}{versions} has no lowest version. Name it as {name}>=VERSION.")
    return str(floors[0])


def build_at_hand(name: str, versions: str) -> str | None:
    """Return the version that this Python gets without a download of gigabytes, None where there is none."""
    if sys.platform != "linux":  # what the index offers there is for the CPU
        return versions
    offline = ["--no-index", "--no-deps", "--ignore-installed", "--dry-run", "--quiet", "--report", "-"]
    command = [sys.executable, "-m", "pip", "install", *offline, f"{name}{versions}"]
    found = subprocess.run(command, capture_output=True, text=True)
    return f"=={json.loads(found.stdout)['install'][0]['metadata']['version']}" if found.returncode == 0 else None


def main() -> None:
    """Print the requirements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("extras", nargs="*", help="extras of pyproject.toml")
    parser.add_argument("--lowest", action="store_true", help="each at the lowest version that is declared")
    parser.add_argument("--into", type=Path, help="a file to write them to as well")
    options = parser.parse_args()
    with PYPROJECT.open("rb") as file:
        project = tomllib.load(file)["project"]
    found: dict[str, str | None] = {}
    for name, versions in declared(project, options.extras).items():
        if name == "torch":
            found[name] = build_at_hand(name, versions)
        else:
            found[name] = f"=={lowest(name, versions)}" if options.lowest else versions
    text = "".join(f"{name}{versions}\n" for name, versions in found.items() if versions)
    if options.into:
        options.into.write_text(text, encoding="utf-8")
    print(text, end="")
    if found.get("torch", "") is None:
        print(f"no build of torch is at hand for Python {sys.version.split()[0]}: goes without", file=sys.stderr)


if __name__ == "__main__":
    main()
