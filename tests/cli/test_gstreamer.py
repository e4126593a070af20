"""streamdeblur gstreamer: putting the element's file in place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from streamdeblur.plugins.gstreamer_install import plugin_text
from support.cli import run, run_process
from support.gstreamer import open_gstreamer


def test_without_gstreamer_the_file_is_put_in_place_and_a_warning_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    where = Path(run("gstreamer", "where").stdout.strip())
    assert where == tmp_path / "gstreamer-1.0" / "plugins" / "python" / "facedeblur.py"
    done = run("gstreamer", "install")
    assert done.exit_code == 0, done.stderr
    assert "gst-inspect-1.0 is not installed" in done.stderr
    assert f'export GST_PLUGIN_PATH="{where.parent.parent}' in done.stdout
    assert "FaceDeblur" in where.read_text(encoding="utf-8")
    assert os.listdir(where.parent) == ["facedeblur.py"]


def test_within_an_active_virtual_environment_gstreamer_takes_the_element(tmp_path):
    open_gstreamer(tmp_path / "tried")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = run_process("gstreamer", "install", "--folder", tmp_path / "own", env={"PATH": path})
    assert (done.exit_code, done.stderr) == (0, "")
    assert f'export GST_PLUGIN_PATH="{tmp_path / "own"}' in done.stdout


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    (tmp_path / "file").write_text("")
    done = run("gstreamer", "install", "--folder", tmp_path / "file")
    assert done.exit_code == 2
    assert f"Cannot make the folder {tmp_path / 'file' / 'python'}" in done.stderr
    assert "Traceback" not in done.stderr


def test_gstreamer_of_another_python_is_told_so(tmp_path):
    """What another Python makes of the file: a reason instead of an element."""
    text = plugin_text().replace(repr(sys.version_info[:2]), "(2, 7)")
    code = text + "\nassert '__gstelementfactory__' not in globals()\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert f"but GStreamer runs Python {sys.version_info[0]}.{sys.version_info[1]}. Install streamdeblur" in done.stderr


def test_a_file_of_another_program_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    file = tmp_path / "python" / "facedeblur.py"
    file.parent.mkdir()
    file.write_text("# of somebody else")
    done = run("gstreamer", "install", "--folder", tmp_path)
    assert done.exit_code == 2
    assert "is not a file of streamdeblur" in done.stderr
    assert file.read_text() == "# of somebody else"
    file.unlink()
    for _ in range(2):
        assert run("gstreamer", "install", "--folder", tmp_path).exit_code == 0
