"""Curves of a report as SVG: cumulative distributions of landmark errors and of identity cosines."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

SIZE = 6.4, 4.0
"""Inches."""


def error_curves(errors: Mapping[str, Sequence[float]], limit: float) -> str:
    """Draw the cumulative error distribution of each method (Figs. 10 to 19 of the paper).

    Args:
        errors: By method: the landmark errors of its images, as fractions of the diagonal of the face.
        limit: End of the axis of errors.

    Returns:
        SVG.
    """
    curves = {name: (np.sort(values), _shares(len(values))) for name, values in errors.items() if len(values)}
    return _curves(curves, "error / diagonal of the face", "share of images", (0.0, limit))


def cosine_curves(cosines: Mapping[str, Sequence[float]]) -> str:
    """Draw the cumulative distribution of the cosine between the embeddings of restored and sharp faces (Figs. 20 and 21).

    Args:
        cosines: By method: the cosines of its images.

    Returns:
        SVG.
    """
    curves = {name: (np.sort(values), _shares(len(values))) for name, values in cosines.items() if len(values)}
    lowest = min(float(values[0]) for values, _ in curves.values())
    return _curves(curves, "cosine to the sharp face", "share of images below", (lowest, 1.0))


def _shares(count: int) -> NDArray[np.float64]:
    return np.arange(1, count + 1) / count


def _curves(
    curves: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
    across: str,
    upwards: str,
    span: tuple[float, float],
) -> str:
    # text stays text, so that it can be searched and read aloud; a fixed salt gives the same bytes for the same curves
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "streamdeblur", "font.family": "sans-serif"}):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        colours = matplotlib.colormaps["tab10" if len(curves) <= 10 else "tab20"]
        for number, (name, (values, shares)) in enumerate(curves.items()):
            axes.step(np.r_[span[0], values], np.r_[0.0, shares], where="post", label=name, color=colours(number), linewidth=1.4)
        axes.set(xlabel=across, ylabel=upwards, xlim=span, ylim=(0.0, 1.0))
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
