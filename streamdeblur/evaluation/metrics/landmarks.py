"""Metrics of landmark detection (Sec. 5.2): the error of one face; of many faces the CED curve, its AUC and the failure rate.

An error is that of one face, as a fraction of its size; infinite if no landmarks were found. Those of many faces are float64 [N].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streamdeblur.evaluation.cases import Points

LIMIT = 0.08
"""Faces with larger errors count as failures; the AUC is that of the CED curve up to here (Sec. 5.2)."""


def landmark_error(detected: Points, true: Points) -> float:
    """Return the mean Euclidean distance of the points, as a fraction of the diagonal of the box around the true ones."""
    diagonal = float(np.linalg.norm(np.ptp(true, axis=0)))
    return float(np.linalg.norm(detected - true, axis=1).mean()) / diagonal


def ced(errors: ArrayLike, thresholds: ArrayLike) -> NDArray[np.float64]:
    """Return the cumulative error distribution: for each threshold the fraction of faces whose error is not above it.

    Raises:
        ValueError: There are no errors, or one is negative or NaN.
    """
    ordered = np.sort(_checked(errors))
    return np.searchsorted(ordered, np.asarray(thresholds, np.float64), side="right") / len(ordered)


def auc_parts(errors: ArrayLike, limit: float = LIMIT) -> NDArray[np.float64]:
    """Return the contribution of each face to the AUC, from 1 for an error of 0 to 0 at the limit; `auc` is their mean.

    The CED curve is the mean of one step per face, from 0 to 1 at its error, and the area under a step up to the limit is
    ``max(0, limit - error)``. So the AUC needs no sampled curve, and its intervals and tests are those of a mean.

    Raises:
        ValueError: There are no errors, or one is negative or NaN.
    """
    return np.maximum(0.0, 1.0 - _checked(errors) / limit)


def auc(errors: ArrayLike, limit: float = LIMIT) -> float:
    """Return the area under the CED curve from 0 to the limit, divided by the limit: 1 where all errors are 0.

    Raises:
        ValueError: There are no errors, or one is negative or NaN.
    """
    return float(auc_parts(errors, limit).mean())


def failures(errors: ArrayLike, limit: float = LIMIT) -> NDArray[np.float64]:
    """Return 1 for each face whose error is above the limit, else 0; `failure_rate` is their mean.

    Raises:
        ValueError: There are no errors, or one is negative or NaN.
    """
    return (_checked(errors) > limit).astype(np.float64)


def failure_rate(errors: ArrayLike, limit: float = LIMIT) -> float:
    """Return the fraction of faces whose error is above the limit.

    Raises:
        ValueError: There are no errors, or one is negative or NaN.
    """
    return float(failures(errors, limit).mean())


def _checked(errors: ArrayLike) -> NDArray[np.float64]:
    checked = np.asarray(errors, np.float64)
    if checked.ndim != 1 or checked.size == 0 or not (checked >= 0.0).all():
        raise ValueError("Landmark errors are one number per face, each 0 or more (infinite where no landmarks were found).")
    return checked
