"""Perceptual hashes of pictures, and near-duplicates by them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 16
"""Frequencies along each axis that are hashed."""
DISTANCE = 20
"""Largest number of the 255 bits in which two hashes of one picture differ. Of 3,400 portraits, copies at 0.6 of the size and
JPEG quality 60 differed in at most 6 bits, different pictures of one person in 32 and more. Frames of two encodings of a video,
whose windows the tracker finds a pixel apart, differed in up to 16."""
LOOSE_DISTANCE = 50
"""The same for crops of one face whose windows were found in two copies of a picture, a few pixels apart: only to distinguish
the faces of one picture, which differ in 60 bits and more."""
BANDS = DISTANCE + 1
"""Hashes that differ in no more bits than DISTANCE agree in at least one of this many bands (pigeonhole)."""
BAND_BITS = SIDE * SIDE // BANDS


def perceptual_hash(rgb: NDArray[np.uint8]) -> int:
    """Hash a picture so that similar pictures have similar hashes.

    The bits are the signs of the 255 lowest frequencies of the luma (DCT) about their median. A smaller, recompressed or slightly
    brighter copy has nearly the same hash.

    Args:
        rgb: uint8 [H, W, 3].

    Returns:
        256 bits, the first one 0.
    """
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(luma, (4 * SIDE, 4 * SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:SIDE, :SIDE].ravel()
    bits = low > np.median(low[1:])
    bits[0] = False
    return int.from_bytes(np.packbits(bits).tobytes())


class DuplicateFinder:
    """Remembers hashed items and finds those to which a new item is nearly identical."""

    def __init__(self) -> None:
        self._items: list[tuple[str, Sequence[int], Sequence[int]]] = []
        self._bands: dict[tuple[int, int], list[int]] = {}

    def add(self, name: str, hashes: Sequence[int], loose: Sequence[int] = ()) -> str | None:
        """Find an earlier item that is nearly identical to this one, else remember this one.

        Args:
            name: Name of the item.
            hashes: Its hashes, one of a picture, several of a clip: all must be within `DISTANCE` of those of the other.
            loose: Hashes that must be within `LOOSE_DISTANCE`.

        Returns:
            The name of the earlier item; None where there is none.
        """
        bands = [(n, (hashes[0] >> n * BAND_BITS) & ((1 << BAND_BITS) - 1)) for n in range(BANDS)]
        for index in sorted({index for band in bands for index in self._bands.get(band, ())}):
            earlier, its_hashes, its_loose = self._items[index]
            if _near(hashes, its_hashes, DISTANCE) and _near(loose, its_loose, LOOSE_DISTANCE):
                return earlier
        for band in bands:
            self._bands.setdefault(band, []).append(len(self._items))
        self._items.append((name, hashes, loose))
        return None


def _near(first: Sequence[int], second: Sequence[int], distance: int) -> bool:
    return len(first) == len(second) and all((a ^ b).bit_count() <= distance for a, b in zip(first, second, strict=True))
