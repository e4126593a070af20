"""Outputs that take nothing more, or cannot be completed: the others go on, and the stream ends."""

from __future__ import annotations

import io
import os
import threading
import time
from contextlib import contextmanager

import pytest

from streamdeblur.errors import OutputError
from streamdeblur.live.loop import LiveLoop
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.sinks import StdoutSink
from support.fakes.live import FakeSink, FakeSource
from support.live import fake_sink
from support.media.videos import read_frames
from support.servers import wait_until


@contextmanager
def unread_stdout():
    """Let stdout be a pipe that nobody reads, the descriptor of whose other end it yields."""
    reading, writing = os.pipe()
    with open(writing, "wb") as pipe, pytest.MonkeyPatch.context() as patched:
        stdout = io.TextIOWrapper(pipe)
        patched.setattr("sys.stdout", stdout)
        yield reading
        stdout.detach()


@pytest.mark.parametrize("realtime", [True, False])
def test_a_pipe_that_nobody_reads_is_given_up_and_the_other_outputs_go_on(
    inverting_options, few_pictures, monkeypatch, tmp_path, realtime
):
    """In real time at the end: until then its frames are dropped, and it may go on at any moment."""
    recording, loops, began = tmp_path / "out.mkv", [], time.monotonic()
    monkeypatch.setattr(StdoutSink, "patience", 0.3)

    def is_over():
        lost = bool(loops) and loops[0].sink_workers[0].lost
        assert not (lost and realtime)
        return bool(loops) and (time.monotonic() - began > 1.5 if realtime else lost)

    source = FakeSource(few_pictures, finite=True, interval=0.01, until=is_over)
    source.realtime = realtime
    options = LiveOptions(restoration=inverting_options, source="x", to=("-", str(recording)), budget=1000)
    problem = "stdout has taken no frame for 0.3 s."
    with unread_stdout() as reading:
        loops.append(LiveLoop(options, source_opener=lambda _: source))
        with pytest.raises(OutputError, match=problem):
            loops[0].run()
        os.close(reading)
        loops[0].sink_workers[0]._thread.join()
    assert loops[0].summary().warnings.count(problem) == 1
    frames = len(read_frames(recording))
    assert frames > 12
    assert realtime or frames == source.count


def test_the_only_output_of_a_file_is_waited_for(inverting_options, few_pictures, monkeypatch):
    """A program that reads it may be slow to start, or suspended; no frame is lost."""
    monkeypatch.setattr(StdoutSink, "patience", 0.1)
    source = FakeSource(few_pictures, finite=True, interval=0.01)
    source.realtime = False
    options = LiveOptions(restoration=inverting_options, source="x", to=("-",), budget=1000)
    with unread_stdout() as reading:
        loop = LiveLoop(options, source_opener=lambda _: source)
        size, read = 12 * 320 * 240 * 3 // 2, []

        def read_late():
            time.sleep(1.0)
            while sum(map(len, read)) < size:
                read.append(os.read(reading, 1 << 20))

        reader = threading.Thread(target=read_late)
        reader.start()
        loop.run()
        reader.join()
        os.close(reading)
    assert loop.summary().frames == 12


class EndlessSink(FakeSink):
    """A sink whose end takes until it is let go."""

    def __init__(self, let_go):
        super().__init__([])
        self._let_go = let_go

    def close(self):
        self._let_go.wait()


def test_an_output_that_cannot_be_completed_keeps_neither_the_others_nor_the_program(
    inverting_options, few_pictures, monkeypatch, tmp_path
):
    recording, let_go = tmp_path / "out.mkv", threading.Event()
    monkeypatch.setattr("streamdeblur.live.sink_worker.COMPLETION_SECONDS", 2.0)
    source = FakeSource(few_pictures, finite=True, interval=0.01)
    options = LiveOptions(restoration=inverting_options, source="x", to=("null", str(recording)), budget=1000)
    loop = LiveLoop(options, source_opener=lambda _: source)
    fake_sink(loop, lambda: EndlessSink(let_go))
    ended = []

    def run():
        with pytest.raises(OutputError, match="null could not be completed: nothing was written for 2 s"):
            loop.run()
        ended.append(time.monotonic())

    thread = threading.Thread(target=run)
    thread.start()
    # before the one that is listed first is given up
    recorder = loop.sink_workers[1]._thread
    wait_until(lambda: recorder.ident and not recorder.is_alive())
    assert not ended
    assert len(read_frames(recording)) > 0
    thread.join()
    assert ended
    let_go.set()


@pytest.mark.parametrize("first", [0.0, 0.4])
def test_a_recording_has_its_time_to_be_completed_whatever_is_waited_for_before(
    inverting_options, few_pictures, monkeypatch, tmp_path, first
):
    """`first`: seconds that the end of the output before it takes."""

    class SlowSink(FakeSink):
        def __init__(self, seconds):
            super().__init__([])
            self._seconds = seconds

        def close(self):
            time.sleep(self._seconds)

    monkeypatch.setattr("streamdeblur.live.sink_worker.CLOSING_SECONDS", 0.3)
    source = FakeSource(few_pictures, finite=True, interval=0.01)
    options = LiveOptions(restoration=inverting_options, source="x", to=("null", str(tmp_path / "out.mkv")), budget=1000)
    loop = LiveLoop(options, source_opener=lambda _: source)
    for worker, seconds in zip(loop.sink_workers, (first, 1.2), strict=True):
        worker._opener = lambda *_, seconds=seconds: SlowSink(seconds)
    loop.run()
    assert not any(worker.lost for worker in loop.sink_workers)
