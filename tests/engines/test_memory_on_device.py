"""The memory of a network stays on the device: what is not made there goes there once, and nothing comes back for it."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.engines.tensorrt.memory import SLOTS, MemorySlots
from streamdeblur.engines.tensorrt.opening import open_tensorrt
from streamdeblur.engines.tensorrt.reader import ENTRY_BYTES
from streamdeblur.errors import EngineError
from streamdeblur.faces.neighbours import half_luma_of
from streamdeblur.network import Network
from support.fakes.cuda_on_host import compiler
from support.fakes.gpu import fake_gpu
from support.fakes.machine import Machine
from support.models.networks import expected_slots, write_network

CROP_BYTES = 3 * 256 * 256 * 2


@pytest.fixture
def network(tmp_path, monkeypatch):
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path / "cache"))
    return Network.read(write_network(tmp_path / "slots.onnx", "slots"))


def lumas(count, seed=0):
    return [np.full((128, 128), n + seed, np.float32) for n in range(count)]


def test_a_crop_keeps_its_slot_as_long_as_there_is_room():
    slots = MemorySlots(2)
    first, second, third = lumas(3)
    placed = slots.place(2, [[first, second], [second]], 512)
    assert placed.numbers.tolist() == [[0, 1], [1, -1]]
    assert [number for number, _ in placed.new] == [0, 1]
    assert (placed.at, placed.new_at, placed.end) == (512, 768, 768 + 2 * ENTRY_BYTES)
    placed = slots.place(1, [[third, first, second]], 0)
    assert placed.numbers.tolist() == [[2, 0]]
    assert [number for number, _ in placed.new] == [2]
    slots.forget()
    assert len(slots.place(1, [[first]], 0).new) == 1


def test_the_oldest_crop_makes_room_and_never_one_of_the_same_batch():
    slots = MemorySlots(1)
    kept = lumas(SLOTS)
    slots.place(SLOTS, [[one] for one in kept], 0)
    new = lumas(3, seed=1000)
    placed = slots.place(4, [[new[0]], [kept[0]], [new[1]], [new[2]]], 0)
    assert placed.numbers.reshape(-1).tolist() == [1, 0, 2, 3]
    assert placed.slots == SLOTS
    many = lumas(SLOTS + 1, seed=2000)
    placed = slots.place(SLOTS + 1, [[one] for one in many], 0)
    assert placed.slots == 2 * SLOTS
    assert sorted(placed.numbers.reshape(-1).tolist()) == list(range(SLOTS + 1))


def test_crops_of_another_size_and_networks_without_a_memory_have_no_slots():
    assert MemorySlots(2).place(1, [[np.zeros((64, 64), np.float32)]], 0).numbers.tolist() == [[-1, -1]]
    assert MemorySlots(2).place(3, (), 0).numbers.shape == (3, 2)
    placed = MemorySlots(0).place(2, (), 40)
    assert (placed.entries, placed.end) == (0, 256 if placed.numbers.nbytes else placed.new_at)


@pytest.mark.skipif(compiler() is None, reason="no C++ compiler (g++) to run the CUDA kernels on the CPU with")
def test_a_stream_uploads_each_crop_of_its_memory_once(network):
    random = np.random.default_rng(0)
    crops = random.integers(0, 256, (8, 256, 256, 3), np.uint8)
    halves = [half_luma_of(crop) for crop in crops]
    with fake_gpu(Machine()) as machine:
        engine = open_tensorrt(network)
        for number in range(2, 8):
            before, back = machine.uploaded, machine.downloaded
            (restored,) = engine.infer(crops[number : number + 1], [[halves[number - 1], halves[number - 2]]])
            assert np.abs(restored - expected_slots(crops[number], crops[[number - 1, number - 2]])).max() <= 1
            new = 2 if number == 2 else 1
            assert machine.uploaded - before == CROP_BYTES + new * ENTRY_BYTES + 2 * 8
            # the restored crop, and nothing of the memory
            assert machine.downloaded - back == CROP_BYTES
        engine.close()


@pytest.mark.skipif(compiler() is None, reason="no C++ compiler (g++) to run the CUDA kernels on the CPU with")
def test_what_a_failed_batch_should_have_brought_is_uploaded_again(network, monkeypatch):
    crops = np.random.default_rng(0).integers(0, 256, (2, 256, 256, 3), np.uint8)
    near = [[half_luma_of(crops[1])]]
    with fake_gpu(Machine()):
        engine = open_tensorrt(network)
        with monkeypatch.context() as patch:
            patch.setattr(engine, "_copy_memory", lambda *_: (_ for _ in ()).throw(EngineError("no memory")))
            with pytest.raises(EngineError, match="no memory"):
                engine.infer(crops[:1], near)
        (restored,) = engine.infer(crops[:1], near)
        assert np.abs(restored - expected_slots(crops[0], crops[1:])).max() <= 1
        engine.close()
