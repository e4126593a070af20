"""Small ONNX networks with the interface of the real one, whose output is easy to predict."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_network(path, kind, side=256, metadata=None, declared=None):
    """Write a network.

    kind: 'identity', 'invert' (1 - x), 'nan', an RGB triple in [0, 1] that fills every crop, or one whose output is no image:
    'one channel', 'four images', 'tall', 'flat'; declared: shape that the file states for its output, by default an image's.
    """
    shape = ["N", 3, side, side]
    nodes, weights = [], []

    def constant(name, value):
        weights.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def integers(name, values):
        weights.append(numpy_helper.from_array(np.asarray(values, np.int64), name))
        return name

    if kind == "one channel":
        inputs = ["blurry", integers("zero", [0]), integers("one", [1]), integers("axis", [1])]
        nodes.append(helper.make_node("Slice", inputs, ["restored"]))
    elif kind in ("four images", "tall"):
        repeats = [4, 1, 1, 1] if kind == "four images" else [1, 1, 16, 1]
        nodes.append(helper.make_node("Tile", ["blurry", integers("repeats", repeats)], ["restored"]))
    elif kind == "flat":
        nodes.append(helper.make_node("Reshape", ["blurry", integers("shape", [1, 1, 1, -1])], ["restored"]))
    elif kind == "identity":
        nodes.append(helper.make_node("Identity", ["blurry"], ["restored"]))
    elif kind == "invert":
        nodes.append(helper.make_node("Sub", [constant("one", 1.0), "blurry"], ["restored"]))
    elif kind == "nan":
        nodes.append(helper.make_node("Sub", ["blurry", constant("two", 2.0)], ["negative"]))
        nodes.append(helper.make_node("Sqrt", ["negative"], ["restored"]))
    else:
        nodes.append(helper.make_node("Mul", ["blurry", constant("zero", 0.0)], ["black"]))
        colour = np.asarray(kind, np.float32).reshape(1, 3, 1, 1)
        nodes.append(helper.make_node("Add", ["black", constant("colour", colour)], ["restored"]))
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("blurry", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("restored", TensorProto.FLOAT, declared or shape)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"preset": "test", "crop_size": str(side), **(metadata or {})})
    onnx.save(model, str(path))
    return path
