"""What CI installs follows from pyproject.toml alone: `.ci/requirements.py`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.scripts import script

ROOT = Path(__file__).parent.parent
requirements = script(".ci/requirements.py")

PROJECT = {
    "name": "relcli",
    "dependencies": ["numpy>=1.26", "torch >= 2.4, <2.14"],
    "optional-dependencies": {
        "plot": ["matplotlib>=3.8"],
        "test": ["relcli[plot, faiss]", "pytest>=8"],
        "faiss": ["faiss-cpu>=1.8"],
        "dev": ["relcli[test]", "numpy>=1.26"],
    },
}


def test_extras_within_extras_are_included_and_nothing_else():
    assert requirements.declared(PROJECT, []) == {"numpy": ">=1.26", "torch": ">=2.4,<2.14"}
    assert list(requirements.declared(PROJECT, ["dev"])) == ["numpy", "torch", "matplotlib", "faiss-cpu", "pytest"]


def test_a_package_that_is_declared_in_two_ways_is_refused():
    project = {**PROJECT, "optional-dependencies": {"test": ["numpy>=2"]}}

    with pytest.raises(SystemExit, match=r"names numpy>=1.26 and numpy>=2"):
        requirements.declared(project, ["test"])


@pytest.mark.parametrize("requirement", ["numpy>=2; python_version > '3.12'", "numpy @ file:///numpy.whl"])
def test_a_requirement_that_says_more_is_refused(requirement):
    with pytest.raises(SystemExit, match=r"is not NAME\[EXTRAS\]VERSIONS"):
        requirements.declared({**PROJECT, "dependencies": [requirement]}, [])


@pytest.mark.parametrize(("versions", "floor"), [(">=1.26", "1.26"), (">=2.4,<2.14", "2.4"), ("!=3.1,>=3", "3")])
def test_the_lowest_version_is_the_one_that_is_declared(versions, floor):
    assert requirements.lowest("package", versions) == floor


@pytest.mark.parametrize("versions", ["", "<3", "~=2.1", "==1.0", ">=1,>=2"])
def test_versions_without_one_lowest_are_refused(versions):
    with pytest.raises(SystemExit, match="has no lowest version"):
        requirements.lowest("package", versions)


def test_it_prints_and_writes_every_floor_of_pyproject_and_never_a_torch_from_an_index(tmp_path):
    command = [sys.executable, ".ci/requirements.py", "--lowest", "--into", tmp_path / "pins.txt", "dev"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    pins = dict(line.split("==") for line in found.splitlines() if not line.startswith("torch"))
    declared = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    assert (tmp_path / "pins.txt").read_text(encoding="utf-8") == found
    assert {"numpy", "typer", "pytest", "faiss-cpu", "matplotlib", "skops", "mypy"} <= set(pins)
    assert [name for name, version in pins.items() if f'"{name}>={version}"' not in declared] == []
    if sys.platform == "linux":
        assert "torch>" not in found


def test_no_build_of_torch_is_at_hand_where_pip_finds_none_without_an_index(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")

    assert requirements.build_at_hand("torch", ">=2.4,<2.14") is None
