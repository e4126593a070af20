"""LiveSummary: the statistics of a live stream."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamdeblur.live.adaptation import Adaptation


@dataclass
class LivePlan:
    """What is restored of a live stream in the time that it leaves."""

    network: str
    smallest_crop: int
    """Side in pixels of the smallest crop; smaller windows are enlarged to it."""
    largest_crop: int
    """Side in pixels of the largest crop; larger windows are reduced to it."""
    faces: int
    """Number of faces that are restored in a frame at most."""
    fps: float
    """Frames per second that are restored and shown."""
    face_ms: float
    """Milliseconds for a face, measured in this stream, or expected before the first second."""
    rest_ms: float
    """The same for everything else of a frame."""
    limit_ms: float
    """Milliseconds that a frame may take."""
    reason: str
    """The plan and what was measured, in a sentence; empty before the first second."""

    @classmethod
    def of(cls, adaptation: Adaptation) -> LivePlan:
        """Return the present plan."""
        plan = adaptation.plan
        return cls(
            plan.network,
            plan.smallest_crop,
            plan.largest_crop,
            plan.faces,
            round(adaptation.fps, 2),
            round(1000 * adaptation.face_seconds, 1),
            round(1000 * adaptation.costs.rest, 1),
            round(1000 * adaptation.limit, 1),
            adaptation.description if adaptation.decided else "",
        )


@dataclass
class LiveSummary:
    """Statistics of a live stream."""

    frames: int = 0
    """Frames written by the first sink."""
    fps: float = 0.0
    """Frames per second."""
    dropped: int = 0
    """Frames that were replaced by newer ones before they were restored or written."""
    passed_through: int = 0
    """Faces that were left unrestored for lack of time."""
    left_out: int = 0
    """Frames that were left out by the plan, so that the others could be restored."""
    restored: int = 0
    """Restored faces, one per face and frame."""
    restored_share: float | None = None
    """Share of the blurred faces that were restored, 0 to 1; None if there was none."""
    restored_by_size: dict[int, int] = field(default_factory=dict)
    """Restored faces by the side of their crops in pixels."""
    skipped_sharp: int = 0
    """Faces of which too little gain was expected, mostly sharp ones."""
    not_chosen: int = 0
    """Faces that the setting `only` leaves as they are."""
    expected_gain: float | None = None
    """Mean gain in dB of PSNR that was expected of a face, restored or not; None without any."""
    failed: int = 0
    """Faces that were left unrestored because the network returned NaN."""
    latency_ms: dict[str, float | None] = field(default_factory=dict)
    """Milliseconds from the capture of a frame until the first sink has written it: p50, p95, p99."""
    seconds: float = 0.0
    """Duration of the stream so far."""
    engine: str = ""
    """Names of the engine and the detector."""
    plan: LivePlan | None = None
    """What is restored in the time that there is; None where frames wait."""
    warnings: list[str] = field(default_factory=list)
    """What was logged as warnings, each once."""
    lost: list[str] = field(default_factory=list)
    """What happened to each sink that is lost now, or that could not be completed."""
