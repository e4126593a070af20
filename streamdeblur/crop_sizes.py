"""One network file for crops of several sizes: the graph is that of 256 px, and says what differs in those of other sizes.

The convolutions of a network hold for any size. What does not are the matrices that transform planes, which are computed
(`fourier_matrices`), and small constants such as the shapes to which values are brought, which the file lists.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from streamdeblur.errors import NetworkError
from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.fourier_matrices import fourier_matrices
from streamdeblur.known_names import shown
from streamdeblur.onnx_file import listed

SIZES = "sizes"
"""Key in the metadata: for each further size of crops, its constants by their names."""
FOURIER = "fourier."
"""Beginning of the names of the initializers that `fourier_matrices` gives."""
SMALLEST_SIZE, STEP = 64, 16
"""Crops have sides of at least 64 px, in multiples of 16: networks halve them several times, and memories once more."""


def name_matrices(model: onnx.ModelProto, size: int) -> None:
    """Give the matrices that transform planes [size, size] their names.

    Args:
        model: A graph of one size, whose initializers are in float32; changed.
        size: Side of its planes, half of that of its crops, or less.
    """
    named = {matrix.tobytes(): name for name, matrix in fourier_matrices(size).items()}
    for initializer in model.graph.initializer:
        name = named.get(numpy_helper.to_array(initializer).tobytes())
        if name is not None:
            _rename(model, initializer.name, FOURIER + name)


def _rename(model: onnx.ModelProto, old: str, new: str) -> None:
    for initializer in model.graph.initializer:
        if initializer.name == old:
            initializer.name = new
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]


def differing_constants(model: onnx.ModelProto, other: onnx.ModelProto) -> dict[str, Any]:
    """Return the constants of `other` that differ from those of `model`, by their names in `model`, for JSON.

    Args:
        model: A graph of crops of 256 px, its matrices named.
        other: The same graph, made for crops of another size, its matrices named.

    Raises:
        NetworkError: The graphs differ in more than constants.
    """
    if [node.op_type for node in model.graph.node] != [node.op_type for node in other.graph.node]:
        raise NetworkError("This network is built in another way for crops of another size.")
    pairs = zip(_constants(model), _constants(other), strict=True)
    differing = {}
    for (name, tensor), (_, counterpart) in pairs:
        values = numpy_helper.to_array(counterpart)
        if not name.startswith(FOURIER) and not np.array_equal(numpy_helper.to_array(tensor), values):
            differing[name] = values.tolist()
    return differing


def _constants(model: onnx.ModelProto) -> Iterator[tuple[str, onnx.TensorProto]]:
    """The constant nodes and initializers with their names."""
    yield from ((node.output[0], node.attribute[0].t) for node in model.graph.node if node.op_type == "Constant")
    yield from ((tensor.name, tensor) for tensor in model.graph.initializer)


def sizes_of(metadata: Mapping[str, str]) -> list[int]:
    """Return the further sizes of crops that a network's metadata list, largest first.

    Raises:
        ValueError: The list cannot be read, or has a size that crops do not have.
    """
    sizes = listed(metadata, SIZES, "sizes")
    if not isinstance(sizes, dict) or not all(isinstance(constants, dict) for constants in sizes.values()):
        raise ValueError("the sizes are not a list of constants for each size")
    possible = {str(size): size for size in range(SMALLEST_SIZE, CROP_SIZE, STEP)}
    for size in sizes:
        if size not in possible:
            raise ValueError(
                f"{shown(size)} is no size of crops beside {CROP_SIZE}, such as the multiples of {STEP} from {SMALLEST_SIZE} on"
            )
    return sorted((possible[size] for size in sizes), reverse=True)


def for_crops_of(model: onnx.ModelProto, size: int) -> onnx.ModelProto:
    """Return the network for crops of another size that its metadata list.

    Args:
        model: The network for crops of 256 px.
        size: Side of the crops.

    Raises:
        ValueError: The list has a constant that the network does not have, or values that it cannot have.
    """
    resized = onnx.ModelProto()
    resized.CopyFrom(model)
    metadata = {item.key: item.value for item in model.metadata_props}
    constants: dict[str, Any] = json.loads(metadata[SIZES])[str(size)]
    matrices = {FOURIER + name: matrix for name, matrix in fourier_matrices(_planes(model) * size // CROP_SIZE).items()}
    for name, tensor in _constants(resized):
        values = matrices[name] if name in matrices else constants.pop(name, None)
        if values is not None:
            _set(tensor, values)
    if constants:
        raise ValueError(f"the network has no constant {shown(next(iter(constants)))}")
    for value in (*resized.graph.input, *resized.graph.output):
        _resize(value, size / CROP_SIZE)
    del resized.graph.value_info[:]
    return resized


def _planes(model: onnx.ModelProto) -> int:
    """Side of the planes that the network for crops of 256 px transforms."""
    sides = (tensor.dims[0] for tensor in model.graph.initializer if tensor.name == FOURIER + "planes.rows")
    return next(sides, CROP_SIZE // 2)


def _set(tensor: onnx.TensorProto, values: NDArray[np.float32] | Sequence[Any]) -> None:
    """Give a tensor other values, of its own type."""
    name, dtype = tensor.name, numpy_helper.to_array(tensor).dtype
    tensor.CopyFrom(numpy_helper.from_array(np.asarray(values, dtype), name))


def _resize(value: onnx.ValueInfoProto, scale: float) -> None:
    """Scale the height and width that an input or output declares."""
    for dimension in list(value.type.tensor_type.shape.dim)[2:]:
        if dimension.dim_value:
            dimension.dim_value = round(dimension.dim_value * scale)
