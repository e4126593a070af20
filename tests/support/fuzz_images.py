"""Restores a folder of pictures with one command, and prints how much processor time the longest took.

Usage: python -m support.fuzz_images INPUTS OUTPUTS; the last two lines are the command's JSON and its figures.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from streamdeblur.jobs import image
from support.cli import run
from support.memory import peak_memory


def main(inputs: Path, outputs: Path) -> None:
    times: dict[str, float] = {}
    restore = image.deblur_image

    def timed(source: Path, *arguments: object, **settings: object) -> image.ImageSummary:
        began = time.process_time()
        try:
            return restore(source, *arguments, **settings)
        finally:
            times[source.name] = time.process_time() - began

    image.deblur_image = timed
    done = run("image", inputs, "--out", outputs, "--json", "--always")
    print(done.stdout.splitlines()[-1])
    slowest = max(times, key=times.__getitem__)
    memory = peak_memory() >> 20
    print(json.dumps({"slowest": slowest, "seconds": round(times[slowest], 2), "megabytes": memory, "exit_code": done.exit_code}))
    print(done.stderr, file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
