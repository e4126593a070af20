"""Writes half precision into an ONNX graph, for engines that compute in the types that the graph names (strong typing)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

EXACT_MODULE = re.compile(r"/deconvolution(_\d+)?/")
"""Part of the names of operations in modules that stay in float32, of whichever network; a second one has a number. Sums over
spectra exceed the range of half precision (65504) and need more than its 11 bits."""

SUMS = {"ReduceMean", "ReduceSum", "Softmax", "InstanceNormalization"}
STEEP = {"Softplus", "Exp", "Log", "Sqrt", "Div", "Pow"}
EXACT_OPERATIONS = SUMS | STEEP
"""Operations that always stay in float32: sums over many numbers, and functions whose values may leave the range."""

OTHER_INPUTS = {"Resize": {0}}
"""Operations of which only these inputs have the type that they compute in."""

HALF_SUFFIX = ".float16"
"""Suffix of the names of weights at half precision, after the weight's own name."""

SMALLEST, LARGEST = 2.0**-14, 65504.0
"""Range of the magnitudes that half precision represents with all its bits."""


def compute_in_half(model: bytes, *, half_images: bool = False, outputs: Iterable[str] | None = None) -> bytes:
    """Convert a network to half precision, except for what needs float32.

    Args:
        model: Content of an ONNX file, with weights stored as float32 or float16.
        half_images: Make inputs and outputs float16 as well.
        outputs: Names of the outputs to keep, by default all.

    Returns:
        Content of an ONNX file.
    """
    whole = onnx.load_model_from_string(model)
    if outputs is not None:
        kept = [output for output in whole.graph.output if output.name in set(outputs)]
        del whole.graph.output[:]
        whole.graph.output.extend(kept)
    _expand_weights(whole.graph)
    _Typing(whole, half_images=half_images).write()
    _remove_unused(whole.graph)
    del whole.graph.value_info[:]
    return bytes(whole.SerializeToString())


def _expand_weights(graph: Any) -> None:
    """Replace weights that are stored as float16 and cast by plain float32 ones."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    rest = []
    for node in graph.node:
        stored = weights.get(node.input[0]) if node.op_type == "Cast" else None
        if stored is None or stored.data_type != TensorProto.FLOAT16:
            rest.append(node)
            continue
        graph.initializer.append(numpy_helper.from_array(numpy_helper.to_array(stored).astype(np.float32), node.output[0]))
    _replace(graph.node, rest)


def _remove_unused(graph: Any) -> None:
    """Remove the nodes and weights that no output needs."""
    needed = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    _replace(graph.node, kept[::-1])
    _replace(graph.initializer, [tensor for tensor in graph.initializer if tensor.name in needed])


def _replace(field: Any, items: list[Any]) -> None:
    copies = [type(item).FromString(item.SerializeToString()) for item in items]
    del field[:]
    field.extend(copies)


class _Typing:
    """Visits a graph from its inputs on and assigns a type to every value."""

    def __init__(self, model: Any, *, half_images: bool) -> None:
        self._graph = model.graph
        inferred = shape_inference.infer_shapes(model).graph
        values = [*inferred.input, *inferred.output, *inferred.value_info]
        self._floats = {value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT}
        self._weights = {tensor.name: tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT}
        self._floats |= set(self._weights)
        self._images = TensorProto.FLOAT16 if half_images else TensorProto.FLOAT
        self._types = dict.fromkeys(self._weights, TensorProto.FLOAT)
        self._types |= {value.name: self._images for value in model.graph.input}
        self._constants = _small_constants(model.graph)
        self._written: list[Any] = []
        self._copies: dict[tuple[str, int], str] = {}

    def write(self) -> None:
        for node in list(self._graph.node):
            if self._floats.intersection([*node.input, *node.output]):
                self._type(node)
            self._written.append(node)
        for value in [*self._graph.input, *self._graph.output]:
            if value.name in self._floats:
                value.type.tensor_type.elem_type = self._images
        for output in self._graph.output:
            self._end_as_images(output.name)
        _replace(self._graph.node, self._written)

    def _type(self, node: Any) -> None:
        wanted = TensorProto.FLOAT if self._exact(node) else TensorProto.FLOAT16
        typed = OTHER_INPUTS.get(node.op_type, set(range(len(node.input))))
        for n, name in enumerate(node.input):
            if name in self._floats and node.op_type != "Cast":
                node.input[n] = self._as(name, wanted if n in typed else TensorProto.FLOAT)
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR and attribute.t.data_type == TensorProto.FLOAT:
                array = numpy_helper.to_array(attribute.t)
                attribute.t.CopyFrom(numpy_helper.from_array(array.astype(_numpy(wanted)), attribute.t.name))
        self._types |= {name: wanted for name in node.output if name in self._floats}
        if node.op_type == "Cast" and node.input[0] in self._floats:
            self._copies[node.output[0], self._types[node.input[0]]] = node.input[0]

    def _exact(self, node: Any) -> bool:
        constants = [self._constants[name] for name in [*node.input, *node.output] if name in self._constants]
        out_of_range = any(not _fits(constant) for constant in constants)
        # A cast in the original graph is deliberate.
        return (
            out_of_range
            or node.op_type == "Cast"
            or node.op_type in EXACT_OPERATIONS
            or EXACT_MODULE.search(node.name) is not None
        )

    def _as(self, name: str, wanted: int) -> str:
        """Return the name of a value in the wanted type; a cast or a converted weight is added where there is none."""
        if self._types[name] == wanted:
            return name
        if (name, wanted) not in self._copies:
            copy = self._copies[name, wanted] = name + (HALF_SUFFIX if wanted == TensorProto.FLOAT16 else ".float32")
            if name in self._weights:
                array = numpy_helper.to_array(self._weights[name])
                self._graph.initializer.append(numpy_helper.from_array(array.astype(_numpy(wanted)), copy))
            else:
                self._written.append(helper.make_node("Cast", [name], [copy], copy, to=wanted))
        return self._copies[name, wanted]

    def _end_as_images(self, name: str) -> None:
        """Give an output the type of the images under its own name."""
        if self._types[name] == self._images:
            return
        inner = f"{name}.inner"
        for node in self._written:
            node.output[:] = [inner if other == name else other for other in node.output]
            node.input[:] = [inner if other == name else other for other in node.input]
        self._written.append(helper.make_node("Cast", [inner], [name], f"{name}.images", to=self._images))


def _small_constants(graph: Any) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """Return the constants that are not weights but numbers of formulas."""
    constants = {}
    for node in graph.node:
        tensor = node.attribute[0].t if node.op_type == "Constant" else None
        if tensor is not None and tensor.data_type == TensorProto.FLOAT:
            constants[node.output[0]] = numpy_helper.to_array(tensor)
    return constants


def _fits(constant: np.ndarray[Any, np.dtype[np.float32]]) -> bool:
    magnitudes = np.abs(constant[constant != 0.0])
    return bool(((magnitudes >= SMALLEST) & (magnitudes <= LARGEST)).all())


def _numpy(tensor_type: int) -> type[np.floating[Any]]:
    return np.float16 if tensor_type == TensorProto.FLOAT16 else np.float32
