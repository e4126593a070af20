"""Work on the items of a long iterable in threads, of which a few are held at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_FLIGHT = 3
"""Items per thread that are being worked on, wait for it, or wait to be taken."""


def bounded_map(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield the result for each item, in their order.

    Unlike `Executor.map`, which reads all items at once, this holds no more than `IN_FLIGHT` items or results per thread.

    Args:
        work: Called in a thread for each item.
        items: Read by the caller's thread, as results are taken.
        threads: Number of threads.
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque[Future[Result]]()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= IN_FLIGHT * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
