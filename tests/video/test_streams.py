"""The streams beside the video: kept, converted or left out by name; none of them ends the job."""

from __future__ import annotations

import io
from contextlib import suppress
from fractions import Fraction

import av
import numpy as np
import pytest

from streamdeblur.options import EncodingOptions, StreamOptions, VideoOptions
from streamdeblur.training.blur.options import BlurOptions
from streamdeblur.training.blur.video import blur_video
from streamdeblur.video.audio import AudioEncoding, _silence
from streamdeblur.video.copying import copy_frame
from streamdeblur.video.reader import Reader
from streamdeblur.video.trial import StreamRefusedError, try_stream
from streamdeblur.video.writer import Writer
from support.cli import run
from support.media.streams import (
    Sound,
    jpeg_picture,
    seconds_of_sound,
    streams_of,
    tags_of,
    transcode,
    write_streams,
)
from support.media.videos import VideoSpec, payloads, stamps, write_video
from support.models.networks import write_network

TARGETS = ("mp4", "m4v", "mov", "mkv", "webm", "avi", "ts", "nut")


@pytest.mark.parametrize(
    ("suffix", "codec", "target"),
    [
        ("wmv", "wmav2", "mp4"), ("mkv", "pcm_s16le", "mp4"), ("avi", "pcm_alaw", "mp4"), ("avi", "pcm_u8", "mkv"),
        ("mkv", "pcm_s24le", "mov"), ("avi", "pcm_s16le", "webm"),
    ],
)  # fmt: skip
def test_audio_whose_layout_is_a_count_of_channels_is_kept(tmp_path, suffix, codec, target):
    source = write_streams(
        tmp_path / f"in.{suffix}", Sound(codec, "stereo", counted=True), codec="msmpeg4" if suffix == "wmv" else "mpeg4"
    )
    with av.open(str(source)) as container:
        assert container.streams.audio[0].layout.name == "2 channels"
    warnings = transcode(source, tmp_path / f"out.{target}")
    with av.open(str(tmp_path / f"out.{target}")) as container:
        assert container.streams.audio[0].layout.nb_channels == 2
    assert seconds_of_sound(tmp_path / f"out.{target}") == pytest.approx(0.4, abs=0.06)
    assert not any("left out" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("codec", "layout", "target", "expected"),
    [
        ("ac3", "5.1(side)", "webm", "5.1"),
        ("libopus", "5.1", "avi", "5.1"),
        ("libopus", "7.1", "avi", "5.1"),
        ("flac", "7.1", "webm", "7.1"),
        ("flac", "7.1", "ts", "7.1"),
        ("libopus", "quad", "avi", "quad"),
    ],
)
def test_surround_sound_keeps_the_channels_that_the_container_takes(tmp_path, codec, layout, target, expected):
    source = write_streams(tmp_path / "in.mkv", Sound(codec, layout))
    warnings = transcode(source, tmp_path / f"out.{target}")
    with av.open(str(tmp_path / f"out.{target}")) as container:
        written = container.streams.audio[0].layout
    assert written.nb_channels == av.AudioLayout(expected).nb_channels
    assert any("was converted from" in warning for warning in warnings)
    assert any("mixed down" in w for w in warnings) == (written.nb_channels < av.AudioLayout(layout).nb_channels)


@pytest.mark.parametrize("encoder", ["aac", "ac3", "mp2", "libmp3lame", "flac", "libopus", "libvorbis", "pcm_s16le", "pcm_s24le"])
def test_encoders_of_audio_are_tried_with_any_number_of_channels(encoder):
    """A frame of eight or more planes once ended the process."""
    if encoder not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {encoder}")
    taken = []
    with av.open(io.BytesIO(), "w", format="matroska") as container:
        for layout in ("mono", "stereo", "2.1", "quad", "5.0", "5.1(side)", "6.1", "7.1", "7.1(wide)", "hexadecagonal"):
            for sample_format in av.codec.Codec(encoder, "w").audio_formats or []:
                encoding = AudioEncoding(encoder, layout, 48000, sample_format.name)
                with suppress(StreamRefusedError):
                    try_stream(container, encoding.add, _silence, lambda stream: stream.type == "audio")
                    taken.append(layout)
    assert {"mono", "stereo"} <= set(taken)
    assert "7.1" in taken or encoder in ("ac3", "mp2", "libmp3lame")


def cover_of(path):
    """The content of the cover picture of a file with a video."""
    with av.open(str(path)) as container:
        covers = [s for s in container.streams if s.disposition & av.stream.Disposition.attached_pic]
        assert len(covers) == 1
        assert len(container.streams.video) == 2
        return bytes(next(p for p in container.demux(covers[0]) if p.size))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_cover_picture_stays_one(tmp_path, suffix):
    picture = jpeg_picture()
    source = write_streams(tmp_path / f"in.{suffix}", Sound(), cover=picture)
    for target in ("mp4", "m4v", "mkv"):
        assert transcode(source, tmp_path / f"out.{target}") == []
        assert cover_of(tmp_path / f"out.{target}") == picture
    for target in ("mp4", "mkv"):
        transcode(source, tmp_path / f"part.{target}", start=0.2, duration=0.1)
        assert cover_of(tmp_path / f"part.{target}") == picture
    for target in ("mov", "avi", "ts", "webm", "nut"):
        warnings = transcode(source, tmp_path / f"out.{target}")
        assert any(w.startswith("cover picture 2 (mjpeg) was left out") for w in warnings)
        with av.open(str(tmp_path / f"out.{target}")) as container:
            assert len(container.streams.video) == 1


COMMON = {"title": "A talk", "artist": "Ann", "album": "Talks", "date": "2020", "comment": "kept", "genre": "Speech"}


def test_common_tags_of_mp4_are_those_that_other_programs_read(tmp_path):
    source = write_streams(tmp_path / "in.mp4", tags=COMMON)
    assert transcode(source, tmp_path / "out.mp4") == []
    assert tags_of(tmp_path / "out.mp4").items() >= COMMON.items()
    content = (tmp_path / "out.mp4").read_bytes()
    assert all(atom in content for atom in (b"\xa9nam", b"\xa9ART", b"\xa9alb", b"\xa9day", b"\xa9cmt", b"\xa9gen"))
    assert b"mdta" not in content


@pytest.mark.parametrize("target", ["mp4", "mov"])
def test_tags_of_any_name_are_kept_where_no_common_ones_are(tmp_path, target):
    tags = {"com.apple.quicktime.make": "Apple", "com.apple.quicktime.location.ISO6709": "+48.1+011.5/"}
    source = write_streams(tmp_path / "in.mov", tags=tags, options={"movflags": "use_metadata_tags"})
    assert transcode(source, tmp_path / f"out.{target}") == []
    assert tags_of(tmp_path / f"out.{target}").items() >= {k.lower(): v for k, v in tags.items()}.items()


def test_mov_keeps_common_and_unusual_tags_under_names_that_quicktime_reads(tmp_path):
    source = write_streams(tmp_path / "in.mkv", tags={**COMMON, "take": "7"})
    assert transcode(source, tmp_path / "out.mov") == []
    tags = tags_of(tmp_path / "out.mov")
    assert tags.items() >= {**COMMON, "take": "7"}.items()
    assert tags["com.apple.quicktime.title"] == "A talk"


def test_tags_without_a_place_are_named(tmp_path):
    source = write_streams(tmp_path / "in.mkv", tags={**COMMON, "take": "7"})
    assert transcode(source, tmp_path / "out.mkv") == []
    assert tags_of(tmp_path / "out.mkv").items() >= {**COMMON, "take": "7"}.items()
    [warning] = transcode(source, tmp_path / "out.mp4")
    assert warning == "tags were left out, mp4 files have no place for them: TAKE"
    [warning] = transcode(source, tmp_path / "out.avi")
    assert "ALBUM" in warning
    assert "TAKE" in warning
    assert tags_of(tmp_path / "out.avi")["title"] == "A talk"


def test_repeated_time_stamps_move_by_a_tick_and_later_ones_stay(tmp_path):
    source = write_streams(tmp_path / "in.mkv", Sound("libmp3lame", pts={5: 4 * 1152, 6: 5 * 1152}))
    for target in ("mp4", "mkv", "ts"):
        transcode(source, tmp_path / f"out.{target}")
        before, after = (stamps(path)[1] for path in (source, tmp_path / f"out.{target}"))
        assert len(after) == len(before)
        late = [(float(b[0]), float(a[0])) for b, a in zip(before, after, strict=True)][8:]
        assert all(a - after[0][0] == pytest.approx(b - float(before[0][0]), abs=0.003) for b, a in late)


@pytest.mark.parametrize(("codec", "target"), [("aac", "mp4"), ("aac", "webm"), ("ac3", "mp4"), ("flac", "mp4")])
def test_damaged_packets_cost_themselves_only(tmp_path, codec, target):
    source = write_streams(tmp_path / "in.mkv", Sound(codec, damaged={3: bytes(range(200, 240))}), Sound("libmp3lame"))
    transcode(source, tmp_path / f"out.{target}")
    assert [kind for kind, _ in streams_of(tmp_path / f"out.{target}")] == ["video", "audio", "audio"]
    assert seconds_of_sound(tmp_path / f"out.{target}", 1) == pytest.approx(0.4, abs=0.06)
    with av.open(str(tmp_path / f"out.{target}")) as container:
        assert len(list(container.decode(video=0))) == 10


def test_streams_are_left_out_when_that_is_asked(tmp_path):
    source = write_streams(tmp_path / "in.mkv", Sound(), Sound("libmp3lame"), texts=[(0, 100, b"Hello")])
    kinds = [kind for kind, _ in streams_of(source)]
    assert kinds == ["video", "audio", "audio", "subtitle"]
    assert transcode(source, tmp_path / "a.mkv", no_audio=True) == []
    assert [kind for kind, _ in streams_of(tmp_path / "a.mkv")] == ["video", "subtitle"]
    assert transcode(source, tmp_path / "b.mkv", no_subtitles=True, no_data=True) == []
    assert [kind for kind, _ in streams_of(tmp_path / "b.mkv")] == ["video", "audio", "audio"]


def test_audio_is_copied_or_converted_as_asked(tmp_path):
    source = write_streams(tmp_path / "in.mkv", Sound("flac"), Sound("libopus"))
    assert transcode(source, tmp_path / "copy.mkv", audio="copy") == []
    assert streams_of(tmp_path / "copy.mkv")[1:] == [("audio", "flac"), ("audio", "opus")]
    warnings = transcode(source, tmp_path / "convert.mkv", audio="convert")
    assert streams_of(tmp_path / "convert.mkv")[1:] == [("audio", "aac")] * 2
    assert len(warnings) == 2
    [warning] = transcode(source, tmp_path / "copy.webm", audio="copy")
    assert warning.startswith("audio stream 1 (flac, deu) was left out: ")
    assert payloads(tmp_path / "copy.webm", "audio") != []


@pytest.mark.parametrize("target", TARGETS)
def test_text_subtitles_are_kept_or_named(tmp_path, target):
    source = write_streams(tmp_path / "in.mkv", texts=[(0, 150, b"Hello <i>you</i>"), (200, 100, b"Bye")])
    warnings = transcode(source, tmp_path / f"out.{target}")
    kinds = [kind for kind, _ in streams_of(tmp_path / f"out.{target}")]
    if target in ("avi", "ts"):
        assert kinds == ["video"]
        assert any(w.startswith("subtitle stream 1 (subrip, fra) was left out: ") for w in warnings)
    else:
        assert kinds == ["video", "subtitle"]
        texts = b" ".join(payloads(tmp_path / f"out.{target}", "subtitle"))
        assert b"Hello" in texts
        assert b"Bye" in texts


def test_a_packet_that_the_muxer_refuses_is_left_out_and_named(tmp_path):
    source = write_streams(tmp_path / "in.mkv", Sound("eac3", damaged={3: b"not eac3"}), Sound())
    [warning] = transcode(source, tmp_path / "out.mp4")
    assert warning.startswith("audio stream 1 (eac3, deu): 1 of ")
    assert "packets were left out (Invalid data" in warning
    assert seconds_of_sound(tmp_path / "out.mp4", 0) == pytest.approx(0.4, abs=0.06)
    assert seconds_of_sound(tmp_path / "out.mp4", 1) == pytest.approx(0.4, abs=0.06)


def test_a_stream_of_which_nothing_can_be_decoded_ends_nothing(tmp_path):
    source = write_streams(tmp_path / "in.mkv", Sound("flac", damaged=dict.fromkeys(range(99), b"none of this is flac")), Sound())
    warnings = transcode(source, tmp_path / "out.webm")
    assert any(w.startswith("audio stream 1 (flac, deu): ") and "packets were left out" in w for w in warnings)
    assert seconds_of_sound(tmp_path / "out.webm", 1) == pytest.approx(0.4, abs=0.06)


def test_two_writers_of_one_reader_write_the_same(tmp_path):
    """As `blur` does: packets and decoders are shared, and a start moves time stamps."""
    source = write_streams(tmp_path / "in.mkv", Sound("flac"), Sound("ac3"), frames=50)
    reader = Reader(source, start=0.8)
    with (
        Writer(tmp_path / "a.webm", reader, EncodingOptions()) as first,
        Writer(tmp_path / "b.mkv", reader, EncodingOptions()) as second,
        Writer(tmp_path / "c.webm", reader, EncodingOptions()) as third,
    ):
        for item in reader:
            for writer in (first, second, third):
                if isinstance(item, av.VideoFrame):
                    writer.write(copy_frame(item))
                else:
                    writer.copy(item)
    reader.close()
    assert payloads(tmp_path / "a.webm", "audio") == payloads(tmp_path / "c.webm", "audio")
    for name in ("a.webm", "b.mkv", "c.webm"):
        for number in (0, 1):
            assert seconds_of_sound(tmp_path / name, number) == pytest.approx(1.2, abs=0.1)
        assert float(stamps(tmp_path / name)[1][0][0]) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(
    ("codec", "target", "written"),
    [
        ("libvpx-vp9", "mov", "h264"), ("libvpx", "mov", "h264"), ("libvpx-vp9", "ts", "h264"), ("ffv1", "ts", "h264"),
        ("mpeg2video", "ts", "mpeg2video"),
    ],
)  # fmt: skip
def test_video_is_written_in_a_codec_that_the_container_really_holds(tmp_path, codec, target, written):
    source = write_streams(tmp_path / "in.mkv", codec=codec)
    transcode(source, tmp_path / f"out.{target}")
    assert streams_of(tmp_path / f"out.{target}") == [("video", written)]


def test_further_video_streams_are_copied(tmp_path):
    part = write_streams(tmp_path / "part.mkv", codec="libx264")
    with av.open(str(part)) as one, av.open(str(part)) as two, av.open(str(tmp_path / "in.mkv"), "w") as container:
        streams = [container.add_stream_from_template(each.streams.video[0], opaque=True) for each in (one, two)]
        for stream, each in zip(streams, (one, two), strict=True):
            for packet in each.demux():
                if packet.size:
                    packet.stream = stream
                    container.mux_one(packet)
    for target in ("mp4", "mov", "mkv", "ts"):
        transcode(tmp_path / "in.mkv", tmp_path / f"out.{target}")
        assert streams_of(tmp_path / f"out.{target}") == [("video", "h264")] * 2


@pytest.mark.parametrize(("codec", "target"), [("mpeg2video", "mkv"), ("mpeg4", "avi"), ("ffv1", "avi")])
def test_frames_closer_together_than_the_output_can_express_move_by_a_tick(tmp_path, codec, target):
    """Two frames then have one time for the encoder or muxer, which refuses the second."""
    times = [0, 40, 80, 85, 160, 200, 240, 245, 250, 360]
    recipe = VideoSpec(time_base=Fraction(1, 1000), pts=times)
    source = write_video(tmp_path / "in.mkv", [np.zeros((64, 64, 3), np.uint8)] * 10, recipe)
    warnings = transcode(source, tmp_path / f"out.{target}", codec=codec)
    assert any("closer together" in warning for warning in warnings)
    written = [float(time) for time, _ in stamps(tmp_path / f"out.{target}")[0]]
    assert len(written) == 10
    assert written[-1] == pytest.approx(0.36, abs=0.09)


def test_several_jobs_log_nothing_of_ffmpeg(tmp_path, capfd):
    source = write_streams(tmp_path / "in.mkv", Sound("flac"))
    transcode(source, tmp_path / "out.mov", audio="copy")
    assert capfd.readouterr().err == ""
    assert not av.logging.get_level() or av.logging.get_level() == av.logging.ERROR


def test_a_stream_that_is_left_out_comes_with_what_ffmpeg_says(tmp_path):
    source = write_streams(tmp_path / "in.mkv", Sound("flac"))
    [warning] = transcode(source, tmp_path / "out.mov", audio="copy")
    assert warning.startswith("audio stream 1 (flac, deu) was left out: [mov] ")


def test_the_command_and_its_configuration_choose_streams(tmp_path):
    source = write_streams(tmp_path / "in.mkv", Sound("flac"), texts=[(0, 100, b"Hello")])
    (tmp_path / "quiet.yaml").write_text("no-audio: true\n")
    command = ("video", source, "--json", "--network", write_network(tmp_path / "invert.onnx", "invert"))
    done = run(*command, tmp_path / "out.mkv", "--config", tmp_path / "quiet.yaml", "--no-subtitles")
    assert done.exit_code == 0, done.stderr
    assert streams_of(tmp_path / "out.mkv") == [("video", "mpeg4")]
    done = run(*command, tmp_path / "out.mov", "--audio", "copy")
    assert any("audio stream 1 (flac, deu) was left out: " in warning for warning in done.json["warnings"])
    assert run("video", source, tmp_path / "no.mkv", "--audio", "louder").exit_code == 2
    assert VideoOptions.load(tmp_path / "quiet.yaml", audio="convert").streams == StreamOptions(audio="convert", no_audio=True)


def test_blur_carries_streams_with_the_same_options_and_warnings(tmp_path):
    source = write_streams(tmp_path / "in.mkv", Sound("flac"), Sound("aac"), texts=[(0, 100, b"Hello")])
    options = BlurOptions(scheme="pravg:3", no_subtitles=True)
    summary = blur_video(source, tmp_path / "out.webm", options, video=True)
    for name in ("out.webm", "out.sharp.webm"):
        assert streams_of(tmp_path / name) == [("video", "vp9"), ("audio", "opus"), ("audio", "opus")]
    assert sum("was converted from" in warning for warning in summary.warnings) == 2
