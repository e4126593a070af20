"""The restorer of live streams."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamdeblur import FaceDeblurrer, weights
from streamdeblur.errors import EngineError
from streamdeblur.live.network_switch import NetworkSwitch
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.restorer import Restorer
from streamdeblur.options import RestorationOptions
from streamdeblur.speeds import known_choice
from streamdeblur.weights import AUTO
from support.media.frames import plane_bytes
from support.media.videos import VideoSpec, rgb_to_frame
from support.memory_streams import recorded
from support.models.networks import write_network, write_shipped
from support.servers import wait_until


def test_live_frames_wait_for_no_later_ones_and_nothing_is_remembered_over_a_pause(tmp_path, few_pictures):
    network = write_network(tmp_path / "slots.onnx", "slots")
    restorer = Restorer(RestorationOptions(network=network, always=True, engine="onnxruntime"))
    frames = [rgb_to_frame(picture, VideoSpec()) for picture in few_pictures]
    with recorded(restorer._deblurrer) as submitted:
        for number, frame in enumerate(frames[:8]):
            restorer.paused = 3 <= number < 5
            before = plane_bytes(frame)
            restorer.edit(frame, None)
            changed = not all(map(np.array_equal, before, plane_bytes(frame)))
            # a face without neighbours comes back as it is
            assert changed == (number in (1, 2, 6, 7))
    assert [len(near) for faces in submitted for near in faces.neighbours] == [0, 1, 2, 0, 1, 2]
    restorer.close()


@pytest.mark.parametrize("named", [None, "lite"])
def test_without_a_name_a_live_stream_takes_the_network_that_is_fast_enough(tmp_path, monkeypatch, named):
    networks = write_shipped(tmp_path)
    monkeypatch.setattr(weights, "files", lambda _: networks)
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path / "cache"))
    options = LiveOptions.load(None, network=named)
    assert options.restoration.in_real_time().network == Path(named or AUTO)
    restorer = Restorer(options.restoration)
    assert restorer._deblurrer.network.path.stem == (named or known_choice(real_time=True))
    restorer.close()


def test_another_network_takes_over_between_two_frames_and_the_faces_stay_the_same(tmp_path, few_pictures, inverting_network):
    frames = [rgb_to_frame(picture, VideoSpec()) for picture in few_pictures]
    network = write_network(tmp_path / "slots.onnx", "slots")
    with FaceDeblurrer(network=network, always=True, engine="onnxruntime") as deblurrer:
        switch, failed, ids = NetworkSwitch("onnxruntime"), [], []
        for number, frame in enumerate(frames[:6]):
            if number == 3:
                switch.begin(inverting_network, failed.append)
                switch.begin(inverting_network, failed.append)
                wait_until(lambda: switch._opening is None)
            switch.complete(deblurrer)
            before = frame.to_ndarray(format="gray").astype(int)
            deblurrer.edit(frame)
            (track,) = deblurrer._selector._finder._tracker.tracks
            x, y = map(round, track.centre)
            face = (slice(y - 10, y + 10), slice(x - 10, x + 10))
            both = before[face] + frame.to_ndarray(format="gray")[face]
            # white and black make 255 together in a negative
            assert (np.abs(both - 255).max() < 12) == (number >= 3)
            ids.append(track.track_id)
        assert deblurrer.network.path == inverting_network
        assert failed == []
        assert len(set(ids)) == 1


def test_a_network_that_was_replaced_stays_open_until_the_stream_ends(tmp_path, inverting_network):
    network = write_network(tmp_path / "slots.onnx", "slots")
    with FaceDeblurrer(network=network, engine="onnxruntime") as deblurrer:
        switch, before = NetworkSwitch("onnxruntime"), deblurrer.engine
        switch.begin(inverting_network, pytest.fail)
        wait_until(lambda: not switch.opening)
        switch.complete(deblurrer)
        other = deblurrer.engine
        switch.begin("slots", pytest.fail)
        assert not switch.opening
        switch.complete(deblurrer)
        assert (deblurrer.engine, deblurrer.network.path) == (before, network)
        switch.close()
        with pytest.raises(EngineError, match="closed"):
            other.infer(np.zeros((1, 256, 256, 3), np.uint8))


def test_a_network_that_cannot_be_opened_is_given_up_and_the_stream_goes_on(tmp_path, inverting_options, few_pictures):
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    switch, failed = NetworkSwitch("onnxruntime"), []
    switch.begin(tmp_path / "broken.onnx", failed.append)
    wait_until(lambda: switch._opening is None)
    assert failed == [tmp_path / "broken.onnx"]
    with FaceDeblurrer(inverting_options, engine="onnxruntime") as deblurrer:
        before = deblurrer.engine
        switch.complete(deblurrer)
        assert deblurrer.engine is before


@pytest.mark.parametrize("moment", ["before it is open", "before it is handed over"])
def test_a_network_that_nobody_needs_any_more_is_closed(inverting_network, moment):
    switch = NetworkSwitch("onnxruntime")
    switch.begin(inverting_network, pytest.fail)
    if moment == "before it is handed over":
        wait_until(lambda: switch._opening is None)
    engine = switch._opened[1] if switch._opened else None
    switch.close()
    wait_until(lambda: switch._opening is None)
    assert switch._opened is None
    if engine is not None:
        with pytest.raises(EngineError, match="closed"):
            engine.infer(np.zeros((1, 256, 256, 3), np.uint8))
