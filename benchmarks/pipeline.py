"""A model of the pipeline: what the threads that each stage gets are worth on machines with more cores than this one.

python benchmarks/pipeline.py                       # measures the stages, tests the model on the cores of this machine
python benchmarks/pipeline.py --network lite --faces 4
python benchmarks/pipeline.py --times TIMES.json    # the tables of an earlier measurement (--json)

The time of each stage is measured alone, on one core, while the same work keeps the other cores busy: cores share caches and
memory, and often arithmetic units. The model runs the stages of `streamdeblur.jobs.video` with the threads of
`streamdeblur.cores`, its queues and its limits; threads that compute get equal shares of the cores. What it predicts for the
cores of this machine is compared with whole transcodes on as many.

In a live stream, one stage follows the other: the latency of a frame is their sum. How much faster a crop is on several threads
follows from its times on one and on two (Amdahl's law).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
from live import busy_seconds

from clips import WORK, faces_clip
from harness import machine, markdown
from streamdeblur import FaceDeblurrer, deblur_video
from streamdeblur.cores import ThreadPlan, file_plan, live_plan
from streamdeblur.faces.centerface import SMALL_PIXELS
from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.frames import make_writable, planes_of
from streamdeblur.jobs.video import QUEUED
from streamdeblur.options import EncodingOptions
from streamdeblur.video.reader import Reader
from streamdeblur.video.writer import Writer

FRAMES = 400
"""Frames that the model runs; the first quarter fills the queues and is not counted."""
MODES = ("all", "stages", "whole", "pair", "neighbour")
"""What a process does: everything, or a part of it on cores of its own."""
SHOWN = (1, 2, 4, 8, 16, 32, 64)
"""Cores for which predictions are shown."""
ALLOWED = 0.15
"""Largest relative error of the model on the cores of this machine."""


@dataclass(frozen=True)
class StageTimes:
    """Processor time of each stage in seconds, on one core while the others are busy."""

    decode: float
    """Per frame."""
    select: float
    """Per face: local detection, tracking, reading and judging its crop, all in one thread."""
    detect: float
    """Per frame: detection on the full frame, its mean over all frames."""
    crop: float
    """Per face: the network."""
    paste: float
    """Per face: submitting and pasting, in the thread that selects."""
    encode: float
    """Per frame."""
    faces: float
    """Faces that are restored in a frame, on average."""

    @property
    def total(self) -> float:
        """Processor time of a frame."""
        return self.decode + self.detect + self.encode + self.faces * (self.select + self.crop + self.paste)


@dataclass(frozen=True)
class Prediction:
    """What the model says of one plan."""

    fps: float
    busy: float
    """Cores that compute, on average."""
    wanted: float
    """Threads that compute or wait for a core, on average."""


def live_latency(times: StageTimes, plan: ThreadPlan, faces: int, pair: float) -> float:
    """Seconds from a decoded frame to a restored one, in a stream that searches full frames between two frames.

    Args:
        times: Of the stages.
        plan: The threads.
        faces: Faces in the frame, all of them blurred.
        pair: Seconds that a crop takes alone, on two threads.
    """
    parallel = min(1.0, 2 * (1 - pair / times.crop))
    crop = times.crop * (1 - parallel + parallel / plan.network.each)
    return faces * (times.select + times.paste) + -(-faces // plan.network.pictures) * crop


Process = Generator[float | Callable[[], object], None, None]
"""Yields the seconds that a thread computes next, or what has to be true before it goes on."""


class Machine:
    """Threads on cores, with equal shares of them."""

    def __init__(self, cores: int) -> None:
        self.cores, self.now, self.busy, self.wanted = cores, 0.0, 0.0, 0.0
        self._running: list[tuple[Process, float]] = []
        self._waiting: list[tuple[Process, Callable[[], object]]] = []

    def start(self, process: Process) -> None:
        """Let a thread begin."""
        self._go_on(process)

    def _go_on(self, process: Process) -> None:
        wanted = next(process, None)
        if callable(wanted):
            self._waiting.append((process, wanted))
        elif wanted is not None:
            self._running.append((process, wanted))

    def run(self, ended: Callable[[], bool]) -> None:
        """Run until something is true."""
        while not ended():
            ready = next((n for n, (_, condition) in enumerate(self._waiting) if condition()), None)
            if ready is not None:
                self._go_on(self._waiting.pop(ready)[0])
                continue
            self._compute()

    def _compute(self) -> None:
        """Go on to the time when the first thread has computed what it has to."""
        rate = min(1.0, self.cores / len(self._running))
        step = min(left for _, left in self._running) / rate
        self.now += step
        self.busy += step * rate * len(self._running)
        self.wanted += step * len(self._running)
        after = [(process, left - step * rate) for process, left in self._running]
        self._running = [(process, left) for process, left in after if left > 1e-12]
        for process, left in after:
            if left <= 1e-12:
                self._go_on(process)


class Pipeline:
    """The stages of a file, as `deblur_video` and `FaceDeblurrer.stream` connect them."""

    def __init__(self, times: StageTimes, plan: ThreadPlan) -> None:
        self.machine = Machine(plan.cores)
        self._times, self._plan = times, plan
        self._decoded, self._crops, self._restored = deque[int](), deque[int](), deque[int]()
        self._left: dict[int, int] = {}
        """Crops of each frame that are with the engine."""
        self._parts = 0
        """Parts of a detection that other threads than the first one compute."""
        self.written = 0
        self.machine.start(self._decode())
        self.machine.start(self._restore())
        for _ in range(plan.network.pictures):
            self.machine.start(self._infer())
        for _ in range(plan.encoder):
            self.machine.start(self._encode())

    def _decode(self) -> Process:
        number = 0
        while True:
            yield self._times.decode
            yield lambda: len(self._decoded) < QUEUED
            self._decoded.append(number)
            number += 1

    def _restore(self) -> Process:
        """The thread that selects faces, submits crops and pastes them."""
        in_flight = deque[int]()
        submitted = 0
        while True:
            yield lambda: self._decoded
            number = self._decoded.popleft()
            yield self._times.faces * (self._times.select + self._times.paste)
            yield from self._detect()
            # a fraction of a face is a face in so many frames
            due = int((number + 1) * self._times.faces + 1e-9) - submitted
            submitted += due
            self._left[number] = due
            self._crops.extend([number] * due)
            in_flight.append(number)
            if len(in_flight) > self._plan.frames_in_flight:
                first = in_flight.popleft()
                yield lambda first=first: self._left[first] == 0
                yield lambda: len(self._restored) < QUEUED
                self._restored.append(first)

    def _detect(self) -> Process:
        share = self._times.detect / self._plan.detector.each

        def part() -> Process:
            yield share
            self._parts -= 1

        for _ in range(1, self._plan.detector.each):
            self._parts += 1
            self.machine.start(part())
        yield share
        yield lambda: self._parts == 0

    def _infer(self) -> Process:
        while True:
            yield lambda: self._crops
            number = self._crops.popleft()
            yield self._times.crop
            self._left[number] -= 1

    def _encode(self) -> Process:
        while True:
            yield lambda: self._restored
            self._restored.popleft()
            yield self._times.encode
            self.written += 1


def predict(times: StageTimes, plan: ThreadPlan) -> Prediction:
    """Run the model of a file."""
    pipeline = Pipeline(times, plan)
    machine = pipeline.machine
    machine.run(lambda: pipeline.written >= FRAMES // 4)
    began, busy, wanted, written = machine.now, machine.busy, machine.wanted, pipeline.written
    machine.run(lambda: pipeline.written >= FRAMES)
    seconds = machine.now - began
    return Prediction(
        (pipeline.written - written) / seconds, (machine.busy - busy) / seconds, (machine.wanted - wanted) / seconds
    )


def measure_stages(network: str, clip: Path, frames: int) -> StageTimes:
    """Measure each stage alone, on the core that this process has."""
    reader = Reader(clip)
    began = time.process_time()
    decoded = [item for item in reader if isinstance(item, av.VideoFrame)]
    decode = (time.process_time() - began) / len(decoded)
    decoded = decoded[:frames]
    select = detect = crop = paste = 0.0
    with FaceDeblurrer(network=network, always=True, throughput=True) as deblurrer:
        full = _TimedDetection(deblurrer)
        deblurrer.warm_up(decoded[0].width, decoded[0].height)
        full.seconds = 0.0
        for frame in decoded:
            make_writable(frame)
            planes, settings = planes_of(frame), deblurrer._settings()
            began = time.process_time()
            faces = deblurrer._selector.select(planes, None, settings)
            select += time.process_time() - began
            if not faces:
                continue
            began, here = time.process_time(), time.thread_time()
            deblurrer._finish(planes, deblurrer._submit(planes, faces, settings))
            here = time.thread_time() - here
            crop, paste = crop + time.process_time() - began - here, paste + here
        restored, detect = deblurrer.statistics.restored, full.seconds
    encode = _encoding(decoded, reader)
    count, faces = len(decoded), max(1, restored)
    return StageTimes(
        decode, (select - detect) / faces, detect / count, crop / faces, paste / faces, encode / count, restored / count
    )


class _TimedDetection:
    """Adds up the processor time of a detector on full frames."""

    def __init__(self, deblurrer: FaceDeblurrer) -> None:
        self.seconds = 0.0
        detect = deblurrer.detector.detect

        def timed(picture):
            began = time.process_time()
            try:
                return detect(picture)
            finally:
                if picture.shape[0] * picture.shape[1] > SMALL_PIXELS:
                    self.seconds += time.process_time() - began

        # of this one detector, which the deblurrer has opened
        deblurrer.detector.detect = timed  # type: ignore[method-assign]


def _encoding(frames: list[av.VideoFrame], reader: Reader) -> float:
    """Processor time of encoding frames with the default settings."""
    target = WORK / f"pipeline_{os.getpid()}.mp4"
    began = time.process_time()
    with Writer(target, reader, EncodingOptions()) as writer:
        for frame in frames:
            writer.write(frame)
    seconds = time.process_time() - began
    target.unlink()
    return seconds


def measure_whole(network: str, clip: Path) -> dict[str, float]:
    """Transcode a clip on the cores that this process has; the frames per second, and the cores that others kept busy."""
    target = WORK / f"pipeline_{os.getpid()}.mp4"
    with FaceDeblurrer(network=network, always=True, throughput=True) as deblurrer:
        deblur_video(clip, target, deblurrer=deblurrer, overwrite=True, duration=1)
        busy, own, began = busy_seconds(), time.process_time(), time.monotonic()
        fps = deblur_video(clip, target, deblurrer=deblurrer, overwrite=True).fps
        seconds, own = time.monotonic() - began, time.process_time() - own
    target.unlink()
    return {"fps": fps, "busy": own / seconds, "others": max(0.0, (busy_seconds() - busy - own) / seconds)}


def measure_pair(network: str) -> float:
    """Seconds that a crop takes alone, on the two cores that this process has."""
    with FaceDeblurrer(network=network) as deblurrer:
        crop = np.full((1, CROP_SIZE, CROP_SIZE, 3), 128, np.uint8)
        seconds = []
        for _ in range(40):
            began = time.perf_counter()
            deblurrer.engine.infer(crop)
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def keep_busy(network: str, clip: Path) -> None:
    """Do the work of all stages, until this process is killed."""
    while True:
        measure_stages(network, clip, 20)


def child(mode: str, cores: list[int], arguments: argparse.Namespace) -> subprocess.Popen[str]:
    """Run one of the measurements in a process that has these cores only."""
    command = [sys.executable, __file__, mode, "--network", arguments.network, "--faces", str(arguments.faces)]
    return subprocess.Popen(
        [*command, "--on", ",".join(map(str, cores))],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def result(process: subprocess.Popen[str]) -> Any:
    """What a measurement printed at its end."""
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit("A measurement failed.")
    return json.loads(out.splitlines()[-1])


def measure(arguments: argparse.Namespace) -> dict:
    """Measure the stages, and whole transcodes on one core and on all of them."""
    cores = sorted(os.sched_getaffinity(0))
    with ExitStack() as ending:
        for core in cores[1:]:
            neighbour = child("neighbour", [core], arguments)
            ending.callback(neighbour.wait)
            ending.callback(neighbour.kill)
        times = result(child("stages", cores[:1], arguments))
    counts = sorted({1, len(cores)})
    whole = {count: [result(child("whole", cores[:count], arguments)) for _ in range(arguments.rounds)] for count in counts}
    pair = result(child("pair", cores[:2], arguments)) if len(cores) > 1 else None
    return {"machine": machine(), "network": arguments.network, "times": times, "whole": whole, "pair": pair}


def live_table(times: StageTimes, pair: float) -> str:
    """The latency of live streams."""
    rows = []
    for cores in SHOWN:
        plan = live_plan(cores)
        threads = f"{plan.network.pictures} x {plan.network.each}, {plan.decoder}, {plan.encoder}"
        rows.append([str(cores), threads, *(f"{1000 * live_latency(times, plan, faces, pair):.0f} ms" for faces in (1, 3, 6))])
    return markdown(("cores", "threads: network, decoder, encoder", "1 face", "3 faces", "6 faces"), rows)


def report(measured: dict) -> tuple[str, bool]:
    """The tables, and whether the model is as exact as it has to be."""
    times = StageTimes(**measured["times"])
    stages = [[name, f"{1000 * value:.1f} ms"] for name, value in asdict(times).items() if name != "faces"]
    compared, exact = [], True
    for cores, runs in measured["whole"].items():
        fps, others = (statistics.median(run[name] for run in runs) for name in ("fps", "others"))
        predicted = predict(times, file_plan(int(cores))).fps
        error = predicted / fps - 1
        exact &= abs(error) <= ALLOWED
        compared.append([str(cores), f"{fps:.1f} fps", f"{predicted:.1f} fps", f"{100 * error:+.0f} %", f"{others:.2f}"])
    loads = [0.0, times.faces, 3.0]
    rows = []
    for cores in SHOWN:
        plan = file_plan(cores)
        cells = [predict(replace(times, faces=faces), plan) for faces in loads]
        threads = f"{plan.network.pictures}, {plan.encoder}, {plan.detector.each}"
        rows.append([str(cores), threads, *(f"{one.fps:.0f} fps, {one.busy:.1f}, {one.wanted:.1f}" for one in cells)])
    heads = [f"{faces:.3g} faces: fps, busy cores, threads that want one" for faces in loads]
    pair = measured.get("pair")
    text = "\n\n".join([
        f"{measured['machine']}; {measured['network']}",
        markdown(("stage", "processor time"), stages),
        markdown(("cores", "measured", "model", "error", "cores kept busy by others"), compared),
        markdown(("cores", "threads: network, encoder, detector", *heads), rows),
        live_table(times, pair) if pair else "Live streams are shown where two cores were measured.",
    ])  # fmt: skip
    return text, exact


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", nargs="?", choices=MODES, default="all", help=argparse.SUPPRESS)
    parser.add_argument("--on", help=argparse.SUPPRESS)
    parser.add_argument("--network", default="stream")
    parser.add_argument("--faces", type=int, default=1, help="in the clip that is measured")
    parser.add_argument("--rounds", type=int, default=3, help="of whole transcodes")
    parser.add_argument("--json", type=Path, help="file to keep the measurement in")
    parser.add_argument("--times", type=Path, help="a measurement that was kept")
    arguments = parser.parse_args()
    if arguments.on:
        os.sched_setaffinity(0, {int(core) for core in arguments.on.split(",")})
    clip = faces_clip(arguments.faces, 4)
    if arguments.mode == "neighbour":
        keep_busy(arguments.network, clip)
    elif arguments.mode == "stages":
        print(json.dumps(asdict(measure_stages(arguments.network, clip, 60))))
    elif arguments.mode == "whole":
        print(json.dumps(measure_whole(arguments.network, clip)))
    elif arguments.mode == "pair":
        print(json.dumps(measure_pair(arguments.network)))
    else:
        measured = json.loads(arguments.times.read_text()) if arguments.times else measure(arguments)
        if arguments.json:
            arguments.json.write_text(json.dumps(measured, indent=1))
        text, exact = report(measured)
        print(text)
        sys.exit(not exact)


if __name__ == "__main__":
    main()
