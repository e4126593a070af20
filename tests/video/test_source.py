"""Messages name the source, and keep the secrets of its URL; a named pipe is opened once."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

import pytest

from streamdeblur import deblur_video, preview_video
from streamdeblur.errors import InputError, OutputError
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.sinks import sink_opener
from streamdeblur.live.sources import open_live_source
from streamdeblur.video.reader import Reader
from streamdeblur.video.source import shown_source
from support.media.videos import VideoSpec, read_frames, write_video


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("clip.mp4", "clip.mp4"),
        ("folder/a?b@c:d.mp4", "folder/a?b@c:d.mp4"),
        ("rtsp://192.168.1.20/stream", "rtsp://192.168.1.20/stream"),
        ("rtsp://admin:secret@192.168.1.20:554/stream", "rtsp://admin:***@192.168.1.20:554/stream"),
        ("rtmp://live.example/app/secret", "rtmp://live.example/app/***"),
        ("rtmps://live.example:443/app/secret?auth=secret", "rtmps://live.example:443/app/***?***"),
        ("srt://host:9000?streamid=secret&passphrase=secret", "srt://host:9000?***"),
        ("https://host/clip.mp4?token=secret#secret", "https://host/clip.mp4?***"),
        ("udp://127.0.0.1:9000", "udp://127.0.0.1:9000"),
    ],
)
def test_secrets_of_a_url_are_not_shown(source, shown):
    assert shown_source(source) == shown


URL = "http://me:secret@127.0.0.1:1/list.m3u8?token=secret"


def test_errors_of_a_network_source_keep_its_secrets():
    with pytest.raises(InputError, match=r"http://me:\*\*\*@127.0.0.1:1/list.m3u8") as allowed:
        Reader(URL, allow_network=True)
    with pytest.raises(InputError, match="--allow-network") as refused:
        Reader(URL)
    with pytest.raises(InputError, match="Cannot open") as live:
        open_live_source(LiveOptions.load(source=URL))
    assert not any("secret" in str(error.value) for error in (allowed, refused, live))


def test_errors_of_a_network_sink_keep_its_secrets(few_pictures):
    import av

    open_sink = sink_opener("rtmp://127.0.0.1:1/app/secret", LiveOptions.load())
    with pytest.raises(OutputError, match=r"Cannot send to rtmp://127.0.0.1:1/app/\*\*\*") as error:
        open_sink(av.VideoFrame.from_ndarray(few_pictures[0], format="rgb24"), 30, None)
    assert "secret" not in str(error.value)


@pytest.fixture
def written_pipe(tmp_path, few_pictures):
    """A named pipe into which another program writes a video; and what went wrong for that program."""
    content = write_video(tmp_path / "in.mkv", few_pictures[:3], VideoSpec(codec="ffv1", options={})).read_bytes()
    path, errors = tmp_path / "pipe", []
    os.mkfifo(path)

    def write():
        try:
            path.write_bytes(content)
        except OSError as error:
            errors.append(error)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    yield path, errors
    with suppress(OSError):
        # the writer of a pipe that nobody has opened waits
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    writer.join(10)


def in_time(call):
    """Run a call that would wait for ever for another writer."""
    done = []
    thread = threading.Thread(target=lambda: done.append(call()), daemon=True)
    thread.start()
    thread.join(60)
    assert done, "it waits"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes (POSIX)")
def test_a_named_pipe_is_read_to_its_end(tmp_path, written_pipe, inverting):
    pipe, errors = written_pipe
    in_time(lambda: deblur_video(pipe, tmp_path / "out.mkv", deblurrer=inverting))
    assert not errors
    assert len(read_frames(tmp_path / "out.mkv")) == 3


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes (POSIX)")
def test_a_preview_of_a_named_pipe_is_made_at_a_time(tmp_path, written_pipe, inverting):
    pipe, _ = written_pipe
    with pytest.raises(InputError, match=r"The middle of .*pipe is not known before it is read. Give a time: --at TIME."):
        preview_video(pipe, tmp_path / "none.png", inverting)
    in_time(lambda: preview_video(pipe, tmp_path / "out.png", inverting, 0.08))
    assert (tmp_path / "out.png").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes (POSIX)")
def test_frames_of_a_named_pipe_are_not_counted(tmp_path, inverting):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"Frames of .*pipe cannot be counted before they are read. Give times: -ss and -to."):
        deblur_video(tmp_path / "pipe", tmp_path / "out.mkv", deblurrer=inverting, frames="1-2")


def test_a_preview_of_stdin_needs_a_time(tmp_path, inverting):
    with pytest.raises(InputError, match="The middle of stdin is not known before it is read"):
        preview_video("-", tmp_path / "out.png", inverting)
