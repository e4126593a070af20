"""ONNX files that no user wants: each must be refused in words, whatever the engine."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

SHAPE = ["N", 3, 256, 256]
FLOAT, HALF, INT = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64


def _integers(name, values):
    return numpy_helper.from_array(np.asarray(values, np.int64), name)


def _model(
    nodes, weights=(), *, shape=SHAPE, kind=FLOAT, inputs=(("blurry", FLOAT, SHAPE),), name="restored", metadata=None, opset=17
):
    graph = helper.make_graph(
        nodes, "test", [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(name, kind, shape)], list(weights),
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    helper.set_model_props(model, {"preset": "test", "crop_size": "256"} if metadata is None else metadata)
    return model


def _node(operation, *inputs, output="restored", **attributes):
    return helper.make_node(operation, list(inputs), [output], **attributes)


def _identity(**changes):
    return _model([_node("Identity", "blurry")], **changes)


def _reshaped(operation, values, *, shape=SHAPE):
    """A network whose only operation takes a constant of integers."""
    return _model([_node(operation, "blurry", "values")], [_integers("values", values)], shape=shape)


def _sliced():
    weights = [_integers("begin", [0]), _integers("end", [1]), _integers("axis", [1])]
    return _model([_node("Slice", "blurry", "begin", "end", "axis")], weights)


def _depends_on_content():
    """The height of the result is the sum of the picture."""
    nodes = [
        _node("ReduceSum", "blurry", output="sum", keepdims=0),
        _node("Cast", "sum", output="whole", to=INT),
        _node("Unsqueeze", "whole", "first", output="count"),
        _node("Concat", "one", "three", "count", "side", output="shape", axis=0),
        _node("ConstantOfShape", "shape"),
    ]
    weights = [_integers("first", [0]), _integers("one", [1]), _integers("three", [3]), _integers("side", [256])]
    return _model(nodes, weights, shape=["N", 3, "height", 256])


def _nonzero():
    return _model([_node("NonZero", "blurry", output="places"), _node("Cast", "places", to=FLOAT)], shape=["a", "b"])


def _huge_inside():
    """A tensor of 4 TB in the middle."""
    nodes = [
        _node("ConstantOfShape", "shape", output="huge"),
        _node("ReduceSum", "huge", output="sum", keepdims=0),
        _node("Add", "blurry", "sum"),
    ]
    return _model(nodes, [_integers("shape", [1000, 1000, 1000, 1000])])


def _huge_computed():
    """A tensor of terabytes whose size is computed from that of the picture."""
    nodes = [
        _node("Shape", "blurry", output="shape"),
        _node("Mul", "shape", "factors", output="large"),
        _node("Expand", "zero", "large", output="huge"),
        _node("ReduceMax", "huge", output="largest", keepdims=0),
        _node("Add", "blurry", "largest"),
    ]
    weights = [_integers("factors", [1, 1, 100000, 100000]), numpy_helper.from_array(np.zeros(1, np.float32), "zero")]
    return _model(nodes, weights)


def _endless():
    """A loop of 2^62 rounds."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["again"]), helper.make_node("Identity", ["picture"], ["next"])], "body",
        [helper.make_tensor_value_info("round", INT, []), helper.make_tensor_value_info("go", TensorProto.BOOL, []),
         helper.make_tensor_value_info("picture", FLOAT, SHAPE)],
        [helper.make_tensor_value_info("again", TensorProto.BOOL, []), helper.make_tensor_value_info("next", FLOAT, SHAPE)],
    )  # fmt: skip
    weights = [_integers("rounds", 1 << 62), numpy_helper.from_array(np.array(True), "always")]
    return _model([_node("Loop", "rounds", "always", "blurry", body=body)], weights)


def _external(location):
    weight = TensorProto(name="values", dims=[1, 3, 256, 256], data_type=FLOAT, data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value=location)
    return _model([_node("Add", "blurry", "values")], [weight])


def _external_in_a_node():
    constant = helper.make_node("Constant", [], ["values"], value=TensorProto(dims=[1], data_type=FLOAT))
    constant.attribute[0].t.data_location = TensorProto.EXTERNAL
    constant.attribute[0].t.external_data.add(key="location", value="/etc/passwd")
    return _model([constant, _node("Add", "blurry", "values")])


def _short_weight():
    weight = TensorProto(name="values", dims=[1, 3, 256, 256], data_type=FLOAT, raw_data=b"\0" * 16)
    return _model([_node("Add", "blurry", "values")], [weight])


def _claimed_weight():
    weight = TensorProto(name="values", dims=[1 << 20, 1 << 20, 1 << 20], data_type=FLOAT, raw_data=b"\0" * 16)
    return _model([_node("Add", "blurry", "values")], [weight])


def _sequence():
    model = _model([_node("SequenceConstruct", "blurry")])
    sequence = helper.make_tensor_sequence_value_info("restored", FLOAT, SHAPE)
    model.graph.output[0].CopyFrom(sequence)
    return model


def _not_utf8():
    return _identity(metadata={"preset": "test", "training": "@@@@"}).SerializeToString().replace(b"@@@@", b"\xff\xfe\xff\xfe")


def _scale(value):
    return _identity(metadata={"window_scale": value})


def _remembering(metadata="2", memory=("N", 2, 128, 128), validity=("N", 2), kind=FLOAT):
    """A network with a memory, as far as its inputs go."""
    inputs = [("blurry", FLOAT, SHAPE), ("memory", kind, memory), ("validity", FLOAT, validity)]
    return _identity(inputs=inputs, metadata={} if metadata is None else {"memory": metadata})


def _sized(sizes, make=_identity):
    """A network that lists further sizes of crops."""
    model = make()
    helper.set_model_props(model, {"preset": "test", "crop_size": "256", "sizes": sizes})
    return model


def _tiled():
    return _reshaped("Tile", [1, 1, 1, 1], shape=["a", "b", "c", "d"])


REFUSED = {
    "one channel": _sliced,
    "four images": lambda: _reshaped("Tile", [4, 1, 1, 1]),
    "4096 high": lambda: _reshaped("Tile", [1, 1, 16, 1]),
    "4096 high, declared": lambda: _reshaped("Tile", [1, 1, 16, 1], shape=["N", 3, 4096, 256]),
    "4096 high, open": lambda: _reshaped("Tile", [1, 1, 16, 1], shape=["a", "b", "c", "d"]),
    "one line": lambda: _reshaped("Reshape", [1, 1, 1, -1], shape=["a", "b", "c", "d"]),
    "another rank": lambda: _reshaped("Reshape", [1, -1], shape=["a", "b"]),
    "another rank, declared as an image": lambda: _reshaped("Reshape", [-1, 256]),
    "no rank": lambda: _model([_node("ReduceSum", "blurry", keepdims=0)], shape=[]),
    "empty": lambda: _model(
        [_node("Slice", "blurry", "end", "end")], [_integers("end", [9])], shape=["a", "b", "c", "d"]
    ),
    "content decides": _depends_on_content,
    "places that are not zero": _nonzero,
    "integers": lambda: _model([_node("Cast", "blurry", to=INT)], kind=INT),
    "integers, declared as floats": lambda: _model([_node("Cast", "blurry", to=INT)]),
    "a sequence": _sequence,
    "another output": lambda: _model([_node("Identity", "blurry", output="other")], name="other"),
    "another input": lambda: _model([_node("Identity", "sharp")], inputs=[("sharp", FLOAT, SHAPE)]),
    "two inputs": lambda: _identity(inputs=[("blurry", FLOAT, SHAPE), ("more", FLOAT, SHAPE)]),
    "half precision input": lambda: _model([_node("Cast", "blurry", to=FLOAT)], inputs=[("blurry", HALF, SHAPE)]),
    "a batch of four": lambda: _identity(inputs=[("blurry", FLOAT, [4, 3, 256, 256])], shape=[4, 3, 256, 256]),
    "small pictures": lambda: _identity(inputs=[("blurry", FLOAT, ["N", 3, 64, 64])], shape=["N", 3, 64, 64]),
    "huge inside": _huge_inside,
    "huge, computed": _huge_computed,
    "huge picture": lambda: _reshaped("Tile", [1 << 20, 1, 1, 1], shape=["a", "b", "c", "d"]),
    "endless": _endless,
    "weights in /etc/passwd": lambda: _external("/etc/passwd"),
    "weights in the folder above": lambda: _external("../weights"),
    "weights beside": lambda: _external("weights"),
    "a constant in /etc/passwd": _external_in_a_node,
    "weights that are too short": _short_weight,
    "weights that claim exabytes": _claimed_weight,
    "sizes below zero": lambda: _identity(inputs=[("blurry", FLOAT, [-(1 << 62), 3, 256, 256])]),
    "a slice backwards of nothing": lambda: _model(
        [_node("Slice", "blurry", "end", "end", "axis", output="empty"), _node("Slice", "empty", "end", "begin", "axis", "back")],
        [_integers("begin", [-9]), _integers("end", [9]), _integers("axis", [2]), _integers("back", [-1])],
    ),
    "a slice of less than nothing": lambda: _model(
        [_node("Pad", "blurry", "pads", output="padded"), _node("Slice", "padded", "begin", "begin", "axis")],
        [_integers("pads", [0, 0, 0, 0, 0, 0, -1000, 0]), _integers("begin", [1]), _integers("axis", [2])],
    ),
    "unknown operation": lambda: _model([_node("Conquer", "blurry")]),
    "unknown domain": lambda: _model([_node("Identity", "blurry", domain="evil")]),
    "a value that nobody makes": lambda: _model([_node("Identity", "nothing")]),
    "a circle": lambda: _model([_node("Identity", "b", output="a"), _node("Identity", "a", output="b"), _node("Add", "a", "b")]),
    "opset of the future": lambda: _identity(opset=1 << 30),
    "crop_size of words": lambda: _identity(metadata={"crop_size": "large"}),
    "crop_size of digits": lambda: _identity(metadata={"crop_size": "9" * 5000}),
    "crop_size below zero": lambda: _identity(metadata={"crop_size": "-256"}),
    "window_scale of a thousand": lambda: _scale("1000"),
    "window_scale of zero": lambda: _scale("0"),
    "window_scale that is no number": lambda: _scale("nan"),
    "window_scale of words": lambda: _scale("wide"),
    "metadata that is not UTF-8": _not_utf8,
    "memory of words": lambda: _remembering("much"),
    "memory below zero": lambda: _remembering("-2"),
    "memory of digits": lambda: _remembering("9" * 5000),
    "memory of a thousand crops": lambda: _remembering("1000", ["N", 1000, 128, 128], ["N", 1000]),
    "memory that is not stated": lambda: _remembering(None),
    "memory that is stated and not there": lambda: _identity(metadata={"memory": "2"}),
    "memory of another number of crops": lambda: _remembering("3"),
    "memory of an open number of crops": lambda: _remembering("2", ["N", "M", 128, 128], ["N", "M"]),
    "memory of small crops": lambda: _remembering("2", ["N", 2, 64, 64]),
    "memory of pictures": lambda: _remembering("2", ["N", 2, 3, 256, 256]),
    "memory for four crops at once": lambda: _remembering("2", [4, 2, 128, 128]),
    "memory in half precision": lambda: _remembering(kind=HALF),
    "memory that it does not use": _remembering,
    "validity of another size": lambda: _remembering(validity=["N", 3]),
    "sizes of words": lambda: _sized("large"),
    "sizes in a row": lambda: _sized("[128]"),
    "sizes without constants": lambda: _sized('{"128": 1}'),
    "sizes without end": lambda: _sized('{"128": ' + "[" * 200_000),
    "sizes of megabytes": lambda: _sized('{"128": {"values": [' + "1," * 1_000_000 + "1]}}"),
    "a size of 48": lambda: _sized('{"48": {}}'),
    "a size of 256": lambda: _sized('{"256": {}}'),
    "a size of 512": lambda: _sized('{"512": {}}'),
    "a size of 100": lambda: _sized('{"100": {}}'),
    "a size below zero": lambda: _sized('{"-128": {}}'),
    "a size with a blank": lambda: _sized('{"128 ": {}}'),
    "a size of digits": lambda: _sized('{"' + "9" * 5000 + '": {}}'),
    "a constant that is not there": lambda: _sized('{"128": {"values": [1]}}'),
    "a constant of words": lambda: _sized('{"128": {"values": ["a"]}}', _tiled),
    "a constant of anything": lambda: _sized('{"128": {"values": {"a": null}}}', _tiled),
    "a constant in steps": lambda: _sized('{"128": {"values": [1, [1, 1]]}}', _tiled),
    "a constant without end": lambda: _sized('{"128": {"values": [1e999, 1, 1, 1]}}', _tiled),
    "a constant of another length": lambda: _sized('{"128": {"values": [1, 1]}}', _tiled),
    "a constant that makes a size huge": lambda: _sized('{"128": {"values": [1048576, 1, 1, 1]}}', _tiled),
    "a constant that makes a size empty": lambda: _sized('{"128": {"values": [1, 0, 1, 1]}}', _tiled),
    "a size that is none of its own": lambda: _sized('{"128": {}}', lambda: _reshaped("Reshape", [-1, 3, 256, 256])),
    "no bytes": lambda: b"",
    "a picture": lambda: b"\x89PNG\r\n\x1a\n" + bytes(1000),
    "half a network": lambda: _short_weight().SerializeToString()[:60],
}  # fmt: skip
"""Files that cannot be run, by what is wrong."""

ACCEPTED = {
    "no metadata": lambda: _identity(metadata={}),
    "not a number": lambda: _model(
        [_node("Sub", "blurry", "two", output="negative"), _node("Sqrt", "negative")],
        [numpy_helper.from_array(np.float32(2), "two")],
    ),
    "infinite": lambda: _model([_node("Div", "blurry", "none")], [numpy_helper.from_array(np.float32(0), "none")]),
    "further sizes": lambda: _sized('{"128": {}, "64": {}}'),
    "a constant of a further size": lambda: _sized('{"128": {"values": [1, 1, 1, 1]}}', _tiled),
    "shapes left open": lambda: _identity(shape=["a", "b", "c", "d"]),
    "control characters": lambda: _identity(metadata={"preset": "\x1b[2J\nevil", "training": "x" * 100_000}),
}
"""Files that can be run, although something about them is odd."""


def write_hostile(path, make):
    """Write one of these files, and return its path."""
    made = make()
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    return path
