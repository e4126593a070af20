"""The element facedeblur in real pipelines of gst-launch-1.0."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur import FaceDeblurrer
from streamdeblur.video.copying import copy_frame, line_bytes
from streamdeblur.video.layouts import layout_of
from support.gstreamer import lines_of, open_gstreamer, statistics
from support.media.frames import BT601, FULL, LIMITED
from support.media.videos import VideoSpec, rgb_to_frame, write_video
from support.models.networks import write_network

FORMATS = {"I420": "yuv420p", "NV12": "nv12", "RGB": "rgb24", "BGR": "bgr24", "GRAY8": "gray", "P010_10LE": "p010le"}
WIDTH, HEIGHT = 319, 240
WIDE = 384, 192
"""Bytes per line of luma and chroma, more than they need."""
ENGINE = "onnxruntime"
"""It opens fastest here: OpenVINO throws exceptions, which take seconds with the unwinder that GStreamer's library brings."""


@pytest.fixture(scope="module")
def gstreamer(tmp_path_factory):
    return open_gstreamer(tmp_path_factory.mktemp("plugins"))


@pytest.fixture(scope="module")
def invert(tmp_path_factory):
    """A network that changes every pixel that it processes."""
    return write_network(tmp_path_factory.mktemp("networks") / "invert.onnx", "invert")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("streams")


@pytest.fixture(scope="module")
def frames(few_pictures):
    """Six frames of a blurred face, of an odd width, in any pixel format."""

    def made(pixel_format):
        recipe = VideoSpec(pixel_format=pixel_format, colorspace=BT601, color_range=LIMITED)
        if layout_of(pixel_format).family != "yuv":
            recipe = VideoSpec(pixel_format=pixel_format, colorspace=BT601, color_range=FULL)
        return [rgb_to_frame(picture[:, :WIDTH], recipe) for picture in few_pictures[:6]]

    return made


@pytest.fixture(scope="module")
def expected(invert):
    """The same frames, restored by a FaceDeblurrer."""

    def edited(frames):
        copies = [copy_frame(frame) for frame in frames]
        with FaceDeblurrer(network=invert, always=True, engine=ENGINE) as deblurrer:
            for copied in copies:
                deblurrer.edit(copied)
            assert deblurrer.statistics.restored == len(frames)
        return copies

    return edited


def strides(frame):
    """GStreamer's default bytes per line: multiples of four."""
    return [-(-line_bytes(frame, index) // 4) * 4 for index in range(len(frame.planes))]


def visible(contents, frames, lines):
    """The bytes of all planes without the padding of their lines: uint8 [frames, bytes]."""
    parts = []
    for content, frame in zip(np.frombuffer(contents, np.uint8).reshape(len(frames), -1), frames, strict=True):
        planes, begin = [], 0
        for index, (plane, stride) in enumerate(zip(frame.planes, lines, strict=True)):
            end = begin + plane.height * stride
            planes.append(content[begin:end].reshape(-1, stride)[:, : line_bytes(frame, index)].ravel())
            begin = end
        parts.append(np.concatenate(planes))
    return np.stack(parts)


def raw_source(path, frames, name):
    path.write_bytes(b"".join(lines_of(frame, strides(frame)) for frame in frames))
    return f"filesrc location={path} ! rawvideoparse format={name.lower().replace('_', '-')} width={WIDTH} height={HEIGHT}"


def raw_pipeline(folder, given, name, invert):
    source = raw_source(folder / name, given, name)
    return f"{source} ! facedeblur always=true engine={ENGINE} network={invert} ! filesink location={folder / name}.out"


def wide_pipeline(folder, given, invert):
    """Buffers with metadata that state where the planes are, like those of decoders and cameras."""
    wide, chroma = WIDE
    offsets = [0, wide * HEIGHT, wide * HEIGHT + chroma * HEIGHT // 2]
    (folder / "wide").write_bytes(b"".join(lines_of(frame, [wide, chroma, chroma]) for frame in given))
    return (
        f"filesrc location={folder / 'wide'} ! rawvideoparse format=i420 width={WIDTH} height={HEIGHT}"
        f" plane-strides=<{wide},{chroma},{chroma}> plane-offsets=<{','.join(map(str, offsets))}>"
        f" frame-size={offsets[2] + chroma * HEIGHT // 2} ! facedeblur always=true engine={ENGINE} network={invert}"
        # A converter accepts lines of any length; here it only moves samples.
        f" ! videoconvert ! video/x-raw,format=NV12 ! videoconvert ! video/x-raw,format=I420"
        f" ! filesink location={folder / 'wide'}.out"
    )


@pytest.fixture(scope="module")
def processed(gstreamer, folder, frames, invert):
    """Three frames of every format, and some in longer lines, each through its own pipeline, all in one process."""
    pipelines = [raw_pipeline(folder, frames(pixel_format)[:3], name, invert) for name, pixel_format in FORMATS.items()]
    exit_code, output = gstreamer.launch(*pipelines, wide_pipeline(folder, frames("yuv420p")[:3], invert))
    assert exit_code == 0, output
    assert "Traceback" not in output
    return lambda name: (folder / f"{name}.out").read_bytes()


@pytest.mark.parametrize("name", FORMATS)
def test_every_byte_is_what_the_deblurrer_makes_of_the_frame(name, processed, frames, expected):
    """Including the bytes outside the faces, in lines with padding."""
    given = frames(FORMATS[name])[:3]
    made = expected(given)
    lines = strides(given[0])
    after = visible(processed(name), given, lines)
    want = visible(b"".join(lines_of(frame, lines) for frame in made), given, lines)
    before = visible(b"".join(lines_of(frame, lines) for frame in given), given, lines)
    np.testing.assert_array_equal(after, want)
    assert 0.02 < (after != before).mean() < 0.7


def test_lines_may_be_longer_than_the_format_asks_for(frames, processed):
    given = frames("yuv420p")[:3]
    lines = strides(given[0])
    np.testing.assert_array_equal(visible(processed("wide"), given, lines), visible(processed("I420"), given, lines))


@pytest.fixture(scope="module")
def video(folder, few_pictures):
    """H.264 in MP4, twelve frames of a blurred face."""
    return write_video(folder / "blurry.mp4", few_pictures, VideoSpec(options={"crf": "10", "preset": "veryfast"}))


def test_a_file_comes_out_with_a_sharper_face(gstreamer, folder, video):
    decoded = f"filesrc location={video} ! decodebin ! videoconvert ! video/x-raw,format=NV12"
    exit_code, output = gstreamer.launch(
        f"{decoded} ! filesink location={folder}/before",
        f"{decoded} ! facedeblur engine={ENGINE} ! filesink location={folder}/after",
    )
    assert exit_code == 0, output
    before, after = (
        np.fromfile(folder / name, np.uint8).reshape(12, 360, 320)[:, :240].astype(np.float32) for name in ("before", "after")
    )
    changed = before != after
    rows, columns = changed.any(axis=(0, 2)).nonzero()[0], changed.any(axis=(0, 1)).nonzero()[0]
    assert rows.size < 240
    assert columns.size < 320
    middle = np.s_[:, rows[0] + 40 : rows[-1] - 40, columns[0] + 40 : columns[-1] - 40]
    edges = [np.abs(np.diff(luma[middle], axis=2)).mean() for luma in (before, after)]
    assert edges[1] > 1.15 * edges[0]
    counts = statistics(output)
    assert counts == {
        "frames": 12, "late-frames": 0, "faces": 12, "restored": counts["restored"], "skipped-sharp": 12 - counts["restored"],
        "failed": 0,
    }  # fmt: skip
    assert counts["restored"] >= 10


def test_faces_of_turned_files_are_found(gstreamer, folder, few_pictures, invert):
    """As phones record them: the file says how players turn its picture."""
    element = f"facedeblur always=true engine={ENGINE} network={invert}"
    for rotation in (90, 270):
        pictures = [np.ascontiguousarray(np.rot90(picture, -rotation // 90)) for picture in few_pictures]
        video = write_video(folder / f"turned-{rotation}.mp4", pictures, VideoSpec(rotation=rotation))
        exit_code, output = gstreamer.launch(f"filesrc location={video} ! decodebin ! videoconvert ! {element} ! fakesink")
        assert exit_code == 0, output
        assert statistics(output)["restored"] == 12


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [("flip-rotate-90", lambda p: p[::-1, ::-1].swapaxes(0, 1)), ("flip-rotate-270", lambda p: p.swapaxes(0, 1))],
)
def test_faces_of_turned_and_mirrored_streams_are_found(gstreamer, folder, few_pictures, invert, orientation, stored):
    video = write_video(folder / f"{orientation}.mp4", [np.ascontiguousarray(stored(p)) for p in few_pictures], VideoSpec())
    tagged = f"filesrc location={video} ! decodebin ! videoconvert ! taginject tags=image-orientation={orientation}"
    exit_code, output = gstreamer.launch(f"{tagged} ! facedeblur always=true engine={ENGINE} network={invert} ! fakesink")
    assert exit_code == 0, output
    assert statistics(output)["restored"] == 12


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("engine=warp", "Unknown engine 'warp'"),
        pytest.param("network=/nowhere.onnx", "/nowhere.onnx", marks=pytest.mark.slow),
    ],
)
def test_an_invalid_setting_ends_the_pipeline_with_a_message(gstreamer, video, setting, message):
    exit_code, output = gstreamer.launch(f"filesrc location={video} ! decodebin ! videoconvert ! facedeblur {setting} ! fakesink")
    assert exit_code != 0
    errors = [line for line in output.splitlines() if line.startswith("ERROR: from element") and "facedeblur0" in line]
    assert message in errors[0]
    assert "Traceback" not in output


def test_late_frames_pass_through_unrestored(gstreamer, folder, frames, invert):
    """The sink expects ten thousand frames per second."""
    given = frames("yuv420p") * 10
    source = raw_source(folder / "late", given, "I420")
    exit_code, output = gstreamer.launch(
        f"{source} framerate=10000/1 ! facedeblur always=true engine={ENGINE} network={invert}"
        f" ! filesink sync=true qos=true max-lateness=-1 location={folder / 'late'}.out"
    )
    assert exit_code == 0, output
    counts = statistics(output)
    assert counts["frames"] == 60
    assert counts["late-frames"] > 0
    assert counts["restored"] == 60 - counts["late-frames"]
    lines = strides(given[0])
    before, after = (visible((folder / name).read_bytes(), given, lines) for name in ("late", "late.out"))
    assert (before == after).all(axis=1).sum() == counts["late-frames"]


STRENGTH = """
pipeline = Gst.parse_launch(sys.argv[1])
element, frames = pipeline.get_by_name("faces"), []

def on_buffer(pad, info):
    frames.append(info.get_buffer().pts)
    if len(frames) == 4:
        element.set_property("strength", 0.0)
    return Gst.PadProbeReturn.OK

element.get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, on_buffer)
pipeline.set_state(Gst.State.PLAYING)
message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
pipeline.set_state(Gst.State.NULL)
print(json.dumps(message.type == Gst.MessageType.EOS))
"""


def test_the_strength_may_change_while_the_element_runs(gstreamer, folder, frames, invert):
    """With the engine that is chosen where none is given."""
    given = frames("nv12")
    source = raw_source(folder / "strength", given, "NV12")
    pipeline = f"{source} ! facedeblur name=faces always=true network={invert} ! filesink location={folder / 'strength'}.out"
    assert gstreamer.script(STRENGTH, pipeline)
    lines = strides(given[0])
    before, after = (visible((folder / name).read_bytes(), given, lines) for name in ("strength", "strength.out"))
    assert (before == after).all(axis=1).tolist() == [False, False, False, True, True, True]


SEEK = """
pipeline = Gst.parse_launch(sys.argv[1])
sums = []

def on_buffer(pad, info):
    buffer = info.get_buffer()
    sums.append(GLib.compute_checksum_for_data(GLib.ChecksumType.SHA256, buffer.extract_dup(0, buffer.get_size())))
    return Gst.PadProbeReturn.OK

pipeline.get_by_name("faces").get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, on_buffer)
ends = Gst.MessageType.EOS | Gst.MessageType.ERROR
pipeline.set_state(Gst.State.PLAYING)
message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, ends)
pipeline.seek_simple(Gst.Format.TIME, Gst.SeekFlags.FLUSH, 0)
message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, ends)
pipeline.set_state(Gst.State.NULL)
print(json.dumps(sums))
"""


def test_after_a_seek_faces_are_detected_anew(gstreamer, folder, frames, invert):
    source = raw_source(folder / "seek", frames("yuv420p"), "I420")
    sums = gstreamer.script(SEEK, f"{source} ! facedeblur name=faces always=true engine={ENGINE} network={invert} ! fakesink")
    assert len(set(sums)) == 6
    assert sums == sums[:6] * 2


SCANNING = """
import runpy
runpy.run_path(sys.argv[1])
heavy = {"numpy", "cv2", "numba", "openvino", "onnxruntime", "onnx", "pydantic", "av", "scipy"}
print(json.dumps(sorted(heavy & set(sys.modules))))
"""


def test_scanning_plugins_imports_no_heavy_package(gstreamer):
    assert gstreamer.script(SCANNING, str(gstreamer.plugin)) == []


def test_gst_inspect_shows_the_element(gstreamer):
    exit_code, output = gstreamer.inspect()
    assert exit_code == 0
    for name in ("strength", "engine", "detector", "min-face"):
        assert f"  {name} " in output
    for name in ("I420", "NV12", "RGB", "BGR"):
        assert f"(string){name}" in output
