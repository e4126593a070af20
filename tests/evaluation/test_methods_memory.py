"""Methods that see several exposures: networks with a memory, and the running average."""

from __future__ import annotations

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamdeblur.errors import MethodError, OptionError
from streamdeblur.evaluation.cases import Case, Neighbours
from streamdeblur.evaluation.methods import open_method
from streamdeblur.evaluation.methods.memory import memory_tensors
from streamdeblur.evaluation.metrics.flicker import residual_flicker
from streamdeblur.faces.memory import LONGEST_GAP
from support.metrics import psnr

ENTRIES, SIDE = 2, 32


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network whose picture is the mean of the first entry of its memory, and a tenth of that of the second, where valid."""
    path = tmp_path_factory.mktemp("network") / "memory.onnx"
    constants = {
        "weights": np.float32([1.0, 0.1]).reshape(1, ENTRIES, 1, 1),
        "nothing": np.float32(0.0).reshape(1, 1, 1, 1),
        "axes": np.int64([2, 3]),
        "entries": np.int64([1]),
    }
    nodes = [
        ("ReduceMean", ["memory"], "means", {"axes": [2, 3], "keepdims": 1}),
        ("Mul", ["means", "weights"], "weighted", {}),
        ("Unsqueeze", ["validity", "axes"], "valid", {}),
        ("Mul", ["weighted", "valid"], "chosen", {}),
        ("ReduceSum", ["chosen", "entries"], "sum", {"keepdims": 1}),
        ("Mul", ["blurry", "nothing"], "black", {}),
        ("Add", ["black", "sum"], "restored", {}),
    ]
    shapes = {
        "blurry": ["N", 3, SIDE, SIDE],
        "memory": ["N", ENTRIES, SIDE // 2, SIDE // 2],
        "validity": ["N", ENTRIES],
        "restored": ["N", 3, SIDE, SIDE],
    }
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, [output], **attributes) for kind, inputs, output, attributes in nodes],
        "test",
        [values[name] for name in ("blurry", "memory", "validity")],
        [values["restored"]],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def grey(value):
    return np.full((SIDE, SIDE, 3), value, np.uint8)


def face(value, sign=1):
    """A picture of this mean, and always the same content, or its negative."""
    content = np.random.default_rng(0).integers(0, 2, (4, 4, 1), np.uint8).repeat(3, axis=2)
    content = cv2.resize(content * 20, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR).astype(float)
    return np.rint(value + sign * (content - content.mean())).clip(0, 255).astype(np.uint8)


def case_of(before, after=()):
    return Case("a", face(128), None, "a", neighbours=Neighbours(tuple(before), tuple(after)))


def near(picture, value):
    return np.abs(picture.astype(int) - value).max() <= 1


CASE = case_of(map(face, (20, 100, 200)), map(face, (40, 60)))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", 200 + 10),  # the nearest one, and a tenth of the one before it
        ("?past=1", 200),
        ("?past=0", 0),
        ("?ahead=1", 200 + 4),
        ("?past=0&ahead=1", 40),
        ("?ahead=2", 200 + 4),
        ("?past=0&ahead=2", 40 + 6),
    ],
)
def test_a_memory_holds_the_nearest_exposures(network, options, expected):
    method = open_method(f"onnx:{network}{options}")
    assert near(method.restore([CASE])[0], expected)


def test_a_memory_holds_what_the_product_would_give(network):
    """Exposures that are unlike the present one, or repeat it or another, do not count, as in `streamdeblur.faces.memory`."""
    method = open_method(f"onnx:{network}")
    for before, expected in (
        ([face(100), face(200, sign=-1)], 100),
        ([face(40), face(100), face(100)], 100 + 4),
        ([face(100), face(128)], 100),
        ([face(100), *[face(60, sign=-1)] * LONGEST_GAP], 0),
    ):
        assert near(method.restore([case_of(before)])[0], expected)


def test_entries_that_are_missing_are_not_valid(network):
    method = open_method(f"onnx:{network}")
    assert near(method.restore([case_of([face(100)])])[0], 100)
    for alone in (None, Neighbours()):
        assert np.array_equal(method.restore([Case("a", grey(0), None, "a", neighbours=alone)])[0], grey(0))


def test_options_belong_to_the_fingerprint(network):
    assert len({open_method(f"onnx:{network}{options}").fingerprint for options in ("", "?past=1", "?ahead=1")}) == 3


def test_a_memory_holds_the_luma_of_two_by_two_pixels():
    picture = np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8)
    memory, validity = memory_tensors([picture], 2, (4, 3))
    assert memory.shape == (1, 2, 4, 3)
    assert memory[0, 0, 1, 2] == pytest.approx((picture[2:4, 4:6].mean((0, 1)) @ [0.299, 0.587, 0.114]) / 255, abs=1e-6)
    assert validity.tolist() == [[1.0, 0.0]]
    assert not memory[0, 1].any()


def test_networks_without_a_memory_refuse_its_options(tmp_path):
    nodes = [helper.make_node("Identity", ["picture"], ["restored"])]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 32, 32]) for name in ("picture", "restored")]
    graph = helper.make_graph(nodes, "test", values[:1], values[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(tmp_path / "n.onnx"))
    with pytest.raises(MethodError, match="has no memory"):
        open_method(f"onnx:{tmp_path / 'n.onnx'}?ahead=1")
    with pytest.raises(OptionError, match="ahaed"):
        open_method("ours?ahaed=1")


def frames_of(rng, picture, count, noise):
    return [np.clip(np.rint(picture + rng.normal(0, noise, picture.shape)), 0, 255).astype(np.uint8) for _ in range(count)]


def run_of(frames):
    return [
        Case(f"{n}", frame, None, "a", neighbours=Neighbours(tuple(frames[:n]), tuple(frames[n + 1 :])))
        for n, frame in enumerate(frames)
    ]


@pytest.fixture(scope="module")
def still(photograph):
    return np.ascontiguousarray(photograph[280:408, 520:648]) // 2 + 40


def test_the_running_average_removes_noise_and_flicker_where_nothing_moves(still):
    frames = frames_of(np.random.default_rng(1), still, 6, 3.0)
    restored = open_method("average:blurred").restore(run_of(frames))
    assert np.array_equal(restored[0], frames[0]), "the first frame has none before it"
    assert psnr(restored[-1], still) > psnr(frames[-1], still) + 2
    assert residual_flicker(restored[2:], [still] * 4) < 0.6 * residual_flicker(frames[2:], [still] * 4)


def test_the_running_average_leaves_what_moves(photograph):
    frames = [np.ascontiguousarray(photograph[280:408, 520 + 6 * n : 648 + 6 * n]) for n in range(4)]
    restored = open_method("average:blurred").restore(run_of(frames))
    assert psnr(restored[-1], frames[-1]) > 32
    alone = Case("a", frames[0], None, "a")
    assert np.array_equal(open_method("average:blurred").restore([alone])[0], frames[0])


def test_the_running_average_names_its_method():
    assert open_method("average:unsharp").name == "average:unsharp"
    assert open_method("average:unsharp").fingerprint != open_method("average:blurred").fingerprint
    with pytest.raises(OptionError, match="Unknown method 'magic'"):
        open_method("average:magic")
