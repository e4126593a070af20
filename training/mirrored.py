"""Makes a network that restores each crop and its mirror image, and averages both results.

python -m streamdeblur.training.mirrored stream.onnx best.onnx

A face is as likely as its mirror image, but a trained network treats them a little differently; the mean of both results has less
of what is wrong in each (the self-ensemble of B. Lim et al., "Enhanced deep residual networks for single image super-resolution",
2017, Sec. 3.3). It takes twice the time, and no training. Both go through the network as one batch.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

from streamdeblur.network import Network
from streamdeblur.partial_file import PartialFile

INSIDE = "mirrored/"
"""What the names of the new tensors and nodes begin with."""
ACROSS = 3
"""The axis of a picture's columns in [N, C, H, W]; tensors of fewer dimensions are no pictures and have no mirror images."""


def mirrored(model: onnx.ModelProto, preset: str) -> onnx.ModelProto:
    """Return a network that averages what a network returns for pictures and for their mirror images.

    Args:
        model: The network. All its inputs and outputs have the batch as their first dimension.
        preset: Its new name in the metadata.

    Returns:
        A network with the same inputs and outputs. Weights and nodes keep their names, so what the metadata tell of them holds.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    constants = {
        "starts": np.array([-1]), "ends": np.array([np.iinfo(np.int64).min]), "axes": np.array([ACROSS]), "steps": np.array([-1]),
        "half": np.array(0.5, np.float32),
    }  # fmt: skip
    weights = {initializer.name for initializer in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    before = [node for value in inputs for node in _doubled(value.name, _is_picture(value))]
    after = [node for value in graph.output for node in _averaged(value.name, _is_picture(value))]
    renamed = {value.name: f"{INSIDE}{value.name}" for value in (*inputs, *graph.output)}
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    nodes = [*before, *graph.node, *after]
    graph.initializer.extend(numpy_helper.from_array(value, f"{INSIDE}{name}") for name, value in constants.items())
    del graph.node[:]
    graph.node.extend(nodes)
    helper.set_model_props(result, {item.key: item.value for item in model.metadata_props} | {"preset": preset})
    return result


def _is_picture(value: onnx.ValueInfoProto) -> bool:
    return len(value.type.tensor_type.shape.dim) > ACROSS


def _doubled(name: str, is_picture: bool) -> list[NodeProto]:
    """The batch of an input, followed by that of its mirror images."""
    if not is_picture:
        return [_node("Concat", [name, name], [f"{INSIDE}{name}"], axis=0)]
    mirror = f"{INSIDE}{name}/mirror"
    return [_flip(name, mirror), _node("Concat", [name, mirror], [f"{INSIDE}{name}"], axis=0)]


def _averaged(name: str, is_picture: bool) -> list[NodeProto]:
    """The mean of both halves of an output's batch, the second of which is mirrored back."""
    plain, mirror, total = (f"{INSIDE}{name}/{part}" for part in ("plain", "mirror", "sum"))
    nodes = [_node("Split", [f"{INSIDE}{name}"], [plain, mirror], axis=0)]
    if is_picture:
        nodes.append(_flip(mirror, f"{mirror}/back"))
        mirror = f"{mirror}/back"
    return [*nodes, _node("Add", [plain, mirror], [total]), _node("Mul", [total, f"{INSIDE}half"], [name])]


def _flip(name: str, to: str) -> NodeProto:
    return _node("Slice", [name, *(f"{INSIDE}{part}" for part in ("starts", "ends", "axes", "steps"))], [to])


def _node(kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> NodeProto:
    return helper.make_node(kind, inputs, outputs, name=f"{INSIDE}{kind}/{outputs[0]}", **attributes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path, help="ONNX file of a network that streamdeblur can run")
    parser.add_argument("out", type=Path, help="the file to write; its name becomes that of the network")
    arguments = parser.parse_args()
    network = Network.read(arguments.network)
    model = mirrored(onnx.load_model_from_string(network.model), arguments.out.stem)
    with PartialFile(arguments.out) as partial:
        partial.write_bytes(model.SerializeToString())
    print(f"{arguments.out}: {network.preset} of each crop and of its mirror image")


if __name__ == "__main__":
    main()
