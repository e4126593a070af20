"""Names that are derived from others fit in what file systems accept."""

from __future__ import annotations

import contextlib
import os

import cv2
import pytest

from streamdeblur.files import fitting_name
from streamdeblur.live.recording_file import RecordingFiles
from support.cli import run
from support.media.videos import write_video
from support.models.networks import write_network
from support.names import need_name

EMOJI = "\N{GRINNING FACE}"


@pytest.mark.parametrize("stem", ["a", "a" * 255, "a" * 300, EMOJI * 61, EMOJI * 80, "\udcff" * 300])
@pytest.mark.parametrize("ending", ["", ".json", "-2.mp4"])
def test_fitting_name(stem, ending):
    name = fitting_name(stem, ending)
    assert len(os.fsencode(name)) <= 255
    assert name.endswith(ending)
    assert (name == stem + ending) == (len(os.fsencode(stem + ending)) <= 255)


def test_shortened_names_differ():
    assert fitting_name("a" * 300 + "1") != fitting_name("a" * 300 + "2")


@pytest.fixture
def long_names(tmp_path, face_picture, few_pictures):
    """A folder with a picture and a video whose names have 248 and 255 bytes."""
    need_name(tmp_path / (EMOJI * 61 + ".png"))
    cv2.imwrite(str(tmp_path / "a.png"), cv2.blur(face_picture, (13, 1))[..., ::-1])
    (tmp_path / "a.png").rename(tmp_path / (EMOJI * 61 + ".png"))
    write_video(tmp_path / "a.mp4", few_pictures).rename(tmp_path / ("n" * 251 + ".mp4"))
    return tmp_path


def test_pictures_and_videos_with_long_names(long_names):
    network = write_network(long_names / "invert.onnx", "invert")
    for command in ("image", "video"):
        done = run(command, long_names, "--out", long_names / command, "--network", network, "--engine", "onnxruntime")
        assert done.exit_code == 0, done.stderr
    assert os.listdir(long_names / "image") == [EMOJI * 61 + ".png"]
    assert os.listdir(long_names / "video") == ["n" * 251 + ".mp4"]


def test_pairs_of_videos_with_long_names(long_names):
    (long_names / "out").mkdir()
    done = run("blur", long_names / ("n" * 251 + ".mp4"), long_names / "out" / ("b" * 251 + ".mp4"), "--scheme", "pravg:3")
    assert done.exit_code == 0, done.stderr
    found = sorted(os.listdir(long_names / "out"))
    assert len(found) == 3
    assert ("b" * 251 + ".mp4") in found
    done = run("blur", long_names / ("n" * 251 + ".mp4"), long_names / "out" / ("p" * 255), "--scheme", "pravg:3")
    assert done.exit_code == 0, done.stderr


def test_evaluation_of_pictures_with_long_names(long_names):
    models = ["--localiser", "none", "--second", "none", "--embedder", "none"]
    out = long_names.with_name(f"{long_names.name}-results")
    done = run("evaluate", long_names, "--protocol", "synthetic", "--methods", "blurred", *models, "--out", out)
    assert done.exit_code == 0, done.stderr
    assert (out / "report.html").is_file()


def test_recordings_with_long_names_that_are_interrupted(tmp_path):
    files = RecordingFiles(tmp_path / (EMOJI * 62 + ".mp4"), overwrite=False)
    for number in range(3):
        with contextlib.closing(files.open()) as file:
            file.write(b"recorded")
        assert len(os.listdir(tmp_path)) == number + 1


@pytest.fixture(params=["itself", "a symbolic link", "a hard link"])
def input_and_name(request, tmp_path, few_pictures):
    """A video, and a name of it."""
    source, name = write_video(tmp_path / "talk.mp4", few_pictures), tmp_path / "other.mp4"
    if request.param == "itself":
        return source, source
    if request.param == "a hard link":
        name.hardlink_to(source)
    else:
        name.symlink_to(source)
    return source, name


def refused(source, *arguments):
    """Whether a command refuses to replace a file, which stays as it was."""
    before = source.read_bytes()
    done = run(*arguments)
    assert source.read_bytes() == before
    return done.exit_code == 2 and "the input itself. Choose another" in done.stderr


def test_no_command_replaces_its_input(input_and_name):
    source, name = input_and_name
    assert refused(source, "video", source, name, "--overwrite")
    assert refused(source, "live", "--source", source, "--headless", "--to", name, "--overwrite")
    assert refused(source, "live", "--source", f"file:{source}", "--headless", "--to", "null", "--to", name, "--overwrite")
    assert refused(source, "blur", source, name, "--overwrite", "--scheme", "pravg:3")
    for beside in ("out.sharp.mp4", "out.json"):
        (source.parent / beside).hardlink_to(name.resolve())
        assert refused(source, "blur", source, source.parent / "out.mp4", "--overwrite", "--scheme", "pravg:3")
        (source.parent / beside).unlink()
    (source.parent / "report.md").hardlink_to(name.resolve())
    assert refused(source, "compare", source, "--reference", source, "--out", source.parent, "--overwrite")


@pytest.mark.parametrize("out", [".", "report", "link/report"])
def test_results_are_not_written_into_the_data(tmp_path, few_pictures, out):
    data = tmp_path / "data"
    data.mkdir()
    (data / "link").symlink_to(data)
    source = write_video(data / "talk.mp4", few_pictures[:2])
    assert refused(source, "evaluate", data, "--out", data / out)
    assert sorted(os.listdir(data)) == ["link", "talk.mp4"]
