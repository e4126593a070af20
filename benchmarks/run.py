"""Run the benchmarks, and write a table in Markdown and JSON.

python benchmarks/run.py                      # prints the table
python benchmarks/run.py --out docs           # and writes docs/benchmarks.md and docs/benchmarks.json
python benchmarks/run.py engine pixels --rounds 9
python benchmarks/run.py transcode --real CLIP.mp4
python benchmarks/run.py live --seconds 120   # runs only where it is named, because it plays in real time
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import date
from pathlib import Path

import live
import sequences

import blur
import engine
import pixels
import streamdeblur
import training
import transcode
from harness import machine, table

INTRODUCTION = """# Benchmarks

Speed and memory on a CPU, in files and live, with the targets of the project.

Made by `python benchmarks/run.py --out docs` on {day} with streamdeblur {version}, on: {machine}. \
Each ratio is the median of the ratios of one run in which both sides were measured alternately. \
Above 1, streamdeblur is faster; for memory, above 1 means that it grew. \
In the transcodes the face of every frame is restored (`--always`).

"""

COMMENTARY = "What the figures say:"

MEASURES = {"pixels": pixels, "engine": engine, "blur": blur, "sequences": sequences, "training": training}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*MEASURES, "transcode", "live", []], help="which; all but live by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--real", type=Path, help="a clip of your own for the transcode")
    parser.add_argument("--seconds", type=float, default=120.0, help="of each live stream")
    parser.add_argument("--out", type=Path, help="folder for benchmarks.md and benchmarks.json")
    arguments = parser.parse_args()
    rows = []
    for name in arguments.names or [*MEASURES, "transcode"]:
        if name == "transcode":
            rows += transcode.measure(arguments.rounds, arguments.real)
        elif name == "live":
            rows += live.measure(arguments.seconds)
        else:
            rows += MEASURES[name].measure(arguments.rounds)
    text = INTRODUCTION.format(day=date.today(), version=streamdeblur.__version__, machine=machine()) + table(rows) + "\n"
    print(text)
    if arguments.out:
        page = arguments.out / "benchmarks.md"
        page.write_text(text + commentary(page))
        arguments.out.joinpath("benchmarks.json").write_text(
            json.dumps({"machine": machine(), "rows": [asdict(row) for row in rows]}, indent=1) + "\n"
        )


def commentary(page: Path) -> str:
    """The text below the table of the page from an earlier run, which is kept."""
    before = page.read_text() if page.is_file() else ""
    return before[before.find(COMMENTARY) - 1 :] if COMMENTARY in before else ""


if __name__ == "__main__":
    main()
