"""The engine that restores crops, or the faces of whole frames, on an NVIDIA GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdeblur.engines.engine import Crops, FrameFaces, PasteOutcome, checked_crops
from streamdeblur.engines.tensorrt.device import Buffer, Device, Event, Piece, Stream, address_of
from streamdeblur.engines.tensorrt.frames import FrameJob
from streamdeblur.engines.tensorrt.kernels import PixelKernels
from streamdeblur.engines.tensorrt.library import TENSORRT, Library
from streamdeblur.engines.tensorrt.memory import MemorySlots, StagedMemory
from streamdeblur.engines.tensorrt.pending import PendingJob
from streamdeblur.engines.tensorrt.reader import ENTRY_BYTES, IMAGE_BYTES, DeviceCrop, DeviceFrame, DeviceReader
from streamdeblur.engines.tensorrt.session import Session
from streamdeblur.engines.tensorrt.staging import StagingPool
from streamdeblur.engines.tensorrt.thread import DeviceThread, Launch
from streamdeblur.errors import EngineError
from streamdeblur.faces.neighbours import Neighbours
from streamdeblur.faces.reading import CropReader
from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.kernels.tensors import quantise
from streamdeblur.opening import close_at_exit
from streamdeblur.video.planes import Planes

RESIDUAL_BYTES = 3 * CROP_SIZE * CROP_SIZE * 4


@dataclass(eq=False)
class _OnDevice:
    """What the device's thread alone uses."""

    stream: Stream
    session: Session
    kernels: PixelKernels
    block: Buffer
    """Device copy of the staging block of the job that runs; jobs run one after the other."""
    residuals: Buffer
    slots: Buffer
    """Crops that stay on the device, for the memory of later ones."""
    entries: Buffer
    """Addresses of the neighbours of the batch that runs."""


@dataclass(frozen=True, eq=False)
class _ReadBefore:
    """Crops that are on the device, and the frame that they are of."""

    frame: DeviceFrame
    samples: Piece
    numbers: Sequence[int]
    """Of the crops in the frame."""

    @property
    def addresses(self) -> list[int]:
        return [self.frame.crops.address + number * IMAGE_BYTES for number in self.numbers]


class TensorRTEngine:
    """Runs the deblurring network with TensorRT, and crops and pastes faces on the device, too.

    All crops have 256 px, whatever other sizes the network has: a GPU has the time.
    """

    crop_sizes = (CROP_SIZE,)
    parallel = 1

    def __init__(
        self,
        device: Device,
        plan: bytes,
        reason: str,
        memory: int = 0,
        library: Library = TENSORRT,
        kernels: Path | None = None,
    ) -> None:
        """Load the engine and run its largest batch once, so that an error for lack of memory occurs here.

        Args:
            device: The GPU.
            plan: The serialised engine.
            reason: Where the engine comes from, for `reason`.
            memory: Neighbouring crops that the network takes.
            library: What has built the engine, and runs it.
            kernels: The file of the kernels that it compiles, see `jit`.

        Raises:
            UnreadableEngineError: TensorRT cannot read the engine.
            OutOfMemoryError: The device has too little memory for a single crop.
        """
        self.reason = f"{reason} ({device.gpu.name}, f16)"
        self.name: str = library.name
        self._library, self._kernels_file = library, kernels
        self._device, self._entries = device, memory
        self._slots = MemorySlots(memory)
        self._thread = DeviceThread(device)
        self._staging = StagingPool(device, self._thread)
        self._parts: _OnDevice | None = None
        self._reader: DeviceReader | None = None
        close_at_exit(self)
        try:
            self._thread.call(lambda: self._open(plan))
            self._reader = DeviceReader(device)
        except BaseException:
            # the caller gets no object to close, so memory and thread are released here, after Ctrl-C, too
            self.close()
            raise

    def __repr__(self) -> str:
        return f"TensorRTEngine({self.reason!r})"

    @property
    def reader(self) -> CropReader:
        assert self._reader is not None
        return self._reader

    def warm_up(self) -> None:
        """Do nothing: the largest batch has run already."""

    def _open(self, plan: bytes) -> None:
        stream = self._device.cuda.Stream()
        session = Session(self._device, stream, plan, CROP_SIZE, self._entries, self._library, self._kernels_file)
        buffers = [Buffer(self._device, stream) for _ in range(4)]
        self._parts = _OnDevice(stream, session, PixelKernels(self._device, stream), *buffers)
        session.reserve(session.largest)
        session.enqueue(session.largest)
        stream.synchronize()

    def infer(self, crops: Crops, neighbours: Sequence[Neighbours] = ()) -> Crops:
        crops = checked_crops(crops)
        size = len(crops) * 3 * CROP_SIZE * CROP_SIZE * 2
        memory = self._slots.place(len(crops), neighbours, size)
        block = self._staging.take(memory.end)
        memory.write(block)
        images = block[:size].view(np.float16).reshape(-1, 3, CROP_SIZE, CROP_SIZE)
        np.divide(crops.transpose(0, 3, 1, 2), np.float32(255), out=images, casting="unsafe")
        future = self._launch(lambda: self._run_crops(block, memory), block)
        pending = PendingJob(future, lambda: self._staging.give_back(block))
        pending.wait()
        restored, finite = crops.copy(), np.ones(len(crops), np.bool_)
        quantise(images.astype(np.float32), restored, finite)
        restored[~finite] = crops[~finite]
        pending.release()
        return restored

    def _run_crops(self, block: NDArray[np.uint8], memory: StagedMemory) -> Event:
        parts, cuda = self._open_parts(), self._device.cuda
        if memory.faces:
            parts.session.reserve(memory.faces)
            cuda.memcpy_htod_async(parts.session.crops, block[: memory.at], parts.stream)
            self._copy_memory(block, memory)
            parts.session.enqueue(memory.faces)
            cuda.memcpy_dtoh_async(block[: memory.at], parts.session.restored, parts.stream)
        return self._event()

    def _copy_memory(self, block: NDArray[np.uint8], memory: StagedMemory) -> None:
        """Put the copies of what is new in the memory to the device into the stream, and gather the inputs of the network."""
        if not memory.entries or not memory.faces:
            return
        parts, cuda = self._open_parts(), self._device.cuda
        parts.slots.reserve(memory.slots * ENTRY_BYTES)
        parts.entries.reserve(memory.addresses.nbytes)
        memory.write_addresses(block, parts.slots.address)
        for place, (slot, _) in enumerate(memory.new):
            cuda.memcpy_htod_async(parts.slots.address + slot * ENTRY_BYTES, memory.new_in(block, place), parts.stream)
        cuda.memcpy_htod_async(parts.entries.address, memory.addresses_in(block), parts.stream)
        inputs = address_of(parts.session.memory), address_of(parts.session.validity)
        parts.kernels.gather_memory(memory.blocks, parts.entries.address, *inputs)

    def submit(self, faces: FrameFaces) -> DeviceFaces:
        """Start on the faces of a frame, on the crops that `reader` has read; others are read now, on the device as well."""
        read = self._read_before(faces)
        if read is None:
            job = FrameJob(faces.planes, faces.windows, faces.strengths)
        else:
            job = read.frame.job.restoring(read.numbers, faces.strengths)
        memory = self._slots.place(job.count, faces.neighbours, job.size)
        block = self._staging.take(memory.end)
        if read is None:
            job.fill(block)
        else:
            job.fill_faces(block)
        memory.write(block)
        # what is on the device stays there until it is done
        future = self._launch(lambda: self._run_faces(job, memory, block, read), block, read, faces.neighbours)
        return DeviceFaces(job, block, future, lambda: self._staging.give_back(block))

    def _read_before(self, faces: FrameFaces) -> _ReadBefore | None:
        """The crops that are on the device already, if all of them are, with the samples of the frame."""
        crops = [one for one in faces.crops if isinstance(one, DeviceCrop)]
        if not crops or len(crops) < len(faces.crops) or any(one.frame is not crops[0].frame for one in crops):
            return None
        frame = crops[0].frame
        samples = frame.take_samples(faces.planes) if frame.reader is self._reader else None
        return None if samples is None else _ReadBefore(frame, samples, [one.number for one in crops])

    def _run_faces(self, job: FrameJob, memory: StagedMemory, block: NDArray[np.uint8], read: _ReadBefore | None) -> Event:
        parts, cuda = self._open_parts(), self._device.cuda
        session = parts.session
        session.reserve(job.count)
        parts.residuals.reserve(job.count * RESIDUAL_BYTES)
        if read is None:
            parts.block.reserve(job.size)
        device, residuals = parts.block.address if read is None else read.samples.address, parts.residuals.address
        frame, faces, finite = device + job.frame_at, device + job.faces_at, device + job.finite_at
        crops, restored = address_of(session.crops), address_of(session.restored)
        paste_blocks = job.paste_blocks(job.address(block, device))
        cuda.memcpy_htod_async(device, block[: job.size if read is None else job.arguments_size], parts.stream)
        self._copy_memory(block, memory)
        if read is None:
            parts.kernels.crop_faces(job.bits, job.crop_blocks, frame, faces, crops)
        else:
            for place, source in enumerate(read.addresses):
                cuda.memcpy_dtod_async(crops + place * IMAGE_BYTES, source, IMAGE_BYTES, parts.stream)
        session.enqueue(job.count)
        parts.kernels.residual_faces(job.crop_blocks, frame, faces, crops, restored, residuals, finite)
        parts.kernels.paste_faces(job.bits, paste_blocks, frame, faces, residuals, finite)
        for begin, end in job.changed():
            cuda.memcpy_dtoh_async(block[begin:end], device + begin, parts.stream)
        return self._event()

    def _launch(self, launch: Launch, block: NDArray[np.uint8], *kept: object) -> Future[None]:
        """Put work into the stream; `kept` lives until it is done."""

        def guarded() -> Event:
            try:
                return launch()
            except BaseException:
                # the crops that this batch should have brought may not be there
                self._slots.forget()
                raise

        try:
            future = self._thread.launch(guarded)
        except EngineError:
            self._staging.give_back(block)
            raise
        future.add_done_callback(partial(_let_go, kept))
        return future

    def _event(self) -> Event:
        return self._device.event_after(self._open_parts().stream)

    def _open_parts(self) -> _OnDevice:
        if self._parts is None:
            raise EngineError("The engine is closed.")
        return self._parts

    def close(self) -> None:
        try:
            self._thread.close(self._release)
        finally:
            # what is being restored was read by it, and is done by now
            if self._reader is not None:
                self._reader.close()

    def _release(self) -> None:
        """Release contexts, engine, kernels and buffers, then page-locked memory, when no copy can be running."""
        parts, self._parts = self._parts, None
        if parts is not None:
            parts.session.close()
            parts.kernels.close()
            for buffer in (parts.block, parts.residuals, parts.slots, parts.entries):
                buffer.free()
        self._staging.close()


def _let_go(kept: tuple[object, ...], done: Future[None]) -> None:
    """Do nothing: a callback of a job that is not done refers to what must live as long."""


class DeviceFaces:
    """The faces of a frame that are on the device."""

    def __init__(self, job: FrameJob, block: NDArray[np.uint8], future: Future[None], release: Callable[[], None]) -> None:
        self._job, self._block = job, block
        self._pending = PendingJob(future, release)

    def paste(self, planes: Planes, deadline: float | None = None) -> PasteOutcome:
        finite, in_time = np.ones((2, self._job.count), np.bool_)
        if not self._pending.wait(deadline):
            in_time[:] = False
        else:
            self._job.write_back(self._block, planes)
            finite = self._job.finite(self._block).copy()
            self._pending.release()
        return PasteOutcome(finite, in_time)

    def discard(self) -> None:
        self._pending.discard()
