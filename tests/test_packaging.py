"""The wheel and the source distribution, built and looked into."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(wheel, sdist), built from the checkout without the network."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))


def test_the_wheel_holds_everything_that_runs_and_nothing_else(built):
    names = zipfile.ZipFile(built[0]).namelist()
    for needed in (
        "streamdeblur/py.typed", "streamdeblur/kernels/window.py", "streamdeblur/weights/lite.onnx",
        "streamdeblur/weights/MODEL_CARD.md", "streamdeblur/kernels/cuda/window.cu", "streamdeblur/kernels/cuda/structs.cuh",
        "streamdeblur/cli/commands/video.py", "streamdeblur/configs/archive.yaml",
    ):  # fmt: skip
        assert needed in names
    assert all(name.startswith(("streamdeblur/", "streamdeblur-")) for name in names)
    assert not any("tests" in name or "__pycache__" in name for name in names)


@pytest.mark.skipif(sys.platform != "linux", reason="NVRTC is asked for where it exists")
def test_the_wheel_holds_the_compiled_gpu_kernels(built):
    pytest.importorskip("nvidia.cuda_nvrtc", reason="built without NVRTC (pip install nvidia-cuda-nvrtc-cu12)")
    with zipfile.ZipFile(built[0]) as wheel:
        assert b".entry crop_faces_8" in wheel.read("streamdeblur/kernels/cuda/window.ptx")


def test_the_source_distribution_builds_the_same_wheel(built, tmp_path):
    with tarfile.open(built[1]) as archive:
        archive.extractall(tmp_path, filter="data")
    source = next(tmp_path.iterdir())
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path / "again"), str(source)]
    subprocess.run(command, capture_output=True, check=True)
    again = next((tmp_path / "again").glob("*.whl"))
    assert sorted(zipfile.ZipFile(again).namelist()) == sorted(zipfile.ZipFile(built[0]).namelist())


def test_the_shipped_configurations_are_valid():
    from streamdeblur.options import VideoOptions
    from streamdeblur.training.config import TrainingConfig

    for name in ("archive", "preview"):
        VideoOptions.load(Path(name))
    files = sorted((ROOT / "configs").rglob("*.yaml"))
    trainings = [file.relative_to(ROOT / "configs").with_suffix("") for file in files if file.stem not in ("archive", "preview")]
    assert {Path("lite"), Path("paper"), Path("ablations/final")} <= set(trainings)
    for name in trainings:
        TrainingConfig.load(name)


@pytest.mark.slow
def test_the_wheel_runs_in_an_empty_environment(built, tmp_path):
    """Installed outside the checkout, the demonstration works."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    scripts = tmp_path / "venv" / "bin"
    subprocess.run([str(scripts / "pip"), "install", "-q", str(built[0])], check=True)
    done = subprocess.run([str(scripts / "streamdeblur"), "demo"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "streamdeblur-demo" / "before_after.png").is_file()
