"""Windows, and the CUDA kernels on a frame, for the tests of the kernels."""

from __future__ import annotations

import numpy as np

from streamdeblur.engines.tensorrt.frames import FrameJob
from streamdeblur.engines.tensorrt.kernels import BLOCK
from streamdeblur.faces.window import FaceWindow
from streamdeblur.video.planes import frame_planes
from support.fakes.cuda_on_host import EmulatedModule

WINDOWS = {
    "enlarging": [FaceWindow(50.3, 31.2, 40.6)],
    "shrinking": [FaceWindow(170.3, 140.7, 611.0)],
    "over the left and upper border": [FaceWindow(4.0, 3.0, 60.0)],
    "over the right and lower border": [FaceWindow(313.5, 237.2, 60.0)],
    "overlapping": [FaceWindow(100.3, 90.2, 80.6), FaceWindow(130.0, 100.0, 95.0), FaceWindow(160.9, 110.0, 70.3)],
    "apart": [FaceWindow(60.3, 60.2, 80.6), FaceWindow(250.0, 180.0, 95.0)],
    "tiny": [FaceWindow(48.0, 36.0, 5.0)],
}
EXTRA_FORMATS = (
    "yuva420p",
    "yuv411p",
    "yuv410p",
    "yuv440p",
    "nv16",
    "nv24",
    "p016le",
    "p210le",
    "argb",
    "0bgr",
    "rgb48le",
    "bgra64le",
)
STRENGTHS = (1.0, 0.7, 0.4)


def address(array):
    return array.__array_interface__["data"][0]


class Emulation:
    """The faces of a frame through the CUDA kernels; `change` stands for the network."""

    def __init__(self, frame, windows, strengths):
        planes = frame_planes(frame)
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

    def paste(self, restored, planes):
        frame_at, faces_at, finite_at = self.at
        residuals = np.zeros(self.crops.shape, np.float32)
        pointers = [frame_at, faces_at, address(self.crops), address(restored), address(residuals), finite_at]
        self.module.launch("residual_faces", self.job.crop_blocks, BLOCK, pointers)
        pointers = [frame_at, faces_at, address(residuals), finite_at]
        self.module.launch(f"paste_faces_{self.job.bits}", self.job.paste_blocks(self.frame), BLOCK, pointers)
        self.job.write_back(self.block, planes)


def restored_from(codes):
    """What a network might give, float16 [N, 3, 256, 256]: code values that the half precision of the device holds."""
    change = np.random.default_rng(1).integers(-60, 60, (len(codes), 32, 32, 3)).repeat(8, 1).repeat(8, 2)
    after = np.clip(codes.astype(int) + change, 0, 255).astype(np.uint8)
    return after, np.ascontiguousarray((after / 255).transpose(0, 3, 1, 2).astype(np.float16))


def samples(frame):
    planes = frame_planes(frame)
    return [array.astype(int) >> planes.layout.shift for array in planes.arrays]
