"""The command that serves the page."""

from __future__ import annotations

import http.client
import signal
import socket
import threading
import time

import pytest

from support.cli import run
from support.media.videos import write_video
from support.models.networks import write_network

pytest.importorskip("aiortc", reason="aiortc comes with the extra live")

from support.servers import head, server_process, wait_until


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """Options of a network and an engine that open quickly."""
    network = write_network(tmp_path_factory.mktemp("networks") / "invert.onnx", "invert")
    return ["--network", str(network), "--engine", "onnxruntime"]


def refused(*arguments):
    done = run("serve", *arguments)
    assert done.exit_code == 2
    return done.stderr


def test_what_cannot_be_served_is_said(quick):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "Try another --port" in refused("--port", str(taken.getsockname()[1]), *quick)
    assert "certificate" in refused("--certificate", "nowhere.pem", *quick)
    assert "--certificate" in refused("--key", "nowhere.pem", *quick)
    assert "Cannot serve on 203.0.113.9" in refused("--host", "203.0.113.9", *quick)
    assert "strength" in refused("--strength", "2")
    assert "largest, a number of faces, track:ID, region:x,y,w,h" in refused("--only", "nobody")


def test_what_cannot_restore_is_said_before_the_page_is_open(tmp_path, monkeypatch):
    # as on a machine where the networks have not been measured yet: that would take seconds and be told
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text.onnx").write_text("no network")
    one_channel = write_network(tmp_path / "one.onnx", "one channel", declared=["N", "C", 256, 256])
    for option, value, words in (
        ("--network", tmp_path / "text.onnx", "text.onnx"),
        ("--network", one_channel, "[1, 3, 256, 256] is needed"),
        ("--engine", "openvyno", "Unknown engine"),
        ("--detector", "centreface", "detector"),
    ):
        told = refused(option, str(value))
        assert told.startswith("Error: ")
        assert words in told
        assert "Open http" not in told
        assert told.count("\n") == 1


def long_clip(path, pictures):
    """A clip that takes many seconds to restore."""
    return write_video(path, pictures * 15).read_bytes()


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
    with server_process(folder, "--always", "--network", "stream") as server:
        answers = []
        client = threading.Thread(target=upload, args=(server.port, clip, answers), daemon=True)
        client.start()
        wait_until(lambda: restoring(folder))
        began = time.monotonic()
        server.process.send_signal(getattr(signal, name))
        assert server.process.wait(20) == 0
        # one second without other programs
        assert time.monotonic() - began < 5
        client.join(20)
        # the clip was not restored to its end
        assert len(answers) == 1
        assert 200 not in answers
        assert server.errors.stat().st_size < 1000, server.errors.read_text()
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_the_work_for_a_client_that_left_ends_and_so_does_that_of_a_server_that_was_killed(tmp_path, few_pictures):
    clip = long_clip(tmp_path / "clip.mp4", few_pictures)
    folder = tmp_path / "temporary"
    folder.mkdir()
    with server_process(folder, "--always", "--network", "stream") as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(head(server.port, b"POST", b"/restore", b"X-Name: clip.mp4", b"Content-Length: %d" % len(clip)))
            client.sendall(clip)
            wait_until(lambda: restoring(folder))
        wait_until(lambda: not list(folder.glob("streamdeblur-*/*")), seconds=2)
        threading.Thread(target=upload, args=(server.port, clip, []), daemon=True).start()
        wait_until(lambda: restoring(folder))
        server.process.kill()
        wait_until(lambda: list(folder.iterdir()) == [], seconds=5)


def upload(port, clip, answers):
    """Upload a clip, and add the status of the answer, or None where there is none, to a list."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.request("POST", "/restore", clip, {"X-Name": "clip.mp4", "Origin": f"http://127.0.0.1:{port}"})
        answers.append(connection.getresponse().status)
    except (OSError, http.client.HTTPException):
        answers.append(None)
