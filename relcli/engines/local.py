"""Threads of this machine, each with an accumulator of its own, merged at the end."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from relcli.arrays import one_blas_thread
from relcli.engines.engine import A, Batched, Progress, R, T
from relcli.spaces.space import Space

#: Numbers of float64 that the vectors of one batch may take, projections included.
_BATCH_NUMBERS = 2**22
_BATCH_ROWS = (256, 16384)

#: The same for a batch of rows to be written: small enough to stay in the caches.
_STREAM_NUMBERS = 2**22


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

    def reduce(self, source: Batched, empty: A, progress: Progress | None = None) -> A:
        """Return `empty` made full with all rows or pairs; worker w takes batches w, w + W, w + 2W …"""
        workers = max(1, self.workers or available_cores())
        size = self.batch_rows or _batch_rows(source, workers)
        starts = range(0, len(source), size)
        workers = max(1, min(workers, len(starts)))
        stop = threading.Event()

        def work(worker: int) -> A:
            mine = empty.fresh()
            for start in starts[worker::workers]:
                if stop.is_set():
                    break
                batch = source.batch(slice(start, start + size))
                mine.update(batch)
                if progress:
                    progress(len(batch))
            return mine

        with one_blas_thread(), ThreadPoolExecutor(workers) as pool:
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

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Return what `work` makes of each item, in order, by the workers."""
        with one_blas_thread(), ThreadPoolExecutor(max(1, self.workers or available_cores())) as pool:
            return list(pool.map(work, items))

    def stream(self, space: Space, progress: Progress | None = None) -> Iterator[NDArray[Any]]:
        """
        Yield the rows of a space in order, a batch at a time, computed by the workers as they are asked for.

        Keeps two batches a worker.
        """
        size = self.batch_rows or max(_BATCH_ROWS[0], _STREAM_NUMBERS // (space.vectors.shape[1] + space.dim))
        workers = max(1, self.workers or available_cores())
        pending: deque[Future[NDArray[Any]]] = deque()
        with one_blas_thread(), ThreadPoolExecutor(workers) as pool:
            try:
                for start in range(0, len(space), size):
                    pending.append(pool.submit(space.compute, slice(start, start + size)))
                    if len(pending) == 2 * workers:
                        yield _told(pending.popleft().result(), progress)
                while pending:
                    yield _told(pending.popleft().result(), progress)
            finally:
                for future in pending:
                    future.cancel()


def _told(batch: NDArray[Any], progress: Progress | None) -> NDArray[Any]:
    if progress:
        progress(len(batch))
    return batch


def _batch_rows(source: Batched, workers: int) -> int:
    smallest, largest = _BATCH_ROWS
    fitting = max(smallest, min(largest, _BATCH_NUMBERS // max(source.width, 1)))
    # equal turns for all workers: nobody has a last batch to itself
    turns = -(-len(source) // (fitting * workers))
    return max(1, -(-len(source) // (turns * workers)))
