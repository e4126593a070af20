"""Installation of the file by which GStreamer finds the element."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import streamdeblur
from streamdeblur.errors import OutputError, StreamDeblurError
from streamdeblur.files import make_folder
from streamdeblur.partial_file import write_file

MARK = "written by `streamdeblur gstreamer install`"
PLUGIN = '''"""The element facedeblur for GStreamer's Python loader, written by `streamdeblur gstreamer install`."""

import sys

if sys.version_info[:2] == {version!r}:
    # In front of the system's packages, which may be older than streamdeblur needs.
    # gi remains that of the system, because GStreamer's loader has imported it already.
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
TIMEOUT_SECONDS = 120
"""More than GStreamer needs to load all its plugins."""


def default_folder() -> Path:
    """Return the folder of the user's GStreamer plugins."""
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(data) / "gstreamer-1.0" / "plugins"


def install(folder: Path) -> Path:
    """Write the file of the plugin.

    Args:
        folder: The plugin folder; the file is written into its subfolder ``python``.

    Returns:
        The path of the file.

    Raises:
        OutputError: The file cannot be written, or another program's file stands there.
    """
    target = folder.absolute() / "python" / "facedeblur.py"
    make_folder(target.parent)
    if target.is_file() and MARK not in target.read_text(encoding="utf-8", errors="replace"):
        raise OutputError(f"{target} is not a file of streamdeblur: it is not replaced. Remove it, or name another folder.")
    write_file(target, plugin_text())
    return target


def plugin_text() -> str:
    """Return the content of the file for this installation of streamdeblur."""
    version = sys.version_info[:2]
    own = str(Path(streamdeblur.__file__).resolve().parent.parent)
    paths = list(dict.fromkeys([own, *(path for path in sys.path if path.endswith("site-packages"))]))
    return PLUGIN.format(paths=paths, version=tuple(version), dotted=".".join(map(str, version)))


def check_loading() -> bool:
    """Check that GStreamer can load the element, from a temporary folder.

    Returns:
        False if GStreamer's tools are not installed.

    Raises:
        StreamDeblurError: It cannot; the message contains the reason that GStreamer or the plugin reported.
    """
    if shutil.which(INSPECT) is None:
        return False
    with tempfile.TemporaryDirectory() as name:
        install(Path(name))
        # With a separate registry, so that the user's does not contain the temporary folder.
        registry = str(Path(name) / "registry.bin")
        environment = os.environ | {"PATH": system_path(), "GST_PLUGIN_PATH": name, "GST_REGISTRY": registry}
        command = [INSPECT, "facedeblur"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=TIMEOUT_SECONDS, check=False)
    if done.returncode:
        raise StreamDeblurError(_reason(done.stderr))
    return True


def system_path() -> str:
    """Return ``PATH`` without other Pythons than GStreamer's (virtual environments, pyenv, conda).

    GStreamer imports packages from the installation of the first python3 in ``PATH``, and needs gi, which only the system has.
    """
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    tools = shutil.which(INSPECT)
    own = Path(tools).parent if tools else None
    return os.pathsep.join(folder for folder in folders if Path(folder) == own or not (Path(folder) / "python3").exists())


def _reason(output: str) -> str:
    own = [line.removeprefix("facedeblur: ") for line in output.splitlines() if line.startswith("facedeblur: ")]
    if own:
        return f"GStreamer cannot load the element: {own[0]}"
    lines = [line for line in output.splitlines() if line.strip()]
    return (
        "GStreamer does not load elements written in Python here. On Debian and Ubuntu:"
        " sudo apt-get install python3-gst-1.0 gstreamer1.0-python3-plugin-loader"
        + (f" (GStreamer reported: {lines[-1]})" if lines else "")
    )
