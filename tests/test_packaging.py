"""What the wheel and the source distribution contain."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock

from streamdeblur import __version__

ROOT = Path(__file__).parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


@pytest.fixture(scope="module")
def built(tmp_path_factory, testrun_uid):
    """(wheel, sdist), built from the checkout without the network; once, because builds at the same time disturb each other."""
    folder = tmp_path_factory.getbasetemp().parent / f"dist-{testrun_uid}"
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    with FileLock(f"{folder}.lock"):
        if not list(folder.glob("*.whl")):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))


def files_of_the_tree():
    """The files that are to be installed, by their path in the wheel; compiled files are left out."""
    files = {}
    for package, folder in SETUPTOOLS["package-dir"].items():
        for path in (ROOT / folder).rglob("*"):
            inside = path.relative_to(ROOT / folder)
            if path.is_file() and path.suffix != ".ptx" and "__pycache__" not in path.parts:
                files[(Path(*package.split(".")) / inside).as_posix()] = path
    return files


def test_every_package_of_the_tree_is_listed():
    """A new subpackage must be added to `packages` in pyproject.toml: nothing finds it by itself."""
    modules = [Path(name) for name in files_of_the_tree() if name.endswith(".py")]
    packages = {".".join(module.parent.parts) for module in modules}
    assert set(SETUPTOOLS["packages"]) == packages


def test_the_wheel_holds_every_file_of_the_tree_and_nothing_else(built):
    names = zipfile.ZipFile(built[0]).namelist()
    installed = {name for name in names if ".dist-info/" not in name and not name.endswith(".ptx")}
    manual = f"streamdeblur-{__version__}.data/data/share/man/man1/streamdeblur.1"
    assert installed == {*files_of_the_tree(), manual}
    assert {"streamdeblur/py.typed", "streamdeblur/weights/lite.onnx", "streamdeblur/weights/landmarks.onnx"} <= installed
    assert {"streamdeblur/kernels/cuda/window.cu"} <= installed


@pytest.mark.skipif(sys.platform != "linux", reason="NVRTC is asked for where it exists")
def test_wheel_and_source_distribution_hold_the_compiled_gpu_kernels(built):
    pytest.importorskip("nvidia.cuda_nvrtc", reason="built without NVRTC (pip install nvidia-cuda-nvrtc-cu12)")
    with zipfile.ZipFile(built[0]) as wheel:
        assert b".entry crop_faces_8" in wheel.read("streamdeblur/kernels/cuda/window.ptx")
    with tarfile.open(built[1]) as archive:
        assert f"{built[1].name.removesuffix('.tar.gz')}/kernels/cuda/window.ptx" in archive.getnames()


def test_one_wheel_serves_every_platform(built):
    """What is compiled in it is PTX, which drivers compile for their GPU."""
    assert built[0].name == f"streamdeblur-{__version__}-py3-none-any.whl"


def test_package_indexes_accept_both(built):
    """Names, metadata and description, as strictly as an index may check them."""
    pytest.importorskip("twine", reason="twine is not installed: pip install '.[test]'")
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, built)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_source_distribution_builds_the_same_wheel(built, tmp_path):
    with tarfile.open(built[1]) as archive:
        archive.extractall(tmp_path, filter="data")
    source = next(tmp_path.iterdir())
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path / "again"), str(source)]
    subprocess.run(command, capture_output=True, check=True)
    again = next((tmp_path / "again").glob("*.whl"))
    assert sorted(zipfile.ZipFile(again).namelist()) == sorted(zipfile.ZipFile(built[0]).namelist())


def test_the_shipped_configurations_are_valid():
    from streamdeblur.configs import LANDMARKS, LIVE, SETTINGS, VIDEO
    from streamdeblur.live.options import LiveOptions
    from streamdeblur.options import VideoOptions
    from streamdeblur.training.config import TrainingConfig
    from streamdeblur.training.landmarks.settings import LandmarkConfig

    for name in VIDEO:
        VideoOptions.load(Path(name))
    for name in LIVE:
        LiveOptions.load(Path(name))
    for name in LANDMARKS:
        LandmarkConfig.load(Path(name))
    files = sorted((ROOT / "configs").rglob("*.yaml"))
    others = {*SETTINGS, *LANDMARKS}
    trainings = [file.relative_to(ROOT / "configs").with_suffix("") for file in files if file.stem not in others]
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
