"""Videos that are stored on their side or upside down, as phones record them, become what their upright pictures would."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from streamdeblur import FaceDeblurrer, deblur_video
from streamdeblur.jobs.preview import preview_video
from support.media.videos import VideoSpec, read_frames, write_video

LOSSLESS = {"codec": "ffv1", "pixel_format": "yuv444p", "options": {}}


def stored(pictures, rotation):
    """Pictures as they are stored where players turn them counterclockwise by an angle."""
    return [np.ascontiguousarray(np.rot90(picture, -rotation // 90)) for picture in pictures]


def shown(path, rotation):
    """The pictures that players show, uint8 RGB [N, H, W, 3]."""
    return np.stack([np.rot90(frame.to_ndarray(format="rgb24"), rotation // 90) for frame in read_frames(path)])


@pytest.fixture(scope="module")
def upright(tmp_path_factory, few_pictures, inverting):
    """A folder with a video, what became of it, and its report."""
    folder = tmp_path_factory.mktemp("upright")
    write_video(folder / "in.mkv", few_pictures, VideoSpec(**LOSSLESS))
    summary = deblur_video(folder / "in.mkv", folder / "out.mkv", deblurrer=inverting, codec="ffv1", report=folder / "faces.csv")
    assert summary.restored == len(few_pictures)
    return folder


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_faces_are_found_and_restored_as_in_the_upright_video(tmp_path, few_pictures, inverting, upright, rotation):
    source = write_video(tmp_path / "in.mkv", stored(few_pictures, rotation), VideoSpec(rotation=rotation, **LOSSLESS))
    report = tmp_path / "faces.csv"
    summary = deblur_video(source, tmp_path / "out.mkv", deblurrer=inverting, codec="ffv1", report=report)
    assert summary.restored == len(few_pictures)
    before, after, expected = shown(source, rotation), shown(tmp_path / "out.mkv", rotation), shown(upright / "out.mkv", 0)
    assert (np.abs(expected.astype(int) - before) > 30).mean() > 0.1
    differences = np.abs(after.astype(int) - expected)
    assert differences.mean() < 0.1
    assert (differences > 3).mean() < 0.001
    # faces lie in the report where they lie in the picture that players show
    with report.open() as turned, (upright / "faces.csv").open() as other:
        for row, same in zip(csv.DictReader(turned), csv.DictReader(other), strict=True):
            for name in ("x", "y", "width", "height"):
                assert float(row[name]) == pytest.approx(float(same[name]), abs=0.1)


@pytest.mark.parametrize(("region", "restored"), [("0,0,240,160", 0), ("0,160,240,160", 12)])
def test_a_region_is_a_part_of_the_picture_that_players_show(tmp_path, few_pictures, inverting, region, restored):
    """The face lies in the lower half of a picture that is 240 px wide and 320 px high."""
    tall = [np.pad(picture[:160, 40:280], ((160, 0), (0, 0), (0, 0)), mode="edge") for picture in few_pictures]
    source = write_video(tmp_path / "in.mkv", stored(tall, 90), VideoSpec(rotation=90, **LOSSLESS))
    with FaceDeblurrer(inverting.options, only=f"region:{region}") as chosen:
        assert deblur_video(source, tmp_path / "out.mkv", deblurrer=chosen, codec="ffv1").restored == restored


def test_a_preview_finds_the_faces_of_a_turned_video(tmp_path, few_pictures, inverting):
    source = write_video(tmp_path / "in.mp4", stored(few_pictures, 90), VideoSpec(rotation=90))
    assert preview_video(source, tmp_path / "sheet.png", at=0.2, deblurrer=inverting).restored == 1
