"""A folder of videos by one process, in segments, by two processes and on Ray: processor time, time and memory.

python benchmarks/archive.py FOLDER                # with the extra ray, on Ray as well
python benchmarks/archive.py FOLDER --segment 20 --network nano

Processor time is that of all processes that a run starts. On a machine that does nothing else, the time that a run takes tells
the throughput; on a busy one, processor time tells it, since workers have all that they need but cores.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

POLL_SECONDS = 0.2
TICKS, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


@dataclass
class Processes:
    """What a process and all below it have used."""

    root: int
    seconds: dict[int, float] = field(default_factory=dict)
    """Processor time of each process so far."""
    memory: dict[int, int] = field(default_factory=dict)
    """Largest memory of each process, in bytes."""
    names: dict[int, str] = field(default_factory=dict)

    def look(self) -> None:
        """Read the times of all processes that are there."""
        stats = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                stats[int(folder.name)] = fields, (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (OSError, ValueError):
                continue
        known = {self.root, *self.seconds}
        while more := {process for process, (fields, _) in stats.items() if int(fields[1]) in known} - known:
            known |= more
        for process in known & stats.keys():
            fields, name = stats[process]
            # one that has ended has no command line any more
            self.names[process] = name or self.names.get(process, "")
            self.seconds[process] = (int(fields[11]) + int(fields[12])) / TICKS
            self.memory[process] = max(self.memory.get(process, 0), int(fields[21]) * PAGE)


def measured(name: str, folder: Path, options: list[str]) -> dict[str, object]:
    """Run a batch, and return what it took."""
    out = Path(tempfile.mkdtemp(prefix="archive-"))
    command = [
        sys.executable,
        "-m",
        "streamdeblur",
        "batch",
        str(folder),
        "--out",
        str(out / "out"),
        "--json",
        "--quiet",
        *options,
    ]
    began = time.monotonic()
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    used = Processes(running.pid)
    while running.poll() is None:
        used.look()
        time.sleep(POLL_SECONDS)
    report = json.loads(running.communicate()[0].splitlines()[-1])
    lines = [json.loads(line) for line in (out / "out" / ".streamdeblur" / "manifest.jsonl").read_text().splitlines()[1:]]
    shutil.rmtree(out)
    frames = sum(file["frames"] for file in report["files"])
    workers = [process for process, text in used.names.items() if "spawn_main" in text or text.startswith("ray::_Actor")]
    return {
        "run": name,
        "frames": frames,
        "seconds": round(time.monotonic() - began, 1),
        "processor_seconds": round(sum(used.seconds.values()), 1),
        "of_workers": round(sum(used.seconds[process] for process in workers or [running.pid]), 1),
        "memory_of_a_worker_mb": round(max(used.memory[process] for process in workers or [running.pid]) / 1e6),
        "segments": sum(line["kind"] == "segment" and line["state"] == "done" for line in lines),
        "joining_seconds": round(sum(line["seconds"] for line in lines if line["kind"] == "join" and line["state"] == "done"), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--segment", default="10")
    parser.add_argument("--network", default="stream")
    arguments = parser.parse_args()
    common = ["--network", arguments.network, "--cores", "1"]
    cut = ["--segment", arguments.segment]
    runs = {
        "one process, no segments": ["--segment", "0", "--workers", "1"],
        "one process, segments": [*cut, "--workers", "1"],
        "two processes": [*cut, "--workers", "2"],
    }
    if importlib.util.find_spec("ray") is not None:
        runs["two actors on Ray"] = [*cut, "--workers", "2", "--ray"]
    for name, options in runs.items():
        print(json.dumps(measured(name, arguments.folder, [*common, *options])), flush=True)


if __name__ == "__main__":
    main()
