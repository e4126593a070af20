"""Puts the file in place by which GStreamer finds the element."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import streamdeblur
from streamdeblur.errors import OutputError

PLUGIN = '''"""The element facedeblur of streamdeblur, for GStreamer's Python plugin loader."""

import sys

# where streamdeblur is installed with what it needs
sys.path[:0] = {paths!r}
if sys.version_info[:2] != {version!r}:
    raise ImportError("streamdeblur is installed for Python {dotted}, this is Python %d.%d" % sys.version_info[:2])

from gi.repository import Gst

from streamdeblur.plugins.gstreamer import FaceDeblur

__gstelementfactory__ = ("facedeblur", Gst.Rank.NONE, FaceDeblur)
'''


def default_folder() -> Path:
    """Where the user's plugins lie."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "gstreamer-1.0" / "plugins"


def install(folder: Path) -> Path:
    """Write the plug-in's file into ``folder/python``; returns it.

    Raises:
        OutputError: it cannot be written.
    """
    target = folder / "python" / "facedeblur.py"
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
