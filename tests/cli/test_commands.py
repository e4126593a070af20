"""The command line, run as users run it."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from streamdeblur.cli.app import COMMANDS, GROUPS
from streamdeblur.cli.output import print_words
from streamdeblur.errors import InputError
from support.cli import COMMAND, run, run_process, run_with_files
from support.media.videos import read_frames, write_video
from support.names import need_name


@pytest.fixture
def source(tmp_path, few_pictures):
    return write_video(tmp_path / "talk.mp4", few_pictures)


def test_one_file_with_json_on_the_last_line(tmp_path, source):
    done = run("video", source, tmp_path / "sharp.mp4", "--json")
    assert done.exit_code == 0, done.stderr
    summary = done.json
    wanted = {"frames", "seconds", "fps", "faces", "restored", "skipped_sharp", "network", "engine", "detector", "warnings"}
    assert wanted <= set(summary)
    assert (summary["frames"], summary["restored"]) == (12, 12)
    assert len(read_frames(tmp_path / "sharp.mp4")) == 12


def test_the_summary_says_what_became_of_the_faces_and_why(tmp_path, source, quick):
    done = run("video", source, tmp_path / "sharp.mp4", *quick)
    assert re.search(
        r"12 faces, 12 restored \(100%\); median blur of the restored faces 0\.\d\d before, 0\.\d\d after;", done.stdout
    )
    left = run("video", source, tmp_path / "left.mp4", "--only", "region:0,0,5,5", *quick)
    assert "12 faces, 0 restored (0%), 12 left: not chosen; invert, " in left.stdout
    assert "talk.mp4: only: no face had its middle in region:0,0,5,5" in left.stderr
    other = run("video", source, tmp_path / "other.mp4", "--only", "track:99", "--json", *quick)
    assert other.json["warnings"] == ["only: no face had track 99 (tracks found: 1)"]


def test_quiet_says_nothing(tmp_path, source, quick):
    done = run_process("video", source, tmp_path / "sharp.mp4", "--quiet", *quick)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.mp4", "out.mp4"], "No such file: none.mp4"),
        (["talk.mp4"], "an input and an output"),
        (["talk.mp4", "out.mp4", "--codec", "libx999"], "libx999"),
        (["talk.mp4", "out.mp4", "--strength", "7"], "strength"),
        (["talk.mp4", "out.mp4", "--strength", "much"], "valid number"),
        (["talk.mp4", "out.mp4", "--strenght", "1"], "--strength"),
        (["talk.mp4", "out.mp4", "--config", "bad.yaml"], "did you mean 'codec'"),
        (["talk.mp4", "nowhere/out.mp4"], "does not exist"),
        (["talk.mp4", "out.mp4", "--network", "light"], "Did you mean 'lite'?"),
        (["talk.mp4", "out.mp4", "--look-ahead", "9"], "look_ahead: must be a whole number, 0 to 5"),
    ],
)
def test_wrong_use_exits_with_2_and_without_a_traceback(tmp_path, source, arguments, words):
    (tmp_path / "bad.yaml").write_text("codek: libx264\n")
    done = run("video", *arguments, cwd=tmp_path)
    assert done.exit_code == 2
    assert words in " ".join(re.sub(r"[│╭╮╰╯─]", " ", done.stderr).split())
    assert "Traceback" not in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["bad.yaml", "talk.mp4"]


def test_json_tells_errors_too(tmp_path):
    done = run("video", "none.mp4", "out.mp4", "--json", cwd=tmp_path)
    assert done.json == {"error": "No such file: none.mp4.", "exit_code": 2}


def test_a_configuration_file_is_used(tmp_path, source, quick):
    (tmp_path / "archive.yaml").write_text("codec: ffv1\nstrength: 0.5\n")
    done = run("video", source, tmp_path / "out.mkv", "--config", tmp_path / "archive.yaml", *quick)
    assert done.exit_code == 0, done.stderr
    import av

    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.video[0].codec_context.name == "ffv1"


def test_several_files_a_failing_one_and_resuming(tmp_path, few_pictures, quick):
    inputs = tmp_path / "in"
    (inputs / "day 2").mkdir(parents=True)
    for name in ("a.mp4", "b.mp4", "day 2/c.mkv"):
        write_video(inputs / name, few_pictures[:4])
    (inputs / "broken.mp4").write_bytes(b"no video")
    (inputs / "notes.txt").write_text("not for us")
    done = run("video", inputs, *quick, "--out", tmp_path / "out", "--json")
    assert done.exit_code == 1
    assert "broken.mp4" in done.stderr
    report = done.json
    assert (report["done"], report["failed"]) == (3, 1)
    names = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.m*"))
    assert names == ["a.mp4", "b.mp4", "day 2/c.mkv"]

    before = (tmp_path / "out" / "b.mp4").stat().st_mtime_ns
    (tmp_path / "out" / "a.mp4").unlink()
    done = run("video", inputs, *quick, "--out", tmp_path / "out", "--resume")
    assert done.exit_code == 1
    assert re.search(r"a\.mp4.*done", done.stdout)
    assert re.search(r"b\.mp4.*skipped", done.stdout)
    assert re.search(r"broken\.mp4.*failed", done.stdout)
    assert (tmp_path / "out" / "b.mp4").stat().st_mtime_ns == before

    done = run("video", inputs, *quick, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "--overwrite" in done.stderr


def test_inputs_of_the_same_name_are_refused(tmp_path, source):
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "talk.mp4"
    other.write_bytes(source.read_bytes())
    done = run("video", source, other, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "would both be written" in done.stderr


def test_pictures(tmp_path, face_picture, quick):
    blurred = cv2.blur(face_picture, (11, 1))
    for name in ("a.png", "b.jpg", "c.webp"):
        cv2.imwrite(str(tmp_path / name), blurred[..., ::-1])
    done = run("image", tmp_path / "a.png", tmp_path / "sharp.png", "--json", *quick)
    assert done.exit_code == 0, done.stderr
    assert done.json["restored"] >= 1
    sharp = cv2.imread(str(tmp_path / "sharp.png"))[..., ::-1]
    assert sharp.shape == blurred.shape
    assert np.array_equal(sharp[:5], blurred[:5])
    assert not np.array_equal(sharp, blurred)
    done = run("image", tmp_path / "a.png", tmp_path / "b.jpg", tmp_path / "c.webp", "--out", tmp_path / "out", *quick)
    assert done.exit_code == 0, done.stderr
    assert sorted(os.listdir(tmp_path / "out")) == ["a.png", "b.jpg", "c.webp"]


def test_bad_pictures_do_not_stop_the_others(tmp_path, face_picture, quick):
    """Each is reported in words, the closing JSON counts all, and nothing is left of those that failed."""
    blurred = Image.fromarray(cv2.blur(face_picture, (11, 1)))
    blurred.save(tmp_path / "a.png")
    blurred.save(tmp_path / "z.jpg")
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:5000])
    (tmp_path / "text.webp").write_text("text")
    (tmp_path / "empty.jpg").write_bytes(b"")
    Image.new("RGB", (16_384, 2)).save(tmp_path / "wide.png")
    names = ["a.png", "cut.png", "text.webp", "none.png", "empty.jpg", "wide.png", "z.jpg"]
    done = run("image", *(tmp_path / name for name in names), "--out", tmp_path / "out", "--json", *quick)
    assert done.exit_code == 1
    assert [file["status"] for file in done.json["files"]] == ["done", *["failed"] * 4, "done", "done"]
    assert (done.json["done"], done.json["failed"]) == (3, 4)
    assert "Traceback" not in done.stderr
    assert sorted(os.listdir(tmp_path / "out")) == ["a.png", "wide.png", "z.jpg"]


def test_the_doctor_says_what_will_be_used():
    found = run("doctor", "--json").json
    assert [engine["name"] for engine in found["engines"] if engine["chosen"]] in (["openvino"], ["openvino:int8"])
    assert "libx264" in found["encoders"]
    assert found["cpu"]["cores"] >= 1
    assert (found["network"]["file"], found["network"]["memory"]) == ("stream.onnx", 4)
    assert 256 in found["network"]["crop_sizes"]
    text = run("doctor").stdout
    assert "a memory of 4 crops" in text
    assert re.search(r"crops of [\d, ]*256 px", text)
    assert "used by 'auto'" in text
    assert "centerface" in text


def test_the_demonstration(tmp_path):
    """Its faces come closer to the sharp frames."""
    done = run("demo", "--out", tmp_path / "demo", "-t", 0.2, cwd=tmp_path)
    assert done.exit_code == 0, done.stderr
    assert int(re.search(r"(\d+) face windows in 5 frames", done.stdout)[1]) > 5
    ssim, psnr = (re.search(rf"{name} (\S+)( dB)? blurry -> (\S+)", done.stdout).group(1, 3) for name in ("SSIM", "PSNR"))
    assert float(ssim[1]) > float(ssim[0]) + 0.03
    assert float(psnr[1]) > float(psnr[0]) + 1.0
    files = sorted((tmp_path / "demo").iterdir())
    assert [path.name for path in files] == ["before_after.png", "blurry.mp4", "restored.mp4"]
    assert all(path.stat().st_size > 10_000 for path in files)
    done = run("demo", "--out", tmp_path / "demo")
    assert done.exit_code == 2
    assert "blurry.mp4 exists. Give --overwrite" in done.stderr


@pytest.mark.parametrize("group", [[], ["dataset"], ["train"]])
def test_help_loads_nothing_heavy_and_names_every_command(group):
    commands = GROUPS[group[0]][1] if group else {**COMMANDS, **GROUPS}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *COMMAND[1:], *group, "--help"], capture_output=True, text=True, check=True
    )
    assert all(re.search(rf"│ {name} ", done.stdout) for name in commands)
    assert "Exit codes" in done.stdout
    # typer reads the options before the name of a group with pydantic
    heavies = ("numpy", "av", "numba", "openvino", "onnxruntime", "onnx", "cv2", "torch", *([] if group else ["pydantic"]))
    for heavy in heavies:
        assert not re.search(rf"\| +{heavy}$", done.stderr, re.MULTILINE), heavy


def test_help_fits_a_terminal_of_80_columns_and_breaks_lines_only_there(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("batch", "--help").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.rstrip().endswith("segments, which workers do at the same") for line in lines)
    assert any(re.search(r"--verbose +-v +LEVEL ", line) for line in lines)
    assert any(re.search(r"--network +FILE\|NAME ", line) for line in lines)


def test_a_wrong_choice_is_told_without_the_words_of_the_parser():
    done = run("config", "schema", "nope")
    assert (done.exit_code, "is not one of 'video'" in done.stderr, "Value error" in done.stderr) == (2, True, False)


def test_a_misspelt_command_is_answered_with_the_nearest_one():
    done = run("vidoe", "in.mp4", "out.mp4")
    assert done.exit_code == 2
    assert "Did you mean 'video'?" in done.stderr


def test_the_log_is_shown_on_stderr_with_its_levels(monkeypatch):
    logger = logging.getLogger("streamdeblur.jobs")

    def diagnose():
        logger.info("It begins.")
        logger.warning("This is 50 %.")
        raise InputError("No such file: a.mp4.")

    monkeypatch.setattr("streamdeblur.diagnosis.diagnose", diagnose)
    before = vars(logging.getLogger("streamdeblur")).copy()
    for _ in range(2):
        done = run("doctor")
        assert done.exit_code == 2
        assert done.stderr == "It begins.\nWarning: This is 50 %.\nError: No such file: a.mp4.\n"
    assert vars(logging.getLogger("streamdeblur")) == before


@pytest.mark.parametrize("terminal", [True, False])
def test_results_are_broken_between_words_on_a_terminal_alone(monkeypatch, terminal):
    shown = io.StringIO()
    shown.isatty = lambda: terminal
    monkeypatch.setattr("sys.stdout", shown)
    monkeypatch.setenv("COLUMNS", "40")
    text = "a-name-that-is-longer-than-the-line-of-the-terminal.mp4: 23 frames, 2 left: too little to gain"
    print_words(text)
    lines = shown.getvalue().splitlines()
    assert " ".join(lines) == text
    assert lines[1:] == (["23 frames, 2 left: too little to gain"] if terminal else [])


def test_names_that_the_encoding_of_the_output_lacks_are_escaped(tmp_path, few_pictures, quick):
    need_name(tmp_path / "видео.mp4")
    source = write_video(tmp_path / "видео.mp4", few_pictures)
    done = run_with_files("video", source, tmp_path / "лицо.mp4", *quick, encoding="cp1252")
    assert done.exit_code == 0, done.stderr
    assert "\\u043b" in done.stdout


def test_the_output_folder_is_not_an_input_folder(tmp_path, face_picture):
    Image.fromarray(face_picture).save(tmp_path / "face.png")
    done = run("image", tmp_path, "--out", tmp_path, "--overwrite")
    assert done.exit_code == 2
    assert "is the input folder itself" in done.stderr


@pytest.mark.parametrize(("name", "words"), [("folder", "is a folder"), ("empty.png", "is empty")])
def test_a_picture_that_is_none_is_refused(tmp_path, quick, name, words):
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.png").touch()
    done = run("image", tmp_path / name, tmp_path / "out.png", *quick)
    assert done.exit_code == 2
    assert words in done.stderr
