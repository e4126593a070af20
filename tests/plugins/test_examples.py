"""The examples, run as their docstrings show."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import av
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name, *arguments):
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=240)


@pytest.fixture(scope="module")
def talk(tmp_path_factory, few_pictures):
    from support.media.videos import write_video

    return write_video(tmp_path_factory.mktemp("talk") / "talk.mp4", few_pictures)


@pytest.mark.parametrize(
    ("libraries", "example"), [(["norfair"], "norfair_faces.py"), (["supervision", "trackers"], "supervision_faces.py")]
)
def test_faces_are_tracked_and_restored(libraries, example, talk, few_pictures, tmp_path):
    for library in libraries:
        pytest.importorskip(library, reason=f"{library} is not installed: see the docstring of the example")
    done = run(example, talk, tmp_path / "tracked.mp4")
    assert done.returncode == 0, done.stderr
    with av.open(str(tmp_path / "tracked.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == len(few_pictures)


def test_the_similarity_to_a_portrait_increases(talk, face_picture, tmp_path):
    for needed in ("dlib", "face_recognition_models"):
        pytest.importorskip(needed, reason="dlib's models are not installed: pip install '.[eval]'")
    Image.fromarray(face_picture).save(tmp_path / "portrait.png")
    done = run("identities.py", tmp_path / "portrait.png", talk)
    assert done.returncode == 0, done.stderr
    pattern = r"(\d+) faces: mean cosine similarity (\S+) before, (\S+) after the restoration\n"
    faces, before, after = re.fullmatch(pattern, done.stdout).groups()
    assert int(faces) == 12
    assert float(after) > float(before)
