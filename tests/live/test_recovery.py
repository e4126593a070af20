"""Failures of the source, the sinks, the engine and the detector while a live loop runs."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from streamdeblur import FaceDeblurrer
from streamdeblur.errors import EngineError, InputError, OutputError
from streamdeblur.faces.find import LOCAL_SIZE
from streamdeblur.live.adaptation import Pace
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.restorer import Restorer
from streamdeblur.live.sink_worker import OutputFrame, SinkWorker
from streamdeblur.live.sinks import sink_opener
from streamdeblur.live.timing import TICKS, Backoff
from streamdeblur.video.copying import copy_frame
from support.fakes.live import FakeSink, FakeSource, LostEngine
from support.live import run, yuv_frame
from support.media.videos import read_frames
from support.servers import wait_until


@pytest.fixture
def messages(caplog):
    """Everything that is logged, by level: messages("WARNING")."""
    caplog.set_level(logging.INFO, "streamdeblur")
    return lambda level: [record.getMessage() for record in caplog.records if record.levelname == level]


@pytest.fixture
def options(inverting_options):
    """Live options with a sink that discards everything and a budget that is never exceeded."""
    return LiveOptions(restoration=inverting_options, source="x", to=("null",), budget=1000)


def until(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("never true")


def test_a_source_that_is_lost_is_reopened_and_meanwhile_a_status_is_shown(options, few_pictures, messages):
    opened, shown = [], []

    def status_frames():
        """Dark pictures with few bright letters."""
        return [frame for frame in shown if np.median(frame.to_ndarray(format="gray")) < 60]

    def opener(_):
        if opened and not status_frames():
            raise InputError("No camera there.")
        # the first one goes on until one of its frames has been shown, however slowly the loop begins
        opened.append(FakeSource(few_pictures, finite=len(opened) == 1, until=lambda: bool(shown)))
        return opened[-1]

    summary = run(options.changed(budget=None), sink=lambda: FakeSink(shown), source_opener=opener)
    assert "The cable is out. Retrying in 0.5 s." in messages("WARNING")
    assert "Reconnected to fake source." in messages("INFO")
    # Frames that are dropped before the loop starts do not count.
    assert 12 < summary.frames + summary.dropped + summary.left_out <= sum(source.count for source in opened)
    assert len(opened) == 2


def test_a_sink_that_is_lost_is_opened_again(options, few_pictures, messages):
    shown, lifetimes = [], iter([3, 1000])
    source = FakeSource(few_pictures, finite=True, until=lambda: "Reopened null." in messages("INFO"))
    summary = run(options.changed(budget=None), sink=lambda: FakeSink(shown, next(lifetimes)), source_opener=lambda _: source)
    assert "The reader is gone. Retrying in 0.5 s." in messages("WARNING")
    assert "Reopened null." in messages("INFO")
    assert 3 < len(shown) == summary.frames < source.count
    assert summary.frames + summary.dropped + summary.left_out <= source.count


def lose_engine(deblurrer):
    deblurrer.engine = LostEngine(deblurrer.engine)


def lose_detector(deblurrer):
    """Let the detector fail at the first full frame after one with a face."""
    detect, found = deblurrer.detector.detect, []

    def failing(rgb):
        full = rgb.shape[:2] != (LOCAL_SIZE, LOCAL_SIZE)
        if full and found:
            raise RuntimeError("The detector is lost.")
        faces = detect(rgb)
        if full:
            found.extend(faces)
        return faces

    deblurrer.detector.detect = failing


@pytest.mark.parametrize(("lose", "message"), [(lose_engine, "The device is lost."), (lose_detector, "The detector is lost.")])
def test_while_the_deblurrer_is_replaced_faces_pass_through(options, few_pictures, messages, caplog, lose, message):
    opened = []

    def opener(chosen):
        opened.append(FaceDeblurrer(chosen))
        if len(opened) == 1:
            lose(opened[0])
        return opened[-1]

    def replaced():
        return any(message.startswith("The new engine is running") for message in messages("INFO"))

    source = FakeSource(few_pictures, finite=True, until=replaced)
    restorer = Restorer(options.restoration.changed(detect_every=2), opener)
    summary = run(options, source_opener=lambda _: source, restorer=restorer)
    assert f"{message} Faces are passed through unrestored. Opening a new engine in 0.5 s." in messages("WARNING")
    assert replaced()
    assert len(opened) == 2
    assert 0 < summary.restored < source.count
    # An exception in a log record would keep the lost engine in memory.
    assert not any(isinstance(value, BaseException) for record in caplog.records for value in record.args)
    assert summary.frames + summary.dropped + summary.left_out == source.count


def test_a_recording_is_complete_although_the_engine_cannot_be_closed(options, clip, tmp_path):
    file, complete = tmp_path / "out.mkv", []

    def opener(chosen):
        opened = FaceDeblurrer(chosen)
        opened.engine.close = fail
        return opened

    def fail():
        complete.append(file.exists())
        raise RuntimeError("The device does not answer.")

    summary = run(options.changed(source=str(clip), to=(str(file),)), restorer=Restorer(options.restoration, opener))
    assert summary.frames == len(read_frames(file)) == 12
    # The recording was completed before anything could go wrong with the device.
    assert complete == [True]


def test_an_engine_that_opens_after_the_end_is_closed(inverting_options, few_pictures):
    opened, closed, opening, proceed = [], [], threading.Event(), threading.Event()

    def opener(chosen):
        if opened:
            opening.set()
            assert proceed.wait(60)
        opened.append(FaceDeblurrer(chosen))
        opened[-1].close = lambda: closed.append(True)
        return opened[-1]

    def fail(frame, **_):
        raise EngineError("The device is lost.")

    restorer = Restorer(inverting_options, opener)
    opened[0].edit = fail
    until(lambda: restorer.edit(yuv_frame(few_pictures[0]), None) or opening.is_set())
    restorer.close()
    proceed.set()
    until(lambda: len(closed) == 2)


def test_an_engine_that_fails_before_the_first_frame_is_replaced(inverting_options, few_pictures, monkeypatch):
    def fail(engine):
        raise EngineError("The device is lost.")

    restorer = Restorer(inverting_options)
    with monkeypatch.context() as failing:
        failing.setattr("streamdeblur.live.restorer.seconds_by_size", fail)
        restorer.keep_up(Pace(0.04))
    restorer._backoff = NoBackoff()
    until(lambda: restorer.edit(yuv_frame(few_pictures[0]), None) or restorer.statistics.restored > 0)
    assert restorer.adaptation is not None
    restorer.close()


def test_an_engine_that_cannot_be_warmed_up_is_closed(inverting_options, few_pictures):
    opened, closed = [], []

    def fail(*_, **__):
        raise EngineError("The device is lost.")

    def opener(chosen):
        deblurrer = FaceDeblurrer(chosen)
        opened.append(deblurrer)
        deblurrer.close = lambda: closed.append(deblurrer)
        if len(opened) < 3:
            deblurrer.edit = deblurrer.warm_up = fail
        return deblurrer

    restorer = Restorer(inverting_options, opener)
    restorer._backoff = NoBackoff()
    until(lambda: restorer.edit(yuv_frame(few_pictures[0]), None) or restorer.statistics.restored > 0)
    # each by the thread that had it
    wait_until(lambda: len(closed) == 2)
    assert set(closed) == set(opened[:2])
    restorer.close()


def test_a_recording_into_a_missing_folder_is_refused_immediately(options, clip, tmp_path, messages):
    with pytest.raises(OutputError, match=r"The folder .*nowhere does not exist\. Create it first\."):
        run(options.changed(source=str(clip), to=(str(tmp_path / "nowhere" / "out.mkv"),)))
    assert not any("Retrying" in message for message in messages("WARNING"))


class NoBackoff(Backoff):
    """Retries immediately."""

    def due(self):
        return True


def test_a_recording_goes_on_when_its_folder_is_back(few_pictures, tmp_path, messages):
    """The sink is not reported as reopened before a file can be written, and no file is named that does not exist."""
    folder = tmp_path / "drive"
    folder.mkdir()
    frame = yuv_frame(few_pictures[0])
    worker = SinkWorker("out.mkv", sink_opener(str(folder / "out.mkv"), LiveOptions()), blocking=True)
    worker._backoff = NoBackoff()
    worker.open(frame, Fraction(25))

    def put(number):
        copied = copy_frame(frame)
        copied.pts, copied.time_base = number, Fraction(1, TICKS)
        worker.put(OutputFrame(copied, time.monotonic()))

    shutil.rmtree(folder)
    for number in range(5):
        put(number)
    wait_until(lambda: not worker._queue)
    assert messages("INFO") == []
    assert not any("Its content so far" in message for message in messages("WARNING"))
    folder.mkdir()
    for number in range(5, 10):
        put(number)
    worker.close()
    assert [path.suffix for path in folder.iterdir()] == [".mkv"]
    assert "Reopened out.mkv." in messages("INFO")
