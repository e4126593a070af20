"""The columns of a report: how the metrics of single faces become the metrics of a method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streamdeblur.evaluation.metrics.landmarks import auc_parts, failures
from streamdeblur.evaluation.results import FaceResult

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """A metric of a report: the mean of a value of each face."""

    title: str
    metric: str
    """Name of the metric of each face that it is computed from."""
    format_spec: str
    """As in `format`."""
    more_is_better: bool = True
    transform: Callable[[ArrayLike], Values] | None = None
    """Applied to the metrics of the faces before they are averaged."""
    scale: float = 1.0

    def values(self, results: Sequence[FaceResult]) -> Values:
        """Return the values that are averaged: float64 [N], one for each face."""
        metrics = np.array([result.metrics[self.metric] for result in results], np.float64)
        return (metrics if self.transform is None else self.transform(metrics)) * self.scale


COLUMNS = {
    "psnr": Column("PSNR dB", "psnr", ".2f"),
    "ssim": Column("SSIM", "ssim", ".3f"),
    "ssim_uniform": Column("SSIM, 7 x 7 windows", "ssim_uniform", ".3f"),
    "gmsd": Column("GMSD", "gmsd", ".3f", more_is_better=False),
    "gradient": Column("gradient error", "gradient", ".2f", more_is_better=False),
    "sharpness": Column("sharpness without a reference %", "sharpness", ".1f", scale=100.0),
    "auc": Column("AUC", "landmarks", ".3f", transform=auc_parts),
    "failure": Column("failures %", "landmarks", ".1f", more_is_better=False, transform=failures, scale=100.0),
    "error": Column("landmark error %", "landmarks", ".2f", more_is_better=False, scale=100.0),
    "auc_second": Column("AUC, second landmark detector", "landmarks_second", ".3f", transform=auc_parts),
    "cosine": Column("cosine", "cosine", ".3f"),
    "frame": Column("PSNR dB, whole frame", "frame", ".2f"),
}
"""The columns of a table, in their order; a table has those whose metrics all faces have."""
