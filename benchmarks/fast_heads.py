"""The fastest heads of some clips, as they were filmed: a video for each method, and a contact sheet of all of them.

python benchmarks/fast_heads.py CLIPS OUT --methods xu,onnx:lite     # needs pip install '.[eval]'

No sharp version of these frames exists, so the pictures are for looking: at what motion has smeared, at ringing, and at what a
network invents. In each video, the frame as it was filmed is on the left and what the method makes of it on the right, twice as
large. Networks with a memory see the frames before, and with `?ahead=N` after.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from result_tables import short_name
from show import rows_of, write_video

from streamdeblur.errors import InputError, StreamDeblurError
from streamdeblur.evaluation.case_maker import CaseMaker, case_name, view_of
from streamdeblur.evaluation.cases import Case, Image, Method, Neighbours
from streamdeblur.evaluation.methods import open_method
from streamdeblur.evaluation.results import safe_file_name
from streamdeblur.evaluation.sources import open_data
from streamdeblur.evaluation.sources.dataset import EvaluationClip
from streamdeblur.training.blur.observation import observe
from streamdeblur.training.blur.response import open_response
from streamdeblur.training.blur.scheme import BlurScheme

SHEET_FRAMES = 3
"""Frames of each clip on the contact sheet: those of the fastest motion that are apart."""
APART = 6
"""Frames between two of them at least."""


@dataclass(frozen=True)
class FastHead:
    """Consecutive frames of a clip around its fastest motion."""

    clip: EvaluationClip
    cases: list[Case]
    motions: list[float]
    """Motion of the face from the frame before, in pixels of a crop of 256 px."""

    @property
    def fastest(self) -> list[int]:
        """Numbers of the frames of the fastest motion that are apart, the fastest first."""
        chosen: list[int] = []
        for number in np.argsort(self.motions)[::-1].tolist():
            if all(abs(number - other) >= APART for other in chosen):
                chosen.append(number)
        return chosen[:SHEET_FRAMES]


def fast_head(clip: EvaluationClip, maker: CaseMaker, length: int) -> FastHead:
    """Find the frames of a clip around its fastest motion, over a tenth of which the face moves most."""
    frames = clip.open()
    observed = observe(frames.frames, frames.boxes, frames.landmarks)
    motions = [one.path * view_of(frames, number).scale for number, one in enumerate(observed)]
    length = min(length, len(motions))
    begin = max(range(len(motions) - length + 1), key=lambda first: np.percentile(motions[first : first + length], 90))
    numbers = range(begin, begin + length)
    crops = [maker.crop(frames, number) for number in numbers]
    cases = [
        Case(
            case_name(clip, number), crops[place], None, clip.group, clip.identity,
            neighbours=Neighbours(tuple(crops[:place]), tuple(crops[place + 1 :])),
        )
        for place, number in enumerate(numbers)
    ]  # fmt: skip
    return FastHead(clip, cases, [motions[number] for number in numbers])


def fastest_heads(clips: Sequence[EvaluationClip], count: int, length: int) -> list[FastHead]:
    """The clips whose faces move fastest, the fastest first; those that cannot be read are left out."""
    maker = CaseMaker(BlurScheme.parse("as-is"), open_response("identity"), 0)
    found = []
    for clip in clips:
        try:
            found.append(fast_head(clip, maker, length))
        except InputError as error:
            print(f"{clip.name} is left out: {error}")
    return sorted(found, key=lambda head: -float(np.percentile(head.motions, 90)))[:count]


def videos_of(method: Method, title: str, heads: Sequence[FastHead], out: Path) -> list[Image]:
    """Write the videos of a method; returns its pictures of the fastest frames.

    Raises:
        MethodError: It cannot restore them.
    """
    fastest = []
    for head in heads:
        restored = method.restore(head.cases)
        path = out / safe_file_name(f"{head.clip.name}_{title}", ".mp4")
        write_video(path, rows_of({"as filmed": [case.blurry for case in head.cases], title: restored}))
        fastest += [restored[number] for number in head.fastest]
    return fastest


def title_of(name: str) -> str:
    """The name of a method with its settings, by which two of one network are told apart."""
    return f"{short_name(name)} {name.partition('?')[2]}".rstrip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="clips of people that the networks were not trained on")
    parser.add_argument("out", type=Path)
    parser.add_argument("--methods", default="xu,onnx:lite", help="as of `streamdeblur evaluate`")
    parser.add_argument("--heads", type=int, default=3)
    parser.add_argument("--frames", type=int, default=48, help="of each video")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    heads = fastest_heads(open_data(arguments.data).clips, arguments.heads, arguments.frames)
    sheet = {"as filmed": [head.cases[number].blurry for head in heads for number in head.fastest]}
    for name in arguments.methods.split(","):
        try:
            sheet[title_of(name)] = videos_of(open_method(name), title_of(name), heads, arguments.out)
        except StreamDeblurError as error:
            print(f"{name} is left out: {error}")
    if not cv2.imwrite(str(arguments.out / "sheet.png"), np.vstack(rows_of(sheet))[..., ::-1]):
        raise SystemExit(f"Cannot write {arguments.out / 'sheet.png'}.")
    for head in heads:
        print(f"{head.clip.name}: up to {max(head.motions):.1f} px a frame of a crop of 256 px")


if __name__ == "__main__":
    main()
