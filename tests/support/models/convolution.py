"""A network of one convolution, which may compute in eight bits."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from streamdeblur.eight_bits import EIGHT_BITS

RANGES = '{"convolution": [0, 1]}'


def write_convolution(path, ranges=RANGES, sizes=None, half=False, reach=1):
    """Write a network that averages 3 x 3 pixels, or as many as `reach` says around each, with unequal weights."""
    weights = np.hanning(2 * reach + 3)[1:-1]
    weights /= weights.sum()
    kernel = np.zeros((3, 3, len(weights), len(weights)), np.float32)
    for channel in range(3):
        kernel[channel, channel] = np.outer(weights, weights) * (1 - 0.3 * channel)
    kernel = kernel.astype(np.float16) if half else kernel
    shape = ["N", 3, 256, 256]
    nodes = [helper.make_node("Cast", ["weights"], ["used"], to=TensorProto.FLOAT)] if half else []
    nodes.append(
        helper.make_node("Conv", ["blurry", "used" if half else "weights"], ["restored"], "convolution", pads=[reach] * 4)
    )
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("blurry", "restored")]
    graph = helper.make_graph(nodes, "test", tensors[:1], tensors[1:], [numpy_helper.from_array(kernel, "weights")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    metadata = {"crop_size": "256", EIGHT_BITS: ranges, "sizes": sizes}
    helper.set_model_props(model, {key: value for key, value in metadata.items() if value is not None})
    onnx.save(model, str(path))
    return path
