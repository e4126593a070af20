"""A small archive, and batches of it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from streamdeblur.archive.archive import restore_archive
from streamdeblur.archive.pool import OwnProcess
from streamdeblur.options import ArchiveOptions
from streamdeblur.video import cuts
from support.archives import CUT, QUICK, Silence
from support.media.videos import VideoSpec, write_video
from support.models.networks import write_network


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
