"""Relay: one engine works while a better one is made ready, and takes over again should that one fail."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from streamdeblur.engines.engine import Crops, Engine, Restored, Ticket
from streamdeblur.errors import EngineError

logger = logging.getLogger(__name__)


class Relay:
    """An engine that is two: `first`, and the one that `open_better` returns, from the moment that it is there."""

    def __init__(self, first: Engine, better_name: str, open_better: Callable[[threading.Event], Engine]) -> None:
        """open_better: called on a thread of its own; gives up where the event that it is given is set. May raise anything."""
        self._first = first
        self._better: Engine | None = None
        self._better_name = better_name
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._state = f"{better_name} is being made ready"
        self._opener = threading.Thread(target=self._open, args=[open_better], name="relay", daemon=True)
        self._opener.start()

    def _open(self, open_better: Callable[[threading.Event], Engine]) -> None:
        try:
            better = open_better(self._cancelled)
        except Exception as error:
            # a driver that is missing shows as whatever its runtime raises; the first engine goes on
            if not self._cancelled.is_set():
                self._state = f"{self._better_name} cannot be used: {error}"
                logger.warning("%s; %s goes on.", self._state, self._first.name)
            return
        with self._lock:
            if not self._cancelled.is_set():
                self._better, self._state = better, ""
                return
        _close_quietly(better)

    @property
    def current(self) -> Engine:
        """The engine that the next crops go to."""
        with self._lock:
            return self._better or self._first

    @property
    def first(self) -> Engine:
        """The engine that always works."""
        return self._first

    @property
    def name(self) -> str:
        return self.current.name

    @property
    def reason(self) -> str:
        return f"{self.current.reason}; {self._state}" if self._state else self.current.reason

    def infer(self, crops: Crops) -> Crops:
        return self.submit(crops).result().crops

    def submit(self, crops: Crops) -> Ticket:
        engine = self.current
        if engine is self._first:
            return engine.submit(crops)
        try:
            return _RelayTicket(self, engine, crops, engine.submit(crops))
        except EngineError as error:
            self.give_up(engine, error)
            return self._first.submit(crops)

    def give_up(self, engine: Engine, error: Exception) -> None:
        """Do without the better engine, which failed; it is closed."""
        with self._lock:
            if engine is not self._better:
                return
            self._better, self._state = None, f"{self._better_name} failed: {error}"
        logger.warning("%s; %s goes on.", self._state, self._first.name)
        # what it has in flight fails, too, and comes back here; closing it waits for that
        threading.Thread(target=_close_quietly, args=[engine], daemon=True).start()

    def close(self) -> None:
        """Free both engines, and stop making the better one ready."""
        with self._lock:
            self._cancelled.set()
            better, self._better = self._better, None
        if better is not None:
            better.close()
        self._first.close()
        self._opener.join()


class _RelayTicket:
    """Crops that are with the better engine; the first one restores them should it fail."""

    def __init__(self, relay: Relay, engine: Engine, crops: Crops, ticket: Ticket) -> None:
        self._relay, self._engine, self._crops, self._ticket = relay, engine, crops, ticket

    def result(self, deadline: float | None = None) -> Restored:
        try:
            return self._ticket.result(deadline)
        except EngineError as error:
            self._relay.give_up(self._engine, error)
            return self._relay.first.submit(self._crops).result(deadline)


def _close_quietly(engine: Engine) -> None:
    try:
        engine.close()
    except Exception as error:
        # the device is broken already; there is nobody left to tell
        logger.debug("Closing %s: %s", engine.name, error)
