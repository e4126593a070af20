"""An ONNX network as a torch module, so that gradients pass through it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from streamdeblur.errors import InputError

Attributes = dict[str, Any]
Operator = Callable[[Attributes, list[Any]], Tensor]
"""From a node's attributes and inputs, each a tensor, or None where it is left out."""


class OnnxModule(nn.Module):
    """Runs the graph of an ONNX file node by node; for networks that classify or embed images, of one input and one output.

    The operators are those of the ResNets, MobileNets and VGGs of faces; see `OPERATORS`.
    """

    def __init__(self, path: Path) -> None:
        """
        Raises:
            InputError: the file cannot be read, or has operators that are not known here.
        """
        super().__init__()
        try:
            graph = onnx.load(str(path)).graph
        except Exception as error:
            # (protobuf and onnx raise errors of many kinds)
            raise InputError(f"Cannot read the network {path}: {error}") from None
        constants = {n.output[0]: onnx.helper.get_attribute_value(n.attribute[0]) for n in graph.node if n.op_type == "Constant"}
        constants |= {tensor.name: tensor for tensor in graph.initializer}
        nodes = [node for node in graph.node if node.op_type != "Constant"]
        unknown = sorted({node.op_type for node in nodes} - OPERATORS.keys())
        if unknown:
            raise InputError(
                f"{path} has operators that cannot be run with torch: {', '.join(unknown)}. Known: {', '.join(OPERATORS)}."
            )
        self._names: dict[str, str] = {}
        for number, (name, tensor) in enumerate(constants.items()):
            self._names[name] = f"constant{number}"
            self.register_buffer(f"constant{number}", torch.from_numpy(np.array(onnx.numpy_helper.to_array(tensor))))
        self._nodes = [
            (OPERATORS[n.op_type], {a.name: onnx.helper.get_attribute_value(a) for a in n.attribute}, list(n.input), n.output[0])
            for n in nodes
        ]
        inputs = [value for value in graph.input if value.name not in self._names]
        self._input, self._output = inputs[0].name, graph.output[0].name
        self.input_side = int(inputs[0].type.tensor_type.shape.dim[-1].dim_value) or None
        """Height and width of the input in pixels; None where the file leaves them open."""

    def forward(self, images: Tensor) -> Tensor:
        """The network's first output for images, float [N, 3, H, W]."""
        values: dict[str, Tensor] = {self._input: images}
        for operator, attributes, inputs, output in self._nodes:
            arguments = [self._value(name, values) for name in inputs]
            values[output] = operator(attributes, arguments)
        return values[self._output]

    def _value(self, name: str, values: dict[str, Tensor]) -> Tensor | None:
        if not name:
            return None
        constant: Tensor | None = getattr(self, self._names[name]) if name in self._names else None
        return values[name] if constant is None else constant


def _padded(attributes: Attributes, images: Tensor, value: float = 0.0) -> Tensor:
    """ONNX pads each side on its own: top, left, bottom, right."""
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    return F.pad(images, (left, right, top, bottom), value=value) if any((top, left, bottom, right)) else images


def _convolve(attributes: Attributes, inputs: list[Any]) -> Tensor:
    images, weight, bias = (*inputs, None)[:3]
    ways = {"stride": "strides", "dilation": "dilations"}
    options = {torch_name: tuple(attributes[name]) for torch_name, name in ways.items() if name in attributes}
    return F.conv2d(_padded(attributes, images), weight, bias, groups=attributes.get("group", 1), **options)


def _normalise(attributes: Attributes, inputs: list[Any]) -> Tensor:
    images, scale, shift, mean, variance = inputs
    return F.batch_norm(images, mean, variance, scale, shift, eps=attributes.get("epsilon", 1e-5))


def _max_pool(attributes: Attributes, inputs: list[Any]) -> Tensor:
    images = _padded(attributes, inputs[0], float("-inf"))
    return F.max_pool2d(images, tuple(attributes["kernel_shape"]), tuple(attributes.get("strides", (1, 1))))


def _average_pool(attributes: Attributes, inputs: list[Any]) -> Tensor:
    return F.avg_pool2d(
        _padded(attributes, inputs[0]), tuple(attributes["kernel_shape"]), tuple(attributes.get("strides", (1, 1)))
    )


def _gemm(attributes: Attributes, inputs: list[Any]) -> Tensor:
    rows, weight, bias = (*inputs, None)[:3]
    product: Tensor = attributes.get("alpha", 1.0) * (rows @ (weight.T if attributes.get("transB") else weight))
    return product if bias is None else product + attributes.get("beta", 1.0) * bias


def _prelu(attributes: Attributes, inputs: list[Any]) -> Tensor:
    images, slope = inputs
    return torch.where(images < 0, images * slope, images)


def _reshape(attributes: Attributes, inputs: list[Any]) -> Tensor:
    images, shape = inputs
    # (0 keeps a dimension)
    sides = [images.shape[n] if side == 0 else side for n, side in enumerate(shape.tolist())]
    # files that were written for one image say 1 where they mean the batch
    flat: Tensor = images.reshape([images.shape[0], *sides[1:]])
    return flat


OPERATORS: dict[str, Operator] = {
    "Add": lambda _, x: x[0] + x[1],
    "AveragePool": _average_pool,
    "BatchNormalization": _normalise,
    "Clip": lambda a, x: x[0].clamp(a.get("min", x[1] if len(x) > 1 else None), a.get("max", x[2] if len(x) > 2 else None)),
    "Concat": lambda a, x: torch.cat(x, dim=a["axis"]),
    "Conv": _convolve,
    "Dropout": lambda _, x: x[0],
    "Flatten": lambda a, x: x[0].flatten(a.get("axis", 1)),
    "Gemm": _gemm,
    "GlobalAveragePool": lambda _, x: x[0].mean((2, 3), keepdim=True),
    "Identity": lambda _, x: x[0],
    "MatMul": lambda _, x: x[0] @ x[1],
    "MaxPool": _max_pool,
    "Mul": lambda _, x: x[0] * x[1],
    "PRelu": _prelu,
    "Relu": lambda _, x: F.relu(x[0]),
    "Reshape": _reshape,
    "Sigmoid": lambda _, x: torch.sigmoid(x[0]),
    "Sub": lambda _, x: x[0] - x[1],
}
"""What each operator computes, from its attributes and inputs."""
