"""Who a face shows, as a vector: dlib's embedding, or InsightFace's ArcFace."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import OptionError
from streamdeblur.evaluation.cases import Image, Points

Embedding = NDArray[np.float64]
"""float64 [D], of length 1."""


class Embedder(Protocol):
    """Turns a face into a vector that tells people apart. To be called from one thread at a time."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever its vectors may."""

    def __call__(self, crop: Image, landmarks: Points) -> Embedding:
        """The face in a window, uint8 RGB [S, S, 3], turned upright by its 68 points: those that were found in this very crop."""


def open_embedder(name: str = "dlib") -> Embedder:
    """An embedding: ``dlib``; ``arcface`` (of an InsightFace model pack) or ``arcface:FILE.onnx``.

    Raises:
        OptionError: an unknown name, a package or a file that is missing, or a file that is not such a network.
    """
    kind, _, file = name.partition(":")
    if kind == "dlib" and not file:
        from streamdeblur.evaluation.metrics.dlib_models import DlibEmbedder

        return DlibEmbedder()
    if kind == "arcface":
        from streamdeblur.evaluation.metrics.insightface_models import ARCFACE_FILE, ArcFace, find_model

        return ArcFace(Path(file) if file else find_model(ARCFACE_FILE))
    raise OptionError(f"Unknown face embedding '{name}'. Known: dlib, arcface[:FILE.onnx].")


def cosine(first: Embedding, second: Embedding) -> float:
    """Cosine of two embeddings of length 1: 1 for the same face, about 0 for people who have nothing in common."""
    return float(first @ second)
