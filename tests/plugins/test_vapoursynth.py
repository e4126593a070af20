"""The VapourSynth filter, with clips of VapourSynth."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from streamdeblur import FaceDeblurrer
from streamdeblur.errors import InputError, OptionError
from streamdeblur.plugins.vapoursynth import deblur
from streamdeblur.video.copying import copy_frame
from support.media.frames import BT601, FULL, LIMITED, plane_bytes
from support.media.videos import VideoSpec, rgb_to_frame
from support.models.networks import write_network

vs = pytest.importorskip("vapoursynth", reason="VapourSynth is not installed (pip install vapoursynth, Python 3.12 or later)")

FORMATS = {
    "YUV420P8": "yuv420p", "YUV422P8": "yuv422p", "YUV444P8": "yuv444p", "YUV420P10": "yuv420p10le", "YUV422P12": "yuv422p12le",
    "YUV444P16": "yuv444p16le", "RGB24": "gbrp", "RGB30": "gbrp10le", "GRAY8": "gray",
}  # fmt: skip
GREEN_FIRST = (1, 2, 0)


@pytest.fixture(scope="module")
def invert(tmp_path_factory):
    """A network that changes every pixel that it processes."""
    return write_network(tmp_path_factory.mktemp("networks") / "invert.onnx", "invert")


@pytest.fixture(scope="module")
def made(few_pictures):
    """Frames of a blurred face in any pixel format, 318 x 240."""

    def frames(pixel_format, color_range=LIMITED):
        recipe = VideoSpec(pixel_format=pixel_format, colorspace=BT601, color_range=color_range)
        return [rgb_to_frame(picture[:, :318], recipe) for picture in few_pictures]

    return frames


def plane_arrays(frame):
    """The planes of a decoded frame in VapourSynth's order, without padding."""
    dtype = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
    planes = [content.view(dtype) for content in plane_bytes(frame)]
    return [planes[number] for number in (2, 0, 1)] if frame.format.name.startswith("gbr") else planes


def clip_of(frames, name, *, delays=0.0, **properties):
    """A clip of decoded frames; each takes up to `delays` seconds, so that threads overtake each other."""
    blank = vs.core.std.BlankClip(
        width=frames[0].width, height=frames[0].height, format=getattr(vs, name), length=len(frames), keep=True
    ).std.SetFrameProps(**properties)
    waits = np.random.default_rng(3).uniform(0, delays, len(frames))

    def filled(n, f):
        time.sleep(waits[n])
        copied = f.copy()
        for plane, samples in enumerate(plane_arrays(frames[n])):
            np.asarray(copied[plane])[:] = samples
        copied.props["number"] = n
        return copied

    return blank.std.ModifyFrame(clips=blank, selector=filled)


def expected(frames, network):
    """What FaceDeblurrer makes of frames: arrays of all planes."""
    copies = [copy_frame(frame) for frame in frames]
    with FaceDeblurrer(network=network, always=True) as deblurrer:
        for copied in copies:
            deblurrer.edit(copied)
    return [plane_arrays(copied) for copied in copies]


def arrays(frame):
    return [np.array(frame[plane]) for plane in range(frame.format.num_planes)]


def assert_same(frames, wanted):
    for got, want in zip(frames, wanted, strict=True):
        for plane, samples in zip(got, want, strict=True):
            np.testing.assert_array_equal(plane, samples)


@pytest.mark.parametrize("name", FORMATS)
def test_every_sample_is_what_the_deblurrer_makes_of_the_frame(name, made, invert):
    pixel_format = FORMATS[name]
    full = not pixel_format.startswith("yuv")
    frames = made(pixel_format, FULL if full else LIMITED)[:4]
    clip = clip_of(frames, name, _Matrix=0 if "RGB" in name else BT601, _Range=int(full))
    result = deblur(clip, network=invert, always=True)
    assert (result.format.id, result.width, result.height, result.num_frames) == (clip.format.id, 318, 240, 4)
    after = [arrays(frame) for frame in result.frames()]
    assert_same(after, expected(frames, invert))
    before = plane_arrays(frames[0])[0]
    assert 0.02 < (after[0][0] != before).mean() < 0.7


def test_the_range_is_the_frames_own(made, invert):
    frames = made("yuv444p", FULL)[:3]
    wanted = expected(frames, invert)
    clip = clip_of(frames, "YUV444P8", _Matrix=BT601, _Range=1)
    assert_same([arrays(frame) for frame in deblur(clip, network=invert, always=True).frames()], wanted)


def test_a_network_with_a_memory_gets_no_neighbours(made, tmp_path):
    """What it restores alone comes back as it is, in whatever order frames are requested."""
    network = write_network(tmp_path / "slots.onnx", "slots")
    frames = made("yuv444p", FULL)[:4]
    result = deblur(clip_of(frames, "YUV444P8", _Matrix=BT601, _Range=1), network=network, always=True, engine="onnxruntime")
    for number in (0, 1, 2, 3, 1):
        for got, before in zip(arrays(result.get_frame(number)), plane_arrays(frames[number]), strict=True):
            assert np.abs(got.astype(int) - before).max() <= 1


def test_frame_properties_stay(made, invert):
    clip = clip_of(made("yuv420p")[:3], "YUV420P8", _Matrix=BT601, _PictType="B", mine=[1, 2])
    for number, frame in enumerate(deblur(clip, network=invert, always=True).frames()):
        assert dict(frame.props) == dict(clip.get_frame(number).props)
        assert frame.props["number"] == number


@pytest.fixture
def eight_threads():
    before = vs.core.num_threads
    vs.core.num_threads = 8
    yield
    vs.core.num_threads = before


@pytest.mark.usefixtures("eight_threads")
def test_threads_that_overtake_each_other_do_not_change_the_result(made, invert):
    frames = made("yuv420p") * 2
    clip = clip_of(frames, "YUV420P8", delays=0.05, _Matrix=BT601)
    after = [arrays(frame) for frame in deblur(clip, network=invert, always=True).frames(prefetch=8)]
    assert_same(after, expected(frames, invert))


def test_tracking_starts_anew_after_a_jump(made, invert):
    frames = made("yuv420p") * 4
    result = deblur(clip_of(frames, "YUV420P8", _Matrix=BT601), network=invert, always=True)
    for number in (0, 1, 2, 30, 31, 5):
        after = arrays(result.get_frame(number))
        if number in (0, 30, 5):
            assert_same([after], expected(frames[number : number + 1], invert))


@pytest.mark.parametrize("name", ["YUV420PS", "RGBS", "GRAYH", "GRAY32"])
def test_formats_that_are_not_supported_are_refused(name):
    with pytest.raises(InputError, match=f"(?i)format {name} is not supported"):
        deblur(vs.core.std.BlankClip(format=getattr(vs, name), length=2))


@pytest.mark.parametrize("other", [{"width": 320}, {"format": vs.YUV444P8}])
def test_clips_that_change_are_refused(other):
    first = vs.core.std.BlankClip(format=vs.YUV420P8, length=2)
    clip = vs.core.std.Splice([first, vs.core.std.BlankClip(first, **other)], mismatch=True)
    with pytest.raises(InputError, match="variable format or size"):
        deblur(clip)


def test_settings_that_cannot_be_used_are_refused():
    with pytest.raises(OptionError, match="strength"):
        deblur(vs.core.std.BlankClip(format=vs.YUV420P8, length=2), strength=2)


def test_a_script_of_vspipe(tmp_path):
    """The filter in VapourSynth's own program."""
    programs = Path(sys.executable).parent
    script = tmp_path / "script.vpy"
    script.write_text(
        "import vapoursynth as vs\nfrom streamdeblur.plugins.vapoursynth import deblur\n"
        "clip = vs.core.std.BlankClip(width=320, height=240, format=vs.YUV420P8, length=5, color=[90, 128, 128])\n"
        "deblur(clip).set_output()\n"
    )
    # VapourSynth stores in the user's folder which Python it runs.
    environment = {name: value for name, value in os.environ.items() if name != "XDG_CONFIG_HOME"} | {"HOME": str(tmp_path)}
    subprocess.run([programs / "vapoursynth", "config"], capture_output=True, env=environment, check=True)
    command = [programs / "vspipe", "-c", "y4m", script, tmp_path / "out.y4m"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100, check=False)
    if "Failed to initialize VSScript" in done.stderr:
        pytest.skip(f"vspipe cannot run this Python: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    content = (tmp_path / "out.y4m").read_bytes()
    assert content.count(b"FRAME") == 5
    assert content.endswith(bytes([90]) * 320 * 240 + bytes([128]) * 320 * 120)
