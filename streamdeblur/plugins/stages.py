"""Stages of a pipeline over frames: each takes what the previous one yields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, Unpack, overload

from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.faces.selection import checked_look_ahead
from streamdeblur.frames import Image, StreamItem
from streamdeblur.options import LOOK_AHEAD, RestorationSettings

if TYPE_CHECKING:
    import av

Payload = TypeVar("Payload")
Stage: TypeAlias = Callable[[Iterable[Any]], Iterable[Any]]
"""Takes items of any type, such as frames or `StreamItem`s, and yields others."""


class Sequential:
    """A sequence of stages, which is a stage itself: ``for frame in Sequential(Deblur(), annotate)(frames): ...``."""

    def __init__(self, *stages: Stage) -> None:
        """Take the stages in the order in which items pass them."""
        self.stages = stages

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.stages))})"

    def __call__(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yield what the last stage yields; items are read one by one as they are needed."""
        for stage in self.stages:
            items = stage(items)
        return iter(items)

    def __enter__(self) -> Sequential:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close those of the stages that can be closed."""
        for stage in self.stages:
            close = getattr(stage, "close", None)
            if close is not None:
                close()


class Deblur:
    """A stage that removes motion blur from faces, *in place* and in order, with several frames in flight.

    Each call is a new stream. Close the stage, or use it in a ``with`` statement, to free its memory early; otherwise that
    happens with the object, or when the interpreter ends.
    """

    def __init__(self, *, bgr: bool = False, look_ahead: int = LOOK_AHEAD, **settings: Unpack[RestorationSettings]) -> None:
        """Open a deblurrer.

        Args:
            bgr: Arrays have OpenCV's order of channels, as those of norfair's `Video` and of supervision.
            look_ahead: Later frames from which a face takes neighbours, if the network has a memory; 0 for the least delay.
            settings: Fields of `RestorationOptions`.

        Raises:
            OptionError, NetworkError, EngineError, DetectorError: A setting cannot be used here; the message states why.
            ValueError: A `look_ahead` that is not an integer from 0 to 5.
        """
        self.bgr, self.look_ahead = bgr, checked_look_ahead(look_ahead)
        self.deblurrer = FaceDeblurrer(throughput=True, **settings)

    def __repr__(self) -> str:
        return f"Deblur({self.deblurrer!r}, bgr={self.bgr})"

    def __enter__(self) -> Deblur:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for the faces that are being restored, and free engine and detector."""
        self.deblurrer.close()

    @overload
    def __call__(self, items: Iterable[StreamItem[Payload]]) -> Iterator[StreamItem[Payload]]: ...

    @overload
    def __call__(self, items: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]: ...

    @overload
    def __call__(self, items: Iterable[Image]) -> Iterator[Image]: ...

    def __call__(self, items: Iterable[Any]) -> Iterator[Any]:
        """Restore the faces of frames.

        Args:
            items: Frames, whose faces are detected, or `StreamItem`s with a frame, its detections and a payload; see
                `FaceDeblurrer.stream`.

        Yields:
            The same frames or items, in order.

        Raises:
            ValueError: An array of another type or shape, or a box without area.
            InputError: A pixel format that cannot be edited.
        """
        self.deblurrer.reset()
        yield from self.deblurrer.stream(items, bgr=self.bgr, look_ahead=self.look_ahead)
