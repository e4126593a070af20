"""The thread that owns the context, the engine and the stream of a device."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, Queue
from typing import TypeVar

from streamdeblur.engines.tensorrt.device import Device, Event
from streamdeblur.errors import EngineError

Result = TypeVar("Result")

Launch = Callable[[], Event]
"""Puts work into the stream, and returns an event after it."""

AHEAD = 2
"""Launches in the stream at the same time, so that the device need not wait for the next one."""


class DeviceThread:
    """Runs calls and launches in order, on a thread of its own on which the device's context is current."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._waiting: Queue[Callable[[], None] | tuple[Launch, Future[None]] | None] = Queue()
        self._launched: deque[tuple[Event, Future[None]]] = deque()
        self._process = os.getpid()
        self._closing = threading.Lock()
        self._closed = False
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=[started], name="tensorrt", daemon=True)
        self._thread.start()
        started.result()

    def call(self, function: Callable[[], Result]) -> Result:
        """Run `function` on the thread after all launches before it are done, and return its result."""
        future: Future[Result] = Future()
        self._put(self._after_launches(future, function))
        return future.result()

    def launch(self, launch: Launch) -> Future[None]:
        """Run `launch` on the thread; the future is done when the device has done the work."""
        future: Future[None] = Future()
        self._put((launch, future))
        return future

    def close(self, release: Callable[[], None]) -> None:
        """Wait for all launches, run `release` on the thread and end it. Closing again does nothing."""
        released: Future[None] = Future()
        with self._closing:
            if self._closed or self._process != os.getpid():
                return
            # nothing is accepted after the release, because nothing would ever run it
            self._waiting.put(self._after_launches(released, release))
            self._waiting.put(None)
            self._closed = True
        self._thread.join()
        released.result()

    def _after_launches(self, future: Future[Result], function: Callable[[], Result]) -> Callable[[], None]:
        def run() -> None:
            self._finish_all()
            _settle(future, function)

        return run

    def _put(self, item: Callable[[], None] | tuple[Launch, Future[None]]) -> None:
        if self._process != os.getpid():
            raise EngineError(
                "This process was forked from one that uses the GPU, which no fork can. Start processes by spawn: "
                "multiprocessing.set_start_method('spawn')."
            )
        with self._closing:
            if self._closed:
                raise EngineError("The engine is closed.")
            self._waiting.put(item)

    def _run(self, started: Future[None]) -> None:
        try:
            with self._device.current():
                started.set_result(None)
                self._work()
        except Exception as error:
            # pycuda has its own errors, and this module does not import it: whatever keeps the context from becoming current is
            # raised where the thread is started
            if not started.done():
                started.set_exception(error)

    def _work(self) -> None:
        while True:
            try:
                # wait for the device only when there is nothing to launch
                item = self._waiting.get(block=not self._launched)
            except Empty:
                self._finish_oldest()
                continue
            if item is None:
                return
            if not isinstance(item, tuple):
                item()
                continue
            self._launch(*item)
            if len(self._launched) >= AHEAD:
                self._finish_oldest()

    def _launch(self, launch: Launch, future: Future[None]) -> None:
        try:
            self._launched.append((launch(), future))
        except Exception as error:
            # CUDA and TensorRT have their own errors, and this module does not import them; each is raised where the future is
            # waited for
            future.set_exception(error)

    def _finish_oldest(self) -> None:
        event, future = self._launched.popleft()
        _settle(future, event.synchronize)

    def _finish_all(self) -> None:
        while self._launched:
            self._finish_oldest()


def _settle(future: Future[Result], function: Callable[[], Result]) -> None:
    try:
        result = function()
    except Exception as error:
        # the function is the caller's and may raise anything; an error must end the call, not this thread
        future.set_exception(error)
    else:
        future.set_result(result)
