"""Damaged files: valid ones with wrong sizes, values, time stamps, ends and bits in the places that parsers trust."""

from __future__ import annotations

from dataclasses import dataclass

VALUES = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
"""Numbers at the limits of their types."""

PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"udta", b"edts", b"dinf", b"moof", b"traf"}
"""Boxes of MP4 files that hold others."""
MASTERS = {0x18538067, 0x1654AE6B, 0xAE, 0xE0, 0xE1, 0x1F43B675, 0xA0, 0x1549A966, 0x114D9B74, 0x4DBB, 0x1C53BB6B, 0x1A45DFA3}
"""Elements of Matroska files that hold others."""


@dataclass(frozen=True)
class Part:
    """A part of a file: where its size stands, and its content."""

    size_at: int
    size_bytes: int
    begin: int
    end: int


def boxes(data, begin=0, end=None):
    """Parts of an MP4 or MOV file."""
    end = len(data) if end is None else end
    while begin + 8 <= end:
        size = int.from_bytes(data[begin : begin + 4], "big")
        if size < 8 or begin + size > end:
            return
        yield Part(begin, 4, begin + 8, begin + size)
        if bytes(data[begin + 4 : begin + 8]) in PARENTS:
            yield from boxes(data, begin + 8, begin + size)
        begin += size


def elements(data, begin=0, end=None):
    """Parts of a Matroska or WebM file."""
    end = len(data) if end is None else end
    while begin + 2 <= end:
        name_bytes = 9 - data[begin].bit_length()
        if name_bytes > 4:
            return
        name = int.from_bytes(data[begin : begin + name_bytes], "big")
        size_at = begin + name_bytes
        size_bytes = 9 - data[size_at].bit_length() if size_at < end else 9
        if size_bytes > 8:
            return
        size = int.from_bytes(data[size_at : size_at + size_bytes], "big") & ((1 << 7 * size_bytes) - 1)
        content = size_at + size_bytes
        stop = min(end, content + size)
        yield Part(size_at, size_bytes, content, stop)
        if name in MASTERS:
            yield from elements(data, content, stop)
        begin = stop


def chunks(data, begin=12, end=None):
    """Parts of an AVI file."""
    end = len(data) if end is None else end
    while begin + 8 <= end:
        size = int.from_bytes(data[begin + 4 : begin + 8], "little")
        stop = min(end, begin + 8 + size)
        yield Part(begin + 4, 4, begin + 8, stop)
        if bytes(data[begin : begin + 4]) == b"LIST":
            yield from chunks(data, begin + 12, stop)
        begin = stop + (size & 1)


def packets(data):
    """Parts of a transport stream: its packets, whose header stands for the size."""
    for begin in range(0, len(data) - 187, 188):
        yield Part(begin + 1, 3, begin + 4, begin + 188)


def parts_of(data, suffix):
    """Parts of a file that its suffix lets one find; regular slices of others."""
    find = {
        "mp4": boxes,
        "mov": boxes,
        "3gp": boxes,
        "m4v": boxes,
        "mkv": elements,
        "webm": elements,
        "avi": chunks,
        "ts": packets,
    }
    found = list(find[suffix](data)) if suffix in find else []
    slices = range(0, min(len(data), 4096) - 4, 32)
    return found or [Part(begin, 4, begin + 4, min(begin + 64, len(data))) for begin in slices]


def mutate(data, suffix, random, others):
    """Return a damaged copy of a file.

    Args:
        data: The content.
        suffix: Its kind: 'mp4', 'mkv' ...
        random: A seeded `random.Random`.
        others: Contents of further files, to join or to insert.
    """
    data = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        random.choice((_size, _value, _value, _value, _bits, _cut, _join, _move, _noise))(data, suffix, random, others)
    return bytes(data)


def _size(data, suffix, random, _):
    part = random.choice(parts_of(data, suffix))
    size = random.choice((*VALUES, part.end - part.begin + random.randint(-4, 4)))
    data[part.size_at : part.size_at + part.size_bytes] = _number(size, part.size_bytes, suffix)


def _value(data, suffix, random, _):
    """Change a number within a small part: those of headers, tables and time stamps, not of pictures."""
    parts = [p for p in parts_of(data, suffix) if 0 < p.end - p.begin <= 512] or parts_of(data, suffix)
    part = random.choice(parts)
    width = random.choice((1, 2, 4, 4, 8))
    at = random.randrange(part.begin, max(part.begin + 1, part.end - width + 1))
    data[at : at + width] = _number(random.choice(VALUES), width, suffix)


def _bits(data, _suffix, random, _):
    for _ in range(random.randint(1, 40)):
        at = random.randrange(len(data))
        data[at] ^= 1 << random.randrange(8)


def _cut(data, _suffix, random, _):
    del data[random.randrange(1, len(data)) :]


def _join(data, _suffix, random, others):
    data += random.choice(others)


def _move(data, _suffix, random, _):
    """Repeat, drop or swap a stretch."""
    begin = random.randrange(len(data))
    stretch = data[begin : begin + random.choice((1, 4, 188, 1000))]
    at = random.randrange(len(data))
    if random.random() < 0.5:
        del data[begin : begin + len(stretch)]
    data[at:at] = stretch


def _noise(data, _suffix, random, _):
    begin = random.randrange(len(data))
    length = random.choice((1, 8, 64, 512))
    data[begin : begin + length] = random.randbytes(len(data[begin : begin + length]))


def _number(value, width, suffix):
    limit = (1 << 8 * width) - 1
    return max(0, min(value, limit)).to_bytes(width, "little" if suffix in ("avi", "wmv") else "big")
