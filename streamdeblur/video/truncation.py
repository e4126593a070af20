"""Bytes that are missing at the end of a file, by the sizes that its outermost elements declare.

Sources: Matroska (RFC 8794, RFC 9559); MP4 and QuickTime (ISO/IEC 14496-12, 4.2); AVI (RIFF, with the further chunks of OpenDML).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

EBML_HEADER, SEGMENT = 0x1A45DFA3, 0x18538067
IN_SEGMENT = {0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1F43B675, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367, 0xEC, 0xBF}
"""Elements of a segment: seek head, info, tracks, cluster, cues, attachments, chapters, tags, void, CRC-32."""
BOXES = {b"ftyp", b"styp", b"moov", b"mdat", b"moof", b"mfra", b"free", b"skip", b"wide", b"udta", b"meta", b"uuid", b"sidx"}
"""Boxes that stand in no other."""

End = Callable[[BinaryIO, int], int | None]
"""Returns where the element at a position ends, or where its first child begins; None where it does not tell."""


def missing_bytes(path: str | Path, kind: str) -> int:
    """Return how many bytes a file lacks of what it declares; 0 where it is whole or does not tell.

    Args:
        path: The file; 0 is returned for what is none, such as URLs and devices.
        kind: Name of its format as FFmpeg gives it.
    """
    end_of = _ENDS.get(kind)
    if end_of is None or not Path(path).is_file():
        return 0
    try:
        with Path(path).open("rb") as file:
            return _missing(file, Path(path).stat().st_size, end_of)
    except OSError:
        # the file was read before this, so its video is complete without the answer
        return 0


def _missing(file: BinaryIO, size: int, end_of: End) -> int:
    position = 0
    while position < size:
        file.seek(position)
        end = end_of(file, size)
        if end is None or end <= position:
            return 0
        position = end
    return position - size


def _element_end(file: BinaryIO, size: int) -> int | None:
    identity, sized = _number(file, keep_marker=True), _number(file, keep_marker=False)
    if identity == SEGMENT and (sized is None or file.tell() + sized <= size):
        return file.tell() if sized is None else size
    if sized is None or identity not in {EBML_HEADER, SEGMENT, *IN_SEGMENT}:
        return None
    return file.tell() + sized


def _number(file: BinaryIO, *, keep_marker: bool) -> int | None:
    """A number of variable length (RFC 8794, 4); None where all its bits are set, which stands for an unknown size."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    value = int.from_bytes(first + file.read(more), "big")
    marker = 1 << (7 * (more + 1))
    if keep_marker:
        return value
    return None if value == 2 * marker - 1 else value - marker


def _box_end(file: BinaryIO, size: int) -> int | None:
    begin, header = file.tell(), file.read(16)
    if header[4:8] not in BOXES:
        return None
    length = int.from_bytes(header[:4], "big")
    if length == 0:
        return size
    return begin + (int.from_bytes(header[8:16], "big") if length == 1 else length)


def _riff_end(file: BinaryIO, size: int) -> int | None:
    begin, header = file.tell(), file.read(8)
    length = int.from_bytes(header[4:8], "little")
    if header[:4] != b"RIFF" or length in (0, 0xFFFFFFFF):
        return None
    end = begin + 8 + length
    # the byte that makes a length even may lack at the end of a file
    return min(end + length % 2, size) if end <= size + 1 else end


_ENDS: dict[str, End] = {"matroska,webm": _element_end, "mov,mp4,m4a,3gp,3g2,mj2": _box_end, "avi": _riff_end}
