"""Identity embeddings of faces: dlib's, or InsightFace's ArcFace."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from streamdeblur.errors import OptionError
from streamdeblur.evaluation.cases import Embedding, Image, Points
from streamdeblur.known_names import shown, suggestion


class Embedder(Protocol):
    """Computes a vector that tells people apart. Call it from one thread at a time."""

    @property
    def name(self) -> str:
        """A name for display."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the vectors may change."""

    def __call__(self, crop: Image, landmarks: Points) -> Embedding:
        """Embed a face.

        Args:
            crop: A face window, uint8 RGB [S, S, 3].
            landmarks: Its 68 points, detected in this crop; the face is rotated upright by them.

        Returns:
            float64 [D], of length 1.
        """


def open_embedder(name: str = "dlib") -> Embedder:
    """Open an embedder by name.

    Args:
        name: ``dlib``; ``arcface`` (of an InsightFace model pack) or ``arcface:FILE.onnx``.

    Raises:
        OptionError: The name is unknown, a package or file is missing, or the file is not such a network.
    """
    kind, _, file = name.partition(":")
    if kind == "dlib" and not file:
        from streamdeblur.evaluation.metrics.dlib_models import DlibEmbedder

        return DlibEmbedder()
    if kind == "arcface":
        from streamdeblur.evaluation.metrics.insightface_models import ARCFACE_FILE, ArcFace, find_model

        return ArcFace(Path(file) if file else find_model(ARCFACE_FILE))
    raise OptionError(f"Unknown face embedding {shown(name)}. {suggestion(name, ('dlib', 'arcface[:FILE.onnx]'))}")


def cosine(first: Embedding, second: Embedding) -> float:
    """Return the cosine of two embeddings of length 1: 1 for the same face, about 0 for different people."""
    return float(first @ second)
