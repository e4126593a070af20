"""Restore all videos and pictures in a folder with one open engine. A file that fails does not cost the others.

pip install .   # in a clone of streamdeblur
python examples/batch.py recordings/ sharp/

`streamdeblur batch` takes videos only, and does them in several processes; it goes on where it was interrupted.
"""

from __future__ import annotations

import sys
from pathlib import Path

from streamdeblur import FaceDeblurrer, StreamDeblurError, deblur_image, deblur_video

PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
VIDEOS = {".mp4", ".mov", ".mkv", ".webm"}


def main(folder: str, out: str) -> None:
    failed = 0
    with FaceDeblurrer(throughput=True) as deblurrer:
        for source in sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in PICTURES | VIDEOS):
            target = Path(out) / source.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                if source.suffix.lower() in PICTURES:
                    summary = deblur_image(source, target, deblurrer)
                else:
                    summary = deblur_video(source, target, deblurrer=deblurrer)
                print(f"{target}: {summary.restored} of {summary.faces} faces restored")
            except StreamDeblurError as error:
                failed += 1
                print(error, file=sys.stderr)
    if failed:
        sys.exit(f"{failed} files failed.")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
