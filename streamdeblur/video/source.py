"""Opens videos, and refuses inputs that cannot be read or that reach other files or hosts."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from streamdeblur.errors import InputError
from streamdeblur.video.covers import is_cover
from streamdeblur.video.stdin import STDIN, StdinFile

if TYPE_CHECKING:
    import av

# Demuxers that open further files or hosts, which the file names.
REACHING_FORMATS = {
    "applehttp",
    "concat",
    "concatf",
    "dash",
    "hls",
    "imf",
    "rtp",
    "rtsp",
    "sap",
    "sdp",
    "sdr2",
    "webm_dash_manifest",
}
MAX_PIXELS = 2**27
"""Default limit of the size of a decoded frame: 16384 x 8192. A frame may be larger than the file declares."""
_REACHING_TEXT = re.compile(rb"(\xef\xbb\xbf)?\s*(#EXTM3U|ffconcat|<|v=0|\[)")
"""HLS, concat scripts, XML of DASH and IMF, SDP, other playlists."""
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:")


def is_url(source: str | Path) -> bool:
    """Return whether FFmpeg would take `source` for an address and not for a file."""
    return bool(_URL.match(str(source))) and not Path(source).exists()


def shown_source(source: str | Path) -> str:
    """Return a source, or a target, as messages may show it: without the secrets of a URL.

    These are a password, a query, which may hold a token or passphrase, and the last part of the path of RTMP, the stream key.
    """
    if not is_url(source):
        return str(source)
    parts = urlsplit(str(source))
    user, at, host = parts.netloc.rpartition("@")
    user = user.partition(":")[0] + (":***" if ":" in user else "")
    path = parts.path
    if parts.scheme.lower().startswith("rtmp") and path.count("/") > 1:
        path = f"{path.rpartition('/')[0]}/***"
    return urlunsplit((parts.scheme, f"{user}{at}{host}", path, parts.query and "***", ""))


def shown_input(source: str | Path) -> str:
    """Return a source as messages may show it: as `shown_source` does, and stdin by its name."""
    return "stdin" if str(source) == STDIN else shown_source(source)


def without_protocol(address: str) -> str:
    """Return the message for an address whose protocol this FFmpeg lacks."""
    return f"Cannot open {shown_source(address)}: the FFmpeg inside PyAV was built without {address.partition(':')[0].upper()}."


def open_source(
    source: str | Path, *, allow_network: bool = False, max_pixels: int = MAX_PIXELS, stdin: StdinFile | None = None
) -> av.container.InputContainer:
    """Open a video file.

    Args:
        source: A file or URL.
        allow_network: Also open URLs, and playlists that name other files or hosts.
        stdin: What is read instead of the source.
        max_pixels: Frames with more pixels are errors of the decoder, which allocates no memory for them.

    Raises:
        InputError: The source cannot be read, is no video, or would open more than is allowed.
    """
    import av

    check_source(source, allow_network=allow_network)
    address = str(source) if is_url(source) else f"file:{source}"
    options = {"max_pixels": str(max_pixels)}
    if not allow_network:
        # FFmpeg itself opens nothing but this file, whatever its content names
        allowed = [name for name in av.formats_available if name not in REACHING_FORMATS]
        options |= {"protocol_whitelist": "file", "format_whitelist": ",".join(sorted(allowed))}
    try:
        container = av.open(stdin or address, "r", options=options, metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        if isinstance(error, av.ArgumentError) and not allow_network and _may_reach_others(Path(source)):
            reaching = "a playlist, or another file that reaches other files or hosts"
            raise InputError(f"{source} is {reaching}. Give --allow-network to follow it.") from None
        hint = "Is the address right?" if is_url(source) else "It may be damaged, cut off, or no video at all."
        raise InputError(
            f"Cannot read {shown_input(source)} as a video: {error.strerror or error}. {hint}{stdin.hint if stdin else ''}"
        ) from None
    for stream in container.streams.video:
        if stream.codec_context is not None:
            stream.codec_context.options = {"max_pixels": str(max_pixels)}
    return container


def video_streams(container: av.container.InputContainer) -> list[av.VideoStream]:
    """Return the video streams that are no cover pictures."""
    return [stream for stream in container.streams.video if not is_cover(stream)]


def main_video_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """Return the video stream that is restored: the default one, else the first; None if there is none but cover pictures."""
    from av.stream import Disposition

    streams = video_streams(container)
    return next((s for s in streams if s.disposition & Disposition.default), streams[0] if streams else None)


def _may_reach_others(path: Path) -> bool:
    """Return whether a file that FFmpeg refused begins as playlists and descriptions of sessions do."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return bool(_REACHING_TEXT.match(file.read(256)))


def can_be_read_once(source: str | Path) -> bool:
    """Return whether a source is stdin, a named pipe or another one that gives its bytes once."""
    return str(source) == STDIN or (os.path.exists(source) and not os.path.isfile(source) and not os.path.isdir(source))


def check_source(source: str | Path, *, allow_network: bool) -> None:
    """Check that a source is a readable file, or a URL where those are allowed.

    Raises:
        InputError: It is neither, nor stdin.
    """
    if str(source) == STDIN:
        return
    if is_url(source):
        if not allow_network:
            raise InputError(f"{shown_source(source)} is a URL. Give --allow-network to read from the network.")
        return
    path = Path(source)
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder. Give a video file, or a folder with --out DIR.")
        if path.is_file() and path.stat().st_size == 0:
            raise InputError(f"{path} is empty.")
        if can_be_read_once(path):
            # to open a named pipe and close it would end its writer
            if not os.access(path, os.R_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return
        with path.open("rb"):
            return
    except FileNotFoundError:
        raise InputError(f"No such file: {path}.") from None
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from None
