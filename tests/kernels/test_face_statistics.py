"""The statistics of a face against their NumPy reference."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from streamdeblur.kernels.face_statistics import NAMES, face_statistics
from support.reference.face_statistics import statistics


@pytest.mark.parametrize("part", [(48, 208, 1), (48, 208, 3), (5, 29, 1), (3, 100, 2)])
def test_the_statistics_are_their_reference(photograph, part):
    crop = cv2.resize(photograph[312:512, 696:896], (256, 256))
    measured = face_statistics(crop, *part)
    assert measured.shape == (len(NAMES),)
    assert measured == pytest.approx(statistics(crop, *part), abs=2e-4)


def test_a_face_of_one_value_has_finite_statistics():
    assert np.isfinite(face_statistics(np.full((256, 256, 3), 255, np.uint8), 48, 208, 1)).all()


def test_a_face_of_few_samples_is_refused():
    with pytest.raises(ValueError, match="24 samples"):
        face_statistics(np.zeros((256, 256, 3), np.uint8), 48, 208, 7)
