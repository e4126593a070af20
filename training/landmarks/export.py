"""Writes the landmark network as an ONNX file."""

from __future__ import annotations

import io
import json
import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper

from streamdeblur.errors import NetworkError
from streamdeblur.evaluation.metrics.heatmap_landmarks import SIDE
from streamdeblur.onnx_session import open_on_cpu
from streamdeblur.partial_file import write_file
from streamdeblur.training.export import OPSET, store_at_half_precision
from streamdeblur.training.landmarks.network import LandmarkNetwork, PointNetwork
from streamdeblur.training.landmarks.settings import LandmarkConfig

TOLERANCE = 0.25
"""Largest difference in pixels of the input that points may have from those of torch, because weights are stored as float16."""

logger = logging.getLogger(__name__)


def export_landmarks(network: LandmarkNetwork, out: Path, config: LandmarkConfig) -> Path:
    """Write the network, in evaluation mode, with weights in float16; it computes in float32.

    Args:
        network: The trained network on the CPU.
        out: The file to write; replaced if it exists.
        config: Settings of the training, which the file lists.

    Returns:
        The file.

    Raises:
        NetworkError: ONNX Runtime's points differ from torch's; nothing was written.
        OutputError: `out` cannot be written.
    """
    finder = PointNetwork(network).eval()
    model = _traced(finder)
    store_at_half_precision(model)
    props = {"points": "68", "input_range": "0..1 luma", "licence": "MIT", "config": json.dumps(config.model_dump(mode="json"))}
    helper.set_model_props(model, props)
    content = model.SerializeToString()
    difference = _difference(finder, content)
    if not difference <= TOLERANCE:
        raise NetworkError(f"The exported network differs from the trained one by {difference:.2g} px; nothing was written.")
    write_file(out, content)
    logger.info("%s has %.2f MB; its points differ from the trained ones by %.3f px.", out, len(content) / 1e6, difference)
    return out


def _traced(finder: PointNetwork) -> onnx.ModelProto:
    file = io.BytesIO()
    with warnings.catch_warnings():
        # the exporter by tracing needs no further package
        warnings.simplefilter("ignore")
        torch.onnx.export(
            finder,
            (torch.rand(1, 1, SIDE, SIDE),),
            file,  # type: ignore[arg-type]  # its hints lack files in memory, which it takes
            input_names=["luma"],
            output_names=["points"],
            dynamic_axes={"luma": {0: "N"}, "points": {0: "N"}},
            opset_version=OPSET,
            dynamo=False,
        )
    return onnx.load_model_from_string(file.getvalue())


@torch.no_grad()
def _difference(finder: PointNetwork, content: bytes) -> float:
    """The largest difference of the points of ONNX Runtime and of torch, in pixels."""
    # blobs rather than noise, which has no structure that a heatmap could be sure of
    views = torch.nn.functional.interpolate(torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)), (SIDE, SIDE))
    (found,) = open_on_cpu(content).run(None, {"luma": views.numpy()})
    return float(np.abs(found - finder(views).numpy()).max())
