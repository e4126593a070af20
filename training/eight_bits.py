"""Finds how a network computes in eight bits, and writes it into its file (`streamdeblur/eight_bits.py` computes by it).

python -m streamdeblur.training.eight_bits lite.onnx --stills people/train

The ranges of all convolutions that take much of the time are measured on training crops. Then what costs most is left in floating
point, one convolution after the other, until the loss on other training crops is small. The deconvolution is left out: its values
have no bounds that hold for all kernels.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from streamdeblur.eight_bits import EIGHT_BITS, Ranges, constant_weights, in_eight_bits
from streamdeblur.faces.neighbours import half_luma_of
from streamdeblur.network import Network
from streamdeblur.onnx_session import open_on_cpu
from streamdeblur.partial_file import PartialFile
from streamdeblur.training.blur.scheme import BlurScheme
from streamdeblur.training.datasets.pair_sources import open_sequence_maker
from streamdeblur.training.datasets.recipe import DEFAULT_MIX, Recipe
from streamdeblur.training.datasets.sequence_maker import SequenceMaker

LEAST_WORK = 0.007
"""Share of the multiplications of all convolutions from which on one is worth converting."""
EXCLUDED = "deconvolution"
"""In the names of convolutions that are left out."""
BEYOND = 0.02
"""Share of the crops of which a value may lie beyond the range: those would make it coarse for all others."""
LARGEST_LOSS = 0.05
"""Mean loss in dB on training crops; a tenth is allowed on other people, which is to be measured before a network is shipped."""
MIX = {"synthetic": 0.7, "mild": 0.15, "sharp": 0.15}
"""Blur of the crops on which ranges are measured; the loss is that on synthetic blur."""

Inputs = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Example:
    """A blurry crop as a network gets it, and what is sharp."""

    inputs: Inputs
    sharp: NDArray[np.float32]
    """[1, 3, S, S] in [0, 1]."""


def make_examples(maker: SequenceMaker, memory: int, numbers: Sequence[int]) -> list[Example]:
    """Make examples by their numbers."""
    return [_example(maker, memory, number) for number in numbers]


def _example(maker: SequenceMaker, memory: int, number: int) -> Example:
    exposures = maker.sequence(number)
    inputs = {"blurry": _image(exposures.blurry[-1])}
    if memory:
        earlier = [half_luma_of(np.ascontiguousarray(crop)) for crop in exposures.blurry[-2::-1]]
        inputs |= {"memory": np.stack(earlier)[None], "validity": exposures.validity[-2::-1][None].astype(np.float32)}
    return Example(inputs, _image(exposures.sharp))


def _image(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32) / np.float32(255)


def measured_ranges(model: onnx.ModelProto, examples: Sequence[Example]) -> dict[str, tuple[float, float]]:
    """Return the ranges of the inputs of all convolutions that are worth converting, by the names of their nodes."""
    weights = constant_weights(model)
    convolutions = [node for node in model.graph.node if node.name in weights]
    traced = onnx.ModelProto()
    traced.CopyFrom(model)
    given = {value.name for value in model.graph.input}
    tensors = dict.fromkeys(name for node in convolutions for name in (node.input[0], node.output[0]) if name not in given)
    traced.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in tensors)
    session = open_on_cpu(traced.SerializeToString())
    extremes: dict[str, list[tuple[float, float]]] = {name: [] for name in tensors}
    for example in examples:
        values = dict(zip(tensors, session.run(list(tensors), example.inputs), strict=True))
        for name, value in values.items():
            extremes[name].append((float(value.min()), float(value.max())))
    work = {node.name: _multiplications(weights[node.name], values[node.output[0]]) for node in convolutions}
    return {
        node.name: _range(extremes[node.input[0]]) if node.input[0] in extremes else (0.0, 1.0)
        for node in convolutions if work[node.name] >= LEAST_WORK * sum(work.values()) and EXCLUDED not in node.name
    }  # fmt: skip


def _multiplications(weights: NDArray[np.float32], output: NDArray[np.float32]) -> int:
    return int(weights[0].size * output.size)


def _range(extremes: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The range from the extremes of each crop; four digits suffice."""
    lowest, highest = zip(*extremes, strict=True)
    limits = min(0.0, np.quantile(lowest, BEYOND)), max(0.0, np.quantile(highest, 1.0 - BEYOND))
    low, high = (float(f"{limit:.4g}") for limit in limits)
    return low, max(high, low + 1e-6)


def loss_of(model: onnx.ModelProto, ranges: Ranges, examples: Sequence[Example], reference: Sequence[float]) -> float:
    """Return the mean loss of PSNR in dB in eight bits, against the PSNR of each example without; infinite where one is NaN."""
    loss = float(np.mean(np.subtract(reference, psnr_of(in_eight_bits(model, ranges), examples))))
    return math.inf if math.isnan(loss) else loss


def psnr_of(model: onnx.ModelProto, examples: Sequence[Example]) -> list[float]:
    """Return the PSNR in dB of what a network restores of each example; NaN where that is not finite."""
    session = open_on_cpu(model.SerializeToString())
    restored = (session.run(["restored"], example.inputs)[0].clip(0.0, 1.0) for example in examples)
    errors = (np.square(image - example.sharp).mean() for image, example in zip(restored, examples, strict=True))
    return [float(-10.0 * np.log10(np.maximum(1e-8, error))) for error in errors]


def without_sensitive(model: onnx.ModelProto, ranges: Ranges, examples: Sequence[Example]) -> Ranges:
    """Return the ranges without those of the convolutions that cost most, until the loss is small."""
    reference, kept = psnr_of(model, examples), dict(ranges)
    alone: dict[str, float] = {}
    while kept:
        loss = loss_of(model, kept, examples, reference)
        print(f"{len(kept)} convolutions in eight bits lose {loss:.3f} dB", flush=True)
        if loss <= LARGEST_LOSS:
            break
        alone = alone or {name: loss_of(model, {name: ranges[name]}, examples, reference) for name in ranges}
        worst = max(kept, key=lambda name: alone[name])
        print(f"  {worst} alone loses {alone[worst]:.3f} dB, and is left out", flush=True)
        del kept[worst]
    return kept


def write_ranges(path: Path, ranges: Ranges) -> None:
    """Write ranges into the file of a network."""
    model = onnx.load(str(path))
    metadata = {item.key: item.value for item in model.metadata_props} | {EIGHT_BITS: json.dumps(ranges)}
    del model.metadata_props[:]
    helper.set_model_props(model, metadata)
    with PartialFile(path) as partial:
        partial.write_bytes(model.SerializeToString())


def _recipe(mix: Mapping[str, float]) -> Recipe:
    """The recipe of crops with these kinds of blur."""
    weights: dict[Any, float] = dict.fromkeys(DEFAULT_MIX, 0.0)
    weights |= {BlurScheme.parse(name): weight for name, weight in mix.items()}
    return Recipe(mix=weights, severity=0.35, responses=("srgb", "identity"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path, help="ONNX file, which gets the ranges")
    parser.add_argument("--stills", type=Path, nargs="+", required=True, help="stills of the training")
    parser.add_argument("--crops", type=int, default=300, help="crops on which ranges are measured")
    parser.add_argument("--checked", type=int, default=40, help="crops on which the loss is measured")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    network = Network.read(arguments.network)
    model = onnx.load_model_from_string(network.model)
    earlier = max(1, network.memory)
    measured, checked = (
        open_sequence_maker(arguments.stills, [], _recipe(mix), arguments.seed + n, earlier)
        for n, mix in enumerate((MIX, {"synthetic": 1.0}))
    )
    ranges = measured_ranges(model, make_examples(measured, network.memory, range(arguments.crops)))
    examples = make_examples(checked, network.memory, range(arguments.checked))
    write_ranges(arguments.network, without_sensitive(model, ranges, examples))


if __name__ == "__main__":
    main()
