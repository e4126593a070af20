"""A disk that is full or read-only ends every command that writes in words, and what stood there before is intact."""

from __future__ import annotations

import json
import subprocess
import sys

import cv2
import pytest

from support.disks import namespace_command
from support.media.videos import write_video
from support.models.networks import write_network


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory, face_picture, faces_folder, few_pictures):
    """What became of each command, see `support.full_disk`."""
    command, folder = namespace_command(), tmp_path_factory.mktemp("full")
    (folder / "disk").mkdir()
    cv2.imwrite(str(folder / "face.png"), cv2.blur(face_picture, (13, 1))[..., ::-1])
    write_network(folder / "invert.onnx", "invert")
    write_video(folder / "face.mp4", few_pictures)
    write_video(folder / "blurred.mp4", [cv2.blur(picture, (9, 1)) for picture in few_pictures])
    (folder / "faces").symlink_to(faces_folder)
    done = subprocess.run(
        [*command, sys.executable, "-m", "support.full_disk", folder / "disk", folder],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_every_command_ends_in_words(outcomes):
    assert len(outcomes["full"]) == 13
    for outcome in outcomes["full"]:
        assert outcome["exit_code"] == 2, outcome
        assert "No space left" in outcome["stderr"], outcome
        assert "Traceback" not in outcome["stderr"], outcome


def test_what_stood_there_is_intact_and_nothing_is_left(outcomes):
    plans = dict.fromkeys(("batch", "batch without a plan"), ".streamdeblur/")
    resumed = plans | {"dataset stills": "data/", "evaluate": "report/", "compare": "report/images"}
    for outcome in outcomes["full"]:
        assert outcome["is_old_intact"], outcome
        # what is done stays for the next run, and each of its files is whole
        left = [name for name in outcome["more"] if not name.startswith(resumed.get(outcome["name"], "/"))]
        assert left == [], outcome
        assert not any("partial" in name or ".part" in name for name in outcome["more"]), outcome


def test_read_only_disk_ends_every_command_in_words(outcomes):
    for outcome in outcomes["read_only"]:
        assert outcome["exit_code"] == 2, outcome
        assert "Read-only file system" in outcome["stderr"], outcome
        assert "Traceback" not in outcome["stderr"], outcome
