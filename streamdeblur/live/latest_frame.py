"""A slot between two threads that holds the latest item only."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class LatestFrameSlot(Generic[Item]):
    """Hands items from one thread to another without a queue: a new item replaces one that has not been taken.

    Attributes:
        dropped: Number of items that were replaced.
    """

    def __init__(self, *, blocking: bool = False) -> None:
        """Create an empty slot.

        Args:
            blocking: Make `put` wait until the slot is free, so that no item is dropped.
        """
        self.dropped = 0
        self._blocking = blocking
        self._item: Item | None = None
        self._closed = False
        self._changed = threading.Condition()

    def __repr__(self) -> str:
        return f"LatestFrameSlot(full={self.full}, dropped={self.dropped}, blocking={self._blocking})"

    def put(self, item: Item) -> bool:
        """Store an item; returns False if the slot is closed."""
        with self._changed:
            while self._blocking and self._item is not None and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            self.dropped += self._item is not None
            self._item = item
            self._changed.notify_all()
            return True

    def take(self, timeout: float | None = None) -> Item | None:
        """Remove and return the latest item.

        Args:
            timeout: Seconds to wait for an item; None waits without limit.

        Returns:
            The item, or None after the timeout or if the slot is closed and empty.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._closed, timeout)
            item, self._item = self._item, None
            self._changed.notify_all()
            return item

    @property
    def full(self) -> bool:
        """Whether an item has not been taken yet."""
        with self._changed:
            return self._item is not None

    @property
    def ended(self) -> bool:
        """Whether the slot is closed and its last item has been taken."""
        with self._changed:
            return self._closed and self._item is None

    def close(self) -> None:
        """Refuse further items; an item that is in the slot can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
