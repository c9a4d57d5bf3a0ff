"""What is left when a run is killed, interrupted, or nobody reads: whole files or none, and no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "sample_embeddings"
COMPARE = ["compare", str(SAMPLES / "digits_ae_s0.npy"), str(SAMPLES / "digits_ae_s1.parquet"), "-m", "cosine"]
COMPARE += ["-a", str(SAMPLES / "anchors.txt")]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and closed pipes are POSIX's")


def started(*arguments: str, before: str = "", **options) -> subprocess.Popen[str]:
    """Start relcli in a process of its own, after running some Python in it."""
    program = f"import sys\n{before}\nfrom relcli.__main__ import main\nmain()"
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    return subprocess.Popen([sys.executable, "-c", program, *arguments], text=True, env=environment, **options)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out or "", err or ""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Have the report of an earlier run."""
    path = tmp_path / "report.json"
    path.write_text("old")
    return path


KILL = "import os, signal\ndef die(*_): os.kill(os.getpid(), signal.SIGKILL)\n"


@pytest.mark.parametrize("moment", ["os.fsync = die", "os.replace = die"])
def test_a_run_killed_while_writing_leaves_the_old_file(moment, old, tmp_path):
    code, out, _ = ended(started(*COMPARE, "-o", str(old), before=KILL + moment))

    assert code == -signal.SIGKILL
    assert out == ""
    assert old.read_text() == "old"
    assert all(path.name.startswith(".") for path in tmp_path.iterdir() if path != old)


def test_a_run_killed_while_writing_leaves_no_file_where_none_was(tmp_path):
    code, _, _ = ended(started(*COMPARE, "-o", str(tmp_path / "report.json"), before=KILL + "os.fsync = die"))

    assert code == -signal.SIGKILL
    assert not (tmp_path / "report.json").exists()


def test_a_full_disk_leaves_the_old_file_and_no_temporary_one(old, tmp_path):
    full = "import os, errno\ndef full(*_): raise OSError(errno.ENOSPC, 'No space left on device')\nos.fsync = full"
    code, out, err = ended(started(*COMPARE, "-o", str(old), before=full))

    assert (code, out) == (2, "")
    assert err == f"relcli: {old} cannot be written: No space left on device.\n"
    assert list(tmp_path.iterdir()) == [old]
    assert old.read_text() == "old"


def test_an_interrupt_ends_with_130_and_no_file(tmp_path):
    # the engine says that it works, then waits in it to be interrupted
    wait = (
        "import time, relcli.accumulators.probe as probe\n"
        "def update(self, batch):\n    sys.stderr.write('working\\n')\n    time.sleep(0.5)\n"
        "probe.Census.update = update"
    )
    process = started(*COMPARE, "-o", str(tmp_path / "report.json"), before=wait)
    assert process.stderr is not None
    assert process.stderr.readline() == "working\n"
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    code, out, err = ended(process)

    assert code == 130
    assert out == ""
    assert "relcli: interrupted." in err.splitlines()
    assert "Traceback" not in err
    assert time.monotonic() - begun < 10
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [COMPARE, [*COMPARE, "--json"], ["--help"], ["compare", "--help"], ["schema"]])
def test_a_reader_that_has_gone_is_no_fault(arguments):
    read, write = os.pipe()
    os.close(read)
    process = started(*arguments, stdout=write)
    os.close(write)
    code, _, err = ended(process)

    assert (code, err) == (0, "")


def test_a_reader_of_one_line_gets_it():
    process = started(*COMPARE, "--json")
    assert process.stdout is not None
    first = process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read() if process.stderr else ""

    assert first == "{\n"
    assert process.wait(60) == 0
    assert err == ""


def test_a_closed_stdout_still_gives_the_file(tmp_path):
    path = tmp_path / "report.json"
    closing = {"preexec_fn": lambda: os.close(1), "stdout": None}
    code, _, err = ended(started(*COMPARE, "-o", str(path), **closing))

    assert (code, err) == (0, "")
    assert path.read_text().startswith("{")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("arguments", [COMPARE, ["schema"]])
def test_a_full_disk_behind_stdout_is_told(arguments):
    with open("/dev/full", "w") as full:
        code, _, err = ended(started(*arguments, stdout=full))

    assert code == 2
    assert err.count("\n") == 1
    assert "No space left on device" in err
