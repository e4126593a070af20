"""A damaged cache is thrown away and made again: by the next process, with the same result, and whatever the damage is."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from streamdeblur.caches import DIGESTS, read_cached, record_digests, remove_damaged, write_cached
from support.models.networks import write_network

SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from streamdeblur.engines import open_engine
from streamdeblur.kernels.jit import kernel
from streamdeblur.network import Network

@kernel
def total(values):
    result = 0.0
    for value in values:
        result += value
    return result

engine = open_engine("openvino", Network.read(Path(sys.argv[1])))
crops = np.arange(256 * 256 * 3, dtype=np.uint32).astype(np.uint8).reshape(1, 256, 256, 3)
print(total(np.arange(5.0)), int(engine.infer(crops).astype(int).sum()), sum(total.stats.cache_hits.values()))
"""

DAMAGES = {
    "empty": lambda content: b"",
    "cut off": lambda content: content[: len(content) // 2],
    "random": lambda content: os.urandom(len(content)),
    "one bit": lambda content: (
        content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 1]) + content[len(content) // 2 + 1 :]
    ),
    "a pickle of something else": lambda content: b"\x80\x04N.",
}


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Runs the script in a process, and returns its result and the number of kernels from the cache."""
    folder = tmp_path_factory.mktemp("caches")
    script = folder / "restoring.py"
    script.write_text(SCRIPT)
    network = write_network(folder / "invert.onnx", "invert")
    variables = {"NUMBA_CACHE_DIR": str(folder / "numba"), "STREAMDEBLUR_CACHE": str(folder / "own")}

    def run():
        done = subprocess.run(
            [sys.executable, str(script), str(network)], env=os.environ | variables, capture_output=True, text=True, check=False,
            timeout=120,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        total, restored, hits = done.stdout.split()
        return (total, restored), int(hits)

    run.caches, (run.whole, _) = folder, run()
    return run


def _cached_files(folder):
    kernels = [path for path in (folder / "numba").rglob("*.nb?") if path.name.startswith("restoring")]
    return [*kernels, *(folder / "own" / "openvino").rglob("*.*")]


@pytest.mark.parametrize(
    "damage", [pytest.param(damage, marks=[] if damage == "empty" else pytest.mark.slow) for damage in DAMAGES]
)
def test_the_next_process_makes_kernels_and_networks_again(start, damage):
    files = _cached_files(start.caches)
    assert {path.suffix for path in files} == {".nbi", ".nbc", ".blob", ".json"}
    for path in files:
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    damaged = {path: path.read_bytes() for path in files}
    assert start() == (start.whole, 0)
    assert start() == (start.whole, 1)
    assert all(path.read_bytes() != damaged[path] for path in files)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_with_its_digest(tmp_path, damage):
    path = tmp_path / "speeds"
    assert read_cached(path) is None
    write_cached(path, b"measured " * 100)
    assert read_cached(path) == b"measured " * 100
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert read_cached(path) is None
    assert not path.exists()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_folder_that_a_library_writes(tmp_path, damage):
    """Files that were not recorded, because a process died before, are removed as well."""
    for name in ("whole", "damaged"):
        (tmp_path / name).write_bytes(b"compiled " * 100)
    record_digests(tmp_path, {})
    (tmp_path / "unknown").write_bytes(b"half")
    (tmp_path / "damaged").write_bytes(DAMAGES[damage](b"compiled " * 100))
    whole = remove_damaged(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"whole", DIGESTS}
    (tmp_path / "damaged").write_bytes(b"compiled again")
    record_digests(tmp_path, whole)
    assert set(remove_damaged(tmp_path)) == {"whole", "damaged"}
    (tmp_path / DIGESTS).write_bytes(DAMAGES[damage]((tmp_path / DIGESTS).read_bytes()))
    record_digests(tmp_path, remove_damaged(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} <= {"whole", "damaged", DIGESTS}
