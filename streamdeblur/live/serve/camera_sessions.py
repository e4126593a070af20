"""CameraSessions: the cameras that are connected, and the restorers that they take turns in."""

from __future__ import annotations

import asyncio

from aiortc import RTCSessionDescription

from streamdeblur.cores import ENOUGH, share_of, usable_cores
from streamdeblur.errors import InputError, StreamDeblurError
from streamdeblur.live.restorer import Restorer
from streamdeblur.live.serve.failures import CannotRestoreError
from streamdeblur.live.serve.peer_session import PeerSession
from streamdeblur.options import RestorationOptions

MAX_CAMERAS = 2
"""Simultaneous cameras; each needs most of two cores."""


def with_share(options: RestorationOptions) -> RestorationOptions:
    """Return the options with a share of the cores, where there are enough for all cameras and uploads at the same time."""
    cores = usable_cores() if options.cores is None else options.cores
    share = share_of(cores, MAX_CAMERAS + 1)
    return options.changed(cores=share) if share >= ENOUGH else options


class CamerasBusyError(StreamDeblurError):
    """As many cameras are connected as are allowed."""


class CameraSessions:
    """The sessions of all cameras.

    The restorer of a session that has ended is kept for the next one, since opening one takes a second.
    """

    def __init__(self, options: RestorationOptions, restorer: Restorer | None = None) -> None:
        """Set what the cameras are restored with.

        Args:
            options: Settings of the restoration.
            restorer: One that is open, for the first camera.
        """
        self._options = options
        self._sessions: set[PeerSession] = set()
        self._idle = [restorer] if restorer is not None else []
        self._opening = 0

    async def open(self, offer: RTCSessionDescription) -> RTCSessionDescription:
        """Open a session for a camera.

        Args:
            offer: The offer of the browser.

        Returns:
            The answer to it.

        Raises:
            CamerasBusyError: `MAX_CAMERAS` are connected.
            InputError: The offer cannot be answered.
            CannotRestoreError: The network, the engine or the detector cannot be opened.
        """
        if len(self._sessions) + self._opening >= MAX_CAMERAS:
            raise CamerasBusyError(f"{MAX_CAMERAS} cameras are connected already. Stop one of them, or try again later.")
        self._opening += 1
        try:
            restorer = self._idle.pop() if self._idle else await self._opened()
            session = PeerSession(restorer, self._end)
            self._sessions.add(session)
        finally:
            self._opening -= 1
        try:
            return await session.answer(offer)
        except Exception:
            # Guards the server against hostile offers, for which aiortc's parsers raise errors of many types (ValueError,
            # IndexError, AssertionError, AttributeError, errors of its codecs). All of them are the client's.
            await session.close()
            raise InputError("The WebRTC offer cannot be answered.") from None
        except asyncio.CancelledError:
            await session.close()
            raise

    async def _opened(self) -> Restorer:
        try:
            return await asyncio.to_thread(Restorer, self._options)
        except Exception as error:
            # Guards the client against what runtimes raise of their own: it is the server's fault, whatever it is.
            raise CannotRestoreError(str(error) or type(error).__name__) from None

    def _end(self, session: PeerSession) -> None:
        self._sessions.discard(session)
        session.restorer.restart()
        self._idle.append(session.restorer)

    async def close(self) -> None:
        """End all sessions, and close all restorers."""
        for session in list(self._sessions):
            await session.close()
        for restorer in self._idle:
            restorer.close()
