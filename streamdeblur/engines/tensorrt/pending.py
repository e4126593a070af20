"""A job on the device that is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future

from streamdeblur.errors import EngineError


class PendingJob:
    """A job on the device: waits for it, and gives its staging block back once nothing uses it."""

    def __init__(self, future: Future[None], release: Callable[[], None]) -> None:
        self._future, self.release = future, release

    def wait(self, deadline: float | None = None) -> bool:
        """Return whether the device is done by `deadline`; the block stays taken until it is, and then until `release`.

        Raises:
            EngineError: The device failed; the block has been released.
        """
        try:
            self._future.result(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            self.discard()
            return False
        except EngineError:
            self.release()
            raise
        except Exception as error:
            # CUDA and TensorRT have their own errors, and this module does not import them; callers handle one
            self.release()
            raise EngineError(f"The GPU failed: {error}") from error
        return True

    def discard(self) -> None:
        """Release the block as soon as the device is done."""
        self._future.add_done_callback(lambda _: self.release())
