"""Runs each command that writes on a small disk that is nearly full, and on a read-only one; in a namespace that may mount disks.

Usage: python -m support.full_disk DISK INPUTS; prints what became of each as JSON.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from support.cli import run

DISK_BYTES = 1 << 20
OLD = b"what stood there before"


def commands(disk: Path, inputs: Path) -> Iterator[tuple[str, list[object], list[Path], int]]:
    """Name, arguments, the files that it would replace, and the bytes that are free, of each command."""
    picture, video, faces = inputs / "face.png", inputs / "face.mp4", inputs / "faces"
    # they open more quickly than the shipped one and the default
    network = ["--network", inputs / "invert.onnx", "--engine", "onnxruntime", "--overwrite"]
    for suffix in ("png", "jpg", "webp"):
        target = disk / f"sharp.{suffix}"
        yield f"image {suffix}", ["image", picture, target, *network], [target], 8192
    yield "video", ["video", video, disk / "sharp.mp4", *network], [disk / "sharp.mp4"], 8192
    for name, free in (("batch", 8192), ("batch without a plan", 0)):
        yield name, ["batch", video, "--out", disk, *network], [disk / "face.mp4"], free
    pairs = [disk / "pairs.mp4", disk / "pairs.sharp.mp4", disk / "pairs.json"]
    yield "blur to videos", ["blur", video, pairs[0], "--scheme", "pravg:3", "--overwrite"], pairs, 8192
    folder = [disk / "pairs" / "pairs.json"]
    yield "blur to pictures", ["blur", video, disk / "pairs", "--scheme", "pravg:3", "--overwrite"], folder, 8192
    yield "gstreamer install", ["gstreamer", "install", "--folder", disk], [], 0
    yield "dataset stills", ["dataset", "stills", faces, disk / "data", "--cropped"], [], 8192
    report = [disk / "report" / f"report.{suffix}" for suffix in ("html", "md", "json")]
    models = ["--localiser", "none", "--second", "none", "--embedder", "none", "--out", disk / "report", "--limit", "2"]
    yield "compare", ["compare", inputs / "blurred.mp4", "--reference", video, *models, "--overwrite"], report, 4096
    methods = ["--protocol", "synthetic", "--methods", "blurred"]
    yield "evaluate", ["evaluate", faces, *models, *methods], report, 4096
    demo = [disk / name for name in ("blurry.mp4", "restored.mp4", "before_after.png")]
    yield "demo", ["demo", "--out", disk, "--seconds", "0.2", "--overwrite"], demo, 8192


def tried(name: str, arguments: list[object], replaced: list[Path], free: int, disk: Path) -> dict[str, object]:
    """Run a command when only some bytes are free."""
    _clear(disk)
    for path in replaced:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(OLD)
    if name == "evaluate":
        # a report is replaced only beside the results that it was made from
        (disk / "report" / "results.jsonl").touch()
    filler = disk / "filler"
    filler.touch()
    filler.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - free)))
    done = run(*arguments)
    found = {str(path.relative_to(disk)) for path in disk.rglob("*") if path.is_file()} - {"filler"}
    return {
        "name": name,
        "exit_code": done.exit_code,
        "stderr": done.stderr,
        "is_old_intact": all(path.is_file() and path.read_bytes() == OLD for path in replaced),
        "more": sorted(found - {str(path.relative_to(disk)) for path in replaced}),
    }


def _clear(disk: Path) -> None:
    for path in disk.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def main(disk: Path, inputs: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", disk], check=True)
    full = [tried(*command, disk) for command in commands(disk, inputs)]
    _clear(disk)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    read_only = []
    for name, arguments, *_ in commands(disk, inputs):
        if name in ("image jpg", "image webp", "batch without a plan", "demo"):
            # these take their time, and end as the others do
            continue
        done = run(*arguments)
        read_only.append({"name": name, "exit_code": done.exit_code, "stderr": done.stderr})
    print(json.dumps({"full": full, "read_only": read_only}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
