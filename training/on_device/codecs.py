"""What streams and television do to code values, of many pictures at a time; see `blur.compression` and `blur.broadcast`.

Pictures are float32 [N, 3, S, S] with whole code values from 0 to 255.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from streamdeblur.training.blur.broadcast import CHROMA_SOFTNESS, HALO_WIDTH, LINE_SOFTNESS
from streamdeblur.training.on_device.resampling import centres, gaussian_matrix, linear_matrix, linear_taps, resized

BLOCK = 8
LUMA_STEPS = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
CHROMA_STEPS = (
    (17, 18, 24, 47, 99, 99, 99, 99), (18, 21, 26, 66, 99, 99, 99, 99), (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99), *((99,) * 8,) * 4,
)  # fmt: skip
"""Quantisers of ITU-T T.81, Annex K, at quality 50."""


def code_values(images: Tensor) -> Tensor:
    """Round and clip to code values."""
    return (images + 0.5).floor().clamp(0, 255)


def down_and_up(images: Tensor, factors: Tensor) -> Tensor:
    """Resize to a size `factors` [N] times smaller and back."""
    size = images.shape[-1]
    small = (size / factors).round().clamp_min(1)[:, None]
    widest = int(small.max())
    whole = torch.full_like(small, size, dtype=torch.int64)
    down = linear_taps(centres(widest, size / small), whole, size)
    up = linear_taps(centres(size, small / size), small.long(), widest)
    return _interpolated(_interpolated(images, down), up)


def _interpolated(images: Tensor, taps: tuple[Tensor, Tensor]) -> Tensor:
    """Resize linearly along both axes as OpenCV does, whose two products per column are cut to quarters of a code value."""
    upper, lower = ((2048 * weights).round() / 2048 for weights in taps)
    wide = images @ (upper + lower).mT[:, None]
    quarters = (4 * (upper[:, None] @ wide)).floor() + (4 * (lower[:, None] @ wide)).floor()
    return ((quarters + 2) / 4).floor().clamp(0, 255)


def taped(images: Tensor, softness: Tensor) -> Tensor:
    """Soften as a video tape does, by `softness` [N]."""
    size = images.shape[-1]
    red, green, blue = images.unbind(1)
    luma = code_values(0.299 * red + 0.587 * green + 0.114 * blue)
    planes = torch.stack([luma, code_values((red - luma) * 0.713 + 128), code_values((blue - luma) * 0.564 + 128)], 1)
    lines = gaussian_matrix(LINE_SOFTNESS * softness, size)
    sharp, soft = gaussian_matrix(softness, size), gaussian_matrix(CHROMA_SOFTNESS * softness, size)
    softened = [code_values(resized(planes[:, k, None], lines, columns)) for k, columns in enumerate((sharp, soft, soft))]
    luma, reds, blues = (plane[:, 0] for plane in softened)
    reds, blues = reds - 128, blues - 128
    return code_values(torch.stack([luma + 1.403 * reds, luma - 0.714 * reds - 0.344 * blues, luma + 1.773 * blues], 1))


def sharpened(images: Tensor, amounts: Tensor) -> Tensor:
    """Add halos of the strengths `amounts` [N]."""
    size = images.shape[-1]
    across, down = (gaussian_matrix(torch.full_like(amounts, width), size) for width in (HALO_WIDTH, HALO_WIDTH / 3))
    wide = code_values(resized(images, down, across))
    return (images + amounts[:, None, None, None] * (images - wide)).round().clamp(0, 255)


def combed(images: Tensor, moved: Tensor) -> Tensor:
    """Take every second line from where the picture was before it `moved`, [N, 2] in pixels, x and y."""
    size = images.shape[-1]
    sizes = torch.full((len(images), 1), size, device=images.device)
    samples = torch.arange(size, device=images.device, dtype=torch.float32)
    columns, lines = (linear_matrix(samples + moved[:, axis, None], sizes, size, "mirror") for axis in (0, 1))
    before = code_values(resized(images, lines, columns))
    odd = torch.arange(size, device=images.device) % 2 == 1
    return torch.where(odd[:, None], before, images)


def jpeg(images: Tensor, qualities: Tensor) -> Tensor:
    """Compress as JPEG of these qualities, [N], with halved chroma: libjpeg's steps in floating point, without its coding."""
    size = images.shape[-1]
    padding = -size % (2 * BLOCK)
    red, green, blue = F.pad(images, (0, padding, 0, padding), mode="replicate").unbind(1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = torch.stack([(blue - luma) * 0.564334, (red - luma) * 0.713267], 1)
    # libjpeg's means are rounded down and up in turns
    rounding = 0.25 + 0.25 * (torch.arange((size + padding) // 2, device=images.device) % 2)
    halved = (F.avg_pool2d(code_values(chroma + 128), 2) + rounding).floor()
    luma = _quantised(code_values(luma)[:, None], _steps(LUMA_STEPS, qualities))[..., :size, :size]
    half = -(-size // 2)
    chroma = _quantised(halved, _steps(CHROMA_STEPS, qualities))[..., :half, :half]
    sizes = torch.full((1, 1), half, device=images.device)
    up = linear_matrix(centres(size, torch.full((1, 1), 0.5, device=images.device)), sizes, half)
    blues, reds = (code_values(resized(chroma, up, up)) - 128).unbind(1)
    luma = luma[:, 0]
    return code_values(torch.stack([luma + 1.402 * reds, luma - 0.344136 * blues - 0.714136 * reds, luma + 1.772 * blues], 1))


def _steps(table: tuple[tuple[int, ...], ...], qualities: Tensor) -> Tensor:
    """The quantisers of each quality, [N, 8, 8], as libjpeg scales them."""
    quality = qualities.round().clamp(1, 100)
    percent = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
    scaled = (torch.tensor(table, device=qualities.device) * percent[:, None, None] + 50) / 100
    return scaled.floor().clamp(1, 255)


def _quantised(planes: Tensor, steps: Tensor) -> Tensor:
    """Transform 8 x 8 blocks of planes [N, C, h, w], round the coefficients to multiples of steps [N, 8, 8], and go back."""
    transform = _cosines(planes.device)
    height, width = planes.shape[-2:]
    rows = torch.unflatten(torch.unflatten(planes, 3, (width // BLOCK, BLOCK)), 2, (height // BLOCK, BLOCK))
    blocks = rows.transpose(3, 4) - 128
    by = steps[:, None, None, None]
    rounded = ((transform @ blocks @ transform.T) / by).round() * by
    back = transform.T @ rounded @ transform + 128
    return code_values(back.transpose(3, 4).flatten(4, 5).flatten(2, 3))


def _cosines(device: torch.device) -> Tensor:
    """The orthonormal discrete cosine transform of 8 samples."""
    numbers = torch.arange(BLOCK, device=device, dtype=torch.float32)
    matrix = torch.cos(numbers[:, None] * (2 * numbers + 1) * (math.pi / (2 * BLOCK))) / 2
    matrix[0] /= math.sqrt(2)
    return matrix
