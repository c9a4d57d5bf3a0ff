"""The house keeps its floors: who imports what, where heavy libraries come in, and what `--help` loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: From the ground up. A module imports from its own folder and from the rows before its own.
FLOORS = (
    ("errors", "_version"),
    ("arrays", "files", "settings"),
    ("kernels",),
    ("spaces", "reports"),
    ("accumulators", "formats"),
    ("measures", "engines"),
    ("evaluation",),
    ("tasks",),
    ("api",),
    ("cli",),
    ("__main__",),
)

#: Where the floors alone would allow more: a folder, and all it may import besides itself.
ONLY = {
    "reports": ("errors", "files"),
    "kernels": ("errors", "arrays"),
    "measures": ("errors", "arrays", "spaces", "accumulators"),
}

#: The modules of spaces/: each imports only from those before it.
STAIR = (
    "id_columns",
    "space",
    "shared_ids",
    "pairing",
    "gallery",
    "anchors",
    "similarity",
    "relative",
    "translation",
    "heads",
)

#: Libraries that are imported inside functions, and the only files or folders that may.
HEAVY = {
    "torch": ("arrays.py",),
    "sklearn": ("tasks/stitch.py", "spaces/anchors.py", "evaluation/planes.py"),
    "pyarrow": ("formats/",),
    "safetensors": ("formats/",),
    "matplotlib": ("reports/plots.py",),
    "dask": ("engines/dask.py",),
    "distributed": ("engines/dask.py",),
    "faiss": ("spaces/index.py",),
    "numba": ("kernels/compiled.py",),
    "scipy": ("measures/", "spaces/"),
}

#: Libraries that draw on a terminal, and the only files or folders that may.
TERMINAL = {
    "typer": ("cli/", "__main__.py"),
    "rich": ("cli/", "reports/", "__main__.py"),
}

#: Where numpy is not imported with the module, so that `relcli --help` answers without it.
WITHOUT_NUMPY = (
    *("__init__.py", "__main__.py", "_version.py", "errors.py", "files.py", "settings.py"),
    *("reports/", "cli/"),
)

#: The files of cli/ that hold what commands share; every other one is a command.
SHARED_BY_COMMANDS = (
    "__init__.py", "app.py", "gate.py", "groups.py", "inputs.py", "output.py", "pictures.py", "studies.py",
)  # fmt: skip
COMMAND_LINES = 80


@dataclass(frozen=True)
class Import:
    """One import: where it stands, what it names, and when it runs: "module", "function", "types"."""

    file: str
    line: int
    module: str
    target: str
    when: str

    def fault(self, reason: str) -> str:
        """Return the file, the line, the import, and why it may not stand there."""
        return f"relcli/{self.file}:{self.line} imports {self.target}: {reason}"

    @property
    def library(self) -> str:
        """The top-level package that is imported."""
        return self.target.partition(".")[0]

    @property
    def within(self) -> bool:
        """Whether relcli imports from itself."""
        return self.library == "relcli"

    @property
    def stands(self) -> bool:
        """Whether a floor tells where this stands: relcli/__init__.py is the roof, over them all."""
        return self.file != "__init__.py"


def modules_of(root: Path) -> dict[str, Path]:
    """Return the file of every module under root/relcli, by dotted name."""
    files = sorted((root / "relcli").rglob("*.py"))
    return {dotted(file.relative_to(root)): file for file in files}


def dotted(file: Path) -> str:
    """Return the name that imports a file; a package is named for its folder."""
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(root: Path) -> list[Import]:
    """Return every import in relcli, one for each module that it names."""
    modules = modules_of(root)
    return [
        Import(file.relative_to(root / "relcli").as_posix(), line, module, target, when)
        for module, file in modules.items()
        for node, when in import_nodes(ast.parse(file.read_text(encoding="utf-8")))
        for line, target in targets(node, module, file, set(modules))
    ]


def import_nodes(node: ast.AST, when: str = "module") -> Iterator[tuple[ast.AST, str]]:
    """Yield the nodes that import, and when they run."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Call):
        yield node, when
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and when == "module":
        when = "function"
    if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
        for child in node.body:
            yield from import_nodes(child, "types")
        for child in node.orelse:
            yield from import_nodes(child, when)
        return
    for child in ast.iter_child_nodes(node):
        yield from import_nodes(child, when)


def targets(node: ast.AST, module: str, file: Path, modules: set[str]) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of each module that a node imports."""
    if isinstance(node, ast.Import):
        yield from ((node.lineno, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
            above = package[: len(package) - node.level + 1]
            base = ".".join([*above, *([base] if base else [])])
        for alias in node.names:
            submodule = f"{base}.{alias.name}"
            yield node.lineno, submodule if submodule in modules else base
    elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in (
        "import_module",
        "__import__",
    ):
        for argument in node.args[:1]:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield node.lineno, argument.value


def folder(module: str) -> str:
    """Return the folder or file right under relcli/ that a module is in; "" for any other module."""
    library, _, rest = module.partition(".")
    return rest.partition(".")[0] if library == "relcli" else ""


def floor(module: str) -> int | None:
    """Return the row of FLOORS that a module stands in."""
    return next((row for row, names in enumerate(FLOORS) if folder(module) in names), None)


def is_below(lower: str, upper: str) -> bool:
    """Return whether a module stands on a lower floor than another."""
    rows = floor(lower), floor(upper)
    return rows[0] is not None and rows[1] is not None and rows[0] < rows[1]


def is_in(file: str, places: tuple[str, ...]) -> bool:
    """Return whether a file is one of the places, or in a folder that is."""
    return any(file == place or (place.endswith("/") and file.startswith(place)) for place in places)


def homeless(root: Path) -> list[str]:
    """Return the modules that no floor names."""
    return [
        f"{file.relative_to(root).as_posix()} has no floor: put it in a folder, or add it to FLOORS"
        for module, file in modules_of(root).items()
        if module != "relcli" and floor(module) is None
    ]


def own_init(imports: list[Import]) -> list[str]:
    """Return the imports of relcli/__init__.py, which is for users and loads the whole house."""
    return [
        i.fault("relcli's own __init__ is for its users; import the module that defines the name")
        for i in imports
        if i.target == "relcli"
    ]


def upward(imports: list[Import]) -> list[str]:
    """Return the imports from another room of the same floor, from a higher one, or from nowhere known."""
    leaving = [i for i in imports if i.within and i.stands and folder(i.target) not in ("", folder(i.module))]
    return [
        i.fault(f"{folder(i.target)} does not stand below {folder(i.module)}")
        for i in leaving
        if not is_below(i.target, i.module)
    ]


def beyond_only(imports: list[Import]) -> list[str]:
    """Return the imports that go down, but to a floor the folder has no business on."""
    return [
        i.fault(f"{folder(i.module)} imports only {', '.join(ONLY[folder(i.module)])} and itself")
        for i in imports
        if i.within and folder(i.module) in ONLY and folder(i.target) not in (folder(i.module), *ONLY[folder(i.module)])
    ]


def concrete_accumulators(imports: list[Import]) -> list[str]:
    """Return the engines' imports of anything in accumulators/ but the contract."""
    return [
        i.fault("an engine reduces any accumulator and knows only accumulators.accumulator")
        for i in imports
        if folder(i.module) == "engines"
        and folder(i.target) == "accumulators"
        and i.target != "relcli.accumulators.accumulator"
    ]


def tasks_leaving_their_room(imports: list[Import]) -> list[str]:
    """Return the tasks' imports of one another, and of the formats other than for a type."""
    return [
        i.fault("tasks are independent of each other" if folder(i.target) == "tasks" else "tasks open no files")
        for i in imports
        if folder(i.module) == "tasks"
        and i.within
        and (folder(i.target) == "tasks" or (folder(i.target) == "formats" and i.when != "types"))
    ]


def off_the_stair(imports: list[Import]) -> list[str]:
    """Return the imports between modules of spaces/ that go up the stair, or leave it."""
    step = {f"relcli.spaces.{name}": height for height, name in enumerate(STAIR)}
    return [
        i.fault(f"spaces/ is a stair, each imports only those before it: {' -> '.join(STAIR)}")
        for i in imports
        if folder(i.module) == folder(i.target) == "spaces" and step.get(i.target, len(step)) >= step.get(i.module, -1)
    ]


def misplaced_libraries(imports: list[Import]) -> list[str]:
    """Return the imports of heavy and terminal libraries in files that may not."""
    allowed = HEAVY | TERMINAL
    return [
        i.fault(f"{i.library} comes in only through {', '.join(allowed[i.library])}")
        for i in imports
        if i.library in allowed and i.when != "types" and not is_in(i.file, allowed[i.library])
    ]


def eager_libraries(imports: list[Import]) -> list[str]:
    """Return the imports of heavy libraries that run with the module, and numpy's where they may not."""
    return [
        i.fault(f"import {i.library} inside the function that needs it")
        for i in imports
        if i.when == "module" and (i.library in HEAVY or (i.library == "numpy" and is_in(i.file, WITHOUT_NUMPY)))
    ]


def circles(imports: list[Import]) -> list[str]:
    """Return each circle of modules once, from the first of its names back to it."""
    below: dict[str, set[str]] = {}
    for i in imports:
        if i.within and i.stands and i.target != "relcli":
            below.setdefault(i.module, set()).add(i.target)

    found: set[tuple[str, ...]] = set()
    finished: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        if module in path:
            circle = path[path.index(module) :]
            start = circle.index(min(circle))
            found.add((*circle[start:], *circle[:start], circle[start]))
        elif module not in finished:
            for target in sorted(below.get(module, ())):
                walk(target, (*path, module))
            finished.add(module)

    for module in sorted(below):
        walk(module, ())
    return [" -> ".join(circle) for circle in sorted(found)]


def long_commands(root: Path) -> list[str]:
    """Return the commands that have outgrown their file."""
    lines = {
        file: len(file.read_text(encoding="utf-8").splitlines())
        for file in sorted((root / "relcli" / "cli").glob("*.py"))
        if file.name not in SHARED_BY_COMMANDS
    }
    return [
        f"relcli/cli/{file.name} has {count} lines, not under {COMMAND_LINES}: its work belongs in tasks/"
        for file, count in lines.items()
        if count >= COMMAND_LINES
    ]


RULES = (
    own_init,
    upward,
    beyond_only,
    concrete_accumulators,
    tasks_leaving_their_room,
    off_the_stair,
    misplaced_libraries,
    eager_libraries,
    circles,
)


def report(faults: list[str]) -> str:
    return "\n" + "\n".join(faults)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_the_rule(rule):
    faults = rule(imports_of(ROOT))

    assert not faults, report(faults)


def test_every_module_stands_on_a_floor():
    faults = homeless(ROOT)

    assert not faults, report(faults)


def test_every_command_fits_its_file():
    faults = long_commands(ROOT)

    assert not faults, report(faults)


BREACHES = [
    (own_init, "tasks/compare.py", "import relcli"),
    (own_init, "tasks/compare.py", "from relcli import compare"),
    (own_init, "tasks/compare.py", "from .. import compare"),
    (upward, "spaces/space.py", "from relcli.tasks.compare import compare"),
    (upward, "spaces/space.py", "def f():\n    from relcli.tasks.compare import compare"),
    (upward, "spaces/space.py", "from ..reports import report"),
    (upward, "spaces/space.py", "import importlib\nimportlib.import_module('relcli.measures')"),
    (upward, "accumulators/moments.py", "from relcli.measures.cka import linear_cka"),
    (upward, "accumulators/moments.py", "from relcli.engines import local"),
    (upward, "accumulators/moments.py", "from relcli.nowhere import name"),
    (upward, "errors.py", "import relcli.files"),
    (beyond_only, "measures/cka.py", "from relcli.formats.format import open_space"),
    (beyond_only, "measures/cka.py", "from relcli.reports.report import Report"),
    (beyond_only, "reports/report.py", "import relcli.arrays"),
    (concrete_accumulators, "engines/local.py", "from relcli.accumulators.moments import CrossMoments"),
    (concrete_accumulators, "engines/local.py", "from relcli.accumulators import CrossMoments"),
    (tasks_leaving_their_room, "tasks/compare.py", "from relcli.tasks import stitch"),
    (tasks_leaving_their_room, "tasks/compare.py", "from . import stitch"),
    (tasks_leaving_their_room, "tasks/compare.py", "from relcli.formats.format import open_space"),
    (off_the_stair, "spaces/pairing.py", "from relcli.spaces.anchors import Anchors"),
    (off_the_stair, "spaces/space.py", "from relcli.spaces.elsewhere import name"),
    (misplaced_libraries, "measures/cka.py", "def f():\n    import torch"),
    (misplaced_libraries, "spaces/relative.py", "def f():\n    from sklearn.linear_model import Ridge"),
    (misplaced_libraries, "tasks/inspect.py", "from rich.console import Console"),
    (misplaced_libraries, "tasks/inspect.py", "import typer"),
    (misplaced_libraries, "accumulators/ranks.py", "def f():\n    import scipy.stats"),
    (eager_libraries, "arrays.py", "import torch"),
    (
        eager_libraries,
        "formats/parquet.py",
        "try:\n    import pyarrow.parquet as pq\nexcept ImportError:\n    pq = None",
    ),
    (eager_libraries, "measures/cka.py", "class A:\n    import scipy.linalg"),
    (eager_libraries, "cli/compare.py", "import numpy as np"),
    (eager_libraries, "__init__.py", "import numpy as np"),
    (circles, "measures/cka.py", "from relcli.measures import cka"),
]


@pytest.mark.parametrize(("rule", "file", "source"), BREACHES)
def test_a_rule_sees_its_breach(rule, file, source, tmp_path):
    build(tmp_path, {file: source})

    faults = rule(imports_of(tmp_path))

    assert len(faults) == 1, report(faults)


KEPT = [
    ("files.py", "from relcli.errors import OutputError"),
    ("spaces/anchors.py", "import numpy as np\ndef f():\n    import sklearn.cluster"),
    ("spaces/relative.py", "from relcli.spaces.anchors import Anchors\nfrom .space import Space"),
    ("measures/cka.py", "from relcli.accumulators.moments import CrossMoments"),
    ("engines/local.py", "from relcli.accumulators.accumulator import Accumulator"),
    (
        "tasks/compare.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from relcli.formats import format",
    ),
    ("reports/html.py", "from relcli.reports import report\ndef f():\n    import numpy as np"),
    ("cli/compare.py", "import typer\nfrom relcli.tasks import compare"),
    ("__init__.py", "def __getattr__(name):\n    from relcli.tasks import compare\n    return compare"),
]


@pytest.mark.parametrize(("file", "source"), KEPT)
def test_no_rule_minds_what_is_allowed(file, source, tmp_path):
    build(tmp_path, {file: source})

    faults = [fault for rule in RULES for fault in rule(imports_of(tmp_path))]

    assert not faults, report(faults)


def test_a_breach_is_named_by_file_line_and_import(tmp_path):
    build(tmp_path, {"spaces/space.py": "import math\n\nfrom relcli.cli.app import app"})

    faults = upward(imports_of(tmp_path))

    assert faults == ["relcli/spaces/space.py:3 imports relcli.cli.app: cli does not stand below spaces"]


def test_a_circle_is_found_once_however_it_is_entered(tmp_path):
    build(
        tmp_path,
        {
            "measures/a.py": "import relcli.measures.b",
            "measures/b.py": "def f():\n    import relcli.measures.c",
            "measures/c.py": "from relcli.measures import a",
            "measures/d.py": "from relcli.measures import c",
        },
    )

    faults = circles(imports_of(tmp_path))

    assert faults == ["relcli.measures.a -> relcli.measures.b -> relcli.measures.c -> relcli.measures.a"]


def test_a_module_without_a_floor_is_named(tmp_path):
    build(tmp_path, {"utils.py": ""})

    faults = homeless(tmp_path)

    assert len(faults) == 1
    assert "relcli/utils.py" in faults[0]


def test_a_command_of_80_lines_is_too_long(tmp_path):
    build(
        tmp_path,
        {"cli/compare.py": "pass\n" * 80, "cli/stitch.py": "pass\n" * 79, "cli/app.py": "pass\n" * 80},
    )

    faults = long_commands(tmp_path)

    assert len(faults) == 1
    assert "relcli/cli/compare.py has 80 lines" in faults[0]


BARE = (
    *("__init__.py", "files.py", "errors.py", "cli/app.py"),
    *("spaces/space.py", "spaces/anchors.py", "reports/report.py", "formats/format.py"),
    *("accumulators/accumulator.py", "accumulators/moments.py", "measures/cka.py", "engines/local.py"),
    *("tasks/compare.py", "tasks/stitch.py"),
)


def build(root: Path, sources: dict[str, str]) -> None:
    """Write a house of empty modules, and in it the given sources."""
    for name in (*BARE, *sources):
        path = root / "relcli" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(sources.get(name, ""), encoding="utf-8")


#: Runs a statement, and prints each heavy library the first time it is looked for, with relcli's lines
#: that asked for it. The lookup is watched, not sys.modules, to name the import that is to blame.
WATCH = """
import sys, traceback

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in {heavy}:
            stack = [f"{{f.filename}}:{{f.lineno}}" for f in traceback.extract_stack()]
            print(f"loads {{name}} through", *(line for line in stack if "relcli" in line), file=sys.stderr)

sys.meta_path.insert(0, Watch())
{statement}
"""

HELP = "import runpy; sys.argv = ['relcli', '--help']; runpy.run_module('relcli', run_name='__main__')"


@pytest.mark.parametrize(
    ("statement", "file"), [("import relcli", "__init__.py"), (HELP, "__main__.py")], ids=["import", "help"]
)
def test_no_heavy_library_is_loaded_before_it_is_needed(statement, file):
    if not (ROOT / "relcli" / file).exists():
        pytest.skip(f"there is no relcli/{file}")
    script = WATCH.format(heavy=repr({"numpy", *HEAVY}), statement=statement)

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    loaded = [line for line in done.stderr.splitlines() if line.startswith("loads ")]

    assert done.returncode == 0, done.stderr
    assert not loaded, report(loaded)
