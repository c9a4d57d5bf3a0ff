"""BLAS keeps to one thread where it is told to."""

from __future__ import annotations

import sys

from threadpoolctl import threadpool_info, threadpool_limits

from relcli import arrays
from relcli.arrays import one_blas_thread


def test_blas_keeps_to_one_thread_inside_and_gets_its_own_back():
    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    with threadpool_limits(limits=2):
        before = threads()
        with one_blas_thread():
            inside = threads()
        after = threads()

    assert before
    assert set(before) == {2}
    assert set(inside) == {1}
    assert after == before


def test_libraries_are_looked_for_again_once_more_modules_are_imported(monkeypatch):
    with one_blas_thread():
        first = dict(arrays._controllers)
    with one_blas_thread():
        assert arrays._controllers == first
    monkeypatch.setitem(sys.modules, "a_module_that_brings_a_blas", arrays)
    with one_blas_thread():
        assert arrays._controllers.keys().isdisjoint(first)
