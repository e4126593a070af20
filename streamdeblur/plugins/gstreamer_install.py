"""Puts the file in place by which GStreamer finds the element."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import streamdeblur
from streamdeblur.errors import OutputError, StreamDeblurError

PLUGIN = '''"""The element facedeblur for GStreamer's Python loader; written by `streamdeblur gstreamer install`."""

import sys

if sys.version_info[:2] == {version!r}:
    # In front, so that older packages of the system do not hide what streamdeblur needs.
    # (gi remains that of the system: GStreamer's loader has imported it.)
    sys.path[:0] = {paths!r}
    try:
        from gi.repository import Gst

        from streamdeblur.plugins.gstreamer import FaceDeblur

        __gstelementfactory__ = ("facedeblur", Gst.Rank.NONE, FaceDeblur)
    except (ImportError, ValueError) as error:
        print("facedeblur: cannot be loaded: %s" % error, file=sys.stderr)
else:
    print(
        "facedeblur: streamdeblur is installed for Python {dotted}, but GStreamer runs Python %d.%d. Install streamdeblur in a"
        " virtual environment of that version, and run `streamdeblur gstreamer install` there." % sys.version_info[:2],
        file=sys.stderr,
    )
'''
INSPECT = "gst-inspect-1.0"
SECONDS = 120
"""More than GStreamer needs to look through all its plug-ins."""


def default_folder() -> Path:
    """Where the user's plug-ins lie."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "gstreamer-1.0" / "plugins"


def install(folder: Path) -> Path:
    """Write the plug-in's file into ``folder/python``; returns it.

    Raises:
        OutputError: it cannot be written.
    """
    target = folder.absolute() / "python" / "facedeblur.py"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(".part")
        unfinished.write_text(plugin_text(), encoding="utf-8")
        unfinished.replace(target)
    except OSError as error:
        raise OutputError(f"Cannot write {target}: {error.strerror}.") from None
    return target


def plugin_text() -> str:
    """The plug-in's file for this installation."""
    version = sys.version_info[:2]
    own = str(Path(streamdeblur.__file__).resolve().parent.parent)
    paths = list(dict.fromkeys([own, *(path for path in sys.path if path.endswith("site-packages"))]))
    return PLUGIN.format(paths=paths, version=tuple(version), dotted=".".join(map(str, version)))


def try_out() -> bool:
    """Let GStreamer load the element, from a folder that is removed again. False where GStreamer's tools are not installed.

    Raises:
        StreamDeblurError: it cannot; the message says what GStreamer or the plug-in's file said.
    """
    if shutil.which(INSPECT) is None:
        return False
    with tempfile.TemporaryDirectory() as name:
        install(Path(name))
        # a registry of its own, so that the user's does not remember the folder
        registry = str(Path(name) / "registry.bin")
        environment = os.environ | {"PATH": system_path(), "GST_PLUGIN_PATH": name, "GST_REGISTRY": registry}
        command = [INSPECT, "facedeblur"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=SECONDS, check=False)
    if done.returncode:
        raise StreamDeblurError(_reason(done.stderr))
    return True


def system_path() -> str:
    """``PATH`` without other Pythons than GStreamer's (virtual environments, pyenv, conda): it takes its packages from where the
    first python3 in it lies, and elsewhere misses those of the system that it needs (gi)."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    tools = shutil.which(INSPECT)
    own = Path(tools).parent if tools else None
    return os.pathsep.join(folder for folder in folders if Path(folder) == own or not (Path(folder) / "python3").exists())


def _reason(said: str) -> str:
    own = [line.removeprefix("facedeblur: ") for line in said.splitlines() if line.startswith("facedeblur: ")]
    if own:
        return f"GStreamer cannot use the element: {own[0]}"
    lines = [line for line in said.splitlines() if line.strip()]
    return (
        "GStreamer does not load elements written in Python here. On Debian and Ubuntu:"
        " sudo apt-get install python3-gst-1.0 gstreamer1.0-python3-plugin-loader"
        + (f" (GStreamer said: {lines[-1]})" if lines else "")
    )
