"""Where a training runs does not change what is trained."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from streamdeblur.errors import OptionError
from streamdeblur.training import hourglass
from streamdeblur.training.checkpoint import read_checkpoint
from streamdeblur.training.config import HourglassSettings, TrainingConfig
from streamdeblur.training.datasets.pair_maker import PairMaker
from streamdeblur.training.datasets.sequence_maker import SequenceMaker
from streamdeblur.training.hourglass import train_hourglass
from streamdeblur.training.loop import LossReader, launch_fabric
from streamdeblur.training.machine import CARD_ERROR, Machine
from streamdeblur.training.on_device.loader import DrawnBatchLoader
from support.cli import run
from support.fakes.nvidia import c_compiler, nvidia_driver
from support.models.trainings import TINY_LITE, data_for, load, stopping_at, write_config

CPU = torch.device("cpu")


def weights(folder):
    state = read_checkpoint(folder / "checkpoint.safetensors")
    return torch.cat([tensor.flatten().double() for tensor in state["learner"]["network"].values()])


def drawn_by_device(config, faces):
    """The data of a training, with what plans it."""
    data = data_for(config, "hourglass", faces)
    return replace(data, maker=data.training.__self__)


@pytest.mark.parametrize(("precision", "rounded"), [("32-true", False), ("bf16-mixed", True)])
def test_plain_float32_is_not_rounded_to_tf32_on_cards(precision, rounded):
    launch_fabric(HourglassSettings(precision=precision), 0)
    assert torch.backends.cudnn.allow_tf32 == rounded


def test_a_run_goes_on_where_pairs_are_drawn_otherwise(tmp_path, faces):
    """Half of it with pairs of the CPU, the other half with pairs drawn by the device: as one run without a stop."""
    config = load(tmp_path / "config.yaml", "lite", TINY_LITE)
    half = load(tmp_path / "half.yaml", "lite", TINY_LITE, {"hourglass": {"checkpoint_minutes": 1e-6}})
    data = drawn_by_device(config, faces)
    train_hourglass(config, data, tmp_path / "cpu", machine=Machine("cpu", pairs="cpu"))
    train_hourglass(config, data, tmp_path / "device", machine=Machine("cpu", pairs="device"))
    with pytest.raises(InterruptedError):
        train_hourglass(half, stopping_at(6, data, InterruptedError()), tmp_path / "both", machine=Machine("cpu"))
    assert read_checkpoint(tmp_path / "both" / "checkpoint.safetensors")["images"] == 4
    train_hourglass(half, data, tmp_path / "both", machine=Machine("cpu", pairs="device"))
    for name in ("device", "both"):
        assert torch.allclose(weights(tmp_path / name), weights(tmp_path / "cpu"), atol=2e-3)
    assert not torch.equal(weights(tmp_path / "device"), weights(tmp_path / "cpu"))


def test_drawn_batches_are_numbered_as_those_of_the_cpu(faces):
    schedule = {"size": 4, "part": lambda n: 64, "crop": lambda n: (256, 128)[n % 2], "severity": lambda n: 0.0}
    maker = PairMaker(faces, [])
    loader = DrawnBatchLoader(maker, CPU, first=1, **schedule)
    first = next(iter(loader))
    loader.close()
    halves = [DrawnBatchLoader(maker, CPU, rank=rank, processes=2, **schedule) for rank in (0, 1)]
    parts = [half.batch(1) for half in halves]
    merged = torch.stack([part.sharp for part in parts], dim=1).flatten(0, 1)
    assert torch.allclose(first.sharp, merged, atol=1.01 / 255)
    for half in halves:
        half.close()


def test_batches_of_sequences_have_their_memory(faces):
    schedule = {"size": 2, "part": lambda n: 64, "crop": lambda n: 256, "severity": lambda n: 1.0}
    loader = DrawnBatchLoader(SequenceMaker(faces, [], memory=3), CPU, **schedule)
    batch = next(iter(loader))
    loader.close()
    assert [tuple(tensor.shape) for tensor in batch.tensors] == [
        (2, 3, 64, 64), (2, 3, 64, 64), (2, 4, 41, 41), (2, 3, 32, 32), (2, 3),
    ]  # fmt: skip


def test_late_losses_are_those_of_the_step_before():
    reader = LossReader(late=True)
    assert reader.read({"total": torch.tensor(1.0)}) == {}
    assert reader.read({"other": torch.tensor(5.0)}) == {}
    assert reader.read({"total": torch.tensor(2.0)}) == {"total": 1.0}
    assert LossReader(late=False).read({"total": torch.tensor(2.0)}) == {"total": 2.0}


def test_a_compiled_network_keeps_the_names_of_its_weights(tmp_path, faces):
    config = load(tmp_path / "config.yaml", "lite", TINY_LITE)
    data = data_for(config, "hourglass", faces)
    # all but the code that is generated
    with torch.compiler.set_stance("force_eager"):
        train_hourglass(config, data, tmp_path / "compiled", machine=Machine("cpu", compiled=True))
    train_hourglass(config, data, tmp_path / "plain", machine=Machine("cpu"))
    assert torch.equal(weights(tmp_path / "compiled"), weights(tmp_path / "plain"))


@pytest.mark.slow
def test_a_compiled_network_trains_as_one_that_is_not(tmp_path, faces):
    config = load(tmp_path / "config.yaml", "lite", TINY_LITE)
    data = data_for(config, "hourglass", faces)
    train_hourglass(config, data, tmp_path / "compiled", machine=Machine("cpu", compiled=True))
    train_hourglass(config, data, tmp_path / "plain", machine=Machine("cpu"))
    assert torch.allclose(weights(tmp_path / "compiled"), weights(tmp_path / "plain"), atol=1e-3)


def test_devices_that_are_none_are_refused():
    for name in ("gpu", "cuda:", "cuda:x", "0"):
        with pytest.raises(OptionError, match="--device is auto, cpu, cuda or cuda:N"):
            Machine(name)
    if not torch.cuda.is_available():
        with pytest.raises(OptionError, match=r"Cannot train on cuda:1: PyTorch .*give --device cpu"):
            Machine("cuda:1")
    assert Machine("cpu").devices(2) == 2


@pytest.mark.skipif(c_compiler() is None, reason="no C compiler (cc) for the fake of the driver")
def test_errors_of_a_card_are_told_with_what_mends_them(tmp_path, faces_folder, monkeypatch):
    path = write_config(tmp_path / "config.yaml", "lite", TINY_LITE)
    told = {
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee ..."): "process 99 computes on it",
        CARD_ERROR(
            "CUDA error: CUDA-capable device(s) is/are busy or unavailable\nCUDA kernel errors might be ..."
        ): "nvidia-smi -i 0",
    }
    for error, line in told.items():

        def fail(*_, error=error):
            raise error

        monkeypatch.setattr(hourglass, "train_hourglass", fail)
        with nvidia_driver(pid=99, exclusive=1, free=1 << 20):
            done = run("train", "hourglass", path, "--stills", faces_folder, "--out", tmp_path / "run")
        assert done.exit_code == 2
        assert line in done.stderr
        assert "Internal error" not in done.stderr
        assert ("smaller 'batch'" in done.stderr) == isinstance(error, torch.OutOfMemoryError)


def test_the_commands_say_where_they_cannot_train(tmp_path, faces_folder):
    path = write_config(tmp_path / "config.yaml", "lite", TINY_LITE)
    for step in ("hourglass", "cgan"):
        done = run("train", step, path, "--stills", faces_folder, "--out", tmp_path / "run", "--device", "cuda:99")
        assert done.exit_code == 2
        assert "cuda:99" in done.stderr
    assert TrainingConfig.load(path).hourglass.precision == "32-true"
