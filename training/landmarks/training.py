"""The training of the landmark network: from sharp faces and a teacher's landmarks to an ONNX file."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamdeblur.errors import OptionError, TrainingError
from streamdeblur.evaluation.metrics.heatmap_landmarks import FILE, network_input
from streamdeblur.evaluation.metrics.landmark_detectors import LandmarkDetector
from streamdeblur.evaluation.metrics.landmarks import landmark_error
from streamdeblur.files import make_folder
from streamdeblur.training.batches import made_ahead
from streamdeblur.training.checkpoint import State, read_checkpoint, write_checkpoint
from streamdeblur.training.ema import EMA
from streamdeblur.training.landmarks.annotation import Annotations, read_or_annotate
from streamdeblur.training.landmarks.augmentation import plain_view, sample_view
from streamdeblur.training.landmarks.export import export_landmarks
from streamdeblur.training.landmarks.faces import SharpFaces
from streamdeblur.training.landmarks.network import REDUCTION, LandmarkNetwork, PointNetwork, places, points_of, probabilities
from streamdeblur.training.landmarks.settings import LandmarkConfig
from streamdeblur.training.loop import launch_fabric
from streamdeblur.training.machine import Machine
from streamdeblur.training.progress import ProgressLog
from streamdeblur.training.run import CHECKPOINT
from streamdeblur.training.stop_request import StopRequest
from streamdeblur.training.trainer import Trainer

SHAPE_WEIGHT = 0.3
"""Weight of the cross-entropy beside the distance of the points, which is in pixels of a heatmap."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class AnnotatedFaces:
    """Faces and the landmarks that a teacher found in them."""

    faces: Sequence[NDArray[np.uint8]]
    found: Annotations
    chosen: NDArray[np.int64]
    """Numbers of the faces that are used."""

    @classmethod
    def open(cls, faces: SharpFaces, teacher: LandmarkDetector, file: Path, share: float) -> AnnotatedFaces:
        """Annotate faces, or read their annotations from a file; use the share of them on which the teacher is surest."""
        found = read_or_annotate(file, faces, faces.digest, teacher)
        return cls(faces, found, found.best(share))


def train_landmarks(
    config: LandmarkConfig,
    training: AnnotatedFaces,
    held_out: AnnotatedFaces | None,
    folder: Path,
    machine: Machine | None = None,
) -> Path:
    """Train the landmark network, or resume the run in `folder`, and write its ONNX file.

    Args:
        config: Settings of the training.
        training: Faces to train on.
        held_out: Faces of other people, to validate with.
        folder: Folder of the run; created if it does not exist.
        machine: Which device trains; None for a GPU if there is one.

    Returns:
        The ONNX file.

    Raises:
        OptionError: `folder` holds a run with other settings, or there are several processes.
        InputError: The checkpoint is damaged.
        OutputError: The folder cannot be written to.
        TrainingError: The loss is no longer finite.
        KeyboardInterrupt: The process was told to stop; the step was finished and saved.
    """
    make_folder(folder)
    fabric = launch_fabric(config, config.seed, machine)
    if fabric.world_size > 1:
        raise OptionError("The landmark network is trained by one process.")
    network = LandmarkNetwork(config.network)
    trainer = Trainer(fabric, network, config.optimiser, config.steps)
    average = EMA(network, config.average)
    run = _Run(folder / CHECKPOINT, config, trainer, average)
    progress = ProgressLog(config.images)
    for step, (views, points) in run.steps(_batches(training, config, run.step)):
        heatmaps = trainer.model(views.to(fabric.device))
        # sums over heatmaps are much faster where each one is contiguous
        loss = landmark_loss(heatmaps.contiguous().float(), points.to(fabric.device), config.spread)
        if not math.isfinite(value := loss.item()):
            raise TrainingError(f"Step {step}: the loss is not finite. The last good state is in {run.checkpoint}.")
        trainer.step(loss, step)
        average.update(network)
        progress.update((step + 1) * config.batch, value)
        if held_out and config.validates_after(step):
            logger.info("Error on held-out people: %.2f %% of the size of the face.", 100 * validate(average.network, held_out))
    return export_landmarks(average.network.cpu(), folder / FILE, config)


class _Run:
    """The state of a training in its file."""

    def __init__(self, checkpoint: Path, config: LandmarkConfig, trainer: Trainer, average: EMA[LandmarkNetwork]) -> None:
        self.checkpoint, self._config = checkpoint, config
        self._parts: dict[str, Trainer | EMA[LandmarkNetwork]] = {"learner": trainer, "average": average}
        self._identity = json.dumps(config.model_dump(mode="json", exclude={"checkpoint_minutes", "validate_images"}))
        self.step = 0
        if checkpoint.exists():
            self._restore(read_checkpoint(checkpoint))

    def _restore(self, state: State) -> None:
        if state.get("config") != self._identity:
            raise OptionError(f"{self.checkpoint.parent} holds a run of another configuration. Name another folder with --out.")
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        self.step = int(state["step"])
        logger.info("Resuming from %s after %s images.", self.checkpoint, f"{self.step * self._config.batch:,}")

    def save(self) -> None:
        """Write the checkpoint."""
        state = {name: part.state_dict() for name, part in self._parts.items()}
        write_checkpoint(self.checkpoint, {**state, "config": self._identity, "step": self.step})

    def steps(self, batches: Iterator[tuple[Tensor, Tensor]]) -> Iterator[tuple[int, tuple[Tensor, Tensor]]]:
        """Yield the number and the batch of each remaining step, and save after those where it is due."""
        interval, saved = 60 * self._config.checkpoint_minutes, monotonic()
        with StopRequest() as stop:
            while self.step < self._config.steps:
                yield self.step, next(batches)
                self.step += 1
                last = self.step == self._config.steps
                if last or stop.received or monotonic() - saved >= interval:
                    self.save()
                    saved = monotonic()
                if stop.received and not last:
                    stop.deliver()


def _batches(training: AnnotatedFaces, config: LandmarkConfig, first: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of views [N, 1, 128, 128] and points [N, 68, 2], from the one of this number on, made in a background thread."""
    with ThreadPoolExecutor(1, thread_name_prefix="views") as pool:
        yield from made_ahead(lambda number: pool.submit(batch, training, config, number), first)


def batch(training: AnnotatedFaces, config: LandmarkConfig, number: int) -> tuple[Tensor, Tensor]:
    """Make the batch of a number, which depends on the data and the settings alone."""
    views = []
    for sample in range(number * config.batch, (number + 1) * config.batch):
        random = np.random.default_rng((config.seed, sample))
        face = int(random.choice(training.chosen))
        views.append(sample_view(random, training.faces[face], training.found.points[face], config.augmentation))
    points = np.stack([view.points for view in views]).astype(np.float32)
    return torch.from_numpy(network_input([view.luma for view in views])), torch.from_numpy(points)


def landmark_loss(heatmaps: Tensor, points: Tensor, spread: float) -> Tensor:
    """Return the loss of heatmaps: the distance of their means from the points, and their cross-entropy to Gaussians there.

    Args:
        heatmaps: Logarithms of heatmaps but for a constant, [N, 68, H, W].
        points: [N, 68, 2] in pixels of the input; those beyond its border count as on it.
        spread: Deviation of the Gaussians in pixels of a heatmap.
    """
    at = places().to(points.device)
    points = points.clamp(float(at[0]), float(at[-1]))
    distance = (points_of(probabilities(heatmaps)) - points).norm(dim=-1).mean() / REDUCTION
    gaussians = torch.softmax(-((at - points[..., None]) / (REDUCTION * spread)).square() / 2, -1)
    across, down = gaussians[:, :, 0], gaussians[:, :, 1]
    # the sum over a heatmap times a Gaussian, which is a product of one across and one down
    expected = (torch.matmul(down[:, :, None], heatmaps)[:, :, 0] * across).sum(-1)
    total: Tensor = distance + SHAPE_WEIGHT * (heatmaps.flatten(2).logsumexp(-1) - expected).mean()
    return total


@torch.no_grad()
def validate(network: LandmarkNetwork, held_out: AnnotatedFaces) -> float:
    """Return the median error in upright views of faces, as a fraction of their size."""
    errors, finder = [], PointNetwork(network)
    device = next(network.parameters()).device
    for number in held_out.chosen:
        view = plain_view(held_out.faces[number], held_out.found.points[number])
        found = finder(torch.from_numpy(network_input([view.luma])).to(device))[0].cpu().numpy()
        errors.append(landmark_error(found, view.points))
    return float(np.median(errors))
