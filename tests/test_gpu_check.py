"""The check for a first run on a GPU, in its form for a CPU; and the scripts that bring it there, and trainings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from support.benchmarks import BENCHMARKS
from support.fakes.cuda_on_host import compiler
from support.models.trainings import TINY_LITE, write_config


@pytest.fixture(scope="module")
def gpu_check():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        import gpu_check

        yield gpu_check


@pytest.mark.parametrize("name", ["kernels", "device", "networks", "engines", "training"])
def test_each_part_runs_in_its_form_for_a_cpu(gpu_check, tmp_path, monkeypatch, name):
    if name in ("kernels", "device") and compiler() is None:
        pytest.skip("no C++ compiler (g++) to run the CUDA kernels on the CPU with")
    # parts set a cache of their own, and paths
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    check = gpu_check.Check(tmp_path / "found.json", cpu=True)
    gpu_check.run_in_process(name, check)
    found = json.loads(check.out.read_text())
    assert found == json.loads(json.dumps(check.found, default=float))
    expected = {
        "kernels": {"differences", "largest_difference", "largest_statistic", "largest_luma", "1080p, 1 faces"},
        "device": {"engine", "differences", "judged", "frame_ms", "judging_ms", "memory"},
        "networks": {"lite"},
        "engines": {"onnxruntime", "tensorrt"},
        "training": {"samples per second, lite", "samples per second, stream", "training"},
    }
    assert expected[name] <= found.keys()


def test_the_parts_of_the_script_are_those_that_are_tested(gpu_check):
    assert list(gpu_check.PARTS) == ["kernels", "device", "networks", "engines", "training"]
    assert all((BENCHMARKS / f"{part.module}.py").is_file() for part in gpu_check.PARTS.values())


PART = """
import json, sys, time
from pathlib import Path
Path(sys.argv[1]).write_text(json.dumps({"found": "before the end"}))
print("last words", flush=True)
%s
"""


ENDS = {"": "ok", "sys.exit(3)": "failed (3)", "time.sleep(60)": "timed out", "import os; os.abort()": "failed (-6)"}
"""What a part does last, and what is told of it: 60 s are longer than a part may take here, -6 is the signal of abort."""


@pytest.mark.parametrize(("ends", "state"), ENDS.items())
def test_a_part_that_fails_or_hangs_keeps_what_it_found(gpu_check, tmp_path, ends, state):
    out = tmp_path / "part.json"
    result = gpu_check.run_limited([sys.executable, "-c", PART % ends, str(out)], out, 5.0)
    assert result["state"] == state
    assert result["found"] == {"found": "before the end"}
    assert json.loads(out.read_text()) == result
    assert state == "ok" or "last words" in result["output"]


def test_a_part_that_fails_does_not_stop_the_others(gpu_check, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_check, "surroundings", dict)
    results = iter(["failed (1)", "ok"])
    monkeypatch.setattr(
        gpu_check, "run_limited", lambda command, out, seconds: {"state": next(results), "seconds": 1.0, "output": "because"}
    )
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", str(tmp_path), "--only", "kernels", "engines"])
    assert gpu_check.main() == 1
    parts = json.loads((tmp_path / "summary.json").read_text())["parts"]
    assert [part["state"] for part in parts.values()] == ["failed (1)", "ok"]


def script(name, *arguments):
    command = ["bash", str(BENCHMARKS / name), *map(str, arguments)]
    # the scripts run the interpreter of these tests
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PATH": path}, check=False)


needs_git = pytest.mark.skipif(not (BENCHMARKS.parent / ".git").exists(), reason="not a clone, of which git knows the files")


@needs_git
def test_a_pack_has_sources_networks_and_as_much_data_as_fits(tmp_path):
    stills = tmp_path / "data" / "stills" / "train"
    stills.mkdir(parents=True)
    for number in range(9):
        (stills / f"{number}.jpg").write_bytes(bytes(1 << 20))
    (stills.parent / "train.csv").write_text("file,identity\n")
    packed = script("gpu_pack.sh", tmp_path / "pack", "--no-wheels", "--networks", "nano", "--data", stills, "--limit", "11")
    assert packed.returncode == 0, packed.stderr
    pack = tmp_path / "pack"
    assert (pack / "code" / "streamdeblur" / "kernels" / "window.py").is_file()
    assert [path.name for path in (pack / "code" / "streamdeblur" / "weights").glob("*.onnx")] == ["nano.onnx"]
    taken = sorted(path.name for path in (pack / "data" / "stills" / "train").iterdir())
    assert 0 < len(taken) < 9
    assert taken == [f"{number}.jpg" for number in range(len(taken))]
    assert (pack / "data" / "stills" / "train.csv").is_file()
    assert (pack / "photograph.jpg").is_file()
    assert sum(path.stat().st_size for path in pack.rglob("*") if path.is_file()) < 11 << 20
    further = script("gpu_pack.sh", tmp_path / "more", "--only-data", "--data", stills, "--skip", len(taken))
    assert further.returncode == 0, further.stderr
    assert len(taken) + len(list((tmp_path / "more" / "data" / "stills" / "train").iterdir())) == 9
    assert not (tmp_path / "more" / "code").exists()
    again = script("gpu_pack.sh", pack)
    assert again.returncode == 2
    assert "is not empty" in again.stderr


@needs_git
@pytest.mark.slow
def test_a_training_in_parts_comes_back_and_goes_on(tmp_path, faces_folder):
    config = write_config(tmp_path / "config.yaml", "lite", TINY_LITE, {"hourglass": {"images": 400_000}})
    images = []
    for number in (0, 1):
        pack, out = tmp_path / f"pack{number}", tmp_path / f"out{number}"
        before = ["--run", tmp_path / "run"] if number else []
        packed = script("gpu_pack.sh", pack, "--no-wheels", "--networks", "nano", "--data", faces_folder, *before)
        assert packed.returncode == 0, packed.stderr
        stills = pack / "data" / faces_folder.parent.name / faces_folder.name
        trained = script("gpu_train.sh", pack, out, 45, "hourglass", config, "--stills", stills, "--device", "cpu")
        assert trained.returncode == 0, trained.stderr
        with tarfile.open(out / "run.tar.gz.aa") as archive:
            archive.extractall(tmp_path, filter="data")
        from streamdeblur.training.checkpoint import read_checkpoint

        images.append(read_checkpoint(tmp_path / "run" / "checkpoint.safetensors")["images"])
    assert 0 < images[0] < images[1]
