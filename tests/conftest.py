"""What all tests share: one BLAS thread a process, examples that are the same on every run, torch where it is."""

import os
from typing import Any

# pytest-xdist already has a process a core: threads on top of them only wait for one another
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

settings.register_profile("relcli", derandomize=True, deadline=None)
settings.load_profile("relcli")


@pytest.fixture(scope="session")
def torch() -> Any:
    """Return torch, or skip the test: relcli runs without it, and not every Python has a build of a bearable size."""
    return pytest.importorskip("torch", reason="no build of torch is at hand for this Python")
