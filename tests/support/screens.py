"""A screen of Xvfb, which keeps its pixels in a file."""

from __future__ import annotations

import os
import shutil
import subprocess

import numpy as np
import pytest


class Screen:
    """A screen that nobody sees, with its number as `display`."""

    def __init__(self, folder, width, height):
        if shutil.which("Xvfb") is None:
            pytest.skip("Xvfb (package xvfb) is not installed")
        reading, writing = os.pipe()
        self._process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{width}x{height}x24", "-fbdir", folder],
            pass_fds=[writing], stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(writing)
        with open(reading) as numbers:
            self.display = f":{numbers.readline().strip()}"
        self._file = folder / "Xvfb_screen0"

    def pixels(self):
        """What is shown: uint8 RGB [H, W, 3]. The file is one of xwd: a header of big-endian numbers, colours, pixels."""
        data = self._file.read_bytes()
        header = np.frombuffer(data, ">u4", 25).astype(int)
        height, width, line, colours = header[5], header[4], header[12], header[19]
        pixels = np.frombuffer(data, np.uint8, height * line, header[0] + 12 * colours)
        return pixels.reshape(height, line)[:, : 4 * width].reshape(height, width, 4)[..., 2::-1]

    def close(self):
        self._process.terminate()
        self._process.wait()
