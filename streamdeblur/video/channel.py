"""Channel and Stages: the stages of a pipeline in their threads, which end together whichever of them stops first."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

Item = TypeVar("Item")


class ChannelAbortedError(Exception):
    """The other side stopped, so this one has nothing more to do."""


class Channel(Generic[Item]):
    """A bounded queue: one thread sends, one iterates. `close` ends the iteration, `abort` ends both sides at once."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._closed = self._aborted = False

    def send(self, item: Item) -> None:
        """Wait until there is room and append an item.

        Raises:
            ChannelAbortedError: The channel was aborted.
        """
        with self._changed:
            while len(self._items) >= self._capacity and not self._aborted:
                self._changed.wait()
            if self._aborted:
                raise ChannelAbortedError
            self._items.append(item)
            self._changed.notify_all()

    def send_all(self, items: Iterable[Item]) -> None:
        """Send every item and close the channel."""
        for item in items:
            self.send(item)
        self.close()

    def close(self) -> None:
        """End the iteration after what was sent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abort(self) -> None:
        """Drop what is waiting and end both sides."""
        with self._changed:
            self._aborted = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._changed:
                while not self._items and not self._closed and not self._aborted:
                    self._changed.wait()
                if self._aborted:
                    raise ChannelAbortedError
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item


class Stages:
    """Threads that are connected by channels. Use as a context manager around the stage of the calling thread.

    The first error of any stage aborts the channels, ends all stages, and is raised at the end of the ``with`` block.
    """

    def __init__(self, *channels: Channel[Any], stop: Callable[[], object] | None = None) -> None:
        """
        Args:
            channels: What connects the stages.
            stop: Called when they end early, for a stage that waits for something else than a channel.
        """
        self._channels, self._stop = channels, stop
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []

    def start(self, work: Callable[[], None]) -> None:
        """Run a stage in a thread of its own."""
        thread = threading.Thread(target=self._run, args=[work], daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except ChannelAbortedError:
            pass
        except BaseException as error:
            # Whatever ends a stage ends the others, and is raised in the thread that waits for them.
            self._failures.append(error)
            self._abort()

    def _abort(self) -> None:
        for channel in self._channels:
            channel.abort()
        if self._stop is not None:
            self._stop()

    def _join(self) -> None:
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        aborted = isinstance(error, ChannelAbortedError)
        if error is not None and not aborted:
            self._abort()
        try:
            self._join()
        except BaseException:
            # An interrupt while waiting: no thread may still use what the caller is about to close.
            self._abort()
            self._join()
            raise
        if self._failures and (error is None or aborted):
            raise self._failures[0]
        return aborted
