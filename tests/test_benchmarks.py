"""The scripts in benchmarks/ that measure the product on video: what they film, spoil and count."""

from __future__ import annotations

import shutil
import zlib
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from streamdeblur.cores import file_plan
from streamdeblur.evaluation.cases import Case, Neighbours
from streamdeblur.evaluation.metrics.landmark_detectors import open_landmark_detector
from streamdeblur.evaluation.sources.dataset import EvaluationFace
from streamdeblur.faces.window import whole_picture
from support.benchmarks import script
from support.media.motion import panned, steady
from support.media.videos import VideoSpec, write_video
from support.metrics import psnr
from support.models.networks import SIZES, write_network


@pytest.fixture(scope="module")
def handheld():
    return script("handheld")


@pytest.fixture(scope="module")
def confidence():
    return script("confidence")


@pytest.mark.parametrize("shutter", [0.5, 1.0])
def test_the_camera_goes_on_through_the_film_and_exposures_do_not_overlap(handheld, shutter):
    exposures = handheld.hand_path(np.random.default_rng(3), 40, 25.0, 30.0, shutter)
    assert exposures.shape == (40, round(shutter * handheld.POINTS), 2)
    assert np.ptp(exposures, axis=1).max() == pytest.approx(29.0)
    step = np.abs(np.diff(exposures, axis=1)).max()
    gaps = [np.abs(after[0] - before[-1]).max() for before, after in pairwise(exposures)]
    # the time between two exposures is half of a frame interval, or one point of the path
    closed = handheld.POINTS - exposures.shape[1] + 1
    assert max(gaps) <= 1.5 * closed * step
    assert np.mean(gaps) > (8 * step if shutter < 1 else 0)
    assert np.ptp(exposures.mean(1), axis=0).min() > 20, "the frame moves"


@pytest.fixture(scope="module")
def shot(handheld, tmp_path_factory, photograph):
    """A face of about 130 px, filmed again in six frames."""
    folder = tmp_path_factory.mktemp("handheld")
    handheld.WORK = folder / "work"
    source = panned(photograph, steady(2, 6), (320, 288)).frames
    clip = write_video(folder / "clip.mkv", list(source), VideoSpec(codec="ffv1", pixel_format="bgr0", options={}))
    return source, clip, handheld.film(clip, 20.0, 6, 0, 0.9, 0)


def frames_of(handheld, path):
    return [whole_picture(planes) for planes, _ in handheld.upright_frames(path)]


def test_the_sharp_film_is_the_source_moved_by_whole_pixels(handheld, shot):
    source, _, film = shot
    sharp, blurry = (frames_of(handheld, path) for path in (film.sharp, film.blurry))
    assert len(sharp) == len(blurry) == 6
    positions = handheld.hand_path(np.random.default_rng([0, zlib.crc32(b"clip")]), 6, 25.0, 20.0, 0.9).mean(1)
    places = np.rint(positions).astype(int)
    assert np.abs(places).max() > 3
    for picture, original, (left, top) in zip(sharp, source, places, strict=True):
        padded = np.pad(original, ((60, 60), (60, 60), (0, 0)), mode="reflect")
        expected = padded[60 + top : 348 + top, 60 + left : 380 + left]
        assert psnr(picture, expected) > 33, "but for the subsampled colours of the file"
    assert all(psnr(a, b) < 33 for a, b in zip(sharp, blurry, strict=True))


def test_a_film_is_made_once(handheld, shot):
    _, clip, film = shot
    written = film.blurry.stat().st_mtime_ns
    assert handheld.film(clip, 20.0, 6, 0, 0.9, 0) == film
    assert film.blurry.stat().st_mtime_ns == written


def test_each_clip_is_filmed_by_another_path(handheld, shot, tmp_path):
    _, clip, film = shot
    other = handheld.film(Path(shutil.copy(clip, tmp_path / "other.mkv")), 20.0, 6, 0, 0.9, 0)
    assert (other.mean_extent, other.step) != (film.mean_extent, film.step)


def test_where_nothing_is_restored_nothing_is_gained(handheld, shot):
    film = shot[2]
    runs = handheld.find_tracks(film.sharp, lambda picture: np.array([[100.0, 80.0, 210.0, 200.0]]))
    assert [[window.frame for window in run] for run in runs] == [list(range(6))]
    faces, flickers = handheld.measure(film, film.blurry, runs, None)
    nothing = handheld.summarise("none", [film], faces, flickers, 1.0)
    assert (nothing.faces, nothing.treated, nothing.psnr_gain.value, nothing.flicker_ratio.value) == (6, 0.0, 0.0, 1.0)
    assert nothing.velocity_ratio is None
    faces, flickers = handheld.measure(film, film.sharp, runs, None)
    everything = handheld.summarise("all", [film], faces, flickers, 1.0)
    assert (everything.treated, everything.ssim, everything.flicker_ratio.value) == (1.0, 1.0, 0.0)
    assert "no landmark detector" in handheld.table([nothing, everything])


def test_faces_are_followed_while_they_are_near(handheld, shot):
    boxes = iter([np.array([[x, 80.0, x + 100, 190.0]]) for x in (20.0, 40.0, 60.0, 200.0, 190.0, 180.0)])
    runs = handheld.find_tracks(shot[2].sharp, lambda picture: next(boxes))
    assert [[window.frame for window in run] for run in runs] == [[0, 1, 2], [3, 4, 5]]
    assert len({window.side for window in runs[0]}) == 1


def test_settings_of_a_job_follow_the_network(handheld):
    assert handheld.job_settings("lite") == {"network": "lite"}
    assert handheld.job_settings("n.onnx?look_ahead=0&strength=0.5") == {
        "network": "n.onnx",
        "look_ahead": "0",
        "strength": "0.5",
    }


@pytest.fixture(scope="module")
def case(photograph):
    frames = [np.ascontiguousarray(frame) for frame in panned(photograph, steady(3, 4)).frames]
    return Case("a", frames[2], frames[2], "a", neighbours=Neighbours(tuple(frames[:2]), tuple(frames[3:])))


def test_every_kind_spoils_the_whole_run_and_leaves_the_truth(confidence, case):
    for kind, spoil in confidence.KINDS.items():
        spoiled = confidence.spoiled(case, spoil)
        assert spoiled.sharp is case.sharp
        assert (len(spoiled.neighbours.before), len(spoiled.neighbours.after)) == (2, 1)
        pictures = [*spoiled.neighbours.before, spoiled.blurry, *spoiled.neighbours.after]
        assert all(picture.shape == case.sharp.shape and picture.dtype == np.uint8 for picture in pictures)
        assert psnr(spoiled.blurry, case.sharp) > 15
        assert np.array_equal(spoiled.blurry, case.blurry) == (kind == "as it is")


def test_combed_frames_hold_lines_of_the_frame_before(confidence, case):
    spoiled = confidence.spoiled(case, confidence.combed)
    assert np.array_equal(spoiled.blurry[::2], case.blurry[::2])
    assert np.array_equal(spoiled.blurry[1::2], case.neighbours.before[-1][1::2])


def test_a_network_that_does_nothing_loses_nothing(confidence, case, tmp_path):
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, "H", "W"]) for name in ("blurry", "restored")]
    for kind in ("Identity", "Neg"):
        graph = helper.make_graph([helper.make_node(kind, ["blurry"], ["restored"])], "test", values[:1], values[1:])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, str(tmp_path / f"{kind}.onnx"))
    spoiled = [confidence.spoiled(case, confidence.KINDS["JPEG 10"])]
    same, black = (
        confidence.loss_of(str(tmp_path / f"{kind}.onnx"), "runs:sharp", "JPEG 10", spoiled) for kind in ("Identity", "Neg")
    )
    assert (same.gain.value, same.worse, same.loss, same.worst) == (0.0, 0.0, 0.0, 0.0)
    assert black.worse == 1.0
    assert black.loss == -black.worst == -black.minimum > 5


def test_names_of_networks_become_methods():
    runs = script("runs")
    assert runs.method_of("lite") == "onnx:lite"
    assert runs.method_of("n.onnx?ahead=1") == "onnx:n.onnx?ahead=1"
    assert runs.method_of("average:lite") == "average:onnx:lite"


def test_each_size_of_crops_is_measured(tmp_path):
    rows = script("engine").measure(1, write_network(tmp_path / "sizes.onnx", "invert", metadata={"sizes": SIZES}))
    sizes = (128, 192, 256)
    names = [f"one crop of {size} px {how}" for how in ("alone", "of many in flight") for size in sizes]
    assert [row.name.partition(" (")[0] for row in rows] == names
    assert all(row.value.startswith("openvino") and row.against.startswith("onnxruntime") for row in rows)


@pytest.fixture(scope="module")
def pipeline():
    return script("pipeline")


MEASURED = {"decode": 4.9, "select": 3.4, "detect": 1.8, "crop": 22.8, "paste": 1.2, "encode": 23.5}
"""Milliseconds of docs/benchmarks.md, where transcodes had 16.5 and 32.3 frames per second on one and two cores."""


def stage_times(pipeline, faces=1.0, **milliseconds):
    times = dict.fromkeys(MEASURED, 1e-3) | milliseconds
    return pipeline.StageTimes(**{name: value / 1000 for name, value in times.items()}, faces=faces)


@pytest.mark.parametrize(("cores", "fps"), [(1, 16.5), (2, 32.3)])
def test_the_model_of_the_pipeline_agrees_with_transcodes(pipeline, cores, fps):
    assert pipeline.predict(stage_times(pipeline, **MEASURED), file_plan(cores)).fps == pytest.approx(fps, rel=pipeline.ALLOWED)


def test_the_slowest_stage_of_the_model_sets_its_speed(pipeline):
    plan = file_plan(16)
    for stage, threads in (("decode", 1), ("select", 1), ("crop", plan.network.pictures), ("encode", plan.encoder)):
        found = pipeline.predict(stage_times(pipeline, **{stage: 20.0}), plan)
        assert found.fps == pytest.approx(threads / 0.02, rel=0.05), stage
        assert found.busy == pytest.approx(threads, rel=0.05)


def test_threads_of_the_model_share_cores_where_there_are_too_few(pipeline):
    times = stage_times(pipeline, **MEASURED)
    for cores in (1, 2, 4):
        found = pipeline.predict(times, file_plan(cores))
        assert found.fps == pytest.approx(cores / times.total, rel=0.02)
        assert found.busy == pytest.approx(cores, rel=0.02)
    # from eight on, no thread waits for a core, whatever a frame takes most time for
    for load in (MEASURED, MEASURED | {"crop": 70.0}):
        for faces in (1.0, 2.0):
            assert pipeline.predict(stage_times(pipeline, faces, **load), file_plan(8)).wanted <= 8.01


def test_the_fastest_heads_are_filmed_for_each_method_that_can_restore_them(tmp_path, photograph):
    heads = script("fast_heads")
    crops = [np.ascontiguousarray(frame[:256, :256]) for frame in panned(photograph, steady(2, 8), (256, 256)).frames]
    clip = heads.EvaluationClip("clip", open=lambda: None)
    cases = [Case(f"c{number}", crop, None, "clip") for number, crop in enumerate(crops)]
    head = heads.FastHead(clip, cases, [0.0, 5.0, 1.0, 2.0, 0.0, 3.0, 0.0, 4.0])
    assert head.fastest == [1, 7]
    shown = heads.videos_of(heads.open_method("unsharp"), "unsharp", [head], tmp_path)
    assert len(shown) == 2
    assert not np.array_equal(shown[0], crops[1])
    with av.open(str(tmp_path / "clip_unsharp.mp4")) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(pictures) == 8
    assert pictures[0].shape == (512, 1024, 3)


def test_landmark_detectors_are_compared_with_annotated_points_and_with_themselves_under_blur(photograph):
    landmarks = script("landmarks")
    detector = open_landmark_detector("heatmap")
    face = np.ascontiguousarray(photograph[280:536, 668:924])
    # three pixels to the right of what is found
    annotated = np.add(detector(face), (3.0, 0.0))
    row = list(landmarks.annotated_lines([detector], [EvaluationFace(face, annotated)]))[-1].split(" | ")
    share = 3 / np.linalg.norm(np.ptp(annotated, axis=0))
    assert float(row[1]) == float(row[2]) == pytest.approx(100 * share, abs=0.005)
    assert float(row[3]) == pytest.approx(1 - share / 0.08, abs=5e-4)
    assert float(row[5]) == pytest.approx(300 / np.linalg.norm(annotated[45] - annotated[36]), abs=0.005)
    weak, strong = (landmarks.errors_under_blur(detector, [face], extent)[0] for extent in (4, 32))
    assert 0 < weak < strong
