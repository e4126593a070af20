"""The builder: what is kept of a folder of videos, and that it is the same whoever makes it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamdeblur.errors import InputError, OutputError
from streamdeblur.training.datasets.clips import build_clips
from streamdeblur.training.datasets.frame_changes import cuts, repeats
from streamdeblur.training.datasets.options import ClipsOptions
from streamdeblur.training.datasets.part_tasks import make_parts
from streamdeblur.training.datasets.random_access import open_clips
from streamdeblur.training.datasets.shards import find_shards, read_samples
from support.cli import run, start
from support.media.datasets import HEIGHT, PLACES, WIDTH, shard_bytes, shot
from support.media.videos import VideoSpec, read_frames, write_video
from support.metrics import psnr
from support.tasks import task_that_kills_its_process, task_that_works

OPTIONS = ClipsOptions(min_frames=10, held_out=0.5)
SETTINGS = ("--min-frames", 10, "--held-out", 0.5)


def clips_of(folder):
    return [clip for split in ("train", "test") for clip in open_clips(folder / split)]


@pytest.fixture(scope="module")
def clips(built):
    return {(clip.record["source"], clip.record["source_frames"][0]): clip for clip in clips_of(built[0])}


def test_good_runs_are_kept_and_the_rest_is_told(built, clips):
    sources = {source["file"]: source for source in built[1]["sources"]}
    assert set(clips) == {("anna/cut.mp4", 0), ("anna/cut.mp4", 16), ("bert/shot.mp4", 0), ("cleo/shot.mp4", 0)}
    assert sources["cleo/copy.mp4"]["problem"] == "the same file as bert/shot.mp4"
    assert sources["cleo/again.mkv"]["dropped"] == {"duplicates": 1}
    for name in ("cut_off", "empty", "text"):
        assert sources[f"cleo/{name}.mp4"]["problem"]
    assert "notes.txt" not in sources
    assert json.loads((built[0] / "dataset.json").read_text()) == built[1]


def test_frames_that_repeat_are_left_out_and_the_rate_is_that_of_the_others(clips):
    record = clips["anna/cut.mp4", 0].record
    assert record["source_frames"] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 14, 15]
    assert record["fps"] == pytest.approx(13 / (15 / 25), abs=0.01)
    assert clips["bert/shot.mp4", 0].fps == 25


def test_a_clip_ends_where_the_shot_does(clips, photograph):
    """The video shows another person from its frame 16 on."""
    first, second = clips["anna/cut.mp4", 0], clips["anna/cut.mp4", 16]
    assert first.record["source_frames"][-1] == 15
    assert second.record["source_frames"] == list(range(16, 30))
    assert alike(first, -1, shot(photograph, "anna")[-1])
    assert alike(second, 0, shot(photograph, "bert")[0])
    assert not alike(second, 0, shot(photograph, "anna")[-1])


def alike(clip, number, picture):
    """Whether a frame of a clip is its window of a picture, as far as resampling and compression let it be."""
    window, size = clip.record["window"], clip.record["size"]
    part = picture[window["top"] :, window["left"] :][: window["side"], : window["side"]]
    part = cv2.resize(part, (size, size), interpolation=cv2.INTER_CUBIC).astype(float)
    return psnr(part, clip.frames[number]) > 34


def test_the_window_stands_still_so_that_the_motion_is_the_faces_own(clips, photograph):
    clip = clips["bert/shot.mp4", 0]
    window, scale = clip.record["window"], clip.record["size"] / clip.record["window"]["side"]
    middle = (clip.boxes[:, :2] + clip.boxes[:, 2:]) / 2
    steps = np.polyfit(np.arange(len(middle)), middle, 1)[0]
    assert steps == pytest.approx([-2 * scale, 2 * scale], abs=0.2)
    assert clip.record["motion"]["mean"] == pytest.approx(np.hypot(2, 2) * 256 / (1.7 * clip.record["face_px"]), rel=0.15)
    # where the face is known to be: in the middle of frame 8, at PLACES in the photograph
    assert (middle[8] / scale + [window["left"], window["top"]]) == pytest.approx([WIDTH / 2, HEIGHT / 2], abs=12)
    assert clip.landmarks.shape == (len(clip.frames), 5, 2)
    eyes, mouth = clip.landmarks[:, :2].mean(axis=1), clip.landmarks[:, 3:].mean(axis=1)
    assert (clip.boxes[:, 1] < eyes[:, 1]).all()
    assert (eyes[:, 1] + 20 < mouth[:, 1]).all()
    assert (mouth[:, 1] < clip.boxes[:, 3]).all()


def test_a_window_near_its_own_scale_is_not_resampled(clips, photograph):
    clip = clips["anna/cut.mp4", 0]
    window = clip.record["window"]
    assert clip.record["size"] == window["side"]
    assert alike(clip, 6, shot(photograph, "anna")[6])


def test_crops_show_the_face_at_the_size_of_a_crop(clips):
    for clip in clips.values():
        size = np.median((clip.boxes[:, 2:] - clip.boxes[:, :2]).max(axis=1))
        assert 1.7 * size == pytest.approx(256, rel=0.12)
        assert 256 <= clip.frames.shape[1] == clip.frames.shape[2] <= 320
        assert np.median(clip.sharpness) == pytest.approx(clip.record["sharpness"], abs=0.1)


def test_no_person_is_on_both_sides(built):
    sides = [{clip.identity.partition("#")[0] for clip in open_clips(built[0] / split)} for split in ("train", "test")]
    assert all(sides)
    assert not sides[0] & sides[1]


@pytest.mark.slow
def test_a_build_that_was_killed_goes_on_and_gives_the_same_bytes(tmp_path, monkeypatch, video_folder, built):
    """By two processes, whose memory begins with other contents (glibc fills it with the byte that is named)."""
    monkeypatch.setenv("MALLOC_PERTURB_", "85")
    out = tmp_path / "out"
    build = ("dataset", "build", video_folder, out, "--workers", "2", *SETTINGS)
    process = start(*build, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not parts_in(out):
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.005)
    workers = children_of(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for worker in workers:
        while Path(f"/proc/{worker}").exists():
            time.sleep(0.01)
    left = parts_in(out)
    assert 1 <= len(left) < 8
    with pytest.raises(InputError, match="not complete"):
        open_clips(out)
    steps = []
    build_clips(
        video_folder, out, OPTIONS, workers=2,
        on_progress=lambda step: steps.append((step.done, left.items() <= parts_in(out).items())),
    )  # fmt: skip
    assert steps == [(n, True) for n in range(1, 9)]
    assert shard_bytes(out) == shard_bytes(built[0])
    assert not (out / ".parts").exists()


def children_of(process):
    """Processes that it started; none where the system does not say."""
    listed = Path(f"/proc/{process}/task/{process}/children")
    return listed.read_text().split() if listed.exists() else []


def test_the_command_tells_what_was_kept_and_what_was_not(video_folder, built):
    """(the data set is complete: nothing is made)"""
    done = run("dataset", "build", video_folder, built[0], *SETTINGS, "--json")
    assert done.exit_code == 0, done.stderr
    report = done.json
    assert report["kept"] == built[1]["kept"]
    assert {source["file"] for source in report["bad"]} == {f"cleo/{n}.mp4" for n in ("copy", "cut_off", "empty", "text")}
    assert "cleo/text.mp4" in done.stderr
    assert report["dropped"] == {"duplicates": 1}


def parts_in(out):
    """Finished parts and their times."""
    return {part.name: part.stat().st_mtime_ns for part in out.glob(".parts/*.tar") if part.name[0] != "."}


def test_what_is_complete_is_not_made_again_and_nothing_else_is_overwritten(video_folder, built):
    folder, summary = built
    before = shard_bytes(folder)
    steps = []
    assert build_clips(video_folder, folder, OPTIONS, on_progress=steps.append) == summary
    assert steps == []
    with pytest.raises(OutputError, match="overwrite=True"):
        build_clips(video_folder, folder, ClipsOptions(min_frames=12))
    with pytest.raises(OutputError, match="not empty"):
        build_clips(video_folder, video_folder / "anna")
    assert shard_bytes(folder) == before


def test_a_video_that_takes_its_process_down_is_left_out(tmp_path):
    """It dies at the moment when another part is there, of which the pool may not have told yet."""
    jobs = [task_that_works("a"), task_that_kills_its_process("b", tmp_path / "c.tar"), task_that_works("c")]
    assert sorted(job.part for job in make_parts(jobs, tmp_path, 2)) == ["a", "b", "c"]
    contents = {name: [sample.record["text"] for sample in read_samples(tmp_path / f"{name}.tar")] for name in "abc"}
    assert contents == {"a": ["worked"], "b": ["the process that read it died"], "c": ["worked"]}


def test_small_short_soft_and_absent_faces_are_told_apart(tmp_path, photograph):
    pictures = shot(photograph, "anna", 12)
    smaller = [cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for picture in pictures]
    (tmp_path / "in").mkdir()
    write_video(tmp_path / "in" / "short.mp4", pictures[:6])
    write_video(tmp_path / "in" / "small.mp4", smaller)
    write_video(tmp_path / "in" / "soft.mp4", [cv2.GaussianBlur(p, (0, 0), 4) for p in pictures])
    write_video(tmp_path / "in" / "empty.mp4", [np.full((120, 160, 3), n, np.uint8) for n in range(12)])
    write_video(tmp_path / "in" / "still.mp4", pictures[:1] * 12)
    write_video(tmp_path / "in" / "fields.mp4", pictures, VideoSpec(fields="tff"))
    with pytest.raises(
        InputError, match=r"1 of 6 files .*interlaced.*no face was found in 1 of 6 files; runs too short: 2; "
    ) as caught:
        build_clips(tmp_path / "in", tmp_path / "out", OPTIONS)
    assert "faces too small: 1" in str(caught.value)
    assert "runs not sharp enough: 1" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_turned_video_is_cut_upright(tmp_path, photograph):
    turned = [np.ascontiguousarray(np.rot90(p, -1)) for p in shot(photograph, "anna", 10)]
    write_video(tmp_path / "phone.mp4", turned, VideoSpec(options={"crf": "10"}, rotation=90))
    assert read_frames(tmp_path / "phone.mp4")[0].rotation == 90
    build_clips(tmp_path / "phone.mp4", tmp_path / "out", ClipsOptions(min_frames=8, held_out=0))
    (clip,) = open_clips(tmp_path / "out")
    assert (clip.landmarks[:, :2, 1] < clip.landmarks[:, 3:, 1].min()).all()
    assert clip.identity == "phone"


def test_black_bars_are_no_part_of_a_clip(tmp_path, photograph):
    framed = [cv2.copyMakeBorder(p, 40, 60, 20, 0, cv2.BORDER_CONSTANT) for p in shot(photograph, "anna", 10)]
    write_video(tmp_path / "bars.mp4", framed, VideoSpec(options={"crf": "20"}))
    build_clips(tmp_path / "bars.mp4", tmp_path / "out", ClipsOptions(min_frames=8, held_out=0))
    (clip,) = open_clips(tmp_path / "out")
    window = clip.record["window"]
    assert window["left"] >= 20
    assert 40 <= window["top"] <= window["top"] + window["side"] <= 40 + HEIGHT
    assert min(edge.mean() for edge in (clip.frames[:, :3], clip.frames[:, -3:], clip.frames[:, :, :3])) > 30


def test_two_people_at_a_time_are_two_people(tmp_path, photograph):
    x, y = PLACES["anna"]
    wide = [np.ascontiguousarray(photograph[y - 200 : y + 250, x - 140 + 2 * n : x + 440 + 2 * n]) for n in range(10)]
    write_video(tmp_path / "pair.mp4", wide, VideoSpec(options={"crf": "10"}))
    build_clips(tmp_path / "pair.mp4", tmp_path / "out", ClipsOptions(min_frames=8, held_out=0))
    assert sorted(clip.identity for clip in open_clips(tmp_path / "out")) == ["pair", "pair#2"]


def test_shards_are_webdataset(built):
    webdataset = pytest.importorskip("webdataset")
    shards = [str(shard) for split in ("train", "test") for shard in find_shards(built[0] / split)]
    samples = list(webdataset.WebDataset(shards, shardshuffle=False))
    assert len(samples) == 4
    for sample in samples:
        assert sample["mp4"][4:8] == b"ftyp"
        assert sample["__key__"].startswith(json.loads(sample["json"])["source_sha256"][:16])


def test_repeats_are_told_from_people_who_sit_still():
    moving = np.array([np.inf, 20, 22, 1.5, 18, 25, 3.0, 21, 19, 24, 23, 20])
    assert repeats(moving) == {3, 6}
    assert repeats(np.array([np.inf] + [3.0, 2.5, 2.0, 3.5, 2.2] * 4)) == frozenset()
    assert repeats(np.array([np.inf, 0.1, 0.0, 0.2, 0.0])) == {1, 2, 3, 4}


def test_cuts_are_told_from_motion():
    calm = [0.0, 1, 2, 1, 2, 1, 2, 1, 2]
    assert cuts(np.array([*calm, 30, *calm])) == {9}
    assert cuts(np.array([*calm, 5.5, *calm])) == frozenset()
    assert cuts(np.array([0.0] + [15, 18, 30, 22, 17, 20, 16] * 3)) == frozenset()
