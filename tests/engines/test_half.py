"""Half precision in the graph: which parts compute in it, and that the pictures stay the same."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamdeblur.engines.half import EXACT_MODULE, EXACT_OPERATIONS, compute_in_half
from streamdeblur.faces.window import FaceWindow, crop
from streamdeblur.video.planes import array_planes
from streamdeblur.weights import network_path


@pytest.fixture(scope="module")
def whole():
    return network_path("lite").read_bytes()


@pytest.fixture(scope="module")
def half(whole):
    return compute_in_half(whole, outputs=["restored"])


def run(model, images, *, optimised=True):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if not optimised:
        # every rounding to half precision that the graph asks for is made
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(["restored"], {"blurry": images})[0]


def images_of(photograph):
    """Faces, and what is hard on half precision: noise, black, white, a checkerboard. float32 [N, 3, 256, 256]."""
    planes = array_planes(photograph)
    crops = [crop(planes, FaceWindow(x, y, 190)) for x, y in ((796, 412), (320, 207))]
    random = np.random.default_rng(0)
    checkers = np.kron(np.indices((64, 64)).sum(0) % 2, np.ones((4, 4)))[..., None].repeat(3, 2) * 255
    extremes = [random.integers(0, 256, (256, 256, 3)), np.zeros((256, 256, 3)), np.full((256, 256, 3), 255), checkers]
    return np.stack([*crops, *extremes]).transpose(0, 3, 1, 2).astype(np.float32) / 255


@pytest.mark.parametrize("optimised", [True, False])
def test_pictures_are_the_same_to_within_a_code_value(whole, half, photograph, optimised):
    images = images_of(photograph)
    difference = 255 * np.abs(run(whole, images) - run(half, images, optimised=optimised))
    assert difference.max() < 1.0
    assert difference.mean() < 0.1


def test_images_may_be_half_precision_themselves(whole, photograph):
    images = images_of(photograph)[:2]
    model = compute_in_half(whole, half_images=True, outputs=["restored"])
    restored = run(model, images.astype(np.float16))
    assert restored.dtype == np.float16
    assert 255 * np.abs(restored - run(whole, images)).max() < 1.0


def test_the_graph_is_valid_and_has_the_declared_types(half):
    model = onnx.load_model_from_string(half)
    onnx.checker.check_model(model, full_check=True)
    assert [output.name for output in model.graph.output] == ["restored"]
    types = {value.name: value.type.tensor_type.elem_type for value in onnx.shape_inference.infer_shapes(model).graph.value_info}
    types |= {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    for node in convolutions:
        expected = TensorProto.FLOAT if EXACT_MODULE.search(node.name) else TensorProto.FLOAT16
        assert [types[name] for name in node.input] == [expected] * len(node.input)
    assert sum(not EXACT_MODULE.search(node.name) for node in convolutions) > 30
    for node in model.graph.node:
        if node.op_type in EXACT_OPERATIONS:
            assert all(types[name] != TensorProto.FLOAT16 for name in node.output)


def test_nothing_is_cast_there_and_back(half):
    model = onnx.load_model_from_string(half)
    values = onnx.shape_inference.infer_shapes(model).graph.value_info
    floats = {value.name for value in values if value.type.tensor_type.elem_type in (TensorProto.FLOAT, TensorProto.FLOAT16)}
    casts = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Cast"}
    assert len(casts) > 10
    assert not [name for name in casts.values() if casts.get(name) in floats]


def test_the_names_of_both_outputs_are_kept(whole):
    model = onnx.load_model_from_string(compute_in_half(whole))
    assert {output.name for output in model.graph.output} == {"restored", "coarse"}
    assert {output.type.tensor_type.elem_type for output in model.graph.output} == {TensorProto.FLOAT}


def test_a_number_that_half_precision_does_not_hold_is_computed_with_in_float32():
    constant = helper.make_node("Constant", [], ["tiny"], value=numpy_helper.from_array(np.float32([1e-8]), "tiny"))
    nodes = [constant, helper.make_node("Add", ["blurry", "tiny"], ["sum"]), helper.make_node("Sqrt", ["sum"], ["restored"])]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, 4, 4]) for name in ("blurry", "restored")]
    model = helper.make_model(
        helper.make_graph(nodes, "test", values[:1], values[1:]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    black = np.zeros((1, 3, 4, 4), np.float32)
    assert run(compute_in_half(model.SerializeToString()), black) == pytest.approx(np.full((1, 3, 4, 4), 1e-4), rel=1e-6)
