"""streamdeblur compare: what it prints, writes and refuses."""

from __future__ import annotations

import json
import re
import shutil

import cv2
import numpy as np
import pytest

from support.cli import run
from support.media.datasets import shot
from support.media.videos import VideoSpec, write_video

FAST = ("--localiser", "none", "--second", "none", "--embedder", "none", "--limit", "4")
NEARLY_LOSSLESS = VideoSpec(options={"crf": "8", "preset": "ultrafast"})


def compare(*arguments):
    return run("compare", *arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photograph):
    """Videos of a face: sharp, blurred, less blurred; and what is no video."""
    folder = tmp_path_factory.mktemp("compare")
    sharp = shot(photograph, "anna", 16, (2, 1))
    for name, width in (("sharp", 1), ("blurred", 11), ("better", 5)):
        write_video(folder / f"{name}.mp4", [cv2.blur(frame, (width, 1)) for frame in sharp], NEARLY_LOSSLESS)
    write_video(folder / "short.mp4", [cv2.blur(frame, (11, 1)) for frame in sharp[:9]], NEARLY_LOSSLESS)
    write_video(folder / "small.mp4", [np.ascontiguousarray(frame[:200]) for frame in sharp], NEARLY_LOSSLESS)
    for name in ("wall", "walls"):
        write_video(folder / f"{name}.mp4", [np.full_like(sharp[0], 128)] * 3, NEARLY_LOSSLESS)
    (folder / "text.mp4").write_text("This is no video.")
    (folder / "empty.mp4").write_bytes(b"")
    return folder


def test_tables_and_report(folder, tmp_path):
    out = tmp_path / "report"
    done = compare(
        folder / "blurred.mp4", folder / "better.mp4", "--reference", folder / "sharp.mp4", "--out", out, "--json", *FAST
    )
    assert done.exit_code == 0, done.stderr
    assert "16 of 16 frames of sharp.mp4 are in all videos, with 16 faces." in done.stderr
    again = compare(folder / "blurred.mp4", "--reference", folder / "sharp.mp4", "--out", out, *FAST)
    assert again.exit_code == 2
    assert "report.html exists. Give --overwrite" in again.stderr
    printed = done.json
    assert (printed["matched_frames"], printed["faces_found"], printed["faces"]) == (16, 16, 4)
    blurred, better = printed["rows"]
    for figure in ("psnr", "ssim", "frame"):
        assert better["figures"][figure]["value"] > blurred["figures"][figure]["value"]
    assert better["figures"]["gmsd"]["value"] < blurred["figures"]["gmsd"]["value"]

    pictures = sorted(path.name for path in out.rglob("*.png"))
    assert pictures == ["better.mp4.png"] * 4 + ["blurred.mp4.png"] * 4 + ["sharp.png"] * 4
    page, text = ((out / f"report.{kind}").read_text("utf-8") for kind in ("html", "md"))
    # the best, the median and the worst face, in three videos
    assert page.count("data:image/jpeg") == 9
    assert f"{better['figures']['psnr']['value']:.2f}" in page
    assert "4 faces; seconds of the video: 1." in text
    assert "| method | PSNR dB ↑ | SSIM ↑ |" in text
    assert " ms |" not in text
    assert json.loads((out / "report.json").read_text())["protocols"][0]["rows"] == printed["rows"]


def test_the_table_is_printed_and_nothing_is_written_without_a_folder(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = compare(folder / "blurred.mp4", "--reference", folder / "sharp.mp4", *FAST)
    assert done.exit_code == 0, done.stderr
    assert re.search(r"^blurred\.mp4 +\d", done.stdout, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []


def test_quiet_says_nothing(folder):
    done = compare(folder / "blurred.mp4", "--reference", folder / "sharp.mp4", "--quiet", *FAST)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")


def test_a_shorter_video_is_compared_as_far_as_it_goes(folder):
    done = compare(folder / "short.mp4", folder / "blurred.mp4", "--reference", folder / "sharp.mp4", "--json", *FAST)
    assert done.exit_code == 0, done.stderr
    assert "9 of 16 frames" in done.stderr
    assert done.json["matched_frames"] == 9


def test_what_a_comparison_needs_is_told(folder):
    alone = compare(folder / "blurred.mp4", *FAST)
    assert alone.exit_code == 2
    assert f"Give a restored video, too: streamdeblur compare {folder / 'blurred.mp4'} restored.mp4; or" in alone.stderr
    faceless = compare(folder / "wall.mp4", folder / "walls.mp4", *FAST)
    assert (faceless.exit_code, "give the sharp video: --reference" in faceless.stderr) == (2, True)
    faceless = compare(folder / "wall.mp4", "--reference", folder / "walls.mp4", *FAST)
    assert (faceless.exit_code, "Give videos that show faces" in faceless.stderr) == (2, True)


def test_three_videos_are_compared_as_far_as_the_shortest_goes(folder, tmp_path):
    short = shutil.copy(folder / "short.mp4", tmp_path / "person016_01.mp4")
    done = compare(folder / "blurred.mp4", folder / "better.mp4", short, "--limit", 4)
    assert done.exit_code == 0, done.stderr
    assert "9 of 16 frames of blurred.mp4 are in all videos" in done.stderr
    rows = [len(re.findall(rf"^{name} ", done.stdout, re.MULTILINE)) for name in (r"better\.mp4", r"person016_01\.mp4")]
    assert rows == [1, 1]


@pytest.mark.parametrize(
    ("videos", "reference", "words"),
    [
        (["none.mp4"], "sharp.mp4", "No such file"),
        (["blurred.mp4"], "none.mp4", "No such file"),
        (["blurred.mp4", "text.mp4"], "sharp.mp4", "text.mp4 as a video"),
        (["blurred.mp4"], "text.mp4", "text.mp4 as a video"),
        (["empty.mp4"], "sharp.mp4", "empty.mp4 is empty"),
        (["."], "sharp.mp4", "is a folder"),
        (["small.mp4"], "sharp.mp4", "320 x 200"),
        (["blurred.mp4", "blurred.mp4"], "sharp.mp4", "given twice"),
    ],
)
def test_bad_input_exits_with_2(folder, tmp_path, videos, reference, words):
    done = compare(*(folder / name for name in videos), "--reference", folder / reference, "--out", tmp_path / "out", *FAST)
    assert done.exit_code == 2
    assert words in done.stderr
    assert list((tmp_path / "out").glob("*")) == []


def test_a_report_that_cannot_be_written_is_refused_before_any_video_is_read(folder, tmp_path):
    (tmp_path / "file").write_text("")
    done = compare(folder / "none.mp4", "--reference", folder / "sharp.mp4", "--out", tmp_path / "file" / "report", *FAST)
    assert done.exit_code == 2
    assert "Cannot make the folder" in done.stderr


def test_an_unknown_instrument_exits_with_2_before_any_video_is_read(folder):
    done = compare(folder / "none.mp4", "--reference", folder / "sharp.mp4", "--localiser", "eyes")
    assert done.exit_code == 2
    assert "eyes" in done.stderr
