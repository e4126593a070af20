"""Videos against the sharp one: frames matched by time, the same windows of faces, metrics computed again by other means."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from streamdeblur.errors import InputError, OptionError
from streamdeblur.evaluation.comparison.compare import compare, video_names
from streamdeblur.evaluation.comparison.faces import SEQUENCE_LENGTH, find_faces
from streamdeblur.evaluation.comparison.synchronised import synchronised_frames
from streamdeblur.evaluation.evaluator import Evaluator, EvaluatorSettings
from streamdeblur.evaluation.metrics.flicker import residual_flicker
from streamdeblur.evaluation.metrics.temporal import temporal_stability
from streamdeblur.evaluation.report.tables import notes
from streamdeblur.evaluation.summary import summarise
from support.media.datasets import shot
from support.media.videos import VideoSpec, write_video
from support.metrics import psnr

FRAMES = 30
SHORT = SEQUENCE_LENGTH + 1
"""Frames that suffice where one run is enough."""
WANG = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
PLAIN = EvaluatorSettings("none", "none", "none")


def lossless(path, pictures, stamps=None):
    """A video whose decoded pixels are these pictures, uint8 RGB; stamps: times in 1/100 s, 25 frames a second by default."""
    stamps = stamps or [4 * n for n in range(len(pictures))]
    recipe = VideoSpec(codec="ffv1", pixel_format="bgr0", options={}, time_base=Fraction(1, 100), pts=tuple(stamps))
    return write_video(path, pictures, recipe)


def flat(value):
    return np.full((48, 64, 3), value, np.uint8)


def flat_video(path, values, stamps):
    """Frames of one grey value each, at these times in 1/100 s."""
    return lossless(path, [flat(value) for value in values], stamps)


def values_of(moments):
    """Number, and grey value in every video, of each moment."""
    return [(one.number, *(int(planes.arrays[0].flat[0]) for planes in (one.sharp, *one.others))) for one in moments]


@pytest.fixture(scope="module")
def pictures(photograph):
    """By name, what videos of one face show: sharp, blurred, blurred by half, and sharp but brighter in every other frame."""
    # The frames are so large that the windows of the face have 256 px.
    sharp = [cv2.resize(frame, (400, 360), interpolation=cv2.INTER_CUBIC) for frame in shot(photograph, "dora", FRAMES, (1, 1))]
    blurred = [cv2.blur(frame, (9, 1)) for frame in sharp]
    half = [cv2.addWeighted(a, 0.5, b, 0.5, 0.0) for a, b in zip(sharp, blurred, strict=True)]
    flickering = [np.clip(frame.astype(int) + 2 + 6 * (n % 2), 0, 255).astype(np.uint8) for n, frame in enumerate(sharp)]
    return {"sharp": sharp, "blurred": blurred, "half": half, "flickering": flickering}


@pytest.fixture(scope="module")
def paths(tmp_path_factory, pictures):
    folder = tmp_path_factory.mktemp("videos")
    return {name: lossless(folder / f"{name}.mkv", frames) for name, frames in pictures.items()}


@pytest.fixture(scope="module")
def short_paths(tmp_path_factory, pictures):
    folder = tmp_path_factory.mktemp("short videos")
    return {name: lossless(folder / f"{name}.mkv", frames[:SHORT]) for name, frames in pictures.items()}


@pytest.fixture(scope="module")
def faces(paths):
    return find_faces(paths["sharp"], [paths[name] for name in ("blurred", "half", "flickering")])


@pytest.fixture(scope="module")
def found(faces):
    return compare(faces, Evaluator(PLAIN), limit=6)


def test_frames_are_matched_by_their_time_since_the_first(tmp_path):
    sharp = flat_video(tmp_path / "sharp.mkv", [10, 20, 30, 40, 50], [0, 4, 8, 12, 16])
    late = flat_video(tmp_path / "late.mkv", [11, 21, 31, 41, 51, 61], [40, 44, 48, 52, 56, 60])
    holed = flat_video(tmp_path / "holed.mkv", [12, 22, 42, 52], [0, 4, 12, 16])
    short = flat_video(tmp_path / "short.mkv", [13, 23, 33, 43], [0, 4, 8, 12])
    assert values_of(synchronised_frames(sharp, [late, holed])) == [
        (0, 10, 11, 12),
        (1, 20, 21, 22),
        (3, 40, 41, 42),
        (4, 50, 51, 52),
    ]
    assert values_of(synchronised_frames(sharp, [short, late])) == [
        (0, 10, 13, 11),
        (1, 20, 23, 21),
        (2, 30, 33, 31),
        (3, 40, 43, 41),
    ]


def test_half_a_frame_is_how_far_times_may_differ(tmp_path):
    sharp = flat_video(tmp_path / "sharp.mkv", [10, 20, 30, 40], [0, 4, 8, 12])
    near = flat_video(tmp_path / "near.mkv", [11, 21, 31, 41], [0, 5, 7, 12])
    far = flat_video(tmp_path / "far.mkv", [12, 22, 42], [0, 7, 12])
    assert values_of(synchronised_frames(sharp, [near])) == [(0, 10, 11), (1, 20, 21), (2, 30, 31), (3, 40, 41)]
    # 0.07 s is nearer to the third frame than to the second
    assert values_of(synchronised_frames(sharp, [far])) == [(0, 10, 12), (2, 30, 22), (3, 40, 42)]


def test_frames_at_uneven_times_stay_together(tmp_path):
    stamps = [0, 1, 2, 30, 31, 70]
    sharp = flat_video(tmp_path / "sharp.mkv", [10, 20, 30, 40, 50, 60], stamps)
    other = flat_video(tmp_path / "other.mkv", [11, 21, 31, 41, 51, 61], stamps)
    assert [values[1:] for values in values_of(synchronised_frames(sharp, [other]))] == [(v, v + 1) for v in range(10, 70, 10)]


def test_faces_are_spread_over_the_video_and_over_people(tmp_path, photograph):
    half = cv2.resize(photograph, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    scene = [np.ascontiguousarray(half[:, n : n + 600]) for n in range(15)]
    found = find_faces(lossless(tmp_path / "scene.mkv", scene), [])
    assert len({detection.track for detection in found.detections}) >= 4
    chosen = found.spread(12)
    assert len(chosen) == 12
    shares = [sum(detection.track == track for detection in chosen) for track in {detection.track for detection in chosen}]
    assert len(shares) >= 4
    assert max(shares) <= 4
    assert np.mean([detection.number for detection in chosen]) == pytest.approx(7, abs=2)
    assert len(found.spread(None)) == len(found.detections)


def window(picture, place):
    """A window whose side is 256 px, cut out by hand; beyond the border the border is repeated."""
    assert place.side == 256
    padded = np.pad(picture, ((256, 256), (256, 256), (0, 0)), mode="edge")
    return padded[256 + place.top : 512 + place.top, 256 + place.left : 512 + place.left]


@pytest.mark.parametrize("name", ["blurred", "half", "flickering"])
def test_figures_are_those_of_the_windows_and_of_the_whole_frames(pictures, faces, found, name):
    results = {result.case: result.metrics for result in found.results[f"{name}.mkv"]}
    chosen = faces.spread(6)
    assert set(results) == {place.name for place in chosen}
    for place in chosen:
        whole, whole_sharp = pictures[name][place.number], pictures["sharp"][place.number]
        face, sharp = window(whole, place), window(whole_sharp, place)
        figures = results[place.name]
        assert figures["psnr"] == pytest.approx(psnr(sharp, face), abs=1e-3)
        assert figures["ssim"] == pytest.approx(structural_similarity(sharp, face, channel_axis=2, **WANG), abs=1e-6)
        difference = face.astype(float) - sharp
        edges = sum(abs(np.diff(difference, axis=axis)).mean() for axis in (0, 1))
        assert figures["gradient"] == pytest.approx(edges, abs=1e-6)
        assert figures["frame"] == pytest.approx(psnr(whole_sharp, whole), abs=1e-3)


def test_groups_are_seconds(faces, found):
    groups = {result.case: result.group for result in found.results["half.mkv"]}
    assert groups == {place.name: f"second {place.number // 25}" for place in faces.spread(6)}


def test_flicker_is_measured_in_windows_that_stand_still(pictures, faces, found):
    runs = faces.sequence_starts()
    assert [run.number for run in runs] == [0, SEQUENCE_LENGTH]
    for name in ("blurred", "flickering"):
        for run, measured in zip(runs, found.stabilities[f"{name}.mkv"], strict=True):
            cut = {
                kind: [np.ascontiguousarray(window(pictures[kind][run.number + n], run)) for n in range(SEQUENCE_LENGTH)]
                for kind in (name, "sharp")
            }
            wanted = temporal_stability(cut[name], cut["sharp"])
            assert measured.restored == pytest.approx(wanted.restored)
            assert measured.sharp == pytest.approx(wanted.sharp)
    shares = {one.method: one.share.value for one in summarise(found).stabilities}
    assert shares["blurred.mkv"] < 100.0 < shares["flickering.mkv"]


def test_flicker_is_relative_to_that_of_the_first_video(pictures, faces, found):
    rows = {row.method: row for row in summarise(found).flickers}
    assert rows["blurred.mkv"].flicker_ratio.value == 1.0
    # half of the blur is half of its flicker, but for rounding; a video whose every other frame is brighter by 6 flickers by 6
    assert rows["half.mkv"].flicker_ratio.value == pytest.approx(0.5, abs=0.03)
    assert rows["flickering.mkv"].flicker.value == pytest.approx(6.0, abs=0.1)
    run = faces.sequence_starts()[0]
    crops = [[window(pictures[kind][run.number + n], run) for n in range(SEQUENCE_LENGTH)] for kind in ("blurred", "sharp")]
    assert found.flickers["blurred.mkv"][0].flicker == pytest.approx(residual_flicker(*crops))
    assert rows["half.mkv"].velocity is None


def test_the_first_video_is_tested_against_each_other(found):
    tests = summarise(found).tests
    assert [(test.first, test.second) for test in tests] == [("blurred.mkv", "half.mkv"), ("blurred.mkv", "flickering.mkv")]
    # two seconds: differences of one sign come by chance half of the time
    assert tests[0].p_value == 0.5


def test_the_first_video_has_a_place_and_what_is_worse_is_marked(found):
    rows = {row.method: row for row in summarise(found).rows}
    assert summarise(found).baseline == "blurred.mkv"
    for name in ("psnr", "ssim", "gmsd", "gradient", "frame"):
        assert sorted(row.places[name] for row in rows.values()) == [1, 2, 3]
        behind = [method for method, row in rows.items() if row.places[name] > rows["blurred.mkv"].places[name]]
        assert [method for method, row in rows.items() if name in row.worse] == behind
    assert rows["half.mkv"].worse == ()


def test_one_video_alone_has_no_places(short_paths):
    summary = summarise(compare(find_faces(short_paths["sharp"], [short_paths["half"]]), Evaluator(PLAIN), limit=2))
    assert [row.places for row in summary.rows] == [{}]


def test_a_video_against_itself_is_perfect(short_paths):
    faces = find_faces(short_paths["sharp"], [short_paths["sharp"]])
    summary = summarise(compare(faces, Evaluator(PLAIN), limit=3))
    assert faces.matched == SHORT
    figures = {name: figure.value for name, figure in summary.rows[0].metrics.items()}
    assert figures == {"psnr": 100.0, "ssim": 1.0, "ssim_uniform": 1.0, "gmsd": 0.0, "gradient": 0.0, "frame": 100.0}
    assert summary.stabilities[0].share.value == 100.0


def test_landmarks_and_identities(short_paths):
    pytest.importorskip("dlib", reason="dlib comes with the extra eval")
    faces = find_faces(short_paths["sharp"], [short_paths["sharp"], short_paths["blurred"]])
    summary = summarise(compare(faces, Evaluator(EvaluatorSettings("dlib", "none", "dlib")), limit=2))
    same, blurred = summary.rows
    assert summary.flickers[0].velocity.value == 0.0 < summary.flickers[1].velocity.value
    assert (same.metrics["auc"].value, same.metrics["failure"].value) == (1.0, 0.0)
    assert same.metrics["cosine"].value == pytest.approx(1.0)
    assert 0.0 < blurred.metrics["auc"].value < 1.0
    assert 0.5 < blurred.metrics["cosine"].value < 1.0


def test_without_a_sharp_video_only_what_needs_none_is_measured(short_paths):
    faces = find_faces(None, [short_paths["blurred"], short_paths["sharp"], short_paths["flickering"]])
    summary = summarise(compare(faces, Evaluator(PLAIN), limit=3))
    rows = {row.method: {name: figure.value for name, figure in row.metrics.items()} for row in summary.rows}
    assert all(set(row) == {"sharpness"} for row in rows.values())
    assert rows["blurred.mkv"]["sharpness"] < rows["sharp.mkv"]["sharpness"]
    assert (summary.baseline, summary.flicker_reference, summary.stabilities) == ("blurred.mkv", False, [])
    ratios = {row.method: row.flicker_ratio.value for row in summary.flickers}
    assert ratios["blurred.mkv"] == 1.0
    assert ratios["flickering.mkv"] > 2.0
    assert any("The sharp video is unknown" in note for note in notes(summary))


def test_videos_of_another_size_are_refused(tmp_path, paths, pictures):
    small = lossless(tmp_path / "small.mkv", [cv2.resize(frame, (160, 144)) for frame in pictures["sharp"][:2]])
    with pytest.raises(InputError, match=r"small\.mkv is 160 x 144, and .*sharp\.mkv is 400 x 360"):
        find_faces(paths["sharp"], [small])


def test_a_video_without_faces_is_no_reference(tmp_path):
    room = flat_video(tmp_path / "room.mkv", [9, 9, 9], [0, 4, 8])
    with pytest.raises(InputError, match=r"No face .*room\.mkv"):
        find_faces(room, [room])


def test_videos_whose_frames_are_at_other_times_are_refused(tmp_path):
    sharp = flat_video(tmp_path / "sharp.mkv", [1, 2, 3], [0, 4, 8])
    slow = flat_video(tmp_path / "slow.mkv", [1, 2], [0, 90])
    with pytest.raises(InputError, match="Only the first frames"):
        find_faces(sharp, [slow])


def test_names_tell_videos_apart(tmp_path):
    assert video_names([tmp_path / "a.mp4", tmp_path / "b.mp4"]) == ["a.mp4", "b.mp4"]
    both = [tmp_path / "x" / "a.mp4", tmp_path / "y" / "a.mp4"]
    assert video_names(both) == [str(path) for path in both]
    with pytest.raises(OptionError, match="twice"):
        video_names([tmp_path / "a.mp4"] * 2)
