"""Intervals over queries fall to the normal law where they are many, and steady products have one memory layout."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from relcli.evaluation.scoring import Intervals
from relcli.evaluation.steadily import Steadily
from relcli.measures.measure import PerQuery

VALUES = np.random.default_rng(0).random(400)


def test_many_queries_have_the_interval_of_the_normal_law():
    interval = Intervals(0, bootstrapped=399).of(PerQuery(VALUES))
    half = statistics.NormalDist().inv_cdf(0.975) * statistics.stdev(VALUES.tolist()) / math.sqrt(400)
    mean = statistics.fmean(VALUES.tolist())

    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((mean - half, mean + half), rel=1e-6)
    assert interval.method.startswith("normal law")


def test_as_many_queries_as_are_allowed_are_bootstrapped():
    limited, free = Intervals(0, bootstrapped=400).of(PerQuery(VALUES)), Intervals(0).of(PerQuery(VALUES))

    assert limited == free
    assert free is not None
    assert free.method.startswith("bootstrap")


def test_shares_and_medians_keep_their_own_intervals_however_many():
    intervals = Intervals(0, bootstrapped=10)
    rate = intervals.of(PerQuery((VALUES > 0.5).astype(float), rate=True))
    median = intervals.of(PerQuery(VALUES, median=True))

    assert rate is not None
    assert median is not None
    assert rate.method.startswith("Wilson")
    assert median.method.startswith("order statistics")


def test_a_steady_map_sees_one_layout_of_memory_whatever_it_is_given():
    rows = np.random.default_rng(1).standard_normal((600, 37))
    seen = []

    def sums(block):
        seen.append((block.shape, block.flags.c_contiguous))
        return block.sum(axis=1, keepdims=True)

    by_column, by_row = Steadily(sums)(np.asfortranarray(rows)), Steadily(sums)(rows)

    assert by_column.tobytes() == by_row.tobytes()
    assert set(seen) == {((256, 37), True)}
