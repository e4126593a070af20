"""Videos and sets of videos as data sets: clips whose faces are annotated or detected."""

from __future__ import annotations

import logging

import cv2
import numpy as np
import pytest

from streamdeblur.errors import InputError
from streamdeblur.evaluation.cases import Comparison
from streamdeblur.evaluation.protocols import BlurProtocol
from streamdeblur.evaluation.sources import open_data
from streamdeblur.evaluation.sources.annotated_video import consecutive_ranges
from streamdeblur.training.datasets.random_access import open_clips
from support.media.datasets import PLACES, THIRTY, shot
from support.media.videos import VideoSpec, write_video

ELLIPSE = np.stack([np.cos(np.linspace(0, 6.2, 68)), np.sin(np.linspace(0, 6.2, 68))], axis=1)
LOSSLESS = VideoSpec(codec="ffv1", pixel_format="yuv444p", options={})


def annotated_frames(count, step):
    """Frames of a dark room in which 68 bright dots move, uint8 RGB [240, 320, 3], and where they are: [count, 68, 2]."""
    points = np.rint(ELLIPSE * (30, 40) + (110, 120))[None] + np.arange(count)[:, None, None] * (step, 0)
    frames = [np.zeros((240, 320, 3), np.uint8) for _ in range(count)]
    for frame, annotated in zip(frames, points.astype(int), strict=True):
        for x, y in annotated:
            frame[y - 1 : y + 2, x - 1 : x + 2] = 255
    return frames, points


def write_300vw(folder, count=20, step=1, without=()):
    """A video of 300VW; its annotations count frames and pixels from 1."""
    frames, points = annotated_frames(count, step)
    (folder / "annot").mkdir(parents=True)
    write_video(folder / "vid.avi", frames, LOSSLESS)
    for number, annotated in enumerate(points, 1):
        if number - 1 not in without:
            lines = [f"{x + 1:.3f} {y + 1:.3f}" for x, y in annotated]
            text = "\n".join(["version: 1", "n_points: 68", "{", *lines, "}"])
            (folder / "annot" / f"{number:06d}.pts").write_text(text)


def brightness_at(frames, landmarks):
    at = np.rint(landmarks).astype(int)
    return np.mean([frame[points[:, 1], points[:, 0]].mean() for frame, points in zip(frames, at, strict=True)])


def test_300vw_is_cropped_where_it_is_annotated(tmp_path):
    write_300vw(tmp_path / "001")
    write_300vw(tmp_path / "002", 24, without=(9,))
    data = open_data(tmp_path)
    assert data.kind == "300VW"
    assert [(clip.name, clip.group, clip.identity) for clip in data.clips] == [
        ("001/000000", "001", "001"), ("002/000000", "002", "002"), ("002/000010", "002", "002"),
    ]  # fmt: skip
    for clip, length in zip(data.clips, (20, 9, 14), strict=True):
        opened = clip.open()
        assert opened.landmarks.shape == (length, 68, 2)
        assert brightness_at(opened.frames, opened.landmarks) > 150
        # a frame earlier or later, the dots are elsewhere
        assert brightness_at(opened.frames[1:], opened.landmarks[:-1] - (3, 0)) < 110
        assert opened.boxes[:, 3] - opened.boxes[:, 1] == pytest.approx(256 / 1.7, rel=0.05)


def test_the_annotations_of_300vw_are_those_of_its_cases(tmp_path):
    write_300vw(tmp_path / "001", 20, step=2)
    (case,) = BlurProtocol.parse("pravg:5").cases(open_data(tmp_path / "001"), 1, 0)
    assert brightness_at([case.sharp], [case.landmarks]) > 150
    # the ellipse moves by 8 px of the video while it is averaged
    assert case.record["motion_px"] > 5
    assert brightness_at([case.blurry], [case.landmarks]) < brightness_at([case.sharp], [case.landmarks]) - 50


def test_videos_of_300vw_that_cannot_be_used_are_reported(tmp_path, caplog):
    write_300vw(tmp_path / "001")
    (tmp_path / "001" / "annot" / "000003.pts").write_text("{ 1 2 }")
    write_300vw(tmp_path / "002")
    (tmp_path / "002" / "vid.avi").write_bytes(b"no video")
    with caplog.at_level(logging.WARNING):
        data = open_data(tmp_path)
    assert [clip.name for clip in data.clips] == ["001/000003"]
    assert "000003.pts: 1 points instead of 68" in caplog.text
    assert "vid.avi" in caplog.text


def test_a_video_that_ends_before_its_annotations_is_refused(tmp_path):
    write_300vw(tmp_path / "001", 12)
    write_video(tmp_path / "001" / "vid.avi", annotated_frames(9, 1)[0], LOSSLESS)
    (clip,) = open_data(tmp_path).clips
    with pytest.raises(InputError, match="001 ends after frame 8, but frame 11 is annotated"):
        clip.open()


def write_youtube_faces(folder, photograph, people=("anna", "bert"), frames=9):
    """Frames of two people, 200 to 208 and, of the second, from 211 on; the labels of Windows, and comparisons."""
    for person in people:
        numbers = [*range(200, 200 + frames), *(range(211, 219) if person == "bert" else ())]
        shots = shot(photograph, person, len(numbers), (2, 0))
        target = folder / "frame_images_DB" / person / "0"
        target.mkdir(parents=True)
        lines = []
        for n, (number, picture) in enumerate(zip(numbers, shots, strict=True)):
            cv2.imwrite(str(target / f"0.{number}.jpg"), picture[..., ::-1])
            x = 160 - 2 * (n - len(numbers) // 2)
            lines.append(f"{person}\\0\\0.{number}.jpg,0,{x},144,100,100,0.0,1")
        (folder / "frame_images_DB" / f"{person}.labeled_faces.txt").write_text("\n".join(lines) + "\n")
    (folder / "splits.txt").write_text(
        "split number, first name, second name, similarity, is same\n"
        "1, 0, anna/0, bert/0, 0.3, 0\n1, 1, anna/0, anna/0, 0.9, 1\n2, 2, anna/0, cleo/4, 0.2, 0\n"
    )


def test_youtube_faces_as_they_come(tmp_path, photograph, caplog):
    write_youtube_faces(tmp_path, photograph)
    with caplog.at_level(logging.WARNING):
        data = open_data(tmp_path)
    assert [(clip.name, clip.group, clip.identity) for clip in data.clips] == [
        ("anna/0/000200", "anna/0", "anna"), ("bert/0/000200", "bert/0", "bert"), ("bert/0/000211", "bert/0", "bert"),
    ]  # fmt: skip
    assert data.comparisons == [Comparison(1, "anna/0", "bert/0", False), Comparison(1, "anna/0", "anna/0", True)]
    assert "1 of 3 comparisons are of videos that are missing" in caplog.text
    opened = data.clips[0].open()
    assert opened.landmarks is None
    centres = (opened.boxes[:, :2] + opened.boxes[:, 2:]) / 2
    scale = 256 / (1.7 * 1.1 * 100)
    assert np.diff(centres[:, 0]) == pytest.approx(-2 * scale, rel=0.03)
    # the window stands still, so the face moves in it as it does in the frames
    (moved, _), _ = cv2.phaseCorrelate(*(frame[..., 1].astype(np.float64) for frame in opened.frames[:2]))
    assert moved == pytest.approx(-2 * scale, abs=0.5)


def test_aligned_youtube_faces_follow_the_face(tmp_path, photograph):
    x, y = PLACES["anna"]
    folder = tmp_path / "aligned_images_DB" / "anna" / "3"
    folder.mkdir(parents=True)
    for n in range(8):
        reach = 136 + n
        cv2.imwrite(
            str(folder / f"aligned_detect_3.{40 + n}.jpg"), photograph[y - reach : y + reach, x - reach : x + reach, ::-1]
        )
    (clip,) = open_data(tmp_path).clips
    opened = clip.open()
    assert (clip.name, clip.identity, opened.frames.shape) == ("anna/3/000040", "anna", (8, 256, 256, 3))
    assert opened.boxes[:, 2] - opened.boxes[:, 0] == pytest.approx(256 / 1.7)
    (case,) = BlurProtocol.parse("pravg:7").cases(open_data(tmp_path), 1, 0)
    assert np.array_equal(case.sharp, opened.frames[case.record["frame"]])


def test_damaged_lists_of_youtube_faces(tmp_path, photograph, caplog):
    write_youtube_faces(tmp_path, photograph, ("anna",))
    (tmp_path / "frame_images_DB" / "dora.labeled_faces.txt").write_text("dora\\0\\0.1.jpg,0,far\n")
    (tmp_path / "splits.txt").unlink()
    with caplog.at_level(logging.WARNING):
        assert len(open_data(tmp_path).clips) == 1
    assert "dora.labeled_faces.txt: a line is not a face" in caplog.text
    (tmp_path / "splits.txt").write_text("header\n1, 0, anna/0\n")
    with pytest.raises(InputError, match=r"splits\.txt, line 2, is not a comparison"):
        open_data(tmp_path)


def test_faces_of_videos_are_found_once(tmp_path, photograph, monkeypatch):
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path / "cache"))
    pictures = shot(photograph, "bert", 12, (2, -2))
    (tmp_path / "films").mkdir()
    write_video(tmp_path / "films" / "walk.mp4", pictures, THIRTY)
    cv2.imwrite(str(tmp_path / "films" / "reference.png"), pictures[0][..., ::-1])
    (tmp_path / "films.csv").write_text("file,identity\nwalk.mp4,bert\n")
    (clip,) = open_data(tmp_path / "films").clips
    assert (clip.name, clip.group, clip.identity) == ("walk/000000", "walk", "bert")
    (case,) = BlurProtocol.parse("as-is").cases(open_data(tmp_path / "films"), 1, 0)
    assert (case.sharp, case.reference.shape) == (None, (256, 256, 3))
    (averaged,) = BlurProtocol.parse("pravg:7").cases(open_data(tmp_path / "films"), 1, 0)
    assert averaged.record["motion_px"] > 10

    (shard,) = (tmp_path / "cache").rglob("test/*.tar")
    made = shard.stat().st_mtime_ns
    open_data(tmp_path / "films")
    assert shard.stat().st_mtime_ns == made
    # the clips of the data set command are the same as these
    (of_shard,) = open_data(shard.parent).clips
    assert (of_shard.name, of_shard.identity) == ("walk/000000", "bert")
    assert np.array_equal(of_shard.open().frames, clip.open().frames)
    assert len(open_clips(shard)[0].frames) == 12


def test_a_video_without_faces_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path / "cache"))
    write_video(tmp_path / "wall.mp4", [np.full((96, 128, 3), 90, np.uint8)] * 8)
    with pytest.raises(InputError, match="no face was found in 1 of 1 files"):
        open_data(tmp_path / "wall.mp4")


def test_consecutive_ranges():
    assert consecutive_ranges([]) == []
    assert consecutive_ranges([4]) == [(4, 5)]
    assert consecutive_ranges([1, 2, 3, 7, 8, 10]) == [(1, 4), (7, 9), (10, 11)]
    assert consecutive_ranges(range(7), longest=3) == [(0, 3), (3, 6), (6, 7)]
