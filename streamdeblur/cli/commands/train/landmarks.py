"""streamdeblur train landmarks: the landmark network of the evaluation."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.extras import needs_extra
from streamdeblur.cli.resuming import goes_on_with_the_same_command
from streamdeblur.cli.training import CHECKPOINT, Clips, Device, HeldOutStills, RunFolder, Stills
from streamdeblur.errors import OptionError

ANNOTATIONS, HELD_OUT = "points.npz", "held_out.npz"

Config = Annotated[Path, typer.Argument(help="YAML file, or the shipped one: landmarks.")]
Teacher = Annotated[str, typer.Option(help="Detector to learn from: mesh:FILE.tflite, insightface:FILE.onnx, heatmap or dlib.")]

logger = logging.getLogger(__name__)


def command(
    out: RunFolder,
    config: Config = Path("landmarks"),
    stills: Stills = None,
    clips: Clips = None,
    held_out_stills: HeldOutStills = None,
    teacher: Teacher = "mesh",
    device: Device = "auto",
) -> None:
    with handle_errors():
        if not stills and not clips:
            raise OptionError("Nothing to train on: give --stills, --clips or both.")
        with needs_extra("train", "Training"):
            from streamdeblur.training.landmarks.faces import SharpFaces
            from streamdeblur.training.landmarks.settings import LandmarkConfig
            from streamdeblur.training.landmarks.training import AnnotatedFaces, train_landmarks
            from streamdeblur.training.machine import Machine, card_errors
        from streamdeblur.evaluation.metrics.landmark_detectors import open_landmark_detector
        from streamdeblur.files import make_folder

        loaded, machine, detector = LandmarkConfig.load(config), Machine(device), open_landmark_detector(teacher)

        def faces_of(stills: list[Path], clips: list[Path]) -> SharpFaces:
            return SharpFaces.open(stills, clips, loaded.least_sharpness, loaded.frames_per_clip)

        # what cannot be opened is said before anything is annotated
        faces, others = faces_of(stills or [], clips or []), faces_of([held_out_stills], []) if held_out_stills else None
        make_folder(out)
        training = AnnotatedFaces.open(faces, detector, out / ANNOTATIONS, loaded.kept)
        held_out = AnnotatedFaces.open(others, detector, out / HELD_OUT, loaded.kept) if others else None
        with goes_on_with_the_same_command(out / CHECKPOINT), card_errors(out / CHECKPOINT, machine):
            made = train_landmarks(loaded, training, held_out, out, machine)
        logger.info("Next: streamdeblur evaluate ... --second heatmap:%s", made)
