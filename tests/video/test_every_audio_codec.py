"""Every audio codec that FFmpeg writes into a kind of file is there in each kind of output, or a warning names it."""

from __future__ import annotations

import av
import pytest

from support.media.streams import Sound, seconds_of_sound, streams_of, transcode, write_streams

SOURCES = {
    "mp4": "mpeg4", "mov": "mpeg4", "mkv": "mpeg4", "webm": "libvpx", "avi": "mpeg4", "ts": "mpeg2video", "nut": "mpeg4",
    "flv": "flv", "wmv": "msmpeg4", "3gp": "mpeg4", "mpg": "mpeg2video", "mxf": "mpeg2video",
}  # fmt: skip
"""Kinds of input, and the codec of their video."""
TARGETS = ("mp4", "m4v", "mov", "mkv", "webm", "avi", "ts", "nut")
RATES = {"libopencore_amrnb": 8000, "g722": 16000, "g726": 8000, "g726le": 8000, "nellymoser": 8000, "comfortnoise": 8000}
"""Sample rates of encoders that take others than they say."""

# AVI needs the size of the codec's blocks, which NUT files do not state
NOT_DECODABLE = {("nut", "adpcm_ms", "avi")}


def encoders():
    """Names of all audio encoders of this FFmpeg."""
    names = []
    for name in sorted(av.codecs_available):
        try:
            names += [name] if av.codec.Codec(name, "w").type == "audio" else []
        except ValueError:
            continue  # a decoder only
    return names


def write_source(folder, suffix, encoder):
    """A source with this audio codec and its seconds of sound; None where FFmpeg does not write it, or not readably."""
    rates = av.codec.Codec(encoder, "w").audio_rates
    rate = RATES.get(encoder) or (48000 if not rates or 48000 in rates else rates[0])
    for layout in ("stereo", "mono"):
        try:
            path = write_streams(folder / f"in.{suffix}", Sound(encoder, layout, rate), codec=SOURCES[suffix])
            seconds = seconds_of_sound(path)
        except (av.FFmpegError, ValueError, IndexError):
            continue
        if seconds > 0.2:
            return path, seconds
    return None


@pytest.mark.slow
@pytest.mark.parametrize("encoder", encoders())
@pytest.mark.parametrize("suffix", SOURCES)
def test_every_audio_codec_reaches_every_container(tmp_path, suffix, encoder):
    source = write_source(tmp_path, suffix, encoder)
    if source is None:
        pytest.skip(f"FFmpeg writes no {encoder} into .{suffix} files")
    path, seconds = source
    for target in TARGETS:
        output = tmp_path / f"out.{target}"
        warnings = transcode(path, output)
        if all(kind != "audio" for kind, _ in streams_of(output)):
            assert any("audio stream" in w and "was left out" in w for w in warnings), target
        elif (suffix, encoder, target) not in NOT_DECODABLE:
            # frames of up to 1152 samples are filled up, at both ends
            assert seconds_of_sound(output) == pytest.approx(seconds, abs=2.5 * 1152 / 8000), target
