"""RestorationStatistics: the counts of a deblurrer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass
class RestorationStatistics:
    """Counts of a deblurrer since it was opened or reset."""

    frames: int = 0
    faces: int = 0
    """Faces detected, one per face and frame."""
    restored: int = 0
    skipped_sharp: int = 0
    """Faces of which too little gain was expected, mostly sharp ones: left as they were."""
    failed: int = 0
    """Faces for which the network returned NaN: passed through unrestored."""
    not_chosen: int = 0
    """Faces that the setting `only` leaves as they are."""
    faces_by_track: dict[int, int] = field(default_factory=dict)
    """Faces by the number of their track, where the setting `only` names tracks."""
    passed_through: int = 0
    """Faces for which there was no time before the deadline."""
    judged: int = 0
    """Faces whose gain was estimated."""
    gain_sum: float = 0.0
    """Sum of these estimates in dB."""
    restored_by_size: dict[int, int] = field(default_factory=dict)
    """Restored faces by the side of their crops in pixels."""
    blur_before: dict[int, int] = field(default_factory=dict)
    """Number of measured faces by their blur in percent before they were restored. Jobs on files measure some of the faces."""
    blur_after: dict[int, int] = field(default_factory=dict)
    """The same afterwards."""

    def __add__(self, other: RestorationStatistics) -> RestorationStatistics:
        """Return the counts of both together."""
        before, after = dict(vars(self)), dict(vars(other))
        return RestorationStatistics(**{name: _sum(count, after[name]) for name, count in before.items()})

    @property
    def expected_gain(self) -> float | None:
        """Mean gain in dB of PSNR that was expected of a face; None without any."""
        return round(self.gain_sum / self.judged, 2) if self.judged else None

    @property
    def median_blur(self) -> tuple[float, float] | None:
        """Median blur of the measured faces before they were restored and afterwards, 0 (sharp) to 1; None without any."""
        if not self.blur_before:
            return None
        before, after = (median(Counter(counts).elements()) / 100 for counts in (self.blur_before, self.blur_after))
        return before, after

    def add_blur(self, before: float, after: float) -> None:
        """Count the blur of a face, 0 (sharp) to 1, before it was restored and afterwards."""
        for counts, blur in ((self.blur_before, before), (self.blur_after, after)):
            percent = round(100 * blur)
            counts[percent] = counts.get(percent, 0) + 1

    def add_track(self, track: int | None) -> None:
        """Count a face of a track; one without a number is not counted."""
        if track is not None:
            self.faces_by_track[track] = self.faces_by_track.get(track, 0) + 1

    def add_gain(self, gain: float) -> None:
        """Count a face of which this gain in dB is expected."""
        self.judged += 1
        self.gain_sum += gain

    def add_restored(self, size: int) -> None:
        """Count a restored face, whose crop has `size` px."""
        self.restored += 1
        self.restored_by_size[size] = self.restored_by_size.get(size, 0) + 1


def _sum(one: Any, other: Any) -> Any:
    """The sum of two counts, or of two tables of counts."""
    return dict(Counter(one) + Counter(other)) if isinstance(one, dict) else one + other


def shown_sizes(restored_by_size: Mapping[int, int]) -> str:
    """Return what a line of text adds to the number of restored faces: that of each size, if there is any but 256 px."""
    from streamdeblur.faces.window import CROP_SIZE

    if set(restored_by_size) <= {CROP_SIZE}:
        return ""
    return f" ({', '.join(f'{count} at {size} px' for size, count in sorted(restored_by_size.items()))})"
