"""ONNX Runtime prints nothing of its own: what fails is told in the program's words."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import streamdeblur
from streamdeblur.onnx_session import open_on_cpu


def _reads_past_the_end():
    values = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [3]),
        helper.make_tensor_value_info("i", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [1]),
    ]
    graph = helper.make_graph([helper.make_node("Gather", ["x", "i"], ["y"])], "gather", values[:2], values[2:])
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


@pytest.mark.parametrize("from_file", [False, True])
def test_a_network_that_fails_prints_nothing(tmp_path, capfd, from_file):
    model = _reads_past_the_end()
    onnx.save(model, tmp_path / "gather.onnx")
    session = open_on_cpu(tmp_path / "gather.onnx" if from_file else model.SerializeToString())
    with pytest.raises(Exception, match="out of data bounds"):
        session.run(None, {"x": np.zeros(3, np.float32), "i": np.array([9])})
    assert capfd.readouterr() == ("", "")


def test_all_sessions_are_opened_with_these_options():
    folder = Path(streamdeblur.__file__).parent
    opening = [path for path in folder.rglob("*.py") if re.search(r"InferenceSession\(|SessionOptions\(", path.read_text())]
    opening += [path for path in (folder / "training").rglob("*.py") if "InferenceSession(" in path.read_text()]
    assert {path.relative_to(folder).as_posix() for path in opening} == {"onnx_session.py", "engines/onnxruntime.py"}
