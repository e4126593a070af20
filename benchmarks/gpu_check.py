"""Everything that a first run on a GPU has to show, in less than 8 minutes: five parts, each with its own process and limit.

    python benchmarks/gpu_check.py OUT                    # on a machine with a GPU; see gpu_check.sh for one without our packages
    python benchmarks/gpu_check.py OUT --device cpu       # the same checks on what a CPU has in place of a GPU, small
    python benchmarks/gpu_check.py OUT --only kernels training

Each part writes OUT/NAME.json as it goes on, so what it found before its limit or a crash is kept; none stops the others.
OUT/summary.json has the state of all of them, the card and the versions. The exit status is 0 if all parts ended well.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TESTS = Path(__file__).resolve().parents[1] / "tests"
TOTAL_SECONDS = 470.0
"""For all parts together: they and the start of the machine are to fit into ten minutes."""


@dataclass(frozen=True)
class Part:
    """One check."""

    module: str
    seconds: float
    what: str


PARTS = {
    "kernels": Part("gpu_check_kernels", 90, "the CUDA kernels against those of the CPU, and their bandwidth"),
    "device": Part("gpu_check_device", 140, "pycuda from its sources; the device's thread, frames and sessions"),
    "networks": Part("gpu_check_networks", 120, "the networks through PyTorch, with CUDA graphs, in three precisions"),
    "engines": Part("gpu_check_engines", 120, "the engines that can be imported: build, cache, agreement, time"),
    "training": Part("gpu_check_training", 150, "pairs and images per second of trainings"),
}


@dataclass
class Check:
    """What a part gets: where it runs, and where it writes what it finds."""

    out: Path
    cpu: bool
    """Whether this is the small form for a CPU."""
    pack: Path | None = None
    """What `gpu_pack.sh` packed."""
    found: dict[str, Any] = field(default_factory=dict)

    def note(self, **values: Any) -> None:
        """Keep values, also if the part ends early."""
        self.found |= values
        partial = self.out.with_suffix(".partial")
        partial.write_text(json.dumps(self.found, indent=1, default=float))
        partial.replace(self.out)


def photograph(check: Check) -> NDArray[np.uint8]:
    """Return the photograph of six faces, uint8 RGB [886, 1280, 3], of the pack or of this machine."""
    import cv2

    from streamdeblur.demo.run import group_photograph

    packed = None if check.pack is None else cv2.imread(str(check.pack / "photograph.jpg"))
    return group_photograph() if packed is None else np.ascontiguousarray(packed[..., ::-1]).astype(np.uint8)


def run_in_process(name: str, check: Check) -> None:
    """Run one part in this process."""
    sys.path[:0] = [str(Path(__file__).parent), str(TESTS)]
    importlib.import_module(PARTS[name].module).run(check)


def run_limited(command: Sequence[str], out: Path, seconds: float) -> dict[str, Any]:
    """Run a part in a process of its own, and end it and its children when its time is up.

    Args:
        command: Of the process, which writes `out`.
        out: What it found; missing where it found nothing.
        seconds: Its limit.

    Returns:
        ``state`` (ok, failed or timed out), ``seconds``, ``found`` and, where it failed, the end of its output.
    """
    out.unlink(missing_ok=True)
    began = time.monotonic()
    log = out.with_suffix(".log")
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            status = None
    state = {0: "ok", None: "timed out"}.get(status, f"failed ({status})")
    result: dict[str, Any] = {"state": state, "seconds": round(time.monotonic() - began, 1)}
    try:
        result["found"] = json.loads(out.read_text())
    except (OSError, ValueError):
        result["found"] = {}
    if status != 0:
        result["output"] = log.read_text(errors="replace")[-3000:]
    out.write_text(json.dumps(result, indent=1))
    return result


def surroundings() -> dict[str, Any]:
    """The machine, its card, and the versions of what matters."""
    from importlib.metadata import PackageNotFoundError, version

    packages = {}
    for name in ("torch", "cupy-cuda13x", "pycuda", "tensorrt", "tensorrt-rtx", "onnxruntime", "onnxruntime-gpu", "numba"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    wanted = "name,driver_version,memory.total,clocks.max.sm,clocks.max.memory,pcie.link.gen.max,pcie.link.width.max"
    command = ["nvidia-smi", f"--query-gpu={wanted}", "--format=csv,noheader"]
    try:
        cards = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip().splitlines()
    except (OSError, subprocess.SubprocessError):
        cards = []
    return {"python": platform.python_version(), "system": platform.platform(), "packages": packages, "cards": cards}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the results")
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run")
    parser.add_argument("--pack", type=Path, help="what gpu_pack.sh packed")
    parser.add_argument("--seconds", type=float, default=TOTAL_SECONDS, help="limit of all parts together")
    parser.add_argument("--in-process", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.in_process:
        check = Check(options.out / f"{options.in_process}.json", options.device == "cpu", options.pack)
        try:
            run_in_process(options.in_process, check)
        except Exception as error:
            # whatever a part raises is what it found; the others go on
            check.note(error=f"{type(error).__name__}: {error}")
            traceback.print_exc()
            return 1
        return 0
    return run_all(options)


def run_all(options: argparse.Namespace) -> int:
    """Run the parts one after the other, and print a line for each."""
    ends = time.monotonic() + options.seconds
    summary: dict[str, Any] = {"surroundings": surroundings(), "parts": {}}
    for name in options.only:
        part = PARTS[name]
        command = [sys.executable, __file__, str(options.out), "--in-process", name, "--device", options.device]
        command += ["--pack", str(options.pack)] if options.pack else []
        result = run_limited(command, options.out / f"{name}.json", max(5.0, min(part.seconds, ends - time.monotonic())))
        summary["parts"][name] = {"state": result["state"], "seconds": result["seconds"], "what": part.what}
        (options.out / "summary.json").write_text(json.dumps(summary, indent=1))
        print(f"{name:10} {result['state']:10} {result['seconds']:6.1f} s  {part.what}", flush=True)
        if result["state"] != "ok":
            print("           " + result["output"].strip().rpartition("\n")[2], flush=True)
    return int(any(part["state"] != "ok" for part in summary["parts"].values()))


if __name__ == "__main__":
    sys.exit(main())
