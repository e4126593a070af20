"""A video that is restored in segments is the one that is restored in one piece."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from streamdeblur import FaceDeblurrer
from streamdeblur.archive.segments import NotJoinedError, join_segments, restore_segment
from streamdeblur.jobs.video import deblur_video
from streamdeblur.options import VideoOptions
from streamdeblur.video import cuts
from streamdeblur.video.cuts import find_cuts
from support.media.frames import plane_bytes
from support.media.videos import VideoSpec, read_frames, write_video
from support.models.networks import write_network

EVERY_TEN = {"crf": "14", "preset": "veryfast", "bf": "3", "g": "10", "sc_threshold": "0"}


@pytest.fixture(autouse=True)
def short_warm_up(monkeypatch):
    monkeypatch.setattr(cuts, "WARM_UP", 6)


@pytest.fixture(scope="module")
def remembering(tmp_path_factory):
    """A deblurrer whose network sees neighbours."""
    network = write_network(tmp_path_factory.mktemp("networks") / "memory.onnx", "slots")
    with FaceDeblurrer(network=network, engine="onnxruntime", throughput=True) as opened:
        yield opened


def source_of(folder, pictures, suffix=".mp4", options=EVERY_TEN, **recipe):
    return write_video(folder / f"in{suffix}", pictures, VideoSpec(options=options, audio="aac", **recipe))


def in_segments(source, target, deblurrer, options):
    """Restore a video in segments, the last one first, and return the summary."""
    segments = find_cuts(source, options.segment).segments
    paths = [target.with_name(f"{segment.number}.segment") for segment in segments]
    for segment, path in reversed(list(zip(segments, paths, strict=True))):
        assert restore_segment(source, target, path, segment, options, deblurrer) == segment.frames
    return join_segments(source, target, paths, options, threads=deblurrer.threads.encoder)


def tiny(pictures):
    """Parts of pictures, where nothing is restored."""
    return [np.ascontiguousarray(picture[:48, :64]) for picture in pictures]


def packets(path):
    """Of each stream, what its packets are, but for the sizes of those of video: lossy encoders begin anew in each segment."""
    found = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size:
                size = 0 if packet.stream.type == "video" else packet.size
                found.setdefault(packet.stream_index, []).append((packet.dts, packet.duration, size))
    return found


@pytest.mark.parametrize(
    ("deblurrer_name", "warm_up", "shown"),
    [
        ("inverting", 6, {}),
        ("remembering", 6, {}),
        pytest.param("inverting", 6, {"side_by_side": True, "zoom": "faces"}, marks=pytest.mark.slow),
        # the segments are shorter than the time over which their faces are followed
        pytest.param("inverting", 10, {}, marks=pytest.mark.slow),
        pytest.param("inverting", 15, {}, marks=pytest.mark.slow),
    ],
)
def test_every_pixel_and_time_stamp_is_that_of_one_piece(
    tmp_path, blurry_pictures, request, monkeypatch, deblurrer_name, warm_up, shown
):
    monkeypatch.setattr(cuts, "WARM_UP", warm_up)
    deblurrer = request.getfixturevalue(deblurrer_name)
    source = source_of(tmp_path, blurry_pictures[:30])
    options = VideoOptions(codec="ffv1", segment=0.4, **shown)
    assert [segment.frames for segment in find_cuts(source, 0.4).segments] == [10, 10, 10]
    whole = deblur_video(source, tmp_path / "whole.mkv", options, deblurrer=deblurrer)
    joined = in_segments(source, tmp_path / "joined.mkv", deblurrer, options)
    assert packets(tmp_path / "whole.mkv") == packets(tmp_path / "joined.mkv")
    for one, other in zip(read_frames(tmp_path / "whole.mkv"), read_frames(tmp_path / "joined.mkv"), strict=True):
        assert one.pts == other.pts
        assert all(np.array_equal(a, b) for a, b in zip(plane_bytes(one), plane_bytes(other), strict=True))
    same = (
        "faces",
        "restored",
        "skipped_sharp",
        "frames",
        "warnings",
        "expected_gain",
        "network",
        "restored_by_size",
        "median_blur",
    )
    assert [getattr(whole, name) for name in same] == [getattr(joined, name) for name in same]
    assert whole.restored > 20


ENCODERS = [
    (".mp4", "libx264"),
    pytest.param(".mkv", "libx265", marks=pytest.mark.slow),
    pytest.param(".webm", "libvpx-vp9", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("suffix", "codec"), ENCODERS)
def test_encoders_that_lose_detail_keep_all_time_stamps(tmp_path, few_pictures, inverting, suffix, codec):
    pictures = few_pictures * 2
    # irregular, with gaps
    pts = tuple(int(n) for n in np.cumsum([40 + 7 * (n % 5) + 100 * (n == 13) for n in range(len(pictures))]))
    options = {"g": "8"} if codec == "libvpx-vp9" else {"g": "8", "bf": "2", "preset": "ultrafast"}
    if codec == "libx265":
        options |= {"x265-params": "log-level=error:keyint=8:min-keyint=8:open-gop=0"}
    source = write_video(
        tmp_path / f"in{suffix}", pictures, VideoSpec(codec, options=options, time_base=Fraction(1, 1000), pts=pts)
    )  # fmt: skip
    settings = VideoOptions(segment=0.3)
    assert len(find_cuts(source, 0.3).segments) == 3
    deblur_video(source, tmp_path / f"whole{suffix}", settings, deblurrer=inverting)
    in_segments(source, tmp_path / f"joined{suffix}", inverting, settings)
    assert packets(tmp_path / f"whole{suffix}") == packets(tmp_path / f"joined{suffix}")
    stamps = [[frame.pts for frame in read_frames(tmp_path / f"{name}{suffix}")] for name in ("whole", "joined")]
    assert stamps[0] == stamps[1]


@pytest.mark.parametrize("reordered", [0, 3])
def test_an_index_tells_what_reading_all_packets_does(tmp_path, few_pictures, monkeypatch, reordered):
    pts = tuple(int(n) for n in np.cumsum([40 + 7 * (n % 5) for n in range(36)]))
    options = {"g": "6", "bf": str(reordered), "preset": "ultrafast", "sc_threshold": "0"}
    recipe = VideoSpec(options=options, time_base=Fraction(1, 1000), pts=pts, audio="aac")
    source = write_video(tmp_path / "in.mp4", tiny(few_pictures) * 3, recipe)
    packets_read = []
    whole = cuts._stamps
    monkeypatch.setattr(cuts, "_stamps", lambda *opened: packets_read.append(1) or whole(*opened))
    found = find_cuts(source, 0.4)
    assert not packets_read
    monkeypatch.setattr(cuts, "_by_index", lambda *_: None)
    assert find_cuts(source, 0.4) == found
    assert len(found.segments) == 3


def test_open_groups_of_pictures_are_no_place_to_cut(tmp_path, few_pictures):
    options = {"preset": "veryfast", "x264-params": "open-gop=1:keyint=12:min-keyint=12:bframes=3:scenecut=0:b-adapt=0"}
    source = write_video(tmp_path / "in.mp4", tiny(few_pictures) * 4, VideoSpec(options=options))
    assert not find_cuts(source, 0.4).segments


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_all_other_streams_and_descriptions_are_those_of_one_piece(tmp_path, few_pictures, inverting, suffix):
    chapters = ({"id": 1, "start": 0, "end": 400, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}},)
    described = {"metadata": {"title": "talk"}, "rotation": 90, "aspect": Fraction(4, 3), "subtitles": True, "chapters": chapters}
    recipe = VideoSpec(options=EVERY_TEN, audio="aac", attachment=b"words" if suffix == ".mkv" else None, **described)
    source = write_video(tmp_path / f"in{suffix}", few_pictures * 3, recipe)
    options = VideoOptions(segment=0.4, look_ahead=1)
    whole = deblur_video(source, tmp_path / f"whole{suffix}", options, deblurrer=inverting)
    joined = in_segments(source, tmp_path / f"joined{suffix}", inverting, options)
    assert whole.warnings == joined.warnings
    assert packets(tmp_path / f"whole{suffix}") == packets(tmp_path / f"joined{suffix}")
    assert description(tmp_path / f"whole{suffix}") == description(tmp_path / f"joined{suffix}")


def description(path):
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        streams = [(s.type, s.language, str(s.metadata), s.disposition, s.time_base, s.start_time) for s in container.streams]
        of_video = container.streams.video[0]
        shape = of_video.average_rate, of_video.sample_aspect_ratio, of_video.codec_context.extradata, frame.rotation
        return streams, shape, container.metadata, container.chapters(), container.format.name


def test_a_file_that_was_cut_off_is_joined_with_the_warning_of_one_piece(tmp_path, few_pictures, inverting):
    whole = source_of(tmp_path, few_pictures * 3, ".mkv").read_bytes()
    source = tmp_path / "cut.mkv"
    source.write_bytes(whole[: int(0.85 * len(whole))])
    options = VideoOptions(segment=0.4, codec="ffv1")
    piece = deblur_video(source, tmp_path / "piece.mkv", options, deblurrer=inverting)
    joined = in_segments(source, tmp_path / "joined.mkv", inverting, options)
    assert joined.warnings == piece.warnings
    assert any("ends early" in warning for warning in joined.warnings)


def test_what_cannot_be_cut_is_said(tmp_path, few_pictures):
    pictures = tiny(few_pictures) * 4
    for name, recipe, reason in (
        ("short.mp4", VideoSpec(options={"g": "40"}), ""),
        ("one_key.mp4", VideoSpec(options={"g": "500"}), "no key frames but the first"),
        ("open.mkv", VideoSpec("mpeg2video", options={"g": "6", "bf": "2"}), "open groups of pictures"),
        ("old.avi", VideoSpec("mpeg4", options={"g": "6"}), "do not tell where their key frames are"),
        ("hidden.webm", VideoSpec("libvpx", options={"g": "6"}), "do not tell how many frames"),
    ):
        found = find_cuts(write_video(tmp_path / name, pictures, recipe), 10.0 if name == "short.mp4" else 0.4)
        assert not found.segments, name
        assert reason in found.reason
        assert bool(reason) == bool(found.reason)


def test_segments_that_do_not_fit_are_not_joined(tmp_path, blurry_pictures, inverting):
    source = source_of(tmp_path, blurry_pictures[:20])
    options = VideoOptions(segment=0.4)
    first, second = find_cuts(source, 0.4).segments
    target, paths = tmp_path / "out.mp4", [tmp_path / "0", tmp_path / "1"]
    restore_segment(source, target, paths[0], first, options, inverting)
    with pytest.raises(NotJoinedError, match="segment 2 has 10 frames, and 11 packets"):
        restore_segment(source, target, paths[1], replace(second, frames=11), options, inverting)
    assert not paths[1].exists()
    restore_segment(source, target, paths[1], second, options.changed(codec="libx265"), inverting)
    with pytest.raises(NotJoinedError, match="differ in size, format or encoding"):
        join_segments(source, target, paths, options, threads=1)
    with pytest.raises(NotJoinedError, match="overlap"):
        join_segments(source, target, paths[:1] * 2, options, threads=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "in.mp4"]
