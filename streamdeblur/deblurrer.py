"""FaceDeblurrer: one frame in, one frame out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from streamdeblur.engines import Engine, FrameFaces, PendingFaces, open_engine
from streamdeblur.faces.blur import BlurHysteresis, blur_of
from streamdeblur.faces.detect import Detector, open_detector
from streamdeblur.faces.external import Detections, TrackHysteresis, external_faces
from streamdeblur.faces.find import LOCAL_SIZE, FaceFinder
from streamdeblur.faces.scheduler import FaceScheduler
from streamdeblur.faces.window import CROP_SIZE, FaceWindow, crop
from streamdeblur.frames import Frame, Image, StreamItem, check_frame, copied, editable, make_writable, planes_of
from streamdeblur.network import Network
from streamdeblur.options import RestorationOptions, RestorationSettings
from streamdeblur.video.planes import Planes
from streamdeblur.warmup import compile_kernels
from streamdeblur.weights import default_network

if TYPE_CHECKING:
    import av

Payload = TypeVar("Payload")

FRAMES_IN_FLIGHT = 4
"""Frames of a stream whose faces may be with the engine at the same time."""

DETECTION_SHARE, JUDGING_SHARE = 0.1, 0.5
"""Shares of the time until a deadline after which no more faces are detected, and judged; the rest is for restoring them."""


@dataclass
class RestorationStatistics:
    """Counts of a deblurrer since it was opened or reset."""

    frames: int = 0
    faces: int = 0
    """Faces detected, one per face and frame."""
    restored: int = 0
    skipped_sharp: int = 0
    """Faces that were sharp and left as they were."""
    failed: int = 0
    """Faces for which the network returned NaN: passed through unrestored."""
    passed_through: int = 0
    """Blurred faces for which there was no time before the deadline."""


@dataclass(frozen=True)
class _FrameSettings:
    """What may differ from frame to frame."""

    strength: float
    always: bool
    deadline: float | None
    """Time (`time.monotonic`) by which the frame is done."""


@dataclass(eq=False)
class _DetectedFace:
    """A face of a frame, and the state of its track."""

    window: FaceWindow
    hysteresis: BlurHysteresis
    track_id: int | None


@dataclass(eq=False)
class _BlurredFace:
    """A face to be restored."""

    window: FaceWindow
    weight: float
    """Of the restoration, 0 to 1: faces fade in and out."""
    crop: NDArray[np.uint8]
    priority: float
    """Blur times size: larger for what a viewer notices more."""
    track_id: int | None


@dataclass(eq=False)
class _PendingFrame:
    """The faces of one frame while the engine works on them."""

    count: int
    faces: PendingFaces
    began: float


@dataclass(eq=False)
class _InFlight:
    """An item of a stream that was not yielded yet."""

    item: StreamItem[Any]
    bare: bool
    """The caller gave a frame alone and gets a frame alone."""
    pending: _PendingFrame | None


class FaceDeblurrer:
    """Removes motion blur from the faces of a stream of frames; follows the faces from frame to frame.

    Use it from one thread at a time and for one stream; call `reset` before another stream.
    """

    def __init__(
        self, options: RestorationOptions | None = None, *, throughput: bool = False, **settings: Unpack[RestorationSettings]
    ) -> None:
        """Open the detector and the engine.

        Args:
            options: Settings; by default those of `RestorationOptions`.
            throughput: Keep several frames in flight, for files; otherwise each frame has all cores.
            settings: Fields of `RestorationOptions` that replace those of `options`: ``FaceDeblurrer(strength=0.8)``.

        Raises:
            OptionError: A setting is not valid.
            NetworkError, EngineError, DetectorError: A network, engine or detector cannot be used here.
        """
        options = options or RestorationOptions()
        self.options = options.changed(**settings) if settings else options
        compile_kernels()
        self.network = Network.read(self.options.weights or default_network())
        self.engine: Engine = open_engine(self.options.engine, self.network, throughput=throughput)
        try:
            self.detector: Detector = open_detector(self.options.detector, self.engine.name)
        except BaseException:
            # The engine may hold a GPU or be building for one: it is freed whatever ends the opening, interrupts included.
            self.engine.close()
            raise
        self._finder = FaceFinder(self.detector, detect_every=self.options.detect_every, min_face=self.options.min_face)
        self._external = TrackHysteresis()
        self.scheduler = FaceScheduler()
        self.statistics = RestorationStatistics()

    def __repr__(self) -> str:
        return f"FaceDeblurrer(engine={self.engine.name!r}, detector={self.detector.name!r}, network={self.network.preset!r})"

    def __enter__(self) -> FaceDeblurrer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the engine."""
        self.engine.close()

    def reset(self) -> None:
        """Forget the stream so far, before another one."""
        self._finder.reset()
        self._external = TrackHysteresis()
        self.statistics = RestorationStatistics()

    def warm_up(self, width: int, height: int) -> None:
        """Compile what frames of this size need and measure the time per face, so that the first frames are not late; resets."""
        gray = np.full((height, width, 3), 128, np.uint8)
        for _ in range(2):
            self(gray)
            self.detector.detect(np.full((LOCAL_SIZE, LOCAL_SIZE, 3), 128, np.uint8))
            began = time.monotonic()
            self.restore(np.full((1, CROP_SIZE, CROP_SIZE, 3), 128, np.uint8))
            self.scheduler.seconds_per_face = time.monotonic() - began
        self.reset()

    @overload
    def __call__(self, frame: Image, faces: Detections | None = None, *, strength: float | None = None) -> Image: ...

    @overload
    def __call__(
        self, frame: av.VideoFrame, faces: Detections | None = None, *, strength: float | None = None
    ) -> av.VideoFrame: ...

    def __call__(self, frame: Frame, faces: Detections | None = None, *, strength: float | None = None) -> Frame:
        """Restore the faces of the next frame of the stream; the given frame is not changed.

        Args:
            frame: uint8 RGB [H, W, 3] or gray [H, W], or an av.VideoFrame in a planar, semi-planar or packed pixel format of up
                to 16 bits.
            faces: Faces from the caller's own tracker instead of the detector's: boxes x0, y0, x1, y1 in pixels [N, 4], `Face`s,
                supervision's `Detections`, norfair's `Detection`s or `TrackedObject`s.
            strength: Share of the restoration that is added, 0 to 1; by default that of the options.

        Returns:
            A frame of the same type, size and pixel format.

        Raises:
            ValueError: An array of another type or shape, or a box without area.
            InputError: A pixel format that cannot be edited.
            EngineError: The engine failed.
        """
        check_frame(frame)
        result = copied(frame)
        planes = planes_of(result)
        self._finish(planes, self._begin(planes, faces, self._frame_settings(strength)))
        return result

    @overload
    def restore_detections(self, frame: Image, detections: Detections) -> Image: ...

    @overload
    def restore_detections(self, frame: av.VideoFrame, detections: Detections) -> av.VideoFrame: ...

    def restore_detections(self, frame: Frame, detections: Detections) -> Frame:
        """Restore the faces that a tracking pipeline detected in the next frame; the given frame is not changed.

        Args:
            frame: As for a call.
            detections: Faces, not whole persons, in any form that a call accepts as `faces`. Where a tracker numbers its faces,
                each fades in and out of restoration by itself, as those of the built-in tracker do.

        Returns:
            A frame of the same type, size and pixel format.

        Raises:
            ValueError: An array of another type or shape, or a box without area.
            InputError: A pixel format that cannot be edited.
        """
        return self(frame, faces=detections)

    def edit(
        self,
        frame: av.VideoFrame | Planes,
        *,
        deadline: float | None = None,
        strength: float | None = None,
        always: bool | None = None,
    ) -> None:
        """Restore the faces of the next frame of the stream *in place*.

        Args:
            frame: The frame, or its planes.
            deadline: Time (`time.monotonic`) by which the frame is done. Where there is no time for all faces, those with the
                highest priority (blur times size) are restored and the others pass through (`statistics.passed_through`).
            strength: Share of the restoration that is added, 0 to 1; by default that of the options.
            always: Restore sharp faces, too; by default as the options say.

        Raises:
            InputError: A pixel format that cannot be edited; the frame is as it was.
            EngineError: The engine failed; the frame is as it was.
        """
        if not isinstance(frame, Planes):
            check_frame(frame)
            make_writable(frame)
            frame = planes_of(frame)
        self._finish(frame, self._begin(frame, None, self._frame_settings(strength, always, deadline)), deadline)

    def catch_up(self) -> None:
        """Run the full-frame detection that `edit` deferred for a deadline.

        Call it when the frame has been delivered; otherwise the next `edit` runs it.
        """
        self._finder.catch_up()

    def restore(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Restore crops, uint8 RGB [N, 256, 256, 3], each a square about 1.7 times its face.

        Returns:
            The restored crops, of the same shape.

        Raises:
            ValueError: Crops of another type or shape.
        """
        return self.engine.infer(crops)

    @overload
    def stream(self, items: Iterable[StreamItem[Payload]], *, bgr: bool = False) -> Iterator[StreamItem[Payload]]: ...

    @overload
    def stream(self, items: Iterable[av.VideoFrame], *, bgr: bool = False) -> Iterator[av.VideoFrame]: ...

    @overload
    def stream(self, items: Iterable[Image], *, bgr: bool = False) -> Iterator[Image]: ...

    def stream(self, items: Iterable[Any], *, bgr: bool = False) -> Iterator[Any]:
        """Restore the faces of frames *in place* and yield the frames in order, several in flight.

        This is the fastest way through a file: while the engine works on the faces of one frame, those of the next are detected.

        Args:
            items: Frames as a call accepts them, or `StreamItem`s: a frame with the faces in it and a payload, or a payload
                alone that keeps its place among the frames.
            bgr: Arrays have OpenCV's order of channels.

        Yields:
            What came in: frames, or `StreamItem`s. An array that is read-only or has gaps is yielded as a copy.

        Raises:
            ValueError: An array of another type or shape, or a box without area.
            InputError: A pixel format that cannot be edited.
            EngineError: The engine failed.
        """
        waiting: deque[_InFlight] = deque()
        frames_waiting = 0
        for given in items:
            entry = self._enter(given, bgr=bgr)
            frames_waiting += entry.pending is not None
            waiting.append(entry)
            while waiting and (waiting[0].pending is None or frames_waiting > FRAMES_IN_FLIGHT):
                frames_waiting -= waiting[0].pending is not None
                yield self._leave(waiting.popleft(), bgr=bgr)
        while waiting:
            yield self._leave(waiting.popleft(), bgr=bgr)

    def _enter(self, given: StreamItem[Any] | Frame, *, bgr: bool) -> _InFlight:
        """Start on an item of a stream."""
        bare = not isinstance(given, StreamItem)
        item: StreamItem[Any] = given if isinstance(given, StreamItem) else StreamItem(given)
        if item.frame is None:
            return _InFlight(item, bare, None)
        check_frame(item.frame)
        frame = editable(item.frame)
        pending = self._begin(planes_of(frame, bgr=bgr), item.faces, self._frame_settings())
        return _InFlight(replace(item, frame=frame), bare, pending)

    def _leave(self, entry: _InFlight, *, bgr: bool) -> Any:
        """Finish an item of a stream; return what is yielded for it."""
        frame = entry.item.frame
        if entry.pending is not None and frame is not None:
            make_writable(frame)
            self._finish(planes_of(frame, bgr=bgr), entry.pending)
        return frame if entry.bare else entry.item

    def _frame_settings(
        self, strength: float | None = None, always: bool | None = None, deadline: float | None = None
    ) -> _FrameSettings:
        """The settings of a frame: those that are given, else those of the options."""
        return _FrameSettings(
            self.options.strength if strength is None else strength, self.options.always if always is None else always, deadline
        )

    def _begin(self, planes: Planes, faces: Detections | None, settings: _FrameSettings) -> _PendingFrame | None:
        """Detect the faces of a frame, judge their blur, and submit those that fit to the engine."""
        self.statistics.frames += 1
        detection_limit, judging_limit = _limits(settings.deadline)
        blurred = self._blurred(planes, self._detected(planes, faces, detection_limit), judging_limit, always=settings.always)
        priorities, track_ids = [face.priority for face in blurred], [face.track_id for face in blurred]
        selected = [blurred[n] for n in self.scheduler.select(priorities, track_ids, settings.deadline)]
        self.statistics.passed_through += len(blurred) - len(selected)
        if not selected:
            return None
        submitted = FrameFaces(
            planes,
            [face.window for face in selected],
            np.stack([face.crop for face in selected]),
            [face.weight * settings.strength for face in selected],
        )
        return _PendingFrame(len(selected), self.engine.submit(submitted), time.monotonic())

    def _detected(self, planes: Planes, faces: Detections | None, until: float | None) -> list[_DetectedFace]:
        """The caller's faces, or those of the detector, which looks at less after `until`."""
        scale = self.network.window_scale
        if faces is None:
            detected = [
                _DetectedFace(track.window(scale), track.hysteresis, track.track_id)
                for track in self._finder.update(planes, until)
            ]
        else:
            detected = [
                _DetectedFace(
                    FaceWindow.around(external.face.box, scale), self._external.of(external.track_id), external.track_id
                )
                for external in external_faces(faces)
            ]
        return [face for face in detected if face.window.inside(planes.width, planes.height)]

    def _blurred(self, planes: Planes, faces: list[_DetectedFace], until: float | None, *, always: bool) -> list[_BlurredFace]:
        """The faces that are not sharp; with a time limit, of those that are judged by then, at least one."""
        self.statistics.faces += len(faces)
        if until is not None:
            faces = sorted(faces, key=lambda face: -face.window.side * face.hysteresis.blur)
        blurred = []
        for number, face in enumerate(faces):
            if until is not None and number and time.monotonic() >= until:
                self.statistics.passed_through += len(faces) - number
                break
            judged = _judged(planes, face, always=always)
            if judged.weight > 0.0:
                blurred.append(judged)
            else:
                self.statistics.skipped_sharp += 1
        return blurred

    def _finish(self, planes: Planes, pending: _PendingFrame | None, deadline: float | None = None) -> None:
        """Wait for the faces of a frame, or until the deadline, and paste them."""
        if pending is None:
            return
        outcome = pending.faces.paste(planes, deadline)
        self.scheduler.learn(int(outcome.in_time.sum()), pending.count, time.monotonic() - pending.began)
        self.statistics.restored += int((outcome.finite & outcome.in_time).sum())
        self.statistics.failed += int((~outcome.finite).sum())
        self.statistics.passed_through += int((~outcome.in_time).sum())


def _judged(planes: Planes, face: _DetectedFace, *, always: bool) -> _BlurredFace:
    """Read the crop of a face and weigh its restoration by its blur."""
    read = crop(planes, face.window)
    if always:
        face.hysteresis.blur = weight = 1.0
    else:
        weight = face.hysteresis.update(blur_of(read, face.window.side))
    return _BlurredFace(face.window, weight, read, face.hysteresis.blur * face.window.side, face.track_id)


def _limits(deadline: float | None) -> tuple[float | None, float | None]:
    """Times (`time.monotonic`) until which the faces of a frame are detected, and judged."""
    if deadline is None:
        return None, None
    now = time.monotonic()
    return now + DETECTION_SHARE * (deadline - now), now + JUDGING_SHARE * (deadline - now)
