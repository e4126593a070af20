"""DataSet: the faces of an evaluation, as pictures and as clips, each read when it is needed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError
from streamdeblur.evaluation.cases import Comparison, Image, Points
from streamdeblur.training.blur.averaging import FrameSequence

logger = logging.getLogger(__name__)

MAX_NAMED = 10
"""Unusable files that a warning names; the others are counted."""


@dataclass(frozen=True, eq=False)
class EvaluationFace:
    """The crop of one face."""

    crop: Image
    """uint8 RGB [256, 256, 3], a window of 1.7 times the face."""
    landmarks: Points | None = None
    """Annotated by hand, float64 [68, 2] in pixels of the crop; None if not annotated."""

    def __repr__(self) -> str:
        annotated = "" if self.landmarks is None else ", annotated"
        return f"EvaluationFace({self.crop.shape[1]} x {self.crop.shape[0]} px{annotated})"


@dataclass(frozen=True, eq=False)
class ClipFrames:
    """The frames of a clip: a face that moves in a window that does not."""

    frames: NDArray[np.uint8]
    """uint8 RGB [T, S, S, 3]."""
    boxes: NDArray[np.float32]
    """float32 [T, 4]: face boxes x0, y0, x1, y1 in pixels of the frames, as the detector defines them."""
    landmarks: NDArray[np.float32] | None = None
    """float32 [T, K, 2] in pixels of the frames: 68 points annotated by hand, or 5 of the detector."""

    def __repr__(self) -> str:
        count, height, width = self.frames.shape[:3]
        return f"ClipFrames({count} frames, {width} x {height} px)"


@dataclass(frozen=True, eq=False)
class EvaluationStill:
    """A face in a picture, not read yet."""

    name: str
    """Unique in its data set, of letters, digits and ``._-/``."""
    open: Callable[[], EvaluationFace] = field(repr=False)
    """Reads it; raises InputError if it cannot be read."""
    identity: str = ""
    """The person; '' if unknown."""
    reference: EvaluationStill | None = None
    """A sharp picture of the same person from another moment."""

    @property
    def group(self) -> str:
        """The items that it is not independent of: only itself."""
        return self.name


@dataclass(frozen=True, eq=False)
class EvaluationClip:
    """A face over time, not read yet."""

    name: str
    """Unique in its data set, of letters, digits and ``._-/``."""
    open: Callable[[], FrameSequence] = field(repr=False)
    """Reads its frames, a face box for each, and landmarks if there are any; raises InputError if they cannot be read."""
    identity: str = ""
    """The person; '' if unknown."""
    group: str = ""
    """The video that it is a part of."""
    reference: EvaluationStill | None = None
    """A sharp picture of the same person from another moment."""


@dataclass(frozen=True)
class DataSet:
    """Faces of one kind: stills or clips."""

    name: str
    """Name of its folder or file."""
    kind: str
    """Kind of data that it was recognised as, for display."""
    stills: Sequence[EvaluationStill] = ()
    clips: Sequence[EvaluationClip] = ()
    comparisons: Sequence[Comparison] = ()
    """Comparisons of a verification protocol, between groups."""

    def __str__(self) -> str:
        held = [f"{len(items)} {name}" for name in ("stills", "clips", "comparisons") if (items := getattr(self, name))]
        return f"{self.name} ({self.kind}): {', '.join(held)}"


def make_data_set(
    path: Path,
    kind: str,
    bad: Mapping[str, str],
    *,
    stills: Sequence[EvaluationStill] = (),
    clips: Sequence[EvaluationClip] = (),
    comparisons: Sequence[Comparison] = (),
) -> DataSet:
    """Make the data set of a path, and warn of its files that cannot be used.

    Args:
        path: The file or folder.
        kind: What it was recognised as.
        bad: By file: why it cannot be used.
        stills: Its pictures.
        clips: Its clips.
        comparisons: Its comparisons.

    Raises:
        InputError: There are no faces.
    """
    named = "; ".join(f"{file}: {problem.rstrip('.')}" for file, problem in sorted(bad.items())[:MAX_NAMED])
    more = f"; and {len(bad) - MAX_NAMED} more" if len(bad) > MAX_NAMED else ""
    if not stills and not clips:
        raise InputError(f"{path} holds no faces to evaluate on ({kind}){f': {named}{more}' if bad else ''}.")
    if bad:
        logger.warning("Some files of %s cannot be used and are left out: %s%s", path, named, more)
    return DataSet(path.resolve().name, kind, stills, clips, comparisons)
