"""What a command writes, frozen in files: compared byte for byte, and rewritten by RELCLI_UPDATE_GOLDENS=1."""

from __future__ import annotations

import os
from pathlib import Path

GOLDENS = Path(__file__).parent / "goldens"


def frozen(name: str, text: str) -> str:
    """
    Return what the golden of this name holds, which a test compares with `text`.

    With RELCLI_UPDATE_GOLDENS=1 it is written first. A golden that is not there is an AssertionError.
    """
    golden = GOLDENS / name
    if os.environ.get("RELCLI_UPDATE_GOLDENS") == "1":
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text, encoding="utf-8", newline="")
    assert golden.is_file(), f"{name} is not frozen: run the tests with RELCLI_UPDATE_GOLDENS=1, then read the file"
    return golden.read_bytes().decode()
