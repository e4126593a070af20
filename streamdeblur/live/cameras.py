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

DEVICE_FORMATS = {"Darwin": "avfoundation", "Windows": "dshow"}
"""FFmpeg's names of the systems of cameras that it lists, by `platform.system`."""
SYSFS = Path("/sys/class/video4linux")


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


def camera_names(system: str) -> dict[str, str]:
    """Return the names of the cameras of this machine by what opens them; `system` is a value of `platform.system`.

    Raises:
        InputError: FFmpeg cannot list the cameras.
    """
    if system not in DEVICE_FORMATS:
        return linux_cameras()
    import av

    try:
        devices = av.enumerate_input_devices(DEVICE_FORMATS[system])
    except (ValueError, av.FFmpegError) as error:
        raise InputError(f"The cameras cannot be listed: {error}.") from None
    return {device.description: device.description for device in devices if "video" in device.media_types}


def linux_cameras() -> dict[str, str]:
    """Return the names of the cameras on Linux by device file, without the devices that hold a camera's metadata."""
    folders = sorted(SYSFS.glob("video*"), key=lambda folder: (len(folder.name), folder.name))
    return {f"/dev/{folder.name}": _content(folder / "name") for folder in folders if _content(folder / "index") in ("", "0")}


def camera_title(camera: str | None) -> str:
    """Return the name of a camera for messages, with the one that the kernel of Linux reports."""
    camera = camera or "0"
    title = linux_cameras().get(f"/dev/video{camera}" if camera.isdecimal() else camera) if platform.system() == "Linux" else None
    return f"camera {camera} ({title})" if title else f"camera {camera}"


def _content(file: Path) -> str:
    return file.read_text().strip() if file.is_file() else ""


def _list(found: dict[str, str]) -> str:
    if not found:
        return "No camera was found. Connect one, or try '--source pattern', which needs none."
    return f"Found: {', '.join(f'{device} ({title})' for device, title in found.items())}."


def _advice(error: av.FFmpegError | OSError) -> str:
    if isinstance(error, PermissionError):
        return "Allow this program to use the camera (on Linux, by membership in the group 'video')."
    if error.errno == errno.EBUSY:
        return "It is used by another program."
    if platform.system() == "Linux":
        return _list(linux_cameras())
    return "Check that it is connected and that the name is right."
