"""Tests on a real NVIDIA GPU, with tensorrt and pycuda installed.

STREAMDEBLUR_GPU=required turns skips into failures; STREAMDEBLUR_GPU=fake runs the tests on the fake GPU of the other tests,
which shows that the tests themselves work.
"""

from __future__ import annotations

import os
from contextlib import nullcontext

import pytest

from streamdeblur.engines import engine_choices
from support.fakes.gpu import fake_gpu

MODE = os.environ.get("STREAMDEBLUR_GPU", "")


@pytest.fixture(scope="session")
def gpu():
    """The name of the device, for as long as the tests run."""
    with fake_gpu() if MODE == "fake" else nullcontext():
        choice = next(choice for choice in engine_choices() if choice.name == "tensorrt")
        if not choice.available:
            (pytest.fail if MODE == "required" else pytest.skip)(f"no GPU to test on: {choice.reason}")
        yield choice.reason


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """A cache of engines of its own, empty at first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STREAMDEBLUR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
