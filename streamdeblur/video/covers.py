"""Cover pictures: still images that a player shows for a file, in a video stream of one packet or as an attachment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamdeblur.video.trial import StreamRefusedError

if TYPE_CHECKING:
    import av

    from streamdeblur.video.trial import Packet

MEDIA_TYPES = {"mjpeg": "jpeg", "png": "png", "bmp": "bmp", "gif": "gif", "webp": "webp", "tiff": "tiff"}
"""Subtype of the media type ``image/...`` of each codec of pictures."""


def is_cover(stream: av.stream.Stream) -> bool:
    """Return whether a stream is a cover picture."""
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.attached_pic)


def attach_cover(container: av.container.OutputContainer, source: av.stream.Stream, packet: Packet | None) -> None:
    """Attach a cover picture to a Matroska file, which players show by its name.

    Raises:
        StreamRefusedError: The picture is missing or of a kind without a media type.
    """
    codec = source.codec_context.codec.canonical_name if source.codec_context else ""
    if packet is None or codec not in MEDIA_TYPES:
        raise StreamRefusedError("its picture cannot be read")
    subtype = MEDIA_TYPES[codec]
    name = source.metadata.get("filename") or f"cover.{'jpg' if subtype == 'jpeg' else subtype}"
    container.add_attachment(name, f"image/{subtype}", bytes(packet))
