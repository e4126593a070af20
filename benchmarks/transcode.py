"""Whole videos, compared with decoding and encoding alone and with deface; the cost of a face, memory and start-up.

python benchmarks/transcode.py stream lite nano          # whole videos only, with each of these networks
python benchmarks/transcode.py stream auto --avx2        # the same as on a CPU with AVX2 and nothing newer
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import av

from clips import WORK, faces_clip
from harness import Row, alternate, machine, ratio, restrict_to_avx2, table
from streamdeblur import FaceDeblurrer, deblur_video
from streamdeblur.video.encoders import DEFAULTS, configure
from streamdeblur.weights import DEFAULT_NETWORK

median = statistics.median

PRESETS = ("veryfast", "faster", "medium")
SIZES = {"720p": (1280, 720), "480p": (854, 480)}


def plain_fps(source: Path, preset: str) -> float:
    """Frames per second of decoding and encoding alone, with the same codec settings."""
    defaults = DEFAULTS["libx264"]
    with av.open(str(source)) as container, av.open(str(WORK / "plain.mp4"), "w") as output:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        encoded = output.add_stream("libx264", rate=stream.average_rate)
        encoded.width, encoded.height, encoded.pix_fmt, encoded.thread_type = stream.width, stream.height, "yuv420p", "AUTO"
        configure(encoded.codec_context, "libx264", defaults.value, preset)
        frames, began = 0, time.perf_counter()
        for frame in container.decode(stream):
            frame.pict_type = 0
            output.mux(encoded.encode(frame))
            frames += 1
        output.mux(encoded.encode(None))
        return frames / (time.perf_counter() - began)


def against_plain(
    rounds: int, clip: Path, label: str, network: str = DEFAULT_NETWORK, presets: Sequence[str] = PRESETS
) -> list[Row]:
    """Compare transcodes in which the face of every frame is restored with plain ones."""
    rows = []
    with FaceDeblurrer(always=True, throughput=True, network=network) as deblurrer:
        for preset in presets:

            def ours(preset: str = preset) -> float:
                target = WORK / "ours.mp4"
                return deblur_video(clip, target, deblurrer=deblurrer, overwrite=True, preset=preset, codec="libx264").fps

            def plain(preset: str = preset) -> float:
                return plain_fps(clip, preset)

            mine, others = alternate([ours, plain], rounds)
            default = " (the default)" if preset == DEFAULTS["libx264"].speed else ""
            rows.append(
                Row(
                    f"transcode {label}, x264 {preset}{default}",
                    f"{median(mine):.1f} fps",
                    f"decode + encode alone {median(others):.1f} fps",
                    ratio(mine, others),
                    ">= 0.5" if default else "",
                )
            )
    return rows


def against_deface(rounds: int) -> Row:
    """Compare the command with deface, which also detects and edits faces, both with their defaults."""
    clip = faces_clip(1, 8)
    frames = 8 * 25

    def seconds(command: list[str]) -> float:
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return frames / (time.perf_counter() - began)

    scripts = Path(sys.executable).parent
    ours = [str(scripts / "streamdeblur"), "video", str(clip), str(WORK / "ours.mp4"), "--overwrite", "--quiet"]
    deface = [str(scripts / "deface"), str(clip), "-o", str(WORK / "deface.mp4")]
    mine, others = alternate([lambda: seconds(ours), lambda: seconds(deface)], rounds)
    return Row(
        "command, 720p, one face, 8 s, start-up included",
        f"{median(mine):.1f} fps",
        f"deface {median(others):.1f} fps",
        ratio(mine, others),
        ">= 3",
    )


def per_face(rounds: int) -> Row:
    """Measure the time that one more face takes."""
    counts = (0, 1, 2, 4)
    clips = [faces_clip(count, 4) for count in counts]
    with FaceDeblurrer(always=True, throughput=True) as deblurrer:

        def measure(clip: Path) -> tuple[float, float]:
            summary = deblur_video(clip, WORK / "ours.mp4", deblurrer=deblurrer, overwrite=True)
            return summary.restored / summary.frames, 1000 * summary.seconds / summary.frames

        samples: list[list[tuple[float, float]]] = [[] for _ in clips]
        for number in range(rounds + 1):
            for clip, kept in zip(clips, samples, strict=True):
                sample = measure(clip)
                if number:
                    kept.append(sample)
    points = [(median(s[0] for s in kept), median(s[1] for s in kept)) for kept in samples]
    (x0, y0), (x1, y1) = points[0], points[-1]
    shown = ", ".join(f"{faces:.1f} faces {ms:.0f} ms" for faces, ms in points)
    return Row("cost of one more face, per frame", f"{(y1 - y0) / (x1 - x0):.1f} ms", f"frame time with {shown}")


def memory() -> Row:
    """Measure the peak resident memory of the command, for a clip and one ten times as long."""
    peaks = {}
    for seconds in (10, 100):
        clip = faces_clip(1, seconds)
        code = (
            "import re, runpy, sys; sys.argv = sys.argv[1:]\n"
            "try: runpy.run_module('streamdeblur', run_name='__main__')\n"
            "except SystemExit: pass\n"
            # The peak of getrusage would not do: it is inherited from the process that started this one.
            "print('peak', re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
        )
        target = str(WORK / "ours.mp4")
        command = [sys.executable, "-c", code, "streamdeblur", "video", str(clip), target, "--overwrite", "--always"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[seconds] = int(re.findall(r"peak (\d+)", done.stdout)[-1]) / 1024
    return Row(
        "peak memory, 100 s of 720p",
        f"{peaks[100]:.0f} MiB",
        f"10 s {peaks[10]:.0f} MiB",
        peaks[100] / peaks[10],
        "<= 1024 MiB, 0.95 to 1.05",
    )


def start_up() -> Row:
    """Measure the time from the command to the first frame that is encoded, with warm caches."""
    clip = faces_clip(1, 4)
    code = (
        "import sys, time; began = float(sys.argv.pop(1)); sys.argv = sys.argv[1:]\n"
        "from streamdeblur.video import writer\n"
        "write = writer.Writer.write\n"
        "def timed(self, frame):\n"
        "    write(self, frame); print('first', time.time() - began, flush=True); writer.Writer.write = write\n"
        "writer.Writer.write = timed\n"
        "from streamdeblur.cli import main; main()"
    )
    values = []
    for number in range(6):
        target = str(WORK / "ours.mp4")
        command = [
            sys.executable,
            "-c",
            code,
            str(time.time()),
            "streamdeblur",
            "video",
            str(clip),
            target,
            "--overwrite",
            "--quiet",
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        if number:
            values.append(float(done.stdout.split()[1]))
    return Row("command to first frame out, warm cache", f"{median(values):.2f} s", target="<= 3 s")


def first_run() -> Row:
    """Measure the time that the kernels take to compile without a cache."""
    code = (
        "import os, time, tempfile, numba; numba.config.CACHE_DIR = tempfile.mkdtemp(); began = time.time()\n"
        "from streamdeblur.warmup import compile_kernels; compile_kernels(); print(time.time() - began)"
    )
    seconds = [
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout) for _ in range(3)
    ]
    return Row("kernels compiled on the first run", f"{median(seconds):.1f} s", target="<= 15 s")


def measure(rounds: int, real: Path | None) -> list[Row]:
    """Measure all rows; transcodes of the clip `real`, too, where it is given."""
    rows = against_plain(rounds, faces_clip(1, 8), "720p, one face, hand-held")
    if real is not None:
        rows += against_plain(rounds, real, f"of {real.name}")
    return [*rows, against_deface(rounds), per_face(rounds), memory(), start_up(), first_run()]


def networks(names: Sequence[str], rounds: int) -> list[Row]:
    """Transcodes of 720p and 480p with each of some networks."""
    clips = {height: faces_clip(1, 8, size=size) for height, size in SIZES.items()}
    return [
        row
        for name in names
        for height, clip in clips.items()
        for row in against_plain(rounds, clip, f"{height}, one face, hand-held, {name}", name, PRESETS[:1])
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--avx2", action="store_true", help="compute as on a CPU with AVX2 and nothing newer")
    arguments = parser.parse_args()
    if arguments.avx2:
        restrict_to_avx2()
    print(f"{machine()}\n\n{table(networks(arguments.networks, arguments.rounds))}")
