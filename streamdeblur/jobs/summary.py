"""Summaries of jobs: what was done to a file, with its warnings, which are logged as well."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from streamdeblur.faces.chosen import missing_faces
from streamdeblur.statistics import RestorationStatistics, shown_sizes
from streamdeblur.video.source import shown_input

if TYPE_CHECKING:
    from streamdeblur.deblurrer import FaceDeblurrer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class JobSummary:
    """What was done to a file."""

    input: str
    output: str
    faces: int
    """Faces detected, one per face and frame."""
    restored: int
    skipped_sharp: int
    """Faces of which too little gain was expected, mostly sharp ones: left as they were."""
    failed: int
    """Faces for which the network returned NaN: left unrestored."""
    network: str
    """Its name, or that of its file without the suffix."""
    engine: str
    detector: str
    not_chosen: int = 0
    """Faces that the setting `only` leaves as they are."""
    expected_gain: float | None = None
    """Mean gain in dB of PSNR that was expected of a face, restored or not; None without any."""
    restored_by_size: dict[int, int] = field(default_factory=dict)
    """Restored faces by the side of their crops in pixels."""
    warnings: list[str] = field(default_factory=list)

    @property
    def faces_in_words(self) -> str:
        """How many faces were restored, and why the others were not."""
        found = "1 face" if self.faces == 1 else f"{self.faces} faces"
        share = f" ({self.restored / self.faces:.0%})" if self.faces else ""
        return ", ".join([f"{found}, {self.restored} restored{share}{shown_sizes(self.restored_by_size)}", *self.left_in_words])

    @property
    def left_in_words(self) -> list[str]:
        """How many faces were left as they were, for each reason that there was."""
        reasons = {
            "too little to gain": self.skipped_sharp, "not chosen": self.not_chosen, "the network failed": self.failed
        }  # fmt: skip
        return [f"{count} left: {reason}" for reason, count in reasons.items() if count]

    @classmethod
    def of(cls, source: str | Path, target: str | Path, deblurrer: FaceDeblurrer, warnings: list[str], **figures: Any) -> Self:
        """Summarise what a deblurrer did since it was reset, and log the warnings with the name of the file.

        Args:
            source: The input.
            target: The output.
            deblurrer: What restored the faces.
            warnings: What a user should know about the file.
            figures: The other fields of the summary.
        """
        counts = deblurrer.statistics
        missing = missing_faces(deblurrer.options.only, counts)
        warnings = [*warnings, *failed_faces(counts), *missing, *deblurrer.unused_settings()]
        log_warnings(Path(shown_input(source)).name, warnings)
        summary = cls(
            input=str(source),
            output=str(target),
            network=deblurrer.network.path.stem,
            engine=deblurrer.engine.name,
            detector=deblurrer.detector.name,
            warnings=warnings,
            **counted(counts),
            **figures,
        )
        logger.debug("%s", replace(summary, input=shown_input(source)))
        return summary


def counted(counts: RestorationStatistics) -> dict[str, Any]:
    """Return the fields of a summary that counts tell."""
    return {
        "faces": counts.faces,
        "restored": counts.restored,
        "skipped_sharp": counts.skipped_sharp,
        "not_chosen": counts.not_chosen,
        "failed": counts.failed,
        "expected_gain": counts.expected_gain,
        "restored_by_size": dict(counts.restored_by_size),
    }


def failed_faces(counts: RestorationStatistics) -> list[str]:
    """Return a warning if the network failed for faces."""
    noun = "face" if counts.failed == 1 else "faces"
    return [f"{counts.failed} {noun} left unrestored: the network returned NaN"] if counts.failed else []


def log_warnings(name: str, warnings: list[str]) -> None:
    """Log the warnings of a job, each with the name of its file."""
    for warning in warnings:
        logger.warning("%s: %s", name, warning)
