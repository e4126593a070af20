"""A clip of a blurred face, and a network whose work is visible."""

from __future__ import annotations

import pytest

from streamdeblur import RestorationOptions
from support.media.videos import write_video
from support.models.networks import write_network


@pytest.fixture(scope="session")
def inverting_network(tmp_path_factory):
    """A network that returns the negative of each crop."""
    return write_network(tmp_path_factory.mktemp("networks") / "invert.onnx", "invert")


@pytest.fixture(scope="session")
def inverting_options(inverting_network):
    """Options that turn every face into its negative."""
    return RestorationOptions(network=inverting_network, engine="onnxruntime", always=True)


@pytest.fixture(scope="session")
def clip(tmp_path_factory, few_pictures):
    """Twelve frames of a blurred face, 25 per second."""
    return write_video(tmp_path_factory.mktemp("clips") / "face.mp4", few_pictures)
