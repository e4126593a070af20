"""Views of faces to train on: turned, scaled, shifted and mirrored, in other light, hidden in part, and with the faults of video.

A detector that measures restorations must not see through blur: what blur hides has to cost accuracy, as it does with detectors
that were trained on photographs. But one that has never seen blur fails at once, and then cannot tell weak from strong blur. So
most views are sharp, and the others have a mild blur, of up to 14 px where methods are tested with up to 34 px.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.evaluation.cases import Points
from streamdeblur.evaluation.metrics.face_views import Matrix, mapped
from streamdeblur.evaluation.metrics.heatmap_landmarks import FIRST, SECOND, SIDE, mirrored_points, upright_view
from streamdeblur.evaluation.sources.pts import face_box_of
from streamdeblur.faces.window import CROP_SIZE, WINDOW_SCALE
from streamdeblur.training.blur.trajectories import sample_kernel, trimmed
from streamdeblur.training.landmarks.settings import AugmentationSettings

Image = NDArray[np.uint8]

TURN, SCALE, SHIFT, ASPECT = 20.0, 0.16, 0.07, 0.04
"""Of the views of windows: deviations of the angle in degrees, of the logarithm of the scale, of the shift as a share of the
face, and of the logarithm of the aspect ratio."""
LARGEST_TURN = 60.0
UPRIGHT = 0.15
"""Deviations of the upright views, which begin where a first result was, as a share of these."""
PIXELS = SIDE * WINDOW_SCALE / SECOND.scale / CROP_SIZE
"""Pixels of a view for each of a crop."""
WEAKEST_JPEG, LOUDEST, LARGEST_REDUCTION = 15, 12.0, 3.0


@dataclass(frozen=True, eq=False)
class View:
    """What the network is given, and what it should find."""

    luma: Image
    """uint8 [128, 128]."""
    points: Points
    """float64 [68, 2] in pixels of the view; some may lie beyond its border."""


def sample_view(random: np.random.Generator, face: Image, points: Points, settings: AugmentationSettings) -> View:
    """Make a random view of a face, uint8 RGB [256, 256, 3], whose points [68, 2] are known."""
    matrix = _sample_matrix(random, points, wide=random.random() < settings.wide)
    view = View(SECOND.picture(_luma(face), matrix), mapped(points, matrix))
    if random.random() < 0.5:
        view = View(np.ascontiguousarray(view.luma[:, ::-1]), mirrored_points(view.points))
    return View(degraded(random, view.luma, settings), view.points)


def plain_view(face: Image, points: Points) -> View:
    """Return the upright view of a face whose points [68, 2] are known."""
    matrix = upright_view(points)
    return View(SECOND.picture(_luma(face), matrix), mapped(points, matrix))


def _luma(face: Image) -> Image:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(face), cv2.COLOR_RGB2GRAY), np.uint8)


def _sample_matrix(random: np.random.Generator, points: Points, *, wide: bool) -> Matrix:
    """A view of a face as it stands in a window, which is off and tilted; or of one whose points were found before."""
    share = 1.0 if wide else UPRIGHT
    if wide:
        box = face_box_of(points)
        views, matrix = FIRST, FIRST.around((box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max()), 0.0)
    else:
        views, matrix = SECOND, upright_view(points)
    angle = np.deg2rad(np.clip(random.normal(0.0, TURN * share), -LARGEST_TURN, LARGEST_TURN))
    scale, aspect = np.exp(random.normal(0.0, (SCALE * share, ASPECT)))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    change = np.diag([scale * aspect, scale / aspect]) @ turn
    shift = random.normal(0.0, SHIFT * share * SIDE / views.scale, 2)
    return np.column_stack([change @ matrix[:, :2], change @ (matrix[:, 2] - SIDE / 2) + SIDE / 2 + shift])


def degraded(random: np.random.Generator, luma: Image, settings: AugmentationSettings) -> Image:
    """Return a view in other light and with random faults, each as often as the settings say."""
    luma = _lit(random, luma)
    if random.random() < settings.occluded:
        _hide(random, luma)
    if random.random() < settings.blurred:
        extent = float(random.uniform(*settings.extents))
        kernel = trimmed(sample_kernel(random, max(1.0, extent * PIXELS)))
        luma = np.asarray(cv2.filter2D(luma, -1, kernel, borderType=cv2.BORDER_REFLECT_101), np.uint8)
    if random.random() < settings.resampled:
        small = round(SIDE / random.uniform(1.0, LARGEST_REDUCTION))
        reduced = cv2.resize(luma, (small, small), interpolation=cv2.INTER_AREA)
        luma = np.asarray(cv2.resize(reduced, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)
    if random.random() < settings.noisy:
        noise = random.standard_normal((SIDE, SIDE), np.float32) * np.float32(random.uniform(0.0, LOUDEST))
        luma = np.clip(luma + noise, 0, 255).astype(np.uint8)
    if random.random() < settings.compressed:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(WEAKEST_JPEG, 95))]
        luma = np.asarray(cv2.imdecode(cv2.imencode(".jpg", luma, quality)[1], cv2.IMREAD_GRAYSCALE), np.uint8)
    return luma


def _lit(random: np.random.Generator, luma: Image) -> Image:
    """Another exposure and contrast, and light from one side."""
    exponent, contrast = np.exp(random.normal(0.0, (0.25, 0.2)))
    table = (np.arange(256, dtype=np.float32) / 255) ** np.float32(exponent)
    table = 0.5 + np.float32(contrast) * (table - 0.5) + np.float32(random.normal(0.0, 0.08))
    lit = cv2.LUT(luma, (255 * table).astype(np.float32))
    if random.random() < 0.3:
        ramp = np.linspace(-1, 1, SIDE, dtype=np.float32)
        angle, strength = random.uniform(0, 2 * np.pi), random.uniform(0.0, 0.5)
        lit = lit * (1 + np.float32(strength) * (np.float32(np.cos(angle)) * ramp + np.float32(np.sin(angle)) * ramp[:, None]))
    return np.clip(lit, 0, 255).astype(np.uint8)


def _hide(random: np.random.Generator, luma: Image) -> None:
    """Paint a random ellipse or rectangle over a view, in one grey or in noise."""
    width, height = random.uniform(0.1, 0.5, 2) * SIDE
    x, y = random.uniform(0, SIDE, 2)
    mask = np.zeros_like(luma)
    if random.random() < 0.5:
        cv2.ellipse(mask, ((x, y), (width, height), float(random.uniform(0, 180))), 1, -1)
    else:
        cv2.rectangle(mask, (int(x - width / 2), int(y - height / 2)), (int(x + width / 2), int(y + height / 2)), 1, -1)
    grey = random.integers(0, 256) + random.normal(0.0, random.uniform(0, 40), (SIDE, SIDE))
    np.copyto(luma, np.clip(grey, 0, 255).astype(np.uint8), where=mask.astype(bool))
