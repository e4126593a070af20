"""Every public kernel refuses arguments that its loop, which indexes without bounds, could not work on."""

from __future__ import annotations

import os
import subprocess
import sys
import timeit
from collections import Counter

import numpy as np
import pytest

from streamdeblur.kernels.averaging import mean_codes
from streamdeblur.kernels.checked import ArrayDeclaration, CheckedKernel, NumberDeclaration, TupleDeclaration
from streamdeblur.kernels.intensity import write_codes
from streamdeblur.kernels.tensors import quantise
from streamdeblur.kernels.trajectories import render_path
from support.kernels import public_kernels, valid_arguments

KERNELS = public_kernels()


def test_every_public_kernel_has_a_checked_entry_and_arguments_for_these_tests():
    assert [name for name, found in KERNELS.items() if not isinstance(found, CheckedKernel)] == []
    assert set(KERNELS) == set(valid_arguments())


def _wrong_values(declaration, value, shared):
    """Values that a declaration refuses, with what is wrong about each."""
    if isinstance(declaration, TupleDeclaration):
        yield "fewer items", value[:-1]
        yield "a list", list(value)
        for label, wrong in _wrong_values(declaration.items[0], value[0], shared):
            yield label, (wrong, *value[1:])
        return
    yield "None", None
    yield "text", "1"
    if isinstance(declaration, NumberDeclaration):
        yield from [("NaN", np.nan), ("infinite", np.inf), ("huge", 1e300), ("an array", np.ones(2))]
        if np.isfinite(declaration.lowest):
            yield "below its limit", type(value)(declaration.lowest - 1)
        return
    yield "a list", value.tolist()
    yield "another type", value.astype(np.complex64)
    yield "another byte order", value.astype(value.dtype.newbyteorder()) if value.itemsize > 1 else value.astype(np.int8)
    if declaration.shape is None or shared[declaration.shape[0]] > 1 or isinstance(declaration.shape[0], int):
        yield "fewer", value[:-1]
    if declaration.shape is not None:
        yield "one more axis", value[None]
    if not declaration.strided and value.size > 1:
        yield "with gaps", np.repeat(value, 2, axis=-1)[..., ::2]
    if declaration.written:
        frozen = value.copy()
        frozen.flags.writeable = False
        yield "read-only", frozen


@pytest.mark.parametrize("name", KERNELS)
def test_arguments_of_another_kind_are_refused(name):
    kernel, arguments = KERNELS[name], valid_arguments()[name]
    kernel(*arguments)
    declared = kernel.declarations
    shapes = [d.shape or ("...",) for d in declared.values() if isinstance(d, ArrayDeclaration)]
    shared = Counter(size for shape in shapes for size in set(shape))
    for number, (argument, declaration) in enumerate(declared.items()):
        for label, wrong in _wrong_values(declaration, arguments[number], shared):
            changed = [*arguments[:number], wrong, *arguments[number + 1 :]]
            with pytest.raises((TypeError, ValueError), match=kernel.__name__):
                pytest.fail(f"{argument}: {label} was accepted: {kernel(*changed)}")
    with pytest.raises(TypeError):
        kernel(*arguments, 1)


def test_arrays_of_a_class_of_their_own_are_checked_each_time():
    class Own(np.ndarray):
        pass

    small, picture = np.zeros((8, 8), np.float32), np.zeros((8, 8), np.float32)
    own = picture.view(Own)
    for _ in range(2):
        KERNELS["luma.correlation"](small, own)
        with pytest.raises(ValueError, match="correlation"):
            KERNELS["luma.correlation"](small, own[:4])
    with pytest.raises(TypeError, match="correlation"):
        KERNELS["luma.correlation"](small, None)


def _layout(**changes):
    layout = {"offset": 0, "stride": 1, "width": 16, "height": 12, "shift": 0} | changes
    return np.array(list(layout.values()))


WRONG_LAYOUTS = [
    _layout(offset=1), _layout(offset=-1), _layout(stride=2), _layout(stride=0), _layout(stride=-1), _layout(width=17),
    _layout(width=0), _layout(height=13), _layout(height=0), _layout(shift=8), _layout(shift=-1), _layout(offset=1 << 60),
]  # fmt: skip
WRONG_GRIDS = [
    (np.nan, 1, 0, 1), (0, np.inf, 0, 1), (0, 0, 0, 1), (0, -1, 0, 1), (1e18, 1, 0, 1), (0, 1, -1e18, 1), (0, 1, 0, 1e9),
    (0, 1, 0, 1e-9),
]  # fmt: skip

VALUES = [
    *(("window.paste_component", 1, layout) for layout in WRONG_LAYOUTS),
    *(("window.paste_component", 2, np.array(grid, np.float64)) for grid in WRONG_GRIDS),
    *(("window.crop_components", 1, np.stack([_layout(), layout, _layout()])) for layout in WRONG_LAYOUTS),
    *(("window.crop_components", 2, np.array([[0, 1, 0, 1], [0, 1, 0, 1], grid])) for grid in WRONG_GRIDS[:-1]),
    ("window.crop_components", 4, np.empty((0, 7, 3), np.uint8)),
    ("window.paste_component", 3, np.empty((0, 0), np.float32)),
    ("window.paste_component", 5, np.full((1, 4), np.nan)),
    ("window.paste_component", 6, 256),
    ("averaging.add_intensity", 0, np.empty((0, 9, 3), np.uint8)),
    ("averaging.mean_codes", 2, np.empty(0, np.uint8)),
    ("convolution.convolve_taps", 1, np.array([0, 1, 2, 3])),
    ("convolution.convolve_taps", 2, np.array([0, -1, 2, 2])),
    ("intensity.look_up", 0, np.array([0, 1, 2, 3, 4])),
    ("intensity.look_up", 0, np.array([0, 1, -1, 3, 2])),
    ("intensity.read_intensity", 0, np.empty((8, 0, 3), np.uint8)),
    ("intensity.write_codes", 2, np.empty(65537, np.uint8)),
    ("intensity.write_codes", 2, np.empty(0, np.uint8)),
    ("resampling.make_taps", 2, 1e9),
    ("resampling.tap_count", 0, 1e9),
    ("sensor.brighten", 1, 1.0),
    ("sensor.write_noisy_codes", 5, np.empty(0, np.uint8)),
    ("sharpness.reduced_luma", 2, 21),
    ("sharpness.reduced_luma", 1, 19),
    ("similarity.ssim", 0, np.empty((6, 9), np.uint8)),
    ("trajectories.markov_path", 3, np.empty((8, 2), np.float32)),
    ("trajectories.render_path", 0, np.empty((0, 2), np.float32)),
    ("trajectories.render_path", 1, 6.0),
    ("trajectories.render_path", 2, np.empty((1, 1), np.float32)),
    ("warping.count_steps", 0, np.full((5, 4), np.nan, np.float32)),
    ("warping.count_steps", 3, np.empty(0, np.int64)),
    ("warping.path_matrices", 1, np.array([1, 2, 2])),
    ("warping.path_matrices", 1, np.array([5, -2, 1])),
    ("warping.add_warped", 1, np.array([[[1.0, 0.0, 7.0], [0.0, 1.0, 2.0]]])),
    ("warping.add_warped", 1, np.array([[[1.0, 0.0, 2.0], [0.0, 1.0, -0.5]]])),
    ("warping.add_warped", 1, np.full((1, 2, 3), np.nan)),
    ("warping.add_warped", 2, np.empty(15, np.float32)),
]


@pytest.mark.parametrize(("name", "number", "wrong"), VALUES)
def test_values_that_would_lead_an_index_out_of_an_array_are_refused(name, number, wrong):
    arguments = valid_arguments()[name]
    arguments[number] = wrong
    with pytest.raises(ValueError, match=name.split(".")[1]):
        KERNELS[name](*arguments)


def test_the_message_names_kernel_argument_declaration_and_what_came():
    images, out = np.zeros((2, 3, 8, 8), np.float32), np.zeros((1, 8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="quantise") as refused:
        quantise(images, out, np.zeros(2, bool))
    assert str(refused.value) == (
        "quantise: 'out' must be uint8 [N, H, W, 3], written (got uint8 [1, 8, 8, 3], where N = 2, H = 8, W = 8)."
    )


def test_arguments_may_be_named():
    images, out, finite = np.ones((1, 3, 4, 4), np.float32), np.zeros((1, 4, 4, 3), np.uint8), np.zeros(1, bool)
    quantise(images, finite=finite, out=out)
    assert out.min() == 255
    assert finite.all()


def test_values_that_are_no_numbers_find_the_first_entry_of_a_table():
    table, out = np.arange(1, 201, dtype=np.uint8), np.zeros(20, np.uint8)
    write_codes(np.full(20, np.nan, np.float32), 1.0, table, out)
    assert set(out) == {1}
    mean_codes(np.full(20, -1000, np.int32), 1, table, out)
    assert set(out) == {1}
    picture = np.zeros((8, 8), np.float32)
    render_path(np.full((4, 2), np.nan, np.float32), 2.0, picture)


def test_an_entry_costs_microseconds_whatever_the_size():
    arguments = [np.zeros((1, 3, 256, 256), np.float32), np.zeros((1, 256, 256, 3), np.uint8), np.zeros(1, bool)]

    def check():
        bound = {}
        for (name, declaration), argument in zip(quantise.declarations.items(), arguments, strict=True):
            declaration.check(name, argument, bound)

    assert min(timeit.repeat(check, number=100, repeat=5)) / 100 < 50e-6


RANDOM = """
import sys
sys.path.insert(0, {tests!r})
import numpy as np
from support.kernels import public_kernels, valid_arguments

random, accepted = np.random.default_rng(1), 0
for name, kernel in public_kernels().items():
    for attempt in range(60):
        arguments = valid_arguments()[name]
        for number in random.choice(len(arguments), random.integers(1, len(arguments) + 1), replace=False):
            value = arguments[number]
            if isinstance(value, np.ndarray):
                scale = random.choice([1.0, 3.0, 40.0, 1e4, 1e12])
                with np.errstate(all="ignore"):
                    value = (value + random.normal(0, scale, value.shape)).astype(value.dtype)
                if random.random() < 0.3 and value.dtype.kind == "f":
                    value[random.random(value.shape) < 0.1] = random.choice([np.nan, np.inf, -np.inf])
                if random.random() < 0.3:
                    axis = random.integers(value.ndim)
                    value = np.ascontiguousarray(value.take(range(random.integers(0, value.shape[axis] + 1)), axis))
            elif not isinstance(value, tuple):
                value = type(value)(value * random.choice([-1, 0, 1, 2, 40]) if type(value) in (int, float) else value)
            arguments[number] = value
        try:
            kernel(*arguments)
            accepted += 1
        except (TypeError, ValueError):
            pass
print(accepted)
"""


@pytest.mark.slow
def test_whatever_an_entry_accepts_stays_within_the_arrays(tmp_path):
    """Compiled with Numba's test of bounds, a loop that leaves an array raises an IndexError."""
    script = tmp_path / "random_arguments.py"
    script.write_text(RANDOM.format(tests=os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 200
