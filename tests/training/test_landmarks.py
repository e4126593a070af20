"""The training of the landmark network: its faces, their annotation, its views, its loss, and a run that resumes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from streamdeblur.errors import InputError, OptionError
from streamdeblur.evaluation.metrics.heatmap_landmarks import SIDE
from streamdeblur.evaluation.metrics.landmark_detectors import open_landmark_detector
from streamdeblur.training.checkpoint import read_checkpoint
from streamdeblur.training.datasets.pictures import jpeg_bytes
from streamdeblur.training.datasets.random_access import open_clips, open_stills
from streamdeblur.training.datasets.shards import Sample, json_bytes, write_shards
from streamdeblur.training.landmarks.annotation import Annotations, annotate, read_or_annotate
from streamdeblur.training.landmarks.augmentation import degraded, plain_view, sample_view
from streamdeblur.training.landmarks.faces import SharpFaces
from streamdeblur.training.landmarks.network import REDUCTION, places
from streamdeblur.training.landmarks.settings import AugmentationSettings, LandmarkConfig
from streamdeblur.training.landmarks.training import AnnotatedFaces, landmark_loss, train_landmarks
from support.media.motion import panned, steady
from support.media.videos import VideoSpec, write_video
from support.models.trainings import TINY_LANDMARKS

PLAIN = dict.fromkeys(("blurred", "resampled", "occluded", "noisy", "compressed"), 0.0)


@pytest.fixture(scope="module")
def detector():
    return open_landmark_detector("heatmap")


@pytest.fixture(scope="module")
def face(photograph):
    """uint8 RGB [256, 256, 3]: one face, in its middle."""
    return np.ascontiguousarray(cv2.resize(photograph[304:514, 691:901], (256, 256), interpolation=cv2.INTER_CUBIC))


@pytest.fixture(scope="module")
def annotated(face, detector):
    """A face, and where its landmarks are."""
    return AnnotatedFaces([face], annotate([face], detector), np.array([0]))


def test_faces_are_sharp_stills_and_the_sharpest_frames(tmp_path, monkeypatch, face):
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path / "cache"))
    (tmp_path / "faces").mkdir()
    for name in ("sharp", "soft", "unknown"):
        (tmp_path / "faces" / f"{name}.jpg").write_bytes(jpeg_bytes(face))
    (tmp_path / "faces.csv").write_text("file,identity,sharpness\nsharp.jpg,a,50\nsoft.jpg,a,10\n")
    stills = open_stills(tmp_path / "faces")
    faces = SharpFaces([stills], [], least_sharpness=30.0, frames_per_clip=2)
    assert len(faces) == 2
    assert all(one.shape == (256, 256, 3) for one in faces)
    assert faces.digest != SharpFaces([stills], [], 0.0, 2).digest
    with pytest.raises(InputError, match="sharp enough"):
        SharpFaces([], [], 30.0, 2)


def test_frames_are_the_sharpest_of_each_part_in_the_window_of_the_face(tmp_path, photograph):
    frames = panned(photograph, steady(4, 6), (300, 300)).frames
    record = {
        "frames": 6, "size": 300, "fps": 25.0, "boxes": [[100, 100, 200, 200]] * 6, "sharpness_of_frames": [1, 3, 2, 9, 8, 7],
    }  # fmt: skip
    write_video(tmp_path / "clip.mp4", list(frames), VideoSpec(options={"crf": "6", "preset": "veryfast"}))
    sample = Sample("clip", {"mp4": (tmp_path / "clip.mp4").read_bytes(), "json": json_bytes(record)})
    write_shards(tmp_path / "clips", "clips", [sample])
    faces = SharpFaces([], [open_clips(tmp_path / "clips")], 0.0, 2)
    assert len(faces) == 2
    # 1.7 times the box
    expected = [cv2.resize(frames[n][65:235, 65:235], (256, 256)).astype(int) for n in range(6)]
    nearest = [int(np.argmin([np.abs(one - face).mean() for one in expected])) for face in faces[:2]]
    assert nearest == [1, 3]


def test_a_teacher_is_asked_in_views_that_agree(tmp_path, annotated, face, detector):
    found = annotated.found
    assert found.disagreement[0] < 0.02
    middle = found.points[0].mean(0)
    assert np.abs(middle - 128).max() < 40
    again = read_or_annotate(tmp_path / "points.npz", [face], "one face", detector)
    (tmp_path / "points.npz").chmod(0o444)
    kept = read_or_annotate(tmp_path / "points.npz", [], "one face", detector)
    assert np.array_equal(again.points, kept.points)
    assert len(read_or_annotate(tmp_path / "points.npz", [], "no face", detector).points) == 0


def test_faces_on_which_a_teacher_disagrees_with_itself_are_left_out():
    found = Annotations(np.zeros((4, 68, 2), np.float32), np.float32([0.01, 0.2, 0.005, 0.02]))
    assert found.best(0.5).tolist() == [0, 2]
    assert found.best(1.0).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("wide", [0.0, 1.0])
def test_points_follow_their_view(annotated, wide):
    points = annotated.found.points[0].astype(np.float64)
    dotted = np.full((256, 256, 3), 128, np.uint8)
    for x, y in points:
        cv2.circle(dotted, (round(x * 16), round(y * 16)), 48, (255, 255, 255), -1, cv2.LINE_AA, 4)
    settings = AugmentationSettings(wide=wide, **PLAIN)
    for seed in range(6):
        view = sample_view(np.random.default_rng(seed), dotted, points, settings)
        inside = view.points[((view.points > 1) & (view.points < SIDE - 2)).all(1)]
        assert len(inside) > 50
        values = [view.luma[round(y), round(x)] for x, y in inside]
        assert np.mean(values) > np.median(view.luma) + 20, seed


def test_views_depend_on_their_seed_alone(annotated, face):
    settings = AugmentationSettings(blurred=1, resampled=1, occluded=1, noisy=1, compressed=1)
    points = annotated.found.points[0]
    first, again, other = (sample_view(np.random.default_rng(seed), face, points, settings) for seed in (1, 1, 2))
    assert np.array_equal(first.luma, again.luma)
    assert not np.array_equal(first.luma, other.luma)
    plain = plain_view(face, points).luma
    assert not np.array_equal(degraded(np.random.default_rng(0), plain, settings), plain)


def test_the_loss_is_a_distance_and_a_cross_entropy():
    random = np.random.default_rng(0)
    side = SIDE // REDUCTION
    heatmaps, points = random.normal(size=(2, 68, side, side)), random.uniform(8, 120, (2, 68, 2))
    at = places().numpy().astype(np.float64)
    expected = []
    for heatmap, (x, y) in zip(heatmaps.reshape(-1, side, side), points.reshape(-1, 2), strict=True):
        found = np.exp(heatmap) / np.exp(heatmap).sum()
        gaussian = np.exp(-((at[None] - x) ** 2 + (at[:, None] - y) ** 2) / 2 / (1.5 * REDUCTION) ** 2)
        distance = np.hypot((found.sum(0) * at).sum() - x, (found.sum(1) * at).sum() - y) / REDUCTION
        expected.append(distance - 0.3 * (gaussian / gaussian.sum() * np.log(found)).sum())
    loss = landmark_loss(torch.from_numpy(heatmaps).float(), torch.from_numpy(points).float(), 1.5)
    assert loss.item() == pytest.approx(np.mean(expected), rel=1e-4)


class CutOffError(Exception):
    """A training ends here, as a kill would end it."""


class UpTo(list):
    """Faces that can be looked at a number of times."""

    left = 4

    def __getitem__(self, index):
        self.left -= 1
        if self.left < 0:
            raise CutOffError
        return super().__getitem__(index)


def test_a_run_that_is_cut_off_resumes_and_writes_a_network_that_the_evaluation_opens(tmp_path, annotated, face):
    config = LandmarkConfig(**TINY_LANDMARKS)
    made = train_landmarks(config, annotated, annotated, tmp_path / "whole")
    with pytest.raises(CutOffError):
        train_landmarks(config, AnnotatedFaces(UpTo([face]), annotated.found, annotated.chosen), None, tmp_path / "run")
    assert read_checkpoint(tmp_path / "run" / "checkpoint.safetensors")["step"] == 2
    resumed = train_landmarks(config, annotated, None, tmp_path / "run")
    assert resumed.read_bytes() == made.read_bytes()
    points = open_landmark_detector(f"heatmap:{made}")(face)
    assert points.shape == (68, 2)
    with pytest.raises(OptionError, match="another configuration"):
        train_landmarks(config.changed(seed=1), annotated, None, tmp_path / "run")


def test_the_shipped_configuration_is_that_of_the_shipped_network():
    assert LandmarkConfig.load(Path("landmarks")) == LandmarkConfig()
    with pytest.raises(OptionError, match="Known: landmarks"):
        LandmarkConfig.load(Path("landmark"))
