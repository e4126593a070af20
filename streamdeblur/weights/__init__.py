"""The networks that are shipped with streamdeblur: those that restore faces, and the landmark network of the evaluation, which
`streamdeblur.evaluation.metrics.heatmap_landmarks` opens."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from streamdeblur.errors import NetworkError
from streamdeblur.known_names import shown, suggestion


@dataclass(frozen=True)
class ShippedNetwork:
    """A network whose file, NAME.onnx, lies in this folder; the model card of all of them lies beside it."""

    name: str
    summary: str
    """What it does, for those who choose one."""
    automatic: bool = True
    """Whether it is among those that 'auto' and streams in real time choose from; others restore where they are named."""


TABLE = (
    ShippedNetwork("stream", "restores a face together with the frames around it"),
    ShippedNetwork("lite", "restores each frame alone, in 0.6 of the time"),
    ShippedNetwork("nano", "restores each frame alone and less of the blur, in a fifth of the time"),
    ShippedNetwork("best", "the mean of what 'stream' restores of a face and of its mirror image, for files", automatic=False),
    ShippedNetwork("paper-small", "the paper's own layers at a quarter of their widths, for comparisons", automatic=False),
)
"""The networks, best first, which is the order of their time as well; last those that are not chosen automatically. One without
its file is not offered."""

AUTO = "auto"
"""In place of a name: the best network that is fast enough on this machine (`streamdeblur/speeds.py`)."""

DEFAULT_NETWORK = "stream"
"""Name of the network that restores where none is named."""

REAL_TIME_NETWORK = AUTO
"""The same for streams in real time."""

OR_A_FILE = "Or give the path of an ONNX file. 'streamdeblur models' lists the networks."
"""What else names a network."""


def shipped_networks() -> list[ShippedNetwork]:
    """Return the networks that can be used by their names, best first."""
    present = {file.name for file in files(__name__).iterdir()}
    return [network for network in TABLE if f"{network.name}.onnx" in present]


def network_names() -> list[str]:
    """Return the names of the shipped networks, best first."""
    return [network.name for network in shipped_networks()]


def automatic_names() -> list[str]:
    """Return the names of the shipped networks that 'auto' and streams in real time choose from, best first."""
    return [network.name for network in shipped_networks() if network.automatic]


def network_path(network: str | Path) -> Path:
    """Return the file of a network (ONNX).

    Args:
        network: The name of a shipped network, or a file, which need not exist.

    Raises:
        NetworkError: Neither a shipped network nor a file has this name.
    """
    names = network_names()
    if str(network) in names:
        with as_file(files(__name__) / f"{network}.onnx") as path:
            return path
    path = Path(network)
    if path == Path():
        raise NetworkError(f"No network is named. {suggestion('', [AUTO, *names])} {OR_A_FILE}")
    if path.suffix or len(path.parts) > 1 or os.path.exists(path):
        return path
    raise NetworkError(f"Unknown network {shown(str(network))}. {suggestion(str(network), [AUTO, *names])} {OR_A_FILE}")


def default_network() -> Path:
    """Return the file of the default network."""
    return network_path(DEFAULT_NETWORK)
