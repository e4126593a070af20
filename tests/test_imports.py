"""What importing each package needs: torch only in training's networks and loops, scipy and scikit-image only with an extra."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import streamdeblur

IMPORT_PACKAGE = """
import importlib, pkgutil, sys

name, *missing = sys.argv[1:]
sys.modules.update(dict.fromkeys(missing))  # importing these fails as if they were not installed
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
assert "torch" not in sys.modules, "torch was imported"
"""
EXTRA_PACKAGES = ("streamdeblur.evaluation", "streamdeblur.training.blur", "streamdeblur.training.datasets")
"""The packages whose extras, `eval` and `train`, install scipy; all of `training` outside these may import torch."""


def base_packages() -> list[str]:
    found = [module.name for module in pkgutil.iter_modules(streamdeblur.__path__, "streamdeblur.") if module.ispkg]
    return ["streamdeblur", *(name for name in found if name not in ("streamdeblur.evaluation", "streamdeblur.training"))]


@pytest.mark.parametrize("package", EXTRA_PACKAGES)
def test_a_package_of_an_extra_does_not_import_torch(package):
    import_package(package)


@pytest.mark.parametrize("package", base_packages())
def test_a_package_of_the_base_imports_neither_torch_nor_scipy_nor_scikit_image(package):
    import_package(package, "scipy", "skimage")


def import_package(package: str, *missing: str) -> None:
    """Import a package and all its modules in a process of its own, in which some libraries are missing."""
    command = [sys.executable, "-c", IMPORT_PACKAGE, package, *missing]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
