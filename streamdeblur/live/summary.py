"""LiveSummary: the figures of a live stream."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class LiveSummary:
    """What a live stream did."""

    frames: int = 0
    """Frames shown."""
    fps: float = 0.0
    dropped: int = 0
    """Frames that were stale before they could be worked on or shown."""
    passed_through: int = 0
    """Blurred faces for which there was no time."""
    restored: int = 0
    skipped_sharp: int = 0
    failed: int = 0
    latency_ms: dict[str, float | None] = field(default_factory=dict)
    """Time from the capture of a frame until the first sink had it: p50, p95, p99."""
    seconds: float = 0.0
    engine: str = ""
