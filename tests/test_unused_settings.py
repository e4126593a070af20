"""Settings that are given and have no effect are refused, or a warning names them."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from PIL import Image

from streamdeblur import VideoOptions, deblur_video
from streamdeblur.errors import OptionError
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.unused import unused_settings
from streamdeblur.options import PipeOptions
from support.cli import run, run_with_files
from support.media.videos import write_video
from support.models.networks import write_network

RECORDED = {"to": ("out.mkv",)}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, []),
        ({"camera": "0", "size": "640x480", "fps": 30, "format": "mjpeg"}, []),
        ({"source": "pattern", "size": "640x480", "fps": 30, "format": "yuv420p"}, []),
        ({"source": "-", "size": "640x480", "fps": 30, "format": "rgb24", "budget": 20, "overlay": True}, []),
        ({"source": "in.mp4", "realtime": True, "loop": True, "budget": 20}, []),
        ({"source": "in.mp4", "size": "640x480", "fps": 30, "format": "rgb24"}, ["size", "fps", "format"]),
        ({"source": "rtsp://host/a", "size": "640x480", "loop": True}, ["loop", "size"]),
        ({"source": "pattern", "realtime": True, "loop": True}, ["realtime", "loop"]),
        ({"realtime": False, "loop": False, "overlay": False, "overwrite": False, "to": ("null",)}, []),
        ({"source": "in.mp4", "budget": 20}, ["budget"]),
        ({"codec": "libx264", "quality": 20, "preset": "fast", "overwrite": True}, ["codec", "quality", "preset", "overwrite"]),
        ({"codec": "libx264", "to": ("rtmp://host/a", "camera", "-")}, ["codec"]),
        ({"codec": "libx264", "quality": 20, "preset": "fast", "overwrite": True, **RECORDED}, []),
        ({"overlay": True, **RECORDED}, ["overlay"]),
    ],
)
def test_settings_of_a_live_stream_that_nothing_uses_are_named(settings, named):
    options = LiveOptions(**settings)
    realtime = options.realtime or options.source != "in.mp4"
    warnings = list(unused_settings(options, realtime=realtime))
    assert [warning.partition(" ")[0].removeprefix("--") for warning in warnings] == named
    assert all(" has no effect: " in warning and warning.endswith(".") for warning in warnings)


@pytest.fixture(scope="module")
def inverting_network(tmp_path_factory):
    return str(write_network(tmp_path_factory.mktemp("networks") / "invert.onnx", "invert"))


@pytest.fixture
def clip(tmp_path, few_pictures):
    return write_video(tmp_path / "in.mp4", few_pictures[:3])


def test_live_says_so_in_its_log_and_in_its_summary(clip, inverting_network):
    unused = ("--fps", 10, "--codec", "ffv1")
    done = run_with_files("live", "--source", clip, "--headless", "--json", *unused, "--network", inverting_network)
    assert done.exit_code == 0, done.stderr
    wanted = ["--fps has no effect: the source is a file.", "--codec has no effect: no output is a file."]
    assert done.json["warnings"] == wanted
    assert all(warning in done.stderr for warning in wanted)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pipe", "--live", "--look-ahead", 2), "look_ahead must be 0 (got 2)"),
        (("pipe", "--format", "rgb24"), "format is that of raw frames, and needs a size"),
        (("live", "--source", "pattern", "--headless", "--to", "preview"), "--headless opens no window"),
    ],
)
def test_what_contradicts_is_refused(arguments, message):
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())


def test_what_agrees_is_taken_and_a_file_of_settings_is_checked_alike(tmp_path):
    assert PipeOptions(live=True).live
    assert PipeOptions(live=True, look_ahead=0).look_ahead == 0
    assert PipeOptions(look_ahead=3, size="64x64", format="rgb24").look_ahead == 3
    config = tmp_path / "pipe.yaml"
    config.write_text(yaml.safe_dump({"live": True, "look_ahead": 1}))
    with pytest.raises(OptionError, match=r"pipe\.yaml: live writes each frame"):
        PipeOptions.load(config)
    assert PipeOptions.load(config, look_ahead=0).live


def test_video_names_what_has_no_effect(tmp_path, clip, inverting_network):
    options = VideoOptions(network=inverting_network, audio="copy", no_audio=True, look_ahead=2)
    assert deblur_video(clip, tmp_path / "out.mkv", options).warnings == [
        "the setting audio has no effect: audio is left out",
        "look_ahead has no effect: the network has no memory",
    ]
    plain = VideoOptions(network=inverting_network, no_audio=True)
    assert deblur_video(clip, tmp_path / "plain.mkv", plain).warnings == []


def test_pipe_names_a_look_ahead_that_has_no_effect(inverting_network):
    raw = np.zeros((2, 64 * 64 * 3 // 2), np.uint8).tobytes()
    done = run_with_files("pipe", "--size", "64x64", "--look-ahead", 2, "--network", inverting_network, input=raw)
    assert done.exit_code == 0
    assert "look_ahead has no effect: the network has no memory." in done.stderr


def test_pictures_have_no_frames_to_detect_every_one_of(tmp_path, inverting_network):
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "in.png")
    config = tmp_path / "image.yaml"
    config.write_text(yaml.safe_dump({"detect_every": 3, "network": inverting_network}))
    files = (tmp_path / "in.png", tmp_path / "out.png")
    done = run("image", *files, "--config", config)
    assert done.exit_code == 0, done.stderr
    assert "detect_every has no effect" in done.stderr
    again = run("image", *files, "--network", inverting_network, "--resume", "--overwrite")
    assert again.exit_code == 0, again.stderr
    assert "overwrite has no effect: resume skips outputs that exist" in again.stderr
