"""What the output of a video job shows beside the restored frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamdeblur import VideoOptions, deblur_video
from streamdeblur.errors import OptionError
from streamdeblur.faces.decision import FaceDecision
from streamdeblur.faces.drawn import label_of
from streamdeblur.faces.reading import HostCrop
from streamdeblur.faces.window import FaceWindow
from streamdeblur.jobs.frame_view import LARGEST_ZOOM, FaceZoom
from support.media.frames import plane_bytes
from support.media.videos import VideoSpec, read_frames, write_video

SPEC = VideoSpec(codec="ffv1", options={})


@pytest.fixture(scope="module")
def source(tmp_path_factory, few_pictures):
    return write_video(tmp_path_factory.mktemp("clips") / "in.mkv", few_pictures[:4], SPEC)


@pytest.fixture(scope="module")
def restored(tmp_path_factory, source, inverting):
    target = tmp_path_factory.mktemp("restored") / "out.mkv"
    deblur_video(source, target, deblurrer=inverting)
    return read_frames(target)


def test_side_by_side_shows_input_and_result_with_a_line_between_them_and_their_labels(tmp_path, source, restored, inverting):
    deblur_video(source, tmp_path / "out.mkv", deblurrer=inverting, side_by_side=True)
    for before, after, wide in zip(read_frames(source), restored, read_frames(tmp_path / "out.mkv"), strict=True):
        assert wide.width == 640
        old, new, both = plane_bytes(before)[0], plane_bytes(after)[0], plane_bytes(wide)[0]
        for half, picture in ((both[:, :320], old), (both[:, 320:], new)):
            assert np.array_equal(half[:200, 8:-8], picture[:200, 8:-8])
            # the label is in the lower left corner
            assert not np.array_equal(half[200:, 8:80], picture[200:, 8:80])
        assert both[:200, 318:320].min() > 230


def test_zoom_enlarges_the_faces(tmp_path, few_pictures, inverting):
    small = [np.pad(picture, ((200, 40), (300, 20), (0, 0)), constant_values=128) for picture in few_pictures[:3]]
    source = write_video(tmp_path / "in.mkv", small, SPEC)
    deblur_video(source, tmp_path / "out.mkv", deblurrer=inverting, side_by_side=True, zoom="faces")
    wide = read_frames(tmp_path / "out.mkv")[-1]
    before = np.ascontiguousarray(wide.to_ndarray(format="rgb24")[:, :640])
    face, enlarged = (max(one.size for one in inverting.detector.detect(picture)) for picture in (small[-1], before))
    assert enlarged > 1.5 * face
    with pytest.raises(OptionError, match="zoom needs side_by_side"):
        VideoOptions.load(zoom="faces")


def test_faces_are_drawn_into_the_result_and_into_nothing_else(tmp_path, source, restored, inverting):
    deblur_video(source, tmp_path / "out.mkv", deblurrer=inverting, show_faces=True)
    frames = read_frames(source), restored, read_frames(tmp_path / "out.mkv")
    for before, after, drawn in zip(*frames, strict=True):
        old, new = plane_bytes(after)[0], plane_bytes(drawn)[0]
        changed = np.argwhere(old != new)
        assert len(changed) > 500
        assert np.mean(old == new) > 0.8
        (face,) = inverting.detector.detect(before.to_ndarray(format="rgb24"))
        # the window around it, and a label of a few lines above or below
        left, top, right, bottom = face.box
        around = 0.35 * max(right - left, bottom - top) + 8
        assert (changed[:, 1] > left - around).all()
        assert (changed[:, 1] < max(right + around, left - around + 260)).all()
        assert (changed[:, 0] > top - around - 40).all()
        assert (changed[:, 0] < bottom + around + 40).all()


def decision(x, y, side, reason="gain"):
    half = side / 3.4
    return FaceDecision(1, (x - half, y - half, x + half, y + half), FaceWindow(x, y, side), reason)


def test_a_gain_of_nothing_has_no_sign():
    face = replace(decision(50, 50, 100, "too little gain"), gain=-0.02, read=HostCrop(np.zeros((256, 256, 3), np.uint8), 256))
    assert label_of(face)[-1] == "too little gain, 0.0 dB"


def test_the_zoom_holds_all_chosen_faces_follows_them_and_stays_within_the_frame():
    faces, zoom = [decision(300, 200, 100), decision(700, 300, 120)], FaceZoom()
    left, _, width, height = zoom.region([*faces, decision(1200, 600, 100, "not chosen")], 1280, 720)
    assert left < 250
    assert left + width > 760
    assert left + width < 1150
    assert height / width == pytest.approx(720 / 1280)
    # what moves is followed a share of the way, and what is small is not enlarged without end
    moved = zoom.region([decision(340, 200, 100)], 1280, 720)
    assert 0 < width - moved[2] < width / 4
    for _ in range(200):
        settled = zoom.region([decision(5, 5, 20)], 1280, 720)
    assert settled == pytest.approx((0.0, 0.0, 1280 / LARGEST_ZOOM, 720 / LARGEST_ZOOM), abs=0.5)
    # after a cut it is there at once, and without faces it stays
    cut = zoom.region([decision(1000, 500, 200)], 1280, 720)
    assert cut[0] + cut[2] / 2 == pytest.approx(1000)
    assert zoom.region([], 1280, 720) == cut


def test_without_faces_the_zoom_shows_the_whole_frame():
    assert FaceZoom().region([], 640, 480) == (0.0, 0.0, 640.0, 480.0)
