"""Warnings of jobs."""

from __future__ import annotations

import logging
from collections.abc import Iterable

logger = logging.getLogger(__name__)


def log_warnings(name: str, warnings: Iterable[str]) -> None:
    """Log the warnings of a job, each with the name of its file."""
    for warning in warnings:
        logger.warning("%s: %s", name, warning)


def unrestored(count: int) -> str:
    """Return the warning about faces for which the network returned NaN."""
    return f"{count} {'face' if count == 1 else 'faces'} left unrestored: the network returned NaN"
