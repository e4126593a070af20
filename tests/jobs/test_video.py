"""From a video file to a video file: what changes, and all that must not."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from fractions import Fraction

import av
import numpy as np
import pytest

from streamdeblur import FaceDeblurrer, deblur_video
from streamdeblur.jobs.video import cuts_of
from streamdeblur.options import VideoOptions
from streamdeblur.video.cuts import Cuts
from support.media.frames import PIXEL_FORMATS, plane_bytes
from support.media.videos import VideoSpec, payloads, read_frames, stamps, write_video
from support.memory_streams import numbers, recorded
from support.models.networks import write_network

LOSSLESS = {"options": {}}


@pytest.mark.parametrize(
    "pixel_format", [f for f in PIXEL_FORMATS if f not in ("yuvj420p", "nv21", "rgba", "p010le")]
)  # fmt: skip
def test_every_pixel_outside_the_windows_is_bit_identical(tmp_path, few_pictures, inverting, pixel_format):
    in_ffv1 = {f.name for f in av.codec.Codec("ffv1", "w").video_formats}
    codec = "ffv1" if pixel_format in in_ffv1 else "rawvideo"
    source = tmp_path / "in.nut" if codec == "rawvideo" else tmp_path / "in.mkv"
    target = source.with_stem("out")
    recipe = VideoSpec(codec=codec, pixel_format=pixel_format, **LOSSLESS)
    write_video(source, few_pictures[:3], recipe)
    summary = deblur_video(source, target, deblurrer=inverting, codec=codec)
    assert summary.restored == 3
    for before, after in zip(read_frames(source), read_frames(target), strict=True):
        assert after.format.name == before.format.name
        faces = inverting.detector.detect(before.to_ndarray(format="rgb24"))
        for old, new in zip(plane_bytes(before), plane_bytes(after), strict=True):
            changed = np.argwhere(old != new)
            assert len(changed) > 0.05 * old.size
            lines, columns = changed[:, 0] / old.shape[0], changed[:, 1] / old.shape[1]
            x0, y0, x1, y1 = faces[0].box / np.tile([before.width, before.height], 2)
            reach = 2.0 * faces[0].size / 2
            assert np.abs(lines - (y0 + y1) / 2).max() < reach / before.height
            assert np.abs(columns - (x0 + x1) / 2).max() < reach / before.width


M_PERTURB = -6
"""Of glibc's mallopt: memory is filled with the complement of a byte when it is allocated."""


@pytest.mark.skipif(sys.platform != "linux", reason="sets what memory holds before it is written (glibc)")
def test_each_run_writes_the_same_file(tmp_path, few_pictures, inverting):
    """With H.264 in frames of a width that is no multiple of 256 px, for which x264 has read memory that was not written."""
    pictures = [np.ascontiguousarray(picture[:, 40:280]) for picture in few_pictures * 2]
    source = write_video(tmp_path / "in.mp4", pictures, VideoSpec())
    memory = ctypes.CDLL(None)
    if not hasattr(memory, "mallopt"):
        pytest.skip("this C library has no mallopt")
    written = set()
    try:
        for byte in (0, 1, 77):
            memory.mallopt(M_PERTURB, byte)
            deblur_video(source, tmp_path / f"{byte}.mp4", deblurrer=inverting)
            written.add((tmp_path / f"{byte}.mp4").read_bytes())
    finally:
        memory.mallopt(M_PERTURB, 0)
    assert len(written) == 1


def test_a_video_without_faces_comes_out_bit_identical(tmp_path, inverting):
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 255, (96, 128, 3)).astype(np.uint8) for _ in range(6)]
    source = write_video(tmp_path / "in.mkv", pictures, VideoSpec(codec="ffv1", **LOSSLESS))
    summary = deblur_video(source, tmp_path / "out.mkv", deblurrer=inverting)
    assert (summary.frames, summary.faces) == (6, 0)
    for before, after in zip(read_frames(source), read_frames(tmp_path / "out.mkv"), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(plane_bytes(before), plane_bytes(after), strict=True))


@pytest.mark.parametrize("color_range", [1, 2], ids=["limited", "full"])
@pytest.mark.parametrize("colorspace", [1, 6], ids=["bt709", "bt601"])
def test_saturated_colours_pass_the_whole_path_within_one_code_value(tmp_path, colorspace, color_range):
    """The network fills the window with a saturated colour; it must be read back from the file as that colour."""
    kr, kb = {1: (0.2126, 0.0722), 6: (0.299, 0.114)}[colorspace]
    before, after = np.array([20, 200, 40]), np.array([225, 30, 35])
    picture = np.broadcast_to(before.astype(np.uint8), (128, 128, 3))
    recipe = VideoSpec(codec="ffv1", pixel_format="yuv444p", colorspace=colorspace, color_range=color_range, **LOSSLESS)
    source = write_video(tmp_path / "in.mkv", [picture] * 2, recipe)
    network = write_network(tmp_path / "red.onnx", tuple(after / 255))

    class OneFace:
        name, smallest_face = "one face", 10.0

        def detect(self, rgb):
            from streamdeblur.faces.face import Face

            half, x, y = 55 * rgb.shape[0] / 256, rgb.shape[1] / 2, rgb.shape[0] / 2
            return [Face(np.array([x - half, y - half, x + half, y + half], np.float32))]

    with FaceDeblurrer(network=network, always=True) as deblurrer:
        deblurrer._selector._finder._detector = OneFace()
        deblur_video(source, tmp_path / "out.mkv", deblurrer=deblurrer)

    def codes(rgb):
        r, g, b = rgb / 255
        y = kr * r + (1 - kr - kb) * g + kb * b
        cb, cr = (b - y) / (2 - 2 * kb), (r - y) / (2 - 2 * kr)
        return [16 + 219 * y, 128 + 224 * cb, 128 + 224 * cr] if color_range == 1 else [255 * y, 128 + 255 * cb, 128 + 255 * cr]

    for frame in read_frames(tmp_path / "out.mkv"):
        assert (int(frame.colorspace), int(frame.color_range)) == (colorspace, color_range)
        for plane, inside, outside in zip(plane_bytes(frame), codes(after), codes(before), strict=True):
            assert abs(int(plane[64, 64]) - round(inside)) <= 1
            assert abs(int(plane[2, 2]) - round(outside)) <= 1


VARIABLE = (0, 40, 80, 130, 150, 240, 270, 300, 410, 420, 500, 555)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_variable_frame_rate_and_a_late_first_frame_keep_every_time_stamp(tmp_path, few_pictures, inverting, suffix):
    pts = tuple(1000 + p for p in VARIABLE)
    recipe = VideoSpec(time_base=Fraction(1, 1000), pts=pts, options={"preset": "ultrafast", "bf": "2"}, audio="aac")
    source = write_video(tmp_path / f"in.{suffix}", few_pictures, recipe)
    target = tmp_path / f"out.{suffix}"
    summary = deblur_video(source, target, deblurrer=inverting)
    assert summary.warnings == []
    assert [t for t, _ in stamps(target)[0]] == [t for t, _ in stamps(source)[0]]
    assert stamps(target)[1] == stamps(source)[1]
    assert float(stamps(target)[0][0][0]) == 1.0


def test_b_frames_audio_and_durations_are_kept(tmp_path, blurry_video, inverting):
    target = tmp_path / "out.mp4"
    deblur_video(blurry_video, target, deblurrer=inverting)
    assert stamps(target) == stamps(blurry_video)
    assert payloads(target, "audio") == payloads(blurry_video, "audio")
    with av.open(str(target)) as container:
        assert container.streams.video[0].codec_context.has_b_frames
        assert container.streams.video[0].time_base == av.open(str(blurry_video)).streams.video[0].time_base


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_subtitles_chapters_metadata_and_attachments_are_kept(tmp_path, few_pictures, inverting, suffix):
    chapters = (
        {"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000), "metadata": {"title": "Begin"}},
        {"id": 2, "start": 200, "end": 480, "time_base": Fraction(1, 1000), "metadata": {"title": "End"}},
    )
    recipe = VideoSpec(
        audio="aac", subtitles=True, chapters=chapters, metadata={"title": "A talk", "comment": "kept"},
        attachment=b"a font, say" if suffix == "mkv" else None,
    )  # fmt: skip
    source = write_video(tmp_path / f"in.{suffix}", few_pictures, recipe)
    target = tmp_path / f"out.{suffix}"
    assert deblur_video(source, target, deblurrer=inverting).warnings == []
    with av.open(str(source)) as before, av.open(str(target)) as after:
        assert [s.type for s in after.streams] == [s.type for s in before.streams]
        assert [s.language for s in after.streams] == [s.language for s in before.streams]
        assert [s.disposition for s in after.streams] == [s.disposition for s in before.streams]
        titles = [(c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]["title"]) for c in after.chapters()]
        assert titles == [(0, Fraction(1, 5), "Begin"), (Fraction(1, 5), Fraction(12, 25), "End")]
        assert {k.lower(): v for k, v in after.metadata.items()}["title"] == "A talk"
        assert {k.lower(): v for k, v in after.metadata.items()}["comment"] == "kept"
        if suffix == "mkv":
            assert next(s for s in after.streams if s.type == "attachment").data == b"a font, say"

    def texts(path):
        # between two texts an MP4 file has empty ones
        return [payload for payload in payloads(path, "subtitle") if len(payload) > 2]

    assert texts(target) == texts(source)
    assert len(texts(source)) == 2


def test_text_subtitles_are_rewritten_for_the_other_container(tmp_path, few_pictures, inverting):
    source = write_video(tmp_path / "in.mkv", few_pictures, VideoSpec(subtitles=True))
    summary = deblur_video(source, tmp_path / "out.mp4", deblurrer=inverting)
    assert any("converted from subrip to mov_text" in warning for warning in summary.warnings)
    assert any(b"Hello" in payload for payload in payloads(tmp_path / "out.mp4", "subtitle"))


def test_audio_is_converted_where_the_container_does_not_take_it(tmp_path, few_pictures, inverting):
    source = write_video(tmp_path / "in.mp4", few_pictures, VideoSpec(audio="aac"))
    summary = deblur_video(source, tmp_path / "out.webm", deblurrer=inverting, preset="8")
    assert any("converted from aac to" in warning for warning in summary.warnings)
    with av.open(str(tmp_path / "out.webm")) as container:
        assert container.streams.audio[0].codec_context.name in ("opus", "libopus")
        assert container.streams.video[0].codec_context.name.endswith("vp9")
        assert sum(frame.samples for frame in container.decode(audio=0)) / 48000 == pytest.approx(12 / 25, abs=0.05)


@pytest.mark.parametrize(
    ("source", "codec", "family"),
    [
        ("in.mp4", "libx264", "h264"),
        ("in.mp4", "libx265", "hevc"),
        ("in.webm", "libvpx-vp9", "vp9"),
        ("in.webm", "libvpx", "vp8"),
        ("in.mkv", "libsvtav1", "av1"),
        ("in.avi", "mpeg4", "mpeg4"),
        ("in.mov", "prores_ks", "prores"),
        ("in.avi", "mjpeg", "mjpeg"),
        ("in.mkv", "mpeg2video", "mpeg2video"),
        ("in.mkv", "ffv1", "ffv1"),
    ],
)
def test_the_codec_family_of_the_source_is_kept(tmp_path, few_pictures, inverting, source, codec, family):
    pixel_format = {"prores_ks": "yuv422p10le", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
    options = {"preset": "10"} if codec == "libsvtav1" else {}
    recipe = VideoSpec(codec=codec, pixel_format=pixel_format, options=options, color_range=2 if codec == "mjpeg" else 1)
    write_video(tmp_path / source, few_pictures[:6], recipe)
    target = tmp_path / ("out." + source.partition(".")[2])
    summary = deblur_video(tmp_path / source, target, deblurrer=inverting)
    frames = read_frames(target)
    assert (summary.frames, len(frames)) == (6, 6)
    with av.open(str(target)) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == family
    before = read_frames(tmp_path / source)
    assert frames[5].format.name == before[5].format.name
    assert [f.pts * f.time_base for f in frames] == [f.pts * f.time_base for f in before]
    corner = np.s_[:20, :20]
    difference = frames[5].to_ndarray(format="rgb24")[corner].astype(int) - before[5].to_ndarray(format="rgb24")[corner]
    assert np.abs(difference).mean() < 4


def test_rotation_aspect_and_colour_tags_are_kept(tmp_path, few_pictures, inverting):
    recipe = VideoSpec(rotation=90, aspect=Fraction(4, 3), colorspace=6, color_range=1)
    source = write_video(tmp_path / "in.mp4", few_pictures, recipe)
    deblur_video(source, tmp_path / "out.mp4", deblurrer=inverting)
    before, after = (read_frames(path)[0] for path in (source, tmp_path / "out.mp4"))
    assert before.rotation != 0
    assert after.rotation == before.rotation
    assert (after.colorspace, after.color_range) == (before.colorspace, before.color_range)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


def test_hdr_metadata_of_ten_bit_video_is_kept(tmp_path, few_pictures, inverting):
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    parameters = f"log-level=error:master-display={display}:max-cll=1000,400"
    recipe = VideoSpec(
        codec="libx265", pixel_format="yuv420p10le", options={"preset": "ultrafast", "x265-params": parameters}, colorspace=9
    )  # fmt: skip
    source = write_video(tmp_path / "in.mkv", few_pictures, recipe)
    deblur_video(source, tmp_path / "out.mkv", deblurrer=inverting, preset="ultrafast")

    def light(path):
        frame = read_frames(path)[0]
        assert frame.format.name == "yuv420p10le"
        data = {d.type.name: bytes(d) for d in frame.side_data}
        return data["MASTERING_DISPLAY_METADATA"], data["CONTENT_LIGHT_LEVEL"]

    assert light(tmp_path / "out.mkv") == light(source)


def test_interlaced_video_stays_interlaced_and_says_so(tmp_path, few_pictures, inverting):
    recipe = VideoSpec(fields="tff", options={"preset": "ultrafast"})
    source = write_video(tmp_path / "in.mkv", few_pictures, recipe)
    assert read_frames(source)[0].interlaced_frame
    summary = deblur_video(source, tmp_path / "out.mkv", deblurrer=inverting)
    assert any("interlaced" in warning for warning in summary.warnings)
    assert read_frames(tmp_path / "out.mkv")[0].interlaced_frame


def test_odd_sizes_are_padded_for_h264_and_kept_for_ffv1(tmp_path, few_pictures, inverting):
    pictures = [picture[:239, :319] for picture in few_pictures]
    source = write_video(tmp_path / "in.mkv", pictures, VideoSpec(codec="ffv1", **LOSSLESS))
    summary = deblur_video(source, tmp_path / "out.mp4", deblurrer=inverting, codec="libx264")
    assert any("padded" in warning for warning in summary.warnings)
    assert read_frames(tmp_path / "out.mp4")[0].width == 320
    deblur_video(source, tmp_path / "same.mkv", deblurrer=inverting)
    assert (read_frames(tmp_path / "same.mkv")[0].width, read_frames(tmp_path / "same.mkv")[0].height) == (319, 239)


def test_very_small_video_and_alpha_do_something_sensible(tmp_path, few_pictures, inverting):
    small = [np.ascontiguousarray(picture[:16, :16]) for picture in few_pictures]
    source = write_video(tmp_path / "small.mp4", small)
    assert deblur_video(source, tmp_path / "small.out.mp4", deblurrer=inverting).frames == 12
    source = write_video(tmp_path / "alpha.mkv", few_pictures, VideoSpec(codec="ffv1", pixel_format="yuva420p", **LOSSLESS))
    assert deblur_video(source, tmp_path / "kept.mkv", deblurrer=inverting).warnings == []
    assert read_frames(tmp_path / "kept.mkv")[0].format.name == "yuva420p"
    summary = deblur_video(source, tmp_path / "lost.mp4", deblurrer=inverting, codec="libx264")
    assert any("alpha is lost" in warning for warning in summary.warnings)


def test_a_part_of_a_video_is_cut_with_its_sound(tmp_path, blurry_video, deblurrer):
    target = tmp_path / "part.mp4"
    summary = deblur_video(blurry_video, target, deblurrer=deblurrer, start=0.8, duration=0.6)
    assert summary.frames == 15
    times = stamps(target)
    assert float(times[0][0][0]) == pytest.approx(0.0, abs=1e-3)
    assert float(times[1][-1][0]) < 0.65
    part, whole = read_frames(target)[0], read_frames(blurry_video)[20]
    assert np.abs(part.to_ndarray(format="gray").astype(int) - whole.to_ndarray(format="gray"))[:40, :40].mean() < 3


def test_strength_scales_the_change(tmp_path, few_pictures):
    source = write_video(tmp_path / "in.mkv", few_pictures[:4], VideoSpec(codec="ffv1", **LOSSLESS))
    network = write_network(tmp_path / "invert.onnx", "invert")
    changes = []
    for strength in (0.0, 0.5, 1.0):
        with FaceDeblurrer(network=network, strength=strength, always=True, throughput=True) as opened:
            target = tmp_path / f"{strength}.mkv"
            deblur_video(source, target, deblurrer=opened)
        pairs = zip(read_frames(source), read_frames(target), strict=True)
        changes.append(np.mean([np.abs(plane_bytes(a)[0].astype(int) - plane_bytes(b)[0]).mean() for a, b in pairs]))
    assert changes[0] == 0
    assert changes[1] == pytest.approx(changes[2] / 2, rel=0.15)


def test_progress_is_told_for_each_frame(tmp_path, few_pictures, inverting):
    source = write_video(tmp_path / "in.mp4", few_pictures)
    told = []
    deblur_video(source, tmp_path / "out.mp4", deblurrer=inverting, on_progress=told.append)
    assert [progress.frames for progress in told] == list(range(1, 13))
    assert {progress.total_frames for progress in told} == {12}
    assert "frame 12/12" in str(told[-1])


@pytest.mark.parametrize("look_ahead", [None, 0, 3])
def test_frames_of_a_file_are_restored_with_those_around_them(tmp_path, few_pictures, look_ahead):
    network = write_network(tmp_path / "slots.onnx", "slots")
    source = write_video(tmp_path / "in.mkv", few_pictures[:6], VideoSpec(codec="ffv1", **LOSSLESS))
    settings = {} if look_ahead is None else {"look_ahead": look_ahead}
    with FaceDeblurrer(network=network, always=True, engine="onnxruntime") as deblurrer, recorded(deblurrer) as submitted:
        deblur_video(source, tmp_path / "out.mkv", deblurrer=deblurrer, codec="ffv1", **settings)
    crops = [faces.crops_on_host()[0] for faces in submitted]
    first, last = ([], [4, 3]) if look_ahead == 0 else ([1, 2], [4, 3])
    middle = [2, 1] if look_ahead == 0 else [2, 4]
    seen = [numbers(faces.neighbours[0], crops) for faces in submitted]
    assert (seen[0], seen[3], seen[5]) == (first, middle, last)
    assert stamps(source) == stamps(tmp_path / "out.mkv")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes (POSIX)")
def test_a_pipe_is_not_read_to_find_where_it_could_be_cut(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    found = []
    # nobody writes into it, so whoever opened it would wait for ever
    thread = threading.Thread(target=lambda: found.append(cuts_of(tmp_path / "pipe", VideoOptions())), daemon=True)
    thread.start()
    thread.join(10)
    assert found == [Cuts()]
