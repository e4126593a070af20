"""Reads ONNX files of unknown origin: what a network must not be is refused before a runtime gets it."""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamdeblur.errors import NetworkError

if TYPE_CHECKING:
    import onnx

LARGEST_FILE = (1 << 31) - 1
"""Bytes that a file in the format of ONNX can have."""
LARGEST_TENSOR = 1 << 28
"""Numbers that any tensor of a network may have: 1 GiB of float32, hundreds of times what a network for faces needs."""
UNKNOWN = "streamdeblur.unknown"
"""Domain of operations of which nothing is known."""
LARGEST_VERSION = 100
"""Of operations of other domains."""
LONGEST_LISTING = 1 << 20
"""Characters of a list in the metadata, which has a few hundred entries."""
FIRST_SIZE_INPUT = {
    "Compress": 0, "ConstantOfShape": 0, "NonZero": 0, "Range": 0, "Unique": 0, "Expand": 1, "OneHot": 1, "Pad": 1, "Reshape": 1,
    "Resize": 1, "Slice": 1, "Split": 1, "Squeeze": 1, "Tile": 1, "TopK": 1, "Unsqueeze": 1, "Upsample": 1, "CenterCropPad": 1,
    "Col2Im": 1, "MaxUnpool": 1,
}  # fmt: skip
"""Operations whose inputs from this one on decide about the size of the result."""


def listed(metadata: Mapping[str, str], key: str, what: str) -> Any:
    """Return what a network's metadata list under a key, as JSON; {} for nothing.

    Args:
        metadata: Of the network.
        key: Name of the entry.
        what: What is listed, for errors.

    Raises:
        ValueError: The list cannot be read.
    """
    listing = metadata.get(key, "{}")
    if len(listing) > LONGEST_LISTING:
        raise ValueError(f"the list of {what} has {len(listing)} characters")
    try:
        return json.loads(listing)
    except RecursionError:
        raise ValueError(f"the list of {what} is nested too deeply") from None


def read_onnx(path: Path) -> tuple[bytes, onnx.ModelProto]:
    """Read and check an ONNX file.

    Returns:
        Its content, and the network in it.

    Raises:
        NetworkError: The file cannot be read, is not ONNX, reads other files, has loops or functions of its own, or needs more
            memory than any network for pictures.
    """
    content = _read(path)
    model = _parse(path, content)
    check_model(path, model)
    return content, model


def check_model(path: Path, model: onnx.ModelProto) -> None:
    """Check the network in the file `path`, or what was made of it.

    Raises:
        NetworkError: As for `read_onnx`.
    """
    _check_versions(path, model)
    _refuse_external_data(path, model)
    _refuse_control_flow(path, model)
    _refuse_sizes_below_zero(path, model)
    _check_sizes(path, model)
    _refuse_sizes_from_content(path, model)


def _read(path: Path) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST_FILE:
            return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise NetworkError(f"Cannot read the network {path}: {reason}. Give --network an ONNX file.") from None
    if stat.S_ISREG(status.st_mode):
        raise NetworkError(f"{path} has {status.st_size / 1e9:.1f} GB; an ONNX file has at most 2.1 GB.")
    raise NetworkError(f"Cannot read the network {path}: it is not a regular file. Give --network an ONNX file.")


def _parse(path: Path, content: bytes) -> onnx.ModelProto:
    import onnx

    try:
        model = onnx.load_model_from_string(content)
    except Exception:
        # protobuf and onnx raise unrelated types for a file that is not ONNX.
        model = onnx.ModelProto()
    if not model.graph.node:
        raise NetworkError(f"{path} is not an ONNX file. Give --network a network exported by streamdeblur.")
    return model


def _check_versions(path: Path, model: onnx.ModelProto) -> None:
    """Refuse versions of the operations that do not exist yet: a runtime may search them for ever."""
    import onnx

    for opset in model.opset_import:
        newest = onnx.defs.onnx_opset_version() if opset.domain in ("", "ai.onnx") else LARGEST_VERSION
        if not 1 <= opset.version <= newest:
            raise NetworkError(
                f"{path} needs version {opset.version} of the operations of ONNX; {newest} is the newest known here."
            )


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Yield the constants of a graph."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)


def _refuse_external_data(path: Path, model: onnx.ModelProto) -> None:
    """Refuse weights in other files, because a path in a network could name any file."""
    for tensor in _tensors(model.graph):
        if tensor.data_location or tensor.external_data:
            raise NetworkError(f"{path} has weights in other files. Export it again as a single file.")


def _refuse_control_flow(path: Path, model: onnx.ModelProto) -> None:
    """Refuse what could run without end."""
    nested = any(attribute.HasField("g") or attribute.graphs for node in model.graph.node for attribute in node.attribute)
    if nested or model.functions:
        raise NetworkError(f"{path} has loops, branches or functions of its own, which no network exported by streamdeblur has.")


def _refuse_sizes_below_zero(path: Path, model: onnx.ModelProto) -> None:
    """Refuse sizes below zero, on which ONNX's shape inference can abort the process."""
    graph = model.graph
    values = (*graph.input, *graph.output, *graph.value_info)
    sizes = [d.dim_value for value in values for d in value.type.tensor_type.shape.dim]
    if min([*sizes, *(size for tensor in _tensors(graph) for size in tensor.dims)], default=0) < 0:
        raise NetworkError(f"{path} has a tensor whose size is below zero.")


def _check_sizes(path: Path, model: onnx.ModelProto) -> None:
    """Check the structure, and refuse tensors of absurd sizes, as far as both can be known without running the network."""
    import onnx

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    for value in probe.graph.input:
        for dimension in value.type.tensor_type.shape.dim:
            if not dimension.HasField("dim_value"):
                dimension.dim_value = 1
    for node in probe.graph.node:
        if node.op_type == "Slice":
            # ONNX's shape inference can abort the process where there is nothing to slice, so it takes them as unknown
            node.domain = UNKNOWN
    probe.opset_import.add(domain=UNKNOWN, version=1)
    try:
        onnx.checker.check_model(model)
        inferred = onnx.shape_inference.infer_shapes(probe, check_type=True, strict_mode=True, data_prop=True).graph
    except Exception as error:
        # onnx raises unrelated types, some of which have no common base
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise NetworkError(f"{path} is not a valid network: {reason}") from None
    values = [value.type.tensor_type.shape.dim for value in (*inferred.value_info, *inferred.output)]
    for shape in [*([d.dim_value for d in dims] for dims in values), *([*tensor.dims] for tensor in _tensors(inferred))]:
        check_size(path.name, shape)
    if any(d.HasField("dim_value") and d.dim_value < 1 for dims in values if len(dims) > 1 for d in dims):
        raise NetworkError(f"{path} has a tensor without content, which no network for faces needs.")


def _refuse_sizes_from_content(path: Path, model: onnx.ModelProto) -> None:
    """Refuse tensors whose size depends on what a picture shows, which cannot be known beforehand."""
    weights = {tensor.name for tensor in model.graph.initializer}
    content = {value.name for value in model.graph.input} - weights
    for node in model.graph.node:
        first = FIRST_SIZE_INPUT.get(node.op_type, len(node.input))
        if content.intersection(node.input[first:]):
            raise NetworkError(f"{path} has a tensor whose size depends on the content of the picture (by {node.op_type}).")
        if node.op_type not in ("Shape", "Size") and content.intersection(node.input):
            content.update(node.output)


def check_size(name: str, shape: list[int]) -> None:
    """Check the shape of a tensor of the network `name`; sizes of 0 stand for unknown ones.

    Raises:
        NetworkError: It has more numbers than a network for pictures has.
    """
    if math.prod(max(1, size) for size in shape) > LARGEST_TENSOR:
        raise NetworkError(f"{name} has a tensor of {shape} numbers, which no network for faces needs.")
