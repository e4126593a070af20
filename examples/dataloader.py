"""Batches of restored faces for PyTorch: the workers of a DataLoader find, restore and cut out the faces of pictures.

pip install . torch   # in a clone of streamdeblur
python examples/dataloader.py pictures/
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from streamdeblur import FaceDeblurrer

SIDE = 112
"""Pixels, as most recognition networks take them."""


class RestoredFaces(IterableDataset[torch.Tensor]):
    """The faces of all pictures in a folder: uint8 RGB [3, SIDE, SIDE] each."""

    def __init__(self, folder: str) -> None:
        self.pictures = sorted(path for path in Path(folder).iterdir() if path.suffix in (".jpg", ".png", ".webp"))

    def __iter__(self) -> Iterator[torch.Tensor]:
        worker = get_worker_info()
        pictures = self.pictures[worker.id :: worker.num_workers] if worker else self.pictures
        # each worker opens an engine of its own, which leaves the other cores to the other workers
        with FaceDeblurrer(cores=1) as deblurrer:
            for picture in pictures:
                frame = np.asarray(Image.open(picture).convert("RGB"))
                faces = deblurrer.detector.detect(frame)
                sharp = Image.fromarray(deblurrer.restore_detections(frame, faces))
                for face in faces:
                    crop = sharp.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=tuple(inside(face.box, sharp.size)))
                    yield torch.from_numpy(np.array(crop)).permute(2, 0, 1)


def inside(box: np.ndarray, size: tuple[int, int]) -> list[float]:
    """The part of a box that is in a picture: x0, y0, x1, y1."""
    return np.clip(box, 0, [*size, *size]).tolist()


def main(folder: str) -> None:
    # "fork", the default on Linux before Python 3.14, copies the threads of engines badly
    loader = DataLoader(RestoredFaces(folder), batch_size=16, num_workers=2, multiprocessing_context="spawn")
    for batch in loader:
        print(f"a batch of {len(batch)} faces, mean {batch.float().mean():.1f}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
