"""Cameras by number or name, on each system."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamdeblur.errors import InputError

if TYPE_CHECKING:
    import av

    from streamdeblur.live.options import LiveOptions


def open_camera(options: LiveOptions) -> av.container.InputContainer:
    """Open a camera, at the size, rate and format that are asked of it.

    Raises:
        InputError: there is no such camera, it is in use, or it does not give what is asked.
    """
    import av

    address, kind = camera_address(options.camera or "0", platform.system())
    asked: dict[str, str] = {}
    if options.size:
        asked["video_size"] = options.size
    if options.fps:
        asked["framerate"] = f"{options.fps:g}"
    if options.format:
        # (FFmpeg's name for it differs from device to device)
        asked["pixel_format" if kind in ("avfoundation", "dshow") else "input_format"] = options.format
    try:
        return av.open(address, format=kind, options=asked)
    except (av.FFmpegError, OSError) as error:
        wanted = f" at {', '.join(f'{name} {value}' for name, value in asked.items())}" if asked else ""
        reason = error.strerror or str(error)
        raise InputError(f"Cannot open the camera {address}{wanted}: {reason}. {_advice(error)}") from None


def camera_address(camera: str, system: str) -> tuple[str, str]:
    """FFmpeg's address of a camera and the device format that opens it, on the system that `platform.system` names so."""
    number = camera.isdecimal()
    if system == "Darwin":
        return f"{camera}:none", "avfoundation"
    if system == "Windows":
        return (camera, "vfwcap") if number else (f"video={camera}", "dshow")
    if number:
        return f"/dev/video{camera}", "v4l2"
    return (camera if camera.startswith("/") else _named(camera)), "v4l2"


def _named(name: str) -> str:
    """The device file of a camera on Linux, by the name that the kernel gives it."""
    found = linux_cameras()
    for device, title in found.items():
        if name.lower() in title.lower():
            return device
    raise InputError(f"No camera is called '{name}'. {_list(found)}")


def linux_cameras(devices: Path = Path("/sys/class/video4linux")) -> dict[str, str]:
    """Names of the cameras by their device files."""
    folders = sorted(devices.glob("video*")) if devices.is_dir() else []
    return {f"/dev/{folder.name}": (folder / "name").read_text().strip() for folder in folders if (folder / "name").is_file()}


def _list(found: dict[str, str]) -> str:
    return f"Found: {', '.join(f'{device} ({title})' for device, title in found.items())}." if found else "None was found."


def _advice(error: Any) -> str:
    if isinstance(error, PermissionError):
        return "Allow this program to use the camera (on Linux: be a member of the group 'video')."
    if getattr(error, "errno", None) == 16:
        return "Another program uses it."
    if platform.system() == "Linux":
        return _list(linux_cameras())
    return "Is it plugged in, and its name right?"
