"""How many worker processes a machine has work for."""

from __future__ import annotations

from streamdeblur.cores import usable_cores
from streamdeblur.engines import engine_choices
from streamdeblur.engines.cards import DriverError, find_cards
from streamdeblur.engines.registry import AUTO_DEVICE, NVIDIA_ENGINES
from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.options import RestorationOptions
from streamdeblur.speeds import MEASURED, known_speeds
from streamdeblur.weights import AUTO

ONE_THREAD, CODECS = 0.0046, 0.0284
"""Seconds of a core per frame of 720p with one face: what one thread does alone (local detection, reading, judging and pasting
the crop), and decoding and encoding (`benchmarks/pipeline.py`)."""
NETWORK = 0.0228
"""The same of the network `stream`, where nothing was measured on this machine."""
WORTHWHILE = 2 / 3
"""Share of the cores for which that thread has work up to which a process uses them well (the model of the same benchmark)."""


def default_workers(options: RestorationOptions, cores: int | None = None) -> int:
    """Return how many processes keep the cores of this machine busy.

    In each process, one thread detects, crops and pastes, and the others can work no faster than it feeds them. So a process has
    work for as many cores as all stages together take longer than that thread. Each card gets one process.

    Args:
        options: Engine and network, whose measured speed counts, and `cores` of each process if they are given.
        cores: Cores to share out; by default those that this process may use.
    """
    cores = usable_cores() if cores is None else cores
    if options.cores:
        return max(1, cores // options.cores)
    if _engine(options) not in MEASURED:
        return len(devices_of_workers(options))
    busy = (ONE_THREAD + CODECS + network_seconds(options, cores)) / ONE_THREAD
    return max(1, round(cores / (WORTHWHILE * busy)))


def devices_of_workers(options: RestorationOptions) -> list[str]:
    """Return the device of each worker process, which more processes take in turns: each card, where none is named."""
    if options.device != AUTO_DEVICE or _engine(options) not in NVIDIA_ENGINES:
        return [options.device]
    try:
        return [str(card.number) for card in find_cards() if card.supported] or [options.device]
    except DriverError:
        return [options.device]


def _engine(options: RestorationOptions) -> str:
    """The engine that a worker opens; '' where there is none."""
    if options.engine != AUTO:
        return options.engine
    return next((choice.name for choice in engine_choices(options.device) if choice.available), "")


def network_seconds(options: RestorationOptions, cores: int) -> float:
    """Return the seconds of a core that the network takes for a face, as far as it was measured on this machine."""
    measured = [
        speed.ms * cores / speed.parallel / 1000
        for speed in known_speeds()
        if speed.network == str(options.network)
        and speed.crop_size == CROP_SIZE
        and speed.ms is not None
        and options.engine in (AUTO, speed.engine)
    ]
    return min(measured, default=NETWORK)
