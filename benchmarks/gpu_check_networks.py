"""Part of gpu_check.py: the networks through PyTorch, with CUDA graphs, in three precisions: milliseconds per crop, agreement."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from streamdeblur.training.config import TrainingConfig
from streamdeblur.training.networks.generator import TwoPathGenerator
from streamdeblur.training.networks.hourglass import Hourglass
from streamdeblur.training.networks.two_step import TwoStepNetwork
from streamdeblur.training.teacher import read_exported
from streamdeblur.weights import network_path

if TYPE_CHECKING:
    from gpu_check import Check

BATCHES = (1, 2, 4, 8, 16, 32)
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
SECONDS = 0.4
"""Of each measurement."""


def open_networks(check: Check) -> dict[str, Callable[[], nn.Module]]:
    """What opens each network."""

    def paper() -> nn.Module:
        """With random weights, on which its time does not depend."""
        torch.manual_seed(0)
        preset = TrainingConfig.load(Path("paper")).network
        generator = TwoPathGenerator(preset.generator, preset.hourglass.code)
        generator.sharp_encoder = None
        return TwoStepNetwork(Hourglass(preset.hourglass), generator)

    def shipped(name: str) -> Callable[[], nn.Module]:
        return lambda: read_exported(network_path(name))

    names = [name for name in ("lite", "stream") if network_path(name).is_file()]
    if check.cpu:
        return {name: shipped(name) for name in names[:1]}
    return {**{name: shipped(name) for name in names}, "paper": paper}


def inputs_of(network: nn.Module, batch: int, size: int, device: torch.device) -> list[Tensor]:
    """Crops that are like pictures, with what a network with a memory gets beside them."""
    random = np.random.default_rng(batch)
    entries = getattr(network, "memory", 0)
    coarse = random.random((batch, 3, size // 16, size // 16), np.float32)
    blurry = torch.from_numpy(np.kron(coarse, np.ones((16, 16), np.float32)))
    given = [blurry]
    if entries:
        given += [torch.rand(batch, entries, size // 2, size // 2), torch.ones(batch, entries)]
    return [tensor.to(device) for tensor in given]


class Runner:
    """A network on a device at one precision and batch, as a CUDA graph where there is a card."""

    def __init__(self, network: nn.Module, given: list[Tensor], kind: torch.dtype) -> None:
        self._network, self._given, self._kind = network, given, kind
        self._device = given[0].device
        self._graph: torch.cuda.CUDAGraph | None = None
        self._restored = self.eager()
        if self._device.type == "cuda":
            self._capture()

    def eager(self) -> Tensor:
        """Restore the crops with a launch for each operation."""
        with torch.no_grad(), torch.autocast(self._device.type, self._kind, enabled=self._kind != torch.float32):
            restored: Tensor = self._network(*self._given)[0]
        return restored

    def _capture(self) -> None:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.eager()
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._restored = self.eager()

    def __call__(self) -> Tensor:
        """Restore the crops."""
        if self._graph is None:
            return self.eager()
        self._graph.replay()
        return self._restored


def milliseconds(call: Callable[[], object], device: torch.device, seconds: float) -> float:
    """The median time of a call; on a card with the wait for it."""
    times = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends or len(times) < 2:
        began = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(1e3 * (time.perf_counter() - began))
    return float(np.median(times))


def measure(network: nn.Module, batch: int, size: int, kind: torch.dtype, device: torch.device, seconds: float) -> dict[str, Any]:
    """Milliseconds per crop, as a graph and launch by launch."""
    runner = Runner(network, inputs_of(network, batch, size, device), kind)
    graph = milliseconds(runner, device, seconds) / batch
    found: dict[str, Any] = {"ms_per_crop": round(graph, 4)}
    if device.type == "cuda":
        found["eager_ms_per_crop"] = round(milliseconds(runner.eager, device, seconds) / batch, 4)
        found["MB"] = round(torch.cuda.max_memory_allocated() / 1e6)
    return found


def run(check: Check) -> None:
    """Measure and compare each network."""
    device = torch.device("cpu" if check.cpu else "cuda")
    size, seconds = (64, 0.0) if check.cpu else (256, SECONDS)
    batches = (1, 2) if check.cpu else BATCHES
    for name, open_network in open_networks(check).items():
        network = open_network().eval().requires_grad_(False)
        given = inputs_of(network, 2, size, torch.device("cpu"))
        with torch.no_grad():
            expected = network(*given)[0].float()
        network = network.to(device=device, memory_format=torch.channels_last)
        found: dict[str, Any] = {}
        for precision, kind in PRECISIONS.items():
            if check.cpu and precision == "fp16":
                continue
            restored = Runner(network, [tensor.to(device) for tensor in given], kind)().float().cpu()
            difference = (restored - expected).abs() * 255
            found[precision] = {"mean_codes": round(float(difference.mean()), 4), "max_codes": round(float(difference.max()), 3)}
            for batch in batches:
                found[precision][f"batch {batch}"] = measure(network, batch, size, kind, device, seconds)
            check.note(**{name: found})
        if not found["fp32"]["max_codes"] < 1.0:
            raise AssertionError(f"{name} in fp32 differs from the CPU's by {found['fp32']['max_codes']} code values")
