"""Whether the face of a track is restored, frame by frame, by the gain to be expected."""

from __future__ import annotations

FADE_FRAMES = 4
"""A face fades in and out of restoration over this many frames, so that no step is seen."""
HELD_FRAMES = 12
"""Frames with too little to gain after which the restoration of a face ends. A face under camera shake is sharp in some frames
and blurred in the next ones; it is restored in all of them, since a sharp face comes out nearly as it was."""
FOLLOWED = 0.25
"""Share of the difference by which the gain of a track follows that of its last crop, where that is smaller."""


class GainHysteresis:
    """Decides for one track, frame by frame, whether its face is restored; fades in and out between the two.

    A rise of the gain counts at once, a fall only when it lasts: a face that alternates between sharp and blurred is worse than
    one that is left alone.
    """

    def __init__(self) -> None:
        self.gain: float | None = None
        """Gain to be expected in dB: of the last crop where that is more than before, else between the two; None before the
        first crop."""
        self._below = 0
        self._restored = False
        self._weight = 0.0

    def update(self, gain: float, threshold: float) -> float:
        """Take the gain that is expected of the next frame; return the weight of the restoration, 0 (left as it is) to 1.

        The weight changes by at most 1 / FADE_FRAMES from frame to frame, but for the first one.

        Args:
            gain: In dB.
            threshold: Gain in dB above which a face is restored.
        """
        first = self.gain is None
        self.gain = gain if self.gain is None else max(gain, self.gain + FOLLOWED * (gain - self.gain))
        if self.gain > threshold:
            self._restored, self._below = True, 0
        elif self._restored:
            self._below += 1
            self._restored = self._below < HELD_FRAMES
        if first:
            self._weight = float(self._restored)
        step = 1.0 / FADE_FRAMES
        self._weight = min(1.0, self._weight + step) if self._restored else max(0.0, self._weight - step)
        return self._weight
