"""What each stage of a frame takes: processor time of all threads, for one hand-held face in 720p and 1080p.

python benchmarks/stages.py                          # with all that this CPU has
python benchmarks/stages.py --avx2                   # the same as on a CPU with AVX2 and nothing newer
python benchmarks/stages.py --network stream     # the default for files
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from clips import FPS, faces_clip
from harness import machine, markdown, restrict_to_avx2

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
PERIOD = 98
"""Frames after which the camera of the clip is where it began."""
ROUNDS = 3
"""Times that the clip is played and measured, after a first one."""

STAGES = {
    "changes of the picture": ["faces.find:FrameChanges.__call__", "faces.find:FrameChanges.newcomers"],
    "search for new faces": ["faces.search:Region.read", "faces.find:FaceFinder._detect_everywhere"],
    "flow of known faces": ["faces.track:Track.follow", "faces.track:Track.see"],
    "detection around known faces": ["faces.find:FaceFinder._detect_locally"],
    "comparison with the frame before": ["faces.judged:LastFaces.repeated", "faces.judged:LastFaces.keep"],
    "crop": ["faces.selection:crop"],
    "judge": ["faces.gain:GainEstimator.__call__"],
    "memory of the network": ["faces.memory:FaceMemory.remember", "faces.memory:FaceNeighbours.find"],
    "network": ["engines.engine:GraphEngine._submit", "engines.engine:_PendingBatch.write"],
    "paste": ["engines.engine:paste"],
    "the rest": ["deblurrer:FaceDeblurrer.edit", "deblurrer:FaceDeblurrer.catch_up"],
}
"""Functions whose time, less that of those within them, is that of a stage."""
NETWORK = "network"


@dataclass
class StageClock:
    """Sums the processor time of stages; what one calls of another counts for the other."""

    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _running: list[str] = field(default_factory=list)
    _since: float = 0.0

    def _switch(self) -> None:
        now = time.process_time()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now

    def measured(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time counted for a stage."""

        @functools.wraps(function)
        def run(*arguments: Any, **named: Any) -> Any:
            self._switch()
            self._running.append(stage)
            try:
                return function(*arguments, **named)
            finally:
                self._switch()
                self._running.pop()

        return run

    def install(self) -> None:
        """Measure all functions of `STAGES`."""
        for stage, places in STAGES.items():
            for place in places:
                module, _, path = place.partition(":")
                owner: Any = importlib.import_module(f"streamdeblur.{module}")
                *outer, name = path.split(".")
                for part in outer:
                    owner = getattr(owner, part)
                setattr(owner, name, self.measured(stage, getattr(owner, name)))


def measure(height: str, network: str) -> dict[str, float]:
    """Median milliseconds of each stage over rounds, per frame, and the number of faces that were restored per frame."""
    import av

    from streamdeblur import FaceDeblurrer
    from streamdeblur.video.copying import copy_frame

    clip, clock = faces_clip(1, PERIOD / FPS, size=SIZES[height], covered=True), StageClock()
    clock.install()
    rounds: list[dict[str, float]] = []
    with FaceDeblurrer(network=network) as deblurrer, av.open(str(clip)) as container:
        deblurrer.warm_up(*SIZES[height])
        pictures = list(container.decode(video=0))
        for _ in range(ROUNDS + 1):
            clock.seconds.clear()
            restored = deblurrer.statistics.restored
            for picture in pictures:
                # a deadline that is never missed: as in live streams, the full view waits until the frame is done
                deblurrer.edit(copy_frame(picture), deadline=time.monotonic() + 60)
                deblurrer.catch_up()
            rounds.append({stage: 1000 * clock.seconds[stage] / len(pictures) for stage in STAGES})
        shares = (deblurrer.statistics.restored - restored) / len(pictures)
    return {stage: statistics.median(one[stage] for one in rounds[1:]) for stage in STAGES} | {"restored": shares}


def table(network: str) -> str:
    """The table of both sizes."""
    columns = {height: measured(height, network) for height in SIZES}
    rows = [[stage, *(f"{column[stage]:.2f} ms" for column in columns.values())] for stage in STAGES]
    others = [sum(column[stage] for stage in STAGES if stage != NETWORK) for column in columns.values()]
    rows.append(["all but the network", *(f"**{total:.2f} ms**" for total in others)])
    rows.append(["faces restored per frame", *(f"{column['restored']:.2f}" for column in columns.values())])
    return markdown(("stage", *columns), rows)


def measured(height: str, network: str) -> dict[str, float]:
    """What `measure` returns in a process of its own."""
    command = [sys.executable, __file__, "--one", height, "--network", network]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--avx2", action="store_true", help="compute as on a CPU with AVX2 and nothing newer")
    parser.add_argument("--network", default="lite")
    parser.add_argument("--one", choices=SIZES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.network)))
        return
    if arguments.avx2:
        restrict_to_avx2()
    print(f"{machine()}\n\n{table(arguments.network)}")


if __name__ == "__main__":
    main()
