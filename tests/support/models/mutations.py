"""Random changes of ONNX networks: of their structure, and of the bytes of the file."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from support.models.hostile import ACCEPTED, REFUSED

OPERATIONS = [
    "Add", "AveragePool", "Cast", "Clip", "Concat", "ConstantOfShape", "Conv", "ConvTranspose", "DepthToSpace", "Div", "Einsum",
    "Expand", "Flatten", "Gather", "GatherND", "Gemm", "GridSample", "Identity", "MatMul", "MaxPool", "Mul", "NonZero", "Pad",
    "Pow", "ReduceMean", "ReduceSum", "Relu", "Reshape", "Resize", "ScatterND", "Shape", "Sigmoid", "Slice", "Softmax",
    "SpaceToDepth", "Split", "Sqrt", "Squeeze", "Tile", "TopK", "Transpose", "Unsqueeze",
]  # fmt: skip
SIZES = [-(1 << 62), -1, 0, 1, 2, 3, 4, 5, 16, 255, 256, 257, 4096, 1 << 20, 1 << 31, 1 << 62]


def small_network(random):
    """A valid network of convolutions, slices, pads and reshapes."""
    weight = random.normal(0, 0.1, (8, 3, 3, 3)).astype(np.float32)
    weights = {
        "weight": weight, "back": weight.transpose(1, 0, 2, 3).copy(), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "begin": np.array([1, 1]), "end": np.array([257, 257]), "axes": np.array([2, 3]), "flat": np.array([0, 8, -1]),
        "square": np.array([0, 8, 256, 256]),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["blurry", "weight"], ["features"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["features"], ["positive"]),
        helper.make_node("Pad", ["positive", "pads"], ["padded"]),
        helper.make_node("Slice", ["padded", "begin", "end", "axes"], ["sliced"]),
        helper.make_node("Reshape", ["sliced", "flat"], ["lines"]),
        helper.make_node("Reshape", ["lines", "square"], ["squares"]),
        helper.make_node("Conv", ["squares", "back"], ["residual"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["residual", "blurry"], ["restored"]),
    ]
    picture = ["N", 3, 256, 256]
    graph = helper.make_graph(
        nodes, "small", [helper.make_tensor_value_info("blurry", TensorProto.FLOAT, picture)],
        [helper.make_tensor_value_info("restored", TensorProto.FLOAT, picture)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"preset": "small", "crop_size": "256", "window_scale": "1.7"})
    return model


def mutated_network(seed):
    """The content of a file that was an ONNX network before one to five random changes; the same for the same seed."""
    random = np.random.default_rng(seed)
    made = small_network(random)
    if random.random() < 0.2:
        odd = list((REFUSED | ACCEPTED).values())[random.integers(len(REFUSED) + len(ACCEPTED))]()
        made = odd if isinstance(odd, onnx.ModelProto) else made
    if random.random() < 0.75:
        for _ in range(random.integers(1, 4)):
            if len(made.graph.node):
                CHANGES[random.integers(len(CHANGES))](made, random)
    content = made.SerializeToString()
    return _changed_bytes(content, random) if random.random() < 0.35 else content


def _one_of(items, random):
    return items[random.integers(len(items))] if len(items) else None


def _change_shape(model, random):
    value = _one_of([*model.graph.input, *model.graph.output], random)
    dimension = _one_of(value.type.tensor_type.shape.dim, random)
    if dimension is not None:
        dimension.dim_value = int(_one_of(SIZES, random))


def _change_type(model, random):
    value = _one_of([*model.graph.input, *model.graph.output], random)
    value.type.tensor_type.elem_type = int(random.integers(0, 24))


def _change_operation(model, random):
    _one_of(model.graph.node, random).op_type = str(_one_of(OPERATIONS, random))


def _change_link(model, random):
    node = _one_of(model.graph.node, random)
    names = [name for other in model.graph.node for name in (*other.input, *other.output)] + ["", "nothing"]
    links = node.input if random.random() < 0.7 else node.output
    if len(links):
        links[random.integers(len(links))] = str(_one_of(names, random))


def _change_attribute(model, random):
    node = _one_of([node for node in model.graph.node if node.attribute], random)
    if node is None:
        return
    attribute = _one_of(node.attribute, random)
    if random.random() < 0.3:
        node.attribute.remove(attribute)
    elif attribute.ints:
        attribute.ints[random.integers(len(attribute.ints))] = int(_one_of(SIZES, random))
    else:
        attribute.i = int(_one_of(SIZES, random))


def _change_constant(model, random):
    tensor = _one_of(model.graph.initializer, random)
    if tensor is None:
        return
    kind = random.integers(4)
    if kind == 0 and tensor.dims:
        tensor.dims[random.integers(len(tensor.dims))] = int(_one_of(SIZES, random))
    elif kind == 1:
        tensor.data_type = int(random.integers(0, 24))
    elif kind == 2 and tensor.data_type == TensorProto.INT64:
        numbers = np.array(random.choice(SIZES, tensor.dims[0] if tensor.dims else 1), np.int64)
        tensor.CopyFrom(numpy_helper.from_array(numbers, tensor.name))
    else:
        tensor.raw_data = tensor.raw_data[: len(tensor.raw_data) // 2]


def _change_metadata(model, random):
    keys, values = (
        ["crop_size", "window_scale", "preset", "\0", "training", "memory", "sizes"],
        ["", "-1", "nan", "1e999", "9" * 400, "\x1b[31m", "{", '{"128": {}}'],
    )
    model.metadata_props.add(key=str(_one_of(keys, random)), value=str(_one_of(values, random)))


def _change_version(model, random):
    model.opset_import[0].version = int(random.choice([-1, 0, 1, 7, 9, 11, 13, 18, 21, 1000]))


def _remove_node(model, random):
    model.graph.node.remove(_one_of(model.graph.node, random))


def _repeat_node(model, random):
    model.graph.node.add().CopyFrom(_one_of(model.graph.node, random))


CHANGES = [
    _change_shape, _change_type, _change_operation, _change_link, _change_attribute, _change_constant, _change_constant,
    _change_metadata, _change_version, _remove_node, _repeat_node,
]  # fmt: skip


def _changed_bytes(content, random):
    changed = bytearray(content)
    kind = random.integers(3)
    if kind == 0:
        return bytes(changed[: random.integers(len(changed))])
    for _ in range(random.integers(1, 20)):
        place = random.integers(len(changed))
        if kind == 1:
            changed[place] = random.integers(256)
        else:
            changed[place:place] = random.bytes(random.integers(1, 8))
    return bytes(changed)
