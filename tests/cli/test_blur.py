"""streamdeblur blur, run as users run it."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import wave
import weakref
from contextlib import contextmanager
from dataclasses import replace

import cv2
import numpy as np
import pytest

from streamdeblur.errors import OptionError, OutputError, StreamDeblurError
from streamdeblur.training.blur.observation import Observer
from streamdeblur.training.blur.options import BlurOptions
from streamdeblur.training.blur.response import srgb
from streamdeblur.training.blur.streaming import Frame, StreamExposer
from streamdeblur.training.blur.video import blur_video
from support.cli import run
from support.media.frames import plane_bytes
from support.media.motion import panned
from support.media.videos import VideoSpec, read_frames, stamps, write_video
from support.metrics import psnr


@pytest.fixture(scope="module")
def pictures(photograph):
    """25 frames of a camera that swings over a face."""
    return panned(photograph, [(round(20 * np.sin(n / 6)), n) for n in range(25)], (320, 240)).frames


@pytest.fixture(scope="module")
def source(tmp_path_factory, pictures):
    """Lossless, RGB, with time stamps that are not even."""
    stamps = tuple(3 * n + n % 2 for n in range(len(pictures)))
    recipe = VideoSpec(codec="ffv1", pixel_format="bgr0", options={}, pts=stamps)
    return write_video(tmp_path_factory.mktemp("blur") / "talk.mkv", pictures, recipe)


def pairs_of(folder):
    record = json.loads((folder / "pairs.json").read_text())
    for pair in record["pairs"]:
        yield pair, *(cv2.imread(str(folder / pair[kind]))[..., ::-1] for kind in ("blurry", "sharp"))


def test_pravg_as_a_folder_of_pictures(tmp_path, source, pictures):
    done = run("blur", source, tmp_path / "pairs", "--scheme", "pravg:7", "--response", "identity", "--json")
    assert done.exit_code == 0, done.stderr
    assert done.json["pairs"] == 19
    found = list(pairs_of(tmp_path / "pairs"))
    assert [pair["frame"] for pair, _, _ in found] == list(range(3, 22))
    assert len(os.listdir(tmp_path / "pairs")) == 2 * 19 + 1
    for pair, blurry, sharp in found[::6]:
        n = pair["frame"]
        assert (pair["length"], pair["first"], pair["last"], pair["stopped_by"]) == (7, n - 3, n + 3, "predefined")
        assert pair["seconds"] == pytest.approx(read_frames(source)[n].time)
        assert np.array_equal(sharp, pictures[n])
        assert np.array_equal(blurry, np.rint(pictures[n - 3 : n + 4].astype(int).mean(axis=0)))
        assert pair["motion_px"] > 2


def test_vla_finds_the_face_and_says_which_rule_stopped_it(tmp_path, source):
    summary = blur_video(source, tmp_path / "pairs", BlurOptions(every=4), video=False)
    assert summary.frames == 25
    assert sum(summary.stopped_by.values()) == summary.pairs >= 5
    for pair, blurry, sharp in pairs_of(tmp_path / "pairs"):
        assert pair["length"] % 2 == 1
        assert pair["first"] + pair["last"] == 2 * pair["frame"]
        assert pair["stopped_by"] in ("overlap", "quality", "oscillation", "cut", "still", "longest", "end")
        assert not np.array_equal(blurry, sharp)


def test_a_video_that_is_stored_turned_is_blurred_as_players_show_it(tmp_path, pictures):
    recipe = VideoSpec(codec="ffv1", pixel_format="bgr0", options={})
    upright = write_video(tmp_path / "upright.mkv", pictures[:9], recipe)
    stored = [np.ascontiguousarray(np.rot90(picture, -1)) for picture in pictures[:9]]
    turned = write_video(tmp_path / "turned.mkv", stored, replace(recipe, rotation=90))
    expected = blur_video(upright, tmp_path / "expected", BlurOptions(every=4), video=False)
    assert blur_video(turned, tmp_path / "pairs", BlurOptions(every=4), video=False).stopped_by == expected.stopped_by
    for (_, *pair), (_, *same) in zip(pairs_of(tmp_path / "pairs"), pairs_of(tmp_path / "expected"), strict=True):
        assert np.array_equal(pair, same)


def test_a_blurred_video_keeps_its_rotation(tmp_path, pictures):
    stored = [np.ascontiguousarray(np.rot90(picture, -1)) for picture in pictures[:5]]
    recipe = VideoSpec(codec="ffv1", pixel_format="bgr0", options={}, rotation=90)
    turned = write_video(tmp_path / "turned.mkv", stored, recipe)
    options = BlurOptions(scheme="pravg:3", response="identity", codec="ffv1")
    blur_video(turned, tmp_path / "blurry.mkv", options, video=True)
    for name, expected in (("blurry.mkv", np.rint(np.mean(stored[1:4], axis=0))), ("blurry.sharp.mkv", stored[2])):
        middle = read_frames(tmp_path / name)[1]
        assert middle.rotation == 90
        assert np.array_equal(middle.to_ndarray(format="rgb24"), expected)


def test_sequential_windows_show_each_frame_once_and_in_order(tmp_path, source):
    summary = blur_video(source, tmp_path / "pairs", BlurOptions(scheme="vla:sequential", longest=9), video=False)
    pairs = [pair for pair, *_ in pairs_of(tmp_path / "pairs")]
    assert len(pairs) == summary.pairs >= 5
    assert [pair["frame"] for pair in pairs] == sorted({pair["frame"] for pair in pairs})
    assert all(pair["length"] % 2 == 1 and pair["first"] + pair["last"] == 2 * pair["frame"] for pair in pairs)


def test_synthetic_blur_of_every_frame(tmp_path, source, pictures):
    options = BlurOptions(scheme="synthetic", extents=(9, 12), seed=4)
    for name in ("one", "two"):
        assert blur_video(source, tmp_path / name, options, video=False).pairs == 25
    first, second = (list(pairs_of(tmp_path / name)) for name in ("one", "two"))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, second, strict=True))
    assert all(9 <= pair["extent_px"] <= 12 for pair, _, _ in first)
    assert np.array_equal(first[24][2], pictures[24])


def test_camera_shake_is_added_to_averages(tmp_path, source):
    plain = BlurOptions(scheme="pravg:3", every=8)
    quality = []
    for options in (plain, plain.model_copy(update={"camera": 14.0})):
        blur_video(source, tmp_path / "pairs", options.model_copy(update={"overwrite": True}), video=False)
        quality.append(np.mean([psnr(blurry, sharp) for _, blurry, sharp in pairs_of(tmp_path / "pairs")]))
    assert quality[1] < quality[0] - 2
    assert next(pairs_of(tmp_path / "pairs"))[0]["camera_px"] == 14.0


def test_a_video_and_its_sharp_counterpart(tmp_path, source):
    done = run("blur", source, tmp_path / "blurry.mkv", "--scheme", "pravg:5", "--codec", "ffv1")
    assert done.exit_code == 0, done.stderr
    assert "21 pairs of 25 frames" in done.stdout
    assert sorted(os.listdir(tmp_path)) == ["blurry.json", "blurry.mkv", "blurry.sharp.mkv"]
    blurry, sharp, original = (read_frames(path) for path in (tmp_path / "blurry.mkv", tmp_path / "blurry.sharp.mkv", source))
    assert [f.time for f in blurry] == [f.time for f in sharp] == [f.time for f in original[2:-2]]
    record = json.loads((tmp_path / "blurry.json").read_text())
    assert (record["scheme"], len(record["pairs"])) == ("pravg:5", 21)
    frames = np.stack([f.to_ndarray(format="rgb24") for f in original])
    for n in (0, 20):
        assert np.array_equal(sharp[n].to_ndarray(format="rgb24"), frames[n + 2])
        intensity = np.rint(srgb().linearise(frames[n : n + 5]).astype(float).mean(axis=0)).astype(int)
        assert np.abs(blurry[n].to_ndarray(format="rgb24").astype(int) - srgb().develop(intensity)).max() <= 1


def test_colours_and_sound_of_ordinary_video_are_kept(tmp_path, pictures):
    flat = [np.full((96, 128, 3), (200, 60, 30), np.uint8) + np.uint8(n % 2) for n in range(12)]
    path = write_video(tmp_path / "in.mp4", flat, VideoSpec(audio="aac", options={"qp": "0"}))
    blur_video(path, tmp_path / "out.mp4", BlurOptions(scheme="pravg:3", quality=4), video=True)
    for name in ("out.mp4", "out.sharp.mp4"):
        frames = read_frames(tmp_path / name)
        assert (frames[0].format.name, int(frames[0].colorspace)) == ("yuv420p", 1)
        planes = [np.mean(plane) for plane in plane_bytes(frames[5])]
        assert planes == pytest.approx([np.mean(plane) for plane in plane_bytes(read_frames(path)[6])], abs=1.5)
        assert set(stamps(tmp_path / name)) == {0, 1}


def test_a_folder_of_videos(tmp_path, source):
    inputs = tmp_path / "in"
    (inputs / "day").mkdir(parents=True)
    (inputs / "a.mkv").write_bytes(source.read_bytes())
    (inputs / "day" / "b.mkv").write_bytes(source.read_bytes())
    (inputs / "broken.mp4").write_bytes(b"no video")
    done = run("blur", inputs, tmp_path / "out", "--scheme", "pravg:21", "--json")
    assert done.exit_code == 1
    assert "broken.mp4" in done.stderr
    assert done.json["done"] == 2
    assert sorted(str(path.parent.relative_to(tmp_path / "out")) for path in tmp_path.rglob("pairs.json")) == ["a", "day/b"]


def test_existing_outputs_are_kept_unless_told_otherwise(tmp_path, source):
    options = BlurOptions(scheme="pravg:21")
    blur_video(source, tmp_path / "pairs", options, video=False)
    with pytest.raises(OutputError, match="overwrite=True"):
        blur_video(source, tmp_path / "pairs", options, video=False)
    replacing = options.model_copy(update={"overwrite": True})
    (tmp_path / "pairs" / "stale.png").touch()
    blur_video(source, tmp_path / "pairs", replacing, video=False)
    assert not (tmp_path / "pairs" / "stale.png").exists()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.png").touch()
    with pytest.raises(OutputError, match="other files"):
        blur_video(source, tmp_path / "photos", replacing, video=False)
    assert sorted(os.listdir(tmp_path)) == ["pairs", "photos"]


def test_wrong_use_is_told_in_words_and_leaves_nothing(tmp_path, source):
    (tmp_path / "talk.mkv").write_bytes(source.read_bytes())
    for arguments, words in (
        (
            ["talk.mkv", "out", "--scheme", "pravg:8"],
            "Unknown blur scheme 'pravg:8'. Did you mean 'pravg:L'? Known: vla, vla:sequential, pravg:L, synthetic, "
            "synthetic:markov, synthetic:handshake (L: an odd number of frames",
        ),
        ([".", "out.mp4"], "Name a folder"),
    ):
        done = run("blur", *arguments, cwd=tmp_path)
        assert done.exit_code == 2, done.stdout
        assert words in " ".join(re.sub(r"[│╭╮╰╯─]", " ", done.stderr).split())
        assert "Traceback" not in done.stderr
        assert os.listdir(tmp_path) == ["talk.mkv"]


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("none.mkv", {}, "No such file"),
        ("talk.mkv", {"response": "film"}, "Known: identity"),
        ("talk.mkv", {"detector": "hog"}, "hog"),
        ("sound.wav", {}, "no video stream"),
        ("talk.mkv", {"scheme": "pravg:27"}, "too few frames: 25; pravg:27 averages at least 27"),
        ("talk.mkv", {"scheme": "pravg:25", "duration": 0.5}, "too few frames"),
        ("dots.mkv", {}, "too small"),
        ("still.mkv", {"scheme": "pravg:3"}, r"1 that differ \(9 in all\)"),
    ],
)
@pytest.mark.parametrize("video", [False, True])
def test_what_cannot_be_blurred_is_named_and_leaves_nothing(tmp_path, source, pictures, name, settings, words, video):
    (tmp_path / "talk.mkv").write_bytes(source.read_bytes())
    write_sound(tmp_path / "sound.wav")
    write_video(tmp_path / "dots.mkv", [np.zeros((16, 16, 3), np.uint8)] * 4)
    write_video(tmp_path / "still.mkv", [pictures[0]] * 9, VideoSpec(options={"qp": "0"}))
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(StreamDeblurError, match=words):
        blur_video(tmp_path / name, tmp_path / ("out.mkv" if video else "out"), BlurOptions(**settings), video=video)
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("scheme", ["mean", "pravg", "pravg:8", "pravg:1", "pravg:x", "vla:3", ""])
def test_unknown_schemes_are_refused(scheme):
    with pytest.raises(OptionError, match=rf"scheme '{scheme}'\. .*Known: vla, vla:sequential, pravg:L, synthetic"):
        BlurOptions(scheme=scheme)


def write_sound(path):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(4000))


@contextmanager
def small_disk(size):
    """No file may become larger than this: what a full disk does to a program."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("name", ["out", "out.mkv"])
@pytest.mark.parametrize("size", [100, 2_000, 60_000])
def test_a_full_disk_leaves_nothing(tmp_path, source, name, size):
    with small_disk(size), pytest.raises(OutputError, match="No space left"):
        blur_video(source, tmp_path / name, BlurOptions(scheme="pravg:3"), video=name.endswith("mkv"))
    assert os.listdir(tmp_path) == []


def test_memory_does_not_grow_with_the_length(pictures):
    """No more frames are held than one average takes."""
    alive = weakref.WeakSet()

    def frames():
        observer = Observer()
        for n in range(60):
            pixels = np.array(pictures[n % len(pictures)])
            frame = Frame(observer(pixels), pixels, None)
            alive.add(frame)
            yield frame

    exposures = StreamExposer(BlurOptions(scheme="pravg:5", response="identity")).expose(frames())
    assert max(len(alive) for _ in exposures) <= 7
