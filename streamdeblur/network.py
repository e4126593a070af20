"""Network: what the runtime must know of a network, read from its ONNX file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from streamdeblur.errors import NetworkError
from streamdeblur.faces.window import CROP_SIZE, WINDOW_SCALE


@dataclass(frozen=True)
class Network:
    """A two-step deblurring network.

    Its input ``blurry`` is float32 [N, 3, crop_size, crop_size], RGB in [0, 1]; its output ``restored`` has the same shape and
    range, as has ``coarse``, the result of the hourglass alone, where it exists.
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

    @classmethod
    def read(cls, path: Path) -> Network:
        """Read and check a network.

        Raises:
            NetworkError: The file cannot be read, is not ONNX, or has other inputs and outputs than those above.
        """
        import onnx

        try:
            content = path.read_bytes()
        except OSError as error:
            raise NetworkError(f"Cannot read the network {path}: {error.strerror}. Give --weights an ONNX file.") from None
        try:
            model = onnx.load_model_from_string(content)
        except Exception:
            # protobuf and onnx raise unrelated types for a file that is not ONNX.
            model = onnx.ModelProto()
        if not model.graph.node:
            raise NetworkError(f"{path} is not an ONNX file. Give --weights a network exported by streamdeblur.")
        metadata = {item.key: item.value for item in model.metadata_props}
        try:
            crop_size, scale = int(metadata.get("crop_size", CROP_SIZE)), float(metadata.get("window_scale", WINDOW_SCALE))
        except ValueError as error:
            raise NetworkError(f"{path} has metadata that cannot be read: {error}.") from None
        _check_interface(path, model.graph, crop_size)
        return cls(
            path,
            content,
            metadata.get("preset", "unknown"),
            crop_size,
            scale,
            metadata.get("training", "not stated"),
            metadata.get("licence", "not stated"),
        )


def _check_interface(path: Path, graph: object, crop_size: int) -> None:
    from onnx import GraphProto, ValueInfoProto

    assert isinstance(graph, GraphProto)

    def shape(value: ValueInfoProto) -> list[int | str]:
        return [d.dim_value or d.dim_param or "?" for d in value.type.tensor_type.shape.dim]

    weights = {initializer.name for initializer in graph.initializer}
    inputs = {value.name: shape(value) for value in graph.input if value.name not in weights}
    outputs = {value.name: shape(value) for value in graph.output}
    expected: list[int | str] = [3, crop_size, crop_size]
    if list(inputs) != ["blurry"] or inputs["blurry"][1:] != expected or "restored" not in outputs:
        raise NetworkError(
            f"{path} is not a network that streamdeblur can run: its inputs are {inputs} and its outputs "
            f"{list(outputs)}; the input 'blurry' [N, 3, {crop_size}, {crop_size}] and the output 'restored' are needed."
        )
    if crop_size != 256:
        raise NetworkError(f"{path} takes crops of {crop_size} px; streamdeblur needs 256.")
    if isinstance(inputs["blurry"][0], int) and inputs["blurry"][0] != 1:
        raise NetworkError(f"{path} takes batches of exactly {inputs['blurry'][0]} crops; export it with a free batch size.")
