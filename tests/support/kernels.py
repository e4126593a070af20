"""Every public kernel with arguments that it accepts, small ones."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import numpy as np
from numba.core.dispatcher import Dispatcher

from streamdeblur import kernels
from streamdeblur.kernels.checked import CheckedKernel


def public_kernels():
    """The kernels of all modules by 'module.name', with or without a checked entry; those that begin with '_' are left out."""
    found = {}
    for info in iter_modules(kernels.__path__):
        if info.ispkg:
            continue
        module = import_module(f"{kernels.__name__}.{info.name}")
        for name, value in vars(module).items():
            own = getattr(value, "__module__", None) == module.__name__
            if own and isinstance(value, CheckedKernel | Dispatcher) and not name.startswith("_"):
                found[f"{info.name}.{name}"] = value
    return found


def _zeros(kind, *shape):
    return np.zeros(shape, kind)


def _poses():
    return np.linspace(0, 1, 20, dtype=np.float32).reshape(5, 4)


def valid_arguments():
    """Arguments of each kernel by 'module.name', made anew, since kernels write to some."""
    byte, number, double = np.uint8, np.float32, np.float64
    planes = tuple(_zeros(byte, 12, 16) for _ in range(3))
    layout = np.array([[0, 1, 16, 12, 0]] * 3)
    inside = np.array([[[1.0, 0.0, 2.0], [0.0, 1.0, 2.0]]])
    return {
        "alignment.align": [_zeros(number, 9, 9), _zeros(number, 12, 12), _zeros(double, 3)],
        "averaging.add_intensity": [_zeros(byte, 8, 9, 3), -1, 2, _zeros(np.int32, 256), _zeros(np.int32, 6, 7, 3)],
        "averaging.mean_codes": [_zeros(np.int32, 6, 7, 3), 3, _zeros(byte, 300), _zeros(byte, 6, 7, 3)],
        "convolution.convolve_taps": [
            _zeros(number, 9, 9, 3), np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2]), _zeros(number, 4), _zeros(number, 7, 7, 3),
        ],
        "face_statistics.face_statistics": [_zeros(byte, 52, 52, 3), 2, 50, 2],
        "face_statistics.statistics_of": [_zeros(np.float64, 64)],
        "intensity.mirrored": [-3, 4],
        "intensity.read_intensity": [_zeros(byte, 8, 9, 3), -1, 2, _zeros(number, 256), _zeros(number, 6, 7, 3)],
        "intensity.look_up": [_zeros(np.uint16, 5), _zeros(byte, 4), _zeros(byte, 5)],
        "intensity.write_codes": [_zeros(number, 6, 7), 255.0, _zeros(byte, 256), _zeros(byte, 6, 7)],
        "luma.block_means": [_zeros(number, 8, 9), _zeros(number, 4, 3)],
        "luma.mean_difference": [_zeros(number, 4, 5), _zeros(number, 4, 5)],
        "luma.correlation": [_zeros(number, 4, 5), _zeros(number, 4, 5)],
        "luma.half_luma": [_zeros(byte, 8, 10, 3), _zeros(number, 4, 5)],
        "motion.mean_length": [_zeros(number, 3, 4, 2)],
        "motion.add_motion": [_zeros(number, 3, 4, 2), _zeros(number, 3, 4, 2)],
        "resampling.tap_count": [2.5],
        "resampling.cubic": [0.5],
        "resampling.make_taps": [5, -1.0, 0.7],
        "sensor.brighten": [_zeros(number, 4, 5, 3), 0.75, 3.0],
        "sensor.bits_of": [np.uint32(7)],
        "sensor.write_noisy_codes": [_zeros(number, 6, 7), 0.01, 0.001, 5, 255.0, _zeros(byte, 256), _zeros(byte, 6, 7)],
        "sharpness.reduced_luma": [_zeros(byte, 20, 20, 3), 2, 18, 2],
        "sharpness.blur_effect": [_zeros(number, 12, 13)],
        "similarity.mean_square_difference": [_zeros(byte, 8, 9, 3), _zeros(byte, 8, 9, 3)],
        "similarity.ssim": [_zeros(byte, 8, 9), _zeros(byte, 8, 9)],
        "tensors.interleave": [_zeros(byte, 4), _zeros(byte, 4), _zeros(byte, 4), _zeros(byte, 4, 3)],
        "tensors.quantise": [_zeros(number, 2, 3, 4, 5), _zeros(byte, 2, 4, 5, 3), _zeros(bool, 2)],
        "trajectories.markov_path": [_zeros(number, 6, 2), _zeros(number, 6, 2), np.ones(5), _zeros(number, 7, 2)],
        "trajectories.sum_of_waves": [_zeros(double, 2, 3), _zeros(double, 2, 3), _zeros(double, 3), _zeros(number, 9, 2)],
        "trajectories.render_path": [np.eye(2, dtype=number), 3.0, _zeros(number, 6, 6)],
        "warping.count_steps": [_poses(), 10.0, 1.0, _zeros(np.int64, 3)],
        "warping.path_matrices": [_poses(), np.array([1, 2, 1]), 3.0, 3.0, 1.0, _zeros(double, 4, 2, 3)],
        "warping.pixel_numbers": [4],
        "warping.add_warped": [
            _zeros(number, 12, 12, 3), inside, np.repeat(np.arange(6, dtype=number), 3), 1.0, _zeros(number, 5, 6, 3),
        ],
        "window.crop_components": [
            planes, layout, np.array([[1.0, 0.5, 1.0, 0.5]] * 3), _zeros(number, 3, 4), _zeros(byte, 6, 7, 3),
        ],
        "window.feather": [0.3, 0.15],
        "window.sample_component": [planes[0], layout[0], np.array([1.0, 1.5, 2.0, 1.5]), _zeros(number, 4, 5)],
        "window.paste_component": [
            planes[0], layout[0], np.array([-2.0, 1.5, -2.0, 1.5]), _zeros(number, 8, 8), 0.15, _zeros(double, 1, 4), 255,
        ],
        "window.residual_components": [
            _zeros(byte, 4, 5, 3), _zeros(byte, 4, 5, 3), _zeros(number, 3, 3), _zeros(number, 3, 4, 5),
        ],
    }  # fmt: skip
