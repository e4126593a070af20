"""Restored runs to look at: videos and contact sheets, twice as large, blurry and sharp beside the networks.

python benchmarks/show.py CLIPS OUT --network lite "stream.onnx?ahead=1" --runs 10     # needs pip install '.[eval]'

Look for trails behind what moves, ghosts of earlier frames, breathing and flicker, which figures show only as means.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from streamdeblur.evaluation.case_maker import CaseMaker
from streamdeblur.evaluation.cases import Image, Run
from streamdeblur.evaluation.methods import open_method
from streamdeblur.evaluation.protocols import BlurProtocol, fair_order
from streamdeblur.evaluation.run_maker import RunMaker
from streamdeblur.evaluation.sources import open_data
from streamdeblur.training.blur.response import open_response

ZOOM = 2
SHEET_FRAMES = 6
"""Frames of a contact sheet, evenly spaced."""
FPS = 25


@dataclass(frozen=True)
class LongRunMaker(RunMaker):
    """Makes runs of which more exposures are restored."""

    frames: int = 40

    @property
    def restored(self) -> int:
        return self.frames


def columns_of(run: Run, networks: Sequence[str]) -> dict[str, list[Image]]:
    """The pictures of each column, by its title."""
    columns = {"blurry": [case.blurry for case in run]}
    columns |= {Path(network).stem: open_method(f"onnx:{network}").restore(run) for network in networks}
    return columns | {"sharp": [case.sharp for case in run if case.sharp is not None]}


def rows_of(columns: dict[str, list[Image]]) -> list[Image]:
    """One picture for each frame: its columns side by side, with their titles."""
    rows = []
    for pictures in zip(*columns.values(), strict=True):
        large = [cv2.resize(picture, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_CUBIC) for picture in pictures]
        for title, picture in zip(columns, large, strict=True):
            for colour, width in ((0, 4), (255, 1)):
                cv2.putText(picture, title, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (colour,) * 3, width, cv2.LINE_AA)
        rows.append(np.hstack(large))
    return rows


def write_video(path: Path, rows: Sequence[Image]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "14"})
        stream.height, stream.width, stream.pix_fmt = *rows[0].shape[:2], "yuv420p"
        for number, row in enumerate(rows):
            frame = av.VideoFrame.from_ndarray(row, format="rgb24").reformat(format="yuv420p", dst_colorspace="itu709")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="clips of people that the networks were not trained on")
    parser.add_argument("out", type=Path)
    parser.add_argument("--network", nargs="+", default=["lite"], help="a shipped one or FILE.onnx, with ?past=N&ahead=N")
    parser.add_argument("--protocol", default="synthetic", help="synthetic, or an average; its exposures never overlap")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--frames", type=int, default=40, help="of each run")
    parser.add_argument("--noise", type=float, default=1.5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    scheme = BlurProtocol.parse(arguments.protocol).scheme
    maker = LongRunMaker(CaseMaker(scheme, open_response("srgb"), arguments.seed, arguments.noise), frames=arguments.frames)
    made = 0
    for clip in fair_order(open_data(arguments.data).clips, (), arguments.seed):
        if made == arguments.runs:
            break
        run = next(maker.clip(clip), None)
        if run is None:
            continue
        rows = rows_of(columns_of(run, arguments.network))
        name = f"{made:02}_{clip.name.replace('/', '_')}"
        write_video(arguments.out / f"{name}.mp4", rows)
        chosen = np.linspace(0, len(rows) - 1, min(SHEET_FRAMES, len(rows))).round().astype(int)
        cv2.imwrite(str(arguments.out / f"{name}.png"), np.vstack([rows[number] for number in chosen])[..., ::-1])
        made += 1
    print(f"{made} runs are in {arguments.out}.")


if __name__ == "__main__":
    main()
