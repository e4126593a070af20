"""Inputs and outputs that cannot be used: a clear error that names the file, and nothing left behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import struct
import subprocess
import time
import zlib
from pathlib import Path

import av
import numpy as np
import pytest

from streamdeblur import FaceDeblurrer, deblur_video
from streamdeblur.errors import InputError, NetworkError, OptionError, OutputError
from streamdeblur.video.reader import Reader
from support.cli import run, start
from support.disks import files_of_at_most
from support.media.videos import VideoSpec, read_frames, write_video
from support.memory import growth_below
from support.models.networks import write_network


@pytest.fixture
def source(tmp_path, few_pictures):
    return write_video(tmp_path / "in.mp4", few_pictures)


def left(folder):
    """Names in a folder, hidden ones too."""
    return sorted(os.listdir(folder))


def bad_inputs(folder, blurry_video):
    """Name of the case -> (path, part of the message)."""

    def file(name, content):
        (folder / name).write_bytes(content)
        return folder / name

    movie = blurry_video.read_bytes()
    text = file("text.mp4", b"This is a text, not a video. " * 100)
    playlist = file("list.m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{blurry_video}\n#EXT-X-ENDLIST\n".encode())
    concat = file("list.mp4", f"ffconcat version 1.0\nfile '{blurry_video}'\n".encode())
    with av.open(str(folder / "sound.m4a"), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
        frame.rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return {
        "missing": (folder / "none.mp4", "No such file"),
        "empty": (file("empty.mp4", b""), "is empty"),
        "text": (text, "Cannot read"),
        "moov missing": (file("cut.mp4", movie[: len(movie) // 3].replace(b"moov", b"free")), "Cannot read"),
        "audio only": (folder / "sound.m4a", "audio only"),
        "folder": (folder, "is a folder"),
        "playlist": (playlist, "--allow-network"),
        "concat script": (concat, "--allow-network"),
        "session": (
            file("cam.sdp", b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n"),
            "--allow-network",
        ),
        "y4m": (file("bad.y4m", b"YUV4MPEG2 W0 H0 F25:1\nFRAME\n"), "may be damaged"),
        "URL": ("http://127.0.0.1:9/talk.mp4", "--allow-network"),
        "concat protocol": (f"concat:{blurry_video}", "--allow-network"),
    }


CASES = (
    "missing", "empty", "text", "moov missing", "audio only", "folder", "playlist", "concat script", "session", "y4m", "URL",
    "concat protocol",
)  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_an_input_that_cannot_be_read_is_refused_by_name(tmp_path, blurry_video, case):
    path, message = bad_inputs(tmp_path, blurry_video)[case]
    before = left(tmp_path)
    with pytest.raises(InputError) as error:
        deblur_video(path, tmp_path / "out.mp4")
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert left(tmp_path) == before


def test_a_playlist_is_followed_when_that_is_allowed(tmp_path, few_pictures, inverting):
    write_video(tmp_path / "part.ts", few_pictures)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:0.48,\npart.ts\n#EXT-X-ENDLIST\n")
    summary = deblur_video(tmp_path / "list.m3u8", tmp_path / "out.mp4", deblurrer=inverting, allow_network=True)
    assert summary.frames == 12


def mp4_with_index(path, pictures, movflags):
    """An MP4 that can be cut off: its index lies in each fragment, or as a whole before its data."""
    with av.open(str(path), "w", options={"movflags": movflags}) as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "5", "preset": "ultrafast"})
        stream.height, stream.width = pictures[0].shape[:2]
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("movflags", ["frag_keyframe+empty_moov", "faststart"])
def test_a_file_cut_off_in_its_data_gives_what_decodes_and_a_count(tmp_path, blurry_pictures, inverting, movflags):
    whole = mp4_with_index(tmp_path / "whole.mp4", blurry_pictures, movflags).read_bytes()
    # within the frames of a fragment, not within its index
    end = len(whole) * 6 // 10 if movflags == "faststart" else whole.index(b"mdat", len(whole) * 6 // 10) + 100
    (tmp_path / "cut.mp4").write_bytes(whole[:end])
    summary = deblur_video(tmp_path / "cut.mp4", tmp_path / "out.mp4", deblurrer=inverting)
    assert 10 < summary.frames < 50
    assert len(read_frames(tmp_path / "out.mp4")) == summary.frames
    if movflags == "faststart":
        assert any(f"{summary.frames} of 50 frames" in warning for warning in summary.warnings)


def test_a_matroska_file_that_is_cut_off_is_reported(tmp_path, blurry_pictures, inverting):
    whole = write_video(tmp_path / "whole.mkv", blurry_pictures, VideoSpec(audio="aac")).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    summary = deblur_video(tmp_path / "cut.mkv", tmp_path / "out.mkv", deblurrer=inverting)
    assert 5 < summary.frames < 45
    assert any("ends early" in warning for warning in summary.warnings)


def test_transport_streams_keep_the_codec_and_report_what_they_cannot_hold(tmp_path, few_pictures, inverting):
    source = write_video(tmp_path / "in.mkv", few_pictures, VideoSpec(audio="aac", subtitles=True))
    summary = deblur_video(source, tmp_path / "out.ts", deblurrer=inverting)
    with av.open(str(tmp_path / "out.ts")) as container:
        assert [s.codec_context.name for s in container.streams] == ["h264", "aac"]
    assert any("subtitle" in warning and "left out" in warning for warning in summary.warnings)


def test_a_frame_that_does_not_decode_is_skipped_and_counted(tmp_path, few_pictures, inverting):
    source = write_video(tmp_path / "in.mov", few_pictures, VideoSpec(codec="png", pixel_format="rgb24", options={}))
    content = bytearray(source.read_bytes())
    with av.open(str(source)) as container:
        position = content.index(b"IDAT", [packet.pos for packet in container.demux(video=0) if packet.size][6])
    content[position + 8 : position + 400] = bytes(392)
    source.write_bytes(content)
    summary = deblur_video(source, tmp_path / "out.mov", deblurrer=inverting)
    assert summary.frames == 11
    assert any("1 damaged packet" in warning for warning in summary.warnings)


def test_nan_from_the_network_passes_the_frame_through_and_is_counted(tmp_path, few_pictures):
    source = write_video(tmp_path / "in.mkv", few_pictures, VideoSpec(codec="ffv1", options={}))
    with FaceDeblurrer(network=write_network(tmp_path / "nan.onnx", "nan"), always=True) as deblurrer:
        summary = deblur_video(source, tmp_path / "out.mkv", deblurrer=deblurrer)
    assert (summary.restored, summary.failed) == (0, 12)
    assert any("NaN" in warning and "12" in warning for warning in summary.warnings)
    for before, after in zip(read_frames(source), read_frames(tmp_path / "out.mkv"), strict=True):
        assert np.array_equal(before.to_ndarray(), after.to_ndarray())


def refuse(source, target, error, message, **settings):
    before = left(source.parent)
    with pytest.raises(error) as caught:
        deblur_video(source, target, **settings)
    assert message in str(caught.value)
    assert left(source.parent) == before


def test_outputs_that_cannot_be_written_are_refused(tmp_path, source):
    refuse(source, tmp_path / "none" / "out.mp4", OutputError, "does not exist")
    refuse(source, Path("/proc/out.mp4"), OutputError, "Cannot write in /proc")
    refuse(source, source, OutputError, "is the input itself", overwrite=True)
    refuse(source, tmp_path / "out.xyz", OutputError, "Unknown kind of video file")
    refuse(source, tmp_path / "out.gif", OutputError, "Unknown kind of video file")
    refuse(source, tmp_path, OutputError, "is a folder")
    link = tmp_path / "link.mp4"
    link.symlink_to(source)
    refuse(source, link, OutputError, "is the input itself", overwrite=True)


def test_an_existing_target_is_only_replaced_when_asked(tmp_path, source, inverting):
    target = tmp_path / "out.mp4"
    target.write_bytes(b"precious")
    refuse(source, target, OutputError, "overwrite=True")
    assert target.read_bytes() == b"precious"
    deblur_video(source, target, deblurrer=inverting, overwrite=True)
    assert len(read_frames(target)) == 12


def test_a_target_that_fails_half_way_leaves_the_old_one(tmp_path, few_pictures, inverting, monkeypatch):
    source = write_video(tmp_path / "in.mp4", few_pictures)
    (tmp_path / "out.mp4").write_bytes(b"precious")
    monkeypatch.setattr("streamdeblur.engines.engine.paste", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        deblur_video(source, tmp_path / "out.mp4", deblurrer=inverting, overwrite=True)
    assert (tmp_path / "out.mp4").read_bytes() == b"precious"
    assert left(tmp_path) == ["in.mp4", "out.mp4"]


def test_settings_that_cannot_be_used_are_refused(tmp_path, source):
    quick = {"network": write_network(tmp_path / "invert.onnx", "invert")}
    refuse(source, tmp_path / "out.mp4", OptionError, "Unknown video encoder 'libx999'", codec="libx999", **quick)
    refuse(source, tmp_path / "out.webm", OptionError, "cannot hold h264", codec="libx264", **quick)
    refuse(source, tmp_path / "out.mp4", Exception, "Unknown engine 'warp'", engine="warp")
    refuse(source, tmp_path / "out.mp4", Exception, "onnxruntime-gpu", engine="onnxruntime:cuda")
    refuse(source, tmp_path / "out.mp4", OptionError, "its device", codec="h264_nvenc", **quick)
    refuse(source, tmp_path / "out.mp4", Exception, "Unknown detector 'eyes'", detector="eyes", **quick)
    refuse(source, tmp_path / "out.mp4", OptionError, "preset", preset="warp speed", **quick)
    refuse(source, tmp_path / "out.mp4", InputError, "beyond the end", start=20.0, **quick)
    refuse(source, tmp_path / "out.mp4", OptionError, "strength", strength=3.0)
    (tmp_path / "text.onnx").write_text("not a network")
    refuse(source, tmp_path / "out.mp4", NetworkError, "not an ONNX file", network=tmp_path / "text.onnx")
    write_network(tmp_path / "small.onnx", "identity", side=128, metadata={"crop_size": "256"})
    refuse(source, tmp_path / "out.mp4", NetworkError, "are needed", network=tmp_path / "small.onnx")
    refuse(source, tmp_path / "out.mp4", NetworkError, "none.onnx", network=tmp_path / "none.onnx")


def test_a_full_disk_ends_with_a_message_and_leaves_nothing(tmp_path, blurry_video, quick):
    """A limit on the size of files stands for a full disk: writing fails half-way in the same place."""
    with files_of_at_most(60_000):
        done = run("video", blurry_video, tmp_path / "out.mkv", "--codec", "ffv1", *quick)
    assert done.exit_code == 2, done.stderr
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr
    assert left(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupt_ends_cleanly(tmp_path, blurry_video, quick, number):
    slow = ("--codec", "libx265", "--preset", "veryslow", *quick)
    process = start("video", blurry_video, tmp_path / "out.mkv", *slow, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not left(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)  # while it encodes frames, which takes this encoder many seconds
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Interrupted" in errors
    assert "Traceback" not in errors
    assert left(tmp_path) == []


@pytest.mark.skipif(shutil.which("mount") is None or os.geteuid() != 0, reason="needs root to mount a small file system")
def test_a_file_system_without_space(tmp_path, blurry_video, quick):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(disk)], capture_output=True, check=False
    ).returncode:
        pytest.skip("this system does not let tests mount a file system")
    try:
        done = run("video", blurry_video, disk / "out.mkv", "--codec", "ffv1", *quick)
        assert done.exit_code == 2, done.stderr
        assert "No space left" in done.stderr
        assert left(disk) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def large_frames(folder, kind):
    """A file that declares frames of 30,000 x 30,000 pixels, or has them where it declares small ones."""
    if kind == "y4m":
        (folder / "in.y4m").write_bytes(b"YUV4MPEG2 W30000 H30000 F25:1 C420\nFRAME\n" + b"x" * 1000)
        return folder / "in.y4m"
    path = folder / "in.mov"
    write_video(path, [np.zeros((64, 64, 3), np.uint8)] * 3, VideoSpec("png", pixel_format="rgb24", options={}))
    content = bytearray(path.read_bytes())
    for found in re.finditer(b"IHDR", bytes(content)):
        begin = found.start()
        content[begin + 4 : begin + 12] = struct.pack(">II", 30_000, 30_000)
        content[begin + 17 : begin + 21] = struct.pack(">I", zlib.crc32(content[begin : begin + 17]))
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", ["y4m", "png in mov"])
def test_frames_of_absurd_size_are_refused_without_memory_for_them(tmp_path, kind):
    source = large_frames(tmp_path, kind)
    words = "134 megapixels" if kind != "y4m" else "Cannot read"
    with growth_below(200_000_000), pytest.raises(InputError, match=words):
        deblur_video(source, tmp_path / "out.mkv")
    assert left(tmp_path) == [source.name]


@pytest.mark.parametrize("after", [1, 4])
@pytest.mark.parametrize(
    ("codec", "suffix", "lost"), [("libx264", "h264", 0), ("libx265", "hevc", 0), ("mpeg2video", "m2v", 1), ("mjpeg", "mjpeg", 0)]
)
def test_frames_that_grow_over_the_limit_are_named_as_such(tmp_path, codec, suffix, lost, after):
    """And only those are missing, and one of MPEG-2 that refers to them, whatever the number of cores."""
    options = {"preset": "ultrafast", "x265-params": "log-level=none"} if codec.startswith("lib") else {}
    recipe = VideoSpec(codec, "yuvj420p" if codec == "mjpeg" else "yuv420p", options, color_range=2 if codec == "mjpeg" else 1)
    small, large = (
        write_video(tmp_path / f"{side}.{suffix}", [np.zeros((side, side, 3), np.uint8)] * 3, recipe).read_bytes()
        for side in (64, 256)
    )
    (tmp_path / f"in.{suffix}").write_bytes(small + large + small * after)
    reader = Reader(tmp_path / f"in.{suffix}", max_pixels=10_000)
    assert sum(1 for _ in reader) == 3 + 3 * after - lost
    reader.close()
    assert any("packets with frames over the limit of 0.01 megapixels were skipped" in warning for warning in reader.warnings)
    assert not any("damaged" in warning for warning in reader.warnings)
