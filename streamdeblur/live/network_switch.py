"""NetworkSwitch: opens another network in the background, and lets a stream go on with it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.engines import Engine, open_engine
from streamdeblur.network import Network
from streamdeblur.opening import one_at_a_time
from streamdeblur.warmup import compile_kernels
from streamdeblur.weights import network_path

logger = logging.getLogger(__name__)


class NetworkSwitch:
    """Another network for a deblurrer: `begin` opens it on a thread of its own, `complete` hands it over between two frames.

    Networks that were replaced stay open: the stream may go back to them, and opening one takes the cores for a second.
    """

    def __init__(self, engine: str, cores: int | None = None, device: str = "auto") -> None:
        """Prepare for an engine, by its name, the cores that it may use (all by default), and its device."""
        self._engine, self._cores, self._device = engine, cores, device
        self._lock = threading.Lock()
        self._opening: threading.Thread | None = None
        self._opened: tuple[Network, Engine] | None = None
        self._kept: dict[str, tuple[Network, Engine]] = {}
        self._closed = False

    @property
    def opening(self) -> bool:
        """Whether a network is being opened."""
        return self._opening is not None

    def begin(self, network: str, on_failure: Callable[[str], object]) -> None:
        """Start to open a shipped network, unless one is being opened; `on_failure` is called with its name if that fails."""
        if self._opening is not None or self._opened is not None or self._closed:
            return
        self._opened = self._kept.pop(network, None)
        if self._opened is None:
            # no daemon: a thread that is left in a runtime when the interpreter ends aborts the process
            self._opening = threading.Thread(target=self._open, args=[network, on_failure], name="network")
            self._opening.start()

    def _open(self, name: str, on_failure: Callable[[str], object]) -> None:
        try:
            network = Network.read(network_path(name))
            with one_at_a_time():
                compile_kernels(memory=network.memory > 0)
            engine = open_engine(self._engine, network, cores=self._cores, device=self._device)
            engine.warm_up()
        except Exception as error:
            # Guards the stream against the runtimes, which raise types of their own: it goes on with the network that it has.
            logger.debug("Opening %s: %s", name, error)
            on_failure(name)
        else:
            with self._lock:
                if not self._closed:
                    self._opened = network, engine
                    return
            _close_quietly(engine)
        finally:
            self._opening = None

    def complete(self, deblurrer: FaceDeblurrer) -> None:
        """Let a deblurrer go on with the network that has been opened, if there is one."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is None:
            return
        network = deblurrer.network
        engine = deblurrer.exchange(*opened)
        with self._lock:
            if not self._closed:
                self._kept[network.path.stem] = network, engine
                return
        _close_quietly(engine)

    def close(self) -> None:
        """Close all networks but that of the deblurrer; one that is being opened is closed when it is open."""
        with self._lock:
            self._closed = True
            ready = [*self._kept.values(), *([self._opened] if self._opened is not None else [])]
            self._kept, self._opened = {}, None
        for _, engine in ready:
            _close_quietly(engine)


def _close_quietly(engine: Engine) -> None:
    try:
        engine.close()
    except Exception as error:
        # closing a broken device may raise anything; the stream does not depend on it any more
        logger.debug("Closing %s: %s", engine.name, error)
