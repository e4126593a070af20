"""What is lost where faces are restored in smaller crops, by the size of the face in the frame.

python benchmarks/crop_sizes.py STILLS --network lite --limit 60     # needs pip install '.[eval]'

Crops of people that the network was not trained on are reduced to windows of several sizes, together with their sharp ones, read
from frames as `streamdeblur` reads them, in crops of each size that the network takes, restored and pasted. PSNR and SSIM are
those of the middle of the window, where the restoration is pasted in full.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from harness import markdown
from streamdeblur.engines import open_engine
from streamdeblur.engines.engine import Engine
from streamdeblur.evaluation.cases import Case, Image
from streamdeblur.evaluation.metrics.fidelity import psnr, ssim
from streamdeblur.evaluation.protocols import BlurProtocol
from streamdeblur.evaluation.sources import open_data
from streamdeblur.faces.window import FaceWindow, RestoredCrop, crop, paste
from streamdeblur.frames import planes_of
from streamdeblur.network import Network
from streamdeblur.weights import network_path

BORDER = 1 / 8
"""Part of a window on each side that is not measured: the restoration fades in there."""


@dataclass(frozen=True)
class Quality:
    """Mean quality of the faces of a protocol at one size."""

    network: str
    protocol: str
    window: int
    crop: str
    """Side of the crops in pixels; of the faces as they came, none."""
    psnr: float
    ssim: float


def reduced(picture: Image, side: int) -> Image:
    """A picture at another size."""
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def restored(blurry: Image, engine: Engine, size: int) -> Image:
    """The picture, all of which is the window of a face, restored in a crop of a size."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(blurry), format="rgb24")
    planes, side = planes_of(frame), blurry.shape[0]
    window = FaceWindow(side / 2, side / 2, side)
    read = crop(planes, window, size)
    paste(planes, [RestoredCrop(window, read, engine.infer(read[None])[0])])
    return np.asarray(frame.to_ndarray(), np.uint8)


def middle(picture: Image) -> Image:
    """The part of a window that is measured."""
    border = round(BORDER * picture.shape[0])
    return np.ascontiguousarray(picture[border:-border, border:-border])


def qualities(name: str, engine: Engine, protocol: str, cases: Sequence[Case], window: int) -> Iterator[Quality]:
    """Measure the blurry faces, and those restored in crops of each size."""
    pairs = [(reduced(case.blurry, window), reduced(case.sharp, window)) for case in cases if case.sharp is not None]
    for size in (0, *engine.crop_sizes):
        results = [restored(blurry, engine, size) if size else blurry for blurry, _ in pairs]
        both = [(middle(result), middle(sharp)) for result, (_, sharp) in zip(results, pairs, strict=True)]
        means = (float(np.mean([measure(*pair) for pair in both])) for measure in (psnr, ssim))
        yield Quality(name, protocol, window, str(size or "none"), *means)


def table(rows: Sequence[Quality]) -> str:
    """The rows as a Markdown table."""
    head = ("network", "protocol", "window px", "crop px", "PSNR dB", "SSIM")
    return markdown(
        head, [[row.network, row.protocol, str(row.window), row.crop, f"{row.psnr:.2f}", f"{row.ssim:.3f}"] for row in rows]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="stills of people that the network was not trained on")
    parser.add_argument("--network", nargs="+", default=["lite"], help="a shipped one or FILE.onnx")
    parser.add_argument("--protocol", nargs="+", default=["synthetic"])
    parser.add_argument("--window", nargs="+", type=int, default=[96, 128, 192, 256], help="sides in pixels")
    parser.add_argument("--limit", type=int, default=60, help="faces of each protocol")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", default="onnxruntime", help="onnxruntime computes in float32 on every CPU")
    arguments = parser.parse_args()
    data, rows = open_data(arguments.data), []
    engines = {name: open_engine(arguments.engine, Network.read(network_path(name))) for name in arguments.network}
    for protocol in arguments.protocol:
        cases = list(BlurProtocol.parse(protocol).cases(data, arguments.limit, arguments.seed, "srgb"))
        for window in arguments.window:
            for name, engine in engines.items():
                for row in qualities(Path(name).stem, engine, protocol, cases, window):
                    rows.append(row)
                    print(table([row]).splitlines()[-1], flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
