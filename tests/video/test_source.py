"""Messages name the source, and keep the secrets of its URL."""

from __future__ import annotations

import pytest

from streamdeblur.errors import InputError, OutputError
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.sinks import sink_opener
from streamdeblur.live.sources import open_live_source
from streamdeblur.video.reader import Reader
from streamdeblur.video.source import shown_source


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
