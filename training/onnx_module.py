"""An ONNX network as a torch module, so that gradients pass through it.

The package onnx2torch is not used: it needs torchvision, which has to match the build of torch; its last release is of August
2024; and it rejects or fails on some networks of faces (of opset 7, or with a Reshape that is written for a batch of one).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F  # noqa: N812
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from torch import Tensor, nn

from streamdeblur.errors import InputError

Attributes = dict[str, Any]
"""Attributes of a node: integers, floats, lists of them."""
Operator = Callable[..., Tensor]
"""Computes a node from its attributes and its inputs; an optional input that the node leaves out is None."""


def read_onnx(path: Path) -> onnx.ModelProto:
    """Read an ONNX file with its external data, if it has any.

    Raises:
        InputError: The file cannot be read, or holds no network.
    """
    try:
        model = onnx.load(str(path))
    except (OSError, ValueError, DecodeError, onnx.checker.ValidationError) as error:
        raise InputError(f"Cannot read the network {path}: {error}") from None
    if not model.graph.node:
        raise InputError(f"Cannot read the network {path}: it holds no graph.")
    return model


class OnnxModule(nn.Module):
    """Runs the graph of an ONNX file node by node; for networks that embed or classify images, of one input and one output.

    The operators are those of the ResNets, MobileNets and VGGs of face recognition; see `OPERATORS`.

    Attributes:
        input_side: Height and width of the input in pixels; None where the file leaves them open.
    """

    def __init__(self, path: Path) -> None:
        """
        Raises:
            InputError: The file cannot be read, or has operators that are not in `OPERATORS`.
        """
        super().__init__()
        self._path = path
        graph = read_onnx(path).graph
        constants = {n.output[0]: onnx.helper.get_attribute_value(n.attribute[0]) for n in graph.node if n.op_type == "Constant"}
        constants |= {tensor.name: tensor for tensor in graph.initializer}
        nodes = [node for node in graph.node if node.op_type != "Constant"]
        unknown = sorted({node.op_type for node in nodes} - OPERATORS.keys())
        if unknown:
            raise InputError(
                f"{path} has operators that cannot be run with torch: {', '.join(unknown)}. Known: {', '.join(OPERATORS)}."
            )
        self._buffer_names: dict[str, str] = {}
        for number, (name, tensor) in enumerate(constants.items()):
            self._buffer_names[name] = f"constant{number}"
            self.register_buffer(f"constant{number}", torch.from_numpy(np.array(onnx.numpy_helper.to_array(tensor))))
        self._nodes = [
            (OPERATORS[n.op_type], {a.name: onnx.helper.get_attribute_value(a) for a in n.attribute}, list(n.input), n.output[0])
            for n in nodes
        ]
        inputs = [value for value in graph.input if value.name not in self._buffer_names]
        self._input, self._output = inputs[0].name, graph.output[0].name
        self.input_side = int(inputs[0].type.tensor_type.shape.dim[-1].dim_value) or None

    def end_in_the_middle(self, side: int) -> None:
        """Leave out what follows the last features of about a quarter of the resolution, as conv3_3 of VGG-16 has.

        Args:
            side: Height and width in pixels of the images.

        Raises:
            InputError: The network has no such features.
        """
        with torch.no_grad():
            values = self._values(torch.zeros(1, 3, side, side))
        shapes = [tuple(values[output].shape) for *_, output in self._nodes]
        # between a sixth and a third of the side
        of_a_quarter = [n for n, shape in enumerate(shapes) if len(shape) == 4 and side < 6 * shape[-1] < 2 * side]
        if not of_a_quarter:
            raise InputError(f"{self._path} has no features of a quarter of the resolution: name another network.")
        del self._nodes[of_a_quarter[-1] + 1 :]
        self._output = self._nodes[-1][-1]

    def forward(self, images: Tensor) -> Tensor:
        """Run the network.

        Args:
            images: float [N, 3, H, W].

        Returns:
            The network's first output, or the features that it ends with.
        """
        return self._values(images)[self._output]

    def _values(self, images: Tensor) -> dict[str, Tensor]:
        """What the nodes compute, by the names of their outputs."""
        values = {self._input: images}
        for operator, attributes, inputs, output in self._nodes:
            values[output] = operator(attributes, *(self._value(name, values) for name in inputs))
        return values

    def _value(self, name: str, values: dict[str, Tensor]) -> Tensor | None:
        if not name:
            return None
        if name in self._buffer_names:
            return self.get_buffer(self._buffer_names[name])
        return values[name]


def _pad(attributes: Attributes, images: Tensor, value: float = 0.0) -> Tensor:
    """ONNX pads each side separately: top, left, bottom, right."""
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    return F.pad(images, (left, right, top, bottom), value=value) if any((top, left, bottom, right)) else images


def _pad_all(attributes: Attributes, images: Tensor, pads: Tensor, value: Tensor | None = None) -> Tensor:
    """ONNX names all that is added before each dimension, then all that is added after it; torch begins with the last one."""
    before, after = pads.reshape(2, -1).tolist()
    sides = [side for both in zip(reversed(before), reversed(after), strict=True) for side in both]
    return F.pad(images, sides, attributes.get("mode", b"constant").decode(), 0.0 if value is None else float(value))


def _convolve(attributes: Attributes, images: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    stride, dilation = (tuple(attributes.get(name, (1, 1))) for name in ("strides", "dilations"))
    return F.conv2d(_pad(attributes, images), weight, bias, stride, 0, dilation, attributes.get("group", 1))


def _normalise(attributes: Attributes, images: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    return F.batch_norm(images, mean, variance, scale, shift, eps=attributes.get("epsilon", 1e-5))


def _max_pool(attributes: Attributes, images: Tensor) -> Tensor:
    padded = _pad(attributes, images, float("-inf"))
    return F.max_pool2d(padded, tuple(attributes["kernel_shape"]), tuple(attributes.get("strides", (1, 1))))


def _average_pool(attributes: Attributes, images: Tensor) -> Tensor:
    padded = _pad(attributes, images)
    return F.avg_pool2d(padded, tuple(attributes["kernel_shape"]), tuple(attributes.get("strides", (1, 1))))


def _clip(attributes: Attributes, images: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    """Opset 6 has the bounds as attributes, later ones as inputs."""
    return images.clamp(attributes.get("min", low), attributes.get("max", high))


def _gemm(attributes: Attributes, rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    product: Tensor = attributes.get("alpha", 1.0) * (rows @ (weight.T if attributes.get("transB") else weight))
    return product if bias is None else product + attributes.get("beta", 1.0) * bias


def _reshape(attributes: Attributes, images: Tensor, shape: Tensor) -> Tensor:
    # A size of 0 keeps the dimension of the images.
    sides = [images.shape[n] if side == 0 else side for n, side in enumerate(shape.tolist())]
    # files that were written for one image have 1 where the batch size is meant
    return images.reshape([images.shape[0], *sides[1:]])


OPERATORS: dict[str, Operator] = {
    "Add": lambda _, a, b: a + b,
    "AveragePool": _average_pool,
    "BatchNormalization": _normalise,
    "Clip": _clip,
    "Concat": lambda attributes, *parts: torch.cat(parts, dim=attributes["axis"]),
    "Conv": _convolve,
    "Dropout": lambda _, images, *settings: images,
    "Flatten": lambda attributes, images: images.flatten(attributes.get("axis", 1)),
    "Gemm": _gemm,
    "GlobalAveragePool": lambda _, images: images.mean((2, 3), keepdim=True),
    "Identity": lambda _, images: images,
    "MatMul": lambda _, a, b: a @ b,
    "MaxPool": _max_pool,
    "Mul": lambda _, a, b: a * b,
    "Pad": _pad_all,
    "PRelu": lambda _, images, slope: torch.where(images < 0, images * slope, images),
    "Relu": lambda _, images: F.relu(images),
    "Reshape": _reshape,
    "Sigmoid": lambda _, images: torch.sigmoid(images),
    "Sub": lambda _, a, b: a - b,
}
"""How each ONNX operator is computed."""
