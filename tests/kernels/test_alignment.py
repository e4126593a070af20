"""A picture that has moved and grown is found again."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from streamdeblur.kernels.alignment import align


@pytest.fixture(scope="module")
def face(photograph):
    """Gray, with its middle in that of a face: float32 [80, 80]."""
    gray = cv2.cvtColor(photograph[312:512, 696:896], cv2.COLOR_RGB2GRAY)
    return cv2.resize(gray, (80, 80), interpolation=cv2.INTER_AREA).astype(np.float32)


def square(picture, size, x=0.0, y=0.0, scale=1.0):
    """A square around the middle, which a camera that moved by (-x, -y) pixels and zoomed shows."""
    middle = (picture.shape[0] - 1) / 2
    offset = (size - 1) / 2
    matrix = np.array([[scale, 0, offset + x - scale * middle], [0, scale, offset + y - scale * middle]])
    return cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize(("x", "y", "scale"), [(0, 0, 1), (0.4, -0.3, 1), (4.5, 3, 1), (-5, 2, 0.97), (1, -5.5, 1.04)])
def test_motion_and_growth_are_found_in_noise_and_other_light(face, x, y, scale):
    noise = np.random.default_rng(0).normal(0, 3, (48, 48))
    seen = (0.7 * square(face, 48, x, y, scale) + 25 + noise).astype(np.float32)
    place = np.empty(3)
    assert align(square(face, 32), seen, place) > 0.95
    np.testing.assert_allclose(place[:2], [x, y], atol=0.15)
    assert place[2] == pytest.approx(scale, abs=0.02)


def test_another_picture_does_not_look_alike(face, photograph):
    other = cv2.resize(photograph[500:620, 0:120, 1], (48, 48), interpolation=cv2.INTER_AREA).astype(np.float32)
    assert align(square(face, 32), other, np.empty(3)) < 0.9


@pytest.mark.parametrize("value", [0.0, 255.0, np.nan, np.inf])
def test_what_has_no_structure_is_not_found(face, value):
    flat = np.full((48, 48), value, np.float32)
    for template, picture in ((square(face, 32), flat), (flat[:32, :32].copy(), square(face, 48))):
        assert not align(template, picture, np.empty(3)) > 0.5
