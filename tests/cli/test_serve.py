"""The command that serves the page."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import threading

import pytest

from support.cli import run, start
from support.media.videos import write_video

pytest.importorskip("aiortc", reason="aiortc comes with the extra live")


def free_port():
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]


def refused(*arguments):
    done = run("serve", *arguments)
    assert done.exit_code == 2
    return done.stderr


def test_what_cannot_be_served_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "Try another --port" in refused("--port", str(taken.getsockname()[1]))
    assert "certificate" in refused("--certificate", "nowhere.pem")
    assert "--certificate" in refused("--key", "nowhere.pem")
    assert "Cannot serve on 203.0.113.9" in refused("--host", "203.0.113.9")
    assert "strength" in refused("--strength", "2")


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_it_ends_tidily_in_the_midst_of_a_clip(number, tmp_path, blurry_pictures):
    clip = write_video(tmp_path / "clip.mp4", blurry_pictures * 4).read_bytes()
    folder = tmp_path / "temporary"
    folder.mkdir()
    port = free_port()
    environment = {**os.environ, "TMPDIR": str(folder)}
    process = start("serve", "--port", port, "--always", stderr=subprocess.PIPE, text=True, env=environment)
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+/", process.stderr.readline())
        assert address, "no address was printed"
        threading.Thread(target=upload, args=(port, clip), daemon=True).start()
        while not list(folder.glob("streamdeblur-*/upload.mp4")):
            assert process.poll() is None
        process.send_signal(number)
        assert process.wait(60) == 0
        assert "Traceback" not in process.stderr.read()
    finally:
        process.kill()
    assert list(folder.glob("streamdeblur-*")) == []


def upload(port, clip):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.request("POST", "/restore", clip, {"X-Name": "clip.mp4", "Origin": f"http://127.0.0.1:{port}"})
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        pass
