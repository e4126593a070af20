"""Export of a run as the ONNX file that the runtime reads: one graph for both steps."""

from __future__ import annotations

import io
import json
import logging
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from streamdeblur.crop_sizes import SIZES, differing_constants, for_crops_of, name_matrices
from streamdeblur.engines.half import compute_in_half
from streamdeblur.errors import InputError, NetworkError
from streamdeblur.faces.window import CROP_SIZE, WINDOW_SCALE
from streamdeblur.files import refuse_inputs
from streamdeblur.onnx_session import open_on_cpu
from streamdeblur.partial_file import PartialFile, writing
from streamdeblur.training.checkpoint import State, read_checkpoint
from streamdeblur.training.config import StepSettings, TrainingConfig
from streamdeblur.training.networks.blocks import ResnetLayer
from streamdeblur.training.networks.compared.network import ComparedNetwork, build_generator
from streamdeblur.training.networks.generator import TwoPathGenerator
from streamdeblur.training.networks.hourglass import Hourglass
from streamdeblur.training.networks.two_step import TwoStepNetwork
from streamdeblur.training.run import CHECKPOINT, CONFIG
from streamdeblur.training.weights import averaged_weights

OPSET = 17
LARGE_CONSTANT = 1024
"""Values in a constant from which it is stored once, and at half precision if that is chosen."""
TOLERANCE = {"fp32": 1e-4, "fp16-stored": 2e-2, "fp16": 2e-2}
"""Largest difference from torch's output, which is in [0, 1], that an export may have."""

Precision = Literal["fp32", "fp16-stored", "fp16"]
"""fp32: all in float32; fp16-stored: weights in float16; fp16: arithmetic in float16 as well where possible."""


Exportable = TwoStepNetwork | ComparedNetwork


@dataclass(frozen=True)
class ExportResult:
    """What an export wrote."""

    path: Path
    parameters: int
    """Number of weights."""
    bytes: int
    """Size of the file."""
    difference: float
    """Largest difference between the outputs of ONNX Runtime and of torch, which are in [0, 1]."""


def export(
    run: Path, out: Path, *, precision: Precision = "fp32", card: Path | None = None, licence: str = "MIT"
) -> ExportResult:
    """Write the network of a run, with the weights of its EMA, as an ONNX file.

    Args:
        run: Folder of the run.
        out: The file to write; replaced if it exists.
        precision: Of weights and arithmetic; the input and the outputs are float32 in any case.
        card: Model card (Markdown) to embed.
        licence: Licence of the weights, to embed.

    Raises:
        InputError: `run` is not the folder of a run, or the card cannot be read.
        NetworkError: ONNX Runtime's output differs from torch's, or one of them is not finite; nothing was written.
        OutputError: `out` cannot be written, or is a file of the run or the card.
    """
    refuse_inputs(out, run / CHECKPOINT, run / CONFIG, *([card] if card else []))
    # what cannot be written is refused before the network is built
    with PartialFile(out) as partial:
        network, metadata = open_trained(run)
        if card is not None:
            metadata["model_card"] = _read_card(card)
        for module in network.modules():
            if isinstance(module, ResnetLayer):
                module.fold()
        model, trained_sizes = to_onnx(network), json.loads(metadata["trained_sizes"])
        sizes = {size: differing_constants(model, to_onnx(network, size)) for size in trained_sizes if size != CROP_SIZE}
        metadata["shared_weights"] = json.dumps(_shared_weights(network, model))
        metadata[SIZES] = json.dumps(sizes)
        if precision == "fp16-stored":
            store_at_half_precision(model)
        helper.set_model_props(model, {**metadata, "licence": licence})
        content = model.SerializeToString()
        if precision == "fp16":
            content = compute_in_half(content)
        difference = max(_difference(network, content, size) for size in (CROP_SIZE, *sizes))
        if math.isinf(difference):
            raise NetworkError(f"The network, or its export in {precision}, returns what is not finite; nothing was written.")
        if not difference <= TOLERANCE[precision]:
            raise NetworkError(f"The exported network differs from the trained one by {difference:.2g}; nothing was written.")
        with writing(out):
            partial.write_bytes(content)
    return ExportResult(out, sum(p.numel() for p in network.parameters()), len(content), difference)


def _read_card(card: Path) -> str:
    try:
        return card.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read the model card {card}: {error}") from None


def open_trained(run: Path) -> tuple[Exportable, dict[str, str]]:
    """Build the network of a run in evaluation mode, with the weights of its EMA.

    Args:
        run: Folder of the run.

    Returns:
        The network, and the metadata that an export of it holds.

    Raises:
        InputError: The folder holds no run, or a damaged one.
    """
    try:
        saved = json.loads((run / CONFIG).read_text(encoding="utf-8"))
        config = TrainingConfig(**saved["config"])
    except (OSError, ValueError, KeyError):
        raise InputError(f"{run} is not the folder of a run. Give one that 'streamdeblur train' made.") from None
    state = read_checkpoint(run / CHECKPOINT)
    network = _restore(saved["step"], config, state).eval().requires_grad_(False)
    step: StepSettings = getattr(config, saved["step"])
    metadata = {
        "preset": config.network.name,
        "crop_size": str(CROP_SIZE),
        "trained_sizes": json.dumps(list(step.face_crops)),
        "window_scale": str(WINDOW_SCALE),
        "input_range": "0..1 RGB",
        "memory": str(network.memory),
        "training": f"{saved['step']}: {state['images']:,} images",
        "config": json.dumps(saved["config"]),
    }
    return network, metadata


def _restore(step: str, config: TrainingConfig, state: State) -> Exportable:
    if step == "compared":
        compared = build_generator(config.settings_of_compared().method)
        compared.load_state_dict(averaged_weights(state))
        return ComparedNetwork(compared)
    hourglass = Hourglass(config.network.hourglass)
    if step == "hourglass" or config.cgan.generator == "hourglass":
        hourglass.load_state_dict(averaged_weights(state))
        return TwoStepNetwork(hourglass, None)
    needed = config.network.generator.needs_hourglass
    if needed:
        hourglass.load_state_dict(state["hourglass"])
    generator = TwoPathGenerator(config.network.generator, config.network.hourglass.code)
    generator.load_state_dict(averaged_weights(state))
    generator.sharp_encoder = None
    draft = None
    if config.network.draft is not None:
        draft = TwoPathGenerator(config.network.draft, config.network.hourglass.code)
        draft.load_state_dict(state["draft"])
        draft.sharp_encoder = None
    return TwoStepNetwork(hourglass if needed else None, generator, draft)


def to_onnx(network: Exportable, size: int = CROP_SIZE) -> onnx.ModelProto:
    """Trace a network as an ONNX graph.

    Its outputs are "restored" and, as far as the network has them, "coarse" and "confidence" [N].
    Its inputs are "blurry" and, with a memory, "memory" [N, M, H / 2, W / 2] and "validity" [N, M].

    Initializers have the names of the weights.
    """
    file = io.BytesIO()
    with warnings.catch_warnings():
        # the exporter by tracing needs no further package and keeps the names of weights
        warnings.simplefilter("ignore")
        inputs, outputs = _example(network, 1, size), network.outputs
        torch.onnx.export(
            network,
            tuple(inputs.values()),
            file,  # type: ignore[arg-type]  # its hints lack files in memory, which it takes
            input_names=list(inputs),
            output_names=outputs,
            dynamic_axes={name: {0: "N"} for name in (*inputs, *outputs)},
            opset_version=OPSET,
            # engines fold constants themselves, and --init finds weights by their names
            do_constant_folding=False,
            dynamo=False,
        )
    model = onnx.load_model_from_string(file.getvalue())
    _gather_constants(model)
    name_matrices(model, size // network.reduction)
    return model


def _example(network: Exportable, count: int, size: int, random: torch.Generator | None = None) -> dict[str, Tensor]:
    """Random inputs of a network by their names in the graph, for crops [size, size]."""
    inputs = {"blurry": torch.rand(count, 3, size, size, generator=random)}
    if network.memory:
        inputs["memory"] = torch.rand(count, network.memory, size // 2, size // 2, generator=random)
        inputs["validity"] = torch.randint(0, 2, (count, network.memory), generator=random).float()
    return inputs


def _gather_constants(model: onnx.ModelProto) -> None:
    """Turn large constant nodes into initializers, equal ones into one."""
    names: dict[bytes, str] = {}
    replaced: dict[str, str] = {}
    rest = []
    for node in model.graph.node:
        tensor = node.attribute[0].t if node.op_type == "Constant" else None
        if tensor is None or np.prod(tensor.dims) < LARGE_CONSTANT:
            rest.append(node)
            continue
        content = tensor.SerializeToString()
        if content not in names:
            names[content] = tensor.name = node.output[0]
            model.graph.initializer.append(tensor)
        replaced[node.output[0]] = names[content]
    del model.graph.node[:]
    model.graph.node.extend(rest)
    _replace_inputs(model, replaced)


def _replace_inputs(model: onnx.ModelProto, replaced: Mapping[str, str]) -> None:
    """Give the inputs of all nodes other names."""
    for node in model.graph.node:
        node.input[:] = [replaced.get(name, name) for name in node.input]


def _shared_weights(network: nn.Module, model: onnx.ModelProto) -> dict[str, str]:
    """The exporter stores equal weights once: maps names of weights that are not in the graph to the names of equal ones.

    Those without an equal one, such as statistics that only a training needs, are left out.
    """
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    shared = {}
    for name, weight in network.state_dict().items():
        if name not in arrays and weight.is_floating_point():
            equal = next((other for other, array in arrays.items() if np.array_equal(array, weight.numpy())), None)
            if equal is not None:
                shared[name] = equal
    return shared


def store_at_half_precision(model: onnx.ModelProto) -> None:
    """Store large constants as float16, each with a Cast; the runtime converts them once, when it loads the graph."""
    casts = []
    replaced: dict[str, str] = {}
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype != np.float32 or array.size < LARGE_CONSTANT:
            continue
        converted = f"{tensor.name}.float32"
        replaced[tensor.name] = converted
        casts.append(helper.make_node("Cast", [tensor.name], [converted], to=onnx.TensorProto.FLOAT))
        tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), tensor.name))
    _replace_inputs(model, replaced)
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *rest])


def _difference(network: Exportable, content: bytes, size: int) -> float:
    """The largest difference between the outputs of ONNX Runtime and of torch for crops of a size, in batches of one and two.

    Infinite where one of them is not finite.
    """
    logging.getLogger("onnxruntime").setLevel(logging.ERROR)
    if size != CROP_SIZE:
        content = for_crops_of(onnx.load_model_from_string(content), size).SerializeToString()
    session = open_on_cpu(content)
    random = torch.Generator().manual_seed(0)
    differences = []
    for count in (1, 2):
        inputs = _example(network, count, size, random)
        images = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
        differences += [np.abs(a - b.numpy()).max() for a, b in zip(images, network(*inputs.values()), strict=True)]
    # max() of Python would pass over NaN
    largest = float(np.max(differences))
    return largest if math.isfinite(largest) else math.inf
