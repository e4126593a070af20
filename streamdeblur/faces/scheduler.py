"""FaceScheduler: which faces are restored where there is no time for all of them."""

from __future__ import annotations

import time
from collections.abc import Sequence

FIRST_ESTIMATE = 0.015
"""Seconds per face, of a crop of 256 px, before any was measured."""
RISE, FALL = 0.3, 0.1
"""Gain with which the estimate follows a slower and a faster measurement: to be late is worse than to leave a face out."""
RETRY_DECAY = 0.98
"""Where no face seems to fit, the estimate shrinks by this factor in each frame, so that one is tried again after a while."""
RESTORED_BONUS = 1.5
"""A face that was restored in the last frame has a priority higher by this factor, so that faces do not alternate and flicker."""


class FaceScheduler:
    """Estimates how long a face takes, and selects the faces that fit before a deadline."""

    def __init__(self) -> None:
        self.seconds_per_face = FIRST_ESTIMATE
        self._selected: set[int] = set()

    def __repr__(self) -> str:
        return f"FaceScheduler(seconds_per_face={self.seconds_per_face:.4f})"

    def select(
        self,
        priorities: Sequence[float],
        track_ids: Sequence[int | None],
        deadline: float | None,
        costs: Sequence[float] | None = None,
    ) -> list[int]:
        """Select the faces to restore.

        Args:
            priorities: One number per face; larger ones come first.
            track_ids: Track of each face, None where it has none.
            deadline: Time (`time.monotonic`) by which the faces must be restored; None selects all.
            costs: Time that each face takes, in units of `seconds_per_face`; 1 by default.

        Returns:
            Indices of the faces that fit, in their order.
        """
        selected = list(range(len(priorities)))
        if deadline is not None and selected:
            costs = costs or [1.0] * len(selected)
            capacity = max(0.0, deadline - time.monotonic()) / self.seconds_per_face
            if capacity < sum(costs):
                weighted = [
                    priority * (RESTORED_BONUS if track_id in self._selected else 1.0)
                    for priority, track_id in zip(priorities, track_ids, strict=True)
                ]
                selected = _fitting(sorted(selected, key=lambda n: -weighted[n]), costs, capacity)
            if not selected:
                self.seconds_per_face *= RETRY_DECAY
        self._selected = {track_id for n in selected if (track_id := track_ids[n]) is not None}
        return selected

    def update(self, ready: float, submitted: float, seconds: float) -> None:
        """Update the estimate: of faces that cost `submitted` in all, those that cost `ready` were restored after `seconds`."""
        # Where a face was not ready, only a lower bound of its time is known.
        measured = seconds / ready if ready == submitted else max(1.5 * self.seconds_per_face, seconds / max(1, ready))
        difference = measured - self.seconds_per_face
        self.seconds_per_face += (RISE if difference > 0 else FALL) * difference


def _fitting(order: Sequence[int], costs: Sequence[float], capacity: float) -> list[int]:
    """The faces, taken in an order, that fit into a capacity: their indices, rising."""
    taken = []
    for n in order:
        if costs[n] <= capacity:
            taken.append(n)
            capacity -= costs[n]
    return sorted(taken)
