"""A fake of NVIDIA's driver and of NVML, compiled from C, so that the calls through ctypes are real ones."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from unittest import mock

from streamdeblur.engines import cards

SOURCE = Path(__file__).with_name("nvidia.c")


def c_compiler():
    """The C compiler, or None."""
    return shutil.which("cc") or shutil.which("gcc")


@lru_cache(maxsize=2)
def _library(*, old):
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"streamdeblur-emulation-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    library = folder / f"nvidia-{'old-' if old else ''}{digest}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=folder) as made:
            partial = Path(made) / "out"
            defined = ["-DOLD"] if old else []
            command = [c_compiler(), "-shared", "-fPIC", "-O1", "-w", *defined, str(SOURCE), "-o", str(partial)]
            subprocess.run(command, check=True, capture_output=True)
            partial.replace(library)
    return str(library)


@contextmanager
def nvidia_driver(*, nvml=True, old=False, **settings):
    """Within it, the driver is the fake, an old one if that is asked for; the settings are those of nvidia.c in lower case:
    cards, cuda, init, free ..."""
    values = {f"FAKE_{name.upper()}": str(int(value)) for name, value in settings.items()}
    library = _library(old=old)
    libraries = {"CUDA_LIBRARIES": (library,), "NVML_LIBRARIES": (library,) if nvml else ()}
    with mock.patch.dict(os.environ, values), mock.patch.multiple(cards, **libraries):
        yield
