"""Networks in ONNX, whatever the shape, type, range and order of colours that they take."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamdeblur.errors import MethodError, OptionError
from streamdeblur.evaluation.cases import Case
from streamdeblur.evaluation.methods import open_method


def write(path, shape, node="Identity", dtype=TensorProto.FLOAT, outputs=("restored",), **external):
    """A network that gives `node` of its input, a tensor of this shape, under each name."""
    nodes = [helper.make_node(node, ["picture"], [name]) for name in outputs]
    inputs, *given = (helper.make_tensor_value_info(name, dtype, shape) for name in ("picture", *outputs))
    graph = helper.make_graph(nodes, "test", [inputs], given)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path), **external)
    return path


@pytest.fixture(scope="module")
def case():
    return Case("a", np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8), None, "a")


def restored(path, case, options=""):
    return open_method(f"onnx:{path}{options}").restore([case])[0]


@pytest.mark.parametrize("shape", [["N", 3, "H", "W"], [1, 3, None, None], [1, 3, 48, 64], ["N", "H", "W", 3], [1, 48, 64, 3]])
@pytest.mark.parametrize("dtype", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8])
def test_shapes_and_types(tmp_path, case, shape, dtype):
    assert np.array_equal(restored(write(tmp_path / "n.onnx", shape, dtype=dtype), case), case.blurry)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", lambda codes: codes),
        ("?bgr", lambda codes: codes),
        # |x| of [-1, 1] brightens what is below the middle
        ("?range=-1..1", lambda codes: np.maximum(codes, 255 - codes)),
        ("?range=-255..0&bgr", lambda codes: 255 + 0 * codes),
    ],
)
def test_ranges(tmp_path, case, options, expected):
    seen = restored(write(tmp_path / "absolute.onnx", [1, 3, "H", "W"], "Abs"), case, options)
    assert np.abs(seen.astype(int) - expected(case.blurry.astype(int))).max() <= 1


def test_the_order_of_colours(tmp_path, case):
    """The network keeps its first channel alone."""
    mask = numpy_helper.from_array(np.float32([1, 0, 0]).reshape(1, 3, 1, 1), "mask")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, "H", "W"]) for name in ("picture", "restored")]
    graph = helper.make_graph([helper.make_node("Mul", ["picture", "mask"], ["restored"])], "g", values[:1], values[1:], [mask])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(tmp_path / "first.onnx"))
    assert np.array_equal(restored(tmp_path / "first.onnx", case), case.blurry * np.uint8([1, 0, 0]))
    assert np.array_equal(restored(tmp_path / "first.onnx", case, "?bgr"), case.blurry * np.uint8([0, 0, 1]))


def test_another_fixed_size(tmp_path):
    smooth = np.add.outer(np.arange(48), np.arange(64))[..., None].repeat(3, 2).astype(np.uint8)
    seen = restored(write(tmp_path / "n.onnx", [1, 3, 96, 128]), Case("a", smooth, None, "a"))
    assert np.abs(seen.astype(int) - smooth).max() <= 1


def test_one_of_several_outputs(tmp_path, case):
    path = write(tmp_path / "n.onnx", [1, 3, "H", "W"], outputs=("first", "second"))
    assert np.array_equal(restored(path, case, "?output=second"), case.blurry)
    with pytest.raises(MethodError, match=r"no output 'third'\. It has: first, second"):
        restored(path, case, "?output=third")


def test_fingerprints_are_of_file_and_options(tmp_path):
    path = write(tmp_path / "n.onnx", [1, 3, "H", "W"])
    plain, ranged = (open_method(f"onnx:{path}{options}").fingerprint for options in ("", "?range=-1..1"))
    write(path, [1, 3, "H", "W"], "Abs")
    assert len({plain, ranged, open_method(f"onnx:{path}").fingerprint}) == 3


def test_weights_in_a_file_of_their_own_belong_to_the_fingerprint(tmp_path):
    prints = set()
    for factor in (1.0, 0.5):
        weight = numpy_helper.from_array(np.full((1, 3, 32, 32), factor, np.float32), "factor")
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 32, 32]) for name in ("picture", "restored")]
        node = helper.make_node("Mul", ["picture", "factor"], ["restored"])
        model = helper.make_model(
            helper.make_graph([node], "g", values[:1], values[1:], [weight]),
            opset_imports=[helper.make_opsetid("", 17)],
            ir_version=8,
        )
        (tmp_path / "n.data").unlink(missing_ok=True)
        onnx.save(model, str(tmp_path / "n.onnx"), save_as_external_data=True, location="n.data")
        method = open_method(f"onnx:{tmp_path}/n.onnx")
        prints.add(method.fingerprint)
        white = Case("a", np.full((32, 32, 3), 200, np.uint8), None, "a")
        assert method.restore([white])[0].max() == 200 * factor
    assert len(prints) == 2


def test_networks_that_do_not_fit_are_named(tmp_path, case):
    (tmp_path / "text.onnx").write_text("no network")
    for file, complaint in (("text.onnx", "is not an ONNX file"), ("absent.onnx", "Cannot read")):
        with pytest.raises(MethodError, match=complaint):
            open_method(f"onnx:{tmp_path / file}")
    for shape in ([1, 4, "H", "W"], [2, 3, "H", "W"], [1, 3, "H"]):
        with pytest.raises(MethodError, match="Required"):
            open_method(f"onnx:{write(tmp_path / 'n.onnx', shape)}")
    with pytest.raises(MethodError, match="none of them is a picture of 48 x 64 px"):
        restored(write(tmp_path / "n.onnx", [1, 3, "H", "W"], "GlobalAveragePool"), case)
    with pytest.raises(MethodError, match="not finite for a"):
        restored(write(tmp_path / "n.onnx", [1, 3, "H", "W"], "Log"), case, "?range=-1..1")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("?scale=2", "unknown setting 'scale'"),
        ("?range=1", "range"),
        ("?range=1..-1", "black must be below white"),
        ("?bgr=maybe", "bgr"),
    ],
)
def test_options_are_checked(tmp_path, options, complaint):
    with pytest.raises(OptionError, match=complaint):
        open_method(f"onnx:{write(tmp_path / 'n.onnx', [1, 3, 'H', 'W'])}{options}")
