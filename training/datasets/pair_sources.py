"""Sources of a training's pairs: made on demand from stills and clips, or read from shards."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError
from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.training.blur.averaging import FrameSequence
from streamdeblur.training.blur.exposures import Pair
from streamdeblur.training.blur.view import View
from streamdeblur.training.datasets.pair_maker import PairMaker
from streamdeblur.training.datasets.random_access import Store, open_clips, open_pairs, open_stills
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


class UnpairedImages:
    """Blurry images of some faces, and sharp ones of others, in place of pairs."""

    def __init__(self, blurry: PairSource, sharp: PairSource) -> None:
        """
        Args:
            blurry: Its blurry images are taken.
            sharp: Its sharp images are taken.
        """
        self._blurry, self._sharp = blurry, sharp

    def __repr__(self) -> str:
        return f"UnpairedImages({self._blurry}, {self._sharp})"

    def pair(self, index: int, severity: float = 1.0, size: int = CROP_SIZE, crop: int = CROP_SIZE) -> Pair:
        """Return a blurry and a sharp image of different faces, see `PairSource.pair`."""
        blurry, sharp = (source.pair(index, severity, size, crop) for source in (self._blurry, self._sharp))
        return Pair(blurry.blurry, sharp.sharp, None, blurry.record)


class Selection(Sequence[Item], Generic[Item]):
    """Some items of a data set."""

    def __init__(self, items: Sequence[Item], numbers: Sequence[int]) -> None:
        self._items, self._numbers = items, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        """Return the item at an index; a slice gives a list."""
        chosen = self._numbers[index]
        return self._items[chosen] if isinstance(chosen, int) else [self._items[number] for number in chosen]


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


def open_unpaired(stills: Sequence[Path], clips: Sequence[Path], recipe: Recipe, seed: int) -> UnpairedImages:
    """Open a source of blurry images of every second person, and of sharp images of the others; see `open_maker`.

    People are told apart by the identities of the data sets; where these are not known, each picture and each clip is one.

    Raises:
        InputError: There is only one person.
    """
    still_stores, clip_stores = [open_stills(path) for path in stills], [open_clips(path) for path in clips]
    still_names, clip_names = _people(still_stores), _people(clip_stores)
    people = {name: number for number, name in enumerate(sorted({*still_names, *clip_names}))}
    if len(people) < 2:
        raise InputError("Images that are not paired need faces of at least two people.")
    all_stills, all_clips = Concatenation[NDArray[np.uint8]](still_stores), Concatenation[FrameSequence](clip_stores)

    def every_second(begin: int) -> PairMaker:
        numbers = ([n for n, name in enumerate(names) if people[name] % 2 == begin] for names in (still_names, clip_names))
        # numbers of its own, or the same images would meet each time
        return PairMaker(Selection(all_stills, next(numbers)), Selection(all_clips, next(numbers)), recipe, seed + begin)

    return UnpairedImages(every_second(0), every_second(1))


def _people(stores: Sequence[Store[Any]]) -> list[str]:
    """The identity of each entry of several stores, or its key."""
    return [name or key for store in stores for name, key in zip(store.identities, store.keys, strict=True)]


def _open_faces(
    stills: Sequence[Path], clips: Sequence[Path]
) -> tuple[Concatenation[NDArray[np.uint8]], Concatenation[FrameSequence]]:
    opened: list[Sequence[FrameSequence]] = [open_clips(path) for path in clips]
    return Concatenation([open_stills(path) for path in stills]), Concatenation(opened)
