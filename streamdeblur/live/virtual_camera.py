"""VirtualCamera: a sink that other programs see as a camera."""

from __future__ import annotations

import platform
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from streamdeblur.errors import OutputError
from streamdeblur.installation import install_command
from streamdeblur.video.copying import plane_lines
from streamdeblur.video.turning import turn_of, turned_picture, turned_size

if TYPE_CHECKING:
    import av

INSTALLATION = {
    "Linux": (
        "Create one with:\n  sudo modprobe v4l2loopback devices=1 video_nr=10 card_label=streamdeblur exclusive_caps=1\n"
        "(Debian and Ubuntu: sudo apt install v4l2loopback-dkms first)"
    ),
    "Darwin": "Install OBS (https://obsproject.com), and start and stop its virtual camera once; it then stays installed.",
    "Windows": "Install OBS (https://obsproject.com), which includes a virtual camera.",
}
"""How to get a virtual camera, by `platform.system`."""


class VirtualCamera:
    """Sends frames to a virtual camera (pyvirtualcam)."""

    continuous = True
    capacity = 1
    reopenable = True
    patience: float | None = None

    def __init__(self, frame: av.VideoFrame, rate: Fraction, device: str | None) -> None:
        """Open the camera for frames of this size; `device`: its name, None for the first one.

        Raises:
            OutputError: pyvirtualcam is not installed, or there is no such camera.
        """
        try:
            import pyvirtualcam
        except ImportError:
            raise OutputError(f"A virtual camera needs pyvirtualcam. Install it with: {install_command('live')}") from None
        width, height = turned_size(frame.width, frame.height, turn_of(frame))
        self._size = width - width % 2, height - height % 2
        try:
            self._camera: Any = pyvirtualcam.Camera(*self._size, float(rate), fmt=pyvirtualcam.PixelFormat.I420, device=device)
        except RuntimeError as error:
            raise OutputError(
                f"There is no virtual camera{f' {device}' if device else ''}. {INSTALLATION.get(platform.system(), '')}\n"
                f"pyvirtualcam reported: {error}"
            ) from None

    def write(self, frame: av.VideoFrame) -> None:
        """Show a frame upright, as players do; OutputError if the camera is lost."""
        turn = turn_of(frame)
        width, height = turned_size(*self._size, turn)
        planar = frame.reformat(width=width, height=height, format="yuv420p")
        planes = [turned_picture(plane_lines(plane)[: plane.height, : plane.width], turn) for plane in planar.planes]
        try:
            self._camera.send(np.concatenate([plane.ravel() for plane in planes]).reshape(-1, self._size[0]))
        except (RuntimeError, OSError) as error:
            raise OutputError(f"The virtual camera was lost: {error}.") from None

    def abort(self) -> None:
        """Do nothing: it may take its time."""

    def close(self) -> None:
        """Free the camera."""
        self._camera.close()
