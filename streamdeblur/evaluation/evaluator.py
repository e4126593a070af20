"""Evaluator: the metrics of one restored face."""

from __future__ import annotations

from dataclasses import dataclass

from streamdeblur import __version__
from streamdeblur.evaluation.cases import Case, Embedding, Image, Points
from streamdeblur.evaluation.metrics.fidelity import gmsd, gradient_error, psnr, sharpness_without_reference, ssim, uniform_ssim
from streamdeblur.evaluation.metrics.identity import Embedder, cosine, open_embedder
from streamdeblur.evaluation.metrics.landmark_detectors import (
    LandmarkDetector,
    open_landmark_detector,
    second_landmark_detector,
)
from streamdeblur.evaluation.metrics.landmarks import landmark_error

NONE, AUTO = "none", "auto"

GROUND_TRUTHS_KEPT = 10_000
"""Cases whose ground truth is remembered from one method to the next, in 3 KB each."""

Metrics = dict[str, float]
"""One value of each metric; `columns.COLUMNS` lists them."""
AGAINST_SHARP = {"psnr": psnr, "ssim": ssim, "ssim_uniform": uniform_ssim, "gmsd": gmsd, "gradient": gradient_error}
"""The metrics that compare pixels with those of the sharp face."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """What an evaluator finds in one restored face."""

    metrics: Metrics
    embedding: Embedding | None = None
    landmarks: Points | None = None
    """Those of the first detector; None without one."""
    true_landmarks: Points | None = None
    """Where they should be; None where that is unknown."""


@dataclass(frozen=True)
class EvaluatorSettings:
    """The models that an evaluator uses, by name (`open_landmark_detector`, `open_embedder`); 'none' leaves one out."""

    landmark_detector: str = "dlib"
    second_detector: str = AUTO
    """'auto' takes the shipped one, or dlib where that is the first one."""
    embedder: str = "dlib"

    @classmethod
    def pixels_only(cls) -> EvaluatorSettings:
        """Return settings without models: only the metrics that compare pixels."""
        return cls(NONE, NONE, NONE)


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """The landmarks and the embedding that those of the restored faces are compared with."""

    landmarks: dict[str, Points]
    """Points that the detector of each metric should find, by metric."""
    embedding: Embedding | None


class Evaluator:
    """Compares restored faces with the sharp ones: pixels, landmarks and identity. Call it from one thread at a time."""

    def __init__(self, settings: EvaluatorSettings | None = None) -> None:
        """
        Raises:
            OptionError: A model is unknown or not installed.
        """
        chosen = settings or EvaluatorSettings()
        self._truths: dict[str, GroundTruth] = {}
        self.detectors: dict[str, LandmarkDetector] = {}
        """Detectors by the metric that each one measures."""
        self.embedder: Embedder | None = None
        if chosen.landmark_detector != NONE:
            self.detectors["landmarks"] = open_landmark_detector(chosen.landmark_detector)
            if chosen.embedder != NONE:
                self.embedder = open_embedder(chosen.embedder)
        if second := self._second(chosen.second_detector):
            self.detectors["landmarks_second"] = second

    def __repr__(self) -> str:
        names = [model.name for model in (*self.detectors.values(), self.embedder) if model]
        return f"Evaluator({', '.join(names)})"

    def _second(self, name: str) -> LandmarkDetector | None:
        """The detector that repeats a ranking; without a first one there is none to repeat."""
        if name != AUTO:
            return None if name == NONE else open_landmark_detector(name)
        return second_landmark_detector(self.detectors["landmarks"]) if self.detectors else None

    @property
    def fingerprint(self) -> str:
        """Changes whenever the metrics may change."""
        parts = [detector.fingerprint for detector in self.detectors.values()]
        parts += [self.embedder.fingerprint] if self.embedder else []
        return "; ".join([f"streamdeblur {__version__}", ", ".join(AGAINST_SHARP), *parts])

    def __call__(self, case: Case, restored: Image) -> Measurement:
        """Measure a restored face.

        Args:
            case: The blurry face that was restored.
            restored: uint8 RGB [H, W, 3], of the blurry face's shape.

        Returns:
            The metrics that this case allows, and the embedding if there is an embedder. Landmark errors are fractions of the
            diagonal of the face (Sec. 5.2).
        """
        truth = self._ground_truth(case)
        metrics: Metrics = {}
        if case.sharp is not None:
            metrics |= {name: float(metric(restored, case.sharp)) for name, metric in AGAINST_SHARP.items()}
        elif case.neighbours is not None:
            metrics["sharpness"] = sharpness_without_reference(restored)
        found = {name: detector(restored) for name, detector in self.detectors.items()}
        metrics |= {name: landmark_error(found[name], points) for name, points in truth.landmarks.items()}
        embedding = self.embedder(restored, found["landmarks"]) if self.embedder else None
        if embedding is not None and truth.embedding is not None:
            metrics["cosine"] = cosine(embedding, truth.embedding)
        return Measurement(metrics, embedding, found.get("landmarks"), truth.landmarks.get("landmarks"))

    def _ground_truth(self, case: Case) -> GroundTruth:
        if case.digest not in self._truths:
            if len(self._truths) >= GROUND_TRUTHS_KEPT:
                self._truths.clear()
            self._truths[case.digest] = self._find_ground_truth(case)
        return self._truths[case.digest]

    def _find_ground_truth(self, case: Case) -> GroundTruth:
        known = case.sharp if case.sharp is not None else case.reference
        if known is None:
            return GroundTruth({}, None)
        found = {name: detector(known) for name, detector in self.detectors.items()}
        embedding = self.embedder(known, found["landmarks"]) if self.embedder else None
        if case.sharp is None:
            # a reference from another moment shows who the person is, but not where the landmarks should be
            return GroundTruth({}, embedding)
        landmarks = {name: points if case.landmarks is None else case.landmarks for name, points in found.items()}
        return GroundTruth(landmarks, embedding)
