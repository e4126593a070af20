"""Mailbox: a slot between two threads in which the newest item wins."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """One thread puts, one takes. What was not taken in time is replaced and counted, never queued."""

    def __init__(self, *, patient: bool = False) -> None:
        """`patient`: `put` waits until the slot is free, so nothing is dropped."""
        self.dropped = 0
        self._patient = patient
        self._item: Item | None = None
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: Item) -> bool:
        """Leave an item; False where the mailbox is closed."""
        with self._changed:
            while self._patient and self._item is not None and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            self.dropped += self._item is not None
            self._item = item
            self._changed.notify_all()
            return True

    def take(self, timeout: float | None = None) -> Item | None:
        """The newest item, or None: nothing came for so many seconds, or the mailbox is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._closed, timeout)
            item, self._item = self._item, None
            self._changed.notify_all()
            return item

    @property
    def full(self) -> bool:
        """Something waits to be taken."""
        with self._changed:
            return self._item is not None

    @property
    def ended(self) -> bool:
        """Closed, and what was in it was taken."""
        with self._changed:
            return self._closed and self._item is None

    def close(self) -> None:
        """Nothing more will come; what is in the slot can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
