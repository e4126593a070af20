"""Opening cameras by number or name on Linux, macOS and Windows."""

from __future__ import annotations

import errno
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from streamdeblur.errors import InputError

if TYPE_CHECKING:
    import av

    from streamdeblur.live.options import LiveOptions


def open_camera(options: LiveOptions) -> av.container.InputContainer:
    """Open a camera with the requested size, frame rate and pixel format.

    Raises:
        InputError: There is no such camera, it is in use, or it does not support what is requested.
    """
    import av

    address, kind = camera_address(options.camera or "0", platform.system())
    requested: dict[str, str] = {}
    if options.size:
        requested["video_size"] = "{}x{}".format(*options.size)
    if options.fps:
        requested["framerate"] = f"{options.fps:g}"
    if options.format:
        # FFmpeg's name of this option depends on the device format.
        requested["pixel_format" if kind in ("avfoundation", "dshow") else "input_format"] = options.format
    try:
        return av.open(address, format=kind, options=requested)
    except (av.FFmpegError, OSError) as error:
        settings = f" with {', '.join(f'{name} {value}' for name, value in requested.items())}" if requested else ""
        reason = error.strerror or str(error)
        raise InputError(f"Cannot open the camera {address}{settings}: {reason}. {_advice(error)}") from None


def camera_address(camera: str, system: str) -> tuple[str, str]:
    """Return FFmpeg's address of a camera and the device format to open it; `system` is a value of `platform.system`."""
    number = camera.isdecimal()
    if system == "Darwin":
        return f"{camera}:none", "avfoundation"
    if system == "Windows":
        return (camera, "vfwcap") if number else (f"video={camera}", "dshow")
    if number:
        return f"/dev/video{camera}", "v4l2"
    return (camera if camera.startswith("/") else _named(camera)), "v4l2"


def _named(name: str) -> str:
    """The device file of a camera on Linux by the name that the kernel reports."""
    found = linux_cameras()
    for device, title in found.items():
        if name.lower() in title.lower():
            return device
    raise InputError(f"There is no camera '{name}'. {_list(found)}")


def linux_cameras(devices: Path = Path("/sys/class/video4linux")) -> dict[str, str]:
    """Return the names of the cameras on Linux by device file."""
    folders = sorted(devices.glob("video*")) if devices.is_dir() else []
    return {f"/dev/{folder.name}": (folder / "name").read_text().strip() for folder in folders if (folder / "name").is_file()}


def _list(found: dict[str, str]) -> str:
    return f"Found: {', '.join(f'{device} ({title})' for device, title in found.items())}." if found else "No camera was found."


def _advice(error: av.FFmpegError | OSError) -> str:
    if isinstance(error, PermissionError):
        return "Allow this program to use the camera (on Linux, by membership in the group 'video')."
    if error.errno == errno.EBUSY:
        return "It is used by another program."
    if platform.system() == "Linux":
        return _list(linux_cameras())
    return "Check that it is connected and that the name is right."
