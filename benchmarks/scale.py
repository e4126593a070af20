"""A model of an archive on 1 to 1,000 machines: where storage, the start of engines, or stragglers bound it.

python benchmarks/scale.py                 # the tables of docs/scale.md
python benchmarks/scale.py --hours 100 --bandwidth 0.3 --seconds-per-frame 0.06

Segments go to the first free worker, in order, as in streamdeblur.archive.run; a file is joined when its last segment is done.
How long a segment takes is its frames times the seconds per frame, a random factor, and the slowdown of a storage that all share.
"""

from __future__ import annotations

import argparse
import heapq
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

NODES = (1, 3, 10, 30, 100, 300, 1000)
RATE = 25
"""Frames per second of the videos."""
SEGMENT = 60.0


@dataclass(frozen=True)
class Model:
    """What was measured or is assumed; seconds are those of a worker with all its cores but for `seconds_per_frame`."""

    seconds_per_frame: float = 0.081
    """Processor time: 1080p, one face in each frame (measured)."""
    cores: int = 8
    """Of each worker, used as well as the model of the pipeline says."""
    efficiency: float = 0.96
    start: float = 3.0
    """Opening an engine (measured)."""
    segment_overhead: float = 0.55
    """Processor time of the warm-up of a segment (measured, 720p)."""
    joining: float = 0.02
    """Of a segment, beside its bytes (measured)."""
    installation: float = 1.33
    """Gigabytes that each worker reads before it starts, where machines do not have them."""
    bandwidth: float = 1.25
    """Gigabytes per second of the storage: 10 gigabit Ethernet."""
    read_rate: float = 5.0
    """Megabits per second of the sources."""
    written_rate: float = 8.0
    """The same of the outputs, which are written twice and read once when segments are joined."""
    spread: float = 0.15
    """Deviation of the logarithm of what a segment takes."""
    slow_share: float = 0.01
    """Share of the machines that run at half the speed."""

    def seconds(self, length: float) -> float:
        """Return what a worker takes for so many seconds of video, if nothing else slows it."""
        work = length * RATE * self.seconds_per_frame + self.segment_overhead
        return work / (self.cores * self.efficiency)

    def slowdown(self, nodes: int) -> float:
        """Return how much longer everything takes because all share the storage."""
        bits = self.read_rate + 3 * self.written_rate
        gigabytes = nodes * bits / 8000 * SEGMENT / self.seconds(SEGMENT)
        return max(1.0, gigabytes / self.bandwidth)


def archive(hours: float, chance: random.Random) -> list[float]:
    """Lengths of files in seconds: half an hour on average, few much longer."""
    lengths: list[float] = []
    while sum(lengths) < 3600 * hours:
        lengths.append(min(12 * 3600, 1800 * chance.lognormvariate(-0.5, 1.0)))
    return lengths


def segments(length: float) -> list[float]:
    """Lengths of the segments of a file; the last one takes what would be less than half of one."""
    count = max(1, int(length / SEGMENT + 0.5))
    return [SEGMENT] * (count - 1) + [length - SEGMENT * (count - 1)]


def simulated(
    files: Sequence[float], nodes: int, model: Model, *, cut: bool, seed: int = 0, local: bool = True
) -> dict[str, float]:
    """Return the hours until all is done, the share of that which the workers worked, and the longest file in means of all."""
    chance = random.Random(seed)
    start = model.start + (0.0 if local else model.installation * nodes / model.bandwidth)
    free = [(start, 2.0 if chance.random() < model.slow_share else 1.0, n) for n in range(nodes)]
    heapq.heapify(free)
    slow, busy, ends = model.slowdown(nodes), 0.0, list[float]()
    spans: list[float] = []
    for file in files if cut else sorted(files, reverse=True):
        parts = segments(file) if cut else [file]
        first, last = float("inf"), 0.0
        for part in parts:
            begin, pace, number = heapq.heappop(free)
            took = model.seconds(part) * slow * pace * chance.lognormvariate(0, model.spread)
            first, last, busy = min(first, begin), max(last, begin + took), busy + took
            heapq.heappush(free, (begin + took, pace, number))
        if cut:
            begin, pace, number = heapq.heappop(free)
            took = model.joining * len(parts) * slow
            # nobody waits for the last segment: who is free then joins them
            heapq.heappush(free, (begin + took, pace, number))
            last = max(begin, last) + took
        ends.append(last)
        spans.append(last - first)
    whole = max(ends)
    return {
        "hours": whole / 3600,
        "used": busy / slow / (whole * nodes),
        "longest": max(spans) / (sum(spans) / len(spans)),
    }


def rows(files: Sequence[float], model: Model) -> Iterator[list[str]]:
    """Rows of the table: nodes, hours, efficiency, and what bounds them."""
    for nodes in NODES:
        cut, whole = (simulated(files, nodes, model, cut=one) for one in (True, False))
        far = simulated(files, nodes, model, cut=True, local=False)
        yield [
            f"{nodes:,}", f"{cut['hours']:.2f}", f"{100 * cut['used']:.0f} %", f"{model.slowdown(nodes):.1f}",
            f"{far['hours']:.2f}", f"{whole['hours']:.2f}", f"{100 * whole['used']:.0f} %",
        ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hours", type=float, default=1000.0)
    for name in ("seconds_per_frame", "bandwidth", "cores"):
        kind = type(getattr(Model(), name))
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=getattr(Model(), name))
    arguments = parser.parse_args()
    model = Model(arguments.seconds_per_frame, arguments.cores, bandwidth=arguments.bandwidth)
    files = archive(arguments.hours, random.Random(1))
    parts = [part for file in files for part in segments(file)]
    print(f"{len(files)} files, the longest {max(files) / 3600:.1f} h, the mean {sum(files) / len(files) / 3600:.2f} h")
    print(f"{len(parts)} segments, the longest {max(parts) / (sum(parts) / len(parts)):.2f} times the mean")
    print("| nodes | hours | used | storage slows by | without installation: hours | whole files: hours | used |")
    print("| -- | -- | -- | -- | -- | -- | -- |")
    for row in rows(files, model):
        print("| " + " | ".join(row) + " |")
    overhead = model.segment_overhead / (SEGMENT * RATE * model.seconds_per_frame)
    core_hours = arguments.hours * RATE * model.seconds_per_frame * (1 + overhead)
    print(f"{core_hours:.0f} core hours")


if __name__ == "__main__":
    main()
