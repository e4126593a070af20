"""The networks at hand: those that are shipped and files of the user's own, with what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from streamdeblur.engines import open_engine
from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.network import Network
from streamdeblur.speeds import as_measured, known_speeds, measurable_engines, measure, seconds_by_size
from streamdeblur.weights import AUTO, network_names, network_path, shipped_networks
from streamdeblur.weights.card import gains_of

OWN = "a file of your own"


@dataclass(frozen=True)
class FoundNetwork:
    """A network that `--network` takes."""

    name: str
    """As `--network` takes it."""
    summary: str
    megabytes: float
    memory: int
    """Number of neighbouring crops that it takes."""
    crop_sizes: tuple[int, ...]
    ms: float | None
    """Milliseconds for a face of 256 px on this machine; None where it was not measured."""
    engine: str | None
    """The engine that took this time."""
    gains: dict[str, float]
    """Mean gain in dB of PSNR by the kind of blur, from the model card; {} for a file."""
    licence: str


def networks_at_hand(own: Sequence[Path] = (), *, measured: bool = False) -> list[FoundNetwork]:
    """Return the shipped networks, best first, and the files `own`.

    Args:
        own: ONNX files of networks.
        measured: Measure on this machine how long each takes; otherwise what is remembered is told.

    Raises:
        NetworkError: A file is no network that can be run.
        EngineError: No engine runs a file, which is measured.
    """
    files = [Network.read(path) for path in own]
    speeds = measure(measurable_engines(), network_names()) if measured else known_speeds()
    order = as_measured(list(dict.fromkeys(one.engine for one in speeds)), speeds)
    found = []
    for shipped in shipped_networks():
        known = {one.engine: one.ms for one in speeds if (one.network, one.crop_size) == (shipped.name, CROP_SIZE) and one.ms}
        engine = next((name for name in order if name in known), None)
        network, time = Network.read(network_path(shipped.name)), known[engine] if engine else None
        found.append(_found(network, shipped.name, shipped.summary, time, engine, gains_of(shipped.name)))
    for network in files:
        own_time, own_engine = _measured(network) if measured else (None, None)
        found.append(_found(network, str(network.path), OWN, own_time, own_engine, {}))
    return found


def _found(
    network: Network, name: str, summary: str, ms: float | None, engine: str | None, gains: dict[str, float]
) -> FoundNetwork:
    megabytes = round(network.path.stat().st_size / 1e6, 1)
    return FoundNetwork(name, summary, megabytes, network.memory, network.crop_sizes, ms, engine, gains, network.licence)


def _measured(network: Network) -> tuple[float, str]:
    """Milliseconds for a face, and the engine."""
    with closing(open_engine(AUTO, network)) as engine:
        return round(1000 * seconds_by_size(engine)[CROP_SIZE], 1), engine.name
