"""The libraries that importing each package needs: torch only for training's networks and loops, others only with their extra."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from collections.abc import Sequence

import streamdeblur

IMPORT_PACKAGES = """
import importlib, json, pkgutil, sys

names, missing = map(json.loads, sys.argv[1:])
sys.modules.update(dict.fromkeys(missing))  # importing these fails as if they were not installed
for name in names:
    package = importlib.import_module(name)
    list_modules = pkgutil.iter_modules if name == "streamdeblur" else pkgutil.walk_packages
    for module in list_modules(package.__path__, f"{name}."):
        if module.name.endswith(".__main__") or (name == "streamdeblur" and module.ispkg):
            continue
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            if error.name not in ("gi", "vapoursynth", "tensorrt", "pycuda"):  # not installed by the extras of the tests
                raise
        assert "torch" not in sys.modules, f"{module.name} imported torch"
"""
TRAIN_ONLY = ("lightning_fabric", "safetensors", "tensorboard", "torchmetrics")
EVAL_ONLY = ("scipy", "skimage", "jinja2", "matplotlib", "dlib", "face_recognition_models")


def packages() -> list[str]:
    """The packages that the base install runs, and those of an extra that need no torch."""
    found = [module.name for module in pkgutil.iter_modules(streamdeblur.__path__, "streamdeblur.") if module.ispkg]
    base = [name for name in found if name not in ("streamdeblur.evaluation", "streamdeblur.training")]
    return ["streamdeblur", *base, "streamdeblur.training.blur", "streamdeblur.training.datasets"]


def test_importing_needs_neither_torch_nor_an_extra():
    import_packages(packages(), TRAIN_ONLY + EVAL_ONLY)


def test_evaluation_needs_neither_torch_nor_the_extra_of_the_training():
    import_packages(["streamdeblur.evaluation"], TRAIN_ONLY)


def import_packages(names: Sequence[str], missing: Sequence[str]) -> None:
    """Import packages and all their modules in a process of its own, in which some libraries are missing."""
    command = [sys.executable, "-c", IMPORT_PACKAGES, json.dumps(names), json.dumps(missing)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_kernels_that_are_compiled_are_loaded_without_the_linear_algebra_of_scipy():
    """Numba imports it, which takes longer than loading all kernels, for those that call some of NumPy's functions."""
    code = "import sys; from streamdeblur.warmup import compile_kernels; compile_kernels(memory=True); print(*sys.modules)"
    # the first process may have to compile them
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = done.stdout.split()
    assert "numba" in modules
    assert "scipy.linalg" not in modules
