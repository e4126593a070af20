"""How fast the shipped networks run on this machine. It is measured once and remembered, and `--network auto` chooses by it."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

import streamdeblur
from streamdeblur.caches import cache_folder, read_cached, write_cached
from streamdeblur.cores import usable_cores
from streamdeblur.diagnosis import cpu_name, package_version
from streamdeblur.engines import Engine, engine_choices, open_engine
from streamdeblur.engines.registry import EIGHT_BITS, OTHER_GPU_ENGINES, where_none_runs
from streamdeblur.engines.tensorrt.library import LIBRARIES
from streamdeblur.errors import EngineError, OutputError
from streamdeblur.faces.detect import check_detector
from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.network import Network
from streamdeblur.options import RestorationOptions
from streamdeblur.weights import AUTO, automatic_names, network_names, network_path

logger = logging.getLogger(__name__)

RATE = 30
"""Frames per second of the streams and files that `auto` has in mind."""
LIVE_SHARE, FILE_SHARE = 1 / 3, 1.0
"""Share of the time between two frames that a face of 256 px may take: in real time all else happens in it as well."""

FASTER = 0.9
"""Share of the time of an engine that another one must take to be preferred to it: a measurement varies by less."""
MUCH_FASTER = 0.7
"""The same for eight bits, which cost a little quality."""
MEASURED = ("openvino", EIGHT_BITS, "onnxruntime")
"""Engines of the CPU, whose speed is measured before a network or one of them is chosen, those that are expected to be faster
first. GPUs other than NVIDIA's are measured before a network is chosen."""
PACKAGES = ("openvino", "onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "tensorrt", "tensorrt-rtx")
"""Those that the speed depends on."""
FEWEST_RUNS, MOST_RUNS = 2, 10
RUN_SECONDS = 0.05
"""A network is run on a size of crops for this long, or as often as the limits above say."""


@dataclass(frozen=True)
class Speed:
    """The time that a network takes for one face."""

    engine: str
    network: str
    crop_size: int
    """Side of the crop in pixels."""
    ms: float | None
    """Milliseconds for a face in real time; None where the engine cannot run the network."""
    parallel: int = 1
    """Faces that are restored at the same time, each in this time."""

    @property
    def faces_at_30_fps(self) -> int:
        """How many faces fit into the time between two frames, if nothing else took any."""
        return self.parallel * int(1000 / RATE / self.ms) if self.ms else 0


_Speeds = TypeAdapter(list[Speed])


def chosen_network(options: RestorationOptions, *, real_time: bool) -> Path:
    """Return the file of the network that is to restore; for 'auto' of the best one that is fast enough on this machine.

    Fast enough is what takes at most a third of the time between two frames for a face of 256 px, at 30 frames per second, or
    all of that time if no frame is waited for. If none is, it is the fastest one.

    Args:
        options: Name the network, and the engine and the device that will run it.
        real_time: Whether frames are waited for.

    Raises:
        DetectorError: There is no such detector.
        NetworkError: Neither a shipped network nor a file has this name.
        EngineError: The engine is unknown, or none can run the networks.
    """
    # a wrong name is told before the networks are measured, which takes seconds
    check_detector(options.detector)
    if str(options.network) != AUTO:
        return network_path(options.network)
    return network_path(_fast_enough(seconds_of_networks(options.engine, options.device), real_time=real_time))


def real_time_options(options: RestorationOptions) -> RestorationOptions:
    """Return the options for a stream in real time, with the network that 'auto' and the default stand for.

    Raises:
        DetectorError, NetworkError: There is no such detector or network.
        EngineError: The engine is unknown, or none can run the networks.
    """
    options = options.in_real_time()
    path = chosen_network(options, real_time=True)
    return options.changed(network=path) if str(options.network) == AUTO else options


def known_choice(*, real_time: bool) -> str | None:
    """Return the network that 'auto' takes with any engine; None before the first measurement, and on NVIDIA cards."""
    known = known_speeds()
    for name in _available(known):
        if not _complete(known, name):
            return None
        if found := _seconds_on(name, known, alone=False):
            return _fast_enough(found, real_time=real_time)
    return None


def _fast_enough(seconds: Mapping[tuple[str, int], float], *, real_time: bool) -> str:
    """The best network that is fast enough, else the fastest one."""
    names, limit = automatic_names(), (LIVE_SHARE if real_time else FILE_SHARE) / RATE
    # an NVIDIA card is not measured: each of the networks takes a millisecond or so there
    fitting = [name for name in names if seconds.get((name, CROP_SIZE), 0.0) <= limit]
    return fitting[0] if fitting else min(names, key=lambda name: seconds[name, CROP_SIZE])


def seconds_of_networks(engine: str, device: str = AUTO) -> dict[tuple[str, int], float]:
    """Return the seconds that each shipped network takes for a face, by its name, best first, and the side of the crop.

    It is {} on NVIDIA cards.

    What is not known yet is measured, which takes a few tenths of a second, and the time to open the networks.

    Args:
        engine: Name of an engine, or 'auto'.
        device: Where it runs, see `engine_choices`.

    Raises:
        EngineError: The engine is unknown, or none can run the networks.
    """
    known = known_speeds()
    available = _available(known, device)
    candidates = available if engine == AUTO else [engine]
    gpus = [name for name in candidates if name in OTHER_GPU_ENGINES and name in available]
    if candidates and candidates[0] not in (*gpus, *MEASURED):
        return {}
    found, known = _first_measured(gpus, known, alone=engine != AUTO)
    if found:
        return found
    on_cpu = [name for name in candidates if name in MEASURED]
    if len(on_cpu) > 1:
        # which of the two is faster is not known before
        known = _measured_once([name for name in MEASURED[:2] if name in on_cpu], known)
        on_cpu = as_measured(on_cpu, known)
    found, _ = _first_measured(on_cpu, known, alone=engine != AUTO)
    if found:
        return found
    reasons = "; ".join(f"{choice.name}: {choice.reason}" for choice in engine_choices(device) if not choice.available)
    raise EngineError(f"No engine can run the networks {where_none_runs(device)} (engine {engine}). {reasons}")


def _first_measured(
    engines: Sequence[str], known: list[Speed], *, alone: bool
) -> tuple[dict[tuple[str, int], float], list[Speed]]:
    """The seconds of the first of these engines that runs all networks, {} for none; and what is known afterwards."""
    for name in engines:
        known = _measured_once([name], known)
        if found := _seconds_on(name, known, alone=alone):
            return found, known
    return {}, known


def _measured_once(engines: Sequence[str], known: list[Speed]) -> list[Speed]:
    """What is known when engines that were not measured have been."""
    unknown = [name for name in engines if not _complete(known, name)]
    if not unknown:
        return known
    logger.info("Measuring how fast the networks run on this machine (the first run only) ...")
    return measure(unknown)


def _available(known: Sequence[Speed], device: str = AUTO) -> list[str]:
    """The engines that can be used on a device, in the order in which 'auto' tries them."""
    return as_measured([choice.name for choice in engine_choices(device) if choice.available], known)


def as_measured(engines: Sequence[str], known: Sequence[Speed] | None = None) -> list[str]:
    """Return the names of engines with the CPU's own in the order of what was measured here.

    One precedes another one if it takes less time by a tenth or more, over the networks that both can run, or by three tenths
    with eight bits; what was not measured keeps its place.

    Args:
        engines: Names, those that are expected to be faster first.
        known: What was measured; by default what is remembered.
    """
    known = known_speeds() if known is None else known
    order: list[str] = []
    for name in (name for name in engines if name in MEASURED):
        place = next((place for place, other in enumerate(order) if _faster(name, other, known)), len(order))
        order.insert(place, name)
    ordered = iter(order)
    return [next(ordered) if name in MEASURED else name for name in engines]


def _faster(engine: str, other: str, known: Sequence[Speed]) -> bool:
    """Whether an engine was measured to be so much faster than another one that it is preferred."""
    first, second = (
        {(one.network, one.crop_size): one.ms for one in known if one.engine == name and one.ms} for name in (engine, other)
    )
    both = first.keys() & second.keys()
    share = MUCH_FASTER if engine == EIGHT_BITS else FASTER
    return bool(both) and sum(first[face] for face in both) < share * sum(second[face] for face in both)


def measure(engines: Iterable[str], networks: Sequence[str] | None = None) -> list[Speed]:
    """Measure shipped networks on engines, and remember the result.

    Args:
        engines: Names of engines.
        networks: Names of networks; by default those that 'auto' chooses from.

    Returns:
        Everything that is known of this machine now.
    """
    names = automatic_names() if networks is None else networks
    measured = [speed for engine in engines for name in names for speed in _measured(engine, name)]
    renewed = {(one.engine, one.network) for one in measured}
    # read again: another process may have measured in the meantime
    speeds = [one for one in known_speeds() if (one.engine, one.network) not in renewed] + measured
    if (path := _cache_path()) is not None:
        # a full disk costs the cache, and nothing else
        with suppress(OutputError, OSError):
            write_cached(path, json.dumps([asdict(one) for one in speeds], indent=1).encode())
    return speeds


def measurable_engines() -> list[str]:
    """Return the names of the engines that can be opened here without building something for minutes."""
    return [choice.name for choice in engine_choices() if choice.available and _opens_quickly(choice.name)]


def _opens_quickly(engine: str) -> bool:
    library = LIBRARIES.get(engine)
    if library is None:
        return True
    from streamdeblur.engines.tensorrt.opening import cached

    return all(cached(Network.read(network_path(name)), library=library) for name in automatic_names())


def known_speeds() -> list[Speed]:
    """Return what was measured on this machine, with these versions; [] for nothing."""
    path = _cache_path()
    content = read_cached(path) if path is not None else None
    try:
        return _Speeds.validate_json(content) if content is not None else []
    except ValidationError:
        return []


def seconds_by_size(engine: Engine) -> dict[int, float]:
    """Measure the seconds that an engine takes for a face, by the side of the crop.

    Raises:
        EngineError, NetworkError: The engine cannot run crops of a size.
    """
    return {size: _seconds(engine, size) for size in engine.crop_sizes}


def _seconds(engine: Engine, size: int) -> float:
    """The fastest of a few runs: other programs have disturbed it least."""
    crops = np.full((1, size, size, 3), 128, np.uint8)
    engine.infer(crops)
    times: list[float] = []
    while len(times) < FEWEST_RUNS or (sum(times) < RUN_SECONDS and len(times) < MOST_RUNS):
        began = time.perf_counter()
        engine.infer(crops)
        times.append(time.perf_counter() - began)
    return min(times)


def _measured(engine: str, name: str) -> list[Speed]:
    network = Network.read(network_path(name))
    try:
        with closing(open_engine(engine, network)) as opened:
            seconds = seconds_by_size(opened)
            return [Speed(engine, name, size, round(1000 * time, 3), opened.parallel) for size, time in seconds.items()]
    except EngineError as error:
        logger.debug("Measuring %s on %s: %s", name, engine, error)
        return [Speed(engine, name, size, None) for size in network.crop_sizes]


def _seconds_on(engine: str, speeds: Sequence[Speed], *, alone: bool) -> dict[tuple[str, int], float]:
    """What is known of an engine that runs all networks; {} for another one.

    Unless it is `alone`, networks without eight bits are run in floating point where others are not.
    """
    names = automatic_names()
    rows = [one for one in speeds if one.engine == engine and one.network in names]
    rows.sort(key=lambda one: names.index(one.network))
    found = {(one.network, one.crop_size): one.ms / 1000 for one in rows if one.ms is not None}
    if engine == EIGHT_BITS and found and not alone:
        found = _seconds_on(MEASURED[0], speeds, alone=True) | found
    return found if all((name, CROP_SIZE) in found for name in names) else {}


def _complete(speeds: Sequence[Speed], engine: str) -> bool:
    return set(automatic_names()) <= {one.network for one in speeds if one.engine == engine}


def _cache_path() -> Path | None:
    """The file for this CPU, its usable cores, and the versions of everything that the speed depends on. Nothing tells the GPUs
    of DirectML and CoreML; whoever changes one measures again."""
    folder = cache_folder("speeds")
    return folder / f"{hashlib.sha256(json.dumps(_machine()).encode()).hexdigest()[:32]}.json" if folder else None


def _machine() -> Mapping[str, object]:
    return {
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "streamdeblur": streamdeblur.__version__,
        "engines": {name: package_version(name) for name in PACKAGES},
        # with it users restrict the instructions that OpenVINO may use
        "isa": os.environ.get("ONEDNN_MAX_CPU_ISA", ""),
        "networks": {name: _digest(network_path(name)) for name in network_names()},
    }


def _digest(path: Path) -> str:
    found = path.stat()
    return _digest_of(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=16)
def _digest_of(path: Path, _size: int, _modified: int) -> str:
    """The digest of a file; read once while its size and time stay the same."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
