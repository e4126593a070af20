"""Reads the crops of frames on the device, where they stay with their half lumas. The numbers that judge the faces come back."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from streamdeblur.engines.tensorrt.device import Buffer, Device, Event, MemoryPool, Piece, Stream
from streamdeblur.engines.tensorrt.frames import FrameJob
from streamdeblur.engines.tensorrt.kernels import BLUR, MEASURES, NUMBERS, SUMS, PixelKernels
from streamdeblur.engines.tensorrt.pending import PendingJob
from streamdeblur.engines.tensorrt.staging import StagingPool
from streamdeblur.engines.tensorrt.thread import DeviceThread
from streamdeblur.errors import EngineError
from streamdeblur.faces.gain import GainEstimator, described_by
from streamdeblur.faces.memory import SMALL_SIZE, RememberedCrop
from streamdeblur.faces.neighbours import HALF_SIZE, HalfLuma, LumaOnDevice
from streamdeblur.faces.reading import FrameCrops, HostCrop, ReadCrop
from streamdeblur.faces.window import CROP_SIZE, FaceWindow, crop
from streamdeblur.kernels.cuda.arguments import MEASURED
from streamdeblur.kernels.face_statistics import statistics_of
from streamdeblur.video.planes import Planes

HALF_VALUES = HALF_SIZE * HALF_SIZE
IMAGE_BYTES, ENTRY_BYTES = 3 * CROP_SIZE * CROP_SIZE * 2, HALF_VALUES * 2
"""Bytes of a crop and of its half luma on the device, in half precision: 384 and 32 KiB."""


@dataclass(eq=False)
class _OnDevice:
    """What the reader's thread alone uses."""

    stream: Stream
    kernels: PixelKernels
    pool: MemoryPool
    measured: Buffer
    """What is measured of the faces of the frame that is read."""
    numbers: Buffer
    """Their numbers, and sums of differences."""
    pairs: Buffer
    """Addresses of what is compared."""


@dataclass(frozen=True, eq=False)
class _Returning:
    """An event, and what is done when it is reached."""

    event: Event
    returned: Callable[[], None]

    def synchronize(self) -> None:
        self.event.synchronize()
        self.returned()


class DeviceReader:
    """Reads crops on a thread and in a stream of its own, so that they need not wait for the network on earlier frames."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._thread = DeviceThread(device)
        self._staging = StagingPool(device, self._thread)
        self._parts: _OnDevice | None = None
        self._thread.call(self._open)

    def _open(self) -> None:
        stream = self._device.cuda.Stream()
        buffers = [Buffer(self._device, stream) for _ in range(3)]
        self._parts = _OnDevice(stream, PixelKernels(self._device, stream), MemoryPool(self._device, ENTRY_BYTES), *buffers)

    def begin(self, planes: Planes, windows: Sequence[FaceWindow], remembered: Sequence[Sequence[HalfLuma]] = ()) -> FrameCrops:
        """Start to read the crops of `windows`, and to compare them with those that are remembered on this device."""
        own = [[one for one in near if isinstance(one, DeviceLuma) and one.reader is self] for near in remembered]
        frame = DeviceFrame(self, planes, windows, own or [[]] * len(windows))
        if windows:
            block = self._staging.take(frame.job.size + frame.pair_bytes)
            frame.job.fill(block)
            frame.pending = self._start(lambda: self._read(frame, block), block, frame.returned)
        return frame

    def _read(self, frame: DeviceFrame, block: NDArray[np.uint8]) -> None:
        parts, cuda, job = self._open_parts(), self._device.cuda, frame.job
        samples, frame.crops, frame.lumas = (
            parts.pool.take(size) for size in (job.size, job.count * IMAGE_BYTES, job.count * ENTRY_BYTES)
        )
        frame.samples, device = samples, samples.address
        parts.measured.reserve(job.count * MEASURED.itemsize)
        job.address(block, device)
        cuda.memcpy_htod_async(device, block[: job.size], parts.stream)
        faces, crops = device + job.faces_at, frame.crops.address
        parts.kernels.crop_faces(job.bits, job.crop_blocks, device + job.frame_at, faces, crops)
        returned = parts.numbers.reserved(frame.returned.nbytes)
        parts.kernels.measure_faces(job.count, faces, crops, frame.lumas.address, parts.measured.address, returned)
        self._compare(frame.pairs(), block[job.size :], returned + frame.numbers.nbytes)
        cuda.memcpy_dtoh_async(block[: frame.returned.nbytes], returned, parts.stream)

    def downloaded(self, address: int, size: int) -> NDArray[np.uint8]:
        """Return `size` bytes of the device.

        Raises:
            EngineError: The device failed, or is closed.
        """
        out, block = np.empty(size, np.uint8), self._staging.take(size)

        def copy() -> None:
            self._device.cuda.memcpy_dtoh_async(block[:size], address, self._open_parts().stream)

        self._start(copy, block, out).wait()
        return out

    def equal_crops(self, first: int, second: int) -> bool:
        """Return whether the crops at two addresses are equal.

        Raises:
            EngineError: The device failed, or is closed.
        """
        # a crop is as large as twelve half lumas
        starts = range(0, IMAGE_BYTES, ENTRY_BYTES)
        pairs = np.array([[first + start, second + start] for start in starts], np.uint64)
        sums = np.empty((len(pairs), SUMS), np.float32)
        block = self._staging.take(max(pairs.nbytes, sums.nbytes))

        def compare() -> None:
            parts = self._open_parts()
            self._compare(pairs, block, parts.numbers.reserved(sums.nbytes))
            self._device.cuda.memcpy_dtoh_async(block[: sums.nbytes], parts.numbers.address, parts.stream)

        self._start(compare, block, sums).wait()
        return not sums.any()

    def _compare(self, pairs: NDArray[np.uint64], block: NDArray[np.uint8], sums: int) -> None:
        """Put the differences of pairs of addresses, uint64 [P, 2], into the stream; they go to the device in a staging block."""
        if not len(pairs):
            return
        parts = self._open_parts()
        block[: pairs.nbytes].view(np.uint64)[:] = pairs.reshape(-1)
        self._device.cuda.memcpy_htod_async(parts.pairs.reserved(pairs.nbytes), block[: pairs.nbytes], parts.stream)
        parts.kernels.pair_differences(len(pairs), parts.pairs.address, sums)

    def _start(self, work: Callable[[], None], block: NDArray[np.uint8], out: NDArray[Any]) -> PendingJob:
        """Put work into the stream. When it is done, what it has copied to the beginning of a block is in `out`."""

        def launch() -> Event:
            try:
                work()
                return _Returning(self._device.event_after(self._open_parts().stream), returned)
            except BaseException:
                self._staging.give_back(block)
                raise

        def returned() -> None:
            out.reshape(-1).view(np.uint8)[:] = block[: out.nbytes]
            self._staging.give_back(block)

        return PendingJob(self._thread.launch(launch), lambda: None)

    def _open_parts(self) -> _OnDevice:
        if self._parts is None:
            raise EngineError("The engine is closed.")
        return self._parts

    def close(self) -> None:
        """Wait for what is read and free the memory; crops on the device are lost. Nothing else may still use them."""
        self._thread.close(self._release)

    def _release(self) -> None:
        parts, self._parts = self._parts, None
        if parts is not None:
            parts.stream.synchronize()
            parts.kernels.close()
            parts.pool.close()
            for buffer in (parts.measured, parts.numbers, parts.pairs):
                buffer.free()
        self._staging.close()


class DeviceFrame:
    """The crops of a frame on the device, with their half lumas, and the samples that they were read from."""

    samples: Piece | None = None
    crops: Piece
    """float16 [N, 3, 256, 256]."""
    lumas: Piece
    """float16 [N, 128, 128]."""

    def __init__(
        self, reader: DeviceReader, planes: Planes, windows: Sequence[FaceWindow], remembered: Sequence[Sequence[DeviceLuma]]
    ) -> None:
        self.reader = reader
        self.job = FrameJob(planes, windows, [0.0] * len(windows))
        self.pending: PendingJob | None = None
        self._planes: Planes | None = planes
        self._windows = windows
        # not kept longer than their tracks do
        self._compared = [(n, weakref.ref(luma)) for n, near in enumerate(remembered) for luma in near]
        self._addresses = [luma.address for near in remembered for luma in near]
        self.returned = np.empty(len(windows) * NUMBERS + len(self._compared) * SUMS, np.float32)
        """What comes back: `numbers`, and the sums of differences; filled once `pending` is done."""

    @property
    def numbers(self) -> NDArray[np.float32]:
        """Of each face, float32 [N, NUMBERS]."""
        return self.returned[: len(self._windows) * NUMBERS].reshape(-1, NUMBERS)

    @property
    def pair_bytes(self) -> int:
        """Bytes of `pairs`."""
        return 16 * len(self._compared)

    def pairs(self) -> NDArray[np.uint64]:
        """Addresses of the half lumas that are compared, uint64 [P, 2]; those of the frame are there."""
        own = [self.lumas.address + n * ENTRY_BYTES for n, _ in self._compared]
        return np.array([own, self._addresses], np.uint64).T

    def differences(self, number: int) -> WeakKeyDictionary[DeviceLuma, float]:
        """Mean absolute differences of a half luma from those that it was compared with."""
        means = self.returned[self.numbers.size :].reshape(-1, SUMS).sum(1, np.float64) / HALF_VALUES
        pairs = ((luma(), float(mean)) for (n, luma), mean in zip(self._compared, means, strict=True) if n == number)
        return WeakKeyDictionary({luma: mean for luma, mean in pairs if luma is not None})

    def read(self, window: FaceWindow, size: int) -> ReadCrop:
        if size != CROP_SIZE:
            # another engine takes over that wants it so
            assert self._planes is not None
            return HostCrop(crop(self._planes, window, size), window.side)
        if window not in self._windows:
            assert self._planes is not None
            return self.reader.begin(self._planes, [window]).read(window, size)
        if self.pending is not None:
            self.pending.wait()
        return DeviceCrop(self, self._windows.index(window))

    def side(self, number: int) -> float:
        """Side of a window, in pixels of the frame."""
        return self._windows[number].side

    def take_samples(self, planes: Planes) -> Piece | None:
        """Return the samples for the caller to change, once; None where they are not those of `planes`."""
        if planes is not self._planes:
            return None
        samples, self.samples, self._planes = self.samples, None, None
        return samples


@dataclass(frozen=True, eq=False)
class DeviceCrop:
    """A crop on the device."""

    frame: DeviceFrame
    number: int
    """Of its window in the frame."""
    size = CROP_SIZE

    @property
    def address(self) -> int:
        """Where it is."""
        return self.frame.crops.address + self.number * IMAGE_BYTES

    def pixels(self) -> NDArray[np.uint8]:
        images = self.frame.reader.downloaded(self.address, IMAGE_BYTES).view(np.float16).reshape(3, CROP_SIZE, CROP_SIZE)
        return np.ascontiguousarray(np.rint(images.astype(np.float32) * 255).astype(np.uint8).transpose(1, 2, 0))

    def gain(self, estimator: GainEstimator) -> float:
        statistics = statistics_of(self.frame.numbers[self.number, MEASURES:BLUR].astype(np.float64))
        return estimator.of(described_by(statistics, CROP_SIZE, self.frame.side(self.number)))

    def blur(self) -> float:
        return float(self.frame.numbers[self.number, BLUR:].max())

    def remembered(self, frame: int) -> RememberedCrop:
        small = self.frame.numbers[self.number, :MEASURES].reshape(SMALL_SIZE, SMALL_SIZE)
        luma = DeviceLuma(self.frame.reader, self.frame.lumas, self.number, self.frame.differences(self.number))
        return RememberedCrop(frame, self.frame.side(self.number), luma, small)

    def same(self, other: ReadCrop) -> bool:
        if not isinstance(other, DeviceCrop) or other.frame.reader is not self.frame.reader:
            return False
        if not np.array_equal(self.frame.numbers[self.number], other.frame.numbers[other.number]):
            return False
        return self.frame.reader.equal_crops(self.address, other.address)


@dataclass(frozen=True, eq=False)
class DeviceLuma:
    """The half luma of a crop on the device, which keeps it after the crop."""

    reader: DeviceReader
    lumas: Piece
    number: int
    """Of the crop in its frame."""
    known: WeakKeyDictionary[DeviceLuma, float]
    """Its mean absolute differences from those that were in the memory of its track when it was made."""
    shape = HALF_SIZE, HALF_SIZE

    @property
    def address(self) -> int:
        """Where it is."""
        return self.lumas.address + self.number * ENTRY_BYTES

    def difference(self, other: LumaOnDevice) -> float:
        if not isinstance(other, DeviceLuma):
            return math.inf
        return self.known.get(other, other.known.get(self, math.inf))

    def to_host(self) -> NDArray[np.float32]:
        return self.reader.downloaded(self.address, ENTRY_BYTES).view(np.float16).reshape(self.shape).astype(np.float32)
