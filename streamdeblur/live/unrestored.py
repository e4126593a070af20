"""UnrestoredFaces: whether a live stream leaves too many blurred faces as they are, for lack of time."""

from __future__ import annotations

from streamdeblur.statistics import RestorationStatistics

MOST_SHARE = 0.1
"""Share of the blurred faces that may pass unrestored without a warning."""
FEWEST_FACES = 20
"""Blurred faces that are counted before the share is judged."""
FIRST_SECONDS, LONGEST_SECONDS = 2.0, 60.0
"""Time that is counted before the share is judged; it doubles whenever the judgement changes, so that the user is told rarely."""


class UnrestoredFaces:
    """Judges the share of the blurred faces that passed unrestored in the last seconds.

    Attributes:
        share: The share when it was judged last, 0 to 1.
        too_many: Whether that was more than a tenth; after that, whether it has not fallen below half a tenth again.
    """

    def __init__(self, began: float) -> None:
        """Begin to count; `began` is the time (`time.monotonic`)."""
        self.share, self.too_many = 0.0, False
        self._since, self._seconds = began, FIRST_SECONDS
        self._counted = (0, 0)

    def __repr__(self) -> str:
        return f"UnrestoredFaces(share={self.share:.2f}, too_many={self.too_many})"

    def update(self, statistics: RestorationStatistics, now: float) -> bool:
        """Look at the counts of the stream so far.

        Args:
            statistics: The counts.
            now: The time (`time.monotonic`).

        Returns:
            Whether `too_many` has changed.
        """
        passed = statistics.passed_through - self._counted[0]
        faces = passed + statistics.restored - self._counted[1]
        if now - self._since < self._seconds or faces < FEWEST_FACES:
            return False
        self._since, self._counted = now, (statistics.passed_through, statistics.restored)
        self.share, before = passed / faces, self.too_many
        self.too_many = self.share > (MOST_SHARE / 2 if before else MOST_SHARE)
        if self.too_many == before:
            return False
        self._seconds = min(LONGEST_SECONDS, 2 * self._seconds)
        return True


def share_unrestored(statistics: RestorationStatistics) -> float:
    """Return the share of all blurred faces that passed unrestored for lack of time, 0 to 1."""
    return statistics.passed_through / max(1, statistics.passed_through + statistics.restored)


def restored_share(statistics: RestorationStatistics) -> float | None:
    """Return the share of all blurred faces that were restored, 0 to 1; None if there was none."""
    if not statistics.passed_through + statistics.restored:
        return None
    return round(1.0 - share_unrestored(statistics), 4)
