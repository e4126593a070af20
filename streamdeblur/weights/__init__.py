"""The networks that are shipped with streamdeblur."""

from __future__ import annotations

import os
from importlib.resources import as_file, files
from pathlib import Path

from streamdeblur.errors import NetworkError
from streamdeblur.known_names import shown, suggestion

DEFAULT_NETWORK = "stream"
"""Name of the network that restores where none is named; the model card of all networks lies beside them."""

REAL_TIME_NETWORK = "lite"
"""The same for streams in real time, whose every face it restores in time on two cores with AVX512-BF16."""


def network_names() -> list[str]:
    """Return the names of the shipped networks."""
    return sorted(file.name.removesuffix(".onnx") for file in files(__name__).iterdir() if file.name.endswith(".onnx"))


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
    if path.suffix or len(path.parts) > 1 or os.path.exists(path):
        return path
    raise NetworkError(
        f"Unknown network {shown(str(network))}. {suggestion(str(network), names)} Or give the path of an ONNX file."
    )


def default_network() -> Path:
    """Return the file of the default network."""
    return network_path(DEFAULT_NETWORK)
