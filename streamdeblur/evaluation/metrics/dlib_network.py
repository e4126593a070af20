"""dlib's face recognition (King 2017, public domain) as an ONNX graph, from dlib's own file of weights.

The graph takes RGB in [-1, 1], [N, 3, 150, 150], and gives the 128 numbers that dlib gives for a face of that size; ONNX Runtime
computes it in a fraction of dlib's time.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from streamdeblur.errors import InputError

Array = NDArray[np.float32]

SIDE = 150
"""Side in pixels of the faces that the network takes."""
MEAN = (122.782, 117.001, 104.298)
"""Code values of red, green and blue that are subtracted; the difference is divided by 256."""
BLOCKS = (
    *((32, False),) * 3, (64, True), *((64, False),) * 3, (128, True), *((128, False),) * 2,
    (256, True), *((256, False),) * 2, (256, True),
)  # fmt: skip
"""Filters of each residual block, and whether it halves the resolution. With the first layer they have 29 convolutions."""
EMBEDDING = 128

LAYERS = re.compile(rb"\x05con_\d|\x07affine_|\x04fc_\d")
"""Names of the layers with weights, each after its length."""


def read_weights(content: bytes) -> list[tuple[str, Array]]:
    """Read the weights of a network that dlib serialised, in the order from its input to its output.

    Args:
        content: Of the file.

    Returns:
        The kind of each layer, "con", "affine" or "fc", and its numbers, flat.

    Raises:
        ValueError, IndexError: The file ends too early, or is of another kind.
    """
    found = []
    place = 0
    while (match := LAYERS.search(content, place)) is not None:
        kind, place = match.group()[1:].decode().partition("_")[0], match.end()
        if kind == "fc":
            # numbers of outputs and inputs
            _, place = _read_integers(content, place, 2)
        (version, *sides), place = _read_integers(content, place, 5)
        if version != 2:
            raise ValueError(f"its arrays are of version {version}, not 2")
        values = np.frombuffer(content, "<f4", int(np.prod(sides)), place)
        found.append((kind, values.astype(np.float32)))
        place += values.nbytes
    return found


def _read_integers(content: bytes, place: int, count: int) -> tuple[list[int], int]:
    """Read integers: a byte that holds their number of bytes and, in its first bit, their sign; then these bytes."""
    values = []
    for _ in range(count):
        head = content[place]
        end = place + 1 + (head & 0x0F)
        value = int.from_bytes(content[place + 1 : end], "little")
        values.append(-value if head & 0x80 else value)
        place = end
    return values, place


class _GraphBuilder:
    """The nodes and weights of the graph; each method adds nodes and returns the name of their output."""

    def __init__(self, layers: list[tuple[str, Array]]) -> None:
        self._layers = iter(layers)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str | NDArray[np.generic], **attributes: Any) -> str:
        """Add a node; inputs that are arrays become weights."""
        output = f"{kind}{len(self.nodes)}"
        names = []
        for number, value in enumerate(inputs):
            if isinstance(value, str):
                names.append(value)
                continue
            names.append(f"{output}.{number}")
            self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), names[-1]))
        self.nodes.append(helper.make_node(kind, names, [output], **attributes))
        return output

    def weight(self, kind: str) -> Array:
        """The numbers of the next layer, which is of this kind."""
        found, values = next(self._layers)
        if found != kind:
            raise ValueError(f"it has a layer '{found}' in place of '{kind}'")
        return values

    def convolution(self, source: str, channels: int, filters: int, size: int, stride: int = 1) -> str:
        """A convolution with the affine layer that follows it."""
        values = self.weight("con")
        scale, shift = self.weight("affine").reshape(2, filters)
        kernels = values[:-filters].reshape(filters, channels, size, size)
        kernels = kernels * scale[:, None, None, None]
        pads = [0 if stride > 1 else size // 2] * 4
        return self.add("Conv", source, kernels, values[-filters:] * scale + shift, strides=[stride] * 2, pads=pads)

    def block(self, source: str, channels: int, filters: int, side: int, *, halves: bool) -> tuple[str, int]:
        """A residual block; return its output and the side of it. What is smaller is padded with zeros."""
        inner = self.add("Relu", self.convolution(source, channels, filters, 3, 2 if halves else 1))
        inner = self.convolution(inner, filters, filters, 3)
        around = source
        if halves:
            conv_side, side = (side - 3) // 2 + 1, side // 2
            around = self.add("AveragePool", source, kernel_shape=[2, 2], strides=[2, 2])
            around = self._padded(around, filters - channels, 0)
            inner = self._padded(inner, 0, side - conv_side)
        return self.add("Relu", self.add("Add", inner, around)), side

    def _padded(self, source: str, channels: int, pixels: int) -> str:
        if not channels and not pixels:
            return source
        return self.add("Pad", source, np.array([0, 0, 0, 0, 0, channels, pixels, pixels], np.int64))


def load_network(weights: Path) -> onnx.ModelProto:
    """Load dlib's network of faces as an ONNX graph.

    Args:
        weights: dlib's file.

    Raises:
        InputError: The weights cannot be read, or are not those of dlib's face recognition.
    """
    try:
        model = build_network(weights.read_bytes())
        onnx.checker.check_model(model, full_check=True)
    except OSError as error:
        raise InputError(f"Cannot read the weights {weights}: {error}") from None
    except (ValueError, IndexError, StopIteration, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise InputError(f"{weights} does not hold dlib's network of face recognition: {error or 'it is incomplete'}.") from None
    return model


def build_network(content: bytes) -> onnx.ModelProto:
    """Build the network as an ONNX graph.

    Args:
        content: Of dlib's file `dlib_face_recognition_resnet_model_v1.dat`.

    Raises:
        ValueError, IndexError, StopIteration: It is another file.
    """
    graph = _GraphBuilder(read_weights(content))
    # from [-1, 1] to code values, and to what the network takes
    scale = np.full((1, 3, 1, 1), 127.5 / 256, np.float32)
    shift = ((127.5 - np.array(MEAN)) / 256).astype(np.float32).reshape(1, 3, 1, 1)
    features = graph.add("Add", graph.add("Mul", "faces", scale), shift)
    features = graph.add("Relu", graph.convolution(features, 3, 32, 7, 2))
    features = graph.add("MaxPool", features, kernel_shape=[3, 3], strides=[2, 2])
    channels, side = 32, ((SIDE - 7) // 2 + 1 - 3) // 2 + 1
    for filters, halves in BLOCKS:
        features, side = graph.block(features, channels, filters, side, halves=halves)
        channels = filters
    features = graph.add("Flatten", graph.add("GlobalAveragePool", features))
    graph.add("MatMul", features, graph.weight("fc").reshape(channels, EMBEDDING))
    graph.nodes[-1].output[0] = "embedding"
    inputs = [helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", EMBEDDING])]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "dlib face recognition", inputs, outputs, graph.weights),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    helper.set_model_props(model, {"licence": "public domain (dlib-models)", "input_range": "-1..1 RGB"})
    return model
