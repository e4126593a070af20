"""What tells players how to show a video, through the whole way from file to file and through every copy of a frame."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from streamdeblur import deblur_video
from streamdeblur.video.conversion import fitted
from streamdeblur.video.copying import beside, copy_frame
from streamdeblur.video.description import BOTTOM_FIRST, describe, top_field_first
from support.media.frames import plane_bytes, random_frame
from support.media.streams import transcode
from support.media.videos import VideoSpec, read_frames, with_fields, write_video

HLG, PQ, BT2020 = 18, 16, 9


@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize("case", ["h264.mp4", "mpeg2video.ts", "ffv1.mkv", "prores_ks.mov", "side by side", "padded"])
def test_the_order_of_fields_is_kept_in_every_frame(tmp_path, few_pictures, inverting, order, case):
    codec, _, suffix = (case if "." in case else "ffv1.mkv").partition(".")
    pictures = [picture[:239, :319] if case == "padded" else picture for picture in few_pictures[:6]]
    pixel_format = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
    options = {"preset": "medium", "bf": "3"} if codec == "h264" else {}
    recipe = VideoSpec("libx264" if codec == "h264" else codec, pixel_format, options, fields=order)
    source = write_video(tmp_path / f"in.{suffix}", pictures, recipe)
    settings = {"side_by_side": case == "side by side", "codec": "libx264" if " " in case or case == "padded" else None}
    deblur_video(source, tmp_path / f"out.{suffix}", deblurrer=inverting, **settings)
    frames = read_frames(tmp_path / f"out.{suffix}")
    assert [(f.interlaced_frame, top_field_first(f)) for f in frames] == [(True, order == "tff")] * len(pictures)
    with av.open(str(tmp_path / f"out.{suffix}")) as container:
        # what the container or the bit stream says of the whole stream
        assert container.streams.video[0].codec_context.field_order in ((2, 4) if order == "tff" else (3, 5))


@pytest.mark.parametrize(
    "case", ["libx264.mp4", "mpeg4.avi", "libx265.mp4", "libsvtav1.mkv", "dnxhd.mov", "png.mov", "utvideo.avi"]
)
def test_encoders_that_do_not_keep_fields_are_named(tmp_path, few_pictures, case):
    codec, suffix = case.split(".")
    source = write_video(tmp_path / "in.mp4", few_pictures[:3], VideoSpec(fields="bff"))
    warnings = transcode(source, tmp_path / f"out.{suffix}", codec=codec)
    kept = all(frame.interlaced_frame for frame in read_frames(tmp_path / f"out.{suffix}"))
    assert any("stays interlaced" in warning for warning in warnings) == kept
    assert any(f"{codec} does not mark its frames" in warning for warning in warnings) == (not kept)


@pytest.mark.parametrize("suffix", ["mp4", "m4v", "mov", "mkv", "webm", "avi", "ts", "mts", "m2ts", "nut"])
@pytest.mark.parametrize("rotation", [0, 90, 180])
def test_files_that_cannot_say_that_a_video_is_turned_are_named(tmp_path, few_pictures, suffix, rotation):
    pictures = [picture[:64, :64] for picture in few_pictures[:6]]
    source = write_video(tmp_path / "in.mp4", pictures, VideoSpec("mpeg4", options={}, rotation=rotation))
    codec = None if suffix == "webm" else "libx264"
    warnings = transcode(source, tmp_path / f"out.{suffix}", codec=codec)
    lost = read_frames(tmp_path / f"out.{suffix}")[0].rotation != read_frames(source)[0].rotation
    assert any("cannot say: players will show it as it lies" in warning for warning in warnings) == lost
    assert lost == (rotation != 0 and suffix in ("avi", "ts", "mts", "m2ts", "nut"))


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_copies_of_frames_keep_their_fields_and_pixels(order):
    frame = with_fields(random_frame("yuv420p", 97, 71), order)
    copied = copy_frame(frame)
    for before, after in zip(plane_bytes(frame), plane_bytes(copied), strict=True):
        assert np.array_equal(before, after)
    for made in (copied, beside(frame, frame), fitted(frame, 98, 72, "yuv420p"), fitted(frame, 64, 48, "yuv444p")):
        assert (made.interlaced_frame, top_field_first(made)) == (True, order == "tff")


def test_a_copied_frame_has_memory_and_all_properties_of_its_own():
    frame = random_frame("yuv420p10le", 96, 72, colorspace=9)
    frame.pts, frame.time_base, frame.color_trc, frame.color_primaries = 7, Fraction(1, 90000), PQ, BT2020
    copied = copy_frame(frame)
    before = plane_bytes(frame)
    for plane in copied.planes:
        np.frombuffer(plane, np.uint8)[:] = 0
    assert all(np.array_equal(a, b) for a, b in zip(before, plane_bytes(frame), strict=True))
    assert (copied.pts, copied.time_base, copied.colorspace, copied.color_trc) == (7, Fraction(1, 90000), 9, PQ)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize("transfer", [HLG, PQ])
def test_transfer_and_primaries_are_kept(tmp_path, few_pictures, inverting, suffix, transfer):
    recipe = VideoSpec(
        "libx265", "yuv420p10le", {"preset": "ultrafast", "x265-params": "log-level=error"},
        colorspace=BT2020, primaries=BT2020, transfer=transfer,
    )  # fmt: skip
    source = write_video(tmp_path / f"in.{suffix}", few_pictures[:4], recipe)
    deblur_video(source, tmp_path / f"out.{suffix}", deblurrer=inverting, preset="ultrafast")
    frame = read_frames(tmp_path / f"out.{suffix}")[0]
    assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (BT2020, BT2020, transfer)


def test_a_stream_without_a_source_is_described_by_its_frame(tmp_path):
    frame = with_fields(random_frame("yuv420p", colorspace=6), "bff")
    with av.open(str(tmp_path / "out.mov"), "w") as container:
        stream = container.add_stream("libx264", rate=25, width=frame.width, height=frame.height)
        describe(stream, frame)
        assert stream.codec_context.field_order == BOTTOM_FIRST
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    written = read_frames(tmp_path / "out.mov")[0]
    assert (written.colorspace, written.interlaced_frame, top_field_first(written)) == (6, True, False)
