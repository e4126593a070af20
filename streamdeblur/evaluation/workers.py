"""Worker processes of an evaluation: they restore faces by slow methods, and measure restored faces."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from streamdeblur.evaluation.cases import Case, Image, Method
from streamdeblur.evaluation.evaluator import Evaluator, EvaluatorSettings, Measurement
from streamdeblur.worker_processes import open_pool

_evaluator: Evaluator
"""The evaluator of this process, if it is a worker."""


@contextmanager
def worker_pool(count: int, settings: EvaluatorSettings) -> Iterator[Executor | None]:
    """Start a pool of processes with an evaluator each; None for a count of 1, where the calling process does everything."""
    if count == 1:
        yield None
        return
    pool = open_pool(count, _open_evaluator, settings)
    try:
        yield pool
    finally:
        # after an error or an interrupt, nobody waits for what was not begun
        pool.shutdown(cancel_futures=True)


def _open_evaluator(settings: EvaluatorSettings) -> None:
    global _evaluator
    _evaluator = Evaluator(settings)


def restore_one(method: Method, case: Case) -> Image:
    """Restore one face in a worker."""
    return method.restore([case])[0]


def measure_in_worker(case: Case, restored: Image) -> Measurement:
    """Measure a restored face with the worker's evaluator."""
    return _evaluator(case, restored)
