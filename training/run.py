"""The folder of a run: its checkpoint, its configuration and its logs."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from streamdeblur.errors import InputError, OptionError
from streamdeblur.files import make_folder
from streamdeblur.partial_file import write_file, writing
from streamdeblur.training.checkpoint import State, read_checkpoint, write_checkpoint
from streamdeblur.training.config import TrainingConfig

CHECKPOINT = "checkpoint.safetensors"
CONFIG = "config.json"
LOG = "log.jsonl"

logger = logging.getLogger(__name__)


class TrainingRun:
    """One step of a training in its folder. Of several processes, only the main one writes.

    The folder holds ``checkpoint.safetensors`` (all that is needed to resume), ``config.json``, ``log.jsonl`` (one line per
    validation) and the events that TensorBoard shows.
    """

    def __init__(self, folder: Path, step_name: str, config: TrainingConfig, *, writes: bool = True) -> None:
        """
        Args:
            folder: Created if it does not exist.
            step_name: "hourglass", "cgan" or "compared".
            config: Settings of the training.
            writes: Whether this process writes to the folder.

        Raises:
            OptionError: The folder holds a run with another configuration, or of another step, that has a checkpoint.
            InputError: The configuration of such a run is damaged.
            OutputError: The folder cannot be written to.
        """
        self.folder, self.writes = folder, writes
        identity = {"step": step_name, "config": config.model_dump(mode="json")}
        path = folder / CONFIG
        try:
            if path.exists() and self.checkpoint.exists():
                _check_same(json.loads(path.read_text()), identity, folder)
            elif writes:
                make_folder(folder)
                write_file(path, json.dumps(identity, indent=1) + "\n")
        except OSError as error:
            raise InputError(f"Cannot read {path}: {error.strerror}.") from None
        except ValueError:
            raise InputError(f"{path} is damaged. Remove the folder to start again.") from None
        with writing(folder):
            self._tensorboard = SummaryWriter(str(folder)) if writes else None
        self._last_save = time.monotonic()

    @property
    def checkpoint(self) -> Path:
        """Path of the checkpoint, whether or not it exists yet."""
        return self.folder / CHECKPOINT

    def resume(self) -> State | None:
        """Return the state of the checkpoint; None if the run has none yet.

        Raises:
            InputError: The checkpoint is damaged.
        """
        if not self.checkpoint.exists():
            return None
        state = read_checkpoint(self.checkpoint)
        logger.info("Resuming from %s after %s images.", self.checkpoint, f"{state['images']:,}")
        return state

    def save(self, state: State) -> None:
        """Write the checkpoint, see `write_checkpoint`.

        Raises:
            OutputError: It cannot be written; the former one is intact.
        """
        self._last_save = time.monotonic()
        if self.writes:
            write_checkpoint(self.checkpoint, state)

    def checkpoint_is_due(self, minutes: float) -> bool:
        """Return whether the last checkpoint is at least `minutes` old."""
        return time.monotonic() - self._last_save >= 60 * minutes

    def log_scalars(self, values: Mapping[str, float], images: int) -> None:
        """Log values for TensorBoard.

        Args:
            values: By name.
            images: Images that were trained on so far.
        """
        if self._tensorboard:
            with writing(self.folder):
                for name, value in values.items():
                    self._tensorboard.add_scalar(name, value, images)

    def log_validation(self, metrics: Mapping[str, float], panel: Tensor, images: int) -> None:
        """Log a validation for TensorBoard and in ``log.jsonl``.

        Args:
            metrics: Values by name.
            panel: Example images, float [3, H, W] in [0, 1].
            images: Images that were trained on so far.
        """
        if self._tensorboard:
            line = json.dumps({"images": images, **{name: round(value, 5) for name, value in metrics.items()}})
            self.log_scalars(metrics, images)
            with writing(self.folder):
                self._tensorboard.add_image("blurry, coarse, restored, sharp", panel, images)
                self._tensorboard.flush()
                with (self.folder / LOG).open("a") as log:
                    log.write(f"{line}\n")

    def __enter__(self) -> TrainingRun:
        return self

    def __exit__(self, *_: object) -> None:
        if self._tensorboard:
            self._tensorboard.close()


def _check_same(existing: State, requested: State, folder: Path) -> None:
    if existing.get("step") != requested["step"]:
        raise OptionError(
            f"{folder} holds a run of '{existing.get('step')}', not of '{requested['step']}'. Name another folder with --out."
        )
    before, now = (_relevant_settings(identity["config"], requested["step"]) for identity in (existing, requested))
    if before != now:
        differing = sorted(name for name in now if before[name] != now[name])
        raise OptionError(
            f"{folder} holds a run of another configuration (differing in {', '.join(differing)}). Name another folder."
        )


def _relevant_settings(config: State, step: str) -> State:
    """The settings that a step depends on; those of the other step may differ."""
    network = config["network"]["hourglass"] if step == "hourglass" else config["network"]
    return {"seed": config["seed"], "network": network, "recipe": config[step]["recipe"] or config["recipe"], step: config[step]}
