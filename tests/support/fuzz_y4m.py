"""Damaged YUV4MPEG2 streams, and a program that gives many of them to streamdeblur.

`python -m support.fuzz_y4m FIRST COUNT FOLDER`
"""

from __future__ import annotations

import io
import json
import random
import sys
import time
from pathlib import Path

from streamdeblur.video.y4m import PIXEL_FORMATS
from support.memory import peak_memory

SIDES = (
    "0",
    "1",
    "2",
    "3",
    "7",
    "16384",
    "16385",
    "65535",
    "2147483648",
    "9" * 30,
    "9" * 4000,
    "-5",
    "1e9",
    "",
    "0x40",
    "٣",
    "+8",
)
COLOURS = ("", "420p3", "444alpha", "mono16", "rgb", "420" * 900, "\0", "4\xff0")
RATES = ("0:0", "1:0", "0:1", "-1:1", "30000:1001", "99999999999:1", "2147483647:2147483647", "x", "")
FIELDS = ("p", "t", "b", "m", "?", "tttt", "")
CHANGES = (
    ("W", SIDES), ("H", SIDES), ("C", COLOURS), ("F", RATES), ("I", FIELDS), ("A", RATES),
    ("X", ("COLORRANGE=FULL", "y" * 5000)),
)  # fmt: skip
LINES = (b"FRAME", b"FRAME Ippt", b"FRAMES", b"FRAM", b"frame", b"", b"FRAME\0", b"FRAME " + b"x" * 5000, b"FRAME\r", b"\xff" * 9)


def valid(generator: random.Random) -> tuple[dict[str, str], int]:
    """Fields of a valid header, and the bytes of its frames at most."""
    width, height = generator.randint(1, 80), generator.randint(1, 80)
    fields = {
        "W": str(width), "H": str(height), "F": "25:1", "I": "p", "A": "1:1", "C": generator.choice(list(PIXEL_FORMATS)),
    }  # fmt: skip
    return fields, width * height * 8


def damaged(number: int) -> bytes:
    """The stream of this number, the same one each time."""
    generator = random.Random(number)
    fields, size = valid(generator)
    for _ in range(generator.randint(0, 3)):
        name, values = generator.choice(CHANGES)
        fields[name] = generator.choice(values)
    words = [generator.choice(["YUV4MPEG2"] * 9 + ["YUV4MPEG", "RIFF", ""]), *(name + value for name, value in fields.items())]
    if generator.random() < 0.1:
        words.insert(generator.randrange(len(words)), generator.choice(["W64", "\0", "\xe9t\xe9", "H", "X" * 5000]))
    data = " ".join(words).encode("utf-8" if generator.random() < 0.5 else "latin-1", "replace") + b"\n"
    for _ in range(generator.randint(0, 4)):
        line = b"FRAME" if generator.random() < 0.9 else generator.choice(LINES)
        data += line + b"\n" + generator.randbytes(_frame_size(fields) or generator.randint(0, size))
    return _with_noise(generator, data)


def _frame_size(fields: dict[str, str]) -> int:
    """Bytes of a frame, if the header is valid and they are few."""
    import av

    from streamdeblur.video.copying import line_bytes

    if not (fields["W"].isascii() and fields["W"].isdigit() and fields["H"].isascii() and fields["H"].isdigit()):
        return 0
    width, height = int(fields["W"][:6]), int(fields["H"][:6])
    if not 0 < width * height <= 6400 or fields["C"] not in PIXEL_FORMATS:
        return 0
    frame = av.VideoFrame(width, height, PIXEL_FORMATS[fields["C"]])
    return sum(line_bytes(frame, index) * plane.height for index, plane in enumerate(frame.planes))


def _with_noise(generator: random.Random, data: bytes) -> bytes:
    """The stream, cut off or with a few other bytes."""
    content = bytearray(data)
    kind = generator.random()
    if kind < 0.25:
        del content[generator.randrange(len(content)) :]
    elif kind < 0.4:
        for _ in range(generator.randint(1, 5)):
            content[generator.randrange(min(len(content), 120))] = generator.randrange(256)
    elif kind < 0.5:
        position = generator.randrange(len(content))
        content[position:position] = generator.randbytes(generator.randint(1, 99))
    return bytes(content)


def main(first: int, count: int, folder: Path) -> None:
    """Give streams to `pipe`, and as files to `video`; print one JSON object for each."""
    from streamdeblur import FaceDeblurrer
    from streamdeblur.cli import main as command_line

    with FaceDeblurrer(throughput=True) as deblurrer:
        for number in range(first, first + count):
            print(json.dumps({"number": number}), flush=True)
            began = time.monotonic()
            data = damaged(number)
            code, output, errors = _pipe(command_line, data)
            result = {"code": code, "whole": _whole_frames(output), "errors": errors}
            result |= {"video": _video(deblurrer, data, folder), "seconds": time.monotonic() - began}
            result["memory"] = peak_memory()
            print(json.dumps(result), flush=True)


def _pipe(command_line, data: bytes) -> tuple[int, bytes, str]:
    saved = sys.stdin, sys.stdout, sys.stderr
    output, errors = io.BytesIO(), io.StringIO()
    sys.stdin, sys.stdout, sys.stderr = io.TextIOWrapper(io.BytesIO(data)), io.TextIOWrapper(output), errors
    try:
        command_line(["pipe"])
    except SystemExit as end:
        return int(end.code or 0), output.getvalue(), errors.getvalue()
    finally:
        sys.stdin, sys.stdout, sys.stderr = saved
    raise AssertionError("the command line ends by SystemExit")


def _whole_frames(output: bytes) -> bool:
    """Whether all that was written is whole."""
    from streamdeblur.errors import InputError
    from streamdeblur.video.y4m import Y4MReader

    try:
        list(Y4MReader(io.BytesIO(output)) if output else ())
    except InputError:
        return False
    return True


def _video(deblurrer, data: bytes, folder: Path) -> str:
    """What becomes of the stream as a file: "done", or the error's kind and text."""
    import av

    from streamdeblur import deblur_video
    from streamdeblur.errors import StreamDeblurError

    source, target = folder / "in.y4m", folder / "out.mkv"
    source.write_bytes(data)
    try:
        summary = deblur_video(source, target, deblurrer=deblurrer, overwrite=True, codec="ffv1")
    except StreamDeblurError as error:
        return "half a file" if target.exists() else str(error)
    with av.open(str(target)) as container:
        whole = sum(1 for _ in container.decode(video=0)) == summary.frames
    target.unlink()
    return "done" if whole and [path.name for path in folder.iterdir()] == ["in.y4m"] else "half a file"


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
