"""FallbackEngine: one engine works while a better one is opened, and again if that one fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from streamdeblur.engines.engine import Crops, Engine, FrameFaces, PasteOutcome, PendingFaces
from streamdeblur.errors import EngineError
from streamdeblur.faces.neighbours import HalfLuma, Neighbours
from streamdeblur.faces.reading import CropReader, FrameCrops, ReadCrop
from streamdeblur.faces.window import FaceWindow
from streamdeblur.opening import close_at_exit
from streamdeblur.video.planes import Planes

logger = logging.getLogger(__name__)


class FallbackEngine:
    """Runs `first` until `open_better` succeeds, then switches to the result; returns to `first` if that fails."""

    def __init__(self, first: Engine, better_name: str, open_better: Callable[[threading.Event], Engine]) -> None:
        """Start to open the better engine.

        Args:
            first: The engine that always works.
            better_name: Name of the better engine, for messages.
            open_better: Opens it, on a thread of its own; gives up when the event that it receives is set. It may raise anything.
        """
        self.first = first
        self._better: Engine | None = None
        self._better_name = better_name
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._state = f"{better_name} is being opened"
        self._opener = threading.Thread(target=self._open, args=[open_better], name="fallback-engine", daemon=True)
        self._opener.start()
        close_at_exit(self)

    def __repr__(self) -> str:
        return f"FallbackEngine(first={self.first!r}, current={self.current.name!r})"

    def _open(self, open_better: Callable[[threading.Event], Engine]) -> None:
        try:
            better = open_better(self._cancelled)
        except Exception as error:
            # A driver that is missing shows as whatever its runtime raises; the first engine continues.
            if not self._cancelled.is_set():
                self._state = f"{self._better_name} cannot be used: {error}"
                logger.warning("%s. %s continues.", self._state.removesuffix("."), self.first.name)
            return
        with self._lock:
            if not self._cancelled.is_set():
                self._better, self._state = better, ""
                return
        _close_quietly(better)

    @property
    def current(self) -> Engine:
        """The engine that gets the next faces."""
        with self._lock:
            return self._better or self.first

    @property
    def name(self) -> str:
        return self.current.name

    @property
    def reason(self) -> str:
        return f"{self.current.reason}; {self._state}" if self._state else self.current.reason

    @property
    def crop_sizes(self) -> tuple[int, ...]:
        return self.current.crop_sizes

    @property
    def parallel(self) -> int:
        return self.current.parallel

    @property
    def reader(self) -> CropReader:
        engine = self.current
        return self.first.reader if engine is self.first else _ReaderWithFallback(self, engine)

    def warm_up(self) -> None:
        self.first.warm_up()

    def infer(self, crops: Crops, neighbours: Sequence[Neighbours] = ()) -> Crops:
        engine = self.current
        if crops.shape[1] not in engine.crop_sizes:
            engine = self.first
        try:
            return engine.infer(crops, neighbours)
        except EngineError as error:
            if engine is self.first:
                raise
            self.give_up(engine, error)
            return self.first.infer(crops, neighbours)

    def submit(self, faces: FrameFaces) -> PendingFaces:
        engine = self.current
        if engine is self.first:
            return engine.submit(faces)
        try:
            return _PendingWithFallback(self, engine, faces, engine.submit(faces))
        except EngineError as error:
            self.give_up(engine, error)
            return self.first.submit(faces)

    def give_up(self, engine: Engine, error: Exception) -> None:
        """Close the better engine, which failed, and return to the first one."""
        with self._lock:
            if engine is not self._better:
                return
            self._better, self._state = None, f"{self._better_name} failed: {error}"
        logger.warning("%s. %s continues.", self._state.removesuffix("."), self.first.name)
        # What it has in flight fails as well and is restored by the first engine; closing waits for that.
        threading.Thread(target=_close_quietly, args=[engine], daemon=True).start()

    def close(self) -> None:
        """Free both engines, and stop opening the better one."""
        with self._lock:
            self._cancelled.set()
            better, self._better = self._better, None
        if better is not None:
            better.close()
        self.first.close()
        self._opener.join()


@dataclass(frozen=True, eq=False)
class _ReaderWithFallback:
    """Reads crops as the better engine does; if it fails, as the first one."""

    fallback: FallbackEngine
    engine: Engine

    def begin(self, planes: Planes, windows: Sequence[FaceWindow], remembered: Sequence[Sequence[HalfLuma]] = ()) -> FrameCrops:
        first = self.fallback.first.reader.begin(planes, windows, remembered)
        try:
            return _CropsWithFallback(self, self.engine.reader.begin(planes, windows, remembered), first)
        except EngineError as error:
            self.fallback.give_up(self.engine, error)
            return first


@dataclass(frozen=True, eq=False)
class _CropsWithFallback:
    """The crops of one frame, those of the better engine as long as it works."""

    reader: _ReaderWithFallback
    better: FrameCrops
    first: FrameCrops

    def read(self, window: FaceWindow, size: int) -> ReadCrop:
        try:
            return self.better.read(window, size)
        except EngineError as error:
            self.reader.fallback.give_up(self.reader.engine, error)
            return self.first.read(window, size)


class _PendingWithFallback:
    """Faces that the better engine works on; if it fails, the first one restores them."""

    def __init__(self, fallback: FallbackEngine, engine: Engine, faces: FrameFaces, pending: PendingFaces) -> None:
        self._fallback, self._engine, self._faces, self._pending = fallback, engine, faces, pending

    def paste(self, planes: Planes, deadline: float | None = None) -> PasteOutcome:
        try:
            return self._pending.paste(planes, deadline)
        except EngineError as error:
            self._fallback.give_up(self._engine, error)
            return self._fallback.first.submit(replace(self._faces, planes=planes)).paste(planes, deadline)

    def discard(self) -> None:
        self._pending.discard()


def _close_quietly(engine: Engine) -> None:
    try:
        engine.close()
    except Exception as error:
        # A broken device may raise anything; the engine has been replaced, so nothing depends on it.
        logger.debug("Closing %s: %s", engine.name, error)
