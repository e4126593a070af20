"""Which cores this process may use, and how many threads of them each stage gets."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["file", "live"]
"""A file is worked on as fast as possible, with several frames in flight; a live stream one frame after the other."""

DECODING_THREADS = 4
"""Of a file, whatever the cores. Each thread of most decoders works on another frame, and where one fails, PyAV drops what others
return with it. So all machines keep the same frames of a damaged file, and few must be decoded again at its end (`Tail`). These
threads together have work for a core at most: to decode a frame is a small part of the work on it, and waits for the rest."""
SEPARATE = 8
"""Number of cores from which on the stages of a file have cores of their own; on fewer, they share them."""
DECODER_CORE = 12
"""Number of cores from which on the decoder of a file has one of its own. On fewer, it takes what the others leave."""
ENCODER_SHARE = 0.4
"""Part of the cores for networks and encoder that the encoder gets: a frame of 720p takes as long to encode as a face or two."""
MOST_STREAMS = MOST_ENCODING_THREADS = 16
"""The one thread that detects, crops and pastes does not feed more of them: to use more cores is to work on several files."""
FEWEST_IN_FLIGHT = 4
CROP_THREADS = 3
"""Threads for each face of a live stream, where there are enough for several: one face hardly gains from more of them."""
ENOUGH = 4
"""Cores that a job needs at least before the machine is divided among jobs that seldom run at the same time."""


@dataclass(frozen=True)
class GraphThreads:
    """The threads of a compiled network."""

    pictures: int = 1
    """Pictures that it computes at the same time."""
    each: int = 1
    """Threads for each of them."""
    pinned: bool = False
    """Keep threads on their cores, where nothing else is meant to compute there meanwhile."""

    @property
    def total(self) -> int:
        return self.pictures * self.each


@dataclass(frozen=True)
class ThreadPlan:
    """How many threads each stage gets. The loops over pixels (Numba) have none of their own: they run where they are called."""

    cores: int
    """Cores that are shared out."""
    network: GraphThreads
    detector: GraphThreads
    """For the full frame; one thread computes a local view."""
    decoder: int
    encoder: int
    frames_in_flight: int
    """Frames of `FaceDeblurrer.stream` whose faces may be with the engine at the same time."""


def plan_threads(kind: Kind, cores: int | None = None) -> ThreadPlan:
    """Share cores out among the stages of one job.

    Args:
        kind: The kind of job.
        cores: Cores for this job, at most those that the process may use; by default all of them.
    """
    usable = usable_cores()
    cores = usable if cores is None else min(cores, usable)
    return file_plan(cores) if kind == "file" else live_plan(cores, alone=cores == _allowed())


def file_plan(cores: int) -> ThreadPlan:
    """Share cores out for one file.

    Each crop and each frame that is encoded is computed by one thread, so that no thread waits for another one that is not
    running. Bounded queues connect the stages, and only the slowest of them works all the time.
    """
    if cores < SEPARATE:
        detector = min(cores, 2)
        # from three cores on, networks leave one to the other stages
        streams = cores if cores <= 2 else min(cores - 1, 4)
        encoder = min(cores, max(2, min(3, (cores + 1) // 2)))
    else:
        # the thread that crops and pastes waits while a full frame is searched
        detector = min(4, cores // 8)
        heavy = cores - detector - (1 if cores >= DECODER_CORE else 0)
        encoder = min(MOST_ENCODING_THREADS, round(ENCODER_SHARE * heavy))
        streams = min(MOST_STREAMS, heavy - encoder)
    in_flight = _in_flight(streams)
    return ThreadPlan(cores, GraphThreads(streams), GraphThreads(each=detector), DECODING_THREADS, encoder, in_flight)


def live_plan(cores: int, *, alone: bool = True) -> ThreadPlan:
    """Share cores out for one stream in real time.

    The threads of a crop wait for one another, so that one whose core is taken by an encoder delays all: from four cores on,
    decoder and encoder have cores of their own.

    Args:
        cores: The cores.
        alone: These are all cores that there are, and no part of them.
    """
    codec = max(0, cores.bit_length() - 2)
    network = cores - codec
    crops = min(8, max(1, network // CROP_THREADS))
    each = network if crops == 1 else min(network // crops, CROP_THREADS + 2)
    threads = GraphThreads(crops, each, pinned=alone and codec == 0)
    # the full frame is searched when the faces have been restored
    detector = GraphThreads(each=min(network, 8), pinned=alone and codec == 0)
    decoder = max(1, codec // 2) if codec else min(2, cores)
    encoder = max(1, codec - decoder) if codec else min(2, cores)
    return ThreadPlan(cores, threads, detector, decoder, encoder, _in_flight(crops))


def _in_flight(crops: int) -> int:
    """Frames with one face that keep an engine busy which computes this many crops at the same time."""
    return max(FEWEST_IN_FLIGHT, crops + 2)


def share_of(cores: int, jobs: int) -> int:
    """Return the cores for each of several jobs that run at the same time."""
    return max(1, cores // jobs)


def usable_cores() -> int:
    """Return how many cores this process may use: those of its affinity, and no more than its control group has time for."""
    quota, allowed = cpu_quota(), _allowed()
    return share_of(allowed if quota is None else min(allowed, int(quota)), _processes)


_processes = 1
"""Number of processes that work beside each other, of which this is one."""


def work_beside(processes: int) -> None:
    """Let this process use a share of the cores, as one of several that have the same work."""
    global _processes
    _processes = processes


def _allowed() -> int:
    """Cores of the affinity of this process, where the system has one."""
    if hasattr(os, "process_cpu_count"):
        # from Python 3.13 on, which also reads PYTHON_CPU_COUNT
        return os.process_cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_quota(groups: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Return the processor time that the control groups of this process allow (Linux), in cores; None where nothing limits it.

    Args:
        groups: The groups of a process (cgroups(7)).
        mount: Where they are mounted, of version 1 or 2.
    """
    try:
        lines = groups.read_text().splitlines()
    except OSError:
        return None
    quotas = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            roots = [mount, mount / "unified"]
        elif "cpu" in controllers.split(","):
            roots = [mount / controllers, mount / "cpu"]
        else:
            continue
        quotas += [quota for root in roots for quota in _quotas(root, path)]
    return min(quotas, default=None)


def _quotas(root: Path, path: str) -> list[float]:
    """The quotas of a group and of those above it. In a container, the path of the group may be that outside of it."""
    group = root / path.strip("/")
    return [quota for folder in (group, *group.parents) if folder.is_relative_to(root) and (quota := _quota(folder)) is not None]


def _quota(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").is_file():
            limit, period = (folder / "cpu.max").read_text().split()
        else:
            limit, period = ((folder / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        return None if limit == "max" or int(limit) <= 0 else int(limit) / int(period)
    except (OSError, ValueError):
        return None
