"""RestorationStatistics: the counts of a deblurrer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


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
    passed_through: int = 0
    """Faces for which there was no time before the deadline."""
    judged: int = 0
    """Faces whose gain was estimated."""
    gain_sum: float = 0.0
    """Sum of these estimates in dB."""
    restored_by_size: dict[int, int] = field(default_factory=dict)
    """Restored faces by the side of their crops in pixels."""

    def __add__(self, other: RestorationStatistics) -> RestorationStatistics:
        """Return the counts of both together."""
        before, after = dict(vars(self)), dict(vars(other))
        sizes = Counter(before.pop("restored_by_size")) + Counter(after.pop("restored_by_size"))
        return RestorationStatistics(
            **{name: count + after[name] for name, count in before.items()}, restored_by_size=dict(sizes)
        )

    @property
    def expected_gain(self) -> float | None:
        """Mean gain in dB of PSNR that was expected of a face; None without any."""
        return round(self.gain_sum / self.judged, 2) if self.judged else None

    def add_gain(self, gain: float) -> None:
        """Count a face of which this gain in dB is expected."""
        self.judged += 1
        self.gain_sum += gain

    def add_restored(self, size: int) -> None:
        """Count a restored face, whose crop has `size` px."""
        self.restored += 1
        self.restored_by_size[size] = self.restored_by_size.get(size, 0) + 1


def shown_sizes(restored_by_size: Mapping[int, int]) -> str:
    """Return what a line of text adds to the number of restored faces: that of each size, if there is any but 256 px."""
    from streamdeblur.faces.window import CROP_SIZE

    if set(restored_by_size) <= {CROP_SIZE}:
        return ""
    return f" ({', '.join(f'{count} at {size} px' for size, count in sorted(restored_by_size.items()))})"
