"""The manual page that is installed with the program."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from streamdeblur.cli.man_page import man_page

PAGE = Path(__file__).parents[2] / "docs" / "streamdeblur.1"
RENDERERS = {"groff": ["groff", "-man", "-Tutf8", "-ww"], "mandoc": ["mandoc", "-Tutf8", "-Werror"], "man": ["man", "-l"]}


def test_the_page_is_that_of_the_commands():
    """Otherwise: python -m streamdeblur.cli.man_page > docs/streamdeblur.1"""
    assert PAGE.read_text(encoding="utf-8") == man_page()


@pytest.mark.parametrize("renderer", RENDERERS)
def test_the_page_can_be_read(renderer):
    if shutil.which(renderer) is None:
        pytest.skip(f"{renderer} is not installed")
    environment = {"PATH": "/usr/bin:/bin:/usr/local/bin", "MANWIDTH": "100", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([*RENDERERS[renderer], PAGE], capture_output=True, check=True, text=True, env=environment)
    assert done.stderr == ""
    # bold text is overstruck by some, and has escape sequences of others
    plain = done.stdout.replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\x1b[22m", "")
    assert "removes motion blur from the faces in video" in plain
    assert "Size in pixels of the smallest face that is looked for." in plain
