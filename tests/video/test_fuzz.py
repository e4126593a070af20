"""Damaged videos: whatever is in a file, it is restored or refused in words, and never stops the files beside it.

`pytest -m slow tests/video/test_fuzz.py` runs 400 of them, the same ones each time.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import time

import av
import pytest

from support.cli import COMMAND
from support.media.mutations import mutate
from support.media.streams import Sound, jpeg_picture, write_streams

FILES, PER_FOLDER = 400, 50
SECONDS_PER_FOLDER = 240
LARGEST_MEMORY = 3 << 30
"""Bytes of memory that a process may have used at most, of which the program itself takes about a third."""

TEXTS = [(0, 150, b"Hello <i>you</i>"), (200, 100, b"Bye")]
SOURCES = [
    ("mp4", "libx264", [Sound("aac", "stereo"), Sound("ac3", "5.1")], {"texts": TEXTS, "tags": {"title": "A"}}),
    ("mp4", "mpeg4", [Sound("libmp3lame")], {"cover": jpeg_picture()}),
    ("mov", "mjpeg", [Sound("pcm_s16le", "stereo")], {"texts": TEXTS}),
    ("mov", "libx265", [Sound("alac")], {}),
    ("mkv", "libx264", [Sound("flac"), Sound("libopus", "5.1")], {"texts": TEXTS, "cover": jpeg_picture()}),
    ("mkv", "ffv1", [Sound("pcm_s16le", counted=True)], {"tags": {"title": "A", "take": "1"}}),
    ("webm", "libvpx-vp9", [Sound("libopus", "stereo")], {}),
    ("webm", "libvpx", [Sound("vorbis", "stereo")], {}),
    ("avi", "mpeg4", [Sound("libmp3lame")], {}),
    ("avi", "ffv1", [Sound("pcm_u8", counted=True), Sound("ac3")], {}),
    ("ts", "libx264", [Sound("aac"), Sound("mp2", "stereo")], {}),
    ("ts", "mpeg2video", [Sound("ac3", "5.1")], {}),
    ("wmv", "msmpeg4", [Sound("wmav2", "stereo")], {}),
    ("flv", "flv", [Sound("libmp3lame", rate=44100)], {}),
    ("3gp", "mpeg4", [Sound("aac")], {}),
    ("mpg", "mpeg2video", [Sound("mp2", "stereo")], {}),
    ("nut", "mpeg4", [Sound("vorbis", "stereo")], {}),
]  # fmt: skip


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """(suffix, content) of valid videos of many kinds."""
    folder = tmp_path_factory.mktemp("originals")
    made = []
    for number, (suffix, codec, sounds, more) in enumerate(SOURCES):
        path = write_streams(folder / f"{number}.{suffix}", *sounds, codec=codec, **more)
        made.append((suffix, path.read_bytes()))
    return made


def write_folder(folder, originals, number):
    """Write a folder of damaged videos, and a valid one at its end."""
    generator = random.Random(number)
    folder.mkdir()
    for file in range(PER_FOLDER):
        suffix, content = generator.choice(originals)
        damaged = mutate(content, suffix, generator, [other for _, other in originals])
        (folder / f"{file:02d}.{suffix if suffix != 'nut' else 'mkv'}").write_bytes(damaged)
    (folder / "99.mp4").write_bytes(originals[0][1])


def run_folder(folder, out):
    """Restore a folder in a process of its own: (exit code, JSON, stderr, seconds)."""
    began = time.monotonic()
    command = [*COMMAND, "video", folder, "--out", out, "--json"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=SECONDS_PER_FOLDER)
    lines = done.stdout.decode().splitlines()
    return done.returncode, json.loads(lines[-1]) if lines else {}, done.stderr.decode(), time.monotonic() - began


@pytest.mark.slow
@pytest.mark.parametrize("number", range(FILES // PER_FOLDER))
def test_damaged_videos_are_restored_or_refused_and_never_stop_the_others(tmp_path, originals, number):
    folder, out = tmp_path / "in", tmp_path / "out"
    write_folder(folder, originals, number)
    exit_code, summary, errors, seconds = run_folder(folder, out)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    assert exit_code in (0, 1), f"exit code {exit_code}:\n{errors[-3000:]}"
    assert "Traceback" not in errors
    files = {os.path.basename(file["input"]): file for file in summary["files"]}
    assert sorted(files) == sorted(os.listdir(folder))
    assert files["99.mp4"]["status"] == "done"
    done = [file for file in files.values() if file["status"] == "done"]
    refused = [file for file in files.values() if file["status"] == "failed"]
    assert len(done) + len(refused) == PER_FOLDER + 1
    assert all(file["error"] for file in refused)
    print(f"\n{len(done) - 1} restored, {len(refused)} refused, {seconds:.0f} s, {memory >> 20} MiB at most")
    assert memory < LARGEST_MEMORY
    assert sorted(os.listdir(out)) == sorted(os.path.basename(file["output"]) for file in done), "half a file"
    for file in done:
        # FFmpeg does not recognise a transport stream of a few packets by itself
        with av.open(file["output"], format="mpegts" if file["output"].endswith(".ts") else None) as container:
            assert next(container.decode(video=0)).width > 0
