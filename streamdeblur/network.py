"""Network: what the runtime must know of a network, read from its ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from streamdeblur.errors import NetworkError
from streamdeblur.faces.window import CROP_SIZE, WINDOW_SCALE
from streamdeblur.onnx_file import check_model, read_onnx

if TYPE_CHECKING:
    import onnx

    from streamdeblur.eight_bits import Ranges

FLOAT = 1
"""ONNX's number of float32 (TensorProto.DataType)."""
FLOATS = (FLOAT, 10)
"""ONNX's numbers of float32 and float16 (TensorProto.DataType)."""
LARGEST_MEMORY = 8
"""Neighbouring crops that a network may take."""
SMALLEST_SCALE, LARGEST_SCALE = 1.0, 8.0
"""Range of `window_scale`: a window holds the face, and not mostly what is around it."""

LONGEST_TEXT = 200
"""Characters of a text in the metadata that are shown."""


@dataclass(frozen=True)
class Network:
    """A two-step deblurring network.

    Its input ``blurry`` is float32 [N, 3, crop_size, crop_size], RGB in [0, 1]; its output ``restored`` has the same shape and
    range, as has ``coarse``, the result of the hourglass alone, where it exists.

    A network with a memory of M crops also takes ``memory``, float32 [N, M, crop_size / 2, crop_size / 2], the luma (Rec. 601, of
    code values in [0, 1]) of neighbouring crops of the same face at half resolution, and ``validity``, float32 [N, M], 1 where an
    entry holds a crop and 0 where it holds none. Without a valid entry its result is that for a lone crop.

    A file may serve crops of several sizes (`crop_sizes`); `model_for` gives the network for each of them.
    """

    path: Path
    model: bytes = field(repr=False)
    """Content of the ONNX file."""
    preset: str = "unknown"
    crop_size: int = CROP_SIZE
    window_scale: float = WINDOW_SCALE
    """Side of a face window in units of the face box, as in the training of the network."""
    training: str = "not stated"
    licence: str = "not stated"
    memory: int = 0
    """Number of neighbouring crops that it takes; 0 for a network that restores each crop alone."""
    resized: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    """The network in ONNX for each further size of crops, by their side in pixels."""
    ranges: Ranges = field(default_factory=dict, repr=False)
    """Ranges of the inputs of the convolutions that may compute in eight bits; {} where none may."""

    @property
    def crop_sizes(self) -> tuple[int, ...]:
        """Sides in pixels of the crops that it takes, smallest first."""
        return tuple(sorted((self.crop_size, *self.resized)))

    def model_for(self, size: int) -> bytes:
        """Return the network in ONNX for crops of one of the `crop_sizes`."""
        return self.model if size == self.crop_size else self.resized[size]

    def model_in_eight_bits(self, size: int) -> bytes:
        """Return the network in ONNX for crops of one of the `crop_sizes`, with convolutions in eight bits.

        Raises:
            NetworkError: The file lists no ranges, or ones that do not fit the network.
        """
        import onnx

        from streamdeblur.eight_bits import in_eight_bits

        if not self.ranges:
            raise NetworkError(f"{self.path.name} does not say how it computes in eight bits.")
        try:
            converted = in_eight_bits(onnx.load_model_from_string(self.model_for(size)), self.ranges)
        except ValueError as error:
            raise NetworkError(f"{self.path} cannot compute in eight bits: {_text(str(error))}.") from None
        check_model(self.path, converted)
        content: bytes = converted.SerializeToString()
        return content

    @classmethod
    def read(cls, path: Path) -> Network:
        """Read and check a network.

        Raises:
            NetworkError: The file cannot be read, is not ONNX, or has other inputs and outputs than those above, for any size of
                crops.
        """
        from streamdeblur.crop_sizes import sizes_of
        from streamdeblur.eight_bits import ranges_of

        content, model = read_onnx(path)
        metadata = {item.key: item.value for item in model.metadata_props}
        if not all(isinstance(text, str) for text in (*metadata, *metadata.values())):
            # protobuf returns bytes where a text is not UTF-8
            raise NetworkError(f"{path} has metadata that is not UTF-8.")
        try:
            crop_size, memory = int(metadata.get("crop_size", CROP_SIZE)), int(metadata.get("memory", 0))
            scale, sizes = float(metadata.get("window_scale", WINDOW_SCALE)), sizes_of(metadata)
            ranges = ranges_of(metadata)
        except ValueError as error:
            raise NetworkError(f"{path} has metadata that cannot be read: {str(error)[:LONGEST_TEXT]}.") from None
        if not SMALLEST_SCALE <= scale <= LARGEST_SCALE:
            raise NetworkError(f"{path} has a window_scale of {scale:g}; it must be {SMALLEST_SCALE:g} to {LARGEST_SCALE:g}.")
        if not 0 <= memory <= LARGEST_MEMORY:
            raise NetworkError(f"{path} has a memory of {_text(str(memory))} crops; it must be 0 to {LARGEST_MEMORY}.")
        _check_interface(path, model.graph, crop_size, memory)
        if crop_size != CROP_SIZE:
            raise NetworkError(f"{path} takes crops of {crop_size} px; streamdeblur needs {CROP_SIZE}.")
        return cls(
            path,
            content,
            _text(metadata.get("preset", "unknown")),
            crop_size,
            scale,
            _text(metadata.get("training", "not stated")),
            _text(metadata.get("licence", "not stated")),
            memory,
            {size: _resized(path, model, size, memory) for size in sizes},
            ranges,
        )


def _resized(path: Path, model: onnx.ModelProto, size: int, memory: int) -> bytes:
    """The network for crops of another size, which is checked as if it were a file of its own."""
    from streamdeblur.crop_sizes import SIZES, for_crops_of

    try:
        resized = for_crops_of(model, size)
    except Exception as error:
        # guards against values of unknown origin, for which NumPy and onnx raise unrelated types
        raise NetworkError(f"{path} cannot be used for crops of {size} px: {_text(str(error))}.") from None
    try:
        check_model(path, resized)
        _check_interface(path, resized.graph, size, memory)
    except NetworkError as error:
        raise NetworkError(f"For crops of {size} px, which its metadata list under '{SIZES}': {error}") from None
    content: bytes = resized.SerializeToString()
    return content


def _text(value: str) -> str:
    """Text of a file as it may be shown: a line of printable characters, which cannot steer a terminal."""
    shown = "".join(character if character.isprintable() else " " for character in value[:LONGEST_TEXT])
    return shown + ("..." if len(value) > LONGEST_TEXT else "")


def _check_interface(path: Path, graph: onnx.GraphProto, crop_size: int, memory: int) -> None:
    """Refuse a network whose declared inputs or output differ from what the runtime passes to it and to kernels.

    A dimension that the file leaves open is checked on what the network returns (`engines/engine.py`).
    """
    weights = {initializer.name for initializer in graph.initializer}
    inputs = {value.name: _declared(value) for value in graph.input if value.name not in weights}
    outputs = {value.name: _declared(value) for value in graph.output}
    kinds = {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
    image = [3, crop_size, crop_size]
    needed = {"blurry": image}
    if memory:
        needed |= {"memory": [memory, crop_size // 2, crop_size // 2], "validity": [memory]}
    fits = {name: shape[1:] for name, shape in inputs.items()} == needed and _may_be(outputs.get("restored"), image)
    if not fits:
        wanted = ", ".join(f"'{name}' [N, {', '.join(map(str, shape))}]" for name, shape in needed.items())
        raise NetworkError(
            f"{path} is not a network that streamdeblur can run: its inputs are {inputs} and its outputs {outputs}; "
            f"with a memory of {memory} crops, as its metadata state, the inputs {wanted} and the output 'restored' "
            f"[N, 3, {crop_size}, {crop_size}] are needed."
        )
    if kinds["restored"] not in FLOATS:
        raise NetworkError(f"{path} returns 'restored' in a type that is not float32 or float16.")
    used = {name for node in graph.node for name in node.input}
    for name in needed:
        if name not in used:
            raise NetworkError(f"{path} does not use its input '{name}'.")
        if kinds[name] != FLOAT:
            raise NetworkError(f"{path} takes '{name}' in a type that is not float32.")
        if isinstance(inputs[name][0], int) and inputs[name][0] != 1:
            raise NetworkError(f"{path} takes batches of exactly {inputs[name][0]} crops; export it with a free batch size.")


def _declared(value: onnx.ValueInfoProto) -> list[int | str]:
    """The declared shape of a tensor, with names or '?' for open dimensions."""
    return [d.dim_value or d.dim_param or "?" for d in value.type.tensor_type.shape.dim]


def _may_be(shape: list[int | str] | None, image: list[int]) -> bool:
    """Whether a declared shape can be that of one image for each crop; an output without a declared shape can be anything."""
    if shape is None:
        return False
    if not shape:
        return True
    one_each = shape[0] == 1 or isinstance(shape[0], str)
    same = all(isinstance(got, str) or got == wanted for got, wanted in zip(shape[1:], image, strict=False))
    return len(shape) == 4 and one_each and same
