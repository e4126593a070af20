"""The folder of a run: its checkpoint, its log, and how it goes on after a stop."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from streamdeblur.errors import InputError, OptionError, OutputError
from streamdeblur.training.checkpoint import State, read_checkpoint, write_checkpoint
from streamdeblur.training.config import TrainingConfig

CHECKPOINT = "checkpoint.safetensors"
CONFIG = "config.json"
LOG = "log.jsonl"

_log = logging.getLogger(__name__)


class Run:
    """One step of a training in its folder; only the main process writes.

    The folder holds ``checkpoint.safetensors`` (all that is needed to go on), ``config.json``, ``log.jsonl`` (its validations)
    and the events that TensorBoard shows.
    """

    def __init__(self, folder: Path, step_name: str, config: TrainingConfig, *, writes: bool = True) -> None:
        """
        Raises:
            OptionError: the folder holds a run of another configuration or step.
            OutputError: it cannot be written to.
        """
        self.folder, self.writes = folder, writes
        self._kind = {"step": step_name, "config": config.model_dump(mode="json")}
        kept = folder / CONFIG
        try:
            if kept.exists():
                _compare(json.loads(kept.read_text()), self._kind, folder)
            elif writes:
                folder.mkdir(parents=True, exist_ok=True)
                kept.write_text(json.dumps(self._kind, indent=1) + "\n")
        except OSError as error:
            raise OutputError(f"Cannot write to the run's folder {folder}: {error.strerror}.") from None
        except ValueError:
            raise InputError(f"{kept} is damaged. Remove the folder to begin anew.") from None
        self._board = SummaryWriter(str(folder)) if writes else None
        self._saved = time.monotonic()

    @property
    def checkpoint(self) -> Path:
        """Where the run's state is kept."""
        return self.folder / CHECKPOINT

    def resume(self) -> State | None:
        """The state that the run was stopped in; None at its beginning."""
        if not self.checkpoint.exists():
            return None
        state = read_checkpoint(self.checkpoint)
        _log.info("Going on from %s after %s images.", self.checkpoint, f"{state['images']:,}")
        return state

    def save(self, state: State) -> None:
        """Keep the state; see `write_checkpoint`."""
        self._saved = time.monotonic()
        if self.writes:
            write_checkpoint(self.checkpoint, state)

    def is_due(self, minutes: float) -> bool:
        """Has the last checkpoint been written that long ago?"""
        return time.monotonic() - self._saved >= 60 * minutes

    def scalars(self, values: Mapping[str, float], images: int) -> None:
        """Values for TensorBoard."""
        if self._board:
            for name, value in values.items():
                self._board.add_scalar(name, value, images)

    def validated(self, figures: Mapping[str, float], panel: Tensor, images: int) -> None:
        """Keep the figures of a validation, and its panel: float [3, H, W] in [0, 1]."""
        if self._board:
            self.scalars(figures, images)
            self._board.add_image("blurry, coarse, restored, sharp", panel, images)
            self._board.flush()
            with (self.folder / LOG).open("a") as log:
                log.write(json.dumps({"images": images, **{name: round(value, 5) for name, value in figures.items()}}) + "\n")

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        if self._board:
            self._board.close()


def _compare(kept: State, asked: State, folder: Path) -> None:
    if kept.get("step") != asked["step"]:
        raise OptionError(
            f"{folder} holds a run of '{kept.get('step')}', not of '{asked['step']}'. Name another folder with --out."
        )
    before, now = (_part_of(state["config"], asked["step"]) for state in (kept, asked))
    if before != now:
        differing = sorted(name for name in now if before[name] != now[name])
        raise OptionError(
            f"{folder} holds a run of another configuration (differing in {', '.join(differing)}). Name another folder."
        )


def _part_of(config: State, step: str) -> State:
    """What a step depends on in a configuration: that of the other step may change."""
    network = config["network"]["hourglass"] if step == "hourglass" else config["network"]
    return {"seed": config["seed"], "network": network, "recipe": config[step]["recipe"] or config["recipe"], step: config[step]}
