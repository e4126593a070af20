"""An encoder does not change how the process is scheduled."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from fractions import Fraction

import numpy as np
import pytest

from streamdeblur.live.options import LiveOptions
from streamdeblur.live.sinks import sink_opener
from streamdeblur.options import EncodingOptions
from streamdeblur.video.reader import Reader
from streamdeblur.video.writer import Writer
from support.live import yuv_frame
from support.media.videos import read_frames, write_video

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Only Linux has policies of threads that SVT-AV1 changes."),
    pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() != 0, reason="SVT-AV1 changes the policy for root only."),
]


def transcode(folder):
    pictures = [np.full((64, 64, 3), 20 * number, np.uint8) for number in range(3)]
    source = write_video(folder / "in.mkv", pictures)
    with closing(Reader(source)) as reader, Writer(folder / "out.mkv", reader, EncodingOptions(codec="libsvtav1")) as writer:
        for frame in read_frames(source):
            writer.write(frame)
        return policies()


def record(folder):
    frame = yuv_frame(np.zeros((64, 64, 3), np.uint8))
    sink = sink_opener(str(folder / "out.mkv"), LiveOptions(codec="libsvtav1"))(frame, Fraction(25), None)
    try:
        return policies()
    finally:
        sink.close()


def policies():
    """The policies of this process's threads, of which some may end meanwhile."""
    found = set()
    for thread in os.listdir("/proc/self/task"):
        try:
            found.add(os.sched_getscheduler(int(thread)))
        except ProcessLookupError:
            continue
    return found


@pytest.mark.parametrize("way", [transcode, record])
def test_no_thread_becomes_a_real_time_thread(tmp_path, way):
    """Of root, SVT-AV1 makes the thread that opens it a real-time thread, and each that is started later inherits it."""
    assert policies() == {os.SCHED_OTHER}
    assert way(tmp_path) == {os.SCHED_OTHER}
