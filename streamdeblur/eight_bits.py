"""A network whose convolutions compute in eight bits, for CPUs that are faster in these (VNNI).

The file of a network lists the range of the input of each convolution that bears it, which `training/eight_bits.py` measures; all
else follows from the weights. Pixels and features are stored in 8 bits without sign, weights in 7 bits and a sign, one scale for
each output channel: CPUs without VNNI add pairs of products in 16 bits, which 8-bit weights would overflow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from streamdeblur.known_names import shown
from streamdeblur.onnx_file import listed

EIGHT_BITS = "eight_bits"
"""Key in the metadata: the lowest and the highest input of convolutions, by the names of their nodes."""
LARGEST_WEIGHT = 64
"""Two products of such weights and 255 have a sum that 16 bits hold."""
LEVELS = 255

Ranges = Mapping[str, tuple[float, float]]
"""Lowest and highest input of convolutions by the names of their nodes; 0 lies within."""


def ranges_of(metadata: Mapping[str, str]) -> Ranges:
    """Return the ranges that a network's metadata list; {} for a network without them.

    Raises:
        ValueError: The list cannot be read, or has ranges that cannot be.
    """
    ranges = listed(metadata, EIGHT_BITS, "ranges")
    if not isinstance(ranges, dict):
        raise ValueError("the ranges are not a list of convolutions")
    return {name: _checked(name, limits) for name, limits in ranges.items()}


def _checked(name: str, limits: object) -> tuple[float, float]:
    if not isinstance(limits, list) or len(limits) != 2 or not all(type(limit) in (int, float) for limit in limits):
        raise ValueError(f"the range of {shown(name)} is not a pair of numbers")
    # an integer of hundreds of digits is no float
    lowest, highest = (float(limit) if abs(limit) < 1e30 else math.inf for limit in limits)
    if not (lowest <= 0.0 <= highest and 1e-30 < highest - lowest < math.inf):
        raise ValueError(f"the range of {shown(name)} is not one around 0")
    return lowest, highest


def in_eight_bits(model: onnx.ModelProto, ranges: Ranges) -> onnx.ModelProto:
    """Return a network with convolutions in eight bits.

    Args:
        model: The network.
        ranges: Of the convolutions that are to compute in eight bits.

    Raises:
        ValueError: A range belongs to no convolution with constant, finite weights.
    """
    converted = onnx.ModelProto()
    converted.CopyFrom(model)
    weights, graph = constant_weights(converted), converted.graph
    if unknown := sorted(ranges.keys() - weights.keys()):
        raise ValueError(f"the network has no convolution {shown(unknown[0])} with constant weights")
    inputs: dict[tuple[str, tuple[float, float]], list[onnx.NodeProto]] = {}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "Conv" and node.name in ranges:
            key = node.input[0], ranges[node.name]
            if key not in inputs:
                inputs[key] = _quantised_input(graph, *key, len(inputs))
                nodes.extend(inputs[key])
            dequantised = _quantised_weights(graph, node.name, weights[node.name])
            nodes.append(dequantised)
            node.input[0], node.input[1] = inputs[key][-1].output[0], dequantised.output[0]
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    return converted


def constant_weights(model: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    """Return the weights of the convolutions in float32 that have constant ones, by the names of their nodes.

    Weights that are stored in half precision pass through a Cast.
    """
    arrays = {tensor.name: tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT}
    arrays |= {
        node.output[0]: tensor
        for node in model.graph.node if node.op_type == "Cast" and node.attribute[0].i == onnx.TensorProto.FLOAT
        for tensor in model.graph.initializer if tensor.name == node.input[0]
    }  # fmt: skip
    return {
        node.name: np.asarray(numpy_helper.to_array(arrays[node.input[1]]), np.float32)
        for node in model.graph.node if node.op_type == "Conv" and node.name and node.input[1] in arrays
    }  # fmt: skip


def _quantised_input(graph: onnx.GraphProto, name: str, limits: tuple[float, float], number: int) -> list[onnx.NodeProto]:
    """The nodes that bring a tensor to eight bits and back."""
    lowest, highest = limits
    scale = np.float32((highest - lowest) / LEVELS)
    zero = np.uint8(np.clip(round(-lowest / float(scale)), 0, LEVELS))
    stem = f"eight_bits.{number}"
    graph.initializer.append(numpy_helper.from_array(np.asarray(scale), f"{stem}.scale"))
    graph.initializer.append(numpy_helper.from_array(np.asarray(zero), f"{stem}.zero"))
    parameters = [f"{stem}.scale", f"{stem}.zero"]
    return [
        helper.make_node("QuantizeLinear", [name, *parameters], [f"{stem}.quantised"], f"{stem}.quantise"),
        helper.make_node("DequantizeLinear", [f"{stem}.quantised", *parameters], [f"{stem}.values"], f"{stem}.dequantise"),
    ]


def _quantised_weights(graph: onnx.GraphProto, name: str, weights: NDArray[np.float32]) -> onnx.NodeProto:
    """The node that gives the weights of a convolution, which are stored in eight bits."""
    if not np.isfinite(weights).all():
        raise ValueError(f"the convolution {shown(name)} has weights that are not finite")
    largest = np.abs(weights.reshape(len(weights), -1)).max(1)
    scales = np.where(largest > 0.0, largest, 1.0).astype(np.float32) / LARGEST_WEIGHT
    rounded = np.rint(weights / scales.reshape(-1, *[1] * (weights.ndim - 1))).astype(np.int8)
    parameters = [f"{name}.weights", f"{name}.scales", f"{name}.zeros"]
    arrays: list[NDArray[Any]] = [rounded, scales, np.zeros(len(weights), np.int8)]
    for parameter, values in zip(parameters, arrays, strict=True):
        graph.initializer.append(numpy_helper.from_array(values, parameter))
    return helper.make_node("DequantizeLinear", parameters, [f"{name}.weight_values"], f"{name}.dequantise", axis=0)
