"""The examples, run as their docstrings show."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import sys
from pathlib import Path
from unittest import mock

import av
import pytest
from PIL import Image

from streamdeblur import weights
from support.media.videos import write_video
from support.models.networks import write_shipped

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name, *arguments):
    """Run an example in this process, which saves its imports; returns what it prints."""
    printed = io.StringIO()
    with mock.patch.object(sys, "argv", [name, *map(str, arguments)]), contextlib.redirect_stdout(printed):
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return printed.getvalue()


@pytest.fixture(scope="module")
def talk(tmp_path_factory, few_pictures):
    """Four frames of a blurred face."""
    return write_video(tmp_path_factory.mktemp("talk") / "talk.mp4", few_pictures[:4])


@pytest.mark.parametrize(
    ("libraries", "example"), [(["norfair"], "norfair_faces.py"), (["supervision", "trackers"], "supervision_faces.py")]
)
def test_faces_are_tracked_and_restored(libraries, example, talk, tmp_path, monkeypatch):
    for library in libraries:
        pytest.importorskip(library, reason=f"{library} is not installed: see the docstring of the example")
    monkeypatch.setattr(weights, "files", lambda _: write_shipped(tmp_path))
    run(example, talk, tmp_path / "tracked.mp4")
    with av.open(str(tmp_path / "tracked.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 4


def test_the_similarity_to_a_portrait_increases(talk, face_picture, tmp_path):
    for needed in ("dlib", "face_recognition_models"):
        pytest.importorskip(needed, reason="dlib's models are not installed: pip install '.[eval]'")
    Image.fromarray(face_picture).save(tmp_path / "portrait.png")
    printed = run("identities.py", tmp_path / "portrait.png", talk)
    pattern = r"(\d+) faces: mean cosine similarity (\S+) before, (\S+) after the restoration\n"
    faces, before, after = re.fullmatch(pattern, printed).groups()
    assert int(faces) == 4
    assert float(after) > float(before)
