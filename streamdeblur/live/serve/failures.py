"""CannotRestoreError: what the server is at fault for, and not the file or the camera of a client."""

from __future__ import annotations

import logging

from streamdeblur.errors import StreamDeblurError

logger = logging.getLogger(__name__)


class CannotRestoreError(StreamDeblurError):
    """The network, the engine or the detector failed: the log gets the cause, and the client words without paths."""

    def __init__(self, cause: str) -> None:
        super().__init__("The server cannot restore: its network, engine or detector failed. The log of the server says why.")
        logger.error("The server cannot restore: %s", " ".join(cause.split()))
