from __future__ import annotations

import pytest

from streamdeblur.training.datasets.clips import build_clips
from streamdeblur.training.datasets.options import ClipsOptions
from support.media.datasets import write_videos

OPTIONS = ClipsOptions(min_frames=10, held_out=0.5)


@pytest.fixture(scope="session")
def video_folder(tmp_path_factory, photograph):
    """Videos of three people: good ones, a double, one that was encoded again, and three that cannot be read."""
    return write_videos(tmp_path_factory.mktemp("videos"), photograph)


@pytest.fixture(scope="session")
def built(tmp_path_factory, video_folder):
    """The data set of that folder, and its summary."""
    folder = tmp_path_factory.mktemp("built") / "clips"
    return folder, build_clips(video_folder, folder, OPTIONS)
