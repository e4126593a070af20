"""FaceDeblurrer: one frame in, one frame out."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from streamdeblur.cores import plan_threads
from streamdeblur.engines import Engine, FrameFaces, PendingFaces, open_engine
from streamdeblur.engines.engine import PasteOutcome, checked_crops
from streamdeblur.errors import EngineError, OptionError
from streamdeblur.faces.decision import FaceDecision
from streamdeblur.faces.detect import Detector, open_detector
from streamdeblur.faces.external import Detections
from streamdeblur.faces.judged import JudgedFace
from streamdeblur.faces.neighbours import neighbours_of_crops
from streamdeblur.faces.scheduler import FaceScheduler
from streamdeblur.faces.segments import SegmentSelectors
from streamdeblur.faces.selection import FaceSelector, FrameSettings, checked_look_ahead
from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.frames import Frame, Image, StreamItem, check_frame, copied, editable, make_writable, planes_of
from streamdeblur.network import Network
from streamdeblur.opening import one_at_a_time
from streamdeblur.options import LOOK_AHEAD, RestorationOptions, RestorationSettings
from streamdeblur.setting_types import Threshold, checked_threshold
from streamdeblur.speeds import chosen_network
from streamdeblur.statistics import RestorationStatistics
from streamdeblur.video.planes import Planes
from streamdeblur.warmup import compile_kernels

if TYPE_CHECKING:
    import av

Payload = TypeVar("Payload")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FaceLimits:
    """What is restored of the faces of a frame, where there is no time for all of it."""

    most_faces: int | None = None
    """Number of faces; the largest and most central ones are restored, the same from frame to frame. None for all that fit before
    the deadline."""
    largest_crop: int | None = None
    """Side in pixels of the largest crop; larger windows are reduced to it. None for the largest one of the network."""
    smallest_crop: int | None = None
    """Side of the smallest crop, to which smaller windows are enlarged: the same face is restored the better, the larger it is in
    the crop. None for what the option `small_crops` says: the smallest one of the network, or the largest that is allowed."""

    def sizes(self, sizes: Sequence[int], options: RestorationOptions) -> Sequence[int]:
        """Return the sides of crops to choose from, smallest first.

        Args:
            sizes: All sides that the engine takes, smallest first.
            options: Those of the deblurrer.
        """
        allowed = [size for size in sizes if self.largest_crop is None or size <= self.largest_crop] or sizes[:1]
        smallest = self.smallest_crop if self.smallest_crop is not None else 0 if options.small_crops else allowed[-1]
        return [size for size in allowed if size >= smallest] or allowed[-1:]


NO_LIMITS = FaceLimits()


@dataclass(frozen=True)
class FaceWork:
    """What the engine did for a frame."""

    sizes: Sequence[int] = ()
    """Sides of the crops of the faces that it restored."""
    seconds: float = 0.0
    """Time from their submission until they were pasted, or given up."""
    complete: bool = True
    """Whether all of them were ready in time."""


@dataclass(eq=False)
class _PendingFrame:
    """The faces of one frame while the engine works on them."""

    faces: PendingFaces
    began: float
    sizes: list[int]
    """Sides of the crops."""
    costs: NDArray[np.float64]
    """Of each face, in units of a face of 256 px."""
    judged: list[JudgedFace]
    """The faces."""


@dataclass(eq=False)
class _InFlight:
    """An item of a stream that was not yielded yet."""

    item: StreamItem[Any]
    bare: bool
    """The caller gave a frame alone and gets a frame alone."""
    planes: Planes | None = None
    """Of its frame, until that is made writable."""
    faces: list[JudgedFace] = field(default_factory=list)
    """Its faces while they wait for later frames."""
    left: list[FaceDecision] = field(default_factory=list)
    """Those that are left as they are."""
    pending: _PendingFrame | None = None


class FaceDeblurrer:
    """Removes motion blur from the faces of a stream of frames; follows the faces from frame to frame.

    Use it from one thread at a time and for one stream; call `reset` before another stream. Close it, or use it in a ``with``
    statement, to free its memory early; otherwise that happens with the object, or when the interpreter ends.

    Attributes:
        options: Its settings. Others with another `strength`, `always` or `threshold` may be assigned between two streams.
        network: The network that restores.
        engine: What runs it.
        work: What the engine did for the last frame.
        decisions: What was done with each face of the frame that was returned, edited or yielded last, and why.
    """

    def __init__(
        self,
        options: RestorationOptions | None = None,
        *,
        throughput: bool = False,
        memory: bool = True,
        **settings: Unpack[RestorationSettings],
    ) -> None:
        """Open the detector and the engine.

        Args:
            options: Settings; by default those of `RestorationOptions`.
            throughput: Keep several frames in flight, for files; otherwise each frame has all cores but those of a codec.
            memory: Restore a tracked face together with its neighbours in time, if the network has a memory for them; otherwise
                each face alone.
            settings: Fields of `RestorationOptions` that replace those of `options`: ``FaceDeblurrer(strength=0.8)``.

        Raises:
            OptionError: A setting is not valid.
            NetworkError, EngineError, DetectorError: A network, engine or detector cannot be used here.
        """
        options = options or RestorationOptions()
        if not isinstance(options, RestorationOptions):
            raise OptionError(
                f"A FaceDeblurrer needs RestorationOptions (got {type(options).__name__}). Pass options.restoration."
            )
        self.options = options.changed(**settings) if settings else options
        if self.options.always and self.options.threshold not in ("always", "normal"):
            logger.warning("threshold has no effect: always restores all faces.")
        self._closed, self._remembers = False, memory
        self.work = FaceWork()
        self.decisions: list[FaceDecision] = []
        self.threads = plan_threads("file" if throughput else "live", self.options.cores)
        """Threads that engine and detector are given, and how many frames of a `stream` are in flight."""
        self.network = Network.read(chosen_network(self.options, real_time=False))
        with one_at_a_time():
            compile_kernels(memory=self.network.memory > 0)
        self.engine: Engine = open_engine(
            self.options.engine, self.network, throughput=throughput, cores=self.options.cores, device=self.options.device
        )
        try:
            self.detector: Detector = open_detector(self.options.detector, self.engine.name, self.threads.detector)
        except BaseException:
            # The engine may hold a GPU or be building for one: it is freed whatever ends the opening, interrupts included.
            self.engine.close()
            raise
        self._selector = self._new_selector()
        self._segments = SegmentSelectors(self._new_selector)

    def __repr__(self) -> str:
        return f"FaceDeblurrer(engine={self.engine.name!r}, detector={self.detector.name!r}, network={self.network.preset!r})"

    def _new_selector(self) -> FaceSelector:
        return FaceSelector(
            self.detector,
            detect_every=self.options.detect_every,
            min_face=self.options.min_face,
            window_scale=self.network.window_scale,
            memory=self.network.memory if self._remembers else 0,
            only=self.options.only,
        )

    @property
    def statistics(self) -> RestorationStatistics:
        """Counts since the deblurrer was opened or reset."""
        return self._selector.statistics

    @property
    def judged_faces(self) -> list[JudgedFace]:
        """The faces of the last frame that were judged, each with the gain in dB that is expected of its restoration (``gain``)
        and how much of it is added (``weight``, 0 where it was left as it is)."""
        return list(self._selector.judged)

    @property
    def threshold(self) -> float:
        """Gain in dB that is to be expected of a face that is restored; minus infinity where all faces are."""
        return self._gain_needed()

    @property
    def scheduler(self) -> FaceScheduler:
        """What selects the faces that fit before a deadline."""
        return self._selector.scheduler

    def __enter__(self) -> FaceDeblurrer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def wanted(self) -> list[float]:
        """Sides in pixels of the windows of the faces in the last frame that would gain, the most important one first."""
        return self._selector.wanted

    def unused_settings(self) -> list[str]:
        """Return a warning for each setting that is given and that the network has no use for."""
        sizes = self.engine.crop_sizes
        if self.options.small_crops and len(sizes) == 1:
            return [f"small_crops has no effect: the network takes crops of {sizes[0]} px alone"]
        return []

    def exchange(self, network: Network, engine: Engine) -> Engine:
        """Go on with another network; the faces are followed as before.

        Returns:
            The engine of the network before, which the caller closes.
        """
        before, self.network, self.engine = self.engine, network, engine
        self._selector.use(window_scale=network.window_scale, memory=network.memory if self._remembers else 0)
        return before

    def close(self) -> None:
        """Wait for the faces that are being restored, and free engine and detector; frames that come later are refused."""
        self._closed = True
        self.engine.close()
        self.detector.close()

    def reset(self, *, keep_statistics: bool = False) -> None:
        """Forget the stream so far, before another one.

        Args:
            keep_statistics: Continue the counts of `statistics`, and the numbers of tracks, instead of starting again.
        """
        self.decisions = []
        self._selector.reset(keep_statistics=keep_statistics)
        self._segments.clear()

    def warm_up(self, width: int, height: int) -> None:
        """Compile what frames of this size need and measure the time per face, so that the first frames are not late; resets.

        Raises:
            EngineError, NetworkError: The engine failed, or cannot run crops of a size that the network lists.
        """
        self._check_open()
        self.engine.warm_up()
        gray = np.full((height, width, 3), 128, np.uint8)
        self._selector.warm_up(width, height)
        for _ in range(2):
            self(gray)
            began = time.monotonic()
            self.engine.infer(np.full((1, CROP_SIZE, CROP_SIZE, 3), 128, np.uint8))
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
            ValueError: An array of another type or shape, a box without area, or a strength outside 0 to 1.
            InputError: A pixel format that cannot be edited.
            EngineError: The engine failed.
        """
        check_frame(frame)
        result = copied(frame)
        planes = planes_of(result)
        pending = self._begin(planes, faces, self._settings(strength))
        self._finish(planes, pending, self._selector.left)
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
        limits: FaceLimits = NO_LIMITS,
        threshold: Threshold | None = None,
    ) -> None:
        """Restore the faces of the next frame of the stream *in place*.

        Args:
            frame: The frame, or its planes.
            deadline: Time (`time.monotonic`) by which the frame is done. Where there is no time for all faces, those with the
                highest priority (expected gain times size) are restored, the others pass through (`statistics.passed_through`).
            strength: Share of the restoration that is added, 0 to 1; by default that of the options.
            always: Restore all faces, whatever the threshold; by default as the options say.
            limits: What is restored at most.
            threshold: Gain to be expected from which a face is restored, by name or in dB; by default that of the options.

        Raises:
            ValueError: A strength outside 0 to 1, or no threshold.
            InputError: A pixel format that cannot be edited; the frame is as it was.
            EngineError: The engine failed; the frame is as it was.
        """
        if not isinstance(frame, Planes):
            check_frame(frame)
            make_writable(frame)
            frame = planes_of(frame)
        settings = self._settings(strength, always, deadline, threshold, limits)
        pending = self._begin(frame, None, settings)
        self._finish(frame, pending, self._selector.left, deadline)

    def catch_up(self) -> None:
        """Run the full-frame detection that `edit` deferred for a deadline.

        Call it when the frame has been delivered; otherwise the next `edit` runs it.
        """
        self._selector.catch_up()

    def restore(
        self,
        crops: NDArray[np.uint8],
        memory: NDArray[np.uint8] | None = None,
        validity: NDArray[np.bool_ | np.number[Any]] | None = None,
    ) -> NDArray[np.uint8]:
        """Restore crops, each a square about 1.7 times its face, alone or together with neighbouring crops of the same face.

        Args:
            crops: uint8 RGB [N, S, S, 3]. S is 256, or another one of ``network.crop_sizes``.
            memory: Neighbours of each crop, blurred or sharp, nearest in time first: uint8 RGB [N, M, S, S, 3], M >= 0. The
                first valid ones are used, as many as the network has a memory for (``network.memory``, which may be 0). Without
                them a crop is restored alone.
            validity: [N, M]: True or 1 where `memory` holds a crop, False or 0 where it holds none; by default all are valid.

        Returns:
            The restored crops, of the same shape; a crop for which the network returned NaN is returned unchanged.

        Raises:
            ValueError: Arrays of another type or shape; TensorRT takes crops of 256 px only.
            EngineError: The engine failed.
        """
        self._check_open()
        crops = checked_crops(crops, self.network.crop_sizes)
        return self.engine.infer(crops, neighbours_of_crops(crops, memory, validity, self.network.memory))

    @overload
    def stream(
        self, items: Iterable[StreamItem[Payload]], *, bgr: bool = False, look_ahead: int = LOOK_AHEAD
    ) -> Iterator[StreamItem[Payload]]: ...

    @overload
    def stream(
        self, items: Iterable[av.VideoFrame], *, bgr: bool = False, look_ahead: int = LOOK_AHEAD
    ) -> Iterator[av.VideoFrame]: ...

    @overload
    def stream(self, items: Iterable[Image], *, bgr: bool = False, look_ahead: int = LOOK_AHEAD) -> Iterator[Image]: ...

    def stream(self, items: Iterable[Any], *, bgr: bool = False, look_ahead: int = LOOK_AHEAD) -> Iterator[Any]:
        """Restore the faces of frames *in place* and yield the frames in order, several in flight.

        This is the fastest way through a file: while the engine works on the faces of one frame, those of the next are detected.
        A caller that leaves the stream early may simply stop iterating: frames that were read and not yielded stay as they were.

        Args:
            items: Frames as a call accepts them, or `StreamItem`s: a frame with the faces in it and a payload, or a payload
                alone that keeps its place among the frames.
            bgr: Arrays have OpenCV's order of channels.
            look_ahead: Later frames from which a face takes neighbours, 0 to 5, if the network has a memory. A frame
                whose faces are restored is yielded when as many more, and those in flight (`threads.frames_in_flight`), have
                been read.

        Yields:
            What came in: frames, or `StreamItem`s. An array that is read-only or has gaps is yielded as a copy.

        Raises:
            ValueError: An array of another type or shape, a box without area, or another `look_ahead`.
            InputError: A pixel format that cannot be edited.
            EngineError: The engine failed.
        """
        look_ahead = checked_look_ahead(look_ahead)
        return self._stream(items, bgr=bgr, look_ahead=look_ahead if self._selector.memory.entries else 0)

    def _stream(self, items: Iterable[Any], *, bgr: bool, look_ahead: int) -> Iterator[Any]:
        """As `stream`, for a checked look-ahead."""
        waiting = deque[_InFlight]()
        try:
            yield from self._restored(items, waiting, bgr=bgr, look_ahead=look_ahead)
        finally:
            # some are left where the caller has closed or dropped the stream, or where a frame was refused
            for entry in waiting:
                if entry.pending is not None:
                    entry.pending.faces.discard()

    def _restored(self, items: Iterable[Any], waiting: deque[_InFlight], *, bgr: bool, look_ahead: int) -> Iterator[Any]:
        """Yield the items of a stream in order; `waiting` are those that were read and not yielded yet."""
        unsubmitted = deque[_InFlight]()
        for item in items:
            entry = self._enter(item, replace(self._settings(), look_ahead=look_ahead), bgr=bgr)
            waiting.append(entry)
            if entry.item.frame is not None:
                unsubmitted.append(entry)
            if len(unsubmitted) > look_ahead:
                self._submit_later(unsubmitted.popleft())
            yield from self._ready(waiting, self.threads.frames_in_flight, bgr=bgr)
        for entry in unsubmitted:
            self._submit_later(entry)
            yield from self._ready(waiting, self.threads.frames_in_flight, bgr=bgr)
        yield from self._ready(waiting, 0, bgr=bgr)

    def _enter(self, incoming: StreamItem[Any] | Frame, settings: FrameSettings, *, bgr: bool) -> _InFlight:
        """Select the faces of an item of a stream."""
        bare = not isinstance(incoming, StreamItem)
        item: StreamItem[Any] = incoming if isinstance(incoming, StreamItem) else StreamItem(incoming)
        if item.frame is None:
            return _InFlight(item, bare)
        frame = item.frame
        if not hasattr(frame, "planes"):
            # what is wrong with an av.VideoFrame is found where its planes are
            check_frame(frame)
            frame = editable(frame)
        planes = planes_of(frame, bgr=bgr)
        self._selector = self._segments.entered(self._selector, item.segment, settings.look_ahead)
        select = self._selector.select if item.restored else self._selector.follow
        faces = select(planes, item.faces, settings)
        left = self._selector.left
        self._segments.follow(planes, item.faces, settings)
        return _InFlight(replace(item, frame=frame), bare, planes, faces, left)

    def _submit_later(self, entry: _InFlight) -> None:
        """Submit the faces of an item, for which the frames after it have been read."""
        faces, entry.faces = entry.faces, []
        if not entry.item.restored:
            for face in faces:
                # as if they were submitted: a copy of this frame gets the neighbours that are known now
                if face.neighbours:
                    face.neighbours.find()
        elif faces and entry.planes is not None:
            entry.pending = self._submit(entry.planes, faces, self._settings())
        entry.planes = None

    def _ready(self, waiting: deque[_InFlight], in_flight: int, *, bgr: bool) -> Iterator[Any]:
        """Yield the first items of a stream: those that wait for no faces, and those that make more than `in_flight` frames."""
        submitted = sum(entry.pending is not None for entry in waiting)
        while waiting and not waiting[0].faces and (waiting[0].pending is None or submitted > in_flight):
            submitted -= waiting[0].pending is not None
            yield self._leave(waiting.popleft(), bgr=bgr)

    def _leave(self, entry: _InFlight, *, bgr: bool) -> Any:
        """Finish an item of a stream; return what is yielded for it."""
        frame = entry.item.frame
        if frame is not None:
            if entry.pending is not None:
                make_writable(frame)
            self._finish(planes_of(frame, bgr=bgr), entry.pending, entry.left)
        return frame if entry.bare else entry.item

    def _settings(
        self,
        strength: float | None = None,
        always: bool | None = None,
        deadline: float | None = None,
        threshold: Threshold | None = None,
        limits: FaceLimits = NO_LIMITS,
    ) -> FrameSettings:
        """The settings of a frame: those that are given, else those of the options."""
        self._check_open()
        strength = self.options.strength if strength is None else strength
        if not 0.0 <= strength <= 1.0:
            raise ValueError(f"A strength is 0 to 1 (got {strength:g}).")
        gain = self._gain_needed(always, threshold)
        sizes = limits.sizes(self.engine.crop_sizes, self.options)
        return FrameSettings(strength, gain, deadline, crop_sizes=sizes, most_faces=limits.most_faces, reader=self.engine.reader)

    def _gain_needed(self, always: bool | None = None, threshold: Threshold | None = None) -> float:
        always = self.options.always if always is None else always
        setting = self.options.threshold if threshold is None else checked_threshold(threshold)
        return self._selector.estimator.threshold("always" if always else setting)

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError("This deblurrer is closed. Open another one: FaceDeblurrer(...).")

    def _begin(self, planes: Planes, faces: Detections | None, settings: FrameSettings) -> _PendingFrame | None:
        """Submit the faces of a frame that are to be restored to the engine."""
        selected = self._selector.select(planes, faces, settings)
        return self._submit(planes, selected, settings) if selected else None

    def _submit(self, planes: Planes, faces: list[JudgedFace], settings: FrameSettings) -> _PendingFrame:
        """Submit faces to the engine, each with the neighbours that are known by now."""
        submitted = FrameFaces(
            planes,
            [face.window for face in faces],
            [face.read for face in faces],
            [face.weight * settings.strength for face in faces],
            [face.neighbours.find() if face.neighbours else () for face in faces],
        )
        sizes, costs = [face.crop_size for face in faces], np.array([face.cost for face in faces])
        return _PendingFrame(self.engine.submit(submitted), time.monotonic(), sizes, costs, faces)

    def _finish(
        self, planes: Planes, pending: _PendingFrame | None, left: list[FaceDecision], deadline: float | None = None
    ) -> None:
        """Wait for the faces of a frame, or until the deadline, and paste them; `left` are those that stay as they are."""
        self.work, self.decisions = FaceWork(), left
        if pending is None:
            return
        outcome = pending.faces.paste(planes, deadline)
        ready, seconds = float(pending.costs[outcome.in_time].sum()), time.monotonic() - pending.began
        self.scheduler.update(ready, float(pending.costs.sum()), seconds)
        self.work = FaceWork(pending.sizes, seconds, bool(outcome.in_time.all()))
        for n in np.flatnonzero(~outcome.in_time):
            self._selector.missed(pending.judged[n].track_id)
        self.decisions = [*left, *_decisions(pending.judged, outcome, seconds)]
        for n in np.flatnonzero(outcome.finite & outcome.in_time):
            self.statistics.add_restored(pending.sizes[n])
        self.statistics.failed += int((~outcome.finite).sum())
        self.statistics.passed_through += int((~outcome.in_time).sum())


def _decisions(faces: Sequence[JudgedFace], outcome: PasteOutcome, seconds: float) -> Iterator[FaceDecision]:
    """What became of the faces that were submitted."""
    for face, finite, in_time in zip(faces, outcome.finite, outcome.in_time, strict=True):
        yield face.decided(None if finite and in_time else "failed" if in_time else "no time", seconds)
