"""Live streams that adapt to the machine: real loops over blurred faces, with engines that are slow by construction."""

from __future__ import annotations

import itertools
import json
import re
from fractions import Fraction

import cv2
import numpy as np
import pytest

from streamdeblur import speeds, weights
from streamdeblur.caches import write_cached
from streamdeblur.deblurrer import FaceWork
from streamdeblur.engines import engine_choices
from streamdeblur.faces.hysteresis import FADE_FRAMES
from streamdeblur.live import adaptation
from streamdeblur.live.adaptation import FEWEST_FRAMES, PROBE_SECONDS, Adaptation, Pace
from streamdeblur.live.network_switch import NetworkSwitch
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.plan import Plan
from streamdeblur.live.restorer import Restorer
from streamdeblur.options import RestorationOptions
from support.fakes.live import FakeSource
from support.fakes.slow import slow_opener
from support.live import run
from support.models.networks import SIZES, write_network

FPS = 12
"""Of the loops: slow enough for a machine on which other tests run as well."""


@pytest.fixture(scope="module")
def group_pictures(photograph):
    """A slow pan to and fro over six blurred faces, whose windows are about 150 px: uint8 RGB [600, 960, 3] each."""
    picture = cv2.blur(cv2.resize(photograph, (1024, 709), interpolation=cv2.INTER_AREA), (9, 1))
    pan = [np.ascontiguousarray(picture[20 + n : 620 + n, 2 * n : 960 + 2 * n]) for n in range(24)]
    return [*pan, *pan[-2:0:-1]]


@pytest.fixture
def stream(tmp_path, monkeypatch, blurry_pictures):
    """Runs a loop over a hand-held shot of a face with an engine that takes a share of the time between two frames for one."""
    monkeypatch.setattr(adaptation, "FIRST_SECONDS", 0.7)

    def play(share, *, sizes=SIZES, fps=FPS, seconds=1.8, pictures=blurry_pictures):
        network = write_network(tmp_path / "mine.onnx", "invert", metadata={"sizes": sizes})
        options = LiveOptions(source="x", to=("null",), network=network, always=True)
        source = FakeSource(pictures, finite=True, interval=1 / fps, until=lambda: False)
        source.rate = Fraction(fps)
        engines = []
        restorer = Restorer(options.restoration, slow_opener(share / fps, engines))
        return run(options, seconds=seconds, restorer=restorer, source_opener=lambda _: source), engines[0]

    return play


def test_where_there_is_time_everything_is_restored(stream, caplog):
    caplog.set_level("INFO")
    summary, _ = stream(0.02, fps=8, seconds=2.2)
    assert (summary.plan.largest_crop, summary.plan.fps, summary.left_out) == (256, 8, 0)
    assert summary.restored_share > 0.9
    assert summary.plan.reason.startswith("Restored by mine: all faces; a face takes")
    told = [record.getMessage() for record in caplog.records if record.getMessage().startswith("Restored by")]
    assert told[0].startswith("Restored by mine: all faces; a face takes")
    assert summary.warnings == []


def test_a_slow_machine_restores_the_same_faces_in_small_crops_from_frame_to_frame(stream, group_pictures):
    summary, engine = stream(0.6, fps=6, seconds=3.5, pictures=group_pictures)
    plan = summary.plan
    assert plan.largest_crop == 128
    assert 1 <= plan.faces <= 4
    assert 0 < summary.restored_share < 1
    assert plan.reason.startswith(f"Restored by mine in crops of at most 128 px: {plan.faces} of 6 faces")
    shown = [{round(w.centre_x): s for w, s in zip(*frame, strict=True)} for frame in engine.submitted[-8:]]
    for before, after in itertools.pairwise(shown):
        moved = {place: min(after, key=lambda x: abs(x - place)) for place in before}
        stayed = {place: other for place, other in moved.items() if abs(other - place) < 40}
        # who loses a place has faded out, and who gets one fades in
        assert all(before[place] <= 1 / FADE_FRAMES for place in before.keys() - stayed.keys())
        assert all(after[place] <= 1 / FADE_FRAMES for place in after.keys() - set(stayed.values()))
        for place, other in stayed.items():
            # a face that was late for once, as where other tests take the time, begins again
            assert abs(after[other] - before[place]) <= 1 / FADE_FRAMES + 1e-6 or after[other] <= 1 / FADE_FRAMES


@pytest.mark.slow
def test_a_hopeless_machine_shows_the_frames_and_says_what_would_help(stream):
    summary, _ = stream(1.5, sizes="{}")
    assert summary.plan.faces == 0
    assert summary.plan.reason.startswith("No face is restored, even by mine in crops of 256 px: a face takes")
    assert summary.restored_share == 0
    assert summary.frames + summary.dropped > FPS
    (warning,) = summary.warnings
    assert warning.startswith("100% of the blurred faces pass unrestored")
    assert "--budget" in warning


def test_where_the_time_is_too_short_for_one_face_fewer_frames_are_shown_all_restored(stream, caplog):
    summary, engine = stream(1.1, sizes="{}", fps=40, seconds=2.2)
    assert summary.left_out > 10
    assert 10 <= summary.plan.fps <= 20
    assert summary.plan.faces >= 1
    assert len(engine.submitted) >= summary.frames - 4
    assert re.search(r"Restored by mine: .*, \d+.* of 40 frames per second; a face takes", caplog.text)


def test_a_network_that_is_too_slow_is_replaced_while_the_stream_goes_on(tmp_path, monkeypatch, blurry_pictures):
    """By one that was measured as a tenth of it."""
    monkeypatch.setattr(adaptation, "FIRST_SECONDS", 0.7)
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(weights, "TABLE", tuple(weights.ShippedNetwork(name, "") for name in ("best", "quick")))
    monkeypatch.setattr(weights, "files", lambda _: tmp_path)
    write_network(tmp_path / "best.onnx", "slots")
    write_network(tmp_path / "quick.onnx", "invert")
    engines = [choice.name for choice in engine_choices()]
    rows = [
        {"engine": engine, "network": name, "crop_size": 256, "ms": ms}
        for engine in engines for name, ms in (("best", 5.0), ("quick", 0.5))
    ]  # fmt: skip
    write_cached(speeds._cache_path(), json.dumps(rows).encode())
    slow = []
    restorer = Restorer(RestorationOptions(network="auto", always=True), slow_opener(1.2 / FPS, slow))
    source = FakeSource(blurry_pictures, finite=True, interval=1 / FPS, until=lambda: False)
    source.rate = Fraction(FPS)
    options = LiveOptions(source="x", to=("null",), always=True)
    summary = run(options, seconds=2.5, restorer=restorer, source_opener=lambda _: source)
    assert summary.plan.network == "quick"
    assert summary.restored_share > 0.3
    assert len(slow[0].submitted) < summary.restored + summary.passed_through


def test_nothing_is_decided_by_what_frames_cost_while_a_network_is_opened(stream, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(NetworkSwitch, "opening", True)
    stream(0.02, fps=8, seconds=1.5)
    assert "Restored by" not in caplog.text


class Stream:
    """What an adaptation is told of a stream, by a clock of its own."""

    def __init__(self, seconds, pace, network="quick"):
        self.adaptation, self.now = Adaptation(pace, seconds, network), 0.0
        self.seconds, self.pace = seconds, pace

    def play(self, seconds, sides, *, load=1.0, rest=0.005):
        """Frames in which faces of these windows are wanted; returns the plans that were decided, with their times."""
        decided, end = [], self.now + seconds
        while self.now < end:
            self.now += self.pace.interval
            plan = self.adaptation.running_plan
            sizes = [min(plan.largest_crop, 256)] * min(plan.faces, len(sides))
            busy = load * sum(self.seconds[plan.network, size] for size in sizes)
            self.adaptation.add(FaceWork(sizes, busy), sides, rest)
            if self.adaptation.decide(self.now):
                decided.append((self.now, self.adaptation.plan))
            if self.adaptation.is_probe_due(self.now):
                self.adaptation.add_load([128], load * self.seconds[plan.network, 128])
        return decided


AVX2 = {("quick", 128): 0.0082, ("quick", 192): 0.0141, ("quick", 256): 0.0254}
ONE = (300.0,)


def test_the_first_second_decides_by_what_the_stream_really_costs():
    stream = Stream(AVX2, Pace(1 / 30))
    assert stream.adaptation.plan == Plan("quick", 192, 1)
    ((moment, plan),) = stream.play(10, ONE, load=1.7)
    assert 1.0 <= moment < 1.2
    assert plan == Plan("quick", 128, 1)
    assert stream.adaptation.description == (
        "Restored by quick in crops of at most 128 px: all faces; a face takes 14 ms, everything else 5 ms, "
        "and a frame may take 28 ms."
    )


def test_what_other_programs_take_is_given_up_and_comes_back_later():
    stream = Stream(AVX2, Pace(1 / 30))
    stream.play(10, ONE)
    at_rest = stream.adaptation.plan
    (loaded,) = stream.play(10, ONE, load=2.0)
    assert loaded[1].largest_crop < at_rest.largest_crop
    assert loaded[0] < 12.5
    (free,) = stream.play(20, ONE)
    assert free[1] == at_rest
    assert free[0] > 22


def test_no_face_that_flashes_up_changes_the_plan():
    stream = Stream(AVX2, Pace(1 / 30))
    stream.play(5, ONE)
    before = stream.adaptation.plan
    for _ in range(10):
        assert stream.play(0.15, (300.0,) * 5) == []
        assert stream.play(2, ONE) == []
    assert stream.adaptation.plan == before


def test_where_none_is_restored_it_is_tried_out_of_sight_whether_one_could_be():
    stream = Stream(AVX2, Pace(1 / 30))
    stream.play(5, ONE, load=20)
    assert stream.adaptation.plan.faces == 0
    assert stream.adaptation.description.startswith("No face is restored, even by quick in crops of 128 px: a face takes 164 ms")
    assert stream.play(30, ONE, load=20) == []
    decided = stream.play(2 * PROBE_SECONDS, ONE, load=1.0)
    assert decided
    assert stream.adaptation.plan.faces == 1


def test_another_network_takes_over_when_it_is_open():
    seconds = {("best", 256): 0.020, ("quick", 128): 0.003, ("quick", 256): 0.008}
    stream = Stream(seconds, Pace(1 / 30), network="best")
    stream.play(1.2, ONE, load=1.5)
    assert stream.adaptation.plan.network == "quick"
    assert stream.adaptation.running_plan.network == "best"
    stream.adaptation.exchanged("quick")
    assert stream.adaptation.running_plan == stream.adaptation.plan
    for _ in range(FEWEST_FRAMES - 1):
        stream.adaptation.add(FaceWork([256], 0.012), ONE, 0.005)
    stream.adaptation.exclude("best")
    assert stream.adaptation.costs.networks == ["quick"]


def test_a_camera_that_delivers_fewer_frames_leaves_more_time_for_each():
    stream = Stream(AVX2, Pace(1 / 30))
    stream.play(10, (300.0,) * 3)
    assert stream.adaptation.plan == Plan("quick", 128, 2)
    stream.adaptation.pace = stream.pace = Pace(1 / 15)
    stream.play(20, (300.0,) * 3)
    assert stream.adaptation.plan.faces >= 3
    assert stream.adaptation.limit == pytest.approx(0.85 / 15)
    assert stream.adaptation.fps == pytest.approx(15)


def test_the_budget_of_the_user_is_kept():
    within = Adaptation(Pace(1 / 30, budget=0.02), AVX2, "quick")
    assert (within.patience, within.limit, within.plan) == (0.02, 0.02, Plan("quick", 128, 1))
    larger = Adaptation(Pace(1 / 30, budget=0.2), {("quick", 256): 0.1}, "quick")
    assert (larger.patience, larger.plan.every) == (0.2, 4)
    assert larger.fps == pytest.approx(7.5)
