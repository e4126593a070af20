"""FaceMotion: how a face moves and changes over a few frames, taken from a real clip, to move the face of a still.

A clip's dense motion (`observation.Observer`) carries a mesh from frame to frame. Its displacements, seen in a crop that follows
the face, are those of turning and nodding, of jaw and lids. There are few people in clips and many in stills: moved like this,
the stills train what several frames of a face have in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

MESH = 17
"""Nodes of the mesh along each side of a crop."""
FACE = slice(4, 13)
"""Nodes that the face covers, along each side; the crop is 1.7 times as large as the face."""

Field = NDArray[np.float32]
"""Displacements of the nodes, x and y: float32 [MESH, MESH, 2]."""


@dataclass(frozen=True, eq=False)
class FaceMotion:
    """Displacements of a mesh on a crop, in fractions of its side, since the first of several moments at equal intervals."""

    fields: NDArray[np.float32]
    """float32 [moments, MESH, MESH, 2]."""

    @classmethod
    def still(cls, moments: int) -> FaceMotion:
        """Return the motion of a face that does not move."""
        return cls(np.zeros((moments, MESH, MESH, 2), np.float32))

    @classmethod
    def of_clip(cls, flows: Sequence[NDArray[np.floating]], centre: tuple[float, float], side: float, width: int) -> FaceMotion:
        """Follow a mesh through a clip.

        Args:
            flows: Motion from each frame to the next in pixels, [h, w, 2] each on a coarse grid over the frame, which is square.
            centre: Middle of the face in the first frame, x and y in pixels.
            side: Side of the crop in pixels of the frames.
            width: Width of the frames in pixels.
        """
        offsets = (np.arange(MESH, dtype=np.float32) / (MESH - 1) - 0.5) * side
        start = np.stack(np.meshgrid(centre[0] + offsets, centre[1] + offsets), -1).astype(np.float32)
        fields, places = [np.zeros_like(start)], start
        for flow in flows:
            cells = places * np.float32(flow.shape[1] / width) - np.float32(0.5)
            step = cv2.remap(
                np.asarray(flow, np.float32), cells[..., 0], cells[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            places = places + np.asarray(step, np.float32)
            fields.append(places - start)
        return cls(np.stack(fields) / np.float32(side))

    def at(self, moment: float) -> Field:
        """Return the displacements at a moment, linear between those that are known; 0 is the first one."""
        whole = min(int(moment), max(0, len(self.fields) - 2))
        share = np.float32(min(max(moment - whole, 0.0), 1.0))
        following = self.fields[min(whole + 1, len(self.fields) - 1)]
        return np.asarray(self.fields[whole] * (1 - share) + following * share, np.float32)

    def scaled(self, factor: float) -> FaceMotion:
        """Return the motion with all displacements multiplied by a factor."""
        return FaceMotion(self.fields * np.float32(factor))


def translation(field: Field) -> NDArray[np.float32]:
    """Return the mean displacement of the face, x and y: float32 [2]; a tracker's window follows it."""
    return np.asarray(field[FACE, FACE].mean((0, 1)), np.float32)
