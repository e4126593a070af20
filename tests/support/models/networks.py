"""Small ONNX networks with the interface of the real one, whose output is easy to predict."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_network(path, kind, side=256, metadata=None):
    """kind: 'identity', 'invert' (1 - x), 'nan', or an RGB triple in [0, 1] that fills every crop."""
    shape = ["N", 3, side, side]
    nodes, weights = [], []

    def constant(name, value):
        weights.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    if kind == "identity":
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
        [helper.make_tensor_value_info("restored", TensorProto.FLOAT, shape)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"preset": "test", "crop_size": str(side), **(metadata or {})})
    onnx.save(model, str(path))
    return path
