"""Curves of a report as SVG: cumulative errors of landmarks, and distributions of identity cosines.

Axes, texts and grid have the colour of the text around them (``currentColor``), and the background is transparent.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from streamdeblur.evaluation.metrics.landmarks import LIMIT, auc
from streamdeblur.evaluation.summary import ProtocolSummary

SIZE = 6.4, 4.0
"""Inches."""
GRID = 400
"""Points of a density."""
NARROWEST = 0.002
"""Smallest bandwidth of a density of cosines, and smallest spread of a distribution that is drawn as one: that of the sharp faces
themselves is a single line at 1."""

INK = "#010203"
"""Colour that stands for that of the text until the SVG is written: matplotlib knows no ``currentColor``."""
ALONE = (
    "<style>svg{color:#161a22;background:#fff}@media(prefers-color-scheme:dark){svg{color:#e9ecf2;background:#0d1016}}</style>"
)
"""Style of a file of its own, which has no text around it."""

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Values across and upwards."""


def curves_of(summary: ProtocolSummary) -> dict[str, str]:
    """Draw the curves of a protocol: SVG by title; none where their metrics were not measured."""
    found = {}
    if summary.errors:
        found["Cumulative error of landmarks"] = error_curves(summary.errors, LIMIT)
    if summary.cosines:
        found["Cosine of identities, cumulative"] = cosine_curves(summary.cosines)
        if any(_spreads(values) for values in summary.cosines.values()):
            found["Cosine of identities, density"] = cosine_densities(summary.cosines)
    return found


def alone(svg: str) -> str:
    """Return an SVG as the content of a file of its own, which follows the colour scheme of the reader."""
    begin = svg.index(">") + 1
    return svg[:begin] + ALONE + svg[begin:]


def error_curves(errors: Mapping[str, Sequence[float]], limit: float) -> str:
    """Draw the cumulative error distribution (CED) of each method, the best area first (Figs. 11 and 12 of the paper).

    Args:
        errors: By method: the landmark errors of its images, as fractions of the diagonal of the face.
        limit: End of the axis of errors.

    Returns:
        SVG.
    """
    ranked = sorted((name for name in errors if len(errors[name])), key=lambda name: -auc(errors[name], limit))
    curves = {name: (np.sort(errors[name]), _shares(len(errors[name]))) for name in ranked}
    return _curves(curves, "error / diagonal of the face", "share of images", (0.0, limit))


def cosine_curves(cosines: Mapping[str, Sequence[float]]) -> str:
    """Draw the cumulative distribution of the cosine between the embeddings of restored and sharp faces, the best mean first.

    Args:
        cosines: By method: the cosines of its images.

    Returns:
        SVG.
    """
    curves = {name: (np.sort(cosines[name]), _shares(len(cosines[name]))) for name in _by_mean(cosines)}
    lowest = min(float(values[0]) for values, _ in curves.values())
    return _curves(curves, "cosine to the sharp face", "share of images below", (lowest, 1.0))


def cosine_densities(cosines: Mapping[str, Sequence[float]], lowest: float | None = None) -> str:
    """Draw the density of the same cosines (Figs. 20 to 22 of the paper), the best mean first: the narrower and the nearer to 1,
    the better. A method without spread, as the sharp faces are, is left out.

    Args:
        cosines: As for `cosine_curves`.
        lowest: Where the axis of cosines begins; None where the densities do.

    Returns:
        SVG.
    """
    spread = _with_spread(cosines)
    lowest = begin_of_densities(cosines) if lowest is None else lowest
    across = np.linspace(lowest, 1.0, GRID)
    curves = {name: (across, density(values, across)) for name, values in spread.items()}
    return _curves(curves, "cosine to the sharp face", "density", (lowest, 1.0), "density")


def begin_of_densities(cosines: Mapping[str, Sequence[float]]) -> float:
    """Return where the densities of `cosine_densities` begin: the least cosine at which one is above zero."""
    return min(float(values.min() - 3 * _bandwidth(values)) for values in _with_spread(cosines).values())


def _with_spread(cosines: Mapping[str, Sequence[float]]) -> dict[str, NDArray[np.float64]]:
    """Those methods of which a density can be drawn, the best mean first."""
    return {name: np.asarray(cosines[name], np.float64) for name in _by_mean(cosines) if _spreads(cosines[name])}


def density(values: NDArray[np.float64], across: NDArray[np.float64]) -> NDArray[np.float64]:
    """Estimate the density of cosines by Gaussian kernels (Silverman 1986, eq. 3.31), reflected at 1, which none exceeds.

    Args:
        values: float64 [N].
        across: Where it is estimated, at most 1: float64 [M].

    Returns:
        float64 [M].
    """
    width = _bandwidth(values)
    both = np.concatenate([values, 2.0 - values])
    kernels = np.exp(-0.5 * np.square((across[:, None] - both) / width))
    return np.asarray(kernels.sum(1) / (len(values) * width * np.sqrt(2 * np.pi)), np.float64)


def _bandwidth(values: NDArray[np.float64]) -> float:
    low, high = np.percentile(values, [25, 75])
    spread = min(float(values.std()), float(high - low) / 1.34) or float(values.std())
    return max(NARROWEST, 0.9 * spread / float(np.power(len(values), 0.2)))


def _spreads(values: Sequence[float]) -> bool:
    return len(values) > 1 and float(np.std(values)) >= NARROWEST


def _by_mean(cosines: Mapping[str, Sequence[float]]) -> list[str]:
    return sorted((name for name, values in cosines.items() if len(values)), key=lambda name: -float(np.mean(cosines[name])))


def _shares(count: int) -> NDArray[np.float64]:
    return np.arange(1, count + 1) / count


def _curves(
    curves: Mapping[str, Curve],
    across: str,
    upwards: str,
    span: tuple[float, float],
    kind: Literal["cumulative", "density"] = "cumulative",
) -> str:
    # text stays text, so that it can be searched and read aloud; a fixed salt gives the same bytes for the same curves
    with matplotlib.rc_context(
        {
            "svg.fonttype": "none", "svg.hashsalt": "streamdeblur", "font.family": "sans-serif", "text.color": INK,
            "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "grid.color": INK,
        }
    ):  # fmt: skip
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        colours = matplotlib.colormaps["tab10" if len(curves) <= 10 else "tab20"]
        for number, (name, (values, shares)) in enumerate(curves.items()):
            if kind == "cumulative":
                values, shares = np.r_[span[0], values], np.r_[0.0, shares]
            style = "steps-post" if kind == "cumulative" else "default"
            axes.plot(values, shares, drawstyle=style, label=name, color=colours(number), linewidth=1.4)
        axes.set(xlabel=across, ylabel=upwards, xlim=span, ylim=(0.0, 1.0 if kind == "cumulative" else None))
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", framealpha=0.0)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")
