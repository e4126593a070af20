"""Cameras that are found, and their names."""

from __future__ import annotations

import pytest

from streamdeblur.errors import InputError
from streamdeblur.live import cameras
from streamdeblur.live.cameras import camera_address, camera_names, camera_title, linux_cameras
from support.cli import run


@pytest.fixture
def devices(tmp_path, monkeypatch):
    """The files of Linux for two cameras, the first of which has a device for its metadata."""
    for number, index, name in (
        (0, 0, "HD Webcam: HD Webcam"),
        (1, 1, "HD Webcam: HD Webcam"),
        (10, 0, "streamdeblur"),
        (2, 0, "Cam Link"),
    ):
        folder = tmp_path / f"video{number}"
        folder.mkdir()
        (folder / "name").write_text(f"{name}\n")
        (folder / "index").write_text(f"{index}\n")
    monkeypatch.setattr(cameras, "SYSFS", tmp_path)
    monkeypatch.setattr(cameras.platform, "system", lambda: "Linux")


def test_cameras_are_listed_without_the_devices_of_their_metadata(devices):
    listed = [{"camera": f"/dev/video{number}", "name": name} for number, name in CAMERAS]
    assert run("live", "--list-cameras", "--json").json == {"cameras": listed}
    table = run("live", "--list-cameras").stdout
    for number, name in CAMERAS:
        (line,) = [line for line in table.splitlines() if f"/dev/video{number} " in line]
        assert name in line


CAMERAS = [(0, "HD Webcam: HD Webcam"), (2, "Cam Link"), (10, "streamdeblur")]


def test_a_camera_is_called_by_its_name(devices):
    assert [camera_title(camera) for camera in (None, "2", "/dev/video10", "cam link", "7")] == [
        "camera 0 (HD Webcam: HD Webcam)", "camera 2 (Cam Link)", "camera /dev/video10 (streamdeblur)", "camera cam link",
        "camera 7",
    ]  # fmt: skip
    assert camera_address("cam link", "Linux") == ("/dev/video2", "v4l2")
    with pytest.raises(InputError, match=r"no camera 'x'\. Found: /dev/video0 \(HD Webcam"):
        camera_address("x", "Linux")


def test_without_cameras_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(cameras, "SYSFS", tmp_path / "absent")
    done = run("live", "--list-cameras")
    assert (done.exit_code, done.stdout) == (0, "No camera was found.\n")
    assert linux_cameras() == {}


@pytest.mark.parametrize("system", ["Darwin", "Windows"])
def test_a_system_whose_cameras_ffmpeg_cannot_list_is_refused_in_words(system):
    if cameras.platform.system() == system:
        pytest.skip("FFmpeg lists the cameras of this system")
    with pytest.raises(InputError, match="cannot be listed"):
        camera_names(system)
