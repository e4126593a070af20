"""Restore the faces of a video file, with its sound and everything else in it, and show the progress.

pip install .   # in a clone of streamdeblur
python examples/video.py talk.mp4 talk.sharp.mp4
"""

from __future__ import annotations

import sys

from streamdeblur import Progress, StreamDeblurError, deblur_video


def show(progress: Progress) -> None:
    print(f"\r{progress}", end="", file=sys.stderr)


def main(source: str, target: str) -> None:
    try:
        summary = deblur_video(source, target, on_progress=show, strength=0.9, overwrite=True)
    except StreamDeblurError as error:
        sys.exit(str(error))
    print(f"\n{summary.frames} frames: {summary.restored} of {summary.faces} faces restored by {summary.network}")
    for warning in summary.warnings:
        print(f"Warning: {warning}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
