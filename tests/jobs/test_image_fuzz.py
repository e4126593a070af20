"""Damaged pictures: no crash, no hang, no traceback, no half file, and none stops the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from PIL import Image

from support.media.damaged_pictures import damaged, valid_pictures

FILES = 100
SECONDS = 20.0
MEGABYTES = 3_000
"""Most time for a file, and most memory of a process: far more than is needed, far less than a bomb takes."""


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(7))
def test_damaged_pictures_are_restored_or_refused_in_words(tmp_path, face_picture, batch):
    valid = valid_pictures(cv2.resize(cv2.blur(face_picture, (9, 1)), (213, 160)))
    inputs, outputs = tmp_path / "in", tmp_path / "out"
    inputs.mkdir()
    for number in range(FILES):
        suffix, content = valid[(number + batch * FILES) % len(valid)]
        seed = batch * FILES + number
        (inputs / f"{number:03}.{suffix}").write_bytes(damaged(content, [other for _, other in valid], seed))
    done = subprocess.run(
        [sys.executable, "-m", "support.fuzz_images", inputs, outputs], capture_output=True, text=True, timeout=550, check=False
    )
    assert done.returncode == 0, done.stderr
    report, figures = map(json.loads, done.stdout.splitlines()[-2:])
    print({"done": report["done"], "failed": report["failed"], **figures})
    assert figures["exit_code"] == 1
    assert "Traceback" not in done.stderr
    assert report["done"] + report["failed"] == len(report["files"]) == FILES
    for file in report["files"]:
        assert "unexpected" not in file["error"], file
        assert (file["status"] == "done") != bool(file["error"])
    written = {Path(file["output"]).name for file in report["files"] if file["status"] == "done"}
    assert set(os.listdir(outputs)) == written
    for name in written:
        with Image.open(outputs / name) as picture:
            picture.load()
    assert figures["seconds"] < SECONDS
    assert figures["megabytes"] < MEGABYTES
