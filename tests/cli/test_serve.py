"""The command that serves the page."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager

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


@contextmanager
def serving(folder):
    """The process of the command and its port; temporary files are in the folder."""
    port = free_port()
    environment = {**os.environ, "TMPDIR": str(folder)}
    process = start("serve", "--port", port, "--always", stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert re.search(r"http://127\.0\.0\.1:\d+/", process.stderr.readline()), "no address was printed"
        yield process, port
    finally:
        process.kill()
        process.wait()


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def long_clip(path, pictures):
    """A clip that takes many seconds to restore."""
    return write_video(path, pictures * 40).read_bytes()


def restoring(folder):
    """Whether a clip is being restored: the output is written beside the upload."""
    return len(list(folder.glob("streamdeblur-*/*/*"))) > 1


@pytest.mark.parametrize(
    "name", ["SIGINT", pytest.param("SIGTERM", marks=pytest.mark.slow), pytest.param("SIGHUP", marks=pytest.mark.slow)]
)
def test_it_ends_at_once_in_the_midst_of_a_clip(name, tmp_path, few_pictures):
    clip = long_clip(tmp_path / "clip.mp4", few_pictures)
    folder = tmp_path / "temporary"
    folder.mkdir()
    with serving(folder) as (process, port):
        threading.Thread(target=upload, args=(port, clip), daemon=True).start()
        wait_until(lambda: restoring(folder))
        began = time.monotonic()
        process.send_signal(getattr(signal, name))
        assert process.wait(20) == 0
        # one second without other programs
        assert time.monotonic() - began < 5
        assert "Traceback" not in process.stderr.read()
    assert list(folder.iterdir()) == []


def test_the_work_for_a_client_that_left_ends_and_so_does_that_of_a_server_that_was_killed(tmp_path, few_pictures):
    clip = long_clip(tmp_path / "clip.mp4", few_pictures)
    folder = tmp_path / "temporary"
    folder.mkdir()
    with serving(folder) as (process, port):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(
                b"POST /restore HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nOrigin: http://127.0.0.1:%d\r\nX-Name: clip.mp4\r\n"
                b"Content-Length: %d\r\n\r\n" % (port, port, len(clip))
            )
            client.sendall(clip)
            wait_until(lambda: restoring(folder))
        wait_until(lambda: not list(folder.glob("streamdeblur-*/*")), seconds=2)
        threading.Thread(target=upload, args=(port, clip), daemon=True).start()
        wait_until(lambda: restoring(folder))
        process.kill()
        wait_until(lambda: list(folder.iterdir()) == [], seconds=5)


def upload(port, clip):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.request("POST", "/restore", clip, {"X-Name": "clip.mp4", "Origin": f"http://127.0.0.1:{port}"})
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        pass
