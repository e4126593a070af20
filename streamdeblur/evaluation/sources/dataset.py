"""DataSet: faces to be evaluated on, as pictures and as clips, each read when it is asked for."""

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

log = logging.getLogger(__name__)

MOST_NAMED = 10
"""Bad files that are named in a warning; the others are counted."""


@dataclass(frozen=True, eq=False)
class Face:
    """The crop of one face."""

    crop: Image
    """uint8 RGB [256, 256, 3], a window of 1.7 times the face."""
    landmarks: Points | None = None
    """Marked by hand, float64 [68, 2] in pixels of the crop; None where nobody marked it."""


@dataclass(frozen=True, eq=False)
class Frames:
    """The frames of a clip: a face that moves in a window that stands still."""

    frames: NDArray[np.uint8] = field(repr=False)
    """uint8 RGB [T, S, S, 3]."""
    boxes: NDArray[np.float32] = field(repr=False)
    """float32 [T, 4]: face boxes x0, y0, x1, y1 in pixels of the frames, as the detector sees faces."""
    landmarks: NDArray[np.float32] | None = field(default=None, repr=False)
    """float32 [T, K, 2] in pixels of the frames: 68 points marked by hand, or 5 by the detector."""


@dataclass(frozen=True, eq=False)
class Still:
    """A face in a picture, not read yet."""

    name: str
    """Unique in its data set, of letters, digits and ``._-/``."""
    open: Callable[[], Face] = field(repr=False)
    """Reads it; raises InputError where that fails."""
    identity: str = ""
    """Who it shows; '' where that is not known."""
    reference: Still | None = None
    """A sharp picture of the same person from another moment."""

    @property
    def group(self) -> str:
        """What is not independent of it: itself alone."""
        return self.name


@dataclass(frozen=True, eq=False)
class Clip:
    """A face over time, not read yet."""

    name: str
    """Unique in its data set, of letters, digits and ``._-/``."""
    open: Callable[[], FrameSequence] = field(repr=False)
    """Reads it: frames, a face box for each, and landmarks where there are any; raises InputError where that fails."""
    identity: str = ""
    """Who it shows; '' where that is not known."""
    group: str = ""
    """The video that it is a part of."""
    reference: Still | None = None
    """A sharp picture of the same person from another moment."""


@dataclass(frozen=True)
class DataSet:
    """Faces of one kind: stills or clips."""

    name: str
    """Of its folder or file."""
    kind: str
    """What it was recognised as, for people."""
    stills: Sequence[Still] = ()
    clips: Sequence[Clip] = ()
    comparisons: Sequence[Comparison] = ()
    """Of a verification protocol: of groups, by their names. `streamdeblur.evaluation.protocols.comparisons_of` makes
    comparisons of cases of them."""

    def __str__(self) -> str:
        held = [f"{len(items)} {name}" for name in ("stills", "clips", "comparisons") if (items := getattr(self, name))]
        return f"{self.name} ({self.kind}): {', '.join(held)}"


def make_data_set(
    path: Path,
    kind: str,
    bad: Mapping[str, str],
    *,
    stills: Sequence[Still] = (),
    clips: Sequence[Clip] = (),
    comparisons: Sequence[Comparison] = (),
) -> DataSet:
    """The data set at a path, after a warning that lists what of it cannot be used (reason by file).

    Raises:
        InputError: it holds nothing.
    """
    named = "; ".join(f"{file}: {problem.rstrip('.')}" for file, problem in sorted(bad.items())[:MOST_NAMED])
    more = f"; and {len(bad) - MOST_NAMED} more" if len(bad) > MOST_NAMED else ""
    if not stills and not clips:
        raise InputError(f"{path} holds no faces to evaluate on ({kind}){f': {named}{more}' if bad else ''}.")
    if bad:
        log.warning("Warning: some files of %s cannot be used and are left out: %s%s", path, named, more)
    return DataSet(path.resolve().name, kind, stills, clips, comparisons)
