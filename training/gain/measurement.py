"""Measures what networks gain on faces that are blurred on purpose, and what is known of these faces before."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.errors import OptionError
from streamdeblur.faces.gain import FACE_BEGIN, FACE_END, described
from streamdeblur.faces.window import FaceWindow, RestoredCrop, crop, paste
from streamdeblur.partial_file import PartialFile
from streamdeblur.training.blur.averaging import FrameSequence
from streamdeblur.training.blur.sequences import ExposureSequence
from streamdeblur.training.datasets.pair_sources import Concatenation
from streamdeblur.training.datasets.random_access import open_clips, open_stills
from streamdeblur.training.datasets.sequence_maker import SequenceMaker
from streamdeblur.training.gain.populations import POPULATIONS, sample_population, sample_side
from streamdeblur.video.planes import array_planes

logger = logging.getLogger(__name__)

Image = NDArray[np.uint8]

LEAST_ERROR = 0.01
"""Mean square in code values below which two pictures count as equal: 68 dB."""
PROGRESS = 250


@dataclass(frozen=True, eq=False)
class Measurements:
    """Faces, and what each network gains on them."""

    values: NDArray[np.float32]
    """What the estimate knows of each face, for each network: [networks, faces, values], since their crops may differ."""
    gains: NDArray[np.float32]
    """dB of PSNR of the face: [networks, faces]."""
    populations: NDArray[np.int64]
    lengths: NDArray[np.int64]
    """Frames of an average; 1 without."""
    sides: NDArray[np.int64]
    """Of the windows, in pixels."""
    numbers: NDArray[np.int64]
    """Number of each face among those of its seed."""

    def save(self, path: Path, source: str) -> None:
        """Write a file of NumPy's. `source` tells what was measured on what. Raises OutputError."""
        with PartialFile(path) as partial, partial.open("wb") as file:
            np.savez(file, **vars(self), source=np.array(source))

    @classmethod
    def load(cls, path: Path, source: str) -> Self | None:
        """Read a file that `save` wrote; None where there is none of this source."""
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as stored:
            if "source" not in stored or str(stored["source"]) != source:
                return None
            return cls(**{one.name: stored[one.name] for one in fields(cls)})


class FaceMaker:
    """Makes face number n of the populations: the same for the same data and seed."""

    def __init__(self, makers: Sequence[SequenceMaker], seed: int, digest: str = "") -> None:
        """
        Args:
            makers: One for each of the `POPULATIONS`.
            seed: Of all random numbers.
            digest: Tells which faces they are made of, and how.
        """
        self._makers, self._seed, self.digest = makers, seed, digest

    @classmethod
    def open(cls, stills: Sequence[Path], clips: Sequence[Path], seed: int, memory: int) -> Self:
        """Open data sets of stills and of clips, for sequences with this number of earlier exposures.

        Raises:
            InputError: A data set cannot be opened, or holds nothing.
        """
        still_stores, clip_stores = [open_stills(path) for path in stills], [open_clips(path) for path in clips]
        faces = Concatenation[Image](still_stores), Concatenation[FrameSequence](clip_stores)
        made_of = [one.digest for one in still_stores] + [one.digest for one in clip_stores]
        made_how = [(one.share, one.recipe.model_dump(mode="json")) for one in POPULATIONS]
        return cls(
            [SequenceMaker(*faces, one.recipe, seed, memory=memory) for one in POPULATIONS],
            seed,
            hashlib.sha256(json.dumps([made_of, made_how, seed, memory]).encode()).hexdigest(),
        )

    def face(self, number: int) -> tuple[int, int, ExposureSequence]:
        """Return the number of the population, the side of the window in pixels, and the exposures."""
        random = np.random.default_rng((self._seed, number, len(POPULATIONS)))
        population, side = sample_population(random), sample_side(random)
        return population, side, self._makers[population].sequence(number, size=side, crop=side)


def open_networks(networks: Sequence[str]) -> list[FaceDeblurrer]:
    """Open a network that restores crops alone and one with a memory, in this order.

    Raises:
        OptionError: They are not one of each.
        NetworkError, EngineError: One cannot be used here.
    """
    opened = [FaceDeblurrer(network=Path(name)) for name in networks]
    if sorted(bool(one.network.memory) for one in opened) != [False, True]:
        raise OptionError("The gain is estimated for two networks: one without a memory, and one with.")
    return sorted(opened, key=lambda one: one.network.memory)


def read_or_measure(file: Path, networks: Sequence[FaceDeblurrer], maker: FaceMaker, count: int) -> Measurements:
    """Read what the same networks gained on the same faces before; otherwise measure and keep it.

    Args:
        file: Where it is kept.
        networks: As `open_networks` returns them.
        maker: Makes the faces.
        count: Number of faces.

    Raises:
        EngineError: The engine failed.
        OutputError: The file cannot be written.
    """
    digests = [hashlib.sha256(one.network.model).hexdigest() for one in networks]
    source = json.dumps({"networks": digests, "faces": maker.digest, "count": count})
    kept = Measurements.load(file, source)
    if kept is not None:
        return kept
    if file.exists():
        logger.info("%s was measured with other networks, data, numbers or seeds, and is measured anew.", file)
    measured = measure(networks, maker, count)
    measured.save(file, source)
    return measured


def measure(networks: Sequence[FaceDeblurrer], maker: FaceMaker, count: int) -> Measurements:
    """Make faces, restore them and compare.

    Raises:
        EngineError: The engine failed.
    """
    rows: list[dict[str, Any]] = []
    for number in range(count):
        population, side, exposures = maker.face(number)
        known, gains = zip(*(_restored(network, exposures) for network in networks), strict=True)
        length = exposures.record.get("length", 1)
        rows.append(
            {"values": known, "gains": gains, "populations": population, "lengths": length, "sides": side, "numbers": number}
        )
        if number % PROGRESS == 0:
            logger.info("%d of %d faces measured", number, count)
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    columns |= {name: np.moveaxis(columns[name], 1, 0).astype(np.float32) for name in ("values", "gains")}
    return Measurements(**columns)


def _restored(network: FaceDeblurrer, exposures: ExposureSequence) -> tuple[NDArray[np.float32], float]:
    """What is known of the last exposure in a frame, and its gain in dB: of the frame, as the product edits it."""
    frame = exposures.blurry[-1].copy()
    side = frame.shape[0]
    window = FaceWindow(side / 2, side / 2, side)
    read = [crop(array_planes(np.ascontiguousarray(one)), window) for one in exposures.blurry[::-1]]
    if network.network.memory:
        restored = network.restore(read[0][None], np.stack(read[1:])[None], exposures.validity[-2::-1][None])
    else:
        restored = network.restore(read[0][None])
    paste(array_planes(frame), [RestoredCrop(window, read[0], restored[0])])
    before, after = (_error(one, exposures.sharp) for one in (exposures.blurry[-1], frame))
    return described(read[0], side), float(10.0 * np.log10(before / after))


def _error(one: Image, other: Image) -> float:
    """Mean square difference of the faces in two crops."""
    begin, end = (round(share * one.shape[0] / 16) for share in (FACE_BEGIN, FACE_END))
    difference = one[begin:end, begin:end].astype(np.float32) - other[begin:end, begin:end]
    return max(LEAST_ERROR, float(np.square(difference).mean()))
