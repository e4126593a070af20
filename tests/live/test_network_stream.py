"""Network streams: what arrives, and hosts that refuse, do not answer, leave, or take nothing more."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from fractions import Fraction

import av
import numpy as np
import pytest

from streamdeblur.errors import OutputError
from streamdeblur.live import network_stream
from streamdeblur.live.loop import LiveLoop
from streamdeblur.live.network_stream import NetworkStream
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.sinks import sink_opener
from streamdeblur.live.timing import TICKS
from support.fakes.live import FakeSource
from support.live import yuv_frame
from support.media.videos import read_frames
from support.servers import wait_until

RATE = 25


def noise(number, size=64):
    """A frame that takes several KB, at its time."""
    frame = yuv_frame(np.random.default_rng(number).integers(0, 255, (size, size, 3), np.uint8))
    frame.pts, frame.time_base = number * TICKS // RATE, Fraction(1, TICKS)
    return frame


def opened(url):
    return sink_opener(url, LiveOptions())(noise(0), Fraction(RATE), None)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def write_many(sink):
    for number in range(1000):
        sink.write(noise(number))


@pytest.fixture
def silent():
    """The port of a host that accepts connections, and neither says nor reads anything."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("url", "listening", "options"),
    [
        ("tcp://127.0.0.1:{}", "tcp://127.0.0.1:{}?listen=1", {}),
        ("rtmp://127.0.0.1:{}/live/key", "rtmp://127.0.0.1:{}/live/key", {"listen": "1"}),
        ("rtsp://127.0.0.1:{}/live", "rtsp://127.0.0.1:{}/live", {"rtsp_flags": "listen", "listen_timeout": "60"}),
    ],
)
def test_what_is_sent_arrives(url, listening, options):
    port, received = free_port(), []

    def receive():
        with av.open(listening.format(port), options=options) as container, suppress(av.FFmpegError):
            for frame in container.decode(video=0):
                received.append((frame.width, frame.height))

    receiver = threading.Thread(target=receive)
    receiver.start()
    sinks = []

    def connected():
        # until it listens
        with suppress(OutputError):
            sinks.append(opened(url.format(port)))
        return sinks

    wait_until(connected)
    for number in range(2 * RATE):
        sinks[0].write(noise(number))
    sinks[0].close()
    receiver.join(60)
    assert set(received) == {(64, 64)}
    # a receiver may leave out those that come before it knows the stream
    assert RATE < len(received) <= 2 * RATE


def test_a_host_that_refuses_the_connection_is_told_at_once():
    with pytest.raises(OutputError, match=r"Cannot send to tcp://127.0.0.1:\d+: Connection refused\."):
        opened(f"tcp://127.0.0.1:{free_port()}")


def test_a_process_that_cannot_be_started_is_told(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(OutputError, match=r"Cannot send to tcp://127.0.0.1:9: No such file or directory\."):
        opened("tcp://127.0.0.1:9")
    monkeypatch.setattr(sys, "executable", "true")
    with pytest.raises(OutputError, match="Python cannot start another process"):
        opened("tcp://127.0.0.1:9")


SILENT = """
import sys, threading
from fractions import Fraction
import av
from streamdeblur.errors import OutputError
from streamdeblur.live import network_stream

network_stream.TIMEOUT_SECONDS = 0.5

def connect():
    try:
        network_stream.NetworkStream(sys.argv[1], "flv", av.VideoFrame(64, 64, "yuv420p"), Fraction(25), None, 1)
    except OutputError as error:
        print(error, flush=True)

thread = threading.Thread(target=connect)
thread.start()
ticks = 0
while thread.is_alive():
    thread.join(0.02)
    ticks += 1
print(ticks)
"""


def test_a_host_that_does_not_answer_is_given_up_and_stops_no_other_thread(silent):
    """In a process of its own, which is all that would stop."""
    command = [sys.executable, "-c", SILENT, f"rtmp://127.0.0.1:{silent}/live/key"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    message, ticks = done.stdout.splitlines()
    assert message == f"Cannot send to rtmp://127.0.0.1:{silent}/live/***: it does not answer within 0.5 s."
    assert int(ticks) > 10


def test_a_host_that_leaves_is_told_with_the_reason():
    with socket.create_server(("127.0.0.1", 0)) as server:
        sink = opened(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        server.accept()[0].close()
        with pytest.raises(OutputError, match=r"tcp://127.0.0.1:\d+ was lost: (Broken pipe|Connection reset by peer)\."):
            write_many(sink)
        sink.close()
    assert sink._sender._process.returncode is not None


def test_a_host_that_takes_nothing_more_is_given_up_and_the_other_outputs_go_on(silent, inverting_options, tmp_path, monkeypatch):
    monkeypatch.setattr(NetworkStream, "patience", 0.5)
    monkeypatch.setattr(network_stream, "TIMEOUT_SECONDS", 0.5)
    recording, loops = tmp_path / "out.mkv", []
    problem = f"tcp://127.0.0.1:{silent} was lost: it has taken nothing for 0.5 s. Retrying in 0.5 s."

    def told():
        return bool(loops) and problem in loops[0].summary().warnings

    pictures = [np.random.default_rng(number).integers(0, 255, (240, 320, 3), np.uint8) for number in range(5)]
    source = FakeSource(pictures, finite=True, interval=0.001, until=told)
    options = LiveOptions(
        restoration=inverting_options, source="x", to=(f"tcp://127.0.0.1:{silent}", str(recording)), budget=1000
    )
    with suppress(OutputError):
        # connected again, or not yet
        loops.append(LiveLoop(options, source_opener=lambda _: source))
        loops[0].run()
    assert told()
    assert len(read_frames(recording)) > 5


def test_a_sender_does_not_outlive_its_program(silent):
    sink = opened(f"tcp://127.0.0.1:{silent}")
    sink._sender._process.stdin.close()
    sink._sender._process.wait(20)
    assert sink._sender._process.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no alarm")
def test_a_sender_whose_program_was_killed_while_the_network_took_nothing_ends_in_time(silent, monkeypatch):
    monkeypatch.setattr("streamdeblur.live.sender.LONGEST_SECONDS", 1)
    sink = opened(f"tcp://127.0.0.1:{silent}")

    def write():
        with suppress(OutputError):
            write_many(sink)

    writer = threading.Thread(target=write)
    writer.start()
    assert sink._sender._process.wait(30) == -signal.SIGALRM
    writer.join()


def test_a_signal_to_all_processes_of_a_service_does_not_end_the_sender(silent):
    """It sends the end of the stream when its program says so."""
    sink = opened(f"tcp://127.0.0.1:{silent}")
    for number in (signal.SIGINT, signal.SIGTERM):
        sink._sender._process.send_signal(number)
    # in which a signal that is not ignored would end it
    time.sleep(0.2)
    sink.close()
    assert sink._sender._process.returncode == 0
