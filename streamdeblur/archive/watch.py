"""Watch: files that arrive in folders, each when it has been written to its end."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from streamdeblur.archive.inputs import jobs_of
from streamdeblur.errors import InputError
from streamdeblur.jobs import batch

logger = logging.getLogger(__name__)

POLL_SECONDS = 2.0
"""Time between two looks at the folders: file systems of a network tell nobody what others write."""


class Watch:
    """Looks for files whose size and time of change stay the same."""

    def __init__(self, inputs: Sequence[Path], out: Path, *, keep_tree: bool, settle: float, idle: float | None) -> None:
        """
        Args:
            inputs: Files and folders.
            out: The output folder.
            keep_tree: As for `jobs_of`.
            settle: Seconds for which a file has not changed when it is taken.
            idle: Seconds without a new file after which the watch ends; None for no end.
        """
        self._find: Callable[[], list[batch.Job]] = lambda: jobs_of(inputs, out, keep_tree=keep_tree, leave_out=self._leave_out)
        self._settle, self._idle = settle, idle
        self._seen: dict[Path, tuple[tuple[int, int], float]] = {}
        self._taken: dict[Path, tuple[int, int]] = {}
        self._told: set[str] = set()
        self._looked = float("-inf")
        self._last = time.monotonic()

    def new(self) -> list[batch.Job]:
        """Return the files that have been written to their end since the last look."""
        now = time.monotonic()
        if now - self._looked < min(POLL_SECONDS, self._settle):
            return []
        self._looked = now
        jobs = self._jobs()
        there = {job.source for job in jobs}
        self._seen = {path: seen for path, seen in self._seen.items() if path in there}
        ready = [job for job in jobs if self._is_settled(job.source, now)]
        if ready or self._is_growing(now):
            self._last = now
        return ready

    def _jobs(self) -> list[batch.Job]:
        try:
            return self._find()
        except InputError:
            # there are none yet, or any more
            return []

    def later(self, job: batch.Job) -> None:
        """Return a file again at the next look: an earlier version of it is still being restored."""
        self._taken.pop(job.source, None)

    def _leave_out(self, text: str) -> None:
        """Say once what cannot be taken, and go on with the rest."""
        if text not in self._told:
            self._told.add(text)
            logger.error(text)

    @property
    def is_over(self) -> bool:
        """Whether nothing has come for long enough."""
        return self._idle is not None and time.monotonic() - self._last >= self._idle

    def _is_growing(self, now: float) -> bool:
        """Whether a file is being written; one that stays empty is not."""
        return any(
            self._taken.get(path) != version and (version[0] or now - since < self._settle)
            for path, (version, since) in self._seen.items()
        )

    def _is_settled(self, source: Path, now: float) -> bool:
        """Whether a file has not changed for long enough, and was not taken as it is."""
        try:
            status = os.stat(source)
        except OSError:
            self._seen.pop(source, None)
            return False
        version = status.st_size, status.st_mtime_ns
        if self._taken.get(source) == version:
            return False
        before, since = self._seen.get(source, (None, now))
        if before is None and time.time() - status.st_mtime >= self._settle:
            # it was there before this watch
            since = now - self._settle
        elif before != version:
            since = now
        self._seen[source] = version, since
        if not version[0] or now - since < self._settle:
            return False
        self._taken[source] = version
        return True
