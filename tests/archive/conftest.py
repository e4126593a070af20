"""A small archive, and batches of it."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

from streamdeblur.archive.archive import restore_archive
from streamdeblur.archive.pool import OwnProcess
from streamdeblur.options import ArchiveOptions
from streamdeblur.video import cuts
from support.media.frames import plane_bytes
from support.media.videos import VideoSpec, read_frames, write_video
from support.models.networks import write_network

QUICK = {"segment": 0.24, "codec": "ffv1", "engine": "onnxruntime", "always": True}
"""x264 does not make the same of the same frames in each run: FFV1 does."""
CUT = {"crf": "14", "preset": "ultrafast", "g": "6", "sc_threshold": "0"}


class Silence:
    """A display that shows nothing, and notes which tasks were begun."""

    def __init__(self):
        self.begun = []

    def plan(self, files, undone):
        return self

    def begin(self, task):
        self.begun.append(task.name)

    def progress(self, progress):
        pass

    def end(self, task, frames):
        pass

    def failed(self, count):
        pass


@pytest.fixture(autouse=True)
def short_warm_up(monkeypatch):
    monkeypatch.setattr(cuts, "WARM_UP", 3)


@pytest.fixture(scope="session")
def quick_network(tmp_path_factory):
    return write_network(tmp_path_factory.mktemp("networks") / "invert.onnx", "invert")


@pytest.fixture(scope="session")
def archive(tmp_path_factory, few_pictures):
    """A folder with a video of three segments, and two short ones, one of them in a subfolder."""
    folder = tmp_path_factory.mktemp("archive")
    (folder / "more").mkdir()
    small = [np.ascontiguousarray(picture[:, 40:280]) for picture in few_pictures]
    write_video(folder / "long.mkv", (small * 2)[:18], VideoSpec(options=CUT, audio="aac"))
    write_video(folder / "a.mkv", small[:4], VideoSpec(options=CUT))
    write_video(folder / "more" / "b.mkv", small[:4], VideoSpec(options=CUT))
    return folder


@pytest.fixture
def batch(archive, quick_network):
    """Runs a batch in this process; returns its outcome, and the tasks that were begun as ``begun``."""

    def run(out, inputs=None, pool=OwnProcess, **settings):
        options = {**QUICK, "network": quick_network, **settings}
        display = Silence()
        outcome = restore_archive(inputs or [archive], out, ArchiveOptions(**options), pool, display.plan)
        return SimpleNamespace(**vars(outcome), begun=display.begun, status=sorted(file.status for file in outcome.files))

    return run


def contents(folder):
    """The frames of all videos of a folder, by their paths; what is hidden but the manifest is an error."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and ".streamdeblur" not in path.parts)
    assert not [path for path in files if path.name.startswith(".")]
    return {str(path.relative_to(folder)): [_content(frame) for frame in read_frames(path)] for path in files}


def _content(frame):
    planes = b"".join(np.ascontiguousarray(plane).tobytes() for plane in plane_bytes(frame))
    return frame.pts, hashlib.sha256(planes).hexdigest()
