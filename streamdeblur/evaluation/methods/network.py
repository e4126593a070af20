"""Networks in ONNX as methods: the default network, and any other that maps a picture, and perhaps a memory, to a picture."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from streamdeblur.errors import MethodError, NetworkError
from streamdeblur.evaluation.cases import Case, Image
from streamdeblur.evaluation.methods.memory import RULES, chosen, memory_tensors
from streamdeblur.evaluation.methods.per_face import PerFaceMethod, files_digest
from streamdeblur.onnx_session import open_on_cpu
from streamdeblur.opening import ReopenedAfterFork
from streamdeblur.settings import Settings
from streamdeblur.weights import default_network, network_path

TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
"""The input types that are supported, by ONNX Runtime's names."""
MEMORY = ("memory", "validity")
"""The inputs of a network that hold its memory, beside ``blurry``."""


class PictureFormat(Settings):
    """The format of a network's pictures: what follows ``?`` in ``onnx:FILE?range=-1..1&bgr&output=NAME``."""

    range: tuple[float, float] | None = Field(
        default=None, description="Values of black and white, such as -1..1; by default 0..1, and 0..255 for a uint8 input."
    )
    bgr: bool = Field(default=False, description="Channels in the order blue, green, red.")
    output: str | None = Field(default=None, description="Name of the output; by default the first one that is a picture.")
    past: int | None = Field(
        default=None, ge=0, description="Exposures before the present one that a memory gets, at most; by default all that fit."
    )
    ahead: int = Field(
        default=0, ge=0, description="Exposures after the present one that a memory gets, at most, as `look_ahead` of streams."
    )

    @field_validator("range", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return value.split("..", 2) if isinstance(value, str) else value

    @field_validator("range")
    @classmethod
    def _rising(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value and value[0] >= value[1]:
            raise ValueError("black must be below white")
        return value


def default_network_output(output: str, name: str) -> PerFaceMethod:
    """Make a method of an output of the default network, computed in float32 by ONNX Runtime on the CPU.

    Args:
        output: Name of the output.
        name: Name of the method, with options after a question mark, see `PictureFormat`.

    Raises:
        OptionError: An option is unknown.
    """
    return _method(name, default_network(), _options(name.partition("?")[2], output=output))


def exported_network(name: str, path: Path, output: str = "restored") -> PerFaceMethod:
    """Make a method of an output of an exported network (``streamdeblur export``), in float32 by ONNX Runtime on the CPU.

    Args:
        name: Name of the method.
        path: The network in ONNX.
        output: ``restored``, or ``coarse`` for the first step alone.

    Raises:
        MethodError: The file cannot be read or run.
    """
    return _method(name, path, PictureFormat(output=output))


def network(argument: str) -> PerFaceMethod:
    """Make a method of any network in ONNX with one picture as its input, [1, 3, H, W] or [1, H, W, 3], of floats or uint8.

    If H and W are fixed and differ from the face's, the face is scaled to them and the result back. A network may also take a
    memory: the inputs blurry, memory and validity, as those of ``streamdeblur export`` do.

    Args:
        argument: FILE or FILE?OPTIONS, or the name of a shipped network in place of the file; see `PictureFormat`.

    Raises:
        OptionError: An option is unknown.
        MethodError: The file cannot be read or run, or does not take one picture.
    """
    file, _, query = argument.partition("?")
    try:
        path = network_path(file)
    except NetworkError as error:
        raise MethodError(str(error)) from None
    return _method(f"onnx:{argument}", path, _options(query))


def _options(query: str, **fixed: str) -> PictureFormat:
    # A name alone, as in ?bgr, stands for true.
    given = {key: value or "true" for key, value in parse_qsl(query, keep_blank_values=True)}
    return PictureFormat.validated(given | fixed)


def _method(name: str, path: Path, picture_format: PictureFormat) -> PerFaceMethod:
    digest = files_digest(_files(path))
    session = _Session(name, path, picture_format)
    rules = f", {RULES}" if session.has_memory else ""
    fingerprint = f"{digest} {picture_format.model_dump_json()}, onnxruntime {version('onnxruntime')}{rules}"
    return PerFaceMethod(name, fingerprint, session)


def _files(path: Path) -> list[Path]:
    """The file of a network, and the files of its external weights."""
    import onnx

    try:
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise MethodError(f"Cannot read {path}: {error.strerror}.") from None
    except Exception:
        # guards the parsing of a file of unknown content: protobuf and onnx raise unrelated types
        raise MethodError(f"{path} is not an ONNX file.") from None
    entries = (entry for weights in model.graph.initializer for entry in weights.external_data)
    return [path, *sorted({path.parent / entry.value for entry in entries if entry.key == "location"})]


@dataclass(frozen=True)
class _Input:
    """The input of a network."""

    name: str
    dtype: type[np.generic]
    channels_last: bool
    size: tuple[int, int] | None
    """Height and width; None if they are free."""

    @classmethod
    def of(cls, name: str, inputs: list[Any]) -> _Input:
        """Read ONNX Runtime's description of the inputs of the network `name`.

        Raises:
            MethodError: They are not one picture.
        """
        described = ", ".join(f"{value.name} {value.type} {value.shape}" for value in inputs)
        if {value.name for value in inputs} == {"blurry", *MEMORY}:
            inputs = [value for value in inputs if value.name == "blurry"]
        if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in TYPES:
            raise MethodError(
                f"{name} takes {described}. Required: one picture, [1, 3, H, W] or [1, H, W, 3], and "
                "perhaps a memory (blurry, memory, validity)."
            )
        batch, *shape = inputs[0].shape
        channels_last = shape[0] != 3 and shape[2] == 3
        channels, (height, width) = (shape[2], shape[:2]) if channels_last else (shape[0], shape[1:])
        # Free sizes are names, or None.
        if (isinstance(batch, int) and batch != 1) or (isinstance(channels, int) and channels != 3):
            raise MethodError(f"{name} takes {described}. Required: a batch of 1 or of any size, and 3 channels.")
        fixed = isinstance(height, int) and isinstance(width, int)
        return cls(inputs[0].name, TYPES[inputs[0].type], channels_last, (height, width) if fixed else None)


@dataclass(frozen=True)
class _Memory:
    """The memory that a network takes."""

    entries: int
    size: tuple[int, int]
    """Height and width of its pictures."""

    @classmethod
    def of(cls, name: str, inputs: list[Any]) -> _Memory | None:
        """Read ONNX Runtime's description of the inputs of the network `name`; None for a network without a memory.

        Raises:
            MethodError: The size of the memory is not fixed.
        """
        shape = next((value.shape for value in inputs if value.name == MEMORY[0]), None)
        if shape is None:
            return None
        if len(shape) != 4 or not all(isinstance(side, int) for side in shape[1:]):
            raise MethodError(f"{name} takes a memory of {shape}. Required: [N, entries, height, width], all but N fixed.")
        return cls(shape[1], (shape[2], shape[3]))

    def tensors(self, case: Case, picture_format: PictureFormat) -> dict[str, NDArray[np.float32]]:
        """Return the inputs that hold the neighbours of a case; without neighbours, none is valid."""
        crops = chosen(case, self.entries, picture_format.past, picture_format.ahead)
        return dict(zip(MEMORY, memory_tensors(crops, self.entries, self.size), strict=True))


class _Session:
    """An inference session of a network."""

    def __init__(self, name: str, path: Path, picture_format: PictureFormat) -> None:
        try:
            # The network is opened by its path, so that external weights are found.
            self._session = ReopenedAfterFork(lambda: open_on_cpu(path))
        except Exception as error:
            # guards the opening of a network of unknown origin: ONNX Runtime raises unrelated types of its own
            raise MethodError(f"ONNX Runtime cannot run {path}: {error}") from error
        self._name, self._format = name, picture_format
        self._input = _Input.of(name, self._session.current.get_inputs())
        self._memory = _Memory.of(name, self._session.current.get_inputs())
        if self._memory is None and (picture_format.ahead or picture_format.past):
            raise MethodError(f"{name} has no memory, which the options past and ahead are for.")
        outputs = [value.name for value in self._session.current.get_outputs()]
        if picture_format.output and picture_format.output not in outputs:
            raise MethodError(f"{name} has no output '{picture_format.output}'. It has: {', '.join(outputs)}.")
        self._outputs = [picture_format.output] if picture_format.output else outputs
        self._range = picture_format.range or ((0.0, 255.0) if self._input.dtype is np.uint8 else (0.0, 1.0))

    @property
    def has_memory(self) -> bool:
        """Whether the network takes neighbours."""
        return self._memory is not None

    def __call__(self, case: Case) -> Image:
        height, width = self._input.size or case.blurry.shape[:2]
        tensors: dict[str, NDArray[Any]] = {self._input.name: self._tensor(_scaled(case.blurry, height, width))}
        if self._memory is not None:
            tensors |= self._memory.tensors(case, self._format)
        try:
            outputs = self._session.current.run(self._outputs, tensors)
        except Exception as error:
            # guards the run of a network of unknown origin: ONNX Runtime raises unrelated types of its own
            raise MethodError(f"{self._name} failed on {case.name}: {error}") from error
        for output in outputs:
            if output.shape[-3:] in ((3, height, width), (height, width, 3)) and output.size == 3 * height * width:
                return _scaled(self._image(output, case), *case.blurry.shape[:2])
        shapes = ", ".join(str(list(output.shape)) for output in outputs)
        raise MethodError(f"{self._name} returns {shapes}; none of them is a picture of {height} x {width} px.")

    def _tensor(self, picture: Image) -> NDArray[Any]:
        low, high = self._range
        ordered = picture[..., ::-1] if self._format.bgr else picture
        values = low + ordered.astype(np.float32) * np.float32((high - low) / 255.0)
        if not self._input.channels_last:
            values = values.transpose(2, 0, 1)
        if self._input.dtype is np.uint8:
            values = np.rint(values)
        return np.ascontiguousarray(values[None], self._input.dtype)

    def _image(self, output: NDArray[Any], case: Case) -> Image:
        low, high = (0.0, 255.0) if output.dtype == np.uint8 else self._range
        values: NDArray[np.float32] = np.reshape(output, output.shape[-3:]).astype(np.float32)
        if not np.isfinite(values).all():
            raise MethodError(f"{self._name} returned values that are not finite for {case.name}.")
        if values.shape[-1] != 3:
            values = values.transpose(1, 2, 0)
        codes = np.rint(np.clip((values - low) * (255.0 / (high - low)), 0.0, 255.0)).astype(np.uint8)
        return np.ascontiguousarray(codes[..., ::-1] if self._format.bgr else codes)


def _scaled(picture: Image, height: int, width: int) -> Image:
    if picture.shape[:2] == (height, width):
        return picture
    method = cv2.INTER_AREA if height < picture.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=method), np.uint8)
