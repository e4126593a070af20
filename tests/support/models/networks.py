"""Small ONNX networks with the interface of the real one, whose output is easy to predict."""

from __future__ import annotations

import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from streamdeblur.weights import TABLE

MEMORY = 2
"""Neighbouring crops that the network 'slots' takes."""
COLOURS = {256: (255, 0, 0), 192: (0, 255, 0), 128: (0, 0, 255)}
"""What `write_colours` fills crops with, by their side."""
SIZES = '{"192": {}, "128": {}}'
"""Metadata of a network that is the same for crops of three sizes."""


def write_network(path, kind, side=256, metadata=None, declared=None):
    """Write a network.

    kind: 'identity', 'invert' (1 - x), 'nan', an RGB triple in [0, 1] that fills every crop, one whose output is no image ('one
    channel', 'four images', 'tall', 'flat'), or one with a memory: 'slots'; declared: shape that the file states for its output,
    by default an image's.

    'slots' returns what it got: the red is the first neighbour, the green the second one, the blue the share of valid ones; a
    crop without valid neighbours comes back as it is.
    """
    shape = ["N", 3, side, side]
    if kind == "slots":
        nodes, weights = _slots(), [_floats("one", 1.0), _floats("zero", 0.0), _floats("scales", [1, 1, 2, 2]), _axes()]
    else:
        nodes, weights = _of_images(kind)
    inputs = [helper.make_tensor_value_info("blurry", TensorProto.FLOAT, shape)]
    if kind == "slots":
        inputs.append(helper.make_tensor_value_info("memory", TensorProto.FLOAT, ["N", MEMORY, side // 2, side // 2]))
        inputs.append(helper.make_tensor_value_info("validity", TensorProto.FLOAT, ["N", MEMORY]))
        metadata = {"memory": str(MEMORY), **(metadata or {})}
    restored = helper.make_tensor_value_info("restored", TensorProto.FLOAT, declared or shape)
    graph = helper.make_graph(nodes, "test", inputs, [restored], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"preset": "test", "crop_size": str(side), **(metadata or {})})
    onnx.save(model, str(path))
    return path


def write_shipped(folder):
    """Write networks under the names of the shipped ones, with a memory as those have; they open quickly.

    With `streamdeblur.weights.files` replaced by a function that returns the folder, they take their place.
    """
    for shipped in TABLE:
        write_network(folder / f"{shipped.name}.onnx", "slots" if shipped.name == "stream" else "invert")
    return folder


def write_colours(path):
    """Write a network for crops of three sizes, whose constants differ: each size gets a colour of its own."""
    values = {size: [[[[value / 255]] for value in colour]] for size, colour in COLOURS.items()}
    sizes = {size: {"colour": value} for size, value in values.items() if size != 256}
    return write_network(path, [value / 255 for value in COLOURS[256]], metadata={"sizes": json.dumps(sizes)})


def expected_slots(crop, neighbours):
    """What 'slots' returns for a crop uint8 [S, S, 3] and neighbouring crops: float [S, S, 3] in code values."""
    if not len(neighbours):
        return crop.astype(float)
    lumas = [near @ np.array([0.299, 0.587, 0.114]) for near in neighbours[:MEMORY]]
    size = len(crop)
    slots = [luma.reshape(size // 2, 2, size // 2, 2).mean((1, 3)).repeat(2, 0).repeat(2, 1) for luma in lumas]
    slots += [np.zeros((size, size))] * (MEMORY - len(slots))
    return np.stack([*slots, np.full((size, size), 255 * len(lumas) / MEMORY)], -1)


def _floats(name, value):
    return numpy_helper.from_array(np.asarray(value, np.float32), name)


def _integers(name, values):
    return numpy_helper.from_array(np.asarray(values, np.int64), name)


def _axes():
    return _integers("axes", [2, 3])


def _slots():
    def node(operation, inputs, output, **attributes):
        return helper.make_node(operation, inputs, [output], **attributes)

    return [
        node("Unsqueeze", ["validity", "axes"], "valid"),
        node("Mul", ["memory", "valid"], "entries"),
        node("Mul", ["entries", "zero"], "nothing"),
        node("Add", ["nothing", "valid"], "levels"),
        node("ReduceMean", ["levels"], "share", axes=[1]),
        node("Concat", ["entries", "share"], "half", axis=1),
        node("Resize", ["half", "", "scales"], "seen", coordinate_transformation_mode="asymmetric", mode="nearest",
             nearest_mode="floor"),
        node("ReduceMax", ["valid"], "any", axes=[1]),
        node("Sub", ["one", "any"], "none"),
        node("Mul", ["seen", "any"], "with"),
        node("Mul", ["blurry", "none"], "without"),
        node("Add", ["with", "without"], "restored"),
    ]  # fmt: skip


def _of_images(kind):
    """The nodes and the weights of a network without a memory."""
    if kind == "one channel":
        weights = [_integers("zero", [0]), _integers("one", [1]), _integers("axis", [1])]
        return [helper.make_node("Slice", ["blurry", "zero", "one", "axis"], ["restored"])], weights
    if kind in ("four images", "tall"):
        repeats = [4, 1, 1, 1] if kind == "four images" else [1, 1, 16, 1]
        return [helper.make_node("Tile", ["blurry", "repeats"], ["restored"])], [_integers("repeats", repeats)]
    if kind == "flat":
        return [helper.make_node("Reshape", ["blurry", "shape"], ["restored"])], [_integers("shape", [1, 1, 1, -1])]
    if kind == "identity":
        return [helper.make_node("Identity", ["blurry"], ["restored"])], []
    if kind == "invert":
        return [helper.make_node("Sub", ["one", "blurry"], ["restored"])], [_floats("one", 1.0)]
    if kind == "nan":
        nodes = [helper.make_node("Sub", ["blurry", "two"], ["negative"]), helper.make_node("Sqrt", ["negative"], ["restored"])]
        return nodes, [_floats("two", 2.0)]
    nodes = [helper.make_node("Mul", ["blurry", "zero"], ["black"]), helper.make_node("Add", ["black", "colour"], ["restored"])]
    return nodes, [_floats("zero", 0.0), _floats("colour", np.reshape(kind, (1, 3, 1, 1)))]
