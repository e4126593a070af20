"""Nothing that streamdeblur imports records anything about its user."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from streamdeblur.engines import engine_choices

RESTORE = """
import sys
from streamdeblur import FaceDeblurrer
from streamdeblur.demo.run import group_photograph
with FaceDeblurrer(engine=sys.argv[1]) as deblurrer:
    deblurrer(group_photograph())
"""


@pytest.mark.parametrize("engine", [choice.name for choice in engine_choices() if choice.available])
def test_engines_leave_nothing_in_the_home_folder(tmp_path, engine):
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "STREAMDEBLUR_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", RESTORE, engine], env=environment | places, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [path for path in home.rglob("*") if path.is_file()] == []
