"""Small archives, and what batches make of them."""

from __future__ import annotations

import hashlib

import numpy as np

from support.media.frames import plane_bytes
from support.media.videos import read_frames

QUICK = {"segment": 0.24, "codec": "ffv1", "engine": "onnxruntime", "always": True}
"""Lossless, since lossy encoders make other files with other numbers of threads."""
CUT = {"crf": "14", "preset": "ultrafast", "g": "6", "sc_threshold": "0"}


class Silence:
    """A display that shows nothing, and notes which tasks were begun."""

    def __init__(self):
        self.begun = []

    def plan(self, files, left):
        return self

    def begin(self, task):
        self.begun.append(task.name)

    def progress(self, progress):
        pass

    def end(self, task, frames):
        pass

    def failed(self, count):
        pass


def contents(folder):
    """The frames of all videos of a folder, by their paths; what is hidden but the manifest is an error."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and ".streamdeblur" not in path.parts)
    assert not [path for path in files if path.name.startswith(".")]
    return {str(path.relative_to(folder)): [_content(frame) for frame in read_frames(path)] for path in files}


def _content(frame):
    planes = b"".join(np.ascontiguousarray(plane).tobytes() for plane in plane_bytes(frame))
    return frame.pts, hashlib.sha256(planes).hexdigest()
