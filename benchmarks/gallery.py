"""The gallery of the documentation: portraits blurred by a shaking camera, restored as `streamdeblur image` does, and sharp.

python benchmarks/gallery.py data/stills/test docs/gallery      # needs pip install '.[eval]'

The table of the stills (data/stills/test.csv) names the source of each. Only official portraits, works of the US government, are
taken, the first ones of a protocol whatever comes out, and the table to show below them is printed.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from streamdeblur import FaceDeblurrer
from streamdeblur.evaluation.cases import Image
from streamdeblur.evaluation.metrics.fidelity import psnr
from streamdeblur.evaluation.protocols import BlurProtocol
from streamdeblur.evaluation.sources import DataSet, open_data

SOURCE = "CivilServiceUSA"
"""What the sources of official portraits begin with."""
GAP = 4
"""White pixels between two pictures."""
QUALITY = 85
SIGMA = 1.5
"""Standard deviation in code values of the noise of the blurry pictures."""


def portraits(folder: Path) -> DataSet:
    """The official portraits among the stills of a folder."""
    with folder.with_suffix(".csv").open(newline="", encoding="utf-8") as table:
        official = {Path(row["file"]).stem for row in csv.DictReader(table) if row["source"].startswith(SOURCE)}
    data = open_data(folder)
    return replace(data, stills=[still for still in data.stills if Path(still.name).stem in official])


def beside(pictures: list[Image]) -> Image:
    """The pictures in a row."""
    gap = np.full((len(pictures[0]), GAP, 3), 255, np.uint8)
    return np.hstack([part for picture in pictures for part in (picture, gap)][:-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stills", type=Path, help="folder of stills, with its table beside it")
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--protocol", default="synthetic:handshake")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    protocol = BlurProtocol.parse(arguments.protocol)
    cases = protocol.cases(portraits(arguments.stills), arguments.count, arguments.seed, "srgb", SIGMA)
    print("| portrait | extent of the blur | blurred | restored |\n| -- | -- | -- | -- |")
    with FaceDeblurrer() as deblurrer:
        for number, case in enumerate(cases, 1):
            assert case.sharp is not None
            deblurrer.reset()
            restored = deblurrer(case.blurry)
            PillowImage.fromarray(beside([case.blurry, restored, case.sharp])).save(
                arguments.out / f"{number}.webp", quality=QUALITY, method=6
            )
            before, after = (psnr(picture, case.sharp) for picture in (case.blurry, restored))
            print(f"| {number} | {case.record['extent']:.0f} px | {before:.1f} dB | {after:.1f} dB |")


if __name__ == "__main__":
    main()
