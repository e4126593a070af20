"""Budget: which faces are restored where there is no time for all."""

from __future__ import annotations

import time
from collections.abc import Sequence

FIRST_GUESS = 0.015
"""Seconds per face before any was measured."""
RISE, FALL = 0.5, 0.05
"""How fast the expected time follows a slower and a faster measurement: being late is worse than leaving a face out."""
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
        order = range(len(urgencies))
        if deadline is not None:
            room = int(max(0.0, deadline - time.monotonic()) / self.seconds_per_face)
            if room < len(urgencies):
                weights = [
                    urgency * (FAITHFUL if identity in self._chosen else 1.0)
                    for urgency, identity in zip(urgencies, identities, strict=True)
                ]
                order = sorted(sorted(order, key=lambda n: -weights[n])[:room])  # type: ignore[assignment]
        self._chosen = {identity for n in order if (identity := identities[n]) is not None}
        return list(order)

    def learn(self, faces: int, seconds: float) -> None:
        """Take in how long some faces took together."""
        difference = seconds / faces - self.seconds_per_face
        self.seconds_per_face += (RISE if difference > 0 else FALL) * difference
