"""FaceDeblurrer: one frame in, one frame out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

import numpy as np
from numpy.typing import NDArray

from streamdeblur.engines import Engine, open_engine
from streamdeblur.faces.blur import SharpnessGate, blur_of
from streamdeblur.faces.detect import Detector, open_detector
from streamdeblur.faces.external import Gates, given_faces
from streamdeblur.faces.find import LOCAL_SIZE, FaceFinder
from streamdeblur.faces.scheduler import Budget
from streamdeblur.faces.window import CROP_SIZE, FaceWindow, crop
from streamdeblur.network import Network
from streamdeblur.options import RestorationOptions, RestorationSettings
from streamdeblur.restoring import Restoring, restore_faces
from streamdeblur.video.copying import copy_frame
from streamdeblur.video.planes import Planes, array_planes, frame_planes
from streamdeblur.warmup import compile_kernels
from streamdeblur.weights import default_network

if TYPE_CHECKING:
    import av

Item = TypeVar("Item")

FRAMES_IN_FLIGHT = 4
"""Frames of a stream whose crops may be with the engine at the same time."""

FINDING, JUDGING = 0.1, 0.5
"""Shares of the time until a deadline after which no more faces are looked for, and judged: the rest is for restoring them."""

Found = tuple[FaceWindow, SharpnessGate, int | None]
"""The window of a face, what is remembered of its blur, and its identity."""


@dataclass
class Statistics:
    """What a deblurrer did since it was made or reset."""

    frames: int = 0
    faces: int = 0
    """Faces found, one per face and frame."""
    restored: int = 0
    skipped_sharp: int = 0
    """Faces that were sharp already and left alone."""
    failed: int = 0
    """Faces for which the network gave NaN: passed through unrestored."""
    passed_through: int = 0
    """Blurred faces for which there was no time before the deadline."""


@dataclass(eq=False)
class _Pending:
    """The faces of one frame while the engine works on them."""

    count: int
    restoring: Restoring
    began: float


@dataclass(eq=False)
class _Blurred:
    """A face that wants to be restored."""

    window: FaceWindow
    share: float
    crop: NDArray[np.uint8]
    urgency: float
    """Larger for what is seen more: blur times size."""
    identity: int | None


class FaceDeblurrer:
    """Removes motion blur from the faces of a stream of frames; remembers the faces from frame to frame.

    To be used by one thread at a time, for one stream; call `reset` before another.
    """

    def __init__(
        self, options: RestorationOptions | None = None, *, throughput: bool = False, **settings: Unpack[RestorationSettings]
    ) -> None:
        """Open the detector and the engine.

        `settings` are fields of `RestorationOptions` (``FaceDeblurrer(strength=0.8)``). `throughput`: for files, where several
        frames may be in flight; otherwise each frame has all cores.

        Raises:
            OptionError, NetworkError, EngineError, DetectorError: a setting cannot be used here; the message says why.
        """
        options = options or RestorationOptions()
        self.options = options.changed(**settings) if settings else options
        compile_kernels()
        self.network = Network.read(self.options.weights or default_network())
        self.engine: Engine = open_engine(self.options.engine, self.network, throughput=throughput)
        try:
            self.detector: Detector = open_detector(self.options.detector, self.engine.name)
        except BaseException:
            # it may hold a GPU, or be building for one
            self.engine.close()
            raise
        self._finder = FaceFinder(self.detector, detect_every=self.options.detect_every, min_face=self.options.min_face)
        self._gates = Gates()
        self.budget = Budget()
        self.statistics = Statistics()

    def __enter__(self) -> FaceDeblurrer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the engine."""
        self.engine.close()

    def reset(self) -> None:
        """Forget the stream so far, for another one."""
        self._finder.reset()
        self._gates = Gates()
        self.statistics = Statistics()

    def warm_up(self, width: int, height: int) -> None:
        """Compile what frames of this size need and measure what a face takes, so that the first frames are not late; resets."""
        gray = np.full((height, width, 3), 128, np.uint8)
        for _ in range(2):
            self(gray)
            self.detector.detect(np.full((LOCAL_SIZE, LOCAL_SIZE, 3), 128, np.uint8))
            began = time.monotonic()
            self.restore(np.full((1, CROP_SIZE, CROP_SIZE, 3), 128, np.uint8))
            self.budget.seconds_per_face = time.monotonic() - began
        self.reset()

    def __call__(
        self, frame: NDArray[np.uint8] | av.VideoFrame, faces: Sequence[Any] | NDArray[np.floating] | None = None
    ) -> Any:
        """The next frame of the stream with sharp faces; the frame given is not changed.

        frame: uint8 RGB [H, W, 3] or gray [H, W], or an av.VideoFrame in a pixel format of `layout_of`; faces: boxes
        x0, y0, x1, y1 in pixels [N, 4] or `Face`s from the caller's own tracker, instead of the detector's.
        Returns the same type and size.

        Raises:
            ValueError: an array of another type or shape, or a box without area.
            InputError: a pixel format that cannot be edited.
        """
        if isinstance(frame, np.ndarray):
            _refuse_other_arrays(frame)
            copied: Any = np.array(frame, order="C")
            planes = array_planes(copied)
        elif not hasattr(frame, "planes"):
            raise ValueError(f"A frame is a uint8 array or an av.VideoFrame (got {type(frame).__name__}).")
        else:
            frame_planes(frame)  # refuses what cannot be edited before it is copied
            copied = copy_frame(frame)
            planes = frame_planes(copied)
        self._finish(planes, self._begin(planes, faces))
        return copied

    def restore_detections(self, frame: NDArray[np.uint8] | av.VideoFrame, detections: Any) -> Any:
        """The next frame with the faces sharp that a tracking pipeline found; the frame given is not changed.

        frame: as for a call; detections: of faces, not of whole persons, in pixels: supervision's `Detections`, norfair's
        `Detection`s or `TrackedObject`s, or boxes x0, y0, x1, y1 [N, 4]. Where a tracker numbers its faces, each fades in and out
        of restoration by itself, as those of the built-in tracker do.

        Raises:
            ValueError: an array of another type or shape, or a box without area.
            InputError: a pixel format that cannot be edited.
        """
        return self(frame, faces=detections)

    def edit(self, frame: av.VideoFrame | Planes, *, deadline: float | None = None) -> None:
        """Deblur the next frame of the stream *in place*.

        deadline (`time.monotonic`): the frame is done by then. Where there is no time for all faces, the most blurred and largest
        are restored and the others pass through (`Statistics.passed_through`).

        Raises:
            InputError: a pixel format that cannot be edited; the frame is as it was.
            EngineError: the engine failed; the frame is as it was.
        """
        if not isinstance(frame, Planes):
            frame_planes(frame)
            # the decoder may still predict from this picture: it gets its own copy where it is shared
            frame.make_writable()
            frame = frame_planes(frame)
        self._finish(frame, self._begin(frame, None, deadline), deadline)

    def catch_up(self) -> None:
        """Do what `edit` puts off for a deadline: to be called when the frame is on its way, or else the next `edit` does it."""
        self._finder.catch_up()

    def restore(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Restore crops, uint8 RGB [N, 256, 256, 3], each a square about 1.7 times its face; returns the same shape."""
        return self.engine.infer(crops)

    def stream(self, frames: Iterable[Item | av.VideoFrame], *, bgr: bool = False) -> Iterator[Item | av.VideoFrame]:
        """Deblur frames *in place* and yield them in order, several in flight; anything else is passed on in its turn.

        frames: av.VideoFrames; arrays uint8 RGB [H, W, 3] (`bgr`: as OpenCV has them) or gray [H, W]; or pairs of such a frame
        and the detections of its faces (see `restore_detections`). An array that is read-only or has gaps is yielded as a copy.

        The fastest way through a file: while the engine works on the crops of one frame, the faces of the next are found.
        """
        waiting: deque[tuple[Any, Any, _Pending | None]] = deque()
        in_flight = 0
        for given in frames:
            item, frame, detections = _taken_apart(given)
            pending = None if frame is None else self._begin(_planes_of(frame, bgr=bgr), detections)
            in_flight += pending is not None
            waiting.append((item, frame, pending))
            while waiting and (waiting[0][2] is None or in_flight > FRAMES_IN_FLIGHT):
                in_flight -= waiting[0][2] is not None
                yield self._complete(*waiting.popleft(), bgr=bgr)
        while waiting:
            yield self._complete(*waiting.popleft(), bgr=bgr)

    def _complete(self, item: Any, frame: Any, pending: _Pending | None, *, bgr: bool) -> Any:
        if pending is not None:
            if not isinstance(frame, np.ndarray):
                # The decoder may still predict from this picture: it gets its own copy where it is shared.
                frame.make_writable()
            self._finish(_planes_of(frame, bgr=bgr), pending)
        return item

    def _begin(self, planes: Planes, faces: Any, deadline: float | None = None) -> _Pending | None:
        """Find the faces of a frame, read their crops and hand those that fit to the engine."""
        self.statistics.frames += 1
        finding, judging = _limits(deadline)
        blurred = self._blurred(planes, self._found(planes, faces, finding), judging)
        urgencies, identities = [one.urgency for one in blurred], [one.identity for one in blurred]
        chosen = [blurred[n] for n in self.budget.choose(urgencies, identities, deadline)]
        self.statistics.passed_through += len(blurred) - len(chosen)
        if not chosen:
            return None
        windows, crops = [one.window for one in chosen], np.stack([one.crop for one in chosen])
        strengths = [one.share * self.options.strength for one in chosen]
        return _Pending(len(chosen), restore_faces(self.engine, planes, windows, crops, strengths), time.monotonic())

    def _found(self, planes: Planes, faces: Any, until: float | None) -> list[Found]:
        """The faces of a frame: the caller's, or those that are found, with little more looking after `until`."""
        scale = self.network.window_scale
        if faces is None:
            found: list[Found] = [
                (track.window(scale), track.gate, track.identity) for track in self._finder.update(planes, until)
            ]
        else:
            found = [
                (FaceWindow.around(one.face.box, scale), self._gates.of(one.identity), one.identity) for one in given_faces(faces)
            ]
        return [one for one in found if one[0].inside(planes.width, planes.height)]

    def _blurred(self, planes: Planes, found: list[Found], until: float | None) -> list[_Blurred]:
        """Those of the faces that are not sharp already; with a limit, those that are judged by then, at least one."""
        self.statistics.faces += len(found)
        if until is not None:
            found = sorted(found, key=lambda one: -one[0].side * one[1].blur)
        blurred = []
        for number, (window, gate, identity) in enumerate(found):
            if until is not None and number and time.monotonic() >= until:
                self.statistics.passed_through += len(found) - number
                break
            cropped = crop(planes, window)
            gate.blur = blur = 1.0 if self.options.always else blur_of(cropped, window.side)
            share = 1.0 if self.options.always else gate.share(blur)
            if share > 0.0:
                blurred.append(_Blurred(window, share, cropped, blur * window.side, identity))
            else:
                self.statistics.skipped_sharp += 1
        return blurred

    def _finish(self, planes: Planes, pending: _Pending | None, deadline: float | None = None) -> None:
        """Wait for the restored crops of a frame, or until the deadline, and paste them."""
        if pending is None:
            return
        pasted = pending.restoring.paste(planes, deadline)
        self.budget.learn(int(pasted.in_time.sum()), pending.count, time.monotonic() - pending.began)
        self.statistics.restored += int((pasted.finite & pasted.in_time).sum())
        self.statistics.failed += int((~pasted.finite).sum())
        self.statistics.passed_through += int((~pasted.in_time).sum())


def _taken_apart(item: Any) -> tuple[Any, Any, Any]:
    """An item of a stream: what is yielded for it, the frame in it (or None), and the detections that came with it (or None)."""
    import av

    pair = isinstance(item, tuple) and len(item) == 2
    frame, detections = item if pair else (item, None)
    if isinstance(frame, np.ndarray):
        _refuse_other_arrays(frame)
        if not (frame.flags.c_contiguous and frame.flags.writeable):
            frame = np.array(frame, order="C")
    elif not isinstance(frame, av.VideoFrame):
        return item, None, None
    return ((frame, detections) if pair else frame), frame, detections


def _planes_of(frame: Any, *, bgr: bool) -> Planes:
    return array_planes(frame, bgr=bgr) if isinstance(frame, np.ndarray) else frame_planes(frame)


def _refuse_other_arrays(frame: NDArray[Any]) -> None:
    if frame.dtype != np.uint8 or frame.ndim not in (2, 3) or (frame.ndim == 3 and frame.shape[2] != 3) or not frame.size:
        raise ValueError(f"A frame is uint8 RGB [H, W, 3] or gray [H, W] (got {frame.dtype} {list(frame.shape)}).")


def _limits(deadline: float | None) -> tuple[float | None, float | None]:
    """Until when the faces of a frame are looked for, and judged (`time.monotonic`)."""
    if deadline is None:
        return None, None
    now = time.monotonic()
    return now + FINDING * (deadline - now), now + JUDGING * (deadline - now)
