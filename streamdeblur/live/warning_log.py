"""WarningLog: the warnings of a live stream, logged when they arise and kept for its summary."""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)

MOST_KEPT = 100
"""A stream may run for weeks on a cable that is loose."""


class WarningLog:
    """Logs warnings, and keeps the first ones, each once.

    Attributes:
        messages: The warnings so far.
    """

    def __init__(self) -> None:
        self.messages: list[str] = []

    def __repr__(self) -> str:
        return f"WarningLog({len(self.messages)} messages)"

    def add(self, message: str) -> None:
        """Log a warning and keep it."""
        logger.warning("%s", message)
        if message not in self.messages and len(self.messages) < MOST_KEPT:
            self.messages.append(message)
