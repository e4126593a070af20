"""The scripts in benchmarks/ that measure the product on video: what they film, spoil and count."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
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
from streamdeblur.evaluation.results import FaceResult, ResultFolder
from streamdeblur.evaluation.sources.dataset import EvaluationFace
from support.media.motion import panned, steady
from support.media.videos import VideoSpec, write_video
from support.metrics import psnr
from support.models.networks import SIZES, write_network

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def script(name):
    """Import a script of the benchmarks, which are no package."""
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    with pytest.MonkeyPatch.context() as path:
        # a script finds those beside it, as when it is run
        path.syspath_prepend(BENCHMARKS)
        spec.loader.exec_module(module)
    return module


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
    return [handheld._rgb(planes) for planes, _ in handheld.upright_frames(path)]


def test_the_sharp_film_is_the_source_moved_by_whole_pixels(handheld, shot):
    source, _, film = shot
    sharp, blurry = (frames_of(handheld, path) for path in (film.sharp, film.blurry))
    assert len(sharp) == len(blurry) == 6
    positions = handheld.hand_path(np.random.default_rng(0), 6, 25.0, 20.0, 0.9).mean(1)
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


@pytest.fixture(scope="module")
def result_tables():
    return script("result_tables")


def protocol_summary(protocol, auc, *metrics):
    rows = [
        {"method": name,
         "figures": {metric: {"value": value, "low": value - 0.01, "high": value + 0.01} for metric in ("auc", *metrics)},
         "gap_closed": {}, "milliseconds": 5.0, "verification": None, "worse_than_baseline": []}
        for name, value in auc.items()
    ]  # fmt: skip
    return {"protocol": protocol, "faces": 9, "groups": 3, "rows": rows, "steadiness": [], "flicker": []}


def test_the_order_of_methods_is_compared_with_the_paper_s(result_tables):
    published = {"blurred": 0.743, "nah": 0.792, "xu": 0.451, "paper-small": 0.798}
    same = result_tables.order_table([protocol_summary("pravg:7", published, "failure")])
    # in the paper, a method with a larger AUC has fewer failures, but for nah and paper-small
    first = "`paper-small`, `nah`, `blurred`"
    assert f"| pravg:7 | 4 | 1.00 (p 0.08) | -0.67 (p 0.33) |  | {first} | {first} |" in same
    turned = result_tables.order_table([protocol_summary("pravg:7", {name: 1 - value for name, value in published.items()})])
    assert "| -1.00" in turned
    # Table 5 of the paper: (0.798 - 0.743) / (0.827 - 0.743)
    assert result_tables.paper_shares()["pravg:7"] == pytest.approx(65.5, abs=0.1)


def test_what_has_no_order_and_no_chance_is_not_shown_as_zero(result_tables):
    assert result_tables.rank_agreement([1, 2, 3], [5, 5, 5]) == ""
    assert result_tables.rank_agreement(list(range(9)), list(range(9))) == "1.00 (p < 0.01)"
    assert result_tables.p_value(0.0004, 3) == "< 0.001"
    assert result_tables.p_value(0.0314, 3) == "0.031"


def test_steadiness_is_told_of_clips(result_tables):
    summary = protocol_summary("pravg:11", {"lite": 0.5})
    steadiness = [{"method": "lite", "clips": 8, "share": {"value": 90.0, "low": 80.0, "high": 100.0}}]
    assert "| method | pravg:11 (8 clips) |" in result_tables.stability_table([summary | {"steadiness": steadiness}])


def test_what_is_worse_than_the_blurry_faces_is_marked(result_tables):
    table = result_tables.metric_table("auc", [protocol_summary("pravg:7", {"blurred": 0.7, "nah": 0.8, "xu": 0.4})])
    assert "| `nah` | **0.800** ±0.010 |" in table
    assert "| `xu` | 0.400 ±0.010 worse |" in table


def filled(path, results):
    """The folder of an evaluation with these results."""
    folder = ResultFolder(path)
    for result in results:
        folder.store(result, np.zeros((8, 8, 3), np.uint8))
        same = [one for one in results if one.protocol == result.protocol]
        digests = {one.case: one.digest for one in same}
        folder.keep_evaluation(result.protocol, digests, list(dict.fromkeys(one.method for one in same)))
    return folder


@pytest.fixture(scope="module")
def published():
    return script("results")


def test_tables_replace_those_between_their_comments(published):
    page = "# Results\n\n<!-- tables: a -->\n\nold\n\n<!-- end of a -->\n\nprose\n"
    again = published.replaced(page, "a", "new")
    assert again == page.replace("old", "new")
    assert published.replaced(again, "a", "new") == again
    with pytest.raises(SystemExit, match="no place"):
        published.replaced(page, "b", "new")


def published_page(tmp_path, *names):
    page = tmp_path / "page.md"
    page.write_text("# Results\n" + "".join(f"\n<!-- tables: {name} -->\n\n<!-- end of {name} -->\n" for name in names))
    return page


def test_a_table_is_published_with_the_command_that_repeats_it(tmp_path, faces_folder, published):
    page = published_page(tmp_path, "sharp")
    others = [name for name in published.NAMES if name not in ("blurred", "oracle")]
    options = ("--stills", faces_folder, "--only", "sharp", "--without", *others, "--page", page)
    command = [sys.executable, BENCHMARKS / "results.py", tmp_path / "work", *options]
    # a script finds those beside it
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert "`sharp`, 5 faces of 5 clips or pictures:" in text
    assert "| `blurred` | 100.00 |" in text
    command = "streamdeblur evaluate STILLS --protocol sharp --limit 200 --methods blurred,oracle --out WORK/sharp"
    assert f"```sh\n{command}\n```" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--networks", "absent"], "Give the data of an evaluation: --clips, --stills"),
        (["--stills", "S", "--only", "lfw"], "'lfw' needs --lfw"),
        (["--stills", "S"], "'chakrabarti' needs chakrabarti.onnx in the folder of --networks, or --without chakrabarti"),
        (["--landmarks", "L", "--only", "annotated"], "'exemplars' needs --exemplars, or --without exemplars"),
        (["--landmarks", "L", "--only", "steps", "--limit", "2", "--page", "PAGE"], "leave out --page or --limit"),
        (["--landmarks", "L", "--only", "steps", "--page", "PAGE"], "The page has no place for these tables"),
    ],
)
def test_what_would_make_the_tables_incomplete_is_told_before_they_are_made(
    tmp_path, published, monkeypatch, capsys, options, message
):
    page = published_page(tmp_path, "clips")
    words = [str(page) if word == "PAGE" else word for word in options]
    monkeypatch.setattr(sys, "argv", ["results.py", str(tmp_path / "work"), *words])
    with pytest.raises(SystemExit) as stopped:
        published.main()
    assert message in " ".join(f"{stopped.value} {capsys.readouterr().err}".split())
    assert not (tmp_path / "work").exists()


def test_commands_name_options_in_place_of_folders(published, tmp_path):
    (tmp_path / "nah.onnx").touch()
    times = next(one for one in published.EVALUATIONS if one.name == "times")
    assert times.missing({"clips": "C", "exemplars": "E", "networks": str(tmp_path)}, ["zhu"]) == ["chakrabarti", "kupyn"]
    command = times.command({name: name.upper() for name in published.FOLDERS}, "WORK", ["kupyn", "stream"])
    methods = command[command.index("--methods") + 1].split(",")
    assert methods[:7] == ["blurred", "krishnan", "babacan", "zhang", "xu", "pan-l0", "exemplars:EXEMPLARS"]
    assert methods[7:] == [
        "dark-channel", "onnx:NETWORKS/chakrabarti.onnx", "onnx:NETWORKS/nah.onnx", "onnx:NETWORKS/zhu.onnx", "onnx:paper-small",
        "onnx:lite", "oracle",
    ]  # fmt: skip
    assert command[:2] == ["evaluate", "CLIPS"]
    assert command[-2:] == ["--out", "WORK/times"]


def test_curves_that_a_page_no_longer_shows_are_removed(tmp_path):
    pictures = script("page_pictures")
    page = tmp_path / "page.md"
    for name in ("real-one.svg", "real-two.svg", "clips-one.svg"):
        pictures.picture_beside(page, name).touch()
    pictures.remove_others(page, "real", "![one](results/real-one.svg)")
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["clips-one.svg", "real-one.svg"]


@pytest.mark.parametrize("sharp", [True, False])
def test_curves_show_the_first_methods_and_the_blurred_faces(tmp_path, sharp):
    """Faces that were blurred when they were filmed have no true landmarks, so only identities are drawn."""
    plots, results = script("result_plots"), []
    goodness = {
        "blurred": 1, "xu": 6, "onnx:a/nah.onnx": 5, "zhang": 4, "krishnan": 3, "onnx:paper-small": 2, "babacan": 0, "oracle": 9,
    }  # fmt: skip
    for method, good in goodness.items():
        for case in range(5):
            metrics = {"landmarks": 0.06 - 0.006 * good - 0.0002 * case} if sharp else {}
            metrics["cosine"] = 0.9 + 0.01 * good + 0.002 * case
            results.append(FaceResult("pravg:7", f"c{case}", "clip", "", "", method, "f", "e", metrics))
    table = plots.curve_table(filled(tmp_path / "evaluation", results), "clips", ["pravg:7"], tmp_path / "page.md")
    identities = "![clips pravg:7 identities](results/clips-pravg-7-identities.svg)"
    landmarks = "![clips pravg:7 landmarks](results/clips-pravg-7-landmarks.svg) | " if sharp else ""
    assert table.splitlines()[-1] == f"| `pravg:7` | {landmarks}{identities} |"
    for picture in (tmp_path / "results").iterdir():
        drawn = [
            name
            for name in ("blurred", "xu", "nah", "zhang", "krishnan", "paper-small", "babacan", "oracle")
            if f">{name}<" in picture.read_text()
        ]
        # the sharp faces have errors here, as where landmarks are annotated
        others = ["paper-small", "oracle"] if "landmarks" in picture.name else ["krishnan", "paper-small"]
        assert drawn == ["blurred", "xu", "nah", "zhang", *others]


def test_the_identities_of_all_methods_are_drawn_beside_those_of_the_blurred_faces(tmp_path):
    plots, results = script("result_plots"), []
    names = ("blurred", "krishnan", "babacan", "zhang", "xu", "nah", "lite", "oracle")
    for number, method in enumerate(f"onnx:{name}" if name in ("nah", "lite") else name for name in names):
        for case in range(5):
            cosine = 1.0 if method == "oracle" else 0.9 + 0.004 * number + 0.002 * case
            results.append(FaceResult("real-blur", f"c{case}", "clip", "", "", method, "f", "e", {"cosine": cosine}))
    folder = filled(tmp_path / "evaluation", results)
    table = plots.identity_table(folder, "real", "real-blur", tmp_path / "page.md").splitlines()
    assert table[0] == "| `krishnan`, `babacan`, `zhang`, `xu` | `nah`, `lite` |"
    assert table[2].count("![real real-blur identities ") == 2
    for number, expected in enumerate((["krishnan", "babacan", "zhang", "xu"], ["nah", "lite"]), 1):
        drawn = (tmp_path / "results" / f"real-real-blur-identities-{number}.svg").read_text()
        assert [name for name in names if f">{name}<" in drawn] == ["blurred", *expected]


def test_methods_are_compared_on_the_most_and_the_least_blurred_faces(tmp_path):
    strata, results = script("result_strata"), []
    # nah gains on faces that are blurred much, and loses on the others
    for case in range(8):
        for method, gain in (("blurred", 0.0), ("onnx:nah", 1.0 if case < 4 else -2.0), ("xu", 0.5), ("oracle", 9.0)):
            metrics = {"psnr": 20.0 + case + gain, "landmarks": 0.06 - 0.01 * gain}
            # kupyn lacks a face, so it is left out
            results += [FaceResult("pravg:21", f"c{case}", f"c{case}", "", "", method, "f", "e", metrics)]
            results += [replace(results[-1], method="onnx:kupyn")] if method == "xu" and case else []
    folder = filled(tmp_path / "evaluation", results)
    auc, psnr = strata.strength_tables(folder, ["pravg:21"])
    assert "| method | pravg:21, most (2; 20.5 dB) | pravg:21, least (2; 26.5 dB) |" in psnr
    assert "| `nah` | +1.00 ±0.00 | -2.00 ±0.00 |" in psnr
    assert "| `nah` | +0.125 ±0.000 | -0.250 ±0.000 |" in auc
    # in the paper nah is before the blurred faces, and these before xu
    assert auc.splitlines()[-1].startswith("| tau | 0.33 (p 1.00) | -1.00 (p 0.33) |")
    assert "oracle" not in auc
    assert "kupyn" not in auc


def test_few_faces_of_one_clip_are_compared_without_intervals(tmp_path):
    strata = script("result_strata")
    results = [
        FaceResult("pravg:21", f"c{case}", "clip", "", "", method, "f", "e", {"psnr": psnr, "landmarks": 0.02})
        for case in range(3) for method, psnr in (("blurred", 30.0 + case), ("xu", 31.0 + case))
    ]  # fmt: skip
    *_, gains = strata.strength_tables(filled(tmp_path / "evaluation", results), ["pravg:21"])
    assert "| method | pravg:21, most (1; 30.0 dB) | pravg:21, least (1; 32.0 dB) |" in gains
    assert "| `xu` | +1.00 | +1.00 |" in gains


def test_gains_of_a_network_are_told_by_those_of_its_first_step():
    steps = script("result_steps")
    first = np.array([-3.0, 1.0, -1.0, 2.0, 0.0, 3.0, -2.0, 4.0])
    lines = steps.steps_table(first, 2 * first + 1).splitlines()
    assert lines[2] == "| -3.0 to -2.0 dB | 2 | -4.00 dB [-5.00 to -3.00] | 100 % |"
    assert lines[5] == "| +3.0 to +4.0 dB | 2 | +8.00 dB [+7.00 to +9.00] | 0 % |"
    assert lines[-1].startswith("All 8 faces: the first step alone gains +0.50 dB [")
    assert "(38 % are worse than the blurry ones), the whole network +2.00 dB [" in lines[-1]
    assert "Rank correlation of both gains: 1.00" in lines[-1]


def test_variants_are_compared_on_the_same_faces_over_their_seeds():
    evaluation = script("self_evaluation")
    random = np.random.default_rng(0)
    metrics = ("psnr", "ssim", "landmarks", "landmarks_second", "cosine")

    def face(method, case, gain):
        values = dict(zip(metrics, (30 + gain, 0.9, 0.04 - 0.01 * gain, 0.04 - 0.01 * gain, 0.9), strict=True))
        return FaceResult("pravg:7", f"c{case}", f"clip{case % 6}", "", "", method, "f", "e", values)

    gains = {"blurred": 0, "onnx:w/final-0.onnx": 2, "onnx:w/final-1.onnx": 1, "onnx:w/cgan-no-hg-0.onnx": 1, "oracle": 4}
    results = [face(method, case, gain) for method, gain in gains.items() for case in random.permutation(12)]
    table = evaluation.table("pravg:7", results)
    assert "| `final` | 2 | 31.50 ±0.00 |" in table
    assert "| 38 [38 to 38] | 65 |" in table
    assert "| 25 [25 to 25] | 19 |" in table
    # both orders have cgan-no-hg before final
    assert "The order of the 2 variants by AUC beside that of the paper under PrAvg 7: Kendall's tau 1.00" in table
    assert table.endswith("Two seeds of one variant differ by up to 1.00 dB in their mean PSNR.")
    # without the whole method there is nothing to test against
    others = [one for one in results if "final" not in one.method]
    others += [replace(one, method="onnx:w/hg-disc-0.onnx") for one in others if one.method == "blurred"]
    assert next(line for line in evaluation.table("pravg:7", others).splitlines() if "`cgan-no-hg`" in line).endswith("|  |  |")
    # Table 4 is of another protocol
    assert "| 38 [38 to 38] |  |" in evaluation.table("vla:sequential", results)
    # each of six clips has the same sign: 2 of 64 patterns of signs
    assert next(line for line in table.splitlines() if "`cgan-no-hg`" in line).endswith("| 0.031 | 0.031 |")


def test_the_faces_that_are_shown_are_chosen_by_identity_where_no_sharp_one_is_known(tmp_path):
    rows, results = script("picture_rows"), []
    for case, gain in enumerate((0.1, -0.2, 0.0)):
        for method, value in (("blurred", 0.5), ("onnx:lite", 0.5 + gain)):
            results.append(FaceResult("real-blur", f"c{case}", "clip", "", "", method, "f", "e", {"cosine": value}))
    folder = filled(tmp_path / "evaluation", results)
    found = rows.results_of(folder, "real-blur")
    assert rows.cases_of(found, 3, "onnx:lite") == ["c0", "c2", "c1"]
    with pytest.raises(SystemExit, match="no faces that `xu` restored"):
        rows.cases_of(found, 3, "xu")
    folder.write_picture(folder.picture("real-blur", "c0", "reference"), np.full((8, 8, 3), 9, np.uint8))
    shown = rows.pictures_of(folder, "real-blur", "c0", found, landmarks=False)
    assert list(shown) == ["blurry", "lite", "reference"]
    sharp = FaceResult("real-blur", "c0", "clip", "", "", "oracle", "f", "e", {"cosine": 1.0})
    folder = filled(tmp_path / "evaluation", [*results, sharp])
    shown = rows.pictures_of(folder, "real-blur", "c0", rows.results_of(folder, "real-blur"), landmarks=False)
    assert list(shown) == ["blurry", "lite", "sharp"]


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
