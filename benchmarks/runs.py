"""Networks on runs of exposures: detail and steadiness under every protocol, against the first network.

python benchmarks/runs.py STILLS CLIPS --network lite stream.onnx "stream.onnx?ahead=1" "stream.onnx?past=0" --limit 60

STILLS and CLIPS show people that the networks were not trained on. Results are kept in --out, so that a network that comes later
is measured on the same faces and only it is run. `average:` before a network is the running average to beat. It needs the extra
`eval`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness import markdown, shown
from streamdeblur.evaluation.columns import COLUMNS
from streamdeblur.evaluation.evaluate import ProtocolResults, evaluate
from streamdeblur.evaluation.evaluator import NONE
from streamdeblur.evaluation.metrics import dlib_models
from streamdeblur.evaluation.options import EvaluationOptions
from streamdeblur.evaluation.sources import open_data
from streamdeblur.evaluation.statistics import Interval, mean_interval
from streamdeblur.evaluation.summary import LOWER, FlickerRow, summarise

OUT = Path(__file__).parent / "work" / "runs"


@dataclass(frozen=True)
class Trial:
    """Protocols that are measured with the same settings."""

    title: str
    data: str
    protocols: tuple[str, ...]
    settings: dict[str, Any]


TRIALS = (
    Trial("light, noise 1.5", "stills", ("runs:synthetic",), {"response": "srgb", "noise": 1.5}),
    Trial("as they are", "stills", ("runs:sharp",), {}),
    Trial("code values, noise 1.5", "stills", ("runs:synthetic",), {"response": "identity", "noise": 1.5}),
    Trial("light, noise 1.5", "clips", ("runs:vla", "runs:vla+camera", "runs:synthetic"), {"response": "srgb", "noise": 1.5}),
    Trial("code values, noise 1.5", "clips", ("runs:vla+camera", "runs:synthetic"), {"response": "identity", "noise": 1.5}),
    Trial(
        "code values, visible blur", "clips", ("runs:pravg:7", "runs:pravg:11", "runs:pravg:21"),
        {"response": "identity", "visible_blur": 34.0},
    ),
    Trial("light, visible blur", "clips", ("runs:pravg:11",), {"response": "srgb", "visible_blur": 34.0}),
    Trial("as it is", "clips", ("runs:as-is",), {}),
)  # fmt: skip

TARGETS = {
    ("stills", "runs:synthetic"): ">= +2.0 dB, +0.035; flicker, velocity <= 0.8",
    ("clips", "runs:vla+camera"): ">= +1.2 dB; flicker, velocity <= 0.8",
    ("clips", "runs:vla"): "flicker, velocity <= 0.95",
    ("clips", "runs:pravg:7"): ">= +0.6 dB; flicker, velocity <= 0.95",
    ("clips", "runs:pravg:11"): ">= +0.6 dB; flicker, velocity <= 0.95",
    ("clips", "runs:pravg:21"): ">= +0.6 dB; flicker, velocity <= 0.95",
    ("stills", "runs:sharp"): ">= 55 dB",
}
"""What a network is to reach against the shipped one of single frames."""


@dataclass(frozen=True)
class Line:
    """One method under one protocol."""

    protocol: str
    method: str
    runs: int
    psnr: Interval | None
    psnr_gain: Interval | None
    """Over the first network, on the same faces."""
    ssim: Interval | None
    ssim_gain: Interval | None
    sharpness: Interval | None
    """Without a reference."""
    flicker: Interval
    """Relative to the blurry runs'."""
    velocity: Interval | None
    target: str


def lines_of(trial: Trial, found: ProtocolResults, first: str) -> list[Line]:
    """The lines of one protocol."""
    summary = summarise(found)
    flickers = {row.method: row for row in summary.flickers}
    title = f"{found.protocol}, {trial.data}, {trial.title}"
    return [
        _line(title, method, found, first, flickers[method], TARGETS.get((trial.data, found.protocol), ""))
        for method in found.results
        if method in flickers
    ]


def _line(title: str, method: str, found: ProtocolResults, first: str, flicker: FlickerRow, target: str) -> Line:
    groups = [result.group for result in found.results[method]]
    values = {name: _values(found, method, name) for name in ("psnr", "ssim", "sharpness")}
    intervals = {name: None if own is None else mean_interval(own, groups) for name, own in values.items()}
    gains = {
        name: None if own is None or method in (first, LOWER) else mean_interval(own - _values(found, first, name), groups)
        for name, own in values.items()
    }
    return Line(
        title, method, len(groups), intervals["psnr"], gains["psnr"], intervals["ssim"], gains["ssim"], intervals["sharpness"],
        flicker.flicker_ratio, flicker.velocity_ratio, "" if method in (first, LOWER) else target,
    )  # fmt: skip


def _values(found: ProtocolResults, method: str, name: str) -> np.ndarray | None:
    results = found.results[method]
    return COLUMNS[name].values(results) if all(name in result.metrics for result in results) else None


HEAD = ("protocol", "method", "runs", "PSNR dB", "gain", "SSIM", "gain", "sharpness", "flicker", "velocity", "to reach")


def table(lines: Sequence[Line]) -> str:
    """The lines as a Markdown table."""
    cells = [
        [
            line.protocol, line.method, str(line.runs), shown(line.psnr, ".2f"), shown(line.psnr_gain, "+.2f"),
            shown(line.ssim, ".3f"), shown(line.ssim_gain, "+.3f"), shown(line.sharpness, ".1f"), shown(line.flicker, ".2f"),
            shown(line.velocity, ".2f"), line.target,
        ]
        for line in lines
    ]  # fmt: skip
    return markdown(HEAD, cells)


def method_of(network: str) -> str:
    """The name of a network's method: ``lite`` is ``onnx:lite``, and ``average:lite`` is ``average:onnx:lite``."""
    prefix, _, name = network.rpartition("average:")
    return f"average:onnx:{name}" if prefix or network.startswith("average:") else f"onnx:{network}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stills", type=Path)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--network", nargs="+", default=["lite", "average:lite"], help="others are held against the first")
    parser.add_argument("--limit", type=int, default=60, help="runs of each protocol")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT, help="folder that keeps the results")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    data = {"stills": open_data(arguments.stills), "clips": open_data(arguments.clips)}
    methods = [method_of(network) for network in arguments.network]
    localiser = "dlib" if dlib_models.is_installed() else NONE
    if localiser == NONE:
        print("The velocity of landmarks is not measured: dlib is not installed.")
    lines: list[Line] = []
    for number, trial in enumerate(TRIALS):
        options = EvaluationOptions.validated(
            {
                "protocols": trial.protocols, "methods": (LOWER, *methods), "limit": arguments.limit, "seed": arguments.seed,
                "landmark_detector": localiser, "second_detector": NONE, "embedder": NONE, **trial.settings,
            }
        )  # fmt: skip
        for found in evaluate(data[trial.data], options, arguments.out / str(number)):
            lines += lines_of(trial, found, methods[0])
            print(table(lines[-len(found.results) :]), flush=True)
    print(table(lines))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n")


if __name__ == "__main__":
    main()
