"""A table of docs/results.md: what the network of the paper makes of faces of which its first step fails (Fig. 24 of the paper).

Faces are grouped by what the first step, the output `coarse` of `paper-small`, gains in PSNR over the blurry face.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from picture_rows import results_of
from scipy.stats import spearmanr

from harness import markdown
from streamdeblur.evaluation.results import ResultFolder
from streamdeblur.evaluation.statistics import mean_interval

WHOLE = "onnx:paper-small"
FIRST_STEP = f"{WHOLE}?output=coarse"
"""The output of the hourglass alone."""
GROUPS = 4
"""Groups of equally many faces."""


def gains(results: ResultFolder, protocol: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The gains in dB of the first step and of the whole network over the blurry face: float64 [N] each."""
    faces = [face for face in results_of(results, protocol).values() if FIRST_STEP in face and WHOLE in face]
    blurred, *others = (np.array([face[name].metrics["psnr"] for face in faces]) for name in ("blurred", FIRST_STEP, WHOLE))
    return others[0] - blurred, others[1] - blurred


def steps_table(first: NDArray[np.float64], whole: NDArray[np.float64]) -> str:
    """A row for each group of faces, from those of which the first step gains least, with 95 % intervals over faces.

    A sentence tells the means over all, and the rank correlation of both gains.
    """
    rows = []
    for group in np.array_split(np.argsort(first), min(GROUPS, len(first))):
        low, high = first[group].min(), first[group].max()
        rows.append([f"{low:+.1f} to {high:+.1f} dB", str(len(group)), shown(whole[group]), worse(whole[group])])
    found = spearmanr(first, whole)
    head = ["gain of the first step", "faces", "mean gain of the whole network", "worse than the blurry face"]
    told = (
        f"All {len(first)} faces: the first step alone gains {shown(first)} ({worse(first)} are worse than the blurry ones), the "
        f"whole network {shown(whole)} ({worse(whole)}). "
        f"Rank correlation of both gains: {found.statistic:.2f} (p {found.pvalue:.2g})."
    )
    return f"{markdown(head, rows)}\n\n{told}"


def shown(gains: NDArray[np.float64]) -> str:
    """The mean of gains in dB and its interval."""
    found = mean_interval(gains, [str(number) for number in range(len(gains))])
    return f"{found.value:+.2f} dB [{found.low:+.2f} to {found.high:+.2f}]"


def worse(gains: NDArray[np.float64]) -> str:
    """The share of faces that are worse than the blurry ones."""
    return f"{100 * (gains < 0).mean():.0f} %"
