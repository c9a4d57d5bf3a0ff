"""What all tests share: one BLAS thread a process, and examples that are the same on every run."""

import os

# pytest-xdist already has a process a core: threads on top of them only wait for one another
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

from hypothesis import settings  # noqa: E402

settings.register_profile("relcli", derandomize=True, deadline=None)
settings.load_profile("relcli")
