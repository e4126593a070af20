"""The sharp faces to train on: stills, and the sharpest frames of clips."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError
from streamdeblur.faces.window import CROP_SIZE, WINDOW_SCALE, FaceWindow, crop
from streamdeblur.training.datasets.random_access import Clips, Stills, StoredClip, open_clips, open_stills
from streamdeblur.video.planes import array_planes

Image = NDArray[np.uint8]


class SharpFaces(Sequence[Image]):
    """``faces[i]``: the window of a sharp face, uint8 RGB [256, 256, 3]."""

    def __init__(self, stills: Sequence[Stills], clips: Sequence[Clips], least_sharpness: float, frames_per_clip: int) -> None:
        """
        Args:
            stills: Sharp faces.
            clips: Clips of faces.
            least_sharpness: Stills that are less sharp are left out.
            frames_per_clip: Frames that are taken of a clip: the sharpest of as many parts of it.

        Raises:
            InputError: There is no face.
        """
        self._stills = [(one, n) for one in stills for n in range(len(one)) if not one.sharpness[n] < least_sharpness]
        self._frames = [(one, n, frame) for one in clips for n in range(len(one)) for frame in _sharpest(one[n], frames_per_clip)]
        if not len(self):
            raise InputError("There is no face that is sharp enough to train on.")
        digest = hashlib.sha256()
        for store, n in self._stills:
            digest.update(_middle_line(store[n]))
        for clips_of, n, frame in self._frames:
            digest.update(_middle_line(clips_of[n].frames[frame]))
        self.digest = digest.hexdigest()[:16]
        """Tells which faces they are, by one line of pixels of each."""

    @classmethod
    def open(cls, stills: Sequence[Path], clips: Sequence[Path], least_sharpness: float, frames_per_clip: int) -> SharpFaces:
        """Open data sets; arguments as those of the constructor.

        Raises:
            InputError: A data set cannot be opened, or there is no face.
        """
        opened = [open_stills(one) for one in stills], [open_clips(one) for one in clips]
        return cls(*opened, least_sharpness, frames_per_clip)

    def __len__(self) -> int:
        return len(self._stills) + len(self._frames)

    @overload
    def __getitem__(self, index: int) -> Image: ...
    @overload
    def __getitem__(self, index: slice) -> list[Image]: ...
    def __getitem__(self, index: int | slice) -> Image | list[Image]:
        """Return the face at an index; a slice gives a list."""
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        if index < len(self._stills):
            store, n = self._stills[index]
            return store[n]
        clips, n, frame = self._frames[index - len(self._stills)]
        return _window(clips[n], frame)


def _middle_line(picture: Image) -> bytes:
    line: Image = picture[len(picture) // 2]
    return line.tobytes()


def _sharpest(clip: StoredClip, count: int) -> list[int]:
    """The sharpest frame of each of `count` parts of a clip."""
    parts = np.array_split(np.arange(len(clip.frames)), count)
    sharpness = np.nan_to_num(clip.sharpness)
    return [int(part[sharpness[part].argmax()]) for part in parts if len(part)]


def _window(clip: StoredClip, frame: int) -> Image:
    """The window of the face in a frame, as it is cut for a restoration."""
    window = FaceWindow.around(clip.boxes[frame], WINDOW_SCALE)
    return crop(array_planes(np.ascontiguousarray(clip.frames[frame])), window, CROP_SIZE)
