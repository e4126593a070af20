"""`streamdeblur evaluate`: results that are stored and reused, output, and errors."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest

from streamdeblur.evaluation.metrics.landmark_detectors import open_landmark_detector
from streamdeblur.evaluation.metrics.landmarks import landmark_error
from streamdeblur.evaluation.results import ResultFolder
from streamdeblur.evaluation.sources.pictures import read_picture
from streamdeblur.folder_lock import folder_held
from support.cli import run

WITHOUT_MODELS = ("--localiser", "none", "--second", "none", "--embedder", "none")
SYNTHETIC = ("--protocol", "synthetic", *WITHOUT_MODELS)


def evaluate(*arguments):
    return run("evaluate", *arguments)


def lines(folder):
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def kept(tmp_path_factory, faces_folder):
    """The folder of an evaluation of two methods on five faces, and what it printed."""
    folder = tmp_path_factory.mktemp("kept")
    done = evaluate(faces_folder, *SYNTHETIC, "--methods", "blurred,unsharp", "--out", folder, "--json")
    assert done.exit_code == 0, done.stderr
    return folder, done


def test_what_is_kept_is_not_done_again(kept, faces_folder):
    folder, first = kept
    before, written = lines(folder), {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    again = evaluate(faces_folder, *SYNTHETIC, "--methods", "blurred,unsharp,oracle", "--out", folder, "--json")
    added = lines(folder)[len(before) :]
    assert lines(folder)[: len(before)] == before
    assert [line["method"] for line in added] == ["oracle"] * 5
    assert {path: path.stat().st_mtime_ns for path in written} == written
    rows = [done.json["protocols"][0]["rows"] for done in (first, again)]
    assert [row["figures"] for row in rows[1][:2]] == [row["figures"] for row in rows[0]]


def test_what_other_models_measured_is_measured_again_but_not_restored_again(kept, faces_folder, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(kept[0], folder)
    before = [line for line in lines(folder) if line["method"] in ("blurred", "unsharp")]
    stored = [{**line, "evaluator": "another one"} for line in before]
    (folder / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in stored))
    pictures = sorted(folder.rglob("unsharp.png"))
    # black, so that what is measured shows whether this picture was taken
    for picture in pictures:
        cv2.imwrite(str(picture), np.zeros((256, 256, 3), np.uint8))
    done = evaluate(faces_folder, *SYNTHETIC, "--methods", "blurred,unsharp", "--out", folder)
    assert done.exit_code == 0, done.stderr
    added = lines(folder)[len(stored) :]
    assert len(added) == len(before)
    for old, new in zip(before, added, strict=True):
        assert (old["case"], old["method"], old["evaluator"]) == (new["case"], new["method"], new["evaluator"])
        assert new["metrics"]["psnr"] < 15 if new["method"] == "unsharp" else new["metrics"] == old["metrics"]


def test_another_report_is_not_replaced(faces_folder, tmp_path):
    (tmp_path / "report.html").write_text("of something else")
    done = evaluate(faces_folder, *SYNTHETIC, "--methods", "blurred", "--out", tmp_path)
    assert done.exit_code == 2
    assert "it is not replaced" in done.stderr
    assert (tmp_path / "report.html").read_text() == "of something else"


def test_another_evaluation_into_the_same_folder_is_refused(faces_folder, tmp_path):
    with folder_held(tmp_path, lambda: None):
        done = evaluate(faces_folder, *SYNTHETIC, "--methods", "blurred", "--out", tmp_path)
    assert done.exit_code == 2
    assert "Another evaluation writes to" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_results_of_a_folder_are_those_of_the_last_evaluation(kept, faces_folder, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(kept[0], folder)
    before = len(lines(folder))
    # fewer faces, and blurred otherwise; the others stay in the folder
    done = evaluate(faces_folder, *SYNTHETIC, "--methods", "blurred", "--limit", "3", "--seed", "7", "--out", folder)
    assert done.exit_code == 0, done.stderr
    assert len(lines(folder)) == before + 3
    found = {(one.method, one.case, one.digest) for one in ResultFolder(folder).of_protocol("synthetic")}
    assert found == {(line["method"], line["case"], line["digest"]) for line in lines(folder)[before:]}


def test_the_methods_of_a_folder_are_those_of_the_last_evaluation(kept, faces_folder, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(kept[0], folder)
    done = evaluate(faces_folder, *SYNTHETIC, "--methods", "unsharp,blurred", "--out", folder)
    assert done.exit_code == 0, done.stderr
    assert [one.method for one in ResultFolder(folder).of_protocol("synthetic")] == ["unsharp"] * 5 + ["blurred"] * 5
    done = evaluate(faces_folder, *SYNTHETIC, "--methods", "blurred", "--out", folder)
    assert done.exit_code == 0, done.stderr
    assert [one.method for one in ResultFolder(folder).of_protocol("synthetic")] == ["blurred"] * 5


def test_another_seed_blurs_otherwise(kept, faces_folder, tmp_path):
    done = evaluate(faces_folder, *SYNTHETIC, "--methods", "blurred", "--seed", "1", "--out", tmp_path, "--limit", "2")
    assert done.exit_code == 0
    digests = {line["case"]: line["digest"] for line in lines(kept[0])}
    assert all(digests[line["case"]] != line["digest"] for line in lines(tmp_path))


def test_a_run_that_was_killed_goes_on(faces_folder, tmp_path):
    options = (faces_folder, *SYNTHETIC, "--methods", "unsharp", "--out", tmp_path)
    assert evaluate(*options).exit_code == 0
    whole = (tmp_path / "results.jsonl").read_text()
    (tmp_path / "results.jsonl").write_text(whole[: len(whole) // 2])
    assert evaluate(*options).exit_code == 0
    as_before = {line["case"]: line["metrics"] for line in map(json.loads, whole.splitlines())}
    assert {line["case"]: line["metrics"] for line in lines(tmp_path)} == as_before


def test_several_processes_find_the_same(kept, faces_folder, tmp_path):
    done = evaluate(faces_folder, *SYNTHETIC, "--methods", "blurred,unsharp", "--out", tmp_path, "--workers", "2")
    assert done.exit_code == 0, done.stderr
    one, two = ({(line["case"], line["method"]): line["metrics"] for line in lines(folder)} for folder in (kept[0], tmp_path))
    assert all(one[key] == value for key, value in two.items())


def test_a_method_that_cannot_work_is_left_out_and_named(faces_folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    method = f"folder:{tmp_path / 'elsewhere'}"
    done = evaluate(faces_folder, *SYNTHETIC, "--methods", f"blurred,{method}", "--out", tmp_path / "out")
    assert done.exit_code == 0
    assert f"Left out: {method}" in (tmp_path / "out" / "report.md").read_text()


def test_results_made_elsewhere_need_no_frames_before_the_present_ones(faces_folder, tmp_path):
    options = (faces_folder, "--protocol", "runs:synthetic", *WITHOUT_MODELS, "--limit", "2", "--json", "--out", tmp_path / "out")
    first = evaluate(*options, "--methods", "blurred,unsharp")
    assert first.exit_code == 0, first.stderr
    assert {row["method"] for row in first.json["protocols"][0]["flicker"]} == {"blurred", "unsharp"}
    for path in (tmp_path / "out" / "images" / "runs-synthetic").rglob("unsharp.png"):
        elsewhere = tmp_path / "elsewhere" / path.parent.relative_to(tmp_path / "out" / "images" / "runs-synthetic")
        elsewhere.parent.mkdir(parents=True, exist_ok=True)
        elsewhere.with_suffix(".png").write_bytes(path.read_bytes())
    method = f"folder:{tmp_path / 'elsewhere'}"
    again = evaluate(*options, "--methods", f"blurred,{method}")
    assert again.exit_code == 0, again.stderr
    assert f"The flicker of {method} is not measured" in again.stderr
    (protocol,) = again.json["protocols"]
    assert [row["method"] for row in protocol["flicker"]] == ["blurred"]
    figures = [row["figures"]["psnr"] for done in (first, again) for row in done.json["protocols"][0]["rows"][1:]]
    assert figures[0] == figures[1]


def test_methods_are_listed():
    done = evaluate("--list")
    assert done.exit_code == 0
    assert {line.split()[0] for line in done.stdout.splitlines()} >= {"blurred", "oracle", "ours", "dark-channel", "onnx:FILE"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--methods", "magic"], "Unknown method 'magic'"),
        (["--protocol", "pravg:4"], "Unknown protocol 'pravg:4'"),
        (["--protocol", "pravg:11"], "averages frames of clips"),
        (["--localiser", "magic"], "magic"),
        (["--localiser", "none", "--embedder", "none", "--response", "magic"], "magic"),
        (["--limit", "-1"], "limit"),
        (["--methods", "onnx:missing.onnx"], "missing.onnx"),
    ],
)
def test_wrong_settings_are_said(faces_folder, tmp_path, options, said):
    chosen = options if "--localiser" in options else [*WITHOUT_MODELS, *options]
    done = evaluate(faces_folder, "--protocol", "synthetic", *chosen, "--out", tmp_path)
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stride_is_refused_for_runs(faces_folder, tmp_path):
    protocols = "synthetic,runs:synthetic"
    done = evaluate(faces_folder, "--protocol", protocols, "--stride", "3", *WITHOUT_MODELS, "--out", tmp_path)
    assert done.exit_code == 2
    assert "--stride is for protocols of single faces: leave it out, or runs:synthetic." in done.stderr
    # before any of them is evaluated
    assert list(tmp_path.iterdir()) == []


def test_wrong_data_are_said(tmp_path, faces_folder):
    (tmp_path / "notes.txt").write_text("nothing to see")
    (tmp_path / "file").write_text("in the way")
    for arguments, said in (
        ([], "Name the data"),
        ([tmp_path / "missing"], "missing"),
        ([tmp_path], "is not a data set"),
        ([faces_folder, *SYNTHETIC, "--out", tmp_path / "file"], "file"),
    ):
        done = evaluate(*arguments)
        assert (done.exit_code, "Traceback" in done.stderr) == (2, False), arguments
        assert said in done.stderr


def test_landmarks_and_identities_are_those_that_dlib_finds_and_the_shipped_network_repeats_it(faces_folder, tmp_path):
    dlib = pytest.importorskip("dlib", reason="dlib comes with the extra eval")
    models = pytest.importorskip("face_recognition_models", reason="dlib comes with the extra eval")
    options = ("--protocol", "synthetic", "--methods", "blurred", "--json", "--out", tmp_path)
    done = evaluate(faces_folder, *options)
    assert done.exit_code == 0, done.stderr
    row = done.json["protocols"][0]["rows"][0]

    find = dlib.shape_predictor(models.pose_predictor_model_location())
    embed = dlib.face_recognition_model_v1(models.face_recognition_model_location())
    # the box of the face in a window of 1.7 times it
    side = 256 / 1.7
    box = dlib.rectangle(*(round(256 / 2 + sign * side / 2) for sign in (-1, -1, 1, 1)))
    second = open_landmark_detector("heatmap")
    errors, cosines, others = [], [], []
    for folder in (path.parent for path in sorted(tmp_path.rglob("sharp.png"))):
        shapes, vectors = [], []
        for name in ("blurred", "sharp"):
            pixels = np.ascontiguousarray(cv2.imread(str(folder / f"{name}.png"))[..., ::-1])
            shape = find(pixels, box)
            shapes.append(np.array([(point.x, point.y) for point in shape.parts()], float))
            vectors.append(np.array(embed.compute_face_descriptor(pixels, shape)))
        seen, true = shapes
        others.append(landmark_error(*(second(read_picture(folder / f"{name}.png")) for name in ("blurred", "sharp"))))
        diagonal = np.hypot(*(true.max(0) - true.min(0)))
        errors.append(np.hypot(*(seen - true).T).mean() / diagonal)
        cosines.append(vectors[0] @ vectors[1] / np.linalg.norm(vectors[0]) / np.linalg.norm(vectors[1]))
    assert row["figures"]["error"]["value"] == pytest.approx(100 * np.mean(errors), abs=0.05)
    assert row["figures"]["auc"]["value"] == pytest.approx(np.mean(np.clip(1 - np.array(errors) / 0.08, 0, 1)), abs=5e-3)
    assert row["figures"]["auc_second"]["value"] == pytest.approx(np.mean(np.clip(1 - np.array(others) / 0.08, 0, 1)), abs=1e-3)
    assert row["figures"]["failure"]["value"] == pytest.approx(100 * np.mean(np.array(errors) > 0.08), abs=1e-9)
    assert row["figures"]["cosine"]["value"] == pytest.approx(np.mean(cosines), abs=2e-3)
