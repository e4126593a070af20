"""The faces of a frame on their way through an engine and back into the frame's planes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamdeblur.engines.engine import Engine, FacesTicket, FrameEngine, Pasted, Ticket
from streamdeblur.engines.fallback import Relay
from streamdeblur.errors import EngineError
from streamdeblur.faces.window import FaceWindow, Restoration, paste
from streamdeblur.video.planes import Planes


class Restoring(Protocol):
    """Faces in flight."""

    def paste(self, planes: Planes, deadline: float | None = None) -> Pasted:
        """Wait for the faces, or until `deadline` (`time.monotonic`), and paste what is ready by then.

        Raises:
            EngineError: the engine failed; the planes are as they were.
        """


def restore_faces(
    engine: Engine, planes: Planes, windows: Sequence[FaceWindow], crops: NDArray[np.uint8], strengths: Sequence[float]
) -> Restoring:
    """Start on the faces of a frame.

    crops: uint8 RGB [N, 256, 256, 3], what lies in `windows`; strengths: shares of the restoration that are added. Engines that
    work on frames read the planes themselves, the others get the crops.
    """
    current = engine.current if isinstance(engine, Relay) else engine
    if not isinstance(current, FrameEngine):
        return _ByCrops(windows, crops, strengths, engine.submit(crops))
    if not isinstance(engine, Relay):
        return current.submit_faces(planes, windows, strengths)
    try:
        return _ByFrame(engine, current, windows, crops, strengths, current.submit_faces(planes, windows, strengths))
    except EngineError as error:
        engine.give_up(current, error)
        return _ByCrops(windows, crops, strengths, engine.submit(crops))


class _ByCrops:
    """Cropped and pasted here, restored by the engine."""

    def __init__(
        self, windows: Sequence[FaceWindow], crops: NDArray[np.uint8], strengths: Sequence[float], ticket: Ticket
    ) -> None:
        self._windows, self._crops, self._strengths, self._ticket = windows, crops, strengths, ticket

    def paste(self, planes: Planes, deadline: float | None = None) -> Pasted:
        batch = self._ticket.result(deadline)
        restorations = [
            Restoration(window, cropped, restored, strength)
            for window, cropped, restored, strength, usable in zip(
                self._windows, self._crops, batch.crops, self._strengths, batch.finite & batch.in_time, strict=True
            )
            if usable
        ]
        paste(planes, restorations)
        return Pasted(batch.finite, batch.in_time)


class _ByFrame:
    """All done by the engine; should it fail, by the one that it took over from."""

    def __init__(
        self, relay: Relay, engine: Engine, windows: Sequence[FaceWindow], crops: NDArray[np.uint8],
        strengths: Sequence[float], ticket: FacesTicket,
    ) -> None:  # fmt: skip
        self._relay, self._engine, self._ticket = relay, engine, ticket
        self._windows, self._crops, self._strengths = windows, crops, strengths

    def paste(self, planes: Planes, deadline: float | None = None) -> Pasted:
        try:
            return self._ticket.paste(planes, deadline)
        except EngineError as error:
            self._relay.give_up(self._engine, error)
            ticket = self._relay.first.submit(self._crops)
            return _ByCrops(self._windows, self._crops, self._strengths, ticket).paste(planes, deadline)
