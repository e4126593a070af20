"""Budget: which faces are restored where there is no time for all."""

from __future__ import annotations

import time
from collections.abc import Sequence

FIRST_GUESS = 0.015
"""Seconds per face before any was measured."""
RISE, FALL = 0.3, 0.1
"""How fast the expected time follows a slower and a faster measurement: being late is worse than leaving a face out."""
HOPE = 0.98
"""Where no face seems to fit, the expected time shrinks by this in each frame, so that one is tried again after a while."""
FAITHFUL = 1.5
"""A face that was restored in the last frame counts as this much more urgent, so that faces do not take turns and flicker."""


class Budget:
    """Expects what a face costs, and chooses the faces that fit."""

    def __init__(self) -> None:
        self.seconds_per_face = FIRST_GUESS
        self._chosen: set[int] = set()

    def choose(self, urgencies: Sequence[float], identities: Sequence[int | None], deadline: float | None) -> list[int]:
        """Indices of the faces to restore, in their order: all, or by `deadline` (`time.monotonic`) the most urgent that fit.

        urgencies: one number for each face; identities: its track, None where it has none.
        """
        chosen = list(range(len(urgencies)))
        if deadline is not None and chosen:
            room = int(max(0.0, deadline - time.monotonic()) / self.seconds_per_face)
            if room == 0:
                self.seconds_per_face *= HOPE
            if room < len(chosen):
                weights = [
                    urgency * (FAITHFUL if identity in self._chosen else 1.0)
                    for urgency, identity in zip(urgencies, identities, strict=True)
                ]
                chosen = sorted(sorted(chosen, key=lambda n: -weights[n])[:room])
        self._chosen = {identity for n in chosen if (identity := identities[n]) is not None}
        return chosen

    def learn(self, ready: int, asked: int, seconds: float) -> None:
        """Take in that of `asked` faces so many were ready after `seconds`."""
        # (where one was not, its time is not known, only that it is longer)
        taken = seconds / ready if ready == asked else max(1.5 * self.seconds_per_face, seconds / max(1, ready))
        difference = taken - self.seconds_per_face
        self.seconds_per_face += (RISE if difference > 0 else FALL) * difference
