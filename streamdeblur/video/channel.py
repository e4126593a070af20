"""Channel: a bounded queue between two stages of a pipeline that ends cleanly, whichever side stops first."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class ChannelAbortedError(Exception):
    """The other side stopped: this one has nothing more to do."""


class Channel(Generic[Item]):
    """One thread sends, one iterates. `close` ends the iteration, `abort` ends both sides at once."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._closed = self._aborted = False

    def send(self, item: Item) -> None:
        """Wait for room and append. Raises ChannelAbortedError where the channel was aborted."""
        with self._changed:
            while len(self._items) >= self._capacity and not self._aborted:
                self._changed.wait()
            if self._aborted:
                raise ChannelAbortedError
            self._items.append(item)
            self._changed.notify_all()

    def close(self) -> None:
        """No more items will be sent."""
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
