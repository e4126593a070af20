"""Examiner: the figures of one restored face."""

from __future__ import annotations

from dataclasses import dataclass

from streamdeblur import __version__
from streamdeblur.evaluation.cases import Case, Image, Points
from streamdeblur.evaluation.metrics.fidelity import gmsd, gradient_error, psnr, ssim
from streamdeblur.evaluation.metrics.identity import Embedder, Embedding, cosine, open_embedder
from streamdeblur.evaluation.metrics.landmark_detectors import Localiser, open_localiser, second_localiser
from streamdeblur.evaluation.metrics.landmarks import landmark_error

NONE = "none"

TRUTHS_KEPT = 1000
"""Cases whose sharp faces are remembered, from one method to the next."""

Figures = dict[str, float]
"""One number of each kind; see `summary.COLUMNS`."""


@dataclass(frozen=True)
class Instruments:
    """What faces are examined with, by name (`open_localiser`, `open_embedder`); 'none' does without."""

    localiser: str = "dlib"
    second: str = "auto"
    """'auto': the first that is installed, if any is."""
    embedder: str = "dlib"


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of a case's sharp face, or else of its reference."""

    landmarks: dict[str, Points]
    """By figure: what its localiser should find."""
    embedding: Embedding | None


class Examiner:
    """Compares restored faces with the sharp ones: pixels, landmarks, identity. For one thread at a time."""

    def __init__(self, instruments: Instruments | None = None) -> None:
        """
        Raises:
            OptionError: an instrument is not known or not installed.
        """
        chosen = instruments or Instruments()
        self._truths: dict[str, Truth] = {}
        self.localisers: dict[str, Localiser] = {}
        self.embedder: Embedder | None = None
        if chosen.localiser != NONE:
            self.localisers["landmarks"] = open_localiser(chosen.localiser)
            if chosen.embedder != NONE:
                self.embedder = open_embedder(chosen.embedder)
        second = second_localiser() if chosen.second == "auto" else None
        if chosen.second not in ("auto", NONE):
            second = open_localiser(chosen.second)
        if second:
            self.localisers["landmarks_second"] = second

    @property
    def fingerprint(self) -> str:
        """Changes whenever its figures may."""
        parts = [localiser.fingerprint for localiser in self.localisers.values()]
        parts += [self.embedder.fingerprint] if self.embedder else []
        return "; ".join([f"streamdeblur {__version__}", *parts])

    def truth(self, case: Case) -> Truth:
        """What restored faces of a case are compared with."""
        if case.digest not in self._truths:
            if len(self._truths) >= TRUTHS_KEPT:
                self._truths.clear()
            self._truths[case.digest] = self._truth(case)
        return self._truths[case.digest]

    def _truth(self, case: Case) -> Truth:
        known = case.sharp if case.sharp is not None else case.reference
        if known is None:
            return Truth({}, None)
        found = {name: localiser(known) for name, localiser in self.localisers.items()}
        embedding = self.embedder(known, found["landmarks"]) if self.embedder else None
        if case.sharp is None:
            # (a reference from another moment tells who it is, but not where the points should be)
            return Truth({}, embedding)
        return Truth({name: points if case.landmarks is None else case.landmarks for name, points in found.items()}, embedding)

    def __call__(self, case: Case, restored: Image, truth: Truth) -> tuple[Figures, Embedding | None]:
        """Figures of a restored face, and the identity in it.

        Landmark errors are in shares of the diagonal of the face (Sec. 5.2).
        """
        figures: Figures = {}
        if case.sharp is not None:
            for name, figure in (("psnr", psnr), ("ssim", ssim), ("gmsd", gmsd), ("gradient", gradient_error)):
                figures[name] = float(figure(restored, case.sharp))
        found = {name: localiser(restored) for name, localiser in self.localisers.items()}
        figures |= {name: landmark_error(found[name], points) for name, points in truth.landmarks.items()}
        embedding = self.embedder(restored, found["landmarks"]) if self.embedder else None
        if embedding is not None and truth.embedding is not None:
            figures["cosine"] = cosine(embedding, truth.embedding)
        return figures, embedding
