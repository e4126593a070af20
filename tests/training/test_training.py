"""Runs resume to the same weights, agree between processes, and stop with a reason."""

from __future__ import annotations

import json
import random
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest
import torch

from streamdeblur.cli.app import LazyCommand
from streamdeblur.errors import InputError, NetworkError, OptionError, TrainingError
from streamdeblur.training.cgan import train_cgan
from streamdeblur.training.checkpoint import read_checkpoint
from streamdeblur.training.export import export, open_trained
from streamdeblur.training.hourglass import train_hourglass
from support.cli import COMMAND, run, run_process, start
from support.models.trainings import TINY_LITE, TINY_PAPER, data_for, load, stopping_at, write_config

ABLATIONS = ["cgan-no-hg", "hg-disc-vgg", "final"]
MORE_ABLATIONS = ["cgan-no-hg-only-2mf2", "hg-disc", "hg-vanilla-cgan", "vanilla-cgan-vgg", "hg-vanilla-cgan-vgg"]


def weights(folder):
    """All averaged and trained weights of a run, flat."""
    state = read_checkpoint(folder / "checkpoint.safetensors")
    tensors = [*state["learner"]["network"].values(), *(v for v in state["average"].values() if isinstance(v, torch.Tensor))]
    return torch.cat([tensor.flatten().double() for tensor in tensors])


@pytest.fixture(scope="module")
def hourglass_run(tmp_path_factory, faces):
    """A run of step 1 of the smallest `lite`, two steps long."""
    folder = tmp_path_factory.mktemp("hourglass")
    config = load(folder / "config.yaml", "lite", TINY_LITE)
    train_hourglass(config, data_for(config, "hourglass", faces), folder / "run")
    return folder / "run"


def test_a_run_that_fails_midway_resumes_to_the_same_weights(tmp_path, faces):
    often = {"hourglass": {"images": 16, "checkpoint_minutes": 1e-6}}
    config = load(tmp_path / "config.yaml", "lite", TINY_LITE, often)
    data = data_for(config, "hourglass", faces)
    with pytest.raises(InputError, match="The disk is gone"):
        train_hourglass(config, stopping_at(12, data, InputError("The disk is gone.")), tmp_path / "failed")
    assert 0 < read_checkpoint(tmp_path / "failed" / "checkpoint.safetensors")["images"] < 16
    for name in ("failed", "whole"):
        train_hourglass(config, data, tmp_path / name)
    assert torch.equal(weights(tmp_path / "failed"), weights(tmp_path / "whole"))


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_weights(tmp_path, faces_folder, faces):
    often = {"hourglass": {"images": 24, "checkpoint_minutes": 1e-6}}
    path = write_config(tmp_path / "config.yaml", "lite", TINY_LITE, often)
    folder = tmp_path / "killed"
    command = ("train", "hourglass", path, "--stills", faces_folder, "--out")
    running = start(*command, folder, stderr=subprocess.DEVNULL)
    checkpoint = folder / "checkpoint.safetensors"
    while not checkpoint.exists() or read_checkpoint(checkpoint)["images"] < 8:
        assert running.poll() is None, "the training ended before it could be killed"
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert read_checkpoint(checkpoint)["images"] < 24
    assert run(*command, folder).exit_code == 0
    assert run(*command, tmp_path / "whole").exit_code == 0
    assert torch.equal(weights(folder), weights(tmp_path / "whole"))


def normalisations(folder, of):
    """Running statistics of a run's network or of its EMA, by name."""
    state = read_checkpoint(folder / "checkpoint.safetensors")
    found = state["learner"]["network"] if of == "network" else state["average"]
    return {name: value for name, value in found.items() if "running_" in name}


def test_statistics_of_batches_are_kept_for_the_rest_of_a_run(tmp_path, faces):
    config = load(tmp_path / "config.yaml", "paper", TINY_PAPER, {"hourglass": {"images": 16, "statistics_until": 0.5}})
    data = data_for(config, "hourglass", faces)
    half = load(tmp_path / "half.yaml", "paper", TINY_PAPER, {"hourglass": {"images": 8}})
    train_hourglass(half, data, tmp_path / "half")
    train_hourglass(config, data, tmp_path / "whole")
    kept = normalisations(tmp_path / "whole", "network")
    assert kept
    for other in (normalisations(tmp_path / "whole", "average"), normalisations(tmp_path / "half", "average")):
        assert kept.keys() == other.keys()
        assert all(torch.equal(kept[name], other[name]) for name in kept)


def test_a_run_that_kept_its_statistics_resumes_to_the_same_weights(tmp_path, faces):
    often = {"cgan": {"images": 16, "statistics_until": 0.25, "checkpoint_minutes": 1e-6}}
    config = load(tmp_path / "config.yaml", "ablations/cgan-no-hg", TINY_PAPER, often)
    data = data_for(config, "cgan", faces)
    with pytest.raises(InputError, match="The disk is gone"):
        train_cgan(config, stopping_at(12, data, InputError("The disk is gone.")), tmp_path / "failed")
    assert 0 < read_checkpoint(tmp_path / "failed" / "checkpoint.safetensors")["images"] < 16
    for name in ("failed", "whole"):
        train_cgan(config, data, tmp_path / name)
    assert torch.equal(weights(tmp_path / "failed"), weights(tmp_path / "whole"))


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path, faces_folder):
    path = write_config(tmp_path / "config.yaml", "lite", TINY_LITE)
    arguments = ["train", "hourglass", str(path), "--stills", str(faces_folder), "--out"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", *COMMAND[1:]]
    both = subprocess.run([*torchrun, *arguments, str(tmp_path / "two")], check=True, capture_output=True, text=True)
    assert both.stderr.count("people that are trained on") == 1, "only the main process logs"
    assert run(*arguments, tmp_path / "one").exit_code == 0
    assert torch.allclose(weights(tmp_path / "two"), weights(tmp_path / "one"), atol=2e-4)


@pytest.mark.parametrize("name", [*ABLATIONS, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE_ABLATIONS)])
def test_each_variant_of_the_self_evaluation_trains_and_is_exported(tmp_path, faces, identity_network, name):
    config = load(tmp_path / "config.yaml", f"ablations/{name}", TINY_PAPER)
    data = data_for(config, "cgan", faces)
    hourglass = None
    if config.takes_step_1 == "--hourglass":
        train_hourglass(config, data_for(config, "hourglass", faces), tmp_path / "hourglass")
        hourglass = tmp_path / "hourglass"
    train_cgan(config, data, tmp_path / "run", hourglass, identity=str(identity_network))
    network, metadata = open_trained(tmp_path / "run")
    assert (network.generator is None) == name.startswith("hg-disc")
    assert (network.hourglass is None) == name.startswith(("cgan-no-hg", "vanilla"))
    if hourglass:
        frozen, first = (part.hourglass.state_dict() for part in (network, open_trained(hourglass)[0]))
        assert any("running_mean" in key for key in first)
        assert all(torch.equal(values, frozen[key]) for key, values in first.items())
    assert metadata["preset"] == name
    assert metadata["training"] == "cgan: 4 images"
    assert export(tmp_path / "run", tmp_path / "network.onnx").difference < 1e-5


def test_a_training_without_its_hourglass_is_refused(tmp_path, faces):
    config = load(tmp_path / "config.yaml", "lite", TINY_LITE)
    with pytest.raises(OptionError, match="--hourglass RUN"):
        train_cgan(config, data_for(config, "cgan", faces), tmp_path / "run")


def test_a_training_that_has_no_hourglass_refuses_one(tmp_path, faces, hourglass_run):
    for name, words in (("cgan-no-hg", r"'conditioned: false'.*leave out --hourglass .*run"), ("hg-disc", "as --init .*run")):
        config = load(tmp_path / "config.yaml", f"ablations/{name}", TINY_PAPER)
        with pytest.raises(OptionError, match=words):
            train_cgan(config, data_for(config, "cgan", faces), tmp_path / "run", hourglass_run)


def test_a_hourglass_of_another_shape_is_refused(tmp_path, faces, hourglass_run):
    config = load(tmp_path / "config.yaml", "lite", TINY_LITE, {"network": {"hourglass": {"widths": [4, 8, 8]}}})
    with pytest.raises(NetworkError, match="of this shape"):
        train_cgan(config, data_for(config, "cgan", faces), tmp_path / "run", hourglass_run)


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_its_checkpoint(tmp_path, faces):
    exploding = {
        "hourglass": {"images": 400, "checkpoint_minutes": 1e-6, "optimiser": {"muon_rate": 1e18, "rate": 1e18, "clip": 0}}
    }
    config = load(tmp_path / "config.yaml", "lite", TINY_LITE, exploding)
    with pytest.raises(TrainingError, match=r"Step \d+.*not finite.*last good state"):
        train_hourglass(config, data_for(config, "hourglass", faces), tmp_path / "run")
    assert torch.isfinite(weights(tmp_path / "run")).all()


def test_another_configuration_does_not_resume_a_run(tmp_path, faces, hourglass_run):
    config = load(tmp_path / "config.yaml", "lite", TINY_LITE, {"seed": 7})
    with pytest.raises(OptionError, match=r"another configuration.*seed"):
        train_hourglass(config, data_for(config, "hourglass", faces), hourglass_run)
    # settings of the other step may differ
    config = load(tmp_path / "config.yaml", "lite", TINY_LITE, {"cgan": {"images": 12}})
    train_hourglass(config, data_for(config, "hourglass", faces), hourglass_run)
    with pytest.raises(OptionError, match="run of 'hourglass', not of 'cgan'"):
        train_cgan(config, data_for(config, "cgan", faces), hourglass_run, hourglass_run)


def test_validations_are_logged(hourglass_run):
    lines = [json.loads(line) for line in (hourglass_run / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["images"] == 8
    assert {"gain", "gain/synthetic", "psnr/sharp"} <= lines[-1].keys()
    assert list(hourglass_run.glob("events.out.tfevents.*"))


def test_a_run_starts_from_exported_weights(tmp_path, faces, hourglass_run):
    config = load(tmp_path / "config.yaml", "lite", TINY_LITE)
    train_cgan(config, data_for(config, "cgan", faces), tmp_path / "run", hourglass_run)
    network, _ = open_trained(tmp_path / "run")
    export(tmp_path / "run", tmp_path / "network.onnx")
    frozen = {"cgan": {"optimiser": {"rate": 1e-12, "muon_rate": 1e-12}}}
    config = load(tmp_path / "config.yaml", "lite", TINY_LITE, frozen)
    onnx = tmp_path / "network.onnx"
    train_cgan(config, data_for(config, "cgan", faces), tmp_path / "again", onnx, init=onnx)
    again, _ = open_trained(tmp_path / "again")
    blurry = torch.rand(1, 3, 256, 256)
    for image, expected in zip(again(blurry), network(blurry), strict=True):
        assert torch.allclose(image, expected, atol=1e-5)
    assert not torch.equal(network(blurry)[0], blurry)


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow), pytest.param(signal.SIGHUP, marks=pytest.mark.slow)],
    ids=["int", "term", "hup"],
)
def test_a_stopped_run_is_saved_and_says_how_it_goes_on(tmp_path, faces_folder, number):
    long = {"hourglass": {"images": 400_000, "checkpoint_minutes": 10, "validate_images": 4}}
    path = write_config(tmp_path / "config.yaml", "lite", TINY_LITE, long)
    command = ("train", "hourglass", path, "--stills", faces_folder, "--out", tmp_path / "run dir")
    running = start(*command, stderr=subprocess.PIPE, text=True)
    # the first validation comes after the first step
    while not (tmp_path / "run dir" / "log.jsonl").exists():
        assert running.poll() is None, "the training ended before it could be stopped"
        time.sleep(0.05)
    running.send_signal(number)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130
    images = read_checkpoint(tmp_path / "run dir" / "checkpoint.safetensors")["images"]
    assert 0 < images < 400_000
    assert f"Stopped after {images:,} of 400,000 images." in told
    assert told.splitlines()[-1].startswith("Interrupted. What was done is kept in ")
    assert "No partial output" not in told
    assert re.search(r"Go on with: streamdeblur train hourglass \S+ --stills \S+ --out '.*run dir'", told)
    assert "Traceback" not in told


def test_a_run_without_a_checkpoint_blocks_no_other(tmp_path, faces, hourglass_run):
    folder = tmp_path / "run"
    folder.mkdir()
    for content in ('{"step": "cgan", "config": {}}', '{"step": "hourgl', ""):
        (folder / "config.json").write_text(content)
        config = load(tmp_path / "config.yaml", "lite", TINY_LITE, {"hourglass": {"images": 4}})
        train_hourglass(config, data_for(config, "hourglass", faces), folder)
        assert json.loads((folder / "config.json").read_text())["step"] == "hourglass"
        (folder / "checkpoint.safetensors").unlink()


def test_a_finished_run_says_what_to_do_next(tmp_path, faces_folder):
    path = write_config(tmp_path / "config.yaml", "lite", TINY_LITE, {"hourglass": {"images": 4}})
    folder = tmp_path / "a run"
    done = run("train", "hourglass", path, "--stills", faces_folder, "--held-out-stills", faces_folder, "--out", folder)
    assert done.exit_code == 0
    assert f"the weights of step 1 are in {folder / 'checkpoint.safetensors'}" in done.stderr
    _, _, command = done.stderr.partition("Next, step 2: streamdeblur ")
    words = shlex.split(command.splitlines()[0])
    assert words[:5] == ["train", "cgan", str(path), "--hourglass", str(folder)]
    # missing and unknown options are errors here
    given = LazyCommand("cgan", "", "streamdeblur.cli.commands.train.cgan").make_context("cgan", words[2:]).params
    assert given["run"] == tmp_path / "a run-cgan"
    assert (given["stills"], given["held_out_stills"]) == ([faces_folder], faces_folder)


@pytest.mark.slow
def test_a_run_that_is_killed_at_random_moments_resumes_to_the_same_weights(tmp_path, faces_folder):
    often = {"hourglass": {"images": 160, "checkpoint_minutes": 1e-6}}
    path = write_config(tmp_path / "config.yaml", "lite", TINY_LITE, often)
    command = ("train", "hourglass", path, "--stills", faces_folder, "--out")
    moments = random.Random(5)
    for _ in range(12):
        running = start(*command, tmp_path / "killed", stderr=subprocess.DEVNULL)
        try:
            running.wait(timeout=moments.uniform(0.5, 8.0))
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
    assert run_process(*command, tmp_path / "killed").exit_code == 0
    assert run(*command, tmp_path / "whole").exit_code == 0
    assert torch.equal(weights(tmp_path / "killed"), weights(tmp_path / "whole"))
    assert not list((tmp_path / "killed").glob(".*"))
