"""Stages of a pipeline over frames: each takes what the one before it yields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Unpack

from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.options import RestorationSettings

Stage = Callable[[Iterable[Any]], Iterable[Any]]
"""What takes frames, or frames with what is known of them, and yields them."""


class Sequential:
    """Stages one after the other, themselves a stage: ``for frame in Sequential(Deblur(), annotate)(frames): ...``."""

    def __init__(self, *stages: Stage) -> None:
        self.stages = stages

    def __call__(self, frames: Iterable[Any]) -> Iterator[Any]:
        """What the last stage yields for these frames; nothing is read before it is asked for."""
        for stage in self.stages:
            frames = stage(frames)
        return iter(frames)


class Deblur:
    """A stage that removes motion blur from faces, *in place*, in order, several frames in flight.

    It takes what `FaceDeblurrer.stream` takes: frames, whose faces it detects, or `StreamItem`s with the faces in them. Each call
    is a stream of its own.
    """

    def __init__(self, *, bgr: bool = False, **settings: Unpack[RestorationSettings]) -> None:
        """`bgr`: arrays are as OpenCV has them, as those of norfair's `Video` and of supervision; settings: fields of
        `RestorationOptions`.

        Raises:
            OptionError, NetworkError, EngineError, DetectorError: a setting cannot be used here; the message says why.
        """
        self.bgr = bgr
        self.deblurrer = FaceDeblurrer(throughput=True, **settings)

    def __call__(self, frames: Iterable[Any]) -> Iterator[Any]:
        """Yield the frames (or items) with sharp faces.

        Raises:
            ValueError: an array of another type or shape, or a box without area.
            InputError: a pixel format that cannot be edited.
        """
        self.deblurrer.reset()
        yield from self.deblurrer.stream(frames, bgr=self.bgr)
