"""From each kind of file to the same kind: the codec, its label for players, and every frame and stream."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import pytest

from streamdeblur import deblur_video
from support.media.videos import VideoSpec, read_frames, write_video


@dataclass(frozen=True)
class Kind:
    """A kind of file that people have."""

    suffix: str
    codec: str
    pixel_format: str = "yuv420p"
    audio: str | None = "aac"
    options: tuple[tuple[str, str], ...] = ()
    size: tuple[int, int] = (320, 240)
    tag: str | None = None
    time_code: bool = False

    def __str__(self) -> str:
        return " ".join(filter(None, [f"{self.codec}.{self.suffix}", self.tag, "with time code" if self.time_code else ""]))

    def write(self, folder, pictures):
        """Make such a file."""
        resized = [cv2.resize(picture, self.size) for picture in pictures]
        full = 2 if self.codec == "mjpeg" else 1
        spec = VideoSpec(
            self.codec, self.pixel_format, dict(self.options), audio=self.audio, color_range=full, codec_tag=self.tag,
            time_code="01:00:00:00" if self.time_code else None,
        )  # fmt: skip
        return write_video(folder / f"in.{self.suffix}", resized, spec)


FAST = (("preset", "ultrafast"),)
QUIET = (*FAST, ("x265-params", "log-level=error"))
KINDS = (
    Kind("mov", "prores_ks", "yuv422p10le", "pcm_s16le", time_code=True),
    Kind("mov", "prores_ks", "yuv422p10le", "pcm_s16le", (("profile", "lt"),)),
    Kind("mov", "dnxhd", "yuv422p", "pcm_s16le", (("profile", "dnxhr_sq"),), time_code=True),
    Kind("mov", "dvvideo", "yuv420p", "pcm_s16le", size=(720, 576), time_code=True),
    Kind("avi", "dvvideo", "yuv420p", "pcm_s16le", size=(720, 576)),
    Kind("mov", "mjpeg", "yuvj420p", "pcm_s16le"),
    Kind("mov", "libx264", options=FAST, time_code=True),
    Kind("mp4", "libx264", options=FAST, time_code=True),
    Kind("mp4", "libx265", options=QUIET, tag="hev1"),
    Kind("mp4", "libx265", options=QUIET, tag="hvc1"),
    Kind("mov", "libx265", options=QUIET, tag="hev1"),
    Kind("m4v", "libx264", options=FAST),
    Kind("mkv", "libx265", options=QUIET),
    Kind("ts", "mpeg2video", audio="mp2"),
    Kind("m2ts", "libx264", options=FAST),
    Kind("webm", "libvpx-vp9", audio="libopus", options=(("deadline", "realtime"), ("cpu-used", "8"))),
    Kind("avi", "mpeg4", audio="mp2", tag="XVID"),
    Kind("avi", "libx264", audio="mp2", options=(*FAST, ("bf", "2")), tag="X264"),
    Kind("avi", "mjpeg", "yuvj420p", "pcm_s16le"),
    Kind("nut", "ffv1", "yuv422p10le", "pcm_s16le"),
)


def described(path):
    """Codec family, tag and profile of the video; kinds and codecs of the streams."""
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        streams = [(s.type, s.codec_context and s.codec_context.codec.canonical_name) for s in container.streams]
        return context.codec.canonical_name, context.codec_tag.strip("\0"), context.profile, streams


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_file_becomes_one_of_the_same_kind(tmp_path, few_pictures, inverting, kind):
    pictures = few_pictures[:3] if kind.codec == "dvvideo" else few_pictures[:6]
    source = kind.write(tmp_path, pictures)
    target = tmp_path / f"out.{kind.suffix}"
    summary = deblur_video(source, target, deblurrer=inverting)
    assert summary.frames == len(read_frames(target)) == len(pictures)
    assert not any("left out" in warning or "ends early" in warning for warning in summary.warnings)
    family, tag, profile, streams = described(source)
    if kind.codec == "dvvideo":
        # DV has one data rate and few sizes: another codec holds what is restored
        assert described(target)[3][1:] == streams[1:]
        return
    assert described(target)[0] == family
    assert described(target)[3] == streams
    if family == "hevc" and kind.suffix in ("mp4", "mov"):
        assert described(target)[1] == "hvc1"
    elif family in ("prores", "mpeg4", "h264", "mjpeg"):
        assert described(target)[1] == tag
    if family == "prores":
        assert described(target)[2] == profile


def test_hevc_is_labelled_for_apples_players_whatever_the_source_is(tmp_path, few_pictures, inverting):
    source = write_video(tmp_path / "in.mkv", few_pictures[:3], VideoSpec(time_base=Fraction(1, 25)))
    for suffix in ("mp4", "m4v", "mov"):
        deblur_video(source, tmp_path / f"out.{suffix}", deblurrer=inverting, codec="libx265", preset="ultrafast")
        assert described(tmp_path / f"out.{suffix}")[1] == "hvc1"


def test_motion_jpeg_takes_video_of_limited_range(tmp_path, few_pictures, inverting):
    source = write_video(tmp_path / "in.mp4", few_pictures[:3], VideoSpec())
    deblur_video(source, tmp_path / "out.avi", deblurrer=inverting, codec="mjpeg")
    frames = read_frames(tmp_path / "out.avi")
    assert [int(frame.color_range) for frame in frames] == [1] * 3
