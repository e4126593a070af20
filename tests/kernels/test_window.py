"""The pixel kernels against their NumPy references, on every pixel format."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamdeblur.faces.window import FaceWindow, RestoredCrop, crop, paste
from streamdeblur.video.planes import frame_planes
from support.media.frames import BT601, BT709, BT2020, FULL, LIMITED, PIXEL_FORMATS, plane_bytes, random_frame
from support.reference import window as reference

WINDOWS = {
    "shrinking": FaceWindow(600.3, 340.7, 611.0),
    "enlarging": FaceWindow(50.3, 31.2, 40.6),
    "over the border": FaceWindow(2.0, 70.0, 60.0),
    "tiny": FaceWindow(48.0, 36.0, 5.0),
}


def frame_for(pixel_format, name, **tags):
    size = (800, 600) if name == "shrinking" else (96, 72)
    return random_frame(pixel_format, *size, **tags)


def restoration(planes, window, seed=1, strength=1.0):
    cropped = crop(planes, window)
    change = np.random.default_rng(seed).integers(-60, 60, (32, 32, 3)).repeat(8, 0).repeat(8, 1)
    return RestoredCrop(window, cropped, np.clip(cropped + change, 0, 255).astype(np.uint8), strength)


def code_values(planes):
    return [reference.component_samples(planes, c) / (1 << planes.layout.shift) for c in range(len(planes.arrays))]


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("pixel_format", PIXEL_FORMATS)
def test_crop_is_within_one_code_value_of_its_reference(pixel_format, name):
    planes = frame_planes(frame_for(pixel_format, name))
    expected = reference.crop(planes, WINDOWS[name])
    assert np.abs(crop(planes, WINDOWS[name]).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("pixel_format", PIXEL_FORMATS)
def test_paste_is_within_one_code_value_of_its_reference(pixel_format, name):
    planes = frame_planes(frame_for(pixel_format, name))
    change = restoration(planes, WINDOWS[name], strength=0.8)
    before = code_values(planes)
    expected = reference.paste(planes, [change])
    paste(planes, [change])
    after = code_values(planes)
    for c, (old, new) in enumerate(zip(before, after, strict=True)):
        assert np.abs(new - expected[c]).max() <= 1
        assert np.array_equal(
            new[reference.mask(planes, c, change.window) == 0], old[reference.mask(planes, c, change.window) == 0]
        )
    assert any(not np.array_equal(old, new) for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("pixel_format", PIXEL_FORMATS)
def test_a_crop_that_comes_back_unchanged_leaves_every_byte(pixel_format):
    frame = random_frame(pixel_format)
    planes = frame_planes(frame)
    before = plane_bytes(frame)
    cropped = crop(planes, WINDOWS["enlarging"])
    paste(planes, [RestoredCrop(WINDOWS["enlarging"], cropped, cropped)])
    assert all(np.array_equal(a, b) for a, b in zip(before, plane_bytes(frame), strict=True))


@pytest.mark.parametrize("other", ["alpha", "padding"])
def test_samples_that_are_not_colour_are_left_alone(other):
    frame = random_frame("rgba" if other == "alpha" else "yuva444p10le")
    alpha = (
        (lambda: plane_bytes(frame)[0][:, 3::4])
        if other == "alpha"
        else (lambda: np.frombuffer(frame.planes[3], np.uint8).copy())
    )
    before = alpha()
    planes = frame_planes(frame)
    paste(planes, [restoration(planes, WINDOWS["enlarging"])])
    assert np.array_equal(before, alpha())


@pytest.mark.parametrize("turn", [1, 2, 3])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "uyvy422", "p010le", "gbrp"])
def test_crops_of_a_turned_frame_are_upright_and_pasted_where_they_were_read(pixel_format, turn):
    window, turned, plain = FaceWindow(95.3, 71.9, 88.4), random_frame(pixel_format), random_frame(pixel_format)
    upright, lying = crop(replace(frame_planes(turned), turn=turn), window), crop(frame_planes(plain), window)
    assert np.array_equal(upright, np.rot90(lying, turn))
    restored = np.random.default_rng(0).integers(0, 256, lying.shape, np.uint8)
    paste(replace(frame_planes(turned), turn=turn), [RestoredCrop(window, upright, np.rot90(restored, turn))])
    paste(frame_planes(plain), [RestoredCrop(window, lying, restored)])
    assert all(np.array_equal(one, other) for one, other in zip(plane_bytes(turned), plane_bytes(plain), strict=True))


def test_overlapping_windows_share_the_change_between_them():
    planes = frame_planes(random_frame("yuv444p"))
    windows = [FaceWindow(40, 36, 40), FaceWindow(52, 36, 44), FaceWindow(60, 50, 30)]
    changes = [restoration(planes, window, seed) for seed, window in enumerate(windows)]
    expected = reference.paste(planes, changes)
    paste(planes, changes)
    for c, value in enumerate(code_values(planes)):
        # each of the three pastes rounds once
        assert np.abs(value - expected[c]).max() <= 1


@pytest.mark.parametrize("color_range", [LIMITED, FULL])
@pytest.mark.parametrize("colorspace", [BT601, BT709, BT2020])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p10le", "nv12"])
def test_a_flat_patch_is_read_and_written_with_the_matrix_of_its_frame(pixel_format, colorspace, color_range):
    kr, kb = {BT601: (0.299, 0.114), BT709: (0.2126, 0.0722), BT2020: (0.2627, 0.0593)}[colorspace]
    frame = random_frame(pixel_format, 64, 64, colorspace=colorspace, color_range=color_range)
    planes = frame_planes(frame)
    depth = planes.layout.depth

    def codes(rgb):
        r, g, b = np.array(rgb) / 255
        y = kr * r + (1 - kr - kb) * g + kb * b
        cb, cr = (b - y) / (2 - 2 * kb), (r - y) / (2 - 2 * kr)
        scale, top = 1 << (depth - 8), (1 << depth) - 1
        limited = (16 * scale + 219 * scale * y, 128 * scale + 224 * scale * cb, 128 * scale + 224 * scale * cr)
        full = (top * y, (1 << (depth - 1)) + top * cb, (1 << (depth - 1)) + top * cr)
        return limited if color_range == LIMITED else full

    before, after = (200, 30, 40), (30, 60, 190)
    for c, code in enumerate(codes(before)):
        offset, stride, width, height, _ = planes.memory[c]
        planes.arrays[c][:height, offset : offset + stride * width : stride] = round(code)
    window = FaceWindow(32, 32, 60)
    cropped = crop(planes, window)
    assert np.abs(cropped.astype(int) - before).max() <= 2  # half a chroma code value is up to 1.4 in RGB at 8 bits
    paste(planes, [RestoredCrop(window, cropped, np.broadcast_to(np.uint8(after), cropped.shape))])
    for c, code in enumerate(codes(after)):
        offset, stride, width, height, _ = planes.memory[c]
        centre = planes.arrays[c][height // 2, offset + stride * (width // 2)]
        assert abs(int(centre) - code) <= 1 << (depth - 8), (c, centre, code)


@settings(max_examples=30, deadline=None)
@given(
    x=st.floats(-150, 250), y=st.floats(-150, 250), side=st.floats(0.5, 400),
    pixel_format=st.sampled_from(["yuv420p", "nv12", "rgb24", "yuv422p10le"]),
)  # fmt: skip
def test_any_window_is_read_as_by_the_reference_and_changes_nothing_outside(x, y, side, pixel_format):
    planes = frame_planes(random_frame(pixel_format, 67, 45))
    window = FaceWindow(x, y, side)
    change = restoration(planes, window)
    assert np.abs(change.crop.astype(int) - reference.crop(planes, window)).max() <= 1
    before = code_values(planes)
    expected = reference.paste(planes, [change])
    paste(planes, [change])
    for c, (old, new) in enumerate(zip(before, code_values(planes), strict=True)):
        assert np.abs(new - expected[c]).max() <= 1
        outside = reference.mask(planes, c, window) == 0
        assert np.array_equal(new[outside], old[outside])


@pytest.mark.parametrize("side", [0.0, -3.0, float("nan"), float("inf")])
def test_a_window_without_a_size_is_refused(side):
    with pytest.raises(ValueError, match="side above 0"):
        FaceWindow(10, 10, side)
