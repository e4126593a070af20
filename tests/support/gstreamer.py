"""GStreamer's own programs, in the Python of the system."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from functools import cached_property

import numpy as np
import pytest

from streamdeblur.errors import StreamDeblurError
from streamdeblur.plugins.gstreamer_install import check_loading, install, system_path

SYSTEM_PYTHON = "/usr/bin/python3"
PREAMBLE = """
import json, sys
import gi
gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst
Gst.init(None)
"""


class GStreamer:
    """Runs pipelines with the element facedeblur, with a plugin folder and a registry of its own."""

    def __init__(self, folder):
        self.plugin = install(folder)
        self._environment = os.environ | {
            "PATH": system_path(), "GST_PLUGIN_PATH": str(folder), "GST_REGISTRY": str(folder / "registry.bin"),
        }  # fmt: skip

    def launch(self, *pipelines):
        """Run gst-launch-1.0 with all pipelines at once; returns its exit code and its output."""
        return self._run("gst-launch-1.0", "-m", *" ".join(pipelines).split())

    def inspect(self):
        return self._run("gst-inspect-1.0", "facedeblur")

    def script(self, code, *arguments):
        """The JSON that `code` prints, run by the Python of the system."""
        if not self._has_bindings:
            pytest.skip(f"{SYSTEM_PYTHON} has no GStreamer (python3-gst-1.0)")
        exit_code, output = self._run(SYSTEM_PYTHON, "-c", PREAMBLE + code, *arguments)
        assert exit_code == 0, output
        return json.loads(output.splitlines()[-1])

    @cached_property
    def _has_bindings(self):
        return self._run(SYSTEM_PYTHON, "-c", PREAMBLE)[0] == 0

    def _run(self, *command):
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self._environment, timeout=200, check=False
        )
        return done.returncode, done.stdout


def open_gstreamer(folder):
    """GStreamer with the element installed; skips the test if GStreamer is not installed or has another Python."""
    if shutil.which("gst-launch-1.0") is None:
        pytest.skip("GStreamer (gst-launch-1.0) is not installed")
    try:
        check_loading()
    except StreamDeblurError as error:
        if "apt-get install" in str(error) or "installed for Python" in str(error):
            pytest.skip(str(error))
        raise
    return GStreamer(folder)


def statistics(output):
    """The last statistics among the messages of gst-launch-1.0."""
    return {name: int(count) for name, count in re.findall(r"([a-z-]+)=\(int\)(\d+)", output.split(": facedeblur, ")[-1])}


def lines_of(frame, strides):
    """A frame's bytes with lines of `strides` bytes (one for each plane)."""
    parts = []
    for plane, stride in zip(frame.planes, strides, strict=True):
        lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height]
        padded = np.zeros((plane.height, stride), np.uint8)
        used = min(stride, plane.line_size)
        padded[:, :used] = lines[:, :used]
        parts.append(padded.tobytes())
    return b"".join(parts)
