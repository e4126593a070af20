"""Sources of a training's pairs: made on demand from stills and clips, or read from shards."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError
from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.training.blur.averaging import FrameSequence
from streamdeblur.training.blur.exposures import Pair
from streamdeblur.training.blur.view import View
from streamdeblur.training.datasets.pair_maker import PairMaker
from streamdeblur.training.datasets.random_access import open_clips, open_pairs, open_stills
from streamdeblur.training.datasets.random_crops import random_part, scaled
from streamdeblur.training.datasets.recipe import Recipe
from streamdeblur.training.datasets.sequence_maker import SequenceMaker

Item = TypeVar("Item")
Direction = Literal["all", "forward"]


class Concatenation(Sequence[Item], Generic[Item]):
    """Several data sets as one."""

    def __init__(self, stores: Sequence[Sequence[Item]]) -> None:
        self._stores = stores
        self._ends = list(accumulate(len(store) for store in stores))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        """Return the item at an index (negative ones count from the end); a slice gives a list."""
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        index = range(len(self))[index]
        number = bisect_right(self._ends, index)
        store = self._stores[number]
        return store[index - self._ends[number] + len(store)]


class PairSource(Protocol):
    """An endless, numbered sequence of pairs; each depends on its number, the severity and the sizes alone."""

    def pair(self, index: int, severity: float = 1.0, size: int = CROP_SIZE, crop: int = CROP_SIZE) -> Pair:
        """Return a pair.

        Args:
            index: Number of the pair.
            severity: In [0, 1], scales blur and degradations where pairs are made on demand.
            size: Side in pixels; a random part of the crop where it is less than `crop`.
            crop: Side in pixels of the crop of a whole face.
        """
        ...


class StoredPairs:
    """Pairs that ``streamdeblur dataset pairs`` wrote: each once per epoch, in an ever new order."""

    def __init__(self, folders: Sequence[Path], direction: Direction, seed: int, *, mirrored: bool = True) -> None:
        """
        Args:
            folders: Data sets of pairs.
            direction: Which of their pairs to use.
            seed: Of the order.
            mirrored: Whether left and right are exchanged in half of the pairs.

        Raises:
            InputError: one cannot be opened, or none of its pairs is of this direction.
        """
        stores = [open_pairs(folder) for folder in folders]
        self._pairs = Concatenation(stores)
        records = [record for store in stores for record in store.records]
        self._chosen = [n for n, record in enumerate(records) if direction == "all" or record.get("direction") == direction]
        if not self._chosen:
            raise InputError(
                f"{', '.join(map(str, folders))}: none of the {len(records)} pairs is of the direction '{direction}'."
            )
        self._seed, self._mirrored = seed, mirrored
        self._order = lru_cache(maxsize=2)(self._shuffled)

    def __repr__(self) -> str:
        return f"StoredPairs({len(self._chosen)} entries)"

    def _shuffled(self, epoch: int) -> NDArray[np.int64]:
        return np.random.default_rng((self._seed, epoch)).permutation(self._chosen)

    def pair(self, index: int, severity: float = 1.0, size: int = CROP_SIZE, crop: int = CROP_SIZE) -> Pair:
        """Return a pair, see `PairSource.pair`; stored pairs keep their severity, and are resampled for smaller crops."""
        epoch, place = divmod(index, len(self._chosen))
        blurry, sharp, record = self._pairs[int(self._order(epoch)[place])]
        random = np.random.default_rng((self._seed, index))
        if random.random() < 0.5 and self._mirrored:
            blurry, sharp = blurry[:, ::-1], sharp[:, ::-1]
        if crop < CROP_SIZE:
            blurry, sharp = (scaled(np.ascontiguousarray(image), crop / CROP_SIZE, crop) for image in (blurry, sharp))
        size = min(size, crop)
        part = random_part(random, View.square(0, 0, crop, crop), size)
        blurry, sharp = (image[part.top : part.top + size, part.left : part.left + size] for image in (blurry, sharp))
        return Pair(blurry, sharp, None, record)


def open_maker(stills: Sequence[Path], clips: Sequence[Path], recipe: Recipe, seed: int) -> PairMaker:
    """Open a maker of pairs of all stills and clips of some data sets.

    Args:
        stills: Data sets of stills; see `open_stills`.
        clips: Data sets of clips; see `open_clips`.
        recipe: What pairs are made of.
        seed: Of all random numbers.

    Raises:
        InputError: A data set cannot be opened, or holds nothing.
    """
    return PairMaker(*_open_faces(stills, clips), recipe, seed)


def open_sequence_maker(stills: Sequence[Path], clips: Sequence[Path], recipe: Recipe, seed: int, memory: int) -> SequenceMaker:
    """Open a maker of sequences with this number of earlier exposures; see `open_maker`."""
    return SequenceMaker(*_open_faces(stills, clips), recipe, seed, memory=memory)


def _open_faces(
    stills: Sequence[Path], clips: Sequence[Path]
) -> tuple[Concatenation[NDArray[np.uint8]], Concatenation[FrameSequence]]:
    opened: list[Sequence[FrameSequence]] = [open_clips(path) for path in clips]
    return Concatenation([open_stills(path) for path in stills]), Concatenation(opened)
