"""Ages, estimated by InsightFace's model where it is installed: the histogram of the paper's Fig. 7."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError
from streamdeblur.onnx_session import open_on_cpu

MODEL = "genderage.onnx"
USUAL_FOLDER = Path("~/.insightface/models")
"""Where InsightFace keeps the model packs that it downloads (buffalo_l, buffalo_s ... hold this model)."""


def find_age_model(given: Path | None = None) -> Path | None:
    """Find InsightFace's age model.

    Args:
        given: The file to use; None searches InsightFace's usual folder.

    Returns:
        The file; None where there is none.

    Raises:
        InputError: `given` does not exist.
    """
    if given is not None:
        if not given.is_file():
            raise InputError(f"No such file: {given}. Give InsightFace's {MODEL}.")
        return given
    return next(iter(sorted(Path(os.path.expanduser(USUAL_FOLDER)).glob(f"*/{MODEL}"))), None)


class AgeModel:
    """InsightFace's estimate of ages in years."""

    def __init__(self, path: Path) -> None:
        """Open the model. Raises InputError where the file is not that model."""
        from importlib import import_module

        try:
            self._model: Any = import_module("insightface.model_zoo.attribute").Attribute(str(path), open_on_cpu(path))
        except Exception as error:
            # InsightFace asserts, onnxruntime raises its own types: all mean that this file is no such network
            raise InputError(f"{path} is not InsightFace's {MODEL}: {error}") from None
        if self._model.taskname != "genderage":
            raise InputError(f"{path} is not InsightFace's {MODEL}: it has {self._model.output_shape} outputs.")

    def __call__(self, rgb: NDArray[np.uint8], box: NDArray[np.floating]) -> int:
        """Estimate the age of a face in years.

        Args:
            rgb: A picture, uint8 RGB [H, W, 3].
            box: Face box x0, y0, x1, y1 in pixels.
        """
        from insightface.app.common import Face

        _, age = self._model.get(np.ascontiguousarray(rgb[..., ::-1]), Face(bbox=np.asarray(box, np.float32)))
        return int(age)
