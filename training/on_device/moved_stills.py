"""Sequences of stills whose face, camera and window move, drawn on a device; see `blur.sequences`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from streamdeblur.training.blur.face_motion import FACE, MESH
from streamdeblur.training.blur.sequences import ONE_KERNEL_PIXELS, STEP_PIXELS, STEPS, STILL_PIXELS, Course, still_margin
from streamdeblur.training.blur.trajectories import SIZE
from streamdeblur.training.blur.view import View
from streamdeblur.training.on_device.arrays import column, floats
from streamdeblur.training.on_device.light import convolved
from streamdeblur.training.on_device.resampling import linear_matrix, resized

REACH = SIZE // 2
MOMENTS = 2 * STEPS + 1
MOST_DRAWN = 128
"""Pictures drawn at a time: 128 of 192 px take 0.5 GB."""


class Scene(NamedTuple):
    """What moves in front of one still."""

    course: Course
    crop: View
    view: View

    @property
    def margin(self) -> int:
        """Pixels around the view that are drawn from."""
        return still_margin(self.course, self.crop)


class _Paths(NamedTuple):
    """Motion of N sequences of E exposures."""

    positions: Tensor
    """On the sensor in pixels, float64 [N, E, points, 2]; longer than an exposure where others have more points."""
    counts: Tensor
    """Points of each sequence, int64 [N, 1]."""
    own: Tensor
    """What the face does beside moving as a whole, at each moment: float32 [N, E, MOMENTS, MESH, MESH, 2]."""
    drift: Tensor
    """float64 [N, E, 4]."""


class _Parts(NamedTuple):
    """Parts of exposures, in each of which the face stands still."""

    exposures: list[int]
    """Number of the exposure that each belongs to, over all sequences."""
    moments: list[int]
    """The moment at which the face is drawn."""
    first: list[int]
    """Number of the first part of each exposure."""
    steps: list[int]
    """Number of the parts of each exposure."""


def expose(intensity: Tensor, margin: int, scenes: Sequence[Scene]) -> tuple[Tensor, Tensor]:
    """Draw the exposures of stills.

    Args:
        intensity: Linear intensity of the views and of `margin` pixels around them, highlights included: float32 [N, 3, H, W].
        margin: At least that of each scene.
        scenes: What moves; all with as many exposures, and views of one size.

    Returns:
        Linear intensity of the exposures, float32 [N, E, 3, S, S], and their kernels, float32 [N, E, 41, 41], zero where the blur
        is not one.
    """
    paths = _paths(scenes, intensity.device)
    count, exposures = paths.own.shape[:2]
    parts = _divide(paths)
    kernels = _kernels(paths, parts)
    size = scenes[0].view.width
    total = torch.zeros((count * exposures, 3, size, size), device=intensity.device)
    for begin in range(0, len(parts.exposures), MOST_DRAWN):
        numbers = range(begin, min(begin + MOST_DRAWN, len(parts.exposures)))
        owners = [parts.exposures[n] for n in numbers]
        fields = paths.own.flatten(0, 1)[owners, [parts.moments[n] for n in numbers]]
        whole = [owner // exposures for owner in owners]
        moved = _warped(intensity[whole], margin, [scenes[n] for n in whole], fields, paths.drift.flatten(0, 1)[owners])
        total.index_add_(0, column(owners, intensity.device)[:, 0], convolved(moved, kernels[begin : begin + MOST_DRAWN]))
    return torch.unflatten(total, 0, (count, exposures)), _whole_kernels(paths, parts, kernels, size)


def _paths(scenes: Sequence[Scene], device: torch.device) -> _Paths:
    exposures = scenes[0].course.exposures
    fields = _at_moments(scenes, device)
    translations = fields[..., FACE, FACE, :].mean((-3, -2))
    points = [scene.course.shake.positions.shape[1] for scene in scenes]
    longest, counts = max(points), column(points, device)
    # the translation at each point, between those of two moments
    at = torch.arange(longest, device=device) * ((MOMENTS - 1) / (counts - 1))
    matrix = linear_matrix(at.double(), torch.full_like(counts, MOMENTS), MOMENTS)[:, None]
    moved = matrix @ (translations - translations[:, :, STEPS, None])
    shaken = np.stack([_padded(scene.course.shake.positions, longest) for scene in scenes])
    drift = torch.from_numpy(np.stack([scene.course.drift for scene in scenes])).to(device)
    positions = torch.from_numpy(shaken).to(device).double() + moved + drift[:, :, None, :2]
    present = _fields_at(scenes, [[scene.course.middle(exposures - 1)] for scene in scenes], device)[:, None]
    own = fields - present
    own = own - own[..., FACE, FACE, :].mean((-3, -2))[..., None, None, :]
    return _Paths(positions, counts, own, drift)


def _at_moments(scenes: Sequence[Scene], device: torch.device) -> Tensor:
    """The displacements of the mesh at each moment of each exposure: [N, E, MOMENTS, MESH, MESH, 2] in pixels."""
    exposures = scenes[0].course.exposures
    shares = np.linspace(0.0, 1.0, MOMENTS)
    moments = [[e + scene.course.duty * share for e in range(exposures) for share in shares] for scene in scenes]
    return torch.unflatten(_fields_at(scenes, moments, device), 1, (exposures, MOMENTS))


def _fields_at(scenes: Sequence[Scene], moments: list[list[float]], device: torch.device) -> Tensor:
    """The displacements of the mesh at moments, [N, moments, MESH, MESH, 2] in pixels; see `FaceMotion.at`."""
    known = max(len(scene.course.motion.fields) for scene in scenes)
    fields = [_repeated(scene.course.motion.fields * np.float32(scene.crop.width), known) for scene in scenes]
    matrix = linear_matrix(floats(moments, device), torch.full((len(scenes), 1), known, device=device), known)
    known_fields = torch.from_numpy(np.stack(fields)).to(device)
    return torch.unflatten(matrix @ known_fields.flatten(2), 2, (MESH, MESH, 2))


def _repeated(fields: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Fields, the last one as often as needed: a face that leaves its clip stays where it is."""
    return np.pad(fields, ((0, count - len(fields)), *((0, 0),) * 3), mode="edge")


def _padded(positions: NDArray[np.float32], points: int) -> NDArray[np.float32]:
    return np.pad(positions, ((0, 0), (0, points - positions.shape[1]), (0, 0)), mode="edge")


def _divide(paths: _Paths) -> _Parts:
    """Divide exposures into parts; more where the face changes faster."""
    changes = paths.own.diff(dim=2).abs().amax((2, 3, 4, 5)) * (MOMENTS - 1)
    steps = (changes / STEP_PIXELS).ceil().clamp(1, STEPS).flatten().long().tolist()
    # a power of two, whose middles are among the known moments
    steps = [1 << (step - 1).bit_length() for step in steps]
    exposures = [number for number, step in enumerate(steps) for _ in range(step)]
    moments = [(2 * part + 1) * STEPS // step for step in steps for part in range(step)]
    first = np.cumsum([0, *steps[:-1]]).tolist()
    return _Parts(exposures, moments, first, steps)


def _kernels(paths: _Paths, parts: _Parts) -> Tensor:
    """The kernel of each part, of the weight that its part of the exposure has: float32 [parts, 41, 41]."""
    count, exposures, longest = paths.positions.shape[:3]
    device = paths.positions.device
    numbers = torch.arange(longest, device=device)
    steps, first = (column(values, device).view(count, exposures, 1) for values in (parts.steps, parts.first))
    # borders are rounded as NumPy does: to the nearest even number
    borders = (torch.arange(1, STEPS, device=device) * (paths.counts.double()[:, None] / steps)).round()
    inner = torch.arange(1, STEPS, device=device) < steps
    passed = (numbers[:, None] >= borders[:, :, None]) & inner[:, :, None]
    part = first + passed.sum(-1)
    weights = torch.where(numbers < paths.counts, 1.0 / paths.counts, 0.0)[:, None].expand(-1, exposures, -1)
    return _splat(paths.positions.flatten(0, 2), part.flatten(), weights.flatten(), len(parts.exposures))


def _splat(positions: Tensor, kernels: Tensor, weights: Tensor, count: int) -> Tensor:
    """Add points to kernels, see `shake.kernel_at`: positions [n, 2], number of the kernel and weight of each."""
    places = (positions + SIZE // 2).clamp(0.0, SIZE - 1.001)
    whole = places.floor()
    right, below = (places - whole).unbind(1)
    at = kernels * SIZE**2 + whole[:, 1].long() * SIZE + whole[:, 0].long()
    total = torch.zeros(count * SIZE**2, dtype=torch.float64, device=positions.device)
    corners = ((0, (1 - below) * (1 - right)), (1, (1 - below) * right), (SIZE, below * (1 - right)), (SIZE + 1, below * right))
    for offset, share in corners:
        total.index_add_(0, at + offset, share * weights)
    return total.float().view(count, SIZE, SIZE)


def _whole_kernels(paths: _Paths, parts: _Parts, kernels: Tensor, size: int) -> Tensor:
    """The kernels of whole exposures, zero where the face changes too much for one: [N, E, 41, 41]."""
    total = torch.zeros((len(parts.steps), SIZE, SIZE), device=kernels.device)
    total.index_add_(0, column(parts.exposures, kernels.device)[:, 0], kernels)
    differences = paths.own.abs().amax((2, 3, 4, 5)) + paths.drift[..., 2:].abs().amax(-1) * (size / 2)
    known = differences <= ONE_KERNEL_PIXELS
    return torch.unflatten(total, 0, known.shape) * known[..., None, None]


def _warped(intensity: Tensor, margin: int, scenes: Sequence[Scene], fields: Tensor, drift: Tensor) -> Tensor:
    """Stills with their faces moved, turned and scaled, and what the largest kernel reaches around: [N, 3, S + 40, S + 40].

    Args:
        intensity: Of the views and `margin` pixels around, [N, 3, H, W].
        margin: See `intensity`.
        scenes: Of each picture.
        fields: What each face does, [N, MESH, MESH, 2].
        drift: What the tracker leaves, float64 [N, 4].
    """
    device = intensity.device
    moves = (drift[:, 2:] != 0).any(1) | (fields.abs().amax((1, 2, 3)) >= STILL_PIXELS)
    dense = _dense(scenes, fields * moves[:, None, None, None])
    size = scenes[0].view.width + 2 * REACH
    middle = (scenes[0].view.width - 1) / 2
    samples = torch.arange(size, device=device) - (REACH + middle)
    scale = torch.exp(-drift[:, 3])
    cosine, sine = ((scale * turn(drift[:, 2])).float()[:, None, None] for turn in (torch.cos, torch.sin))
    across, down = samples[None, :], samples[:, None]
    margins = column([scene.margin for scene in scenes], device)[..., None]
    turned = torch.stack([cosine * across + sine * down, cosine * down - sine * across], -1)
    places = turned + (middle + margins)[..., None] - dense
    # mirrored at the border of what the CPU draws from, which lies within what is drawn from here
    last = scenes[0].view.width + 2 * margins[..., None] - 1
    inside = torch.remainder(places, 2.0 * last)
    inside = torch.minimum(inside, 2.0 * last - inside) + (margin - margins)[..., None]
    grid = inside * (2 / (intensity.shape[-1] - 1)) - 1
    return F.grid_sample(intensity, grid.float(), mode="bilinear", padding_mode="border", align_corners=True)


def _dense(scenes: Sequence[Scene], fields: Tensor) -> Tensor:
    """The displacements at each pixel of views and around them: [N, S + 40, S + 40, 2]."""
    device = fields.device
    size = scenes[0].view.width + 2 * REACH
    pitch = (scenes[0].crop.width - 1) / (MESH - 1)
    sizes = torch.full((len(scenes), 1), MESH, device=device)
    samples = torch.arange(size, device=device)

    def matrix(begins: list[int]) -> Tensor:
        # OpenCV interpolates two channels at 1/32 of a sample
        places = (samples + column(begins, device) - REACH) * (32 / pitch)
        return linear_matrix((places + 0.5).floor() / 32, sizes, MESH)

    columns = matrix([scene.view.left - scene.crop.left for scene in scenes])
    lines = matrix([scene.view.top - scene.crop.top for scene in scenes])
    return resized(fields.permute(0, 3, 1, 2), lines, columns).permute(0, 2, 3, 1)
