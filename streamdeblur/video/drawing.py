"""Text, boxes and lines in a frame, drawn into its own planes: nothing else in it changes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streamdeblur.video.planes import Planes, SampleArray, upright_box

RGB = tuple[int, int, int]
WHITE, DARK = (255, 255, 255), (24, 24, 24)
LINES_PER_TEXT = 42
"""Lines of a frame for each line of its text."""
SMALLEST_TEXT = 14
"""Pixels of the smallest text that video encoders leave legible."""


def text_size(planes: Planes) -> int:
    """Return the size in pixels of text that is legible in a frame."""
    return max(SMALLEST_TEXT, round(min(planes.width, planes.height) / LINES_PER_TEXT))


@lru_cache(maxsize=256)
def text_picture(text: str, size: int, colour: RGB = WHITE, background: RGB = DARK) -> NDArray[np.uint8]:
    """Return a line of text as uint8 RGB [H, W, 3], with a margin around it; not to be changed.

    Args:
        text: Latin letters.
        size: Height of the letters in pixels.
        colour: Of the letters.
        background: Around them.
    """
    from PIL import Image, ImageDraw, ImageFont

    font, margin = ImageFont.load_default(size), size // 3
    left, _, right, _ = font.getbbox(text)
    picture = Image.new("RGB", (round(right - left) + 2 * margin, size + 2 * margin), background)
    ImageDraw.Draw(picture).text((margin - left, margin + size // 2), text, colour, font, anchor="lm")
    drawn = np.asarray(picture)
    drawn.flags.writeable = False
    return drawn


def draw_picture(planes: Planes, picture: NDArray[np.uint8], left: int, top: int) -> None:
    """Put a picture over a part of a frame; what would lie beyond the frame's border is left out.

    Args:
        planes: The frame.
        picture: uint8 RGB [H, W, 3].
        left: Column of its first pixel in the upright picture, taken back to one where a chroma sample begins.
        top: Line of its first pixel, taken back in the same way.
    """
    # most videos are written without anything drawn into them
    import cv2

    components = planes.layout.components
    # columns and lines of the upright picture per sample
    steps = [(c.vertical, c.horizontal) if planes.turn % 2 else (c.horizontal, c.vertical) for c in components]
    columns, lines = (max(sizes) for sizes in zip(*steps, strict=True))
    left, top = left // columns * columns, top // lines * lines
    cut_left, cut_top = max(0, -left), max(0, -top)
    picture = picture[cut_top:, cut_left:]
    if not picture.size:
        return
    below, beside = -picture.shape[0] % lines, -picture.shape[1] % columns
    whole = np.pad(picture, ((0, below), (0, beside), (0, 0)), mode="edge").astype(np.float32)
    for number, (across, down) in enumerate(steps):
        reduced = cv2.resize(whole, (whole.shape[1] // across, whole.shape[0] // down), interpolation=cv2.INTER_AREA)
        codes = np.rint(reduced @ planes.colour.from_rgb[number] + planes.colour.black[number])
        samples = np.rot90(_samples(planes, number), planes.turn)
        region = samples[(top + cut_top) // down :, (left + cut_left) // across :][: codes.shape[0], : codes.shape[1]]
        clipped = np.clip(codes, 0, planes.layout.maximum).astype(samples.dtype) << planes.layout.shift
        region[:] = clipped[: region.shape[0], : region.shape[1]]


def _samples(planes: Planes, number: int) -> SampleArray:
    """The samples of a component as a view of the frame, [lines, columns]."""
    component, (_, _, columns, lines, _) = planes.layout.components[number], planes.memory[number]
    return planes.arrays[number][:lines, component.offset :: component.stride][:, :columns]


def write_lines(planes: Planes, texts: Sequence[str], left: int, bottom: int, background: RGB = DARK) -> None:
    """Write lines of text, the last of which ends above the line `bottom` of the upright picture."""
    for text in reversed(texts):
        picture = text_picture(text, text_size(planes), background=background)
        bottom -= picture.shape[0]
        draw_picture(planes, picture, left, bottom)


def draw_box(planes: Planes, box: Sequence[float], colour: RGB) -> None:
    """Draw the outline of a box of the frame (x0, y0, x1, y1 in pixels)."""
    x0, y0, x1, y1 = map(round, upright_box(planes, box))
    width = line_width(planes)
    across = np.full((width, max(1, x1 - x0), 3), colour, np.uint8)
    down = np.full((max(1, y1 - y0), width, 3), colour, np.uint8)
    for picture, left, top in ((across, x0, y0), (across, x0, y1 - width), (down, x0, y0), (down, x1 - width, y0)):
        draw_picture(planes, picture, left, top)


def line_width(planes: Planes) -> int:
    """Return the width in pixels of a line that is seen in a frame: even, since a chroma sample may cover two columns."""
    return 2 * max(1, round(min(planes.width, planes.height) / 720))
