"""PatternSource: a live source with blurred faces that needs no camera."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from streamdeblur.errors import OptionError
from streamdeblur.live.options import LiveOptions
from streamdeblur.video.copying import copy_frame

if TYPE_CHECKING:
    import av

    from streamdeblur.video.description import StreamTags

DEFAULT_SIZE, DEFAULT_FPS, FRAMES = (1280, 720), 30, 40


class PatternSource:
    """The clip of the demonstration, played forwards and backwards without end."""

    name = "test pattern"
    realtime = True
    finite = damaged = repeated = False
    tags: StreamTags | None = None

    def __init__(self, options: LiveOptions) -> None:
        """Render the clip."""
        from streamdeblur.demo.camera import HandheldCamera
        from streamdeblur.demo.run import group_photograph

        width, height = options.size or DEFAULT_SIZE
        self.rate = Fraction(options.fps or DEFAULT_FPS).limit_denominator(1001)
        camera = HandheldCamera(group_photograph(), width, height, round(self.rate), subframes=7)
        clip = [blurry for blurry, _ in camera.frames(FRAMES)]
        self._clip = [*clip, *clip[-2:0:-1]]
        self._format = options.format or "yuv420p"

    def frames(self) -> Iterator[av.VideoFrame]:
        """Yield frames at the rate of the pattern; OptionError if the pixel format is unknown."""
        import av

        try:
            clip = [av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=self._format) for picture in self._clip]
        except ValueError:
            raise OptionError(f"Unknown pixel format '{self._format}'.") from None
        number = 0
        started = time.monotonic()
        while True:
            time.sleep(max(0.0, started + number / self.rate - time.monotonic()))
            # A copy, because the consumer edits frames in place.
            yield copy_frame(clip[number % len(clip)])
            number += 1

    def close(self) -> None:
        """Do nothing."""
