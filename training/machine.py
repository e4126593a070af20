"""Machine: where a training runs. Nothing of it changes what is trained, so a run may go on on another one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from streamdeblur.engines.cards import DriverError, find_cards
from streamdeblur.engines.mismatches import mended
from streamdeblur.errors import OptionError, TrainingError
from streamdeblur.known_names import shown

CARD_ERROR: type[RuntimeError] = getattr(torch, "AcceleratorError", torch.OutOfMemoryError)
"""What PyTorch raises where a card fails; before 2.8 it has no type of its own."""


@dataclass(frozen=True)
class Machine:
    """Where and how a training runs."""

    device: str = "auto"
    """auto (a card if PyTorch sees one, else the CPU), cpu, cuda, or the card cuda:N."""
    compiled: bool = False
    """Whether the networks are compiled (`torch.compile`), on a card with CUDA graphs."""
    pairs: Literal["auto", "cpu", "device"] = "auto"
    """What makes pairs and sequences: the CPU, or the device that trains; auto takes the device where it is a card."""

    def __post_init__(self) -> None:
        """Check the device.

        Raises:
            OptionError: There is no such device, or PyTorch cannot use it.
        """
        if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", self.device):
            raise OptionError(f"--device is auto, cpu, cuda or cuda:N (got {shown(self.device)}).")
        if self.card is not None:
            _check_card(self.card)

    @property
    def card(self) -> int | None:
        """Number of the card that was asked for; None for auto and for the CPU."""
        kind, _, number = self.device.partition(":")
        return int(number or 0) if kind == "cuda" else None

    @property
    def accelerator(self) -> str:
        """The device as Lightning Fabric names it."""
        return self.device.partition(":")[0]

    def devices(self, processes: int) -> int | list[int]:
        """Return the devices as Lightning Fabric wants them: how many, or which.

        Args:
            processes: Of this machine.

        Raises:
            OptionError: Several processes cannot share one card.
        """
        if ":" not in self.device:
            return processes
        if processes > 1:
            raise OptionError(f"{processes} processes cannot share {self.device}: leave out its number, and each takes a card.")
        return [int(self.device.partition(":")[2])]

    def draws(self, device: torch.device) -> bool:
        """Return whether pairs are drawn by the device that trains."""
        return self.pairs == "device" or (self.pairs == "auto" and device.type == "cuda")


def _why_no_card() -> str:
    """What the driver says, if it says anything."""
    try:
        find_cards()
    except DriverError as error:
        return f"{mended(error)} "
    return ""


def _check_card(number: int) -> None:
    if not torch.cuda.is_available():
        reason = "is built without CUDA" if torch.version.cuda is None else "sees no card; 'nvidia-smi' lists those of the driver"
        why = _why_no_card() if torch.version.cuda else ""
        raise OptionError(f"Cannot train on cuda:{number}: PyTorch {torch.__version__} {reason}. {why}Or give --device cpu.")
    count = torch.cuda.device_count()
    if number >= count:
        known = ", ".join(f"cuda:{card} ({torch.cuda.get_device_name(card)})" for card in range(count))
        raise OptionError(f"Cannot train on cuda:{number}: PyTorch sees {known}.")


@contextmanager
def card_errors(kept: Path, machine: Machine) -> Iterator[None]:
    """Tell what mends an error of a card in this block.

    Args:
        kept: The checkpoint of the run.
        machine: Where it is trained.

    Raises:
        TrainingError: The card has too little memory, or fails.
    """
    goes_on = f" {kept} has the last good state, from which the same command goes on." if kept.exists() else ""
    try:
        yield
    except torch.OutOfMemoryError as error:
        told = mended(str(error).partition("\n")[0], machine.card or 0)
        raise TrainingError(f"{told} Or give the step a smaller 'batch'.{goes_on}") from None
    except CARD_ERROR as error:
        # a card that has failed once answers nothing more in this process
        raise TrainingError(f"{mended(str(error).partition(chr(10))[0], machine.card or 0)}{goes_on}") from None
