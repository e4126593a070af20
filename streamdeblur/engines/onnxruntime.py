"""ONNX Runtime: on the CPU where OpenVINO is absent, and on GPUs through its providers."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from streamdeblur.caches import cache_folder, record_digests, remove_damaged
from streamdeblur.engines.graph import GraphSpec, Tensors
from streamdeblur.errors import EngineError
from streamdeblur.faces.neighbours import Neighbours, write_memory
from streamdeblur.onnx_session import quiet_options

GPU_PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    # After CUDA, which starts at once: this provider builds engines for minutes, and its half precision would include what needs
    # float32.
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
"""ONNX Runtime's names of the providers by short name, in the order in which they are tried."""
PROVIDERS = {**GPU_PROVIDERS, "cpu": "CPUExecutionProvider"}


def installed_providers() -> list[str]:
    """Return the short names of the providers of the installed ONNX Runtime, in the order in which they are tried."""
    import onnxruntime

    available = onnxruntime.get_available_providers()
    return [name for name, provider in PROVIDERS.items() if provider in available]


def _with_fallbacks(provider: str, card: int) -> list[tuple[str, dict[str, str]]]:
    """Return the provider and those that run the operations that it lacks, each with its settings, on a card."""
    names = {"tensorrt": ["tensorrt", "cuda"], "cpu": []}.get(provider, [provider])
    return [(PROVIDERS[name], _settings(name, card)) for name in [*names, "cpu"]]


def _settings(provider: str, card: int) -> dict[str, str]:
    on_card = {"device_id": str(card)} if provider in ("cuda", "tensorrt") else {}
    folder = cache_folder("onnxruntime")
    if provider == "tensorrt" and folder is not None:
        # Engines and timings are kept for the next start.
        return on_card | {
            "trt_engine_cache_enable": "True", "trt_engine_cache_path": str(folder),
            "trt_timing_cache_enable": "True", "trt_timing_cache_path": str(folder),
        }  # fmt: skip
    if provider == "cuda":
        # An exhaustive search measures every convolution for every batch size, which would delay the first frames.
        return on_card | {"cudnn_conv_algo_search": "HEURISTIC"}
    return on_card


class OnnxRuntimeGraph:
    """A graph on one of ONNX Runtime's providers; operations that the provider lacks run on the CPU."""

    parallel = 1

    def __init__(self, spec: GraphSpec, provider: str = "cpu", card: int = 0) -> None:
        """Compile the network.

        Args:
            spec: What to compile.
            provider: Short name of a provider.
            card: Number of the NVIDIA card, for the providers that run on one.

        Raises:
            EngineError: The provider is not installed or finds no device.
        """
        import onnxruntime

        if provider not in installed_providers():
            raise EngineError(f"ONNX Runtime has no provider '{provider}' here. Installed: {', '.join(installed_providers())}.")
        options = quiet_options()
        options.intra_op_num_threads = spec.threads.total
        if spec.takes_turns:
            # threads that spin after a run would take the cores from the next graph
            options.add_session_config_entry("session.force_spinning_stop", "1")
        if provider in ("cuda", "tensorrt") and hasattr(onnxruntime, "preload_dlls"):
            # CUDA and cuDNN may be installed as packages, outside the loader's search path.
            onnxruntime.preload_dlls()
        # the provider TensorRT keeps engines there, and reads them without a check
        self._cache = cache_folder("onnxruntime") if provider == "tensorrt" else None
        self._whole = {} if self._cache is None else remove_damaged(self._cache)
        self._session = onnxruntime.InferenceSession(spec.model, options, providers=_with_fallbacks(provider, card))
        if self._session.get_providers()[0] != PROVIDERS[provider]:
            raise EngineError(f"ONNX Runtime's provider '{provider}' found no device that it can use.")
        self._spec = spec
        self._memory = np.zeros((1, spec.memory, spec.height // 2, spec.width // 2), np.float32)
        self._validity = np.zeros((1, spec.memory), np.float32)
        self._worker = ThreadPoolExecutor(1, "onnxruntime")
        self.description = f"{provider.upper()}, {'f16' if provider == 'cuda' else 'f32'}"

    def submit(self, image: NDArray[np.uint8], neighbours: Neighbours = ()) -> Future[Tensors]:
        try:
            return self._worker.submit(self._run, image, neighbours)
        except RuntimeError:
            # the worker has ended, by `close` or because the interpreter is ending
            raise EngineError("The engine is closed.") from None

    def _run(self, image: NDArray[np.uint8], neighbours: Neighbours) -> Tensors:
        tensor = np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)
        if self._spec.divisor != 1.0:
            tensor /= np.float32(self._spec.divisor)
        inputs = {self._spec.input_name: tensor}
        if self._spec.memory:
            # one worker runs one picture after the other, so all share these arrays
            write_memory(neighbours, self._memory[0], self._validity[0])
            inputs |= {"memory": self._memory, "validity": self._validity}
        outputs = self._session.run(list(self._spec.outputs), inputs)
        if self._cache is not None:
            record_digests(self._cache, self._whole)
            self._cache = None
        return [np.asarray(output, np.float32) for output in outputs]

    def close(self) -> None:
        self._worker.shutdown()
