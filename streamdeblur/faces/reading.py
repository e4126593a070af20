"""How the crops of a frame are read: into the memory of the host, or by an engine into that of its device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.blur import face_blur
from streamdeblur.faces.gain import GainEstimator
from streamdeblur.faces.memory import RememberedCrop
from streamdeblur.faces.neighbours import HalfLuma
from streamdeblur.faces.window import FaceWindow, crop
from streamdeblur.video.planes import Planes


class ReadCrop(Protocol):
    """A crop that was read from a frame, wherever it is."""

    @property
    def size(self) -> int:
        """Its side in pixels."""

    def pixels(self) -> NDArray[np.uint8]:
        """Return it in the memory of the host, uint8 RGB [S, S, 3].

        Raises:
            EngineError: It was on a device that has failed, or is closed.
        """

    def gain(self, estimator: GainEstimator) -> float:
        """Return the gain in dB that is expected of its restoration."""

    def blur(self) -> float:
        """Return the blur of its face, 0 (sharp) to 1 (smooth)."""

    def remembered(self, frame: int) -> RememberedCrop:
        """Return what the memory of its track keeps of it, as a crop of the frame of this number."""

    def same(self, other: ReadCrop) -> bool:
        """Return whether the two are known to be equal to the bit."""


class FrameCrops(Protocol):
    """The crops of one frame, which is not changed while they are read."""

    def read(self, window: FaceWindow, size: int) -> ReadCrop:
        """Read the crop of `window`, of `size` pixels.

        Raises:
            EngineError: The device that reads it failed.
        """


class CropReader(Protocol):
    """Reads the crops of frames, one frame at a time."""

    def begin(self, planes: Planes, windows: Sequence[FaceWindow], remembered: Sequence[Sequence[HalfLuma]] = ()) -> FrameCrops:
        """Return the crops of a frame.

        Args:
            planes: The frame.
            windows: Those whose crops will be asked for.
            remembered: The half lumas with which each of them will be compared.
        """


@dataclass(frozen=True, eq=False)
class HostCrop:
    """A crop in the memory of the host."""

    read: NDArray[np.uint8] = field(repr=False)
    """uint8 RGB [S, S, 3]."""
    side: float
    """Side of its window, in pixels of the frame."""

    @property
    def size(self) -> int:
        return int(self.read.shape[0])

    def pixels(self) -> NDArray[np.uint8]:
        return self.read

    def gain(self, estimator: GainEstimator) -> float:
        return estimator(self.read, self.side)

    def blur(self) -> float:
        return face_blur(self.read, self.side)

    def remembered(self, frame: int) -> RememberedCrop:
        return RememberedCrop.of(frame, self.side, self.read)

    def same(self, other: ReadCrop) -> bool:
        return isinstance(other, HostCrop) and np.array_equal(self.read, other.read)


@dataclass(frozen=True, eq=False)
class _HostCrops:
    planes: Planes

    def read(self, window: FaceWindow, size: int) -> HostCrop:
        return HostCrop(crop(self.planes, window, size), window.side)


class HostReader:
    """Reads each crop when it is asked for."""

    def begin(self, planes: Planes, windows: Sequence[FaceWindow], remembered: Sequence[Sequence[HalfLuma]] = ()) -> FrameCrops:
        return _HostCrops(planes)


HOST = HostReader()
