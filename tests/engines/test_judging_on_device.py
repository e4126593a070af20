"""Faces are judged where their crops are read: with TensorRT on the device, from which only their numbers come back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.engines import FrameFaces
from streamdeblur.engines.fallback import FallbackEngine
from streamdeblur.engines.tensorrt.opening import open_tensorrt
from streamdeblur.faces.window import FaceWindow, crop
from streamdeblur.frames import StreamItem
from streamdeblur.network import Network
from streamdeblur.video.planes import array_planes
from support.fakes.cuda_on_host import compiler
from support.fakes.gpu import fake_gpu
from support.fakes.machine import Machine
from support.memory_streams import frame_of, tracked
from support.models.networks import write_network
from support.servers import wait_until

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler (g++) to run the CUDA kernels on the CPU with")

WINDOW_BYTES = 3 * 264 * 272
"""Of the samples under the window of a face, with those around it that a crop reads."""
NUMBERS_BYTES, SUMS_BYTES = 4 * 130, 4 * 64


@pytest.fixture
def network(tmp_path, monkeypatch):
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path / "cache"))
    return Network.read(write_network(tmp_path / "slots.onnx", "slots"))


@pytest.fixture(scope="module")
def frames():
    """Exposures of one face nearly in one place, the third of them twice."""
    random = np.random.default_rng(0)
    face = cv2.resize(random.integers(60, 190, (8, 8, 3), np.uint8), (256, 256), interpolation=cv2.INTER_CUBIC)
    exposures = [np.clip(face + random.integers(-20, 21, face.shape), 0, 255).astype(np.uint8) for _ in range(5)]
    return [frame_of(exposures[number]) for number in (0, 1, 2, 2, 3, 4)]


def items(frames):
    return [StreamItem(frame.copy(), faces=tracked(1)) for frame in frames]


def close(one, other):
    difference = np.abs(one.astype(int) - other)
    return difference.max() <= 8 and difference.mean() < 0.1


@pytest.mark.parametrize("look_ahead", [0, 2])
def test_a_stream_is_as_on_the_cpu_and_only_windows_and_numbers_travel(network, frames, look_ahead):
    with FaceDeblurrer(network=network.path, engine="onnxruntime", always=True) as deblurrer:
        expected = [item.frame for item in deblurrer.stream(items(frames), look_ahead=look_ahead)]
        gains, blur = [face.gain for face in deblurrer.judged_faces], deblurrer.decisions[0].blur
    with fake_gpu(Machine()) as machine, FaceDeblurrer(network=network.path, engine="tensorrt", always=True) as deblurrer:
        restored = [item.frame for item in deblurrer.stream(items(frames), look_ahead=look_ahead)]
        assert all(close(one, other) for one, other in zip(restored, expected, strict=True))
        assert [face.gain for face in deblurrer.judged_faces] == pytest.approx(gains, abs=0.02)
        # the copy of a frame has its samples uploaded once more, and its crop is compared on the device
        assert machine.uploaded < (len(frames) + 1) * (WINDOW_BYTES + 4096)
        assert machine.downloaded < len(frames) * (WINDOW_BYTES + 4096)
        (decision,) = deblurrer.decisions
        assert decision.blur == pytest.approx(blur, abs=0.01)
        planes = array_planes(frames[-1])
        assert np.abs(decision.crop.astype(int) - crop(planes, decision.window)).max() <= 1
    assert machine.used == 0


def test_of_faces_that_are_left_alone_only_their_numbers_come_back(network, frames):
    with fake_gpu(Machine()) as machine, FaceDeblurrer(network=network.path, engine="tensorrt", threshold=20.0) as deblurrer:
        for frame in frames[:3]:
            assert np.array_equal(deblurrer(frame, faces=tracked(1)), frame)
        # the second face is compared with the one before, the third with both
        assert machine.downloaded == 3 * NUMBERS_BYTES + 3 * SUMS_BYTES
        assert machine.events.count("paste_faces_8") == 0
        assert deblurrer.statistics.skipped_sharp == 3


def test_some_faces_of_a_frame_are_restored_from_the_samples_of_all(network, frames):
    windows = [FaceWindow(160, 160, 256), FaceWindow(90, 90, 120)]
    with fake_gpu(Machine()) as machine:
        engine = open_tensorrt(network)
        kept, anew = (array_planes(frames[0].copy()) for _ in range(2))
        first, second = (engine.reader.begin(kept, windows).read(window, 256) for window in windows)
        near = [[first.remembered(0).luma]]
        uploaded, downloaded = machine.uploaded, machine.downloaded
        assert engine.submit(FrameFaces(kept, windows[1:], [second], [0.7], near)).paste(kept).finite.all()
        assert machine.uploaded - uploaded < 4096
        # lines under the second window, across the rectangle of both
        assert machine.downloaded - downloaded < 124 * WINDOW_BYTES / 264 + 16
        # the crop is of another frame than these planes, so it is read again
        assert engine.submit(FrameFaces(anew, windows[1:], [second], [0.7], near)).paste(anew).finite.all()
        assert np.array_equal(kept.arrays[0], anew.arrays[0])
        assert not np.array_equal(kept.arrays[0], frames[0].reshape(kept.arrays[0].shape))
        engine.close()


def test_a_device_that_fails_while_it_judges_is_replaced(network, frames):
    with fake_gpu(Machine()) as machine:
        open_tensorrt(network).close()
        with FaceDeblurrer(network=network.path, engine="onnxruntime", always=True) as deblurrer:
            first = deblurrer.engine
            deblurrer.engine = engine = FallbackEngine(first, "tensorrt", lambda cancelled: open_tensorrt(network))
            wait_until(lambda: engine.name == "tensorrt")
            restored = [deblurrer(frame, faces=tracked(1)) for frame in frames[:2]]
            machine.fail_launches = True
            restored += [deblurrer(frame, faces=tracked(1)) for frame in frames[2:]]
            assert engine.name == "onnxruntime"
            assert deblurrer.statistics.restored == len(frames)
            machine.fail_launches = False
    # without neighbours the network leaves a face as it is: those on the device are lost with it
    changed = [not np.array_equal(one, frame) for one, frame in zip(restored, frames, strict=True)]
    assert changed == [False, True, False, False, True, True]
