"""Types of values that several settings share: times, and sizes of pictures."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, PlainValidator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from streamdeblur.faces.tracked_face import TrackedFace
from streamdeblur.known_names import shown

LONGEST_TIME = 1e8
"""Seconds, about three years."""
LARGEST_SIDE = 16_384
"""Pixels of a picture's width or height."""
LARGEST_COUNT = 1_000_000_000
"""Of whatever is counted: images, steps, pixels of a range."""
LARGEST_SEED = 2**32 - 1
"""All that each generator of random numbers takes."""


@dataclass(frozen=True)
class Spelling:
    """How a value is written, where text stands for something else; part of the annotation of a type."""

    words: str
    """What is allowed, for messages: 'a number of seconds, or [HH:]MM:SS'."""
    placeholder: str
    """What stands for the value in the help of an option: 'TIME'."""
    parse: Callable[[Any], Any]
    """Converts what was given; a ValueError, or what the type does not accept, is reported with `words`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.parse, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the value for editors: what it stands for, or text."""
        return {"anyOf": [handler(schema), {"type": ["string", "integer"], "description": self.words}]}


def parse_seconds(value: Any) -> Any:
    """Convert a time to seconds: a number, '90', '1:30', '00:01:30.5', or a `timedelta`.

    Raises:
        ValueError: It is no time.
    """
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool):
        raise ValueError("no time")
    if not isinstance(value, str):
        return value
    clock = re.fullmatch(r"(?:(\d{1,6}):)?(\d{1,6}):([0-5]?\d(?:\.\d{1,12})?)", value.strip(), re.ASCII)
    if clock is None:
        return float(value)
    hours, minutes, seconds = clock.groups()
    if hours is not None and int(minutes) > 59:
        raise ValueError(f"{minutes} minutes beside hours")
    return 3600 * int(hours or 0) + 60 * int(minutes) + float(seconds)


def parse_size(value: Any) -> Any:
    """Convert the size of a picture, such as '1280x720', to width and height.

    Raises:
        ValueError: It is text, and no size.
    """
    if not isinstance(value, str):
        return value
    size = re.fullmatch(r"(\d{1,5})x(\d{1,5})", value.strip().lower(), re.ASCII)
    if size is None:
        raise ValueError("no size")
    return int(size[1]), int(size[2])


LARGEST_GAIN = 20.0
"""dB; no face gains more."""


def parse_threshold(value: Any) -> Any:
    """Convert a threshold: 'gentle', 'normal' and 'always' stay as they are, other text is a number.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, bool):
        raise ValueError("no threshold")
    if isinstance(value, str) and value.strip().lower() not in ("gentle", "normal", "always"):
        return float(value)
    return value.strip().lower() if isinstance(value, str) else value


def checked_threshold(value: Any) -> Any:
    """Return a threshold as settings hold it.

    Raises:
        ValueError: It is none.
    """
    try:
        threshold = parse_threshold(value)
        if isinstance(threshold, str) or 0.0 <= threshold <= LARGEST_GAIN:
            return threshold
    except (TypeError, ValueError):
        pass  # told below, with the others
    raise ValueError(f"A threshold is {THRESHOLD.words} (got {shown(value)}).")


def parts_of_only(text: str) -> tuple[Literal["largest", "track", "region"], tuple[float, ...]]:
    """Take apart the text of a setting `only`.

    Returns:
        "largest" and how many, "track" and the numbers of tracks, or "region" and left, top, width and height in pixels.

    Raises:
        ValueError: It is none.
    """
    kind, _, values = text.strip().lower().partition(":")
    if kind == "region":
        left, top, width, height = map(float, values.split(","))
        if min(left, top) < 0 or min(width, height) <= 0 or max(left, top, width, height) > LARGEST_SIDE:
            raise ValueError("no region of a frame")
        return "region", (left, top, width, height)
    if kind == "track":
        return "track", tuple(_whole_number(value) for value in values.split(","))
    return "largest", (1 if kind == "largest" and not values else _whole_number(text),)


def _whole_number(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text.strip(), re.ASCII) or int(text) < 1:
        raise ValueError("no whole number from 1 on")
    return int(text)


def checked_only(value: Any) -> Any:
    """Return a setting `only` as settings hold it: a text that `parts_of_only` takes apart, or a function.

    Raises:
        ValueError: It is none.
    """
    if callable(value):
        return value
    if isinstance(value, str | int) and not isinstance(value, bool):
        parts_of_only(str(value))
        return str(value).strip().lower()
    raise ValueError("neither text nor a function")


MOST_SHARDS = 99_999


def parse_shard(value: Any) -> Any:
    """Convert a share, such as '3/16', to its number and how many there are.

    Raises:
        ValueError: It is text, and none.
    """
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d{1,5})/(\d{1,5})", value.strip(), re.ASCII)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ValueError("no share")
    return int(found[1]), int(found[2])


def parse_device(value: Any) -> Any:
    """Convert a device: auto, cpu, or the number of a card.

    Raises:
        ValueError: It is none.
    """
    text = str(value).strip().lower() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    found = re.fullmatch(r"auto|cpu|(?:cuda:)?(\d{1,3})", text, re.ASCII)
    if found is None:
        raise ValueError("no device")
    return found[1] or text


def parse_frames(value: Any) -> Any:
    """Convert a range of frames, such as '100-199' or '100-', to its first and its last one, which is None for the end.

    Raises:
        ValueError: It is text, and none.
    """
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d{1,9})-(\d{1,9})?", value.strip(), re.ASCII)
    if found is None:
        raise ValueError("no range")
    return int(found[1]), int(found[2]) if found[2] else None


def parse_container(value: Any) -> Any:
    """Convert a usual name of a container to that of the setting: 'mkv' to 'matroska'."""
    name = value.strip().lower().removeprefix(".") if isinstance(value, str) else value
    return {"mkv": "matroska", "ts": "mpegts", "yuv4mpegpipe": "y4m"}.get(name, name)


CONTAINER = Spelling(
    "a container that can be streamed: matroska (mkv), webm, mpegts (ts), nut, mp4, mov or y4m", "CONTAINER", parse_container
)
DEVICE = Spelling("auto, cpu, or the number of a card that 'streamdeblur doctor' lists", "auto|cpu|N", parse_device)
SHARD = Spelling("a share and how many there are, such as 1/16 to 16/16", "N/COUNT", parse_shard)
TIME = Spelling("a time: seconds, or [HH:]MM:SS such as 1:30", "TIME", parse_seconds)
FRAMES = Spelling("a range of frames, counted from 0, such as 100-199 or 100-", "FIRST-LAST", parse_frames)
SIZE = Spelling(f"WIDTHxHEIGHT, such as 1280x720, with sides of 1 to {LARGEST_SIDE} px", "WIDTHxHEIGHT", parse_size)

THRESHOLD = Spelling(f"one of gentle, normal, always, or a gain of 0 to {LARGEST_GAIN:g} dB", "THRESHOLD", parse_threshold)

# with one validator for both, a wrong value has one error
_Gain = Literal["gentle", "normal", "always"] | float
Threshold = Annotated[_Gain, PlainValidator(checked_threshold, json_schema_input_type=_Gain), THRESHOLD]
"""The gain to be expected from which a face is restored: by name, or in dB."""

_Count = Annotated[int, Field(ge=1, le=MOST_SHARDS)]
ShardOf = Annotated[tuple[_Count, _Count], SHARD]
"""A share, from 1 on, and how many there are, also written as ``3/16``."""

Device = Annotated[str, DEVICE]
"""What computes: "auto", "cpu", or the number of an NVIDIA card as text."""

ONLY = Spelling(
    "one of largest, a number of faces, track:ID, region:x,y,w,h in pixels, or in Python a function",
    "FACES",
    checked_only,
)
Only = Annotated[str | Callable[[TrackedFace], bool], PlainValidator(checked_only, json_schema_input_type=str), ONLY]
"""Which faces are restored: as text, or a function that returns whether a face is."""

Seconds = Annotated[float, TIME]
"""A time in seconds, also written as ``1:30`` or ``00:01:30.5``."""

FrameRange = Annotated[tuple[int, int | None], FRAMES]
"""The first frame, counted from 0, and the last one, None for the end; also written as ``100-199``."""

_Side = Annotated[int, Field(ge=1, le=LARGEST_SIDE)]
Size = Annotated[tuple[_Side, _Side], SIZE]
"""Width and height in pixels, also written as ``1280x720``."""
