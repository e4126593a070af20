"""The CUDA kernels on the faces of a frame, run on the CPU without an engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from streamdeblur.engines.tensorrt.frames import FrameJob
from streamdeblur.engines.tensorrt.kernels import BLOCK, NUMBERS, measuring
from streamdeblur.kernels.cuda.arguments import MEASURED
from streamdeblur.video.planes import frame_planes
from support.fakes.cuda_on_host import EmulatedModule


def address(array):
    return array.__array_interface__["data"][0]


class EmulatedFaces:
    """The faces of a frame on an emulated device: cropped at once, and pasted when a test has restored them."""

    def __init__(self, frame, windows, strengths, turn=0):
        planes = replace(frame_planes(frame), turn=turn)
        self.job = FrameJob(planes, windows, strengths)
        # what the job does not write is poison: only the lines under the windows are there
        self.block = np.full(self.job.size, 0xEE, np.uint8)
        self.job.fill(self.block)
        self.frame = self.job.address(self.block, address(self.block))
        self.crops = np.zeros((len(windows), 3, 256, 256), np.float16)
        self.at = [address(self.block) + offset for offset in (self.job.frame_at, self.job.faces_at, self.job.finite_at)]
        self.module = EmulatedModule()
        self.module.launch(f"crop_faces_{self.job.bits}", self.job.crop_blocks, BLOCK, [*self.at[:2], address(self.crops)])

    def codes(self):
        """The crops as uint8 [N, 256, 256, 3]."""
        return np.rint(self.crops.astype(np.float32) * 255).astype(np.uint8).transpose(0, 2, 3, 1)

    def measure(self):
        """The half lumas, float16 [N, 128, 128], and the numbers of the faces, float32 [N, NUMBERS]."""
        count = len(self.crops)
        lumas, numbers = np.zeros((count, 128, 128), np.float16), np.full((count, NUMBERS), np.nan, np.float32)
        # what a kernel needs and none has written is poison
        measured = np.full(count * MEASURED.itemsize, 0xFF, np.uint8)
        for name, grid, pointers in measuring(count, self.at[1], *map(address, (self.crops, lumas, measured, numbers))):
            self.module.launch(name, grid, BLOCK, pointers)
        return lumas, numbers

    def paste(self, restored, planes):
        frame_at, faces_at, finite_at = self.at
        residuals = np.zeros(self.crops.shape, np.float32)
        pointers = [frame_at, faces_at, address(self.crops), address(restored), address(residuals), finite_at]
        self.module.launch("residual_faces", self.job.crop_blocks, BLOCK, pointers)
        pointers = [frame_at, faces_at, address(residuals), finite_at]
        self.module.launch(f"paste_faces_{self.job.bits}", self.job.paste_blocks(self.frame), BLOCK, pointers)
        self.job.write_back(self.block, planes)


def restored_from(codes):
    """Changed crops, as uint8 [N, 256, 256, 3] and as a network returns them: float16 [N, 3, 256, 256] in [0, 1]."""
    change = np.random.default_rng(1).integers(-60, 60, (len(codes), 32, 32, 3)).repeat(8, 1).repeat(8, 2)
    after = np.clip(codes.astype(int) + change, 0, 255).astype(np.uint8)
    return after, np.ascontiguousarray((after / 255).transpose(0, 3, 1, 2).astype(np.float16))
