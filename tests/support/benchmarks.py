"""The scripts in benchmarks/, which are no package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def script(name):
    """Import a script of the benchmarks."""
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    with pytest.MonkeyPatch.context() as path:
        # a script finds those beside it, as when it is run
        path.syspath_prepend(BENCHMARKS)
        spec.loader.exec_module(module)
    return module
