"""One frame before and after, with its faces enlarged: `preview` for videos, `image --side-by-side` for pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from streamdeblur import preview_video
from streamdeblur.errors import InputError, OutputError
from streamdeblur.jobs.sheet import FACE, WIDTH
from support.cli import run
from support.media.videos import VideoSpec, write_video


@pytest.fixture(scope="module")
def source(tmp_path_factory, few_pictures):
    return write_video(tmp_path_factory.mktemp("clips") / "talk.mkv", few_pictures, VideoSpec(codec="ffv1", options={}))


def read(path):
    return cv2.imread(str(path))[..., ::-1].astype(int)


def test_a_preview_shows_the_frame_at_a_time_before_and_after(tmp_path, source, few_pictures, inverting):
    summary = preview_video(source, tmp_path / "out.png", inverting, 0.31)
    assert (summary.time, summary.faces, summary.restored) == (0.32, 1, 1)
    sheet = read(tmp_path / "out.png")
    assert sheet.shape[1] == WIDTH
    before, after = sheet[:500, 20:780], sheet[:500, 820:1580]
    picture = cv2.resize(few_pictures[8], (800, 600), interpolation=cv2.INTER_CUBIC)[:500, 20:780].astype(int)
    outside = np.abs(before - picture).mean(axis=2)
    assert np.median(outside) < 4
    # the face comes out as its negative
    assert np.abs(before - after).mean() > 15
    enlarged = sheet[620 : 620 + FACE - 10, :FACE], sheet[620 : 620 + FACE - 10, FACE + 10 : 2 * FACE]
    assert (
        np.corrcoef(enlarged[0][:, 5 : FACE - 5].mean(axis=2).ravel(), enlarged[1][:, : FACE - 10].mean(axis=2).ravel())[0, 1] < 0
    )


def test_the_command_names_its_picture_after_the_video_and_replaces_it(tmp_path, source, quick):
    for _ in range(2):
        done = run("preview", source, "--json", *quick, cwd=tmp_path)
        assert (done.exit_code, done.json["time"], done.json["output"]) == (0, 0.24, "talk.preview.png")
    picture = tmp_path / "talk.preview.png"
    assert read(picture).shape[1] == WIDTH
    refused = run("preview", source, picture, *quick)
    assert (refused.exit_code, "--overwrite" in refused.stderr) == (2, True)


def test_the_middle_of_a_single_frame_is_that_frame(tmp_path, few_pictures, inverting):
    single = write_video(tmp_path / "one.mkv", few_pictures[:1], VideoSpec(codec="ffv1", options={}))
    assert preview_video(single, tmp_path / "out.png", inverting).time == 0


@pytest.mark.parametrize("kind", ["raw", "joined"])
def test_a_time_is_found_where_files_do_not_tell_their_length(tmp_path, few_pictures, inverting, kind):
    options = {"preset": "ultrafast", "bf": "2"}
    part = write_video(tmp_path / f"part.{'h264' if kind == 'raw' else 'ts'}", few_pictures, VideoSpec(options=options))
    source = part
    if kind == "joined":
        source = tmp_path / "joined.ts"
        source.write_bytes(3 * part.read_bytes())
    at = 0.4 if kind == "raw" else 1.2
    assert preview_video(source, tmp_path / "out.png", inverting, at).time == at
    with pytest.raises(InputError, match="has no frame at 9 s"):
        preview_video(source, tmp_path / "none.png", inverting, 9.0)


def test_times_and_targets_that_do_not_exist_are_refused(tmp_path, source, inverting):
    with pytest.raises(InputError, match=r"talk.mkv has no frame at 9 s. Choose an earlier time: --at TIME."):
        preview_video(source, tmp_path / "out.png", inverting, 9.0)
    with pytest.raises(InputError, match=r"has no frame at 0.479 s"):
        preview_video(source, tmp_path / "out.png", inverting, 0.479)
    with pytest.raises(OutputError, match="Unknown kind of picture"):
        preview_video(source, tmp_path / "out.mp4", inverting, 0.1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["colour", "gray", "transparent", "deep"])
def test_a_picture_beside_its_result(tmp_path, few_pictures, kind, quick):
    picture = few_pictures[0][..., ::-1]
    written = {
        "colour": picture,
        "gray": cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY),
        "transparent": np.dstack([picture, np.full(picture.shape[:2], 90, np.uint8)]),
        "deep": picture.astype(np.uint16) * 257,
    }[kind]
    cv2.imwrite(str(tmp_path / "in.png"), written)
    done = run("image", tmp_path / "in.png", tmp_path / "out.jpg", "--side-by-side", "--always", *quick)
    assert done.exit_code == 0, done.stderr
    assert "1 face, 1 restored (100%)" in done.stdout
    sheet = read(tmp_path / "out.jpg")
    assert sheet.shape[1] == WIDTH
    assert np.abs(sheet[:500, 20:780] - sheet[:500, 820:1580]).mean() > 15
