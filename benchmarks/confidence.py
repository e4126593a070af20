"""What a network loses on footage that it should not trust: upscaled, heavily compressed, combed, sharpened, old.

python benchmarks/confidence.py CLIPS --network lite "stream.onnx?ahead=1" --limit 60     # needs pip install '.[eval]'

Runs of sharp or blurred exposures of people that the network was not trained on are spoiled, each run as a whole, restored, and
compared with the clean sharp frame. A gain below zero is a loss: the restored face is worse than what came in. What may be lost
at most, 0.1 dB, is judged by the mean of the worst twentieth of the faces.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from harness import markdown, shown
from streamdeblur.evaluation.cases import Case, Image, Neighbours
from streamdeblur.evaluation.methods import open_method
from streamdeblur.evaluation.metrics.fidelity import psnr
from streamdeblur.evaluation.protocols import BlurProtocol
from streamdeblur.evaluation.sources import open_data
from streamdeblur.evaluation.statistics import Interval, mean_interval
from streamdeblur.training.blur.broadcast import sharpened, taped
from streamdeblur.training.blur.compression import down_and_up, h264_stream, jpeg

WORST = 0.05
"""Fraction of the faces that the mean of the worst ones is taken of."""

Pictures = list[Image]
Spoil = Callable[[Pictures], Pictures]


def each(spoil: Callable[[Image], Image]) -> Spoil:
    """Spoil every picture alone."""
    return lambda pictures: [spoil(picture) for picture in pictures]


def combed(pictures: Pictures) -> Pictures:
    """Leave every second line of the exposure before, as interlaced video does that was woven into frames."""
    found = [pictures[0].copy()]
    for before, picture in pairwise(pictures):
        woven = picture.copy()
        woven[1::2] = before[1::2]
        found.append(woven)
    return found


def halos(picture: Image) -> Image:
    return sharpened(picture, 0.9)


def tape(picture: Image) -> Image:
    return halos(taped(picture, 1.6))


def upscaled(factor: float) -> Spoil:
    """Make of a picture of a smaller size one of this size."""
    return each(lambda picture: down_and_up(picture, factor))


def h264(quantiser: float) -> Spoil:
    return lambda pictures: h264_stream(pictures, quantiser)


def after(*steps: Spoil) -> Spoil:
    """Spoil in several steps."""

    def spoil(pictures: Pictures) -> Pictures:
        for step in steps:
            pictures = step(pictures)
        return pictures

    return spoil


KINDS: dict[str, Spoil] = {
    "as it is": lambda pictures: pictures,
    "upscaled 2x": upscaled(2.0),
    "upscaled 3x": upscaled(3.0),
    "JPEG 25": each(lambda picture: jpeg(picture, 25.0)),
    "JPEG 10": each(lambda picture: jpeg(picture, 10.0)),
    "H.264 at 36": h264(36.0),
    "H.264 at 42": h264(42.0),
    "combed": combed,
    "sharpened": each(halos),
    "tape": each(tape),
    "upscaled 2x, H.264 at 34": after(upscaled(2.0), h264(34.0)),
    "tape, combed, H.264 at 32": after(each(tape), combed, h264(32.0)),
}
"""By name, how runs are spoiled."""


@dataclass(frozen=True)
class Loss:
    """What a network did to the faces of one kind."""

    network: str
    protocol: str
    kind: str
    faces: int
    psnr: float
    """Of the spoiled faces."""
    gain: Interval
    worse: float
    """Fraction of the faces that the network makes worse."""
    loss: float
    """Mean loss of these, in dB; 0 if there are none."""
    worst: float
    """Mean gain of the worst twentieth of the faces."""
    minimum: float


def spoiled(case: Case, spoil: Spoil) -> Case:
    """Spoil the exposures of a run."""
    neighbours = case.neighbours or Neighbours()
    place = len(neighbours.before)
    pictures = spoil([*neighbours.before, case.blurry, *neighbours.after])
    around = Neighbours(tuple(pictures[:place]), tuple(pictures[place + 1 :]))
    return replace(case, blurry=pictures[place], neighbours=around)


def loss_of(network: str, protocol: str, kind: str, cases: Sequence[Case]) -> Loss:
    """Restore the faces of one kind, and compare them with the clean sharp ones."""
    restored = open_method(f"onnx:{network}").restore(cases)
    before = np.array([psnr(case.blurry, case.sharp) for case in cases])
    gains = np.array([psnr(picture, case.sharp) for picture, case in zip(restored, cases, strict=True)]) - before
    lost = gains[gains < 0.0]
    count = max(1, round(WORST * len(gains)))
    return Loss(
        network, protocol, kind, len(cases), float(before.mean()), mean_interval(gains, [case.group for case in cases]),
        len(lost) / len(gains), float(-lost.mean()) if len(lost) else 0.0, float(np.sort(gains)[:count].mean()),
        float(gains.min()),
    )  # fmt: skip


def table(rows: Sequence[Loss]) -> str:
    """The rows as a Markdown table."""
    head = ("network", "protocol", "kind", "faces", "PSNR dB", "gain dB", "worse %", "their loss", "worst 5 %", "worst")
    cells = [
        [
            row.network, row.protocol, row.kind, str(row.faces), f"{row.psnr:.2f}", shown(row.gain, "+.2f"),
            f"{100 * row.worse:.0f}", f"{row.loss:.2f}", f"{row.worst:+.2f}", f"{row.minimum:+.2f}",
        ]
        for row in rows
    ]  # fmt: skip
    return markdown(head, cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="clips of people that the network was not trained on")
    parser.add_argument("--network", nargs="+", default=["lite"], help="a shipped one or FILE.onnx, with ?past=N&ahead=N")
    parser.add_argument("--protocol", nargs="+", default=["runs:sharp", "runs:vla+camera"])
    parser.add_argument("--kind", nargs="+", choices=KINDS, default=[*KINDS])
    parser.add_argument("--limit", type=int, default=60, help="runs of each protocol")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    data, rows = open_data(arguments.data), []
    for protocol in arguments.protocol:
        runs = list(BlurProtocol.parse(protocol).runs(data, arguments.limit, arguments.seed, "srgb"))
        for kind in arguments.kind:
            cases = [spoiled(run[-1], KINDS[kind]) for run in runs]
            if all(np.array_equal(case.blurry, case.sharp) for case in cases):
                # where nothing is wrong, PSNR has no bound
                continue
            for network in arguments.network:
                rows.append(loss_of(network, protocol, kind, cases))
                print(table(rows[-1:]).splitlines()[-1], flush=True)
    print(table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
