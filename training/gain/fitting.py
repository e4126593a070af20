"""Fits the estimate of the gain to what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from streamdeblur.faces.gain import FARTHEST, GainEstimator, Kind
from streamdeblur.kernels.face_statistics import NAMES
from streamdeblur.training.gain.measurement import Measurements

KINDS: tuple[Kind, ...] = ("alone", "memory")
"""The networks that are measured, in their order."""
RANGE = (0.0, 3.0)
"""Gains in dB beyond this are taken for it: a loss is as little worth as no gain, and whether a face gains 4 or 8 dB decides
nothing but would draw the fit to itself."""
HIDDEN = (24, 12)
MEMBERS = 4
"""Fits from different beginnings, which are averaged."""
STEPS, BATCH = 1000, 256
RATE, DECAY = 5e-3, 2.0
JITTER = 0.05
"""Noise on the values, in their deviations, against fitting single faces."""
FOLDS = 5
MISSED, WASTED = 0.02, 0.1
"""Of the faces that would gain more than `CLEAR`, the share that is missed under ``normal``; of those that would gain less than
`NOTHING`, the share that is restored under ``gentle``."""
CLEAR, NOTHING = 0.5, 0.1
"""Gains in dB."""

Array = NDArray[np.float32]


def fit(measured: Measurements, seed: int, steps: int = STEPS) -> dict[str, Any]:
    """Return the content of the file from which `GainEstimator` is read; thresholds are those of faces left out of the fit."""
    known = measured.values.reshape(-1, measured.values.shape[2])
    centre, deviation = known.mean(0), known.std(0) + 1e-3
    networks = {}
    for kind, values, gains in zip(KINDS, measured.values, measured.gains, strict=True):
        inputs = np.clip((values - centre) / deviation, -FARTHEST, FARTHEST)
        estimates = _left_out(inputs, gains, seed, steps)
        networks[kind] = {
            "layers": _layers([_fitted(inputs, gains, seed + n, steps) for n in range(MEMBERS)]),
            "thresholds": thresholds(estimates, gains),
        }
    rounded = {"centre": centre, "deviation": deviation}
    return {
        "statistics": list(NAMES), **{name: [float(f"{value:.6g}") for value in one] for name, one in rounded.items()},
        "networks": networks,
    }  # fmt: skip


def thresholds(estimates: Array, gains: Array) -> dict[str, float]:
    """Return the gains in dB from which faces are to be restored under ``gentle`` and ``normal``."""
    gentle = np.quantile(estimates[gains < NOTHING], 1.0 - WASTED)
    normal = np.quantile(estimates[gains > CLEAR], MISSED)
    return {"gentle": round(float(gentle), 2), "normal": round(float(min(normal, gentle)), 2)}


def _left_out(inputs: Array, gains: Array, seed: int, steps: int) -> Array:
    """The estimate for each face of a fit without it."""
    estimates, fold = np.empty_like(gains), np.arange(len(gains)) % FOLDS
    for n in range(FOLDS):
        members = [_fitted(inputs[fold != n], gains[fold != n], seed + k, steps) for k in range(MEMBERS)]
        with torch.no_grad():
            estimates[fold == n] = np.mean([one(torch.from_numpy(inputs[fold == n]))[:, 0].numpy() for one in members], 0)
    return estimates


def _fitted(inputs: Array, gains: Array, seed: int, steps: int) -> nn.Sequential:
    """A network that was fitted to the gains by least squares: its output is the gain to be expected."""
    torch.manual_seed(seed)
    widths = (inputs.shape[1], *HIDDEN)
    hidden = [part for n in range(len(HIDDEN)) for part in (nn.Linear(widths[n], widths[n + 1]), nn.Tanh())]
    network = nn.Sequential(*hidden, nn.Linear(widths[-1], 1))
    x, y = torch.from_numpy(inputs), torch.from_numpy(np.clip(gains, *RANGE))
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        chosen = torch.randint(len(x), (BATCH,))
        loss = (network(x[chosen] + JITTER * torch.randn(BATCH, x.shape[1]))[:, 0] - y[chosen]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network


def _layers(members: list[nn.Sequential]) -> list[dict[str, Any]]:
    """The layers of one network that returns the mean of several."""
    dense = [[part for part in one if isinstance(part, nn.Linear)] for one in members]
    layers = []
    for depth, parts in enumerate(zip(*dense, strict=True)):
        weights, biases = [part.weight.detach() for part in parts], [part.bias.detach() for part in parts]
        if depth == 0:
            joined, bias = torch.cat(weights), torch.cat(biases)
        elif depth < len(dense[0]) - 1:
            joined, bias = _block_diagonal(weights), torch.cat(biases)
        else:
            joined, bias = torch.cat(weights, 1) / len(parts), torch.stack(biases).mean(0)
        layers.append({"weights": _short(joined), "bias": _short(bias)})
    return layers


def _block_diagonal(weights: list[torch.Tensor]) -> torch.Tensor:
    """Weights of layers side by side, as those of one."""
    joined = torch.zeros(sum(part.shape[0] for part in weights), sum(part.shape[1] for part in weights))
    line = column = 0
    for part in weights:
        joined[line : line + part.shape[0], column : column + part.shape[1]] = part
        line, column = line + part.shape[0], column + part.shape[1]
    return joined


def _short(values: torch.Tensor) -> Any:
    """The values with four digits, which change an estimate by less than a thousandth of a dB."""
    if values.ndim > 1:
        return [_short(row) for row in values]
    return [float(f"{value:.4g}") if value else 0 for value in values.tolist()]


def estimates_of(fitted: dict[str, Any], measured: Measurements) -> Array:
    """Return the estimates for faces, as the product computes them: float32 [networks, faces]."""
    estimators = [GainEstimator.parse(fitted, kind) for kind in KINDS]
    return np.array(
        [[estimator.of(face) for face in values] for estimator, values in zip(estimators, measured.values, strict=True)],
        np.float32,
    )
