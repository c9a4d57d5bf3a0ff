"""Threads of this machine, each with an accumulator of its own, merged at the end."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from relcli.engines.engine import A, Progress
from relcli.spaces.pairing import PairedSpaces

#: Numbers of float64 that the vectors of one batch may take, projections included.
_BATCH_NUMBERS = 2**23
_BATCH_ROWS = (256, 16384)


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


@dataclass(frozen=True)
class LocalEngine:
    """
    `workers` threads (all cores by default), each with one BLAS thread, that take turns at the batches.

    One operation on one core for each of two workers beats one operation on two cores: nobody waits
    at a barrier. Keeps `workers` accumulators and as many batches.
    """

    workers: int | None = None
    batch_rows: int | None = None

    def reduce(self, pair: PairedSpaces, empty: A, progress: Progress | None = None) -> A:
        """Return `empty` made full with all pairs; worker w takes batches w, w + W, w + 2W …"""
        from threadpoolctl import threadpool_limits

        workers = max(1, self.workers or available_cores())
        size = self.batch_rows or _batch_rows(pair, workers)
        starts = range(0, len(pair), size)
        workers = max(1, min(workers, len(starts)))
        stop = threading.Event()

        def work(worker: int) -> A:
            mine = empty.fresh()
            for start in starts[worker::workers]:
                if stop.is_set():
                    break
                batch = pair.batch(slice(start, start + size))
                mine.update(batch)
                if progress:
                    progress(len(batch))
            return mine

        with threadpool_limits(limits=1), ThreadPoolExecutor(workers) as pool:
            futures = [pool.submit(work, worker) for worker in range(workers)]
            try:
                parts = [future.result() for future in futures]
            except BaseException:
                stop.set()
                raise
        whole = empty.fresh()
        for part in parts:
            whole.merge(part)
        return whole


def _batch_rows(pair: PairedSpaces, workers: int) -> int:
    smallest, largest = _BATCH_ROWS
    fitting = max(smallest, min(largest, _BATCH_NUMBERS // max(pair.x.dim + pair.y.dim, 1)))
    # equal turns for all workers: nobody has a last batch to itself
    turns = -(-len(pair) // (fitting * workers))
    return max(1, -(-len(pair) // (turns * workers)))
