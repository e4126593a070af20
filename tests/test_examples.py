"""The examples, run as their docstrings show."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
import runpy
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from unittest import mock

import av
import numpy as np
import pytest
from PIL import Image

from streamdeblur import weights
from support.media.videos import VideoSpec, write_video
from support.models.networks import write_shipped

EXAMPLES = Path(__file__).parents[1] / "examples"
NEEDS = {
    "asyncio_service.py": ["aiohttp"],
    "dataloader.py": ["torch"],
    "identities.py": ["dlib", "face_recognition_models"],
    "norfair_faces.py": ["norfair"],
    "supervision_faces.py": ["supervision", "trackers"],
}
"""What must be installed for an example, beside streamdeblur."""


def run(name, *arguments):
    """Run an example in this process, which saves its imports; returns what it prints."""
    printed = io.StringIO()
    with mock.patch.object(sys, "argv", [name, *map(str, arguments)]), contextlib.redirect_stdout(printed):
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return printed.getvalue()


def need(example):
    for library in NEEDS.get(example, []):
        pytest.importorskip(library, reason=f"{library} is not installed: see the docstring of the example")


def script(name, *arguments, **variables):
    """Run an example for a shell, with the streamdeblur of this environment."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["bash", str(EXAMPLES / name), *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PATH": path, **variables}
    )


def frames_in(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.fixture(scope="module")
def talk(tmp_path_factory, few_pictures):
    """Four frames of a blurred face, with sound."""
    return write_video(tmp_path_factory.mktemp("talk") / "talk.mp4", few_pictures[:4], VideoSpec(audio="aac"))


@pytest.fixture
def quick_networks(tmp_path, monkeypatch):
    """Networks that open quickly in place of the shipped ones."""
    (tmp_path / "weights").mkdir()
    networks = write_shipped(tmp_path / "weights")
    monkeypatch.setattr(weights, "files", lambda _: networks)


@pytest.mark.parametrize("example", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_without_arguments_an_example_tells_its_usage(example):
    need(example)
    with pytest.raises(SystemExit, match=f"python examples/{example}"):
        run(example)


@pytest.mark.parametrize("example", sorted(path.name for path in EXAMPLES.glob("*.sh")))
def test_without_arguments_a_script_tells_its_usage(example):
    with script(example) as process:
        told = process.communicate()[1].decode()
    assert process.returncode == 2
    assert f"bash examples/{example}" in told
    assert "set -" not in told


def test_every_example_is_listed():
    listed = re.findall(r"\]\(\.\./examples/(\w+)", (EXAMPLES / "README.md").read_text(encoding="utf-8"))
    held = {path.stem for path in EXAMPLES.iterdir() if path.name not in ("README.md", "__pycache__")}
    assert set(listed) == held


def test_a_video_is_restored(talk, tmp_path, quick_networks):
    assert "4 frames: 4 of 4 faces restored" in run("video.py", talk, tmp_path / "sharp.mp4")
    assert frames_in(tmp_path / "sharp.mp4") == 4


def test_a_file_is_played_live_and_recorded(talk, tmp_path, quick_networks):
    printed = run("live.py", talk, tmp_path / "live.mkv")
    shown = int(re.search(r"(\d+) frames: \d+ faces restored", printed)[1])
    assert frames_in(tmp_path / "live.mkv") == shown > 0


def test_a_folder_is_restored_but_for_what_is_no_video(talk, face_picture, tmp_path, quick_networks):
    folder, out = tmp_path / "in", tmp_path / "out"
    (folder / "pictures").mkdir(parents=True)
    shutil.copy(talk, folder)
    Image.fromarray(face_picture).save(folder / "pictures" / "portrait.png")
    (folder / "broken.mp4").write_text("no video")
    with pytest.raises(SystemExit, match="1 files failed"):
        run("batch.py", folder, out)
    assert sorted(path.name for path in out.rglob("*.*")) == ["portrait.png", "talk.mp4"]


def test_the_service_restores_a_picture(few_pictures):
    need("asyncio_service.py")
    from aiohttp.test_utils import TestClient, TestServer

    picture = io.BytesIO()
    Image.fromarray(few_pictures[0]).save(picture, "png")

    async def posted():
        application = runpy.run_path(str(EXAMPLES / "asyncio_service.py"))["application"]()
        async with TestClient(TestServer(application)) as client:
            restored, refused = await client.post("/", data=picture.getvalue()), await client.post("/", data=b"no picture")
            return await restored.read(), refused.status

    restored, refused = asyncio.run(posted())
    assert (np.asarray(Image.open(io.BytesIO(restored))) != few_pictures[0]).any()
    assert refused == 400


@pytest.mark.slow
def test_workers_of_a_data_loader_restore_faces(face_picture, tmp_path, monkeypatch, capsys):
    need("dataloader.py")
    Image.fromarray(face_picture).save(tmp_path / "portrait.png")
    # a module with a name, so that the workers find its classes
    monkeypatch.syspath_prepend(EXAMPLES)
    import dataloader

    dataloader.main(tmp_path)
    assert re.search(r"a batch of \d+ faces", capsys.readouterr().out)


@pytest.mark.slow
def test_the_notebook_runs(talk, tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    book = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    assert [cell for cell in book.cells if cell.get("outputs")] == []
    shutil.copy(talk, tmp_path)
    nbclient.NotebookClient(book, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    assert next(output.text for output in outputs if "text" in output) == "4 of 4 faces restored\n"
    assert [output.data for output in outputs if "image/png" in output.get("data", {})]
    assert frames_in(tmp_path / "talk.sharp.mp4") == 4


@pytest.mark.slow
def test_obs_gets_a_stream():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with script("obs.sh", "--source", "pattern", "--seconds", "2", "--network", "nano", PORT=port) as process:
        with av.open(f"udp://127.0.0.1:{port}?timeout=120000000", format="mpegts") as container:
            frame = next(container.decode(video=0))
        problem = process.communicate()[1].decode()
    assert process.returncode == 0, problem
    assert frame.width >= 640


def test_ffmpeg_reads_and_writes_around_the_pipe(talk, tmp_path):
    if not shutil.which("ffmpeg"):
        ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="there is no ffmpeg").get_ffmpeg_exe()
        (tmp_path / "ffmpeg").symlink_to(ffmpeg)
    path = os.pathsep.join([str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]])
    with script("ffmpeg.sh", talk, tmp_path / "sharp.mp4", "-crf", "18", PATH=path) as process:
        problem = process.communicate()[1].decode()
    assert process.returncode == 0, problem
    assert frames_in(tmp_path / "sharp.mp4") == 4
    with av.open(str(tmp_path / "sharp.mp4")) as container:
        assert container.streams.audio


@pytest.mark.parametrize("example", ["norfair_faces.py", "supervision_faces.py"])
def test_faces_are_tracked_and_restored(example, talk, tmp_path, quick_networks):
    need(example)
    run(example, talk, tmp_path / "tracked.mp4")
    assert frames_in(tmp_path / "tracked.mp4") == 4


def test_the_similarity_to_a_portrait_increases(talk, face_picture, tmp_path):
    need("identities.py")
    Image.fromarray(face_picture).save(tmp_path / "portrait.png")
    printed = run("identities.py", tmp_path / "portrait.png", talk)
    pattern = r"(\d+) faces: mean cosine similarity (\S+) before, (\S+) after the restoration\n"
    faces, before, after = re.fullmatch(pattern, printed).groups()
    assert int(faces) == 4
    assert float(after) > float(before)
