"""The live loop: a 720p30 stream played in real time, for its latency, its drops and its memory.

python benchmarks/live.py                # two minutes with one face, two with three
python benchmarks/live.py --seconds 20   # shorter
python benchmarks/live.py --avx2         # the same as on a CPU with AVX2 and nothing newer
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clips import faces_clip
from harness import Row, machine, restrict_to_avx2, table
from streamdeblur.live.loop import LiveLoop
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.summary import LiveSummary
from streamdeblur.options import RestorationOptions
from streamdeblur.weights import AUTO

FPS = 30
CLIP_SECONDS = 196 / FPS
"""Two periods of the camera's path, so that the picture does not jump when the clip is repeated."""
PARTS = 4
"""Number of parts of a run that are compared, to detect growth."""
P99 = {1: 33, 3: 50}
"""Milliseconds."""


@dataclass
class Measurements:
    """The measurements of a run."""

    summary: LiveSummary
    latencies: list[float]
    """Seconds, one per frame in order."""
    memory: list[float]
    """Resident MiB, about once per second."""
    others: float
    """Cores that other processes kept busy."""

    def quantile(self, share: float, part: int | None = None) -> float:
        """Milliseconds, of one of the parts or of the whole run."""
        values = self.latencies if part is None else np.array_split(self.latencies, PARTS)[part]
        return 1000 * float(np.quantile(values, share, method="higher"))

    def settled_memory(self, part: int) -> float:
        """Median MiB in a part of the run."""
        return float(np.median(np.array_split(self.memory, PARTS)[part]))


@dataclass
class _Meter:
    """Records memory once per second, and stops the loop at the end."""

    end: float
    memory: list[float] = field(default_factory=list)
    _next: float = 0.0

    def __call__(self, loop: LiveLoop) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + 1.0
            self.memory.append(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20)
        if now >= self.end:
            loop.stop()


def run(faces: int, seconds: float, network: str) -> Measurements:
    """Play a clip with this many blurred faces for this many seconds; all faces are restored as far as there is time."""
    clip = faces_clip(faces, CLIP_SECONDS, FPS, covered=True)
    restoration = RestorationOptions(network=network)
    loop = LiveLoop(LiveOptions(source=str(clip), realtime=True, loop=True, always=True, to=("null",), restoration=restoration))
    latencies: list[float] = []
    count = loop.latencies.add

    def add(value: float) -> None:
        latencies.append(value)
        count(value)

    loop.latencies.add = add  # type: ignore[method-assign]
    busy, own, began = busy_seconds(), time.process_time(), time.monotonic()
    meter = _Meter(began + seconds)
    summary = loop.run(meter)
    others = (busy_seconds() - busy - (time.process_time() - own)) / (time.monotonic() - began)
    return Measurements(summary, latencies, meter.memory, max(0.0, others))


def busy_seconds() -> float:
    """Processor time that all processes of this machine took so far."""
    user, nice, system, _, _, interrupts, soft, *_ = (int(v) for v in Path("/proc/stat").read_text().split("\n")[0].split()[1:])
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


def rows(faces: int, seconds: float, network: str) -> list[Row]:
    """The rows of one run."""
    measured = run(faces, seconds, network)
    summary, stream = measured.summary, f"live 720p30, {faces} face{'s' if faces > 1 else ''}"
    latency = ", ".join(f"p{100 * share:.0f} {measured.quantile(share):.1f}" for share in (0.5, 0.95, 0.99))
    medians = [f"{measured.quantile(0.5, part):.1f}" for part in range(PARTS)]
    disturbed = f"{seconds:g} s; other processes kept {measured.others:.2f} cores busy"
    share = summary.dropped / (summary.frames + summary.dropped)
    passed = summary.passed_through / max(1, summary.passed_through + summary.restored)
    first, last = measured.settled_memory(1), measured.settled_memory(PARTS - 1)
    return [
        Row(f"{stream}, added latency", f"{latency} ms", disturbed, target=f"p99 <= {P99[faces]} ms"),
        Row(f"{stream}, its median by quarters", f"{', '.join(medians)} ms", target="no growth"),
        Row(f"{stream}, frames dropped", f"{100 * share:.2f} % of {summary.frames + summary.dropped}", target="<= 0.1 %"),
        Row(f"{stream}, restored", _plan(summary), f"{summary.left_out} frames left out"),
        Row(f"{stream}, faces passed through", f"{100 * passed:.1f} % of {summary.passed_through + summary.restored}"),
        Row(f"{stream}, memory at the end", f"{last:.0f} MiB", f"second quarter {first:.0f} MiB", last / first, "flat"),
    ]


def _plan(summary: LiveSummary) -> str:
    """What was restored by the plan at the end."""
    plan = summary.plan
    return f"{plan.network}, crops up to {plan.largest_crop} px, up to {plan.faces} faces, {plan.fps:g} fps" if plan else ""


def measure(seconds: float, network: str = AUTO) -> list[Row]:
    """All rows."""
    return [row for faces in P99 for row in rows(faces, seconds, network)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0, help="of each of the two streams")
    parser.add_argument("--network", default=AUTO)
    parser.add_argument("--avx2", action="store_true", help="compute as on a CPU with AVX2 and nothing newer")
    arguments = parser.parse_args()
    if arguments.avx2:
        restrict_to_avx2()
    print(f"{machine()}\n\n{table(measure(arguments.seconds, arguments.network))}")
