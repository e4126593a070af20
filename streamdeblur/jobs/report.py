"""Reports of jobs to the log."""

from __future__ import annotations

import logging
from collections.abc import Iterable

logger = logging.getLogger(__name__)


def log_warnings(name: str, warnings: Iterable[str]) -> None:
    """Log the warnings of a job, each with the name of its file."""
    for warning in warnings:
        logger.warning("%s: %s", name, warning)
