"""The special functions are scipy's, without its import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from relcli.measures.special import coin_quantile, harmonic, student_quantile

SAMPLES = Path(__file__).parent.parent / "sample_embeddings"


def test_harmonic_numbers_are_sums_of_reciprocals():
    sums = np.cumsum(1 / np.arange(1, 300, dtype=np.longdouble))
    n = np.array([0, 1, 2, 63, 64, 65, 10**4, 10**7, 2**40])

    assert harmonic(np.arange(300)) == pytest.approx([0, *map(float, sums)], rel=3e-16)
    assert harmonic(n) == pytest.approx(special.digamma(n + 1.0) + np.euler_gamma, rel=1e-15, abs=1e-15)
    assert harmonic(4).shape == ()


@pytest.mark.parametrize("count", [6, 7, 8, 9, 10, 51, 100, 999, 1000, 5437, 50_000, 1_000_001])
def test_a_quantile_of_coins_is_the_first_whose_chance_reaches_the_tail(count):
    for tail in (0.025, 0.05, 0.4):
        found = coin_quantile(tail, count)

        assert special.bdtr(found, count, 0.5) >= tail
        assert found == 0 or special.bdtr(found - 1, count, 0.5) < tail


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 10, 19, 200, 1001])
def test_a_quantile_of_student_is_that_of_scipy(degrees):
    for probability in (0.6, 0.95, 0.975, 0.999):
        # stdtrit itself is off by 1e-9 before scipy 1.12
        assert special.stdtr(degrees, student_quantile(probability, degrees)) == pytest.approx(probability, abs=1e-14)


def test_a_default_comparison_imports_neither_scipy_nor_other_commands():
    code = (
        "import sys; from relcli.cli.app import run; "
        f"run(['compare', '{SAMPLES}/digits_ae_s0.npy', '{SAMPLES}/digits_ae_s1.parquet', '--anchors', "
        f"'{SAMPLES}/anchors.txt', '-q']); "
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr.split()

    assert "relcli.tasks.compare" in loaded
    for name in (
        "scipy",
        "sklearn",
        "torch",
        "matplotlib",
        "pyarrow.compute",
        "relcli.tasks.stitch",
        "relcli.tasks.recommend",
    ):
        assert name not in loaded
